"""Who is who: the same person after leaving and coming back, in one video and in the next, by their looks.

Two people in the same clothes look alike, and one person in other clothes does not: who is not surely one of the known
people is unknown. `benchmarks/identity.py` measures how often this is right and wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import TypeVar

import numpy as np

from wtmr_core.tracking.appearance import CHANGED, Appearance, similarity

# Chosen on people of a street: of households of three known people and a stranger, the stranger got a name in 5 %.
SAME = 0.76  # similarity from which two appearances can be of one person
MARGIN = 0.03  # by which the most similar person must be more similar than every other
AWAY = 0.5  # seconds out of sight without which nobody has returned
UNSEEN = 3.0  # seconds that who is exchanged twice may go unrecognised in between; chosen on a miniature home

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


@dataclass(frozen=True)
class Piece:
    """A stretch of a video in which a number of the tracker is one person: seconds, and that person's looks."""

    number: int
    start: float
    end: float
    looks: Appearance


def owners(pieces: Sequence[Piece]) -> tuple[list[tuple[Piece, int]], dict[int, Appearance]]:
    """Find whom each piece of a video shows: who was in it before, under this number or another, or somebody new.

    A number's first piece is a person whom it surely looks like and who was not seen since they came; that person must
    also be more like it than anybody else who was seen before, and may still be there. Each further piece begins where
    the number's looks changed all at once: where it shows another person, who was not seen since, it is theirs. Who has
    lost a number to its owner, and is not recognised, gets the owner's other number. Where nobody is recognised the
    number stays; nothing is known of the looks of a number with unlike pieces.

    Where the person whom a piece shows has a number that becomes somebody else within `UNSEEN` seconds of its start,
    they were exchanged only then: the piece is cut there, and nothing is known of the looks of its first part. With a
    number's first piece that somebody else must be recognised, for it may as well be a newcomer in like clothes.

    Returns:
        the pieces in order of time, some of them cut, each with the number of its person, that of their first piece;
        and looks by number
    """
    known: dict[int, Appearance] = {}
    last: dict[int, float] = {}
    lost: set[int] = set()  # numbers that may be several people
    now: dict[int, int] = {}  # number of the tracker -> the person whom its last piece showed
    shown: dict[int, int] = {}  # person -> the number of the tracker that showed them last
    begun = {(piece.number, piece.start): piece.looks for piece in pieces}
    found: list[tuple[Piece, int]] = []
    waiting = [(piece.start, piece.number, piece) for piece in pieces]
    heapify(waiting)
    while waiting:
        start, group, taken = waiting[0][0], [], set()
        sure = {key: [looks] for key, looks in known.items() if key not in lost}
        while waiting and waiting[0][0] == start:
            *_, piece = heappop(waiting)
            guess = recognised(piece.looks, sure)
            end, first = last.get(guess, -np.inf), piece.number not in now
            after = begun.get((shown.get(guess), end), Appearance.none())  # looks of the number that showed that person
            exchanged = after.known and not (first and recognised(after, sure) in (None, guess))
            if exchanged and start < end < min(start + UNSEEN, piece.end):
                heappush(waiting, (end, piece.number, replace(piece, start=end)))
                begun[piece.number, end] = piece.looks
                piece = replace(piece, end=end, looks=Appearance.none())
            if guess in taken or start - end < (AWAY if first else 0):
                guess = None
            taken.add(guess)
            group.append((piece, guess))
        left: dict[int, int] = {}  # who is recognised under another number -> who has lost that number to them
        for piece, guess in sorted(group, key=lambda pair: pair[1] is None):  # who is recognised comes first
            before = owner = now.get(piece.number, piece.number)
            if guess is not None:
                owner, left[guess] = guess, before
            while start < last.get(owner, -np.inf):
                owner = left[owner]
            former = known.get(owner, Appearance.none())
            if owner == guess or not former.sightings or similarity(former, piece.looks) >= CHANGED:
                known[owner] = former + piece.looks
            elif piece.looks.sightings:
                lost.add(owner)
            last[owner], now[piece.number], shown[owner] = piece.end, owner, piece.number
            found.append((piece, owner))
    return found, known | dict.fromkeys(lost, Appearance.none())


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
