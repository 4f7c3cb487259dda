"""The people of a video who left and came back, or whom the tracker took for each other, under one number each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise

from wtmr_core.tracking.appearance import Appearances, Gap, Moment
from wtmr_core.tracking.identity import Piece, owners
from wtmr_core.tracking.person import Person


class Reunion:
    """Who the numbers of the tracker are, by looks, at the end of a video; see `identity.owners`.

    Args:
        persons: the people as tracked, by number
        seen: what they look like

    Attributes:
        persons: the people, by the number under which they were first seen
        looks: what they look like, by the same number
        changed: whether anybody has another number than the tracker gave
    """

    def __init__(self, persons: Mapping[int, Person], seen: Appearances) -> None:
        moments = cuts({number: seen.changes(number) for number in persons})
        pieces = []
        for number, person in persons.items():
            starts = [person.seconds[0], *(seconds for seconds, _ in moments[number])]
            edges = pairwise([*starts, person.seconds[-1]])
            pieces += [Piece(number, *edge, looks) for edge, looks in zip(edges, seen.of(number), strict=True)]
        found, self.looks = owners(pieces)
        frames = dict(moment for several in moments.values() for moment in several)
        self._owners: dict[int, list[int]] = {}
        self._cuts: dict[int, list[Moment]] = {number: [] for number in persons}
        for piece, owner in found:
            if piece.number in self._owners:
                self._cuts[piece.number].append((piece.start, frames[piece.start]))
            self._owners.setdefault(piece.number, []).append(owner)
        self.changed = any(piece.number != owner for piece, owner in found)
        self.persons = self._joined(persons) if self.changed else dict(persons)

    def at(self, number: int, seconds: float) -> int:
        """The number of the person who had a number of the tracker at a moment."""
        return self._owners[number][bisect_right([moment[0] for moment in self._cuts[number]], seconds)]

    def in_frame(self, number: int, frame: int) -> int:
        """The number of the person who had a number of the tracker in a frame."""
        return self._owners[number][bisect_right([moment[1] for moment in self._cuts[number]], frame)]

    def _joined(self, persons: Mapping[int, Person]) -> dict[int, Person]:
        parts: list[tuple[int, Person]] = []
        for number, person in persons.items():
            for owner, (seconds, _) in zip(self._owners[number], self._cuts[number], strict=False):
                before, person = person.parted(seconds)
                parts.append((owner, before))
            parts.append((self._owners[number][-1], person))
        joined: dict[int, Person] = {}
        sighted = [part for part in parts if part[1].seconds]  # a cut may lie where the number was not seen
        for owner, part in sorted(sighted, key=lambda pair: pair[1].seconds[0]):
            if owner in joined:
                joined[owner].join(part)
            else:
                joined[owner] = part
        return joined


def cuts(changes: Mapping[int, list[Gap]]) -> dict[int, list[Moment]]:
    """The moments at which the numbers of a video became other people.

    Two numbers that change in the same interval are taken for two people exchanged at one moment.

    Args:
        changes: number -> the last sighting before and the first after each change

    Returns:
        number -> moments, in order of time
    """
    groups: list[dict[int, Gap]] = []
    for gap, number in sorted((gap, number) for number, several in changes.items() for gap in several):
        if groups and number not in groups[-1] and gap[0] < min(after for _, after in groups[-1].values()):
            groups[-1][number] = gap
        else:
            groups.append({number: gap})
    found: dict[int, list[Moment]] = {number: [] for number in changes}
    for group in groups:
        low, high = max(before for before, _ in group.values()), min(after for _, after in group.values())
        for number in group:
            found[number].append(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2))
    return found
