"""The settings of a run in a few lines: what decides it, and nothing that has no effect."""

from wtmr_core.paper import recipe
from wtmr_core.settings import Settings


def rows(**settings):
    return recipe.table(Settings.of({"scale": "mini", **settings})).set_index("decides")


def test_what_is_usual_stands_by_group():
    table = rows(dataset="hmdb51")
    assert table.usual["run"] == "dataset hmdb51, model wtmr, protocol corrected, split auto, seed 0, scale mini"
    assert table.usual["clip"] == "frames 8, stored frames 8, size 64"
    assert table.usual["network"].startswith("width 96, depth 2, heads 4, conv channels 16 and 32, dropout 0.1, cnn, ")
    assert "context" in table.usual["network"]
    assert table.changed.str.len().sum() == 0
    assert not {"backbone", "machine"} & set(table.index)
    assert "rotate" not in table.usual["augmentation"]  # by 0 degrees


def test_what_was_changed_stands_apart():
    table = rows(dataset="hmdb51", context=False, mixup=0.2, flip=0.0, conv_channels=(8, 16), seed=3, threads=2)
    assert table.changed["network"] == "conv channels 8 and 16, no context"
    assert "context" not in table.usual["network"].split(", ")
    assert (table.changed["training"], table.changed["augmentation"]) == ("mixup 0.2", "flip 0")
    assert table.usual["run"].endswith("seed 3, scale mini")
    assert table.changed["machine"] == "threads 2"


def test_a_backbone_has_a_line_where_there_is_one():
    table = rows(dataset="hmdb51", model="linear")
    assert table.usual["backbone"].startswith("backbone mobilenetv2_100, backbone weights package, ")
    assert "network" not in table.index or "regions" not in table.usual["network"]


def test_released_networks_have_no_parts_of_the_described_one():
    assert rows(dataset="ntu60", model="released-wmrc", protocol="published").usual["network"].startswith("width 64")
