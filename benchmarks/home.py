"""Accuracy of networks of the `home` set on held-out people, in windows and in whole recordings.

    python benchmarks/home.py RUN [RUN ...] [--recordings DIR] [--scenes N]

prints for each run: parameters; accuracy on the test windows (synthetic scenes, UTKinect's two test performers,
J-HMDB's test clips); and results of whole recordings smoothed into episodes. These are, for N new scenes with new
bodies, the share of time that is right, in five and in three classes, falls found (from 1.0 s before to 2.5 s after
their start) and false falls; and for UTKinect, in which nobody falls, false falls per hour of training and of test
performers. All poses are projected, with the errors of pose estimators; see `wtmr_core.tracking.training_set`.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wtmr_core import Classifier, runs
from wtmr_core.tracking import training_set
from wtmr_core.tracking.episodes import smooth
from wtmr_core.tracking.poses import RATE, skeleton, windows

SEED = 1_000_000  # not among the seeds of the set
THREE = {"walking": "upright", "standing": "upright", "standing up": "upright", "bending": "upright",
         "sitting": "sitting", "sitting down": "sitting", "lying": "down", "falling": "down"}  # fmt: skip
FIVE = {"standing up": "standing", "bending": "standing", "sitting down": "sitting"}


def episodes_of(classifier: Classifier, sequence: training_set.Sequence, seed: int) -> tuple[list, np.ndarray]:
    """Find the episodes of a sequence; return them and whether most of the body is in each frame (t,)."""
    points, inside = training_set.observed(sequence, np.random.default_rng(seed))
    times = np.arange(len(points)) / RATE
    probabilities = classifier.of_clips(windows(skeleton(points))[:, :, None])
    return smooth(times[inside], probabilities[inside], classifier.classes), inside


def labels_at(episodes: list, times: np.ndarray) -> list[str]:
    """The activity at each time, "" outside episodes."""
    return [next((e.activity for e in episodes if e.start <= t < e.end), "") for t in times]


def scenes(classifier: Classifier, count: int) -> Counter:
    """Count right steps, falls found and false falls in new scenes."""
    total = Counter()
    for number, sequence in enumerate(training_set.synthetic(SEED, count)):
        episodes, inside = episodes_of(classifier, sequence, SEED + number)
        times = np.arange(len(inside))[inside] / RATE
        true = sequence.activities[inside]
        for name, label in zip(labels_at(episodes, times), true, strict=True):
            total["steps"] += 1
            total["five"] += FIVE.get(name, name) == FIVE.get(str(label), str(label))
            total["three"] += THREE.get(name) == THREE[str(label)]
        falls = [t for t, now, before in zip(times[1:], true[1:], true, strict=False) if now == "falling" != before]
        starts = [e.start for e in episodes if e.activity == "falling"]
        total["falls"] += len(falls)
        total["found"] += sum(any(-1 <= s - fall <= 2.5 for s in starts) for fall in falls)
        total["false"] += sum(not any(-1 <= s - fall <= 4 for fall in falls) for s in starts)
    return total


def false_falls(classifier: Classifier, recordings: Path) -> Counter:
    """Count falls and seconds in UTKinect's recordings, seen by six cameras, for test and training performers."""
    total = Counter()
    for number, sequence in enumerate(training_set.kinect(recordings / "utkinect")):
        for view in range(6):
            episodes, inside = episodes_of(classifier, sequence, SEED + 6 * number + view)
            total["seconds", sequence.test] += inside.sum() / RATE
            total["falls", sequence.test] += sum(e.activity == "falling" for e in episodes)
    return total


def row(folder: Path, recordings: Path | None, count: int) -> dict:
    """The results of a run, by name."""
    classifier, run = Classifier.load(folder, "cpu"), runs.load(folder)
    right = run.logits.argmax(1) == run.labels
    source = np.array([group.split("_")[0] for group in run.groups])
    of_scenes = scenes(classifier, count)
    results = {
        "model": run.settings["model"],
        "seed": run.settings["seed"],
        "parameters": sum(p.numel() for p in classifier.network.parameters()),
        "minutes": run.metrics["seconds"] / 60,
        **{f"windows, {name}": right[source == name].mean() for name in ("scene", "kinect", "film") if name in source},
        "five": of_scenes["five"] / of_scenes["steps"],
        "three": of_scenes["three"] / of_scenes["steps"],
        "falls": f"{of_scenes['found']} of {of_scenes['falls']}",
        "false": f"{of_scenes['false']} in {of_scenes['steps'] / RATE / 3600:.1f} h",
    }
    if recordings is not None:
        falls = false_falls(classifier, recordings)
        for test, name in ((True, "left out"), (False, "trained on")):
            hours = falls["seconds", test] / 3600
            results[f"kinect, {name}"] = f"{falls['falls', test]} in {hours:.2f} h"
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--recordings", type=Path, help="the folder that holds utkinect")
    parser.add_argument("--scenes", type=int, default=300, help="number of new scenes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.DataFrame([row(folder, options.recordings, options.scenes) for folder in options.runs])
    print(table.round(3).T.to_string(header=False))


if __name__ == "__main__":
    main()
