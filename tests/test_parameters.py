"""Settings as a notebook's parameters and as pairs of a command line."""

import pytest

from wtmr_core import parameters
from wtmr_core.literals import shown
from wtmr_core.settings import Settings, SettingsError

PARAMETERS = {"dataset", "lr", "settings"}


def test_notebook_parameters_are_checked():
    import math

    names = {"dataset": "hmdb51", "lr": None, "math": math, "_i": "", "In": [], "get_ipython": 1}
    assert parameters.from_notebook(dict(names), PARAMETERS) == {"dataset": "hmdb51", "lr": None}
    with pytest.raises(SettingsError, match="did you mean dataset"):
        parameters.from_notebook(names | {"_wtmr": 0, "datset": "ntu60"}, PARAMETERS)


def test_settings_of_a_notebook_may_stand_together():
    names = {"dataset": "hmdb51", "lr": None, "settings": {"lr": 0.1}}
    assert parameters.from_notebook(dict(names), PARAMETERS) == {"dataset": "hmdb51", "lr": 0.1}
    with pytest.raises(SettingsError, match="lr is given twice: as a parameter and in settings"):
        parameters.from_notebook(names | {"lr": 0.2}, PARAMETERS)
    with pytest.raises(SettingsError, match="there is no setting 'lrr'; did you mean lr"):
        parameters.from_notebook(names | {"settings": {"lrr": 0.2}}, PARAMETERS)
    with pytest.raises(SettingsError, match="settings is 'lr'; it must be a dictionary"):
        parameters.from_notebook(names | {"settings": "lr"}, PARAMETERS)


def test_the_training_notebook_takes_every_setting_by_all_its_names():
    names = {"dataset": "hmdb51", "average": 0.9, "settings": {"max_grad_norm": 1.0}, "results": None}
    given = parameters.from_notebook(dict(names), parameters.TRAINING)
    assert given == {"dataset": "hmdb51", "average": 0.9, "max_grad_norm": 1.0, "results": None}


def test_a_notebook_may_be_run_again_in_a_living_kernel():
    names = {"dataset": "hmdb51"}
    parameters.from_notebook(names, PARAMETERS)
    names |= {"run": object(), "dataset": "ntu60", "lr": 3}  # what its later cells named
    assert parameters.from_notebook(names, PARAMETERS) == {"dataset": "ntu60"}


def test_what_papermill_hands_on_as_text_is_read():
    """Its command line knows numbers, True, False and None; the rest arrives as text."""
    names = {"conv_channels": "[8, 16]", "context": "false", "lr": "1e-3", "depth": "null", "weights": "uniform",
             "split": "1", "backbone": "mobilenetv2_100", "root": "clips, 2024", "results": "3", "name": "[own] clips",
             "settings": "{cnn: true, regions: '[3, 3]'}"}  # fmt: skip
    given = parameters.from_notebook(names, parameters.TRAINING)
    assert given == {
        "conv_channels": [8, 16], "context": False, "lr": 0.001, "depth": None, "weights": "uniform", "split": "1",
        "backbone": "mobilenetv2_100", "root": "clips, 2024", "results": "3", "name": "[own] clips", "cnn": True,
        "regions": [3, 3],
    }  # fmt: skip
    assert (names["context"], names["conv_channels"]) == (False, [8, 16])  # the notebook's own names, too
    names = {"sizes": "[1, 8]", "why": '{"a": "b"}', "folder": "1"}  # of a notebook with parameters of its own
    assert parameters.from_notebook(names, {*names}) == {"sizes": [1, 8], "why": {"a": "b"}, "folder": "1"}


def test_text_that_does_not_read_is_named():
    with pytest.raises(SettingsError, match=r"conv_channels is '\[8, 16', which does not read: line 1"):
        parameters.from_notebook({"conv_channels": "[8, 16"}, parameters.TRAINING)
    with pytest.raises(SettingsError, match="epochs is 'many'; it must be a whole number"):
        Settings.of(parameters.from_notebook({"dataset": "ntu60", "epochs": "many"}, parameters.TRAINING))


def test_pairs_of_a_command_line():
    pairs = ["dataset=hmdb51", "lr=1e-3", "conv_channels=[16, 32]", "dropout=null", "cnn=true", "split=1"]
    assert parameters.from_pairs(pairs) == {
        "dataset": "hmdb51", "lr": 0.001, "conv_channels": [16, 32], "dropout": None, "cnn": True, "split": "1",
    }  # fmt: skip
    chosen = Settings.of(parameters.from_pairs(pairs))
    assert Settings.of(parameters.from_pairs(parameters.to_pairs(chosen))) == chosen
    assert parameters.from_pairs(["seed=1", "lr=1", "seed=2"]) == {"seed": 2, "lr": 1}  # the last one counts
    assert parameters.from_pairs(["split=-", "backbone_weights=a=b.pth"]) == {
        "split": "-",
        "backbone_weights": "a=b.pth",
    }


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (["epochs"], "'epochs' is not KEY=VALUE"),
        (["=3"], "'=3' is not KEY=VALUE"),
        (["dataset="], "'dataset=' is not KEY=VALUE"),
        (["conv_channels=[16"], r"'conv_channels=\[16' is not KEY=VALUE: line 1: expected"),
        (["x" * 10**6], r"'xxx.*\.\.\..*xxx' is not KEY=VALUE"),
        (["device=\udcff"], r"'device=\\udcff' is not KEY=VALUE: line 1: text has the character"),
    ],
    ids=shown,
)
def test_a_pair_that_is_none_is_named(pairs, says):
    with pytest.raises(SettingsError, match=says) as error:
        parameters.from_pairs(pairs)
    assert len(str(error.value)) < 400


def test_what_a_suite_hands_to_the_training_notebook_is_the_run():
    run = Settings.of({"dataset": "ntu60", "scale": "mini", "dropout": 0.5, "threads": 2})
    handed = parameters.to_notebook(run)
    assert set(handed) == {*parameters.ALONE, "settings"}
    assert Settings.of(parameters.from_notebook(handed, parameters.TRAINING)) == run
