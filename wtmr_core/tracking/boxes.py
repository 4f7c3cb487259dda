"""Boxes around people, between detector and tracker, and the text files that store them.

In memory they are `sv.Detections`: `xyxy` (n, 4) in pixels of the picture, `confidence` (n,) from 0 to 1, `class_id`
(n,) of zeros and, where joints are known, `data["joints"]` (n, 17, 3): x and y in pixels and a score each, in the order
of `COCO`. In text they are MOT Challenge rows: frame from 1, id, left, top, width, height, score and three more
numbers (Milan et al. 2016, MOT16, section 4).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import supervision as sv
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from wtmr_core.tracking.people import COCO, Sighting

JOINTS = "joints"  # the key in `sv.Detections.data`
SAME = 0.3  # IoU from which two boxes are taken to be of one person
FRAMES = 100_000_000  # a file's largest frame number: 38 days at 30 a second


def detections(
    boxes: ArrayLike, scores: ArrayLike, size: tuple[int, int], joints: ArrayLike | None = None
) -> sv.Detections:
    """Make `sv.Detections` of people in a picture, the highest score first.

    Boxes are clipped to the picture. A box that lies outside it, has no area or is not finite is dropped.

    Args:
        boxes: (n, 4) x1 y1 x2 y2 in pixels
        scores: (n,) from 0 to 1
        size: (h, w) of the picture
        joints: (n, 17, 3), which may lie outside the picture: somebody at its edge has joints there
    """
    boxes, scores = np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32).reshape(-1)
    boxes = sv.clip_boxes(boxes, size[::-1])
    rows = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1) & np.isfinite(scores))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    data = {} if joints is None else {JOINTS: np.asarray(joints, np.float32).reshape(-1, len(COCO), 3)[rows]}
    return sv.Detections(xyxy=boxes[rows], confidence=scores[rows], class_id=np.zeros(len(rows), int), data=data)


def check(people: sv.Detections, frame: int) -> None:
    """Raise `ValueError` for people without scores or with a box that has no area."""
    if people.confidence is None:
        raise ValueError(f"frame {frame}: boxes without scores; give each a confidence, 1 where nothing is known of it")
    for n, (x1, y1, x2, y2) in enumerate(people.xyxy):
        if not (x1 < x2 and y1 < y2):
            raise ValueError(f"frame {frame}, box {n}: ({x1:g}, {y1:g}) to ({x2:g}, {y2:g}) is no box: take it out")


def sightings(people: sv.Detections, frame: int, seconds: float) -> list[tuple[int, Sighting]]:
    """Turn the tracked people of a frame into (`tracker_id`, sighting) pairs.

    Args:
        people: detections with `tracker_id`
        frame: number of the frame, from 0
        seconds: time of the frame
    """
    joints = people.data.get(JOINTS, [None] * len(people))
    rows = zip(people.tracker_id, people.xyxy, people.confidence, joints, strict=True)
    return [
        (int(n), Sighting(frame, seconds, box, float(score), None if body is None or np.isnan(body).any() else body))
        for n, box, score, body in rows
    ]


def with_joints(people: sv.Detections, poses: sv.Detections) -> sv.Detections:
    """Give people the joints of the poses whose boxes overlap theirs.

    Poses and people are paired one to one with the largest total IoU (Hungarian method); a pair counts from an IoU of
    `SAME`. The joints of people without a pose are NaN.
    """
    joints = np.full((len(people), len(COCO), 3), np.nan, np.float32)
    if len(people) and len(poses):
        overlap = sv.box_iou_batch(people.xyxy, poses.xyxy)
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        same = overlap[rows, columns] >= SAME
        joints[rows[same]] = poses.data[JOINTS][columns[same]]
    people.data[JOINTS] = joints
    return people


def read_boxes(path: Path) -> dict[int, sv.Detections]:
    """Read the people of a MOT text file: frame number, from 0 -> detections with ids in `tracker_id`.

    Fields are separated by commas or blanks. After the sixth a score (1 where it is absent or negative) and others may
    follow. Rows with score 0 are left out, as MOT says ("not to be considered"). Boxes are not clipped.

    Raises:
        OSError: where the file cannot be read.
        ValueError: for a malformed row, an id below 1, or an id given twice in a frame; the message names the line.
    """
    rows: dict[int, dict[int, tuple[float, ...]]] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.replace(",", " ").split()
            if not fields:
                continue
            try:
                frame, person, *box = _row(fields)
                if person in rows.setdefault(frame, {}):
                    raise ValueError(f"person {person} is twice in frame {frame + 1}")
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            if box[4]:
                rows[frame][person] = tuple(box)
    return {frame: _people(boxes) for frame, boxes in sorted(rows.items())}


def mot_line(person: int, sighting: Sighting) -> str:
    """A row of a MOT text file, without line end: frame from 1, id, left, top, width, height, score, 1, -1, -1."""
    x1, y1, x2, y2 = (float(value) for value in sighting.box)
    box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
    return f"{sighting.frame + 1},{person},{box},{sighting.score:.4f},1,-1,-1"


def _row(fields: list[str]) -> tuple[int, int, float, float, float, float, float]:
    """Frame from 0, id, x1, y1, x2, y2 and score of a row's `fields`; raises `ValueError`."""
    if not 6 <= len(fields) <= 10:
        raise ValueError(f"{len(fields)} fields where frame, id, left, top, width, height and up to four more belong")
    try:
        frame, person, left, top, width, height, *more = (float(field) for field in fields)
    except ValueError as error:
        raise ValueError(f"{error}; a row has numbers only") from None
    if not (frame.is_integer() and 1 <= frame <= FRAMES):
        raise ValueError(f"frame {frame:g} is no number of a frame, which are counted from 1")
    if not (person.is_integer() and 1 <= person < 2**53):
        raise ValueError(f"id {person:g} is none of a person, which are whole numbers from 1")
    if not (all(map(math.isfinite, (left, top, width, height, *more))) and width > 0 and height > 0):
        raise ValueError(f"left {left:g}, top {top:g}, width {width:g}, height {height:g} is no box")
    score = more[0] if more and more[0] >= 0 else 1.0
    return int(frame) - 1, int(person), left, top, left + width, top + height, min(score, 1.0)


def _people(boxes: dict[int, tuple[float, ...]]) -> sv.Detections:
    """Detections of person -> x1, y1, x2, y2, score."""
    rows = np.array(list(boxes.values()), np.float32).reshape(-1, 5)
    return sv.Detections(
        xyxy=rows[:, :4],
        confidence=rows[:, 4],
        class_id=np.zeros(len(rows), int),
        tracker_id=np.array(list(boxes), int),
    )
