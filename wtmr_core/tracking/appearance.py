"""What people look like: the colours of their clothes, summed over many sightings.

`benchmarks/identity.py` measures what these tell, and that features of a backbone and the stature do not tell more.

Axes: h w pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from wtmr_core.tracking.people import COCO, Sighting

EVERY = 0.5  # seconds between two sightings of a person that are looked at
LEAST = 3  # sightings without which nothing is known of somebody
BINS = (8, 8, 8)  # of hue, saturation and value
COLOURS = int(np.prod(BINS))
UPRIGHT = 1.1  # smallest ratio of a box's height to its width
EDGE = 0.01  # of the picture's sides: a box that reaches into it is cut off
COVERED = 0.3  # share of a box under another's from which the colours may be the other's
SEEN = 0.2  # lowest score of a joint that is used
PIXELS = 12  # of a piece of clothing, at least
SHOULDERS, HIPS, KNEES, ANKLES = (
    [COCO.index(f"{side} {name}") for side in ("left", "right")] for name in ("shoulder", "hip", "knee", "ankle")
)
# of the box: top, bottom, left, right
UPPER, LOWER = (0.20, 0.48, 0.25, 0.75), (0.53, 0.88, 0.25, 0.75)

CHANGED = 0.45  # similarity below which a person's looks have changed all at once
MOST = 16  # changes of a person's looks; with more, nothing is known of them

Moment = tuple[float, float]  # seconds of the video, and number of the frame
Gap = tuple[Moment, Moment]  # the last sighting before and the first after something happened


@dataclass(frozen=True)
class Appearance:
    """The looks of a person.

    Attributes:
        upper, lower: (512,) sums of colour histograms of the clothes above and below the waist
        sightings: how many were summed
    """

    upper: np.ndarray
    lower: np.ndarray
    sightings: int

    @classmethod
    def none(cls) -> Appearance:
        """That of somebody of whom nothing is known."""
        return cls(np.zeros(COLOURS, np.float32), np.zeros(COLOURS, np.float32), 0)

    @property
    def known(self) -> bool:
        """Whether it can be compared with others."""
        return self.sightings >= LEAST

    def __add__(self, other: Appearance) -> Appearance:
        """The looks of one person from two sets of sightings."""
        return Appearance(self.upper + other.upper, self.lower + other.lower, self.sightings + other.sightings)


class Appearances:
    """Collects the looks of the people of a video while it runs, in a memory that does not grow with its length.

    Twice a second somebody is looked at who sits or stands, is whole but for the feet, and is not covered by another.
    Clothes are where the joints tell; where there are none, at their usual place in the box. Sightings of both kinds do
    not mix: those without joints count only where there are too few with them. Where somebody's looks change all at
    once, the tracker may have confused two people: what was seen before and after it is kept apart.
    """

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}  # when each person was last looked at
        self._looks: dict[tuple[int, bool], Appearance] = {}  # since the last change, by person and whether with joints
        self._recent: dict[tuple[int, bool], list[tuple[Moment, Appearance]]] = {}  # unlike these
        self._settled: dict[tuple[int, bool], Moment] = {}  # of the last sighting among these
        self._before: dict[int, list[tuple[Appearance, Gap]]] = {}  # looks before each change, and when that was

    def add(self, picture: np.ndarray, seconds: float, people: Mapping[int, Sighting]) -> None:
        """Look at the people (id -> sighting) of a frame (h, w, 3) BGR uint8."""
        due = [n for n in people if seconds - self._seen.get(n, -np.inf) >= EVERY]
        for number, looks in described(picture, people, due).items():
            key = number, people[number].joints is not None
            self._seen[number] = seconds
            self._take(key, (seconds, people[number].frame), looks)

    def changes(self, person: int) -> list[Gap]:
        """When the looks of a person changed all at once."""
        before = self._before.get(person, [])
        return [gap for _, gap in before] if len(before) <= MOST else []

    def of(self, person: int) -> list[Appearance]:
        """The looks of a person before, between and after the changes; `Appearance.none` where they are too many."""
        before = self._before.get(person, [])
        return [*(looks for looks, _ in before), self._now(person)] if len(before) <= MOST else [Appearance.none()]

    def _now(self, person: int) -> Appearance:
        """The looks of a person since the last change."""
        joints, box = (self._looks.get((person, joints), Appearance.none()) for joints in (True, False))
        return joints if joints.known or not box.known else box

    def _take(self, key: tuple[int, bool], moment: Moment, one: Appearance) -> None:
        """Add a sighting of a person to the others, unless it and those before it show somebody else."""
        looks, recent = self._looks.get(key, Appearance.none()), self._recent.setdefault(key, [])
        recent.append((moment, one))
        if looks.known and similarity(looks, one) < CHANGED:
            if len(recent) < LEAST:
                return
            if similarity(looks, sum((other for _, other in recent), Appearance.none())) < CHANGED:
                self._change(key[0], (self._settled[key], recent[0][0]))
                looks = Appearance.none()
        self._looks[key] = sum((other for _, other in recent), looks)
        self._settled[key], self._recent[key] = moment, []

    def _change(self, person: int, gap: Gap) -> None:
        """Put the looks of a person away, and begin anew."""
        before = self._before.setdefault(person, [])
        if len(before) <= MOST:
            before.append((self._now(person), gap))
        for joints in (True, False):
            self._looks.pop((person, joints), None)
            self._recent.pop((person, joints), None)


def similarity(a: Appearance, b: Appearance) -> float:
    """How similar two appearances are, from 0 to 1.

    It is the Bhattacharyya coefficient of their histograms, the mean of that of the upper and of the lower clothes.
    """
    return (_common(a.upper, b.upper) + _common(a.lower, b.lower)) / 2


def described(
    picture: np.ndarray, people: Mapping[int, Sighting], due: Iterable[int] | None = None
) -> dict[int, Appearance]:
    """Describe the people of a frame who show clearly.

    Args:
        picture: (h, w, 3) BGR uint8
        people: id -> sighting of everybody in it
        due: ids of those to describe; by default all
    """
    wanted = people if due is None else due
    return {
        n: Appearance(*pair, 1) for n in wanted if (pair := _clothes(picture, people[n], people.values())) is not None
    }


def _common(a: np.ndarray, b: np.ndarray) -> float:
    """The Bhattacharyya coefficient of two histograms, from 0 (nothing in common) to 1 (the same)."""
    return float(np.sqrt(a * b).sum() / np.sqrt(max(a.sum() * b.sum(), 1e-12)))


def colours(pixels: np.ndarray) -> np.ndarray:
    """The histogram (512,) of pixels (n, 3) BGR uint8 over hue, saturation and value, of sum 1."""
    hsv = cv2.cvtColor(pixels[None], cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256]).ravel()
    return counts / counts.sum()


def part(picture: np.ndarray, box: ArrayLike, share: tuple[float, float, float, float]) -> np.ndarray:
    """Cut out a share (top, bottom, left, right) of a box (x1 y1 x2 y2) as far as it lies in the picture."""
    x1, y1, x2, y2 = (float(v) for v in np.asarray(box))
    top, bottom, left, right = share
    rows = np.clip([y1 + top * (y2 - y1), y1 + bottom * (y2 - y1)], 0, picture.shape[0]).round().astype(int)
    columns = np.clip([x1 + left * (x2 - x1), x1 + right * (x2 - x1)], 0, picture.shape[1]).round().astype(int)
    return picture[rows[0] : max(rows[1], rows[0] + 1), columns[0] : max(columns[1], columns[0] + 1)]


def _clothes(
    picture: np.ndarray, sighting: Sighting, everybody: Iterable[Sighting]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Colours (512,) of upper and lower clothes, None where they do not show clearly."""
    if not _whole(picture, sighting.box) or _covered(sighting, everybody):
        return None
    if sighting.joints is None:
        pieces = [part(picture, sighting.box, share).reshape(-1, 3) for share in (UPPER, LOWER)]
    elif not _clear(sighting.joints):
        return None
    else:
        corner = np.maximum(np.floor(sighting.box[:2]), 0)
        inside = picture[int(corner[1]) : int(sighting.box[3]) + 1, int(corner[0]) : int(sighting.box[2]) + 1]
        joints = sighting.joints - [*corner, 0]
        pieces = [inside[mask > 0] for mask in _masks(joints, inside.shape[:2])]
    return None if min(map(len, pieces)) < PIXELS else (colours(pieces[0]), colours(pieces[1]))


def _whole(picture: np.ndarray, box: np.ndarray) -> bool:
    """Whether a box is upright and not cut off by the picture's edge, other than below."""
    (height, width), (x1, y1, x2, y2) = picture.shape[:2], (float(v) for v in box)
    inside = x1 > EDGE * width and x2 < (1 - EDGE) * width and y1 > EDGE * height
    return inside and y2 - y1 >= UPRIGHT * (x2 - x1)


def _covered(sighting: Sighting, everybody: Iterable[Sighting]) -> bool:
    """Whether the box of somebody else covers much of a person's."""
    x1, y1, x2, y2 = sighting.box
    for other in everybody:
        if other is not sighting:
            width, height = min(x2, other.box[2]) - max(x1, other.box[0]), min(y2, other.box[3]) - max(y1, other.box[1])
            if width > 0 and height > 0 and width * height >= COVERED * (x2 - x1) * (y2 - y1):
                return True
    return False


def _clear(joints: np.ndarray) -> bool:
    """Whether joints (17, 3) show an upright trunk and thighs."""
    trunk = joints[HIPS, :2].mean(axis=0) - joints[SHOULDERS, :2].mean(axis=0)
    upright = trunk[1] > np.cos(np.pi / 4) * np.linalg.norm(trunk)
    return bool(upright and joints[[*SHOULDERS, *HIPS, *KNEES], 2].min() >= SEEN)


def _masks(joints: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where trunk and legs are in a picture of this size (h, w): two masks (h, w) uint8."""
    upper, lower = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    points = joints[:, :2]
    shoulders, hips = points[SHOULDERS].mean(axis=0), points[HIPS].mean(axis=0)
    trunk = float(np.linalg.norm(shoulders - hips))
    corners = points[[*SHOULDERS, *HIPS]]
    outline = cv2.convexHull((corners.mean(axis=0) + 0.9 * (corners - corners.mean(axis=0))).round().astype(np.int32))
    cv2.fillConvexPoly(upper, outline, 1)
    _line(upper, 0.8 * shoulders + 0.2 * hips, 0.1 * shoulders + 0.9 * hips, 0.35 * trunk)  # seen from the side
    for hip, knee, ankle in zip(points[HIPS], points[KNEES], points[ANKLES], strict=True):
        _line(lower, 0.8 * hip + 0.2 * knee, knee, 0.2 * trunk)
        if joints[ANKLES, 2].min() >= SEEN:
            _line(lower, knee, 0.2 * knee + 0.8 * ankle, 0.2 * trunk)
    return upper, lower


def _line(mask: np.ndarray, start: np.ndarray, end: np.ndarray, width: float) -> None:
    first, last = (tuple(int(v) for v in point) for point in (start, end))
    cv2.line(mask, first, last, 1, max(1, int(width)))
