"""One person over many logs: `wtmr who` knows them by their looks, `adapt` their network, `habits` their routine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from wtmr_core.commands import arguments


def add(commands: argparse._SubParsersAction) -> None:
    """Add `who`, `adapt` and `habits`."""
    people = commands.add_parser("who", help="list, name, join, part or forget people known by looks")
    people = people.add_subparsers(dest="what", required=True, metavar="list|name|join|part|forget")
    person = "a name, a number, or LOG:N for person N of a log"
    for what, does, given in (
        ("list", "list everybody, and where they were seen", {}),
        ("name", "give somebody a name", {"who": person, "name": "the name"}),
        ("join", "make two people one; the name of the first stays", {"who": person, "other": person}),
        ("part", "make people of logs somebody new", {"people": "LOG:N"}),
        ("forget", "drop all that is known of people, and their names in the logs", {"people": person}),
    ):
        one = people.add_parser(what, help=does)
        one.add_argument("gallery", type=Path, metavar="GALLERY", help="its file, or the folder that holds it")
        for name, meaning in given.items():
            one.add_argument(name, nargs="+" if name == "people" else None, metavar=name.upper(), help=meaning)
        one.set_defaults(run=who)
    people.choices["list"].add_argument("--json", action="store_true", help="print a JSON list of objects")

    one = commands.add_parser("adapt", help="adapt a network to one person by labelled episodes")
    one.add_argument("model", metavar="MODEL", help="home, which comes with the package, or the folder of a run")
    one.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="the folder of a log of that person")
    one.add_argument("--labels", type=Path, required=True, metavar="CSV", help="activity, start_s, end_s; person, clip")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the adapted network")
    one.add_argument("--person", nargs="+", default=[], metavar="N", help="the person's numbers, of several people's")
    one.add_argument("--video", type=Path, metavar="PATH", help="the video, or the folder in which the videos now lie")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(run=adapt)

    one = commands.add_parser("habits", help="learn a routine from logs of days, and what departs from it")
    one.add_argument("logs", nargs="+", metavar="LOG", help="a CSV of start,end,activity, or the folder of a log")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    one.add_argument(
        "--learn-until", type=arguments.date, metavar="DATE", help="judge the days after it; by default after 14"
    )
    one.add_argument("--until", type=arguments.date, metavar="DATE", help="the last day to look at")
    one.add_argument("--day", action="append", default=[], metavar="DATE", help="when second 0 of a log was")
    one.add_argument("--routine", type=Path, metavar="FILE", help="a routine.json with which to go on")
    one.add_argument("--roles", type=Path, metavar="FILE", help="YAML of words, such as sleep: [schlafen]")
    one.add_argument("--no-pictures", dest="pictures", action="store_false", help="write the two tables alone")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(run=habits)


def who(options: argparse.Namespace) -> int:
    """`wtmr who`."""
    from wtmr_core.tracking import who
    from wtmr_core.tracking.gallery import Gallery

    if options.what == "list":
        gallery = Gallery.read(options.gallery)
        print(json.dumps(who.listed(gallery), indent=2, ensure_ascii=False) if options.json else who.text(gallery))
    elif options.what == "name":
        print(who.rename(options.gallery, options.who, options.name))
    elif options.what == "join":
        print(who.join(options.gallery, options.who, options.other))
    else:
        change = {"part": who.part, "forget": who.forget}[options.what]
        print(change(options.gallery, options.people))
    return 0


def adapt(options: argparse.Namespace) -> int:
    """`wtmr adapt`: 0, or 1 where it is refused, as adapting does not help."""
    from wtmr_core.tracking.adapt import adapt
    from wtmr_core.tracking.adaptation import Refused

    try:
        entry = adapt(
            options.model, options.logs, options.labels, options.out, people=options.person, video=options.video
        )
    except Refused as error:
        print(f"wtmr: not adapted: {error}", file=sys.stderr)
        return 1
    for warning in entry["warnings"]:
        print(f"wtmr: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(entry, ensure_ascii=False))
        return 0
    share = f"{100 * entry['before']:.1f} % of the time right before, {100 * entry['after']:.1f} % after"
    counts = f"{entry['better']} better, {entry['worse']} worse, p = {entry['chance']:.3f}"
    print(entry["folder"], f"{entry['episodes']} episodes, each held back in turn: {share}; {counts}", sep="\n")
    return 0


def habits(options: argparse.Namespace) -> int:
    """`wtmr habits`."""
    from wtmr_core.tracking import habits

    names = ("logs", "out", "learn_until", "until", "routine", "roles", "pictures")
    found = habits.report(days=options.day, **{name: getattr(options, name) for name in names})
    for remark in found["remarks"]:
        print(f"wtmr: {remark}", file=sys.stderr)
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print((options.out / "departures.csv").read_text(encoding="utf-8"), end="")
    return 0
