"""What it gives to bring together, by their looks, people who left and came back or whom the tracker exchanged.

    python benchmarks/returns.py [--data DIR] [--homes N]

PETS 2009 S2.L1, a street at one picture a second, nine home clips and N miniature homes, with MoveNet and the tracker
of `wtmr track`: numbers given by the tracker and afterwards; where there are true boxes, IDF1 and switches at IoU 0.5.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from trackers.eval import evaluate_mot_sequence

from wtmr_core.classifier import Classifier
from wtmr_core.datasets.stream import Stream
from wtmr_core.miniature import sets
from wtmr_core.tracking import detectors
from wtmr_core.tracking.appearance import Appearances
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.person import Person
from wtmr_core.tracking.poses import RATE
from wtmr_core.tracking.reunion import Reunion
from wtmr_core.tracking.track import DELAY, HOME
from wtmr_core.tracking.tracks import Tracker

Found = list[tuple[int, Sighting]]


def tracked(video: Path, fps: float | None) -> tuple[Found, Reunion]:
    """All sightings with the tracker's numbers, and who they are."""
    detector, tracker, seen = detectors.load("movenet"), Tracker(), Appearances()
    classifier, persons, found, waiting = Classifier.load(HOME), {}, [], []

    def look(until: float) -> None:
        while waiting and waiting[0].seconds <= until:
            frame = waiting.pop(0)
            seen.add(frame.picture, frame.seconds, {n: s for n, s in found[-500:] if s.frame == frame.number})

    with Stream(video, fps=fps, most=RATE) as stream:
        for frame in stream:
            waiting.append(frame)
            found += tracker.update(detector(frame.picture), frame.number, frame.seconds)
            look(frame.seconds - DELAY)
    found += tracker.close()
    look(np.inf)
    for number, sighting in found:
        persons.setdefault(number, Person(classifier)).add(sighting, None)
    return found, Reunion(persons, seen)


def identities(rows: Iterator[tuple[int, Sighting]], truth: Path, folder: Path) -> str:
    """IDF1 and switches of numbered sightings."""
    lines = [(s.frame + 1, n, *s.box[:2], *(s.box[2:] - s.box[:2]), 1, 1, -1, -1) for n, s in rows]
    true = np.loadtxt(truth, delimiter=",", ndmin=2)
    true = true[np.isin(true[:, 0], [line[0] for line in lines])]
    true[:, 6:8] = 1
    paths = folder / "true.txt", folder / "found.txt"
    for path, table in zip(paths, (true, sorted(lines)), strict=True):
        np.savetxt(path, table, delimiter=",", fmt="%g")
    result = evaluate_mot_sequence(*paths, metrics=["Identity", "CLEAR"], threshold=0.5)
    return f"{result.Identity.IDF1:.3f}, {result.CLEAR.IDSW} switches"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--homes", type=int, default=3, help="number of miniature homes: seeds 0, 201, 202 and so on")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pets, block = options.data / "pedestrians/PETS09-S2L1", options.data / "street/block1"
    with tempfile.TemporaryDirectory() as place:
        seeds = (0, *range(201, 201 + options.homes))[: options.homes]
        homes = [sets.make_home(Path(place, str(seed)), seed) for seed in seeds]
        recordings = [(pets / "img1", pets / "gt/gt.txt", 7), (block / "img1", block / "gt/gt.txt", 1)]
        recordings += [(home / "home.mp4", home / "truth/tracks.txt", None) for home in homes]
        recordings += [(path, None, None) for path in sorted((options.data / "homes").glob("*/*.mp4"))]
        for video, truth, fps in recordings:
            found, reunion = tracked(video, fps)
            before = len({number for number, _ in found})
            print(f"{video} | {before} numbers, then {len(reunion.persons)}", end="", flush=True)
            if truth:
                after = [(reunion.in_frame(number, s.frame), s) for number, s in found]
                told = [identities(rows, truth, Path(place)) for rows in (found, after)]
                print(f" | IDF1 {told[0]}, then {told[1]}", end="")
            print(flush=True)


if __name__ == "__main__":
    main()
