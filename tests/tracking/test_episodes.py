"""Episodes: hand-worked paths, what holds of every recording, and that live agrees with whole in clear cases."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wtmr_core.tracking.episodes import GAP, UNKNOWN, Live, smooth
from wtmr_core.tracking.rules import STEP, Rules

HOME = ("bending", "falling", "lying", "sitting", "sitting down", "standing", "standing up", "walking")
PLAIN = ("a", "b", "c")


def rows(*runs: tuple[str, int], classes=HOME, sure: float = 0.9) -> np.ndarray:
    """Probabilities (n, k) of so many steps of each activity, one after another."""
    rest = (1 - sure) / (len(classes) - 1)
    probabilities = [np.where(np.array(classes) == name, sure, rest) for name, count in runs for _ in range(count)]
    return np.array(probabilities)


def steps(count: int) -> np.ndarray:
    return np.arange(count) * STEP


def told(episodes):
    return [(e.activity, round(e.start, 2), round(e.end, 2)) for e in episodes]


def test_what_lasts_is_an_episode_and_a_slip_is_none():
    p = rows(("a", 10), ("b", 1), ("a", 9), ("c", 10), classes=PLAIN)
    first, second = smooth(steps(30), p, PLAIN)
    assert told([first, second]) == [("a", 0, 2), ("c", 2, 3)]
    assert first.duration == pytest.approx(2)
    assert first.score == pytest.approx((19 * 0.9 + 0.05) / 20)


def test_the_path_is_the_best_of_all_paths():
    """Against every path of a short recording, weighed one by one."""
    rng = np.random.default_rng(0)
    rules = Rules(PLAIN, stay=0.8, dwell=1)
    p = rng.dirichlet([1, 1, 1], 6)
    weigh = lambda path: p[range(6), path].prod() * np.prod([0.8 if a == b else 0.1 for a, b in pairwise(path)])  # noqa: E731
    best = max(np.ndindex(*[3] * 6), key=weigh)
    found = [
        PLAIN.index(e.activity)
        for e in smooth(steps(6), p, PLAIN, rules, least=0)
        for _ in range(round(e.duration / STEP))
    ]
    assert found == list(best)


def test_nobody_lies_who_neither_fell_nor_sat():
    """Upright, then lying at once: between them the rules put the fall or the seat that the network half saw."""
    p = rows(("standing", 15), ("lying", 20))
    p[13:18, HOME.index("falling")] += 0.6
    named = [e.activity for e in smooth(steps(35), p / p.sum(1, keepdims=True), HOME)]
    assert named == ["standing", "falling", "lying"]
    p = rows(("standing", 15), ("lying", 20))
    p[10:15, HOME.index("sitting down")] += 0.4
    p[15:20, HOME.index("sitting")] += 0.4
    named = [e.activity for e in smooth(steps(35), p / p.sum(1, keepdims=True), HOME)]
    assert named == ["standing", "sitting down", "sitting", "lying"]


def test_a_fall_is_remembered_until_the_person_rises():
    """Seen from the feet, who lies reads as seated or bent."""
    p = rows(("walking", 15), ("falling", 10), ("sitting", 15), ("bending", 10), ("standing up", 10), ("standing", 15))
    assert told(smooth(steps(75), p, HOME)) == [
        ("walking", 0, 1.5), ("falling", 1.5, 2.5), ("lying", 2.5, 5), ("standing up", 5, 6), ("standing", 6, 7.5),
    ]  # fmt: skip


def test_picking_something_up_is_no_fall():
    p = rows(("standing", 10), ("bending", 12), ("standing", 10))
    p[10:13, HOME.index("falling")] = 0.5
    assert [e.activity for e in smooth(steps(32), p / p.sum(1, keepdims=True), HOME)] == [
        "standing",
        "bending",
        "standing",
    ]


def test_unknown_rather_than_a_guess():
    p = np.concatenate([rows(("a", 10), classes=PLAIN), np.full((20, 3), 1 / 3)])
    assert told(smooth(steps(30), p, PLAIN, least=0.6))[-1][0] == UNKNOWN


def test_gaps_are_no_duration_and_long_ones_end_an_episode():
    times = np.concatenate([steps(10), 2 + steps(10), 10 + steps(10)])
    first, second = smooth(times, rows(("a", 30), classes=PLAIN), PLAIN)
    assert (first.start, first.end, first.duration) == pytest.approx((0, 3, 2))
    assert (second.start, second.end, second.duration) == pytest.approx((10, 11, 1))


def test_nothing_seen_nothing_said():
    assert smooth(np.zeros(0), np.zeros((0, 3)), PLAIN) == Live(PLAIN).close() == []


@pytest.mark.parametrize(
    ("times", "shape", "words"),
    [
        ([0, 1], (2, 2), "column for each class"),
        ([0, 0], (2, 3), "times must rise"),
        ([0, np.nan], (2, 3), "times must rise"),
    ],
)
def test_what_does_not_fit_is_refused(times, shape, words):
    with pytest.raises(ValueError, match=words):
        smooth(np.array(times), np.full(shape, 1 / shape[1]), PLAIN)
    with pytest.raises(ValueError, match="finite numbers"):
        Live(PLAIN).add(0.0, np.array([np.nan, 0, 1]))


def test_plain_rules_for_other_classes():
    assert Rules.of(PLAIN).names == list(PLAIN)
    assert Rules.of(HOME).names == [*HOME, "lying"]
    assert Rules.of(HOME[::-1]).fallen


numbers = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.floats(0.05, 4)), arrays(float, (n, len(HOME)), elements=st.floats(0.001, 1))
    )
)


@given(numbers)
@settings(max_examples=40)
def test_episodes_never_overlap_and_cover_just_what_was_seen(drawn):
    times, p = np.cumsum(drawn[0]), drawn[1] / drawn[1].sum(1, keepdims=True)
    episodes = smooth(times, p, HOME)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(episodes))
    assert all(0 < e.duration <= e.end - e.start + 1e-9 for e in episodes)
    gaps = np.diff(times)
    assert sum(e.duration for e in episodes) == pytest.approx(np.where(gaps > GAP, STEP, gaps).sum() + STEP)
    for time in times:
        assert sum(e.start <= time < e.end for e in episodes) == 1


@settings(max_examples=40)
@given(numbers, st.permutations(range(len(HOME))))
def test_the_order_of_classes_changes_nothing(drawn, order):
    times, p = np.cumsum(drawn[0]), drawn[1] / drawn[1].sum(1, keepdims=True)
    assert smooth(times, p, HOME) == smooth(times, p[:, order], [HOME[k] for k in order])


@given(numbers)
@settings(max_examples=40)
def test_live_covers_the_same_time(drawn):
    times, p = np.cumsum(drawn[0]), drawn[1] / drawn[1].sum(1, keepdims=True)
    live = Live(HOME)
    events = [e for n, row in enumerate(p) for e in live.add(times[n], row)] + live.close()
    episodes = [e.episode for e in events if e.episode]
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(episodes))
    assert sum(e.duration for e in episodes) == pytest.approx(sum(e.duration for e in smooth(times, p, HOME)))


def test_live_tells_a_fall_soon_once_and_the_same_episodes():
    runs = [("walking", 30), ("falling", 12), ("lying", 30), ("sitting", 30), ("standing up", 12), ("standing", 30)]
    p = rows(*runs)
    live, events = Live(HOME), []
    for n, row in enumerate(p):
        events += live.add(n * STEP, row)
    falls = [(e.fall, e.seconds) for e in events if e.fall is not None]
    assert len(falls) == 1
    assert falls[0][0] == pytest.approx(3.0)
    assert falls[0][1] <= 3.0 + 0.5 + 1e-9
    assert all(e.seconds - e.episode.end <= 1.0 + 1e-9 for e in events if e.episode)
    whole = [e.episode for e in events if e.episode] + [e.episode for e in live.close()]
    assert told(whole) == told(smooth(steps(len(p)), p, HOME))
