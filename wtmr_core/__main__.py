"""The `wtmr` command: data sets, training and prediction, logs of videos, suites and their results."""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import os
import sys
import warnings
from pathlib import Path

from wtmr_core import datasets, environment, errors
from wtmr_core.modality import OWN


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0 for success, 1 where data or results are not as expected, 2 for an error."""
    parser = argparse.ArgumentParser("wtmr", description="The WTMR-Net companion.")
    commands = parser.add_subparsers(dest="command", required=True)

    data = commands.add_parser("data", help="check a data set, or make a miniature one")
    data = data.add_subparsers(dest="what", required=True)
    check = data.add_parser("check", help="compare a data set with what is expected of it")
    check.add_argument("dataset", choices=datasets.NAMES)
    check.add_argument("--root", type=Path, help="its folder; by default WTMR_DATA, data/ and Kaggle's are searched")
    check.add_argument("--split", help="one split; by default all that can be read")
    check.add_argument("--protocol", choices=("published", "corrected"), default="corrected")
    check.add_argument("--names-only", action="store_true", help="do not read the files to their ends")
    check.add_argument("--workers", type=int, default=None, help="number of reading processes; by default one per core")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=data_check)
    mini = data.add_parser("mini", help="make a miniature set (done automatically on first use)")
    mini.add_argument("dataset", choices=[*(name for name in datasets.NAMES if name not in OWN), "home"])
    mini.add_argument("--root", type=Path, help="the folder to write; by default data/mini/DATASET")
    mini.add_argument("--seed", type=int, default=0)
    mini.set_defaults(run=data_mini)

    train = commands.add_parser("train", help="train a run, or resume it")
    train.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="such as dataset=hmdb51 scale=mini epochs=3")
    train.add_argument("--root", type=Path, help="folder of the data set; by default as for data check")
    train.add_argument("--results", type=Path, default=Path("results"), help="folder of results; by default results")
    train.set_defaults(run=train_one)

    predict = commands.add_parser("predict", help="classify the actions in videos with a finished run")
    predict.add_argument("run_folder", type=Path, metavar="RUN_FOLDER", help="the folder of a finished run")
    predict.add_argument(
        "videos",
        type=Path,
        nargs="+",
        metavar="VIDEO",
        help="a video, a folder of numbered frames, or a .skeleton file",
    )
    predict.add_argument("--fps", type=float, help="frames a second of a folder; by default its frames are one window")
    predict.add_argument("--seconds", type=float, help="length of a window; by default that of the training recordings")
    predict.add_argument("--stride", type=float, help="seconds from window to window; by default half a window")
    predict.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    predict.add_argument("--json", action="store_true", help="print a JSON list of objects")
    predict.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each window")
    predict.set_defaults(run=predict_all)

    track = commands.add_parser("track", help="write the log of a video: who did what, when, for how long, where")
    track.add_argument("video", metavar="VIDEO", help="a video, a folder of numbered frames, a camera (0) or a stream")
    track.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of the log")
    track.add_argument("--model", default="home", help="home, which comes with the package, or the folder of a run")
    track.add_argument("--detector", default="auto", choices=["auto", "movenet", "hog", "haar", "motion", "published"])
    track.add_argument("--fps", type=float, help="frames a second of a folder; of other videos, those processed (10)")
    track.add_argument("--zones", type=Path, metavar="FILE", help="named areas of the picture; see wtmr zones")
    track.add_argument("--boxes", type=Path, metavar="MOT.txt", help="read people and ids from a file, detect none")
    track.add_argument("--video", dest="annotate", action="store_true", help="also write annotated.mp4")
    track.add_argument("--page", action="store_true", help="also write page.html, a timeline and a contact sheet")
    track.add_argument("--no-blur", dest="blur", action="store_false", help="do not blur heads in saved pictures")
    track.add_argument("--gallery", type=Path, metavar="FILE", help="recognise people by their looks; see wtmr who")
    track.add_argument(
        "--who",
        type=_named,
        action="append",
        default=[],
        metavar="NAME=N",
        help="person N of this log is NAME; kept in the gallery, by default that of the folder above the log's",
    )
    track.add_argument("--day", default="", metavar="DATE", help="of the video, as 2026-11-29: clothes are kept by day")
    track.add_argument("--json", action="store_true", help="print one JSON object at the end")
    track.add_argument("--follow", action="store_true", help="print a line of JSON for each event as it happens")
    track.set_defaults(run=track_video)

    who = commands.add_parser("who", help="people known by their looks: list, name, join, part and forget them")
    who = who.add_subparsers(dest="what", required=True)
    person = "a name, a number, or LOG:N for person N of a log"
    for what, does, given in (
        ("list", "list everybody, and where they were seen", {}),
        ("name", "give somebody a name", {"who": person, "name": "the name"}),
        ("join", "make two people one", {"who": person, "other": person}),
        ("part", "make people of logs somebody new", {"people": "LOG:N"}),
        ("forget", "drop all that is known of people, and their names in the logs", {"people": person}),
    ):
        one = who.add_parser(what, help=does)
        one.add_argument("gallery", type=Path, metavar="GALLERY", help="its file, or the folder that holds it")
        for name, meaning in given.items():
            one.add_argument(name, nargs="+" if name == "people" else None, metavar=name.upper(), help=meaning)
        one.set_defaults(run=who_is_who)
    who.choices["list"].add_argument("--json", action="store_true", help="print a JSON list of objects")

    zones = commands.add_parser("zones", help="write a picture and a template for the zones of a camera")
    zones.add_argument("video", metavar="VIDEO", help="as for track")
    zones.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder for zones.png and zones.yaml")
    zones.set_defaults(run=zones_template)

    score = commands.add_parser("score", help="score a log against the truth")
    score.add_argument("log", type=Path, help="the folder of a log, its episodes.csv, or a folder of logs")
    score.add_argument("truth", type=Path, help="an episodes.csv of the true activities")
    score.add_argument("--json", action="store_true", help="print one JSON object")
    score.set_defaults(run=score_log)

    adapt = commands.add_parser("adapt", help="adapt a network to one person by labelled episodes of their logs")
    adapt.add_argument("model", metavar="MODEL", help="home, which comes with the package, or the folder of a run")
    adapt.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="the folder of a log of that person")
    adapt.add_argument(
        "--labels", type=Path, required=True, metavar="CSV", help="activity, start_s, end_s; person, clip"
    )
    adapt.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the adapted network")
    adapt.add_argument("--person", nargs="+", default=[], metavar="N", help="the person's numbers, of several people's")
    adapt.add_argument(
        "--video", type=Path, metavar="PATH", help="the video, or the folder in which the videos now lie"
    )
    adapt.add_argument("--json", action="store_true", help="print one JSON object")
    adapt.set_defaults(run=adapt_network)

    habits = commands.add_parser("habits", help="learn a routine from logs of days, and what departs from it")
    habits.add_argument("logs", nargs="+", metavar="LOG", help="a CSV of start,end,activity, or the log of a video")
    habits.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    habits.add_argument(
        "--learn-until", type=_date, metavar="DATE", help="judge the days after it; by default after 14"
    )
    habits.add_argument("--until", type=_date, metavar="DATE", help="the last day to look at")
    habits.add_argument("--day", action="append", default=[], metavar="DATE", help="when second 0 of a log was")
    habits.add_argument("--routine", type=Path, metavar="FILE", help="a routine.json with which to go on")
    habits.add_argument("--roles", type=Path, metavar="FILE", help="YAML of words, such as sleep: [schlafen]")
    habits.add_argument("--no-pictures", dest="pictures", action="store_false", help="write the two tables alone")
    habits.add_argument("--json", action="store_true", help="print one JSON object")
    habits.set_defaults(run=habits_of)

    export = commands.add_parser("export", help="export the network of a finished run for other programs")
    export.add_argument("run_folder", type=Path, metavar="RUN_FOLDER", help="the folder of a finished run")
    export.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="the ONNX file to write")
    export.add_argument("--opset", type=int, default=18, help="version of ONNX's operators; by default 18")
    export.set_defaults(run=export_onnx)

    suite = commands.add_parser("reproduce", help="run a whole suite, or resume it")
    suite.add_argument("suite", nargs="?", default="mini", help="mini, published, corrected, or a YAML file")
    suite.add_argument("--data", type=Path, help="a data set or a folder of sets; by default as for data check")
    suite.add_argument("--results", type=Path, help="folder of results; by default results/SUITE")
    suite.add_argument("--profile", default="local", help="a folder of profiles/: local or slurm")
    suite.add_argument("--gpus", type=int, help="number of GPUs to use; by default all")
    suite.add_argument("--dry", action="store_true", help="list the steps without running them")
    suite.set_defaults(run=reproduce)

    notebook = commands.add_parser("notebook", help="run one notebook through papermill, as a suite does")
    notebook.add_argument("source", type=Path, help="the notebook to run")
    notebook.add_argument("result", type=Path, help="the notebook to write")
    notebook.add_argument("--parameters", type=_object, default={}, help="a JSON object")
    notebook.add_argument("--log", type=Path, required=True, help="the file for its output")
    notebook.add_argument("--gpus", type=int, default=0, help="number of free GPUs to take")
    notebook.add_argument("--parent", type=int, help="id of the process with which to end")
    notebook.set_defaults(run=one_notebook)

    profile = commands.add_parser("profile", help="parameters and GMACs of the networks at full size")
    profile.add_argument("--as", dest="counting", choices=("published", "complete"), default="complete")
    profile.add_argument("--csv", action="store_true", help="print comma-separated values")
    profile.set_defaults(run=profile_all)

    table = commands.add_parser("table", help="list the runs in a folder of results")
    table.add_argument("results", type=Path, help="a folder of results, such as results/mini")
    table.set_defaults(run=table_of_runs)

    compare = commands.add_parser("compare", help="compare a suite's results with the committed ones")
    compare.add_argument("suite", nargs="?", default="mini", help="a suite whose results are part of the repository")
    compare.add_argument("--results", type=Path, help="folder of results; by default results/SUITE")
    compare.set_defaults(run=compare_results)

    audit = commands.add_parser("audit", help="write AUDIT.md from what the audit's notebook found")
    audit.add_argument("--results", type=Path, help="folder of the suite's results; by default results/mini")
    audit.add_argument("--page", type=Path, help="the page to write; by default AUDIT.md")
    audit.add_argument(
        "--train", action="store_true", help="first make the kept trials anew, as far as they are absent"
    )
    audit.add_argument("--data", type=Path, help="with --train, the folder that holds the folders of real recordings")
    audit.set_defaults(run=write_audit)

    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal lacks is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def work() -> int:
        if os.environ.get("PYTHONWARNINGS"):  # which must not turn warnings into errors here
            warnings.simplefilter("default")
        with environment.cleaned():
            return options.run(options)

    return errors.ended(work, f"wtmr {options.command}")


def _object(text: str) -> dict:
    """Parse a JSON object; raises `argparse.ArgumentTypeError` for anything else."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text[:80]!r} is no JSON object, such as {{"epochs": 3}}')
    return value


def _date(text: str) -> dt.date:
    """Parse a date; raises `argparse.ArgumentTypeError` for anything else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, such as 2026-03-01") from error


def _named(text: str) -> tuple[int, str]:
    """Parse NAME=N; raises `argparse.ArgumentTypeError` for anything else."""
    name, _, number = text.rpartition("=")
    if not name or not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no NAME=N, such as alice=3")
    return int(number), name


def data_check(options: argparse.Namespace) -> int:
    """`wtmr data check`: 0 where the data set is as expected, otherwise 1."""
    from wtmr_core.datasets import check

    arguments = {key: getattr(options, key) for key in ("root", "split", "names_only", "workers")}
    return check.show(check.report(options.dataset, reader=options.protocol, **arguments), as_json=options.json)


def data_mini(options: argparse.Namespace) -> int:
    """`wtmr data mini`."""
    from wtmr_core.miniature import sets

    root = options.root or datasets.home() / "data" / "mini" / options.dataset
    print(sets.make(options.dataset, root, options.seed))
    return 0


def train_one(options: argparse.Namespace) -> int:
    """`wtmr train`: values are read as in a suite, such as `lr=1e-3`, `conv_channels=[16, 32]`, `dropout=null`."""
    from wtmr_core import processes, runs
    from wtmr_core.parameters import from_pairs
    from wtmr_core.settings import Settings

    if environment.started_by_torchrun():
        processes.die_with_parent(int(os.environ.get(environment.AGENT, 0)))
    from wtmr_core.training import run

    folder = run(Settings.of(from_pairs(options.settings)), options.results, options.root)
    if environment.started_by_torchrun():
        return 0
    metrics = runs.load(folder).metrics
    shown = ("train_accuracy", "val_accuracy", "test_accuracy", "epochs", "seconds", "clips_per_second")
    print(folder, *(f"{key} {'-' if metrics[key] is None else f'{metrics[key]:.4g}'}" for key in shown), sep="\n")
    for key, verb in (("skipped", "skipped"), ("remarks", "kept, but")):
        for reason, count in metrics.get(key, {}).items():
            names = ", ".join(metrics.get("examples", {}).get(key, {}).get(reason, []))
            print(f"{count:,} {verb}: {reason}" + (f", the first: {names}" if names else ""))
    return 0


def predict_all(options: argparse.Namespace) -> int:
    """`wtmr predict`: 0, or 1 where some recordings cannot be read, 2 where none can."""
    from wtmr_core import predictions
    from wtmr_core.classifier import Classifier

    classifier = Classifier.load(options.run_folder, options.device)
    arguments = {key: getattr(options, key) for key in ("fps", "seconds", "stride", "csv")}
    return predictions.show(classifier, options.videos, as_json=options.json, **arguments)


def track_video(options: argparse.Namespace) -> int:
    """`wtmr track`: 0, or 1 where nothing of the video can be read, 130 after Ctrl-C or SIGTERM."""
    from wtmr_core import processes
    from wtmr_core.tracking.track import Unwatchable, track

    def tell(event: dict) -> None:
        if options.follow:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    keys = ("model", "detector", "fps", "zones", "boxes", "annotate", "page", "blur", "gallery", "day")
    arguments = {key: getattr(options, key) for key in keys}
    if len({number for number, _ in options.who}) < len(options.who):
        raise ValueError("--who gives one person two names")
    try:
        with processes.stoppable():
            summary = track(options.video, options.out, **arguments, who=dict(options.who), tell=tell)
    except Unwatchable as error:
        print(f"wtmr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"wtmr: stopped; what was seen until then is in {options.out}", file=sys.stderr)
        return 130
    for warning in summary["warnings"]:
        print(f"wtmr: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(summary, ensure_ascii=False))
    elif not options.follow:
        print((options.out / "episodes.csv").read_text(encoding="utf-8"), end="")
    return 0


def who_is_who(options: argparse.Namespace) -> int:
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


def zones_template(options: argparse.Namespace) -> int:
    """`wtmr zones`."""
    from itertools import islice

    from wtmr_core.datasets.stream import Stream
    from wtmr_core.tracking import detectors
    from wtmr_core.tracking.privacy import headless
    from wtmr_core.tracking.zones import emptied, write_template

    detector = detectors.load("auto")
    with Stream(options.video, fps=1 if Path(options.video).is_dir() else None, most=1) as stream:
        frames = [frame.picture for frame in islice(stream, 30)]
    pictures = [headless(picture, detector(picture))[..., ::-1] for picture in frames]
    print(*write_template(emptied(pictures), options.out, stream.name), sep="\n")
    return 0


def score_log(options: argparse.Namespace) -> int:
    """`wtmr score`."""
    from wtmr_core.tracking.score import score

    result = score(options.log, options.truth)
    print(json.dumps(result.described(), indent=2, ensure_ascii=False) if options.json else result.text())
    return 0


def adapt_network(options: argparse.Namespace) -> int:
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


def habits_of(options: argparse.Namespace) -> int:
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


def export_onnx(options: argparse.Namespace) -> int:
    """`wtmr export`."""
    from wtmr_core.export import export

    print(export(options.run_folder, options.onnx, options.opset))
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """`wtmr reproduce`."""
    from wtmr_core.paper import workflow

    plan = workflow.plan(
        options.suite, data=options.data, results=options.results, gpus=options.gpus, profile=options.profile
    )
    if not options.dry:
        return workflow.reproduce(plan)
    print(workflow.listing(plan))
    return 0


def one_notebook(options: argparse.Namespace) -> int:
    """`wtmr notebook`."""
    from wtmr_core import processes
    from wtmr_core.paper.execution import notebook

    if options.parent:
        processes.die_with_parent(options.parent)
    notebook(options.source, options.result, options.parameters, options.log, options.gpus)
    return 0


def profile_all(options: argparse.Namespace) -> int:
    """`wtmr profile`."""
    from wtmr_core.paper.cost import profile_table

    table = profile_table(options.counting)
    if options.csv:
        table.to_csv(sys.stdout, index=False, float_format="%.2f")
    else:
        print(table.to_string(index=False, float_format="%.2f".__mod__))
    return 0


def table_of_runs(options: argparse.Namespace) -> int:
    """`wtmr table`: 0, or 1 where there are no runs."""
    from wtmr_core import runs

    table = runs.table(options.results)
    why = table.test_accuracy.notna().map({True: "-", False: "unfinished"})  # a finished run may have no validation
    table = table.astype(object).where(table.notna(), why, axis=0)
    if table.empty:
        print(f"no runs in {options.results / 'runs'}: give a folder of results, such as results/mini")
        return 1
    print(table.to_string(index=False, float_format="%.3f".__mod__))
    return 0


def compare_results(options: argparse.Namespace) -> int:
    """`wtmr compare`: 0 where every accuracy lies within the stated spread, otherwise 1."""
    from wtmr_core.paper import comparison

    results = datasets.results_home(options.suite, options.results)
    page, within = comparison.report(results, datasets.home(), options.suite)
    print(page)
    return 0 if within else 1


def write_audit(options: argparse.Namespace) -> int:
    """`wtmr audit`: 0; with `--train` the kept trials are made, which the notebook then shows."""
    from wtmr_core.paper.audit import page, tracks, trials

    kept = datasets.results_home("audit")
    if options.train:
        if options.data is None or not options.data.is_dir():
            raise datasets.DataError(f"there is no folder {options.data}: give that of the real recordings as --data")
        tracks.make(kept, options.data)
        print(trials.make(kept, options.data).to_string(index=False))
        print("papermill notebooks/07_audit.ipynb out.ipynb shows them")
        return 0
    target = options.page or datasets.home() / "AUDIT.md"
    page.write(target, datasets.results_home("mini", options.results))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
