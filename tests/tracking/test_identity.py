"""Who is recognised, and who is unknown rather than guessed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.test_appearance import BLUE, GREEN, GREY, RED, looks
from wtmr_core.tracking import identity
from wtmr_core.tracking.appearance import Appearance
from wtmr_core.tracking.identity import Piece, likeness, named, owners, recognised

ALICE, BOB, CAROL = looks(RED, BLUE), looks(GREEN, BLUE), looks(GREEN, GREY)


def numbered(pieces):
    """Whom each piece shows, in the order of the pieces, and looks by number."""
    found, known = owners(pieces)
    order = {(piece.number, piece.start): owner for piece, owner in found}
    assert len(found) == len(pieces), "a piece was cut"
    return [order[piece.number, piece.start] for piece in pieces], known


def returned(people, spans):
    """Number -> the number under which the person was first seen, where each number is one person."""
    found, _ = numbered([Piece(number, *spans[number], people[number]) for number in people])
    return {number: owner for number, owner in zip(people, found, strict=True) if number != owner}


def test_likeness_is_what_similarity_exceeds_its_threshold_by():
    assert likeness(ALICE, ALICE) == pytest.approx(1 - identity.SAME)
    assert likeness(ALICE, BOB) == pytest.approx(0.5 - identity.SAME, abs=0.01)
    assert likeness(ALICE, looks(sightings=2)) == -np.inf
    assert likeness(Appearance.none(), ALICE) == -np.inf


def test_the_most_alike_is_recognised_and_a_stranger_is_unknown():
    known = {"alice": [ALICE], "bob": [CAROL, BOB], "nobody": []}
    assert recognised(ALICE, known) == "alice"
    assert recognised(BOB, known) == "bob"
    assert recognised(looks(GREY, GREY), known) is None
    assert recognised(looks(sightings=1), known) is None
    assert recognised(ALICE, {}) is None


def test_two_in_the_same_clothes_are_both_unknown():
    assert recognised(ALICE, {"alice": [ALICE], "her twin": [looks(RED, BLUE, sightings=9)]}) is None


def test_who_leaves_and_comes_back_has_the_first_number():
    people = {1: ALICE, 2: BOB, 3: looks(RED, BLUE), 4: CAROL, 5: looks(RED, BLUE, sightings=7)}
    spans = {1: (0, 10), 2: (0, 60), 3: (20, 30), 4: (25, 60), 5: (40, 60)}
    assert returned(people, spans) == {3: 1, 5: 1}


@pytest.mark.parametrize(
    ("people", "spans"),
    [
        ({1: ALICE, 2: ALICE}, {1: (0, 10), 2: (5, 15)}),  # seen at the same time
        ({1: ALICE, 2: ALICE}, {1: (0, 10), 2: (10.2, 15)}),  # not away
        ({1: ALICE, 2: ALICE, 3: ALICE}, {1: (0, 10), 2: (0, 30), 3: (20, 30)}),  # a twin is still there
        ({1: ALICE, 2: looks(sightings=2)}, {1: (0, 10), 2: (20, 30)}),  # hardly seen
        ({1: ALICE, 2: BOB}, {1: (0, 10), 2: (20, 30)}),  # somebody else
    ],
    ids=["together", "at once", "twin", "hardly seen", "other"],
)
def test_who_is_not_surely_the_same_has_a_number_of_their_own(people, spans):
    assert returned(people, spans) == {}


def test_one_who_returned_is_away_again_before_the_next_return():
    people = {1: ALICE, 2: ALICE, 3: ALICE}
    assert returned(people, {1: (0, 10), 2: (20, 30), 3: (25, 40)}) == {2: 1}


def test_two_whom_the_tracker_exchanged_have_their_own_numbers_again():
    pieces = [Piece(1, 0, 8, ALICE), Piece(1, 8, 60, CAROL), Piece(2, 3, 8, CAROL), Piece(2, 8, 60, ALICE)]
    found, known = numbered(pieces)
    assert found == [1, 2, 2, 1]
    assert {n: one.sightings for n, one in known.items()} == {1: 6, 2: 6}


def test_exchanged_twice_all_is_as_in_the_beginning():
    pieces = [Piece(n, *span, one) for n, ones in {1: (ALICE, CAROL, ALICE), 2: (CAROL, ALICE, CAROL)}.items()
              for span, one in zip([(0, 8), (8, 20), (20, 60)], ones, strict=True)]  # fmt: skip
    assert numbered(pieces)[0] == [1, 2, 1, 2, 1, 2]


def test_who_lost_a_number_to_its_owner_gets_the_other_even_if_hardly_seen_before():
    hardly = looks(GREEN, GREY, sightings=1)
    pieces = [Piece(1, 0, 8, ALICE), Piece(1, 8, 60, CAROL), Piece(2, 3, 8, hardly), Piece(2, 8, 60, ALICE)]
    found, known = numbered(pieces)
    assert found == [1, 2, 2, 1]
    assert known[2].sightings == 4


def test_of_three_who_are_exchanged_in_a_ring_one_may_be_hardly_known():
    hardly = looks(GREY, RED, sightings=1)
    pieces = [Piece(1, 0, 8, ALICE), Piece(2, 0, 8, CAROL), Piece(3, 0, 8, hardly),
              Piece(1, 8, 60, looks(GREY, RED)), Piece(2, 8, 60, ALICE), Piece(3, 8, 60, CAROL)]  # fmt: skip
    found, known = numbered(pieces)
    assert found == [1, 2, 3, 3, 1, 2]
    assert known[3].sightings == 4


def test_who_was_hardly_seen_between_two_exchanges_has_a_number_too():
    """2 and 3 are exchanged at 9, 1 and 2 at 11. Dora, whom 3 shows first, then 2, then 1, is clear only from 11 on."""
    dora = looks(GREY, RED)
    pieces = [Piece(1, 0, 11, CAROL), Piece(1, 11, 60, dora), Piece(2, 0, 9, ALICE), Piece(2, 9, 20, CAROL),
              Piece(3, 7, 60, ALICE), Piece(4, 30, 60, CAROL)]  # fmt: skip
    found, known = owners(pieces)
    assert {(piece.number, piece.start, piece.end): owner for piece, owner in found} == {
        (1, 0, 11): 1, (1, 11, 60): 3, (2, 0, 9): 2, (2, 9, 11): 3, (2, 11, 20): 1, (3, 7, 9): 3, (3, 9, 60): 2,
        (4, 30, 60): 1,
    }  # fmt: skip
    assert {n: one.sightings for n, one in known.items()} == {1: 9, 2: 6, 3: 3}


def test_a_newcomer_in_the_clothes_that_somebody_takes_off_is_not_taken_for_them():
    """Alice takes off her jacket at 30; a visitor in a jacket like hers has been there since 28."""
    without = looks(GREY, BLUE)
    assert numbered([Piece(1, 0, 30, ALICE), Piece(1, 30, 60, without), Piece(2, 28, 60, ALICE)])[0] == [1, 1, 2]


@pytest.mark.parametrize("first", [1, 2])
def test_who_looks_like_somebody_who_is_still_there_keeps_no_number_from_its_owner(first):
    """Alice and Carol are exchanged at 8; Dora is there all the time, and then the number of Alice looks like hers."""
    second, dora = 3 - first, looks(GREY, RED)
    pieces = [Piece(first, 0, 8, ALICE), Piece(first, 8, 60, dora), Piece(second, 0, 8, CAROL),
              Piece(second, 8, 60, ALICE), Piece(3, 0, 60, dora)]  # fmt: skip
    assert numbered(pieces)[0] == [first, second, second, first, 3]


def test_unlike_pieces_that_show_nobody_known_stay_one_number_of_which_nothing_is_known():
    found, known = numbered([Piece(1, 0, 8, ALICE), Piece(1, 8, 20, CAROL), Piece(2, 30, 40, ALICE)])
    assert found == [1, 1, 2]
    assert not known[1].known
    assert known[2].sightings == 3


def test_of_two_who_are_together_the_more_alike_is_the_known_one():
    near = looks(RED, BLUE) + looks(RED, GREY, sightings=1)
    assert likeness(near, ALICE) > 0
    assert named({1: near, 2: ALICE}, {1: (0, 9), 2: (5, 9)}, {"alice": [ALICE]}) == {2: "alice"}
    assert named({1: near, 2: ALICE}, {1: (0, 4), 2: (5, 9)}, {"alice": [ALICE]}) == {1: "alice", 2: "alice"}


COLOURS = st.sampled_from([RED, BLUE, GREEN, GREY])
PEOPLE = st.lists(
    st.tuples(COLOURS, COLOURS, st.integers(0, 5), st.floats(0, 50), st.floats(0, 30)), min_size=0, max_size=7
)


@given(PEOPLE)
def test_nobody_is_in_two_places_and_every_number_is_the_first(rows):
    people = {n: looks(a, b, sightings=k) if k else Appearance.none() for n, (a, b, k, _, _) in enumerate(rows)}
    spans = {n: (start, start + length) for n, (*_, start, length) in enumerate(rows)}
    same = returned(people, spans)
    assert not set(same) & set(same.values())
    for first in set(same.values()):
        times = sorted(spans[n] for n in [first, *(n for n in same if same[n] == first)])
        assert times[0] == spans[first]
        assert all(before[1] < after[0] for before, after in pairwise(times))
    known = {"a": [ALICE], "b": [BOB]}
    for n, key in named(people, spans, known).items():
        assert recognised(people[n], known) == key


@given(PEOPLE, st.lists(st.lists(st.tuples(st.integers(1, 29), COLOURS, COLOURS), max_size=3), min_size=7, max_size=7))
def test_nobody_is_in_two_places_whatever_the_tracker_exchanged(rows, changes):
    pieces = []
    for n, ((a, b, k, start, length), several) in enumerate(zip(rows, changes, strict=False)):
        cuts = sorted({c: (c, *two) for c, *two in several if start < c < start + length}.values())
        starts, clothes = [start, *(c for c, *_ in cuts)], [(a, b), *(two for _, *two in cuts)]
        for (first, last), two in zip(pairwise([*starts, start + length]), clothes, strict=True):
            pieces.append(Piece(n, first, last, looks(*two, sightings=k) if k else Appearance.none()))
    found, known = owners(pieces)
    assert {owner for _, owner in found} == set(known)
    for owner in known:
        times = sorted((piece.start, piece.end) for piece, one in found if one == owner)
        assert all(before[1] <= after[0] for before, after in pairwise(times))
    for number in {piece.number for piece in pieces}:  # cut or not, all of its time is somebody's
        times = [(piece.start, piece.end) for piece, _ in found if piece.number == number]
        assert all(before[1] == after[0] for before, after in pairwise(times))
        assert times[0][0] == min(piece.start for piece in pieces if piece.number == number)
        assert times[-1][1] == max(piece.end for piece in pieces if piece.number == number)
