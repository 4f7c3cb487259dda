"""A data set's root is a folder that is recognised as this set, never the first that looks like any."""

import pytest

from tests.conftest import write_hmdb51, write_ntu60, write_svideoqa, write_video
from wtmr_core import datasets
from wtmr_core.datasets import DataError, hmdb51, roots


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No data folder and no Kaggle input of the machine is looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wtmr_core.datasets.roots.KAGGLE", tmp_path / "input")


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A folder of sets, named by WTMR_DATA."""
    monkeypatch.setenv("WTMR_DATA", str(tmp_path / "sets"))
    (tmp_path / "sets").mkdir()
    return tmp_path / "sets"


def test_a_folder_of_other_sets_is_not_the_set(base):
    write_video(base / "UCF-101" / "Archery" / "v.avi")
    write_svideoqa(base / "svideoqa", sequences=1)
    write_ntu60(base / "ntu60", performers=(1,))
    with pytest.raises(DataError, match=r"hmdb51 was not found in .*SVideoQA"):
        datasets.find("hmdb51")
    assert datasets.find("svideoqa") == base / "svideoqa"
    assert datasets.find("ntu60") == base / "ntu60"


def test_a_set_beside_recordings_of_ones_own(base):
    write_hmdb51(base / "HMDB51")
    write_video(base / "camera" / "rec.avi")
    root = datasets.find("hmdb51")
    assert root == base / "HMDB51"
    assert hmdb51.index(root, "1").classes == ("sit", "walk")


def test_a_set_in_a_folder_of_another_name_keeps_its_own_classes(base):
    write_hmdb51(base / "downloads" / "actions")
    write_video(base / "camera" / "rec.avi")
    index = hmdb51.index(datasets.find("hmdb51"), "1")
    assert (len(index), index.classes, index.skips()) == (32, ("sit", "walk"), {hmdb51.NOT_A_CLASS: 1})


def test_a_set_with_something_wrong_is_still_the_set(base):
    """What is wrong is said by its index, rather than that the set was not found."""
    write_hmdb51(base / "hmdb51")
    (base / "hmdb51" / "classes.txt").write_text("sit\nsit\n")
    with pytest.raises(DataError, match="must name each class once"):
        hmdb51.index(datasets.find("hmdb51"), "1")


def test_two_inputs_that_hold_the_set_are_both_named(tmp_path):
    for name in ("one", "two"):
        write_hmdb51(tmp_path / "input" / name, films=1)
    with pytest.raises(DataError, match=r"hmdb51 lies in .*one and in .*two: give one of them as root"):
        datasets.find("hmdb51")


def test_every_place_is_named_with_what_lies_there(base):
    (base / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"ntu60 was not found in .*sets/ntu60, .*sets \(.*its files: 1 \.txt\)"):
        datasets.find("ntu60")


def test_the_companion_is_found_from_every_folder(tmp_path, monkeypatch):
    """In one or below it, it is that one; elsewhere, the checkout of the package; where that is none, it is here."""
    here, other = tmp_path / "in use", tmp_path / "imported from"
    for folder in (here / "notebooks", here / "wtmr_core", other / "notebooks", other / "wtmr_core"):
        folder.mkdir(parents=True)
    (tmp_path / "else where").mkdir()
    for place, found, meant in (
        (here, here, here),
        (here / "notebooks", here, here),
        (tmp_path / "else where", other, tmp_path / "else where"),
    ):
        monkeypatch.setattr(roots, "CHECKOUT", other)
        monkeypatch.chdir(place)
        assert datasets.home() == found
        assert datasets.results_home("mini") == found / "results/mini"
        assert datasets.results_home("mini", "mine") == datasets.given("mine") == meant / "mine"
        assert datasets.given(tmp_path) == tmp_path
    monkeypatch.setattr(roots, "CHECKOUT", tmp_path / "site-packages")
    assert datasets.home() == tmp_path / "else where"
