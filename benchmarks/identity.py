"""Who is recognised by their looks: which part of them tells, and how many are right, wrong and unknown.

    python benchmarks/identity.py [--data DIR] [--homes N] [--chain]

`looks`: the sightings of each person are cut in two by time (people of the miniature home where they were away, if they
were), and each half is compared with the other halves of all: AUC of the same person against others / rank 1 / share of
the same persons above the similarity that 1 % of the others reach. This for each part of the looks: colours, which are
used, and what was tried beside them, features of the upper body from a backbone (the extra `pretrained`) and stature.
`gaps`: the same for single pictures of PETS, by the number of frames between them. `households`: three known people and
a stranger drawn at random from a recording, 2,000 times, at the thresholds of `identity.py`. `homes`: each pair of home
clips of two subjects, one of whom wears other clothes in one clip. `--chain`: `wtmr track` on miniature homes with and
without a gallery, then on second videos of the same people in the same clothes, in others, and all in the same ones.

Recordings: PETS 2009 S2.L1 (6 people) and a street at about one picture a second, with true boxes and MoveNet's joints;
nine home clips, as tracked; N miniature homes with new people each. The thresholds were chosen on the street.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from itertools import combinations, islice
from operator import add
from pathlib import Path
from shutil import copyfile
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import supervision as sv
import torch
from sklearn.metrics import roc_auc_score
from trackers.eval import evaluate_mot_sequence

from wtmr_core.datasets.video import decoded
from wtmr_core.miniature import home, sets
from wtmr_core.models.backbones import PACKAGE, Backbone
from wtmr_core.tracking import detectors, track
from wtmr_core.tracking.appearance import ANKLES, SEEN, Appearance, _common, described, part
from wtmr_core.tracking.boxes import read_boxes, sightings, with_joints
from wtmr_core.tracking.gallery import Gallery
from wtmr_core.tracking.identity import likeness, recognised
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.score import score
from wtmr_core.tracking.tracks import Tracker

Frame = tuple[int, float, np.ndarray, dict[int, Sighting]]  # number, seconds, picture, people
Row = tuple[int, int, float, Appearance, Sighting, np.ndarray]  # number of the frame, person, seconds, looks, features
Half = tuple[Appearance, np.ndarray, float]  # looks, features (c,) and stature of a person in half of the sightings
CHEST = (0.10, 0.55, 0.0, 1.0)  # of the box: top, bottom, left, right
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, RGB
GAPS = ((1, 9), (10, 19), (20, 70))


def true(pictures: Iterator[tuple[int, float, np.ndarray]], boxes: Path) -> Iterator[Frame]:
    """Pictures with true boxes, and the joints that MoveNet finds in them."""
    poses, people = detectors.poses(), read_boxes(boxes)
    for number, seconds, picture in pictures:
        if number in people:
            yield (
                number,
                seconds,
                picture,
                dict(sightings(with_joints(people[number], poses(picture)), number, seconds)),
            )


def pictures(folder: Path, rate: float) -> Iterator[tuple[int, float, np.ndarray]]:
    for path in sorted((folder / "img1").glob("*.jpg")):
        yield int(path.stem) - 1, int(path.stem) / rate, cv2.imread(str(path))


def video(path: Path, step: int) -> Iterator[tuple[int, float, np.ndarray]]:
    return ((n, *frame) for n, frame in islice(enumerate(decoded(path)), 0, None, step))


def tracked(path: Path) -> Iterator[Frame]:
    """A short video with its people as they are tracked, ten frames a second."""
    detector, tracker, frames, found = detectors.load("movenet"), Tracker(), {}, []
    for number, seconds, picture in video(path, 3):
        frames[number] = seconds, picture
        found += tracker.update(detector(picture), number, seconds)
    people: dict[int, dict[int, Sighting]] = {}
    for person, sighting in found + tracker.close():
        people.setdefault(sighting.frame, {})[person] = sighting
    return ((number, *frames[number], people[number]) for number in sorted(people))


class Features:
    """The means over a picture of the channels of a backbone, of length 1; zeros where it is not installed."""

    def __init__(self) -> None:
        try:
            self._network = Backbone("mobilenetv2_100", 32, weights=PACKAGE).eval()
        except FileNotFoundError:
            self._network = None

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Features (c,) of a picture (h, w, 3) BGR uint8."""
        if self._network is None:
            return np.zeros(1)
        rgb = (cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)[..., ::-1] / 255 - MEAN) / DEVIATION
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None])
        row = maps.mean(dim=(0, 2, 3)).numpy()
        return row / np.linalg.norm(row)


def rows(frames: Iterator[Frame], features: Features) -> list[Row]:
    """The looks of everybody who shows clearly."""
    return [
        (number, person, seconds, looks, people[person], features(part(picture, people[person].box, CHEST)))
        for number, seconds, picture, people in frames
        for person, looks in described(picture, people).items()
    ]


def halves(found: list[Row], away: float = 5.0) -> dict[int, tuple[Half, Half]]:
    """Person -> both halves of the sightings, parted where the person was away for long."""
    statures, people = stature(found), {}
    for person in sorted({row[1] for row in found}):
        mine = [n for n, row in enumerate(found) if row[1] == person]
        joints = [n for n in mine if found[n][4].joints is not None]
        mine = joints if len(joints) >= 4 else mine
        gaps = np.diff([found[n][2] for n in mine])
        cut = int(gaps.argmax()) + 1 if len(gaps) and gaps.max() > away else len(mine) // 2
        if min(cut, len(mine) - cut) >= 2:
            people[person] = tuple(half(found, statures, some) for some in (mine[:cut], mine[cut:]))
    return people


def half(found: list[Row], statures: np.ndarray, some: list[int]) -> Half:
    known = [statures[n] for n in some if not np.isnan(statures[n])]
    looks = reduce(add, (found[n][3] for n in some))
    return looks, np.mean([found[n][5] for n in some], axis=0), float(np.median(known)) if known else np.nan


def stature(found: list[Row]) -> np.ndarray:
    """Height of each upright sighting against what is usual where its feet are: a line fitted through all of them."""
    heights = np.full((len(found), 2), np.nan)
    for n, row in enumerate(found):
        joints = row[4].joints
        if joints is not None and joints[ANKLES, 2].min() >= SEEN:
            foot = joints[ANKLES, 1].mean()
            heights[n] = foot - joints[:5, 1].mean(), foot
    known = ~np.isnan(heights[:, 0])
    if known.sum() < 10:
        return heights[:, 0] * np.nan
    line = np.polyfit(heights[known, 1], heights[known, 0], 1)
    return np.log(np.maximum(heights[:, 0], 1) / np.maximum(np.polyval(line, heights[:, 1]), 1))


def parts(a: Half, b: Half) -> dict[str, float]:
    """Similarity of two people, by each part of the looks."""
    upper, lower = _common(a[0].upper, b[0].upper), _common(a[0].lower, b[0].lower)
    features = float(a[1] @ b[1] / max(np.linalg.norm(a[1]) * np.linalg.norm(b[1]), 1e-9))
    colours = (upper + lower) / 2
    return {"upper": upper, "lower": lower, "colours": colours, "features": features,
            "colours and features": (colours + features) / 2, "stature": -abs(a[2] - b[2])}  # fmt: skip


def looks_table(name: str, people: Mapping[int, tuple[Half, Half]]) -> None:
    values = [[parts(people[p][0], people[q][1]) for q in people] for p in people]
    same = np.eye(len(people), dtype=bool)
    for kind in values[0][0]:
        table = np.array([[cell[kind] for cell in row] for row in values])
        known = ~np.isnan(table)
        if known.sum() < known.size / 2:
            continue
        table[~known] = np.nanmin(table)
        others = np.sort(table[~same])
        level = others[min(int(0.99 * len(others)), len(others) - 1)]
        rank = np.mean(table.argmax(1) == np.arange(len(table)))
        print(f"looks | {name}, {len(people)} people | {kind} | {roc_auc_score(same.ravel(), table.ravel()):.3f} | "
              f"{rank:.2f} | {np.mean(table[same] > level):.2f}", flush=True)  # fmt: skip


def gaps_table(name: str, found: list[Row]) -> None:
    """AUC and rank 1 of single pictures, by the frames between them."""
    frames, people = (np.array([row[k] for row in found]) for k in (0, 1))
    apart, same = np.abs(frames[:, None] - frames), people[:, None] == people
    tables = {"colours": np.zeros(apart.shape), "colours and features": np.zeros(apart.shape)}
    for i, k in combinations(range(len(found)), 2):
        cell = parts(*((found[n][3], found[n][5], np.nan) for n in (i, k)))
        for kind, table in tables.items():
            table[i, k] = table[k, i] = cell[kind]
    for kind, table in tables.items():
        for low, high in GAPS:
            pairs = (apart >= low) & (apart <= high)
            hits = [table[i][there].argmax() == same[i][there].argmax() for i in range(len(found))
                    for f in set(frames[pairs[i]]) if same[i][there := frames == f].any()]  # fmt: skip
            auc = roc_auc_score(same[pairs], table[pairs])
            print(f"gaps | {name} | {kind} | {low}–{high} frames | {auc:.3f} | {np.mean(hits):.2f} of {len(hits)}")


def households(name: str, people: Mapping[int, tuple[Half, Half]], count: int = 2000) -> None:
    rng, numbers, total = np.random.default_rng(0), list(people), Counter()
    for _ in range(count):
        *known, stranger = (numbers[n] for n in rng.choice(len(numbers), 4, replace=False))
        gallery = {n: [seen(people[n][0][0])] for n in known}
        for n in (*known, stranger):
            answer = recognised(seen(people[n][1][0]), gallery)
            kind = "known" if n in gallery else "stranger"
            total[kind, "unknown" if answer is None else "right" if answer == n else "wrong"] += 1
    shares = {key: f"{value / sum(v for k, v in total.items() if k[0] == key[0]):.3f}" for key, value in total.items()}
    known, stranger = ({k[1]: v for k, v in shares.items() if k[0] == kind} for kind in ("known", "stranger"))
    print(f"households | {name}, {len(people)} people | known: {known} | stranger: {stranger}", flush=True)


def seen(looks: Appearance) -> Appearance:
    """Looks of few pictures, taken as known."""
    return replace(looks, sightings=max(looks.sightings, 3))


def clips(data: Path, features: Features) -> None:
    people = {}
    for path in sorted((data / "homes").glob("*/*.mp4")):
        found = rows(tracked(path), features)
        looks = reduce(add, (row[3] for row in found), Appearance.none())
        people[f"{path.parent.name}/{path.stem}"] = looks
        print(f"homes | {path.parent.name}/{path.stem} | {looks.sightings} sightings", flush=True)
    total = Counter()
    for a, b in combinations(people, 2):
        clothes = "other clothes" if "adl-10" in f"{a} {b}" else "same clothes"
        kind = clothes if a[:9] == b[:9] else "other person"
        known = people[a].known and people[b].known
        total[
            kind, "not seen clearly" if not known else "same" if likeness(people[a], people[b]) >= 0 else "unknown"
        ] += 1
    print("homes | pairs of clips |", dict(sorted(total.items())), flush=True)


def chain(seeds: range) -> None:
    """Whole logs of miniature homes: each with and without a gallery, then second videos in three kinds of clothes."""
    total = Counter()
    with tempfile.TemporaryDirectory() as place:
        for seed in seeds:
            folder, people = Path(place, str(seed)), []
            first = made(folder / "first", seed, lambda people: people, people)
            for gallery in (None, folder):
                log = folder / "first-log"
                result = track.track(first / "home.mp4", log, gallery=gallery)
                share = score(log, first / "truth/episodes.csv").described()["share"]
                tables = [mot(path) for path in (first / "truth/tracks.txt", log / "tracks.txt")]
                idf1 = evaluate_mot_sequence(*tables, metrics=["Identity"], threshold=0.5).Identity.IDF1
                kind = "with gallery" if gallery else "without"
                total["IDF1", kind] += idf1 / len(seeds)
                total["share", kind] += share / len(seeds)
                print(f"chain | {seed} | {kind} | people {result['people']} of 3 | share {share:.3f} | IDF1 {idf1:.3f}",
                      flush=True)  # fmt: skip
            owners = {s.identity: owner(log, first).get(s.person) for s in Gallery.read(folder).seen}
            for kind, dress in (("same clothes", lambda p: p), ("other clothes", exchanged), ("twins", uniform)):
                again = made(folder / kind, seed + 1000, dress, people)
                copy = folder / f"{kind}.safetensors"
                copyfile(folder / "who.safetensors", copy)
                track.track(again / "home.mp4", folder / f"{kind}-log", gallery=copy)
                true = owner(folder / f"{kind}-log", again)
                for s in Gallery.read(copy).seen:
                    if s.log == f"{kind}-log":
                        right = owners[s.identity] == true.get(s.person) if not s.sure else None
                        answer = {None: "unknown", True: "right", False: "wrong"}[right]
                        total["next video", kind, answer] += 1
                        print(f"chain | {seed} | {kind} | {s.person} is {true.get(s.person)} | {answer}", flush=True)
    for key, value in sorted(total.items()):
        print("chain |", " | ".join(key), "|", round(value, 3))


def made(folder: Path, seed: int, dress: Callable[[list], list], people: list) -> Path:
    """A miniature home of `people`, dressed anew; where there are none yet, of new ones, who are added."""
    draw = home.random_people

    def same(room: object, rng: np.random.Generator) -> list:
        drawn = draw(room, rng)
        people.extend(drawn if not people else [])
        return dress(list(people))

    with mock.patch.object(home, "random_people", same):
        return sets.make_home(folder, seed)


def exchanged(people: list) -> list:
    """The same people in clothes of other colours."""
    turned = [tuple(int(v) for v in 255 - np.roll(p.top, 1)) for p in people]
    return [replace(p, top=top, trousers=p.top) for p, top in zip(people, turned, strict=True)]


def uniform(people: list) -> list:
    """All in the clothes of the first."""
    return [replace(p, top=people[0].top, trousers=people[0].trousers, shoes=people[0].shoes) for p in people]


def owner(log: Path, made: Path) -> dict[int, int]:
    """Number in a log -> the true person whose boxes most of its boxes overlap."""
    true, logged, votes = read_boxes(made / "truth/tracks.txt"), read_boxes(log / "tracks.txt"), {}
    for frame in true.keys() & logged.keys():
        overlap = sv.box_iou_batch(true[frame].xyxy, logged[frame].xyxy)
        for k, number in enumerate(logged[frame].tracker_id):
            if overlap[:, k].max() >= 0.3:
                votes.setdefault(int(number), Counter())[int(true[frame].tracker_id[overlap[:, k].argmax()])] += 1
    return {number: count.most_common(1)[0][0] for number, count in votes.items()}


def mot(path: Path) -> Path:
    """A copy of a MOT file whose numbers are as the scorer takes them."""
    copy = path.with_suffix(".mot.txt")
    np.savetxt(copy, np.loadtxt(path, delimiter=",", ndmin=2), delimiter=",", fmt="%g")
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--homes", type=int, default=4, help="number of miniature homes")
    parser.add_argument("--chain", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if options.chain:
        chain(range(201, 201 + options.homes))
        return
    features, data = Features(), options.data
    pets, block = data / "pedestrians/PETS09-S2L1", data / "street/block1"
    for name, frames in (("PETS", true(pictures(pets, 7), pets / "gt/gt.txt")),
                         ("street", true(pictures(block, 25), block / "gt/gt.txt"))):  # fmt: skip
        found = rows(frames, features)
        people = halves(found)
        looks_table(name, people)
        households(name, people)
        if name == "PETS":
            gaps_table(name, found)
    clips(data, features)
    with tempfile.TemporaryDirectory() as place:
        for seed in range(101, 101 + options.homes):
            folder = sets.make_home(Path(place, str(seed)), seed)
            people = halves(rows(true(video(folder / "home.mp4", 5), folder / "truth/tracks.txt"), features))
            looks_table(f"miniature home {seed}", people)


if __name__ == "__main__":
    main()
