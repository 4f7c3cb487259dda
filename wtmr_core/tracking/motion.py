"""Still or walking, judged by a person's boxes alone, where there are neither joints nor a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wtmr_core.tracking.people import Episode, Sighting

STILL, WALKING = "still", "walking"

# best of a grid on the true boxes of CAVIAR's Browse2 and LeftBag, with and without noise, at 5 to 25 frames a second,
# by the sum of the share of time that is right and segment F1 at an overlap of one half
WINDOW = 3.0  # seconds over which displacement is measured
START, STOP = 0.3, 0.1  # body heights a second above which walking starts, and below which it stops
DWELL = 0.5  # shortest length of either, in seconds
GAP = 1.0  # seconds without a sighting that separate two episodes


def movement(sightings: Sequence[Sighting]) -> list[Episode]:
    """Find the episodes `still` and `walking` of a person.

    Speed is the displacement of the box's foot and the growth of the box over three seconds, in body heights (the
    longer side of the box), and so does not depend on distance, size of picture or frame rate. Walking starts at one
    speed and stops at a lower one (hysteresis); runs of less than half a second are merged into their neighbours. The
    score of an episode is the share of its sightings whose own speed agrees. An episode ends where the person is not
    seen for more than a second. A single sighting shows no movement and gives no episode.

    Args:
        sightings: those of one person, in order of time
    """
    times = np.array([sighting.seconds for sighting in sightings])
    boxes = np.array([sighting.box for sighting in sightings], dtype=float).reshape(-1, 4)
    episodes = []
    for part in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > GAP) + 1):
        if len(part) > 1:
            episodes += _episodes(times[part], speed(times[part], boxes[part]))
    return episodes


def speed(times: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Speed of a person in body heights a second: (t,).

    Args:
        times: (t,) seconds
        boxes: (t, 4) x1 y1 x2 y2
    """
    height = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).clip(1)
    first = np.searchsorted(times, times - WINDOW / 2)
    last = np.searchsorted(times, times + WINDOW / 2, side="right") - 1
    scale = np.array([np.median(height[a : b + 1]) for a, b in zip(first, last, strict=True)])
    foot = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    displacement = np.linalg.norm(foot[last] - foot[first], axis=1) / scale
    growth = np.abs(np.log(height[last] / height[first]))
    return np.hypot(displacement, growth) / np.maximum(times[last] - times[first], WINDOW / 2)


def _episodes(times: np.ndarray, speeds: np.ndarray) -> list[Episode]:
    walking = _settled(times, _hysteresis(speeds))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    edges = [0, *(np.flatnonzero(np.diff(walking)) + 1), len(times)]
    ends = np.append(times, times[-1] + step)
    middle = (START + STOP) / 2
    return [
        Episode(
            WALKING if walking[a] else STILL,
            float(times[a]),
            float(ends[b]),
            float(ends[b] - times[a]),
            float(np.mean((speeds[a:b] > middle) == walking[a])),
        )
        for a, b in pairwise(edges)
    ]


def _hysteresis(speeds: np.ndarray) -> np.ndarray:
    """Whether the person walks at each moment (t,): from when speed passes `START` until it falls below `STOP`."""
    walking = np.empty(len(speeds), dtype=bool)
    state = bool(speeds[0] > (START + STOP) / 2)
    for t, value in enumerate(speeds):
        state = value > (STOP if state else START)
        walking[t] = state
    return walking


def _settled(times: np.ndarray, walking: np.ndarray) -> np.ndarray:
    """Merge runs shorter than `DWELL` into their neighbours, the shortest first."""
    walking = walking.copy()
    while True:
        edges = [0, *(np.flatnonzero(np.diff(walking)) + 1), len(times)]
        lengths = [times[min(b, len(times) - 1)] - times[a] for a, b in pairwise(edges)]
        shortest = int(np.argmin(lengths))
        if len(lengths) == 1 or lengths[shortest] >= DWELL:
            return walking
        walking[edges[shortest] : edges[shortest + 1]] ^= True
