"""Heads made unrecognisable in every picture that is saved."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import supervision as sv
from numpy.typing import ArrayLike

from wtmr_core.tracking.boxes import JOINTS
from wtmr_core.tracking.people import COCO, Sighting

FACE = [COCO.index(name) for name in ("nose", "left eye", "right eye", "left ear", "right ear")]
SHOULDERS = [COCO.index(name) for name in ("left shoulder", "right shoulder")]
HIPS = [COCO.index(name) for name in ("left hip", "right hip")]
SEEN = 0.1  # lowest score of a joint that is used: joints of lying people score low

# in body heights, about as in Drillis and Contini, "Body segment parameters" (1966): from the shoulders to the hips,
# from shoulder to shoulder, from the shoulders to the middle of the head, from ear to ear
TRUNK, BREADTH, NECK, EARS = 0.29, 0.23, 0.12, 0.09
RADIUS = 0.12  # of the blurred area, in body heights; half a head's height is 0.065

HOLD = 1.0  # seconds for which a head stays blurred after the last sighting of its person


class Anonymizer:
    """Blurs the heads of a video's people; takes its frames in order of time.

    For a second after somebody was last seen, the place of their head is blurred too, in a growing area, so that a head
    does not flash up where the detector misses it once. People who are never detected are not blurred.

    >>> anonymizer = Anonymizer()
    >>> anonymizer.see(0.1, {1: sighting})
    >>> anonymizer.blur(picture)
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, np.ndarray]] = {}
        self._seconds = 0.0

    def see(self, seconds: float, people: Mapping[int, Sighting]) -> None:
        """Set the people (id -> sighting) of the frame at `seconds`."""
        self.see_heads(seconds, {person: head(sighting.box, sighting.joints) for person, sighting in people.items()})

    def see_heads(self, seconds: float, heads: Mapping[int, ArrayLike]) -> None:
        """Set the heads (id -> x1 y1 x2 y2, see `head`) of the frame at `seconds`."""
        for person, box in heads.items():
            self._last[person] = seconds, np.asarray(box, dtype=float)
        self._last = {person: (t, box) for person, (t, box) in self._last.items() if seconds - t <= HOLD}
        self._seconds = seconds

    def blur(self, picture: np.ndarray) -> np.ndarray:
        """Copy the picture (h, w, 3) uint8 of the frame set last, with the heads blurred."""
        boxes = [widened(box, (self._seconds - t) / HOLD) for t, box in self._last.values()]
        return blurred(picture, np.array(boxes).reshape(-1, 4))


def headless(picture: np.ndarray, people: sv.Detections) -> np.ndarray:
    """Copy a picture (h, w, 3) uint8 with the heads of the detected people blurred."""
    joints = people.data.get(JOINTS, [None] * len(people))
    heads = [head(box, points) for box, points in zip(people.xyxy, joints, strict=True)]
    return blurred(picture, np.array(heads).reshape(-1, 4))


def head(box: ArrayLike, joints: np.ndarray | None = None) -> np.ndarray:
    """Estimate where a person's head is.

    With joints it is around the mean of the joints of the face or, without those, beyond the shoulders as seen from the
    hips; its size is the largest that trunk, shoulders and box suggest. Without joints it is the upper third of the
    box, or all of a box that is wider than high, in which the head of somebody lying may be anywhere. (In frames of
    nine clips at home the face was in the upper third of 121 tall boxes of 121, but at the ends of 49 wide ones of
    103.)

    Args:
        box: (4,) x1 y1 x2 y2 in pixels
        joints: (17, 3) in the order of `COCO`

    Returns:
        (4,) x1 y1 x2 y2 in pixels
    """
    x1, y1, x2, y2 = (float(v) for v in np.asarray(box))
    width, height = x2 - x1, y2 - y1
    centre, radius = (None, 0.0) if joints is None else _head(np.asarray(joints, dtype=float))
    if centre is not None:
        longer = max(width, height)
        radius = min(max(radius, 0.6 * RADIUS * longer), longer / 2)
        return np.array([*(centre - radius), *(centre + radius)])
    margin = height / 30  # hair
    return np.array([x1, y1 - margin, x2, y1 + height / 3 if width <= height else y2])


def blurred(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Copy a picture (h, w, 3) uint8 with boxes (n, 4) blurred.

    Of each box only the mean colours of its four quarters are left, with a smooth transition between them.
    """
    copy = picture.copy()
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in np.asarray(boxes, dtype=float):
        left, right = np.clip([np.floor(x1), np.ceil(x2)], 0, width).astype(int)
        top, bottom = np.clip([np.floor(y1), np.ceil(y2)], 0, height).astype(int)
        if left < right and top < bottom:
            part = copy[top:bottom, left:right]
            means = cv2.resize(part, (2, 2), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(means, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return copy


def widened(box: np.ndarray, by: float) -> np.ndarray:
    """Enlarge a box (4,) around its centre by a share of its sides."""
    margin = (box[2:] - box[:2]) * by / 2
    return np.concatenate([box[:2] - margin, box[2:] + margin])


def _head(joints: np.ndarray) -> tuple[np.ndarray | None, float]:
    """The centre of the head (x, y), None where the joints do not show it, and its radius in pixels."""
    seen = joints[:, 2] >= SEEN
    face, shoulders, hips = (joints[[j for j in part if seen[j]], :2] for part in (FACE, SHOULDERS, HIPS))
    height, up = 0.0, np.array([0.0, -1.0])
    if len(shoulders) == 2:
        height = float(np.linalg.norm(shoulders[0] - shoulders[1])) / BREADTH
    if len(shoulders) and len(hips):
        trunk = shoulders.mean(0) - hips.mean(0)
        length = float(np.linalg.norm(trunk))
        height = max(height, length / TRUNK)
        up = trunk / length if length > 0 else up
    if len(face):
        apart = float(np.ptp(face, axis=0).max())
        return face.mean(0), RADIUS * max(height, apart / EARS)
    if len(shoulders) and height > 0:
        aside = BREADTH / 2 if len(shoulders) == 1 else 0.0  # the neck is half a breadth from one shoulder
        return shoulders.mean(0) + NECK * height * up, (RADIUS + aside) * height
    return None, 0.0
