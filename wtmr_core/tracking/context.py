"""A person's surroundings at a moment: the zone, the floor, other people, objects."""

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
    """Describe the surroundings of a person: zone and context, as they are written into the log.

    Args:
        person: id of the person
        activity: the person's activity
        boxes: id -> box (x1 y1 x2 y2 in pixels) of everybody in the picture, the person included
        zones: the zones of the camera
        objects: names (without , and ;) and boxes of objects

    Returns:
        the name of the zone, "" for none, and the context, in which these are separated by "; ", where they apply:

        - `near 2 3`: the people nearby, see `near`;
        - `with chair, cup`: the objects whose boxes touch the person's;
        - `on the floor`: lying outside the zones of rest; known only where there are zones.

    >>> describe(1, "lying", {1: [100, 300, 260, 350], 2: [300, 180, 350, 350]}, zones)
    ('kitchen', 'near 2; on the floor')
    """
    box = boxes[person]
    zone = zones.at_box(box, activity) if zones else ""
    parts = []
    if people := near(person, boxes):
        parts.append("near " + " ".join(map(str, people)))
    if names := sorted({name for name, other in objects if distance(box, other) == 0}):
        parts.append("with " + ", ".join(names))
    if zones and activity in LYING and zone not in zones.rest:
        parts.append(FLOOR)
    return zone, "; ".join(parts)


def near(person: int, boxes: Mapping[int, ArrayLike]) -> list[int]:
    """The ids of the people within about a body height of a person, in ascending order.

    This is judged in the picture alone: the gap between two boxes is at most the longer side of the larger one, which
    is the body's height whether it stands or lies, and neither is more than twice as large as the other, because
    somebody far behind looks smaller.
    """
    size = _size(boxes[person])
    return sorted(
        other
        for other, box in boxes.items()
        if other != person and 0.5 <= _size(box) / size <= 2 and distance(boxes[person], box) <= max(size, _size(box))
    )


def distance(box: ArrayLike, other: ArrayLike) -> float:
    """The gap between two boxes (x1 y1 x2 y2) in pixels, 0 where they touch or overlap."""
    a, b = np.asarray(box, dtype=float), np.asarray(other, dtype=float)
    gap = np.maximum(0, np.maximum(a[:2] - b[2:], b[:2] - a[2:]))
    return float(np.hypot(*gap))


def _size(box: ArrayLike) -> float:
    """The longer side of a box, at least a pixel."""
    x1, y1, x2, y2 = np.asarray(box, dtype=float)
    return max(x2 - x1, y2 - y1, 1.0)
