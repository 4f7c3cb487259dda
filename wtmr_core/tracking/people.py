"""What is known of somebody in a video: seen in one frame, and followed through many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: of COCO, in its order: what detectors of poses give of a person
COCO = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)


class NotInstalled(RuntimeError):
    """A detector needs what is not on this machine; the message says what, and how it is had."""


@dataclass(frozen=True)
class Sighting:
    """A person in one frame.

    `frame` counts from 0, in the video; `seconds` is when it is shown; `box` (4,) x1 y1 x2 y2 in pixels of the frame;
    `score` (0-1) of the detector; `joints` (17, 3) x and y in pixels and a score (0-1) each, in the order of `COCO`,
    None where the detector gives none.
    """

    frame: int
    seconds: float
    box: np.ndarray
    score: float
    joints: np.ndarray | None = None


@dataclass(frozen=True)
class Episode:
    """An activity of a person from `start` to `end`, in seconds of the video.

    `duration` is how long the person was seen in it: gaps do not count. `score` (0-1) is the mean probability of the
    activity over that time.
    """

    activity: str
    start: float
    end: float
    duration: float
    score: float
