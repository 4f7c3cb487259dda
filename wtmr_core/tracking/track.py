"""From a video to the log of its people: who did what, when, for how long and where.

Frames with their seconds → people → persons → what each of them does → episodes → the log. Everything goes on while the
video runs and memory hardly grows with it: of each person a box and the probabilities of the activities stay, ten times
a second, from which the log is corrected at the end.
"""

from __future__ import annotations

import math
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv

from wtmr_core.classifier import Classifier
from wtmr_core.datasets.stream import Frame, Stream
from wtmr_core.datasets.video import Remark
from wtmr_core.tracking import activity, boxes, detectors
from wtmr_core.tracking.context import describe
from wtmr_core.tracking.episodes import Live, smooth
from wtmr_core.tracking.keyframes import KeyFrames
from wtmr_core.tracking.log import LogWriter, Row
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.poses import RATE
from wtmr_core.tracking.tracks import Tracker
from wtmr_core.tracking.zones import Zones

HOME = Path(__file__).with_name("home")  # the network that comes with the package
DELAY = 0.5  # seconds that a frame waits for people who are known to be people only then
BRIDGE = 0.5  # seconds between two sightings across which boxes are taken to move evenly
NEAR = 0.5  # seconds: who was seen so shortly before or after is taken to be where they were
PLACES = 15  # moments of an episode at which its zone is looked up


@dataclass
class Moment:
    """A frame that waits: its people are not all known yet."""

    frame: Frame
    people: dict[int, Sighting] = field(default_factory=dict)


class Person:
    """What stays of somebody: where they were, and how probable each activity was."""

    def __init__(self, classifier: Classifier):
        self.activity = activity.of(classifier)
        self.live = Live(classifier.classes)
        self.seconds, self.boxes = array("d"), array("f")
        self._steps: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
