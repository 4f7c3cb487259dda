"""Several logs of one video compared with the truth: boxes, ids, activities, falls.

The truth is a folder like that of the miniature home: `tracks.txt`, MOT rows of everybody in view, and `episodes.csv`,
their activities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import supervision as sv
from trackers.eval import evaluate_mot_sequence

from wtmr_core import files
from wtmr_core.tracking.boxes import read_boxes
from wtmr_core.tracking.score import score
from wtmr_core.tracking.table import read_log

SLACK = 1e-3  # seconds, to which the times of episodes are rounded


class Box(NamedTuple):
    """A person in one frame, with the `score` (0-1) of their activity; `box` is (4,) x1 y1 x2 y2 in pixels."""

    frame: int
    box: np.ndarray
    score: float


def table(logs: Mapping[str, str | Path], truth: str | Path) -> pd.DataFrame:
    """Compare logs with the truth, a row for each.

    Args:
        logs: name -> folder of the log
        truth: folder of the truth

    Returns:
        a table with the columns `persons`; MOTA, IDF1 and HOTA in per cent and identity `switches`, at IoU 0.5
        (Bernardin, Stiefelhagen 2008; Ristani et al. 2016; Luiten et al. 2021); `frame-mAP`, see `frame_map`;
        `share right`, `segment F1` at IoU 0.25 and `edit` in per cent, `duration error` in seconds per activity,
        `falls` and `false falls`, see `score.score`
    """
    rows = {name: _figures(Path(folder), Path(truth)) for name, folder in logs.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("log")


def frame_map(logged: Mapping[str, list[Box]], true: Mapping[str, list[Box]], overlap: float = 0.5) -> dict[str, float]:
    """Frame-level average precision (0-1) of each activity of the truth; its mean is the frame-mAP.

    Logged boxes are taken in descending order of score. One is right where its IoU with a true box of the same activity
    and frame, not matched before, is at least `overlap`. Precision is interpolated: at each recall, the largest at that
    recall or a higher one. Source: Gkioxari and Malik, "Finding action tubes", CVPR 2015.
    """
    return {activity: _average_precision(logged.get(activity, []), boxes, overlap) for activity, boxes in true.items()}


def boxes_by_activity(tracks: Path, episodes: pd.DataFrame, fps: float) -> dict[str, list[Box]]:
    """Group the boxes of a MOT text file by the activity of their person at that time.

    Boxes without an episode are left out.

    Args:
        tracks: the MOT text file
        episodes: a table with the columns of a log
        fps: frames a second of the video, whose first frame is at 0 s
    """
    people = dict(tuple(episodes.groupby("person")))
    scores = episodes["score"] if "score" in episodes else pd.Series(1.0, episodes.index)
    boxes = defaultdict(list)
    for frame, seen in read_boxes(tracks).items():
        for person, box in zip(seen.tracker_id, seen.xyxy, strict=True):
            if person in people:
                rows, time = people[person], frame / fps + SLACK
                for number, activity in rows[(rows.start_s <= time) & (time < rows.end_s)].head(1).activity.items():
                    boxes[activity].append(Box(frame, box, scores[number]))
    return dict(boxes)


def _figures(log: Path, truth: Path) -> dict[str, Any]:
    tracked = evaluate_mot_sequence(truth / "tracks.txt", log / "tracks.txt", metrics=["CLEAR", "HOTA", "Identity"])
    description = files.read_json(log / "log.json", ("video", "people"))
    fps = description["video"]["fps"]
    logged = boxes_by_activity(log / "tracks.txt", read_log(log), fps)
    true = boxes_by_activity(truth / "tracks.txt", read_log(truth, ("person", "activity", "start_s", "end_s")), fps)
    counts = score(log, truth / "episodes.csv").total.described()
    return {
        "persons": len(description["people"]),
        "MOTA": 100 * tracked.CLEAR.MOTA,
        "IDF1": 100 * tracked.Identity.IDF1,
        "HOTA": 100 * tracked.HOTA.HOTA,
        "switches": int(tracked.CLEAR.IDSW),
        "frame-mAP": 100 * float(np.mean(list(frame_map(logged, true).values()))),
        "share right": 100 * counts["share"],
        "segment F1": 100 * counts["segment_f1"]["0.25"],
        "edit": 100 * counts["edit"],
        "duration error": float(np.mean([duration["error_s"] for duration in counts["durations"].values()])),
        "falls": f"{counts['falls_found']}/{counts['falls']}",
        "false falls": counts["false_falls"],
    }


def _average_precision(logged: list[Box], true: list[Box], overlap: float) -> float:
    free = defaultdict(list)
    for box in true:
        free[box.frame].append(box.box)
    right = []
    for box in sorted(logged, key=lambda box: -box.score):
        candidates = free[box.frame]
        overlaps = sv.box_iou_batch(box.box[None], np.array(candidates))[0] if candidates else np.zeros(0)
        right.append(bool(len(overlaps)) and overlaps.max() >= overlap)
        if right[-1]:
            del candidates[int(overlaps.argmax())]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    interpolated = np.maximum.accumulate(precision[::-1])[::-1]
    return float(interpolated[np.array(right, bool)].sum() / len(true))
