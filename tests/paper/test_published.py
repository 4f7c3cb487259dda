"""The paper's figures: names, shapes, and some facts that the figures must agree with among themselves."""

import numpy as np
import pytest

from wtmr_core.datasets import ntu60
from wtmr_core.miniature import hmdb51, svideoqa
from wtmr_core.models import released
from wtmr_core.paper import published

NETWORKS = {(dataset, model) for dataset in released.DATASETS for model in released.MODELS}


def networks(figures) -> set[tuple[str, str]]:
    return set(zip(figures.dataset, figures.model, strict=True))


def test_the_names_are_those_of_the_released_networks():
    assert (published.DATASETS, published.MODELS) == (released.DATASETS, released.MODELS)
    assert networks(published.profile()) == NETWORKS
    assert networks(published.table()) < NETWORKS
    assert networks(published.epochs()) < NETWORKS


def test_the_profile_has_nine_networks_and_agrees_with_the_table():
    profile = published.profile().set_index(["dataset", "model"])
    table = published.table().set_index(["dataset", "model"])
    assert len(profile) == 9
    assert set(table.index) == set(profile.index[profile.published_in_readme == "yes"])
    common = profile.loc[table.index]
    assert (common.params_m == table.params_m).all()
    assert (common.gmacs == table.gflops).all()  # what the table calls GFLOPs
    assert (common.clips_per_second == table.clips_per_second).all()


@pytest.mark.parametrize(
    ("dataset", "model", "epochs", "train", "val"),
    [  # the last epoch, as the audit quotes it
        ("hmdb51", "released-wtmr", 50, 0.9841, 0.4557),
        ("hmdb51", "released-timesformer", 10, 0.1506, 0.1388),
        ("ntu60", "released-timesformer", 30, 0.6051, 0.5681),
        ("svideoqa", "released-wtmr", 30, 0.5448, 0.4863),
        ("svideoqa", "released-timesformer", 30, 0.4724, 0.4726),
    ],
)
def test_the_logs_end_where_the_paper_says(dataset, model, epochs, train, val):
    log = published.epochs(dataset, model)
    assert log.epoch.tolist() == list(range(1, epochs + 1))
    assert log.iloc[-1][["train_accuracy", "val_accuracy"]].tolist() == [train, val]


def test_logs_by_dataset_by_model_and_all():
    assert len(published.epochs()) == 183
    assert len(published.epochs("hmdb51")) == 60
    assert len(published.epochs(model="released-timesformer")) == 70
    assert len(published.epochs("ntu60", "released-wtmr")) == 33  # of 40


@pytest.mark.parametrize(
    ("dataset", "classes", "clips"), [("hmdb51", 6, 1354), ("ntu60", 6, 8978), ("svideoqa", 5, 146)]
)
def test_confusion_matrices_are_square_and_hold_the_validation_clips(dataset, classes, clips):
    counts = published.confusion(dataset)
    assert counts.index.tolist() == counts.columns.tolist()
    assert counts.shape == (classes, classes)
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")
    assert counts.to_numpy().sum() == clips


def test_the_bars_agree_with_logs_and_table():
    bars = published.ablation().set_index(["dataset", "model"])
    assert bars.index.tolist() == list(published.profile()[["dataset", "model"]].itertuples(index=False, name=None))
    for network, log in published.epochs().groupby(["dataset", "model"]):
        for what in ("train_loss", "train_accuracy", "val_accuracy"):
            if bars.loc[network, f"{what}_source"] == "log":
                assert bars.loc[network, what] == log.iloc[-1][what]
        assert bars.loc[network, "val_accuracy_source"] == "log"
    table = published.table().set_index(["dataset", "model"])
    np.testing.assert_allclose(bars.train_accuracy[table.index], table.train_accuracy_pct / 100)
    assert bars.loc[("hmdb51", "released-wmrc"), "train_loss":"val_accuracy"].isna().all()
    assert (bars.filter(like="source") == "").to_numpy().sum() == bars.isna().to_numpy().sum()


def test_the_swapped_bar_is_the_end_of_the_other_log():
    bar = published.ablation().set_index(["dataset", "model"]).loc[("svideoqa", "released-wmrc")]
    end = published.epochs("svideoqa", "released-wtmr").iloc[-1]
    assert (round(end.train_loss, 2), round(end.train_accuracy, 3)) == (bar.train_loss, bar.train_accuracy)


@pytest.mark.parametrize("dataset", published.DATASETS)
def test_the_classes_of_the_matrices_have_the_data_sets_names(dataset):
    own = published.classes(dataset)
    assert [*own, "others"] == published.confusion(dataset).index.tolist()
    known = {"ntu60": ntu60.ACTIONS, "svideoqa": svideoqa.WORDS}.get(dataset)
    assert set(own.values()) <= set(known) if known else own.keys() - {"smile"} <= set(hmdb51.CLASSES)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: published.confusion("kinetics"), "no data set 'kinetics'.*hmdb51, ntu60, svideoqa"),
        (lambda: published.classes("kinetics"), "no data set 'kinetics'"),
        (lambda: published.epochs("kinetics"), "no data set 'kinetics'"),
        (lambda: published.epochs(model="wtmr"), "no model 'wtmr'.*released-wtmr"),
        (lambda: published.epochs("ntu60", "released-wmrc"), "no training log of released-wmrc on ntu60"),
    ],
)
def test_unknown_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()
