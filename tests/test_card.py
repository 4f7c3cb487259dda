"""The model card of a run: what it says, and that it says the same of the same."""

import re

import numpy as np
import pytest

from tests.test_training import WRITE, small
from wtmr_core import card, description, runs, training
from wtmr_core.settings import Settings

METRICS = {
    "train_accuracy": 0.9, "val_accuracy": None, "test_accuracy": 0.75, "validation": "none", "test_is": "split 1",
    "epochs": 9, "chosen_epoch": 9, "epoch_choice": "last of 9", "clips": {"train": 4000, "val": 0, "test": 40},
    "skipped": {"cut short": 3}, "test": {"top1": 0.7, "top5": 1.0, "mean_class_accuracy": 0.74, "macro_f1": 0.73,
    "calibration_error": 0.1},
}  # fmt: skip
LABELS = np.arange(40) % 2
RIGHT = np.arange(40) % 7 > 1  # 28 of 40
PREDICTIONS = {"labels": LABELS, "logits": np.eye(2)[np.where(RIGHT, LABELS, 1 - LABELS)], "groups": np.arange(40) // 4}
KNOWN = {"device": "CPU", "python": "3.11", "commit": None, "packages": {"torch": "2.9", "timm": None}}


def page(changes=(), **given):
    settings = Settings.of({"dataset": "hmdb51", "split": "1"} | dict(changes))
    told = description.of(settings, ["sit", "walk"], 3.1, "CC BY 4.0 (HMDB51)")
    values = {"metrics": METRICS, "predictions": PREDICTIONS, "environment": KNOWN} | given
    return card.page("a-run", told, **values)


@pytest.mark.parametrize(
    "line",
    [
        "# a-run",
        'classifier = Classifier.load("a-run")',
        "    wtmr predict a-run video.mp4",
        "2: sit, walk.",
        "* hmdb51, split 1, full scale: 4,000 clips to train, 0 to validate, 40 to test; 3 skipped",
        "* skipped, 3: cut short",
        "| train, top-1 | 90.0 % | – |",
        "| validation, top-1 | – | – |",
        "| test, calibration error | 10.0 % | – |",
        "The intervals are bootstraps over the 10 groups of test. They say nothing of other seeds.",
        "* It was measured on 40 clips of hmdb51. The figures say little of other places, cameras and people.",
        "Of the recordings it was trained on: CC BY 4.0 (HMDB51). Of the code: MIT.",
        "device CPU; python 3.11; torch 2.9.",
    ],
)
def test_a_card_says(line):
    assert line in page().splitlines()


def test_intervals_lie_around_their_figures_and_are_the_same_each_time():
    (row,) = [line for line in page().splitlines() if line.startswith("| test, top-1")]
    low, high = map(float, row.split("|")[3].removesuffix(" % ").split("–"))
    assert low < 70 < high
    assert "top-5" not in page()  # of two classes it is 1
    assert page() == page()


def test_few_groups_miniatures_and_the_published_protocol_are_said():
    few = PREDICTIONS | {"groups": np.arange(40) % 3}
    assert "over single clips, since test has fewer than 5 groups, and too narrow" in page(predictions=few)
    assert "nothing about real people" not in page()
    assert "It says nothing about real people" in page({"scale": "mini"})
    assert "clips of one film or person stand on both sides" in page({"protocol": "published", "split": "-"})
    one = {key: values[:1] for key, values in PREDICTIONS.items()}
    assert "| test, top-1 | 70.0 % | – |" in page(predictions=one)


@pytest.mark.parametrize("dataset", ["ntu60", "svideoqa"])
def test_a_run_has_its_card_and_is_a_run_without_it(tmp_path, dataset):
    root = WRITE[dataset](tmp_path / "set")
    settings = small(dataset, epochs=1)
    folder, again = (training.run(settings, tmp_path / name, root) for name in "ab")
    text = (folder / card.CARD).read_text()
    assert text == (again / card.CARD).read_text()
    assert f"# {folder.name}\n" in text
    shown = "in metres, centred on the first body's spine" if dataset == "ntu60" else "those with most motion"
    assert shown in text
    assert "wtmr predict" in text
    assert not re.search(r"\b(None|nan)\b", text)
    (folder / card.CARD).write_text("somebody's own words")  # it is for people, and no part of what is signed
    assert runs.finished(folder)
    (folder / card.CARD).unlink()
    assert runs.finished(folder)
    assert runs.load(folder).metrics["epochs"] == 1
