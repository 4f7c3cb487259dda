"""Networks and data sets in words."""

import pytest

from tests.conftest import PROJECT
from wtmr_core.paper import names, suite, tables
from wtmr_core.settings import DATASETS, MODELS


def test_every_data_set_and_model_has_words():
    assert set(names.DATASETS) == set(DATASETS)
    assert {*MODELS, tables.CHOSEN} == set(names.NETWORKS)


@pytest.mark.parametrize(("label", "words"), [
    ("released-wtmr", "WTMR-Net"),
    ("wtmr context=False", "WTMR-Net, described: without context"),
    ("wtmr heads=2 dropout=0.5", "WTMR-Net, described: heads 2, dropout 0.5"),
    ("linear backbone_frozen=32 backbone_lr=1.0 epochs=20 mixup=0.2", "linear layer: frozen backbone"),
    ("wtmr epochs=20 mixup=0.2", "WTMR-Net, described: epochs 20, mixup 0.2"),
])  # fmt: skip
def test_a_label_in_words(label, words):
    assert names.network(label) == words


@pytest.mark.parametrize("file", sorted((PROJECT / "experiments").glob("*.yaml")), ids=lambda file: file.stem)
def test_no_two_networks_of_a_suite_share_their_words(file):
    labels = set(tables.labels(suite.load(file)).values())
    assert len({names.network(label) for label in labels}) == len(labels)
    assert not [label for label in labels if "=" in names.network(label) or "_" in names.network(label)]


def test_what_is_unknown_is_refused():
    with pytest.raises(ValueError, match="no network 'resnet'; there are released-wtmr"):
        names.network("resnet depth=2")
    with pytest.raises(ValueError, match="no data set 'kinetics'"):
        names.dataset("kinetics")
    with pytest.raises(ValueError, match="'wtmr' is no variant"):
        names.variant("wtmr")
