"""Scores worked out by hand, and the same as two other implementations give."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.tracking.score import compare, edit, hits, iou, score, score_clip
from wtmr_core.tracking.truth import Clip, Course, Span, read_truth, segments

KINDS = ("walking", "standing", "sitting", "lying", "falling")


def course(*spans) -> Course:
    spans = [Span(*span) for span in spans]
    return Course(spans, segments(spans))


def log(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["person", "activity", "start_s", "end_s"])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((0, 4), (2, 6), 2 / 6), ((0, 4), (4, 6), 0), ((0, 4), (5, 6), 0), ((1, 2), (0, 4), 0.25), ((1, 1), (1, 1), 1)],
)
def test_intersection_over_union_of_time(a, b, expected):
    assert iou(Span("", *a), Span("", *b)) == iou(Span("", *b), Span("", *a)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("logged", "true", "expected"),
    [
        (["a", "b", "c"], ["a", "b", "c"], 1),
        (["a", "a", "b"], ["a", "b"], 1),  # a run counts once
        (["a", "c"], ["a", "b", "c"], 2 / 3),
        (["a", "b", "a", "b"], ["a"], 1 / 4),
        (["b"], ["a"], 0),
        ([], ["a"], 0),
    ],
)
def test_the_edit_score_tells_the_order_alone(logged, true, expected):
    assert edit(logged, true) == pytest.approx(expected)


def test_a_true_segment_is_taken_once_and_by_its_own_activity():
    true = [Span("sitting", 0, 10), Span("walking", 10, 20)]
    halves = [Span("sitting", 0, 6), Span("sitting", 6, 10), Span("sitting", 10, 20)]
    assert hits(halves, true, 0.5) == 1
    assert hits([Span("sitting", 0, 2)], true, 0.25) == 0
    assert hits([Span("sitting", 0, 2.5), Span("walking", 12, 30)], true, 0.25) == 2


def test_a_person_s_log_worked_out_by_hand():
    """Ten seconds: sitting 4, walking 3, then 1 s unknown to the truth, falling 1, lying 1."""
    true = course(("sitting", 0, 4), ("walking", 4, 7), ("falling", 8, 9), ("lying", 9, 10))
    logged = course(("sitting", 0, 5), ("standing", 5, 8), ("falling", 8.2, 8.8), ("lying", 8.8, 10))
    scores = compare(true, [logged], 10).described()
    assert scores["steps"] == 45
    # right: sitting 20 of 20, walking 0 of 15, falling 8.2-8.8 3 of 5, lying 5 of 5
    assert scores["share"] == pytest.approx(28 / 45, abs=1e-4)
    # upright, sitting, down: walking 5-7 s is upright, lying is down as falling is
    assert scores["share_coarse"] == pytest.approx((20 + 10 + 4 + 5) / 45, abs=1e-4)
    # sitting .8, fall .9; standing against walking is wrong
    assert scores["segment_f1"] == {k: pytest.approx(2 * 2 / (3 + 3), abs=1e-4) for k in ("0.1", "0.25", "0.5")}
    assert scores["edit"] == pytest.approx(2 / 3, abs=1e-4)
    assert scores["durations"] == {
        "falling": {"true_s": 1.0, "logged_s": 0.6, "error_s": 0.4},
        "lying": {"true_s": 1.0, "logged_s": 1.2, "error_s": 0.2},
        "sitting": {"true_s": 4.0, "logged_s": 5.0, "error_s": 1.0},
        "standing": {"true_s": 0.0, "logged_s": 2.0, "error_s": 2.0},
        "walking": {"true_s": 3.0, "logged_s": 0.0, "error_s": 3.0},
    }
    assert (scores["falls"], scores["falls_found"], scores["false_falls"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("start", "found", "false"),
    [(3.9, 0, 1), (4.0, 1, 0), (5.0, 1, 0), (7.5, 1, 0), (7.6, 0, 0), (9.0, 0, 0), (9.1, 0, 1)],
)
def test_a_fall_is_found_from_1_s_before_to_2_5_s_after_its_start_and_false_outside_it(start, found, false):
    true = course(("standing", 0, 5), ("falling", 5, 6.2), ("lying", 6.2, 9), ("standing", 9, 20))
    counts = compare(true, [course(("falling", start, start + 0.4))], 20)
    assert (counts.falls_found, len(counts.false_falls)) == (found, false)
    assert counts.missed_falls == ([] if found else [5])


def test_what_the_truth_says_nothing_about_counts_neither_way():
    true = course(("sitting", 10, 20))
    counts = compare(true, [course(("walking", 0, 9), ("sitting", 10, 20), ("lying", 21, 30))], 30)
    assert (counts.steps, counts.right) == (50, 50)
    assert (counts.logged, counts.hits[0.5]) == (1, 1)


def test_of_one_person_without_a_name_the_longest_log_speaks_and_the_next_where_it_is_silent():
    clip = Clip(10, {"": course(("sitting", 0, 10))})
    rows = [(1, "lying", 0, 3), (2, "sitting", 2, 8), (3, "sitting", 8, 10)]
    (counts,) = score_clip(log(*rows), clip).values()
    assert counts.right / counts.steps == 0.8
    assert counts.logged == 1


def test_people_are_paired_so_that_they_agree_for_longest():
    clip = Clip(10, {"1": course(("sitting", 0, 10)), "2": course(("walking", 0, 10))})
    rows = [(1, "walking", 0, 10), (2, "sitting", 0, 6), (7, "falling", 1, 2), (7, "sitting", 2, 5)]
    counts = score_clip(log(*rows), clip)
    assert counts["1"].right == 30
    assert counts["2"].right == 50
    assert counts["others"].logged == 2
    assert counts["others"].false_falls == [1]


def test_a_name_that_is_more_than_a_number_pairs_by_itself():
    clip = Clip(10, {"Anna": course(("sitting", 0, 10)), "Ben": course(("walking", 0, 10))})
    counts = score_clip(log(("Anna", "walking", 0, 10), (3, "walking", 0, 10)), clip)
    assert (counts["Anna"].right, counts["Ben"].right) == (0, 50)


def test_an_activity_that_the_truth_does_not_tell_apart_counts_as_what_it_is_part_of():
    rows = log((1, "sitting down", 0, 2), (1, "sitting", 2, 10))
    plain = {"1": course(("sitting", 0, 10))}
    finer = {"1": course(("sitting down", 0, 3), ("sitting", 3, 10))}
    assert score_clip(rows, Clip(10, plain))["1"].right == 50
    assert score_clip(rows, Clip(10, finer))["1"].right == 45


def test_an_empty_log_misses_everything():
    counts = score_clip(None, Clip(10, {"": course(("sitting", 0, 8), ("falling", 8, 10))}))[""]
    assert (counts.right, counts.steps, counts.logged, counts.true) == (0, 50, 0, 2)
    assert counts.described()["segment_f1"]["0.5"] == 0
    assert counts.described()["edit"] == 0


def test_the_truth_as_its_own_log_scores_one(recordings):
    for clip in read_truth(recordings / "homes").values():
        rows = [(1, *span) for span in clip.people[""].spans]
        counts = score_clip(log(*rows), clip)[""]
        assert counts.right == counts.steps
        assert counts.falls_found == counts.falls
        assert not counts.false_falls
        assert counts.described()["segment_f1"]["0.5"] == counts.described()["edit"] == 1


def lea_f_score(recognized, ground_truth, overlap):
    """tp, fp, fn of the code published with Lea et al. 2017 (colincsl/TemporalConvolutionalNetworks, metrics.py)."""
    tp = fp = 0
    taken = np.zeros(len(ground_truth))
    starts, ends = (np.array([s[i] for s in ground_truth]) for i in (1, 2))
    labels = np.array([s[0] for s in ground_truth])
    for label, start, end in recognized:
        intersection = np.minimum(end, ends) - np.maximum(start, starts)
        union = np.maximum(end, ends) - np.minimum(start, starts)
        ious = (1.0 * intersection / union) * (labels == label)
        k = ious.argmax()
        if ious[k] >= overlap and not taken[k]:
            tp += 1
            taken[k] = 1
        else:
            fp += 1
    return tp, fp, len(ground_truth) - taken.sum()


frames = st.lists(st.sampled_from("abc"), min_size=40, max_size=40)


@given(frames, frames)
def test_segment_f1_is_that_of_the_published_code(logged, true):
    """At an overlap above one half, where at most one true segment is near enough, whether taken or not."""

    def runs(labels):
        edges = [0, *(i for i in range(1, 40) if labels[i] != labels[i - 1]), 40]
        return [Span(labels[a], a, b) for a, b in pairwise(edges)]

    tp, fp, fn = lea_f_score(runs(logged), runs(true), 0.51)
    n = hits(runs(logged), runs(true), 0.51)
    assert (n, len(runs(logged)) - n, len(runs(true)) - n) == (tp, fp, fn)


def random_logs(folder, clips, seed):
    rng = np.random.default_rng(seed)
    for name, clip in clips.items():
        rows = []
        for person in range(rng.integers(0, 3)):
            t = rng.uniform(0, 1)
            while t < clip.seconds:
                end = min(t + rng.uniform(0.3, 2.5), clip.seconds)
                kind = rng.choice([*KINDS, "sitting down", "picking up", "Sleeping", "unknown"])
                rows.append((person, kind, round(t, 3), round(end, 3)))
                t = end + rng.choice([0, 0, 0.6])
        where = folder / name.removesuffix(".mp4")
        where.mkdir(parents=True)
        log(*rows).to_csv(where / "episodes.csv", index=False)


@pytest.mark.parametrize("seed", range(4))
def test_random_logs_of_the_homes_score_as_their_own_scorer_says(recordings, tmp_path, seed):
    scorer = recordings.parent / "score_homes.py"
    if not scorer.is_file():
        pytest.skip("the scorer of the homes is not beside the recordings")
    truth = recordings / "homes"
    random_logs(tmp_path, read_truth(truth), seed)
    command = [sys.executable, str(scorer), "--truth", str(truth), "--logs", str(tmp_path)]
    expected = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = score(tmp_path, truth).described()
    assert ours["steps"] == expected["steps"]
    assert ours["share"] == pytest.approx(expected["five"], abs=6e-4)
    assert ours["share_coarse"] == pytest.approx(expected["three"], abs=6e-4)
    assert ours["segment_f1"]["0.25"] == pytest.approx(expected["f1_25"], abs=6e-4)
    assert ours["segment_f1"]["0.5"] == pytest.approx(expected["f1_50"], abs=6e-4)
    assert (ours["falls"], ours["falls_found"]) == (expected["falls"], expected["falls_found"])
    assert ours["false_falls"] == expected["false_falls"]
    assert len(ours["wrong"]) == len(expected["wrong"])


TRUTH = "clip,person,activity,start_s,end_s\nx/a.mp4,1,sitting,0,10\nx/b.mp4,1,falling,2,4\n"
LOG = "person,activity,start_s,end_s\n4,sitting,0,10\n"


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH)
    return path


def test_a_clip_without_a_log_counts_as_empty_and_is_named(tmp_path, truth):
    folder = tmp_path / "logs" / "x" / "a"
    folder.mkdir(parents=True)
    (folder / "episodes.csv").write_text(LOG)
    result = score(tmp_path / "logs", truth)
    assert result.missing == ["x/b.mp4"]
    assert result.wrong == ["x/b.mp4 person 1: the fall at 2.0 s is missed"]
    assert result.described()["share"] == pytest.approx(50 / 60, abs=1e-4)
    text = result.text()
    assert "x/b.mp4 has no log" in text
    assert "the fall at 2.0 s is missed" in text
    json.dumps(result.described(), allow_nan=False)


def test_one_log_is_scored_against_the_clip_that_its_video_names(tmp_path, truth):
    (tmp_path / "episodes.csv").write_text(LOG)
    with pytest.raises(ValueError, match="the truth of 2: give a folder"):
        score(tmp_path, truth)
    (tmp_path / "log.json").write_text(json.dumps({"video": {"name": "a.mp4"}}))
    for place in (tmp_path, tmp_path / "episodes.csv"):
        result = score(place, truth)
        assert list(result.people) == [("x/a.mp4", "1")]
        assert result.described()["share"] == 1
    (tmp_path / "log.json").write_text(json.dumps({"video": {"name": "c.mp4"}}))
    with pytest.raises(ValueError, match="give a folder"):
        score(tmp_path, truth)


def test_a_folder_without_any_log_is_refused(tmp_path, truth):
    (tmp_path / "logs").mkdir()
    with pytest.raises(ValueError, match="holds no log of any clip"):
        score(tmp_path / "logs", truth)
