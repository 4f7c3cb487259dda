"""People in a video: a sighting in one frame, and an episode of an activity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: the joints of COCO, in its order, as pose estimators give them
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
UNKNOWN = "unknown"  # the activity of an episode that the network is not sure of


class NotInstalled(RuntimeError):
    """A detector needs something that is not installed; the message says what, and how to install it."""


@dataclass(frozen=True)
class Sighting:
    """A person in one frame.

    Attributes:
        frame: number of the frame in the video, from 0
        seconds: time of the frame
        box: (4,) x1 y1 x2 y2 in pixels of the frame
        score: score of the detector, 0-1
        joints: (17, 3) x and y in pixels and a score (0-1), in the order of `COCO`; None where there are none
    """

    frame: int
    seconds: float
    box: np.ndarray
    score: float
    joints: np.ndarray | None = None


@dataclass(frozen=True)
class Episode:
    """An activity of a person, without interruption.

    Attributes:
        activity: its name
        start, end: seconds of the video
        duration: seconds for which the person was seen; gaps do not count
        score: mean probability of the activity over that time, 0-1
    """

    activity: str
    start: float
    end: float
    duration: float
    score: float
