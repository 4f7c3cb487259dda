"""Intervals and comparisons: by hand, against SciPy, on simulated clips, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wtmr_core import intervals, metrics
from wtmr_core.intervals import Interval

GROUPS = np.array(["a", "a", "b", "b"])
ZEROS = np.zeros(4, int)


def logits_of(right) -> np.ndarray:
    """Logits (..., b, 2) of clips of class 0 that are right (True, 1) or wrong."""
    return np.eye(2)[1 - np.asarray(right, int)]


def singles(clips: int) -> np.ndarray:
    """Groups (b,) of one clip each."""
    return np.array([f"clip {i:04}" for i in range(clips)])


def top1(right, groups, **options) -> Interval:
    return intervals.bootstrap(np.zeros(len(groups), int), logits_of(right), groups, **options)


def compared(first, second, groups, **options) -> intervals.Comparison:
    return intervals.compare(np.zeros(len(groups), int), logits_of(first), logits_of(second), groups, **options)


def ends(found) -> tuple[float, float]:
    return found.low, found.high


@st.composite
def models(draw, runs=1):
    """Right guesses of two models, (b,) each or (s, b) of up to `runs` runs, and groups (b,), at least two."""
    b = draw(st.integers(2, 15))
    groups = ["g0", "g1", *draw(st.lists(st.sampled_from(["g0", "g1", "g2", "g3"]), min_size=b - 2, max_size=b - 2))]
    right = st.lists(st.booleans(), min_size=b, max_size=b)
    several = right if runs == 1 else st.lists(right, min_size=1, max_size=runs)
    return np.array(draw(several)), np.array(draw(several)), np.array(groups)


def test_two_groups_by_hand():
    """Both groups are drawn in half of the resamples, the right one and the wrong one twice in a quarter each."""
    found = top1([1, 1, 0, 0], GROUPS)
    assert found == Interval(0.5, 0, 1)
    assert top1([1, 1, 0, 0], GROUPS, level=0.4) == Interval(0.5, 0.5, 0.5)


def test_two_runs_by_hand():
    """Groups are all the same, so only runs differ: the same three shares."""
    right = [[1, 1, 1, 1], [0, 0, 0, 0]]
    assert top1(right, GROUPS) == Interval(0.5, 0, 1)
    assert top1(right, GROUPS, level=0.4) == Interval(0.5, 0.5, 0.5)


def test_a_group_counts_with_all_its_clips():
    """Of the pairs aa, ab, ba, bb, a with one clip and b with three, the shares are 1, 1/4, 1/4 and 0."""
    found = top1([1, 0, 0, 0], ["a", "b", "b", "b"], level=0.4)
    assert found == Interval(0.25, 0.25, 0.25)
    assert ends(top1([1, 0, 0, 0], ["a", "b", "b", "b"])) == (0, 1)


def test_copies_of_clips_within_their_groups_add_nothing():
    rng = np.random.default_rng(0)
    right, groups = rng.random(80) < 0.7, singles(80)
    once = top1(right, groups)
    five = top1(np.repeat(right, 5), np.repeat(groups, 5))
    assert ends(five) == pytest.approx(ends(once))
    taken_for_others = top1(np.repeat(right, 5), singles(400))
    assert (taken_for_others.high - taken_for_others.low) * np.sqrt(5) == pytest.approx(once.high - once.low, rel=0.15)


def test_runs_that_agree_are_as_one_and_runs_that_do_not_widen():
    rng = np.random.default_rng(1)
    right, groups = rng.random(200) < 0.7, np.repeat(singles(40), 5)
    once = top1(right, groups)
    agreeing = top1([right] * 3, groups)
    assert agreeing == Interval(*map(pytest.approx, (once.value, once.low, once.high)))
    better, worse = right | (rng.random(200) < 0.5), right & (rng.random(200) < 0.5)
    found = top1([better, right, worse], groups)
    assert found.value == pytest.approx(np.mean([better, right, worse]))
    assert found.high - found.low > 1.3 * (once.high - once.low)


def test_as_scipy_has_it_where_every_clip_is_a_group():
    right = np.random.default_rng(2).random(300) < 0.8
    found = top1(right, singles(300), resamples=5000)
    theirs = stats.bootstrap(
        (right.astype(float),), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert ends(found) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 300)
    assert ends(found) == pytest.approx((right.mean() - half, right.mean() + half), abs=0.008)


def test_as_scipy_has_it_for_groups_of_one_size():
    rng = np.random.default_rng(4)
    shares = rng.random(60)
    right = rng.random((60, 10)) < shares[:, None]
    found = top1(right.ravel(), np.repeat(singles(60), 10), resamples=5000, level=0.9)
    theirs = stats.bootstrap(
        (right.mean(axis=1),), np.mean, n_resamples=5000, confidence_level=0.9, method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    assert ends(found) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Films of 10 clips, each with its own accuracy, 0.6 on average: with clips for groups it is far too narrow."""
    rng, films, clips = np.random.default_rng(6), np.repeat(singles(40), 10), singles(400)
    held = {"films": 0, "clips": 0}
    for _ in range(150):
        right = rng.random(400) < np.repeat(rng.beta(1.2, 0.8, 40), 10)
        for name, groups in (("films", films), ("clips", clips)):
            found = top1(right, groups, resamples=200)
            held[name] += found.low <= 0.6 <= found.high
    assert 0.88 <= held["films"] / 150 <= 0.99
    assert held["clips"] / 150 < 0.75


def test_every_metric_has_an_interval_around_its_score():
    rng = np.random.default_rng(7)
    labels, groups = rng.integers(6, size=120), np.repeat(singles(30), 4)
    logits = rng.normal(size=(2, 120, 6)) + np.eye(6)[labels]
    each = [metrics.scores(labels, run) for run in logits]
    for metric in metrics.METRICS:
        found = intervals.bootstrap(labels, logits, groups, metric=metric, resamples=200)
        assert found.value == pytest.approx(np.mean([scores[metric] for scores in each]))
        assert 0 < found.low < found.value < found.high < 1


@given(models(runs=3))
@settings(max_examples=30)
def test_a_step_per_draw_finds_what_the_quick_way_does(case):
    """Of clips of one class the mean recall is the top-1 accuracy, counted draw by draw."""
    right, _, groups = case
    slow = top1(right, groups, metric="mean_class_accuracy", resamples=30)
    quick = top1(right, groups, resamples=30)
    assert (slow.value, *ends(slow)) == pytest.approx((quick.value, *ends(quick)))


@given(models(runs=3), st.randoms(use_true_random=False))
def test_what_intervals_must_keep_to(case, random):
    right, _, groups = case
    found = top1(right, groups, resamples=50)
    assert 0 <= found.low <= found.high <= 1
    assert found.value == pytest.approx(right.mean())
    assert top1(right, groups, resamples=50) == found  # the seed says it all
    wider = top1(right, groups, resamples=50, level=0.99)
    assert wider.low <= found.low
    assert wider.high >= found.high
    order = random.sample(range(len(groups)), len(groups))
    assert top1(right[..., order], groups[order], resamples=50) == found
    opposite = top1(~right, groups, resamples=50)
    assert ends(opposite) == pytest.approx((1 - found.high, 1 - found.low))


def test_the_seed_draws_others():
    right = np.random.default_rng(8).random(50) < 0.5
    assert top1(right, singles(50), seed=1) != top1(right, singles(50), seed=2)


def test_a_comparison_by_hand():
    """Groups differ by 2, 1 and −1, together 2; of the 8 flips, 6 bring 2 or more, up or down."""
    first, second = [1, 1, 1, 0, 1], [0, 0, 0, 1, 1]
    found = compared(first, second, ["a", "a", "b", "c", "d"])
    assert found.difference == 2 / 5
    assert found.p == 6 / 8
    assert (found.clips, found.groups, found.first_only, found.second_only) == (5, 4, 3, 1)
    assert -1 <= found.low < 2 / 5 < found.high <= 1


def test_a_comparison_of_several_runs_by_hand():
    """First is right in 2, 1 and 0 of 2 runs, second in 0, 3 and 0 of 3: the two groups differ by 1 and −1/2."""
    first, second = [[1, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    found = compared(first, second, ["a", "b", "c"])
    assert found.difference == pytest.approx((1 - 1 / 2) / 3)
    assert (found.first_only, found.second_only) == (1, 1 / 2)
    assert found.p == 1  # every flip is 1/2 or more from 0


def test_a_tie_of_shares_is_a_tie():
    """Over ten runs the groups differ by 0.1, 0.2 and −0.3, which in floating point do not add up to 0."""
    first, second = (np.arange(10)[:, None] < right for right in ([1, 2, 0], [0, 0, 3]))
    found = compared(first, second, ["a", "b", "c"])
    assert (found.difference, found.p) == (0, 1)


@pytest.mark.parametrize("discordant", [(0, 5), (4, 8), (9, 3), (6, 6)])
def test_with_single_clips_it_is_mcnemars_exact_test(discordant):
    more, less = discordant
    first = np.array([1] * more + [0] * less + [1] * 20 + [0] * 10)
    second = np.array([0] * more + [1] * less + [1] * 20 + [0] * 10)
    found = compared(first, second, singles(len(first)))
    assert (found.first_only, found.second_only) == discordant
    assert found.p == pytest.approx(stats.binomtest(more, more + less).pvalue)


def test_random_flips_come_near_all_of_them():
    first = np.array([1] * 32 + [0] * 18)
    found = compared(first, 1 - first, singles(50), resamples=20_000)
    assert found.p == pytest.approx(stats.binomtest(32, 50).pvalue, abs=0.01)


def test_random_flips_are_never_none():
    assert compared(np.ones(50), np.zeros(50), singles(50), resamples=99).p == 1 / 100


@given(models())
@settings(max_examples=50)
def test_p_as_scipy_has_it(case):
    first, second, groups = case
    found = compared(first, second, groups)
    gaps = np.array([(first[groups == g] * 1.0 - second[groups == g]).sum() for g in np.unique(groups)])
    theirs = stats.permutation_test((gaps, 0 * gaps), lambda a, b: (a - b).sum(), permutation_type="samples")
    assert found.p == pytest.approx(min(theirs.pvalue, 1))


@given(models(runs=3))
def test_what_comparisons_must_keep_to(case):
    first, second, groups = case
    found, other = compared(first, second, groups, resamples=50), compared(second, first, groups, resamples=50)
    assert found.difference == -other.difference
    assert found.p == other.p
    assert (found.first_only, found.second_only) == (other.second_only, other.first_only)
    assert (found.first_only - found.second_only) / len(groups) == pytest.approx(found.difference)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert -1 <= found.low <= found.high <= 1
    assert 0 < found.p <= 1


@given(models())
def test_a_comparison_turned_round_has_its_interval_turned_round(case):
    first, second, groups = case
    found, other = compared(first, second, groups, resamples=50), compared(second, first, groups, resamples=50)
    assert ends(found) == pytest.approx((-other.high, -other.low))


@given(models())
def test_a_model_does_not_differ_from_itself(case):
    right, _, groups = case
    found = compared(right, right, groups, resamples=50)
    assert (found.difference, *ends(found), found.p, found.first_only, found.second_only) == (0, 0, 0, 1, 0, 0)


def test_both_models_see_the_same_groups():
    """Films of very different difficulty, one model right in 4 of 5 clips where the other is: a steady difference."""
    rng = np.random.default_rng(9)
    first = np.repeat(rng.random(40) < 0.5, 5)
    second = first & (np.arange(200) % 5 > 0)
    groups = np.repeat(singles(40), 5)
    alone, found = top1(first, groups), compared(first, second, groups)
    assert found.high - found.low < 0.3 * (alone.high - alone.low)
    assert found.low > 0


def test_runs_of_each_model_are_resample_on_their_own():
    """The same two runs twice: other runs might have turned out otherwise, so the difference may be any of three."""
    runs = [[1, 1, 1, 1], [0, 0, 0, 0]]
    found = compared(runs, runs, GROUPS)
    assert (found.difference, *ends(found), found.p) == (0, -1, 1, 1)


def test_copies_of_clips_within_their_groups_prove_nothing():
    rng = np.random.default_rng(10)
    first, second = rng.random(30) < 0.8, rng.random(30) < 0.5
    once = compared(first, second, singles(30))
    five = compared(np.repeat(first, 5), np.repeat(second, 5), np.repeat(singles(30), 5))
    assert (five.difference, *ends(five), five.p) == pytest.approx((once.difference, *ends(once), once.p))
    taken_for_others = compared(np.repeat(first, 5), np.repeat(second, 5), singles(150))
    assert taken_for_others.p < once.p


def test_p_is_small_as_seldom_as_it_says_where_models_are_equal():
    """Two models equally good on average, each with its own easy films."""
    rng, groups = np.random.default_rng(11), np.repeat(singles(20), 5)
    right = [[rng.random(100) < np.repeat(rng.random(20), 5) for _ in range(2)] for _ in range(200)]
    ps = np.array([compared(*pair, groups, resamples=199).p for pair in right])
    assert (ps <= 0.05).mean() <= 0.09
    assert 0.3 <= (ps <= 0.5).mean() <= 0.65


RIGHT = logits_of([1, 0, 1, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: intervals.bootstrap(ZEROS, RIGHT, ["a"] * 4), "all clips are of one group, 'a'; .* several groups"),
        (lambda: intervals.compare(ZEROS, RIGHT, RIGHT, ["a"] * 4), "all clips are of one group"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, ["a", "b"]), r"groups have the shape \(2,\), there are 4 clips"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, "film"), r"groups have the shape \(\), there are 4 clips"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, ["a", "b", None, np.nan]), "2 clips have no group"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT[:3], GROUPS), r"shape \(4,\) and logits \(3, 2\)"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT[None, None], GROUPS), r"\(b, k\) or \(s, b, k\)"),
        (lambda: intervals.bootstrap([], np.zeros((0, 2)), []), r"logits of the shape \(0, 2\) hold nothing"),
        (lambda: intervals.bootstrap(ZEROS, np.zeros((0, 4, 2)), GROUPS), "hold nothing"),
        (lambda: intervals.bootstrap(ZEROS + 2, RIGHT, GROUPS), "a label is 2; there are 2 classes"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT * np.nan, GROUPS), "logits of 4 clips are not finite"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, GROUPS, metric="top2"), "metric is 'top2'; give one of top1, top5"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, GROUPS, resamples=0), "resamples is 0"),
        (lambda: intervals.bootstrap(ZEROS, RIGHT, GROUPS, level=95), "level is 95; give a share"),
        (lambda: intervals.compare(ZEROS, RIGHT, RIGHT[:3], GROUPS), r"shape \(4,\) and second \(3, 2\)"),
        (lambda: intervals.compare(ZEROS, RIGHT[:3], RIGHT, GROUPS), r"shape \(4,\) and first \(3, 2\)"),
        (lambda: intervals.compare(ZEROS, RIGHT, np.zeros((4, 3)), GROUPS), "first has 2 classes and second 3"),
        (
            lambda: intervals.compare(ZEROS, RIGHT, [RIGHT, RIGHT * np.inf], GROUPS),
            r"second\[1\] of 4 clips are not finite",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_what_cannot_be_resample_or_compared(call, message):
    with pytest.raises(ValueError, match=message):
        call()
