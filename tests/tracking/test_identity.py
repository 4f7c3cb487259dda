"""Who is recognised, and who is unknown rather than guessed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.test_appearance import BLUE, GREEN, GREY, RED, looks
from wtmr_core.tracking import identity
from wtmr_core.tracking.appearance import Appearance
from wtmr_core.tracking.identity import likeness, named, recognised, returned

ALICE, BOB, CAROL = looks(RED, BLUE), looks(GREEN, BLUE), looks(GREEN, GREY)


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
