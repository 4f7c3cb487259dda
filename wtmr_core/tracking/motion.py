"""Still or walking, told by a person's boxes alone, where there are neither joints nor a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wtmr_core.tracking.people import Episode, Sighting

STILL, WALKING = "still", "walking"

# best of a grid on the true boxes of CAVIAR's Browse2 and LeftBag, as they are and with noise, at 5 to 25 frames a
# second, by the share of time that is right and segment F1 at an overlap of one half together
WINDOW = 3.0  # seconds over which a displacement is taken
START, STOP = 0.3, 0.1  # body heights a second: faster, a still person walks; slower, a walking one is still
DWELL = 0.5  # seconds that either lasts at least
GAP = 1.0  # seconds without a sighting that part two episodes


def movement(sightings: Sequence[Sighting]) -> list[Episode]:
    """The episodes `still` and `walking` of a person, from their `sightings` in the order of time.

    Speed is the way of the box's foot and the growth of the box over three seconds, in body heights (the longer side of
    the box), so that it is the same near and far, at any size of picture and rate of frames. One speed starts walking
    and a lower one ends it; what lasts under half a second is taken into what is round it. The score of an episode is
    the share of its sightings whose own speed says the same. Where nobody was seen for over a second an episode ends.
    A sighting by itself tells nothing of movement and gives no episode.
    """
    times = np.array([sighting.seconds for sighting in sightings])
    boxes = np.array([sighting.box for sighting in sightings], dtype=float).reshape(-1, 4)
    episodes = []
    for part in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > GAP) + 1):
        if len(part) > 1:
            episodes += _episodes(times[part], speed(times[part], boxes[part]))
    return episodes


def speed(times: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Body heights a second (t,) at `times` (t,) in seconds of somebody with these `boxes` (t, 4), x1 y1 x2 y2."""
    height = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).clip(1)
    first = np.searchsorted(times, times - WINDOW / 2)
    last = np.searchsorted(times, times + WINDOW / 2, side="right") - 1
    scale = np.array([np.median(height[a : b + 1]) for a, b in zip(first, last, strict=True)])
    foot = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1)
    way = np.linalg.norm(foot[last] - foot[first], axis=1) / scale
    growth = np.abs(np.log(height[last] / height[first]))
    return np.hypot(way, growth) / np.maximum(times[last] - times[first], WINDOW / 2)


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
    """Whether somebody walks at each moment (t,): from where speed passes `START` until it falls under `STOP`."""
    walking = np.empty(len(speeds), dtype=bool)
    state = bool(speeds[0] > (START + STOP) / 2)
    for t, value in enumerate(speeds):
        state = value > (STOP if state else START)
        walking[t] = state
    return walking


def _settled(times: np.ndarray, walking: np.ndarray) -> np.ndarray:
    """`walking` without runs shorter than `DWELL`, the shortest taken first into what is round it."""
    walking = walking.copy()
    while True:
        edges = [0, *(np.flatnonzero(np.diff(walking)) + 1), len(times)]
        lengths = [times[min(b, len(times) - 1)] - times[a] for a, b in pairwise(edges)]
        shortest = int(np.argmin(lengths))
        if len(lengths) == 1 or lengths[shortest] >= DWELL:
            return walking
        walking[edges[shortest] : edges[shortest + 1]] ^= True
