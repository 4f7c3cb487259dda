"""Whether a person's crop tells what joints do not: a frozen backbone's features on the home clips, against `home`.

    python benchmarks/crops.py HOMES [--rate 2]

HOMES holds the clips of GMDCSA-24 and `episodes.csv`. Every figure is for what was left out of training: one of two
subjects, each in a room of their own, or one clip of a subject. Crops (`--rate` a second) go through MobileNetV2 with
ImageNet weights, of which nothing is trained, and logistic regression on the standardised features. Its C is 0.01, set
beforehand. Differences have intervals over clips, of which there are nine.

The first tables are of true episodes, with features and the probabilities of `home` averaged over each. An episode has
to be told by its own word, even where it overlaps another; a fall is 1.2 s of falling, then lying. `majority` is the
most frequent word in training, of equals the first in the alphabet.

The last table is the share of time right in the scorer's five classes. Probabilities of crops and joints are mixed and
smoothed into episodes as `track` does. The crops' weight w is chosen on the training subject, whose clips are judged
each by a regression on the others; of equals the smallest. `best` is chosen on the left-out subject itself: a bound.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd
import torch
from einops import rearrange
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from wtmr_core.classifier import Classifier
from wtmr_core.datasets.augment import RGB
from wtmr_core.datasets.stream import Stream
from wtmr_core.intervals import compare
from wtmr_core.models.backbones import Backbone
from wtmr_core.tracking import detectors
from wtmr_core.tracking.activity import crop
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.person import Person
from wtmr_core.tracking.poses import RATE
from wtmr_core.tracking.score import PART_OF
from wtmr_core.tracking.score import RATE as SCORED
from wtmr_core.tracking.sightings import Followed
from wtmr_core.tracking.track import HOME
from wtmr_core.tracking.tracks import Tracker
from wtmr_core.tracking.truth import Span, read_truth

SIDE = 224  # of a crop, in pixels
C = 0.01
FIVE = ("walking", "standing", "sitting", "lying", "falling")
NO_POSTURE = ("reading", "eating")  # which the scorer leaves out
WEIGHTS = np.linspace(0, 1, 11)


@dataclass
class Watched:
    """A clip: its truth, its person with the probabilities of `home` at `times` (n, 8), and features of the crops at
    `moments` (c, d)."""

    name: str
    seconds: float
    postures: list[Span]  # of the five classes
    words: list[Span]  # these, reading and eating
    person: Person
    times: np.ndarray
    joints: np.ndarray
    moments: np.ndarray
    features: np.ndarray

    @property
    def subject(self) -> str:
        return self.name.split("/")[0]

    def labels(self, times: np.ndarray) -> list[set[str]]:
        """Those of the five classes that are right at each time."""
        return [{span.activity for span in self.postures if span.start <= t < span.end} for t in times]


@dataclass
class Crops:
    """Features of people in pictures: MobileNetV2's last map, averaged."""

    backbone: Backbone

    @torch.inference_mode()
    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        pictures = [cv2.resize(c, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1] / 255.0 for c in crops]
        mean, deviation = np.array(RGB)
        batch = rearrange((np.stack(pictures) - mean) / deviation, "b h w c -> b c h w")
        return self.backbone(torch.from_numpy(batch).float()).mean(dim=(2, 3)).numpy()


def watched(homes: Path, rate: float) -> list[Watched]:
    """Follow the person in each clip, as `track` does, and cut out `rate` crops a second."""
    classifier = Classifier.load(HOME, "cpu")
    crops = Crops(Backbone("mobilenetv2_100", 32, weights="package", frozen=32).eval())
    truths, table, clips = read_truth(homes / "episodes.csv"), pd.read_csv(homes / "episodes.csv"), []
    for name, truth in truths.items():
        people, persons, pictures = Followed(detectors.load("movenet"), Tracker()), {}, {}
        with Stream(homes / name, most=RATE) as stream:
            for frame in stream:
                if frame.seconds * rate >= len(pictures) - 1e-6 * rate:
                    pictures[frame.seconds] = frame.picture
                seen(persons, people(frame), classifier)
        seen(persons, people.rest(), classifier)
        person = max(persons.values(), key=lambda person: len(person.seconds))
        person.news()
        shown = {t: (picture, box) for t, picture in pictures.items() if (box := person.box_at(t)) is not None}
        postures = truth.people[""].spans
        rows = table[(table["clip"] == name) & table.activity.str.lower().isin(NO_POSTURE)]
        words = postures + [Span(row.activity.lower(), row.start_s, row.end_s) for row in rows.itertuples()]
        features = crops([crop(picture, box) for picture, box in shown.values()])
        steps = person.probabilities()
        clips.append(Watched(name, truth.seconds, postures, words, person, *steps, np.array([*shown]), features))
    return clips


def seen(persons: dict[int, Person], sightings: list[tuple[int, Sighting]], classifier: Classifier) -> None:
    """Add sightings to their persons, by id, who judge them by joints alone."""
    for number, sighting in sightings:
        persons.setdefault(number, Person(classifier)).add(sighting, None)


def regression(features: np.ndarray, labels: Sequence[str]) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=2000)).fit(features, labels)


def left_out(clips: Sequence[Watched], kind: str) -> Iterator[tuple[list[Watched], list[Watched]]]:
    """Clips to train on and clips to test on: for every subject, or for every clip within its subject."""
    if kind == "subject":
        for subject in sorted({clip.subject for clip in clips}):
            yield [c for c in clips if c.subject != subject], [c for c in clips if c.subject == subject]
    else:
        for clip in clips:
            yield [c for c in clips if c.subject == clip.subject and c is not clip], [clip]


def difference(first: Sequence[bool], second: Sequence[bool], groups: Sequence[str]) -> str:
    """The difference of two shares that are right, and its 95 % interval over groups."""
    one, other = (np.column_stack([right, ~np.array(right)]) for right in (first, second))
    found = compare(np.zeros(len(one), int), one, other, groups)
    return f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}], p {found.p:.2f}"


# -- episodes


def during(times: np.ndarray, rows: np.ndarray, span: Span) -> np.ndarray:
    """The mean row within a span, or the row nearest its middle where none is within it."""
    inside = (times >= span.start) & (times < span.end)
    return rows[inside].mean(axis=0) if inside.any() else rows[np.abs(times - (span.start + span.end) / 2).argmin()]


def episodes(clips: Sequence[Watched], classes: Sequence[str]) -> pd.DataFrame:
    rows = [
        {"clip": clip.name, "subject": clip.subject, "true": span.activity,
         "features": during(clip.moments, clip.features, span),
         "joints": FIVE[five(during(clip.times, clip.joints, span), classes).argmax()]}
        for clip in clips for span in clip.words
    ]  # fmt: skip
    return pd.DataFrame(rows)


def five(rows: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Probabilities of the classes of `home` (..., 8) to those of `FIVE`."""
    member = np.array([[PART_OF.get(name, name) == one for one in FIVE] for name in classes])
    return rows @ member


def of_episodes(table: pd.DataFrame, clips: Sequence[Watched], kind: str) -> pd.DataFrame:
    """What is said of each episode that was left out: by crops, by the majority in training, and by joints."""
    parts = []
    for train, test in left_out(clips, kind):
        known = table[table["clip"].isin([c.name for c in train])]
        part = table[table["clip"].isin([c.name for c in test])].copy()
        part["majority"] = known.true.mode()[0]
        part["crops"] = regression(np.stack(known.features), known.true).predict(np.stack(part.features))
        part["seen"] = part.true.isin(known.true)
        parts.append(part)
    return pd.concat(parts)


# -- time


def probabilities(train: Sequence[Watched], clip: Watched) -> np.ndarray:
    """The crops' probabilities of the five classes at the steps of a clip, from crops of others with a single label."""
    labels = [label for other in train for label in other.labels(other.moments)]
    single = np.array([len(label) == 1 for label in labels])
    features = np.concatenate([other.features for other in train])[single]
    model = regression(features, [next(iter(label)) for label in labels if len(label) == 1])
    found = np.zeros((len(clip.moments), len(FIVE)))
    found[:, [FIVE.index(name) for name in model.classes_]] = model.predict_proba(clip.features)
    return np.column_stack([np.interp(clip.times, clip.moments, column) for column in found.T])


def right(clip: Watched, crops: np.ndarray, w: float, classes: Sequence[str]) -> np.ndarray:
    """Whether each step that has a truth is right, with the crops' share `w`, as the scorer counts."""
    group = [FIVE.index(PART_OF.get(name, name)) for name in classes]
    joints = clip.joints + 1e-6  # so that a class that joints rule out can be divided, too
    mixed = (1 - w) * five(joints, classes) + w * crops
    mixed = mixed[:, group] * joints / five(joints, classes)[:, group]
    mixed /= mixed.sum(axis=1, keepdims=True)
    with patch.object(clip.person, "probabilities", return_value=(clip.times, mixed)):
        found = clip.person.episodes()
    steps = np.arange(int(clip.seconds * SCORED)) / SCORED
    said = [next((PART_OF.get(e.activity, e.activity) for e in found if e.start <= t < e.end), None) for t in steps]
    return np.array([answer in true for answer, true in zip(said, clip.labels(steps), strict=True) if true])


def of_time(clips: Sequence[Watched], classes: Sequence[str]) -> None:
    """Print the share of time right by left-out subject, and the difference that the crops' voice makes."""
    rows, with_crops, alone, groups = [], [], [], []
    for train, test in left_out(clips, "subject"):
        inner = [(clip, probabilities(others, clip)) for others, (clip,) in left_out(train, "clip")]
        outer = [(clip, probabilities(train, clip)) for clip in test]
        before, after = (
            [np.concatenate([right(*pair, w, classes) for pair in pairs]).mean() for w in WEIGHTS]
            for pairs in (inner, outer)
        )
        chosen, best = int(np.argmax(before)), int(np.argmax(after))
        w = WEIGHTS[chosen]
        rows.append(
            {"left out": test[0].subject, "joints": after[0], "crops": after[-1], "w": w, "mixed": after[chosen],
             "best": after[best], "w of best": WEIGHTS[best],
             "training, joints": before[0], "training, mixed": before[chosen]}
        )  # fmt: skip
        for pair in outer:
            with_crops.append(right(*pair, w, classes))
            alone.append(right(*pair, 0, classes))
            groups += [pair[0].name] * len(alone[-1])
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    first, second = np.concatenate(with_crops), np.concatenate(alone)
    print(f"both: joints {second.mean():.3f}, mixed {first.mean():.3f}, {difference(first, second, groups)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("homes", type=Path, help="the folder of the clips and episodes.csv")
    parser.add_argument("--rate", type=float, default=2, help="crops a second")
    options = parser.parse_args()
    torch.set_num_threads(1)
    classes = Classifier.load(HOME, "cpu").classes
    clips = watched(options.homes, options.rate)
    print(f"{sum(len(clip.moments) for clip in clips)} crops of {len(clips)} clips")
    table = episodes(clips, classes)
    print(pd.crosstab(table.true, table.subject).to_string(), end="\n\n")
    for kind in ("subject", "clip"):
        found = of_episodes(table, clips, kind)
        print(f"one {kind} left out: {len(found)} episodes, {found.seen.sum()} of a class that training holds")
        shares = {name: found[name] == found.true for name in ("crops", "majority", "joints")}
        print("  right: " + ", ".join(f"{name} {share.mean():.3f}" for name, share in shares.items()))
        for other in ("majority", "joints"):
            print(f"  crops - {other}: {difference(shares['crops'], shares[other], found['clip'])}")
        print(
            found.groupby(["true", "subject"])[["crops", "joints"]].agg(lambda s: ", ".join(s)).to_string(), end="\n\n"
        )
    of_time(clips, classes)


if __name__ == "__main__":
    main()
