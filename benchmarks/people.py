"""Detectors and trackers compared with the true boxes of real people.

    python benchmarks/people.py [--data DIR] [--detectors movenet hog ...] [--recordings PETS ...] [--homes]

Prints, for each detector and recording, recall and precision of all detections at IoU 0.4, CPU milliseconds a picture
(thread time, one thread) and, for each tracker on these boxes, MOTA, IDF1 and HOTA (Bernardin, Stiefelhagen 2008;
Ristani et al. 2016; Luiten et al. 2021) at IoU 0.5, identity switches and the number of persons. `--homes` counts the
persons in each home clip, in which there is one, and the pictures without a detection. Recordings: PETS 2009 S2.L1 as
pictures of 768×576 and as the first 65 frames of a video of 480×360, seven and ten a second; a street at about one a
second. The thresholds of detectors and trackers were chosen with these recordings in view.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import supervision as sv
from scipy.optimize import linear_sum_assignment
from trackers.eval import evaluate_mot_sequence

from wtmr_core.datasets.video import decoded
from wtmr_core.tracking import detectors
from wtmr_core.tracking.boxes import mot_line, read_boxes, sightings
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.tracks import KINDS, Tracker

RECORDINGS = ("PETS", "vtest", "street")
Picture = tuple[int, float, np.ndarray]  # its number in the truth, from 0; seconds; (h, w, 3)
DETECTORS: dict[str, Callable[[], detectors.Detector]] = {
    "movenet": lambda: detectors.load("movenet"),
    "movenet 256": lambda: detectors.load("movenet", side=256),
    "movenet 384": lambda: detectors.load("movenet", side=384),
    "movenet 512": lambda: detectors.load("movenet", side=512),
    "hog": lambda: detectors.load("hog"),
    "haar body": lambda: detectors.load("haar", parts=("body",)),
    "haar": lambda: detectors.load("haar"),
    "motion": lambda: detectors.load("motion"),
    "published": lambda: detectors.load("published"),
}


@dataclass
class Recording:
    """Pictures, and the true boxes in some of them: number -> boxes with `tracker_id`."""

    name: str
    pictures: Callable[[], Iterator[Picture]]
    truth: dict[int, sv.Detections]


def recordings(data: Path) -> list[Recording]:
    """The recordings that have true boxes."""
    pets, block, video = (
        data / "pedestrians/PETS09-S2L1",
        data / "street/block1",
        data / "pedestrians/vtest_480x360.avi",
    )
    true = {folder: read_boxes(folder / "gt/gt.txt") for folder in (pets, block)}
    halved = read_boxes(pets / "gt/gt.txt")
    for people in halved.values():
        people.xyxy *= 0.625
    video = data / "pedestrians/vtest_480x360.avi"
    return [
        Recording("PETS", lambda: folder_of(pets, 7), true[pets]),
        Recording("vtest", lambda: islice(video_of(video), 65), halved),
        Recording("street", lambda: folder_of(block, 25), true[block]),
    ]


def folder_of(folder: Path, rate: float) -> Iterator[Picture]:
    """Read the pictures of a folder, numbered by frames at `rate` a second."""
    for path in sorted((folder / "img1").glob("*.jpg")):
        yield int(path.stem) - 1, int(path.stem) / rate, cv2.imread(str(path))


def video_of(path: Path) -> Iterator[Picture]:
    """Read the frames of a video, numbered from 0."""
    return ((number, seconds, frame) for number, (seconds, frame) in enumerate(decoded(path)))


def detected(detector: detectors.Detector, pictures: Iterator[Picture]) -> tuple[list, float]:
    """Detect people: rows of (number, seconds, detections), and the CPU milliseconds a picture."""
    rows, cpu = [], 0.0
    for number, seconds, picture in pictures:
        start = time.thread_time()
        people = detector(picture)
        cpu += time.thread_time() - start
        rows.append((number, seconds, people))
    return rows, 1000 * cpu / len(rows)


def recall_precision(rows: list, truth: dict[int, sv.Detections]) -> tuple[float, float]:
    """Recall and precision at IoU 0.4, over the pictures that have true boxes."""
    hits = true = count = 0
    for number, _, people in rows:
        if number in truth:
            overlap = sv.box_iou_batch(truth[number].xyxy, people.xyxy)
            overlap[overlap < 0.4] = 0
            hits += int((overlap[linear_sum_assignment(overlap, maximize=True)] > 0).sum())
            true, count = true + len(truth[number]), count + len(people)
    return hits / true, hits / max(count, 1)


def tracked(kind: str, rows: list) -> list[tuple[int, Sighting]]:
    """Track detections: (person, sighting) pairs."""
    tracker, persons = Tracker(kind), []
    for number, seconds, people in rows:
        persons += tracker.update(people, number, seconds)
    return persons + tracker.close()


def scores_of(truth: dict[int, sv.Detections], persons: list[tuple[int, Sighting]]) -> str:
    """MOTA, IDF1, HOTA, switches and number of persons, over the pictures that have true boxes."""
    number = {frame: n for n, frame in enumerate(truth)}
    true = [row for frame, people in truth.items() for row in sightings(people, frame, 0)]
    persons = [(person, sighting) for person, sighting in persons if sighting.frame in truth]
    if not persons:
        return "nobody"
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("true.txt", "tracked.txt")]
        for file, rows in zip(files, (true, persons), strict=True):
            numbered = [(n, Sighting(number[s.frame], 0, s.box, 1)) for n, s in rows]
            file.write_text("".join(mot_line(*row) + "\n" for row in numbered))
        score = evaluate_mot_sequence(*files, metrics=["CLEAR", "HOTA", "Identity"], threshold=0.5)
    shares = (score.CLEAR.MOTA, score.Identity.IDF1, score.HOTA.HOTA)
    return f"{'/'.join(f'{s:.2f}' for s in shares)} {score.CLEAR.IDSW:.0f} {len({n for n, _ in persons})}"


def homes(data: Path, name: str) -> None:
    """Print persons and empty pictures of each home clip, at ten pictures a second."""
    for path in sorted((data / "homes").glob("*/*.mp4")):
        rows, cpu = detected(DETECTORS[name](), islice(video_of(path), 0, None, 3))
        counts = " | ".join(str(len({person for person, _ in tracked(kind, rows)})) for kind in KINDS[:-1])
        empty = sum(not len(people) for *_, people in rows)
        print(f"{name} | {path.parent.name}/{path.stem} | {cpu:.0f} | {empty} of {len(rows)} | {counts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--recordings", nargs="+", choices=RECORDINGS, default=list(RECORDINGS))
    parser.add_argument("--homes", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.homes:
        print(f"detector | clip | ms | pictures without anybody | persons by {' | '.join(KINDS[:-1])}")
        for name in options.detectors:
            homes(options.data, name)
        return
    print(f"detector | recording | recall | precision | ms | {' | '.join(KINDS)}: MOTA/IDF1/HOTA switches persons")
    for recording in recordings(options.data):
        if recording.name not in options.recordings:
            continue
        for name in options.detectors:
            rows, cpu = detected(DETECTORS[name](), recording.pictures())
            kinds = KINDS[-1:] if name == "published" else KINDS[:-1]
            scores = [scores_of(recording.truth, tracked(kind, rows)) for kind in kinds]
            shares = "{:.2f} | {:.2f}".format(*recall_precision(rows, recording.truth))
            print(f"{name} | {recording.name} | {shares} | {cpu:.0f} | {' | '.join(scores)}", flush=True)


if __name__ == "__main__":
    main()
