"""What is around a person at a moment: the zone, the floor, other people, things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from wtmr_core.tracking.zones import LYING, Zones

FLOOR = "on the floor"


def describe(
    person: int,
    activity: str,
    boxes: Mapping[int, ArrayLike],
    zones: Zones | None = None,
    objects: Iterable[tuple[str, ArrayLike]] = (),
) -> tuple[str, str]:
    """The zone and the context of a person at a moment, as the log has them.

    `boxes` (id -> x1 y1 x2 y2 in pixels) are those of everybody seen, the person's own among them; `objects` are names
    and boxes of things (names without , and ;). The context holds, where they apply and parted by "; ":

    - `near 2 3`: the people near, see `near`;
    - `with chair, cup`: the things whose box meets the person's;
    - `on the floor`: lying outside the zones of rest; without zones nobody can tell.

    >>> describe(1, "lying", {1: [100, 300, 260, 350], 2: [300, 180, 350, 350]}, zones)
    ('kitchen', 'near 2; on the floor')
    """
    box = boxes[person]
    zone = zones.at_box(box, activity) if zones else ""
    parts = []
    if people := near(person, boxes):
        parts.append("near " + " ".join(map(str, people)))
    if things := sorted({name for name, other in objects if distance(box, other) == 0}):
        parts.append("with " + ", ".join(things))
    if zones and activity in LYING and zone not in zones.rest:
        parts.append(FLOOR)
    return zone, "; ".join(parts)


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


def _size(box: ArrayLike) -> float:
    """The longer side of a box, at least a pixel."""
    x1, y1, x2, y2 = np.asarray(box, dtype=float)
    return max(x2 - x1, y2 - y1, 1.0)
