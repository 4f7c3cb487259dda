"""What adapting to one person gains, and what the others lose, by episodes an activity.

    python benchmarks/adapt.py [--sets miniature kinect homes] [--recordings DIR] [--homes N] [--seeds N] [--out DIR]

Prints a column for each set and number of labelled episodes an activity: people; episodes each; mean share of the time
right in an episode not adapted to, of the old head and of the adapted one; the gain in points with a 95 % interval
(percentiles of a bootstrap over people and, in each, episodes: before and after are paired); how many people `adapt`
did not refuse, and the gain as it delivers it, the old head where it refused; and the change, of heads refused or not,
on other people in the same room and in other rooms, and on the activities that were not labelled, of all people.

- miniature: people of the miniature home (`wtmr_core.miniature.home`), twelve minutes each, at a camera of their own
  room, poses with the errors of a pose estimator, judged by the shipped `home` model, which has seen none of it. The
  first six minutes are labelled, the others tested. `slow` are the same people, bent and at two thirds of their pace.
- kinect: UTKinect's five people, two recordings of each of ten actions. The plain CNN is trained on the others, all
  four or two of them (the recipe of experiments/home.yaml, 100 epochs of batches of 16), adapted by one recording an
  action and tested on the other, both ways round; there is no third. With both, each is held back in turn.
- homes: GMDCSA-24's subjects, all episodes of all clips but one, each held back in turn; then a head of one subject on
  the other.

With one episode an activity none can be held back, so `adapt` refuses; the head is then fitted with the penalty 0.1.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch

from wtmr_core import Classifier, data, training
from wtmr_core.miniature import home
from wtmr_core.miniature.acts import act
from wtmr_core.miniature.body import random_person
from wtmr_core.settings import Settings
from wtmr_core.tracking import adaptation, labels, truth
from wtmr_core.tracking.adapt import head_of
from wtmr_core.tracking.adaptation import Example, Head
from wtmr_core.tracking.poses import RATE, skeleton, windows
from wtmr_core.tracking.track import HOME, track
from wtmr_core.tracking.training_set import faulty

COUNTS = (1, 3, 10)
MIDDLE = 0.1  # the penalty where none can be chosen
MINUTES = 12
SEED = 20_000


@dataclass
class Result:
    """What came out for one person: per episode before and after, and means of the change elsewhere."""

    before: list[float]
    after: list[float]
    episodes: int
    refused: bool
    elsewhere: dict[str, list[float]] = field(default_factory=dict)


def shares(head: Head, examples: Iterable[Example]) -> list[float]:
    return [example.share(head) for example in examples]


def changes(old: Head, new: Head, examples: Sequence[Example]) -> list[float]:
    return [example.share(new) - example.share(old) for example in examples]


def adapted(head: Head, examples: Sequence[Example]) -> tuple[Head, bool]:
    """The head fitted to a person, and whether `adapt` would refuse it."""
    try:
        adaptation.check(examples)
    except adaptation.Refused:
        return adaptation.fit(head, examples, MIDDLE), True
    judged = adaptation.held_back(head, examples)
    return judged.head, not (judged.gain > 0 and judged.chance <= adaptation.CHANCE)


def row(name: str, count: int | str, results: Sequence[Result]) -> dict:
    """A row of the table."""
    rng = np.random.default_rng(0)
    gains = [np.subtract(r.after, r.before) for r in results]

    def interval(gains: list[np.ndarray]) -> str:
        means = []
        for _ in range(2000):
            people = rng.integers(len(gains), size=len(gains))
            means.append(np.mean([rng.choice(gains[p], len(gains[p])).mean() for p in people]))
        low, high = 100 * np.quantile(means, (0.025, 0.975))
        return f"{100 * np.mean([g.mean() for g in gains]):+.1f} ({low:+.1f} to {high:+.1f})"

    elsewhere = defaultdict(list)
    for result in results:
        for where, change in result.elsewhere.items():
            if change:
                elsewhere[where].append(np.array(change))
    return {
        "set": name,
        "an activity": count,
        "people": len(results),
        "episodes": f"{np.mean([r.episodes for r in results]):.0f}",
        "before": f"{100 * np.mean([np.mean(r.before) for r in results]):.1f}",
        "after": f"{100 * np.mean([np.mean(r.after) for r in results]):.1f}",
        "gain": interval(gains),
        "not refused": f"{sum(not r.refused for r in results)} of {len(results)}",
        "delivered": interval([g * (not r.refused) for g, r in zip(gains, results, strict=True)]),
        **{where: interval(change) for where, change in elsewhere.items()},
    }


def drawn(examples: Sequence[Example], count: int, rng: np.random.Generator) -> list[Example]:
    """Up to `count` examples of each activity."""
    chosen: dict[int, list[Example]] = defaultdict(list)
    for n in rng.permutation(len(examples)):
        if len(chosen[examples[n].activity]) < count:
            chosen[examples[n].activity].append(examples[n])
    return [example for number in sorted(chosen) for example in chosen[number]]


# -- people of the miniature home


def minutes(classifier: Classifier, number: int, slow: bool) -> list[list[list[Example]]]:
    """The episodes of the three people of a home: person -> minute -> episodes."""
    rng = np.random.default_rng([SEED, number])
    house, people = home.random_home(rng), [random_person(rng) for _ in range(3)]
    if slow:
        people = [replace(p, stoop=p.stoop + 0.35, tempo=p.tempo * 2 / 3, vigour=p.vigour * 0.7) for p in people]
    days: list[list[list[Example]]] = [[], [], []]
    for minute in range(MINUTES):
        rng = np.random.default_rng([SEED, number, minute])
        for days_of, script in zip(days, home.scripts(people, house.side, rng), strict=True):
            times = np.arange(0, script.seconds, 1 / RATE)
            points = home.coco(act(script.person, script.acts, times, rng), script.person, house.camera)
            trunk = np.linalg.norm(points[:, 5:7].mean(1) - points[:, 11:13].mean(1), axis=-1)
            clips = windows(skeleton(faulty(points / (2 * np.quantile(trunk, 0.8)), rng)))
            features = classifier.features_of_clips(clips[:, :, None])
            episodes, start = [], 0.0
            for name, seconds in merged(script.acts[1:]):
                during = (times >= start) & (times < start + seconds)
                if during.any():
                    episodes.append(Example(classifier.classes.index(name), features[during]))
                start += seconds
            days_of.append(episodes)
    return days


def merged(acts: Sequence) -> Iterator[tuple[str, float]]:
    """Activities one after another and their seconds."""
    last, total = acts[0].activity, 0.0
    for step in acts:
        if step.activity != last:
            yield last, total
            last, total = step.activity, 0.0
        total += step.seconds
    yield last, total


def of_miniature(homes: int) -> Iterator[dict]:
    classifier = Classifier.load(HOME, "cpu")
    head, half = head_of(classifier), MINUTES // 2
    for slow in (False, True):
        seen = [minutes(classifier, number, slow) for number in range(homes)]
        for count in COUNTS:
            results, rng = [], np.random.default_rng([SEED, count])
            for h, people in enumerate(seen):
                for p, person in enumerate(people):
                    labelled = drawn([e for minute in person[:half] for e in minute], count, rng)
                    known = {e.activity for e in labelled}
                    later = [e for minute in person[half:] for e in minute]
                    room = [e for q, other in enumerate(people) if q != p for m in other[half:] for e in m]
                    rooms = [e for other in seen[(h + 1) % homes] for m in other[half:] for e in m]
                    new, refused = adapted(head, labelled)
                    elsewhere = {
                        "others, same room": changes(head, new, [e for e in room if e.activity in known]),
                        "others elsewhere": changes(head, new, [e for e in rooms if e.activity in known]),
                        "not labelled": changes(head, new, [e for e in room + rooms if e.activity not in known]),
                    }
                    results.append(Result(shares(head, later), shares(new, later), len(labelled), refused, elsewhere))
            yield row("miniature, slow" if slow else "miniature", count, results)


# -- UTKinect


def parts(recordings: Path, person: int, others: Sequence[int], root: Path) -> Path:
    """A set of class folders in which a person is the test part and the others train."""
    classes = (recordings / "classes.txt").read_text(encoding="utf-8").split()
    for file in sorted((recordings / "nturgb+d_skeletons").glob("*.skeleton")):
        number, action = int(file.stem[9:12]), classes[int(file.stem[17:20]) - 1]
        if number == person or number in others:
            folder = root / ("test" if number == person else "train") / action
            folder.mkdir(parents=True, exist_ok=True)
            link = folder / f"P{number:03}-{file.stem[12:16]}.skeleton"
            link.unlink(missing_ok=True)  # of an earlier call
            link.symlink_to(file.resolve())
    return root


def of_kinect(recordings: Path, seeds: int, work: Path) -> Iterator[dict]:
    people = (1, 2, 4, 5, 8)
    recipe = {
        "dataset": "skeletons", "model": "temporal", "scale": "full", "protocol": "corrected", "threads": 1,
        "split": "folders", "val_fraction": 0, "frames": 16, "stored_frames": 16, "normalise_joints": True,
        "batch_size": 16, "ema_decay": 0.99, "weight_decay": 0.05, "rotate": 20, "tilt": 10, "zoom": 0.1,
        "joint_noise": 0.02, "joint_dropout": 0.02, "width": 96, "depth": 4, "lr": 2e-3, "dropout": 0.3, "epochs": 100,
        "warmup_epochs": 5,
    }  # fmt: skip
    for many in (4, 2):
        single, both = [], []
        for place, person in enumerate(people):
            others = [people[(place + 1 + n) % 5] for n in range(many)]
            root = parts(recordings, person, others, work / "sets" / f"{person}-of-{many}")
            for seed in range(seeds):
                settings = Settings.of(recipe | {"seed": seed})
                run = training.run(settings, work / "results" / f"{person}-of-{many}", root)
                classifier, clips = Classifier.load(run, "cpu"), data.prepare_clips(settings, root)
                samples, head = clips.cache.index.samples, head_of(classifier)
                features = classifier.features_of_clips(np.array(clips.cache.clips))

                def examples(part: str, take: str = "", clips=clips, samples=samples, features=features):
                    chosen = [n for n in clips.parts[part] if take in samples.name.iloc[n]]
                    return [Example(int(clips.labels[n]), features[[n]]) for n in chosen]

                takes = [examples("test", "R001"), examples("test", "R002")]
                for mine, held in (takes, takes[::-1]):
                    new, refused = adapted(head, mine)
                    known = {"others, trained on": changes(head, new, examples("train"))}
                    single.append(Result(shares(head, held), shares(new, held), len(mine), refused, known))
                mine = takes[0] + takes[1]
                judged = adaptation.held_back(head, mine)
                refused = not (judged.gain > 0 and judged.chance <= adaptation.CHANCE)
                known = {"others, trained on": changes(head, judged.head, examples("train"))}
                both.append(Result(judged.before.tolist(), judged.after.tolist(), len(mine), refused, known))
        yield row(f"kinect, trained on {many}", 1, single)
        yield row(f"kinect, trained on {many}", "2, held back", both)


# -- homes


def of_homes(folder: Path, work: Path) -> Iterator[dict]:
    classifier = Classifier.load(HOME, "cpu")
    head, found = head_of(classifier), defaultdict(list)
    for name, clip in truth.read_truth(folder).items():
        log = work / "logs" / Path(name).with_suffix("")
        track(folder / name, log)
        rows = [labels.Label(name, "", s.activity, s.start, s.end) for s in clip.people[""].spans if s.end > s.start]
        for episode in labels.find(classifier, log, sorted(rows, key=lambda r: r.start), folder / name):
            if len(episode.features):
                number = classifier.classes.index(episode.label.activity)
                found[name.split("/")[0]].append(Example(number, episode.features))
    for subject, examples in found.items():
        judged = adaptation.held_back(head, examples)
        refused = not (judged.gain > 0 and judged.chance <= adaptation.CHANCE)
        other = [e for name, others in found.items() if name != subject for e in others]
        elsewhere = {"others elsewhere": changes(head, judged.head, other)}
        result = Result(judged.before.tolist(), judged.after.tolist(), len(examples), refused, elsewhere)
        yield row(f"homes, {subject}", "all, held back", [result])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=["miniature", "kinect", "homes"], help="by default all at hand")
    parser.add_argument("--recordings", type=Path, help="the folder that holds utkinect and homes")
    parser.add_argument("--homes", type=int, default=6, help="miniature homes, of three people each")
    parser.add_argument("--seeds", type=int, default=3, help="trainings for each of UTKinect's people")
    parser.add_argument("--out", type=Path, help="folder for trainings and logs; by default a temporary one")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sets = options.sets or ["miniature", *(["kinect", "homes"] if options.recordings else [])]
    with ExitStack() as stack:
        work = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["WTMR_CACHE"] = str(work / "cache")
        rows = []
        if "miniature" in sets:
            rows += of_miniature(options.homes)
        if "kinect" in sets:
            rows += of_kinect(options.recordings / "utkinect", options.seeds, work)
        if "homes" in sets:
            rows += of_homes(options.recordings / "homes", work)
    print(pd.DataFrame(rows).fillna("").T.to_string(header=False))


if __name__ == "__main__":
    main()
