"""The logs of videos: `wtmr track` writes one, `zones` prepares the zones of a camera, `score` judges a log."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from wtmr_core.commands import arguments


def add(commands: argparse._SubParsersAction) -> None:
    """Add `track`, `zones` and `score`."""
    one = commands.add_parser("track", help="log a video: who did what, when, for how long, where")
    one.add_argument("video", metavar="VIDEO", help="a video, a folder of numbered frames, a camera (0) or a stream")
    one.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of the log")
    one.add_argument("--model", default="home", help="home, which comes with the package, or the folder of a run")
    one.add_argument(
        "--detector",
        default="auto",
        choices=["auto", "movenet", "hog", "haar", "motion", "published"],
        help="what finds the people; by default MoveNet where it is installed, else HOG",
    )
    one.add_argument("--fps", type=float, help="frames a second of a folder; of other videos, those processed (10)")
    one.add_argument("--zones", type=Path, metavar="FILE", help="named areas of the picture; see wtmr zones")
    one.add_argument("--boxes", type=Path, metavar="MOT.txt", help="read people and ids from a file, detect none")
    one.add_argument("--video", dest="annotate", action="store_true", help="also write annotated.mp4")
    one.add_argument("--page", action="store_true", help="also write page.html, a timeline and a contact sheet")
    one.add_argument("--no-blur", dest="blur", action="store_false", help="do not blur heads in saved pictures")
    one.add_argument("--gallery", type=Path, metavar="FILE", help="names people by their looks; see wtmr who")
    one.add_argument(
        "--who",
        type=arguments.named,
        action="append",
        default=[],
        metavar="NAME=N",
        help="person N of this log is NAME; kept in the gallery, by default that of the folder above the log's",
    )
    one.add_argument("--day", default="", metavar="DATE", help="of the video, as 2026-11-29: clothes are kept by day")
    one.add_argument("--json", action="store_true", help="print one JSON object at the end")
    one.add_argument("--follow", action="store_true", help="print a line of JSON for each event as it happens")
    one.set_defaults(run=track)

    one = commands.add_parser("zones", help="write a picture and a template for the zones of a camera")
    one.add_argument("video", metavar="VIDEO", help="as for track")
    one.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder for zones.png and zones.yaml")
    one.set_defaults(run=zones)

    one = commands.add_parser("score", help="score a log against the truth")
    one.add_argument("log", type=Path, help="the folder of a log, its episodes.csv, or a folder of logs")
    one.add_argument("truth", type=Path, help="an episodes.csv of the true activities")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(run=score)


def track(options: argparse.Namespace) -> int:
    """`wtmr track`: 0, or 1 where nothing of the video can be read, 130 after Ctrl-C or SIGTERM."""
    from wtmr_core import processes
    from wtmr_core.tracking.track import Unwatchable, track

    def tell(event: dict) -> None:
        if options.follow:
            print(json.dumps(event, ensure_ascii=False), flush=True)

    keys = ("model", "detector", "fps", "zones", "boxes", "annotate", "page", "blur", "gallery", "day")
    given = {key: getattr(options, key) for key in keys}
    if len({number for number, _ in options.who}) < len(options.who):
        raise ValueError("--who gives one person two names")
    try:
        with processes.stoppable():
            summary = track(options.video, options.out, **given, who=dict(options.who), tell=tell)
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


def zones(options: argparse.Namespace) -> int:
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


def score(options: argparse.Namespace) -> int:
    """`wtmr score`."""
    from wtmr_core.tracking.score import score

    result = score(options.log, options.truth)
    print(json.dumps(result.described(), indent=2, ensure_ascii=False) if options.json else result.text())
    return 0
