"""What is around a person: zones, the floor, other people, things; at a moment and over an episode."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from wtmr_core.tracking.people import Episode
from wtmr_core.tracking.zones import LYING, Zones

FLOOR = "on the floor"
EVERY = 0.5  # seconds between two moments that are kept
SLACK = 1.0  # seconds by which the only moment may lie outside an episode


class Moment(NamedTuple):
    """What was around somebody at `seconds`: the zones of the feet and of the middle of the body ("" for none), the ids
    of the people near, and the names of things."""

    seconds: float
    feet: str
    middle: str
    near: tuple[int, ...]
    things: tuple[str, ...]


class Surroundings:
    """Remembers what was around people, twice a second, and tells it of an episode.

    >>> surroundings = Surroundings(zones)
    >>> surroundings.see(0.0, {1: [100, 300, 260, 350], 2: [300, 180, 350, 350]})
    >>> surroundings.during(1, Episode("lying", 0.0, 0.5, 0.5, 0.9))
    ('kitchen', 'near 2; on the floor')
    """

    def __init__(self, zones: Zones | None = None) -> None:
        self.zones = zones
        self._moments: dict[int, list[Moment]] = {}

    def see(
        self, seconds: float, boxes: Mapping[int, ArrayLike], objects: Iterable[tuple[str, ArrayLike]] = ()
    ) -> None:
        """Take a frame: the `boxes` (id -> x1 y1 x2 y2) of all people in it, and the names (without , and ;) and boxes
        of `objects`, where a detector gives them."""
        objects = list(objects)
        for person in boxes:
            moments = self._moments.setdefault(person, [])
            if not moments or seconds - moments[-1].seconds >= EVERY:
                moments.append(_moment(seconds, person, boxes, self.zones, objects))

    def during(self, person: int, episode: Episode) -> tuple[str, str]:
        """The zone and the context of an episode as the log has them: the zone in which the person was most of the
        time, and what `describe` says of the people and things that were there at least half of it."""
        moments = self._moments.get(person, [])
        times = [moment.seconds for moment in moments]
        part = moments[bisect_left(times, episode.start) : bisect_right(times, episode.end)]
        if not part:
            middle = (episode.start + episode.end) / 2
            part = sorted(moments, key=lambda moment: abs(moment.seconds - middle))[:1]
            part = [m for m in part if episode.start - SLACK <= m.seconds <= episode.end + SLACK]
        return _described(part, episode.activity, self.zones)


def describe(
    person: int,
    activity: str,
    boxes: Mapping[int, ArrayLike],
    zones: Zones | None = None,
    objects: Iterable[tuple[str, ArrayLike]] = (),
) -> tuple[str, str]:
    """The zone and the context of a person at a moment, as the log has them.

    `boxes` (id -> x1 y1 x2 y2 in pixels) are those of everybody seen, the person's own among them; `objects` are names
    and boxes of things. The context holds, where they apply and parted by "; ": `near 2 3` (the people near, see
    `near`), `with chair, cup` (the things whose box meets the person's), and `on the floor` (lying outside the zones of
    rest; without zones nobody can tell).

    >>> describe(1, "lying", {1: [100, 300, 260, 350], 2: [300, 180, 350, 350]}, zones)
    ('kitchen', 'near 2; on the floor')
    """
    return _described([_moment(0.0, person, boxes, zones, list(objects))], activity, zones)


def near(person: int, boxes: Mapping[int, ArrayLike]) -> list[int]:
    """The ids of the others within about a body height of a person, in ascending order.

    Nearness is told by the picture alone: the gap between two boxes is at most the longer side of the larger of them,
    which is the body's height whether it stands or lies, and neither is over twice as large as the other, as somebody
    far behind is smaller.
    """
    own = _size(boxes[person])
    return sorted(
        other
        for other, box in boxes.items()
        if other != person and 0.5 <= _size(box) / own <= 2 and distance(boxes[person], box) <= max(own, _size(box))
    )


def distance(box: ArrayLike, other: ArrayLike) -> float:
    """The gap between two boxes (x1 y1 x2 y2) in pixels, 0 where they meet."""
    a, b = np.asarray(box, dtype=float), np.asarray(other, dtype=float)
    gap = np.maximum(0, np.maximum(a[:2] - b[2:], b[:2] - a[2:]))
    return float(np.hypot(*gap))


def _moment(
    seconds: float,
    person: int,
    boxes: Mapping[int, ArrayLike],
    zones: Zones | None,
    objects: Sequence[tuple[str, ArrayLike]],
) -> Moment:
    box = boxes[person]
    feet, middle = (zones.at_box(box), zones.at_box(box, LYING[0])) if zones else ("", "")
    things = sorted({name for name, other in objects if distance(box, other) == 0})
    return Moment(seconds, feet, middle, tuple(near(person, boxes)), tuple(things))


def _described(moments: Sequence[Moment], activity: str, zones: Zones | None) -> tuple[str, str]:
    """The zone and the context of some moments of one activity; "" and "" where there are none."""
    if not moments:
        return "", ""
    lying = activity in LYING
    places = Counter(moment.middle if lying else moment.feet for moment in moments)
    zone = places.most_common(1)[0][0]
    parts = []
    if people := _mostly([moment.near for moment in moments]):
        parts.append("near " + " ".join(map(str, people)))
    if things := _mostly([moment.things for moment in moments]):
        parts.append("with " + ", ".join(things))
    if zones and lying and zone not in zones.rest:
        parts.append(FLOOR)
    return zone, "; ".join(parts)


def _mostly(names: Sequence[tuple]) -> list:
    """What is in at least half of them, in ascending order."""
    counts = Counter(name for some in names for name in some)
    return sorted(name for name, count in counts.items() if 2 * count >= len(names))


def _size(box: ArrayLike) -> float:
    """The longer side of a box, at least a pixel."""
    x1, y1, x2, y2 = np.asarray(box, dtype=float)
    return max(x2 - x1, y2 - y1, 1.0)
