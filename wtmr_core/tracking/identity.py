"""Who is who: the same person after leaving and coming back, in one video and in the next, by their looks.

Two people in the same clothes look alike, and one person in other clothes does not: who is not surely one of the known
people is unknown. `benchmarks/identity.py` measures how often this is right and wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from wtmr_core.tracking.appearance import Appearance, similarity

# Chosen on people of a street: of households of three known people and a stranger, the stranger got a name in 5 %.
SAME = 0.76  # similarity from which two appearances can be of one person
MARGIN = 0.03  # by which the most similar person must be more similar than every other
AWAY = 0.5  # seconds out of sight without which nobody has returned

Key = TypeVar("Key", bound=Hashable)
Span = tuple[float, float]  # seconds of the first and the last sighting


def likeness(a: Appearance, b: Appearance) -> float:
    """How much more similar two appearances are than they must be to be of one person: below 0 they are not.

    Minus infinity where one is not `known`; see `appearance.similarity`.
    """
    if not (a.known and b.known):
        return -np.inf
    return similarity(a, b) - SAME


def recognised(looks: Appearance, known: Mapping[Key, Sequence[Appearance]]) -> Key | None:
    """Find the person among the `known` whom these looks show; None where nobody is surely it.

    The most similar of a person's appearances counts.
    """
    found = {key: max((likeness(looks, one) for one in several), default=-np.inf) for key, several in known.items()}
    best = max(found, key=found.__getitem__, default=None)
    if best is None or found[best] < 0:
        return None
    others = max((value for key, value in found.items() if key != best), default=-np.inf)
    return best if found[best] - others >= MARGIN else None


def returned(looks: Mapping[int, Appearance], spans: Mapping[int, Span]) -> dict[int, int]:
    """Find the people of a video who were in it before, under another number.

    Somebody is a person whom they surely look like and who was not seen since they came. They must also look more like
    that person than like anybody else who was seen before, and may still be there.

    Args:
        looks: person -> appearance
        spans: person -> seconds of the first and the last sighting

    Returns:
        number -> the number under which the person was first seen, for those who returned
    """
    same: dict[int, int] = {}
    known: dict[int, Appearance] = {}
    last: dict[int, float] = {}
    for number in sorted(spans, key=lambda n: (spans[n][0], n)):
        start, end = spans[number]
        first = recognised(looks[number], {n: [one] for n, one in known.items()})
        if first is None or start - last[first] < AWAY:
            known[number], last[number] = looks[number], end
        else:
            same[number] = first
            known[first], last[first] = known[first] + looks[number], end
    return same


def named(
    looks: Mapping[int, Appearance],
    spans: Mapping[int, Span],
    known: Mapping[Key, Sequence[Appearance]],
) -> dict[int, Key]:
    """Recognise the people of a video among the `known`; nobody is two people seen at the same time.

    Of people seen at the same time who look like one of the known, the most similar is that one and the others are
    unknown.

    Returns:
        person -> key in `known`, for those who are recognised
    """
    keys = {n: key for n, one in looks.items() if (key := recognised(one, known)) is not None}
    order = sorted(keys, key=lambda n: (-max(likeness(looks[n], one) for one in known[keys[n]]), n))
    sure: dict[int, Key] = {}
    for number in order:
        rivals = [n for n, key in sure.items() if key == keys[number]]
        if not any(_together(spans[number], spans[n]) for n in rivals):
            sure[number] = keys[number]
    return sure


def _together(a: Span, b: Span) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]
