"""Logs against all that is true of a video: hand-worked boxes and activities."""

import json

import numpy as np
import pandas as pd
import pytest

from wtmr_core.tracking.comparison import Box, boxes_by_activity, frame_map, table
from wtmr_core.tracking.table import COLUMNS

HERE, BESIDE, FAR = (np.array(box, float) for box in ([0, 0, 10, 10], [0, 0, 10, 14], [50, 0, 60, 10]))


def test_average_precision_by_hand():
    """Two true boxes; a hit, a false one, a hit: precision 1, ½, ⅔ at recall ½, ½, 1, so (1 + ⅔) / 2."""
    true = {"sitting": [Box(0, HERE, 1), Box(1, HERE, 1)]}
    logged = {"sitting": [Box(0, HERE, 0.9), Box(0, FAR, 0.8), Box(1, BESIDE, 0.7)]}
    assert frame_map(logged, true) == {"sitting": pytest.approx((1 + 2 / 3) / 2)}


@pytest.mark.parametrize(
    ("logged", "value"),
    [
        ([], 0.0),
        ([Box(0, HERE, 0.9), Box(0, BESIDE, 0.8)], 1.0),  # the second finds the true box taken, after all was found
        ([Box(0, HERE, 0.8), Box(0, FAR, 0.9)], 0.5),
        ([Box(1, HERE, 0.9)], 0.0),  # another frame
    ],
)
def test_a_box_is_found_once_in_its_frame(logged, value):
    assert frame_map({"lying": logged}, {"lying": [Box(0, HERE, 1)]}) == {"lying": value}


def test_another_activity_is_none_and_one_that_is_not_true_counts_nothing():
    true = {"lying": [Box(0, HERE, 1)]}
    assert frame_map({"sitting": [Box(0, HERE, 0.9)]}, true) == {"lying": 0.0}


@pytest.fixture
def truth(tmp_path):
    """One person for four seconds at ten frames a second: two standing, two lying."""
    folder = tmp_path / "truth"
    folder.mkdir()
    rows = [f"{frame + 1},1,{2 * frame},20,30,60,1,1,-1,-1" for frame in range(40)]
    (folder / "tracks.txt").write_text("\n".join(rows) + "\n")
    (folder / "episodes.csv").write_text("person,activity,start_s,end_s\n1,standing,0,2\n1,lying,2,4\n")
    return folder


def log(truth, folder, episodes):
    folder.mkdir()
    (folder / "tracks.txt").write_bytes((truth / "tracks.txt").read_bytes())
    rows = [(1, activity, a, b, b - a, 0.9, "", "", "", "", "") for activity, a, b in episodes]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "episodes.csv", index=False)
    (folder / "log.json").write_text(json.dumps({"video": {"fps": 10, "name": "a.mp4"}, "people": [1]}))
    return folder


def test_boxes_go_to_what_is_done_in_their_frame(truth):
    episodes = pd.DataFrame({"person": [1, 1], "activity": ["a", "b"], "start_s": [0, 2], "end_s": [2, 3.0]})
    boxes = boxes_by_activity(truth / "tracks.txt", episodes, 10)
    assert {name: [box.frame for box in seen] for name, seen in boxes.items()} == {
        "a": list(range(20)),
        "b": list(range(20, 30)),
    }


def test_the_truth_is_worth_everything_and_half_of_it_half(truth, tmp_path):
    whole = log(truth, tmp_path / "whole", [("standing", 0, 2), ("lying", 2, 4)])
    half = log(truth, tmp_path / "half", [("standing", 0, 4)])
    figures = table({"whole": whole, "half": half}, truth)
    for name in ("MOTA", "IDF1", "HOTA", "frame-mAP", "share right", "segment F1", "edit"):
        assert figures.loc["whole", name] == pytest.approx(100), name
    assert figures.loc["whole", "duration error"] == 0
    assert (figures.loc["whole", "persons"], figures.loc["whole", "switches"]) == (1, 0)
    assert figures.loc["half", "share right"] == pytest.approx(50)
    # standing: all true boxes are found before the false ones; lying: none
    assert figures.loc["half", "frame-mAP"] == pytest.approx(50)
    assert figures.loc["half", "duration error"] == pytest.approx(2)
