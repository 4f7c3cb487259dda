"""Settings are read strictly, and their defaults are the paper's where the paper has them."""

import inspect
import json
from dataclasses import fields

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core import datasets, models, settings
from wtmr_core.literals import shown
from wtmr_core.models import released, timesformer, wtmr
from wtmr_core.settings import DESCRIBED, SIZES, Settings, SettingsError

EVERY = [
    (d, m, p, s)
    for d in settings.DATASETS
    for m in settings.MODELS
    for p in settings.PROTOCOLS
    for s in settings.SCALES
]


def of(**given) -> Settings:
    return Settings.of({"dataset": "hmdb51"} | given)


def test_names_agree_everywhere():
    assert settings.DATASETS == datasets.NAMES == released.DATASETS == tuple(wtmr.CLASSES)
    assert settings.MODELS == models.MODELS == ("wtmr", *released.MODELS)
    for key, allowed in (("kernels", wtmr.KERNELS), ("weights", wtmr.WEIGHTS), ("attention", timesformer.ATTENTION)):
        assert settings.CHOICES[key] == allowed
    of_wtmr, of_released = (set(inspect.signature(module.build).parameters) for module in (wtmr, released))
    assert {*SIZES, *DESCRIBED, "size", "classes"} == of_wtmr - {"dataset"}
    assert {*SIZES, "size", "classes"} == of_released - {"dataset", "model", "profiled"}


@pytest.mark.parametrize(("dataset", "model", "protocol", "scale"), EVERY)
def test_every_combination_has_valid_defaults(dataset, model, protocol, scale):
    made = Settings.of({"dataset": dataset, "model": model, "protocol": protocol, "scale": scale})
    assert Settings.of(json.loads(json.dumps(made.asdict()))) == made


@pytest.mark.parametrize(
    ("dataset", "model", "expected"),
    [  # protocol.md's table
        ("hmdb51", "released-wtmr", (1e-4, 1e-3, "plateau", 50, 2, 0.0, None)),
        ("hmdb51", "released-timesformer", (1e-4, 1e-4, "plateau", 10, 1, 0.0, None)),
        ("ntu60", "released-wtmr", (1e-4, 1e-3, "plateau", 40, 2, 0.0, None)),
        ("ntu60", "released-timesformer", (5e-4, 1e-4, "cosine", 30, 2, 0.1, 1.0)),
        ("svideoqa", "released-wtmr", (3e-4, 2e-4, "plateau", 30, 1, 0.0, None)),
        ("svideoqa", "released-timesformer", (3e-4, 2e-4, "plateau", 30, 1, 0.0, None)),
    ],
)
def test_published_defaults_are_the_papers(dataset, model, expected):
    s = Settings.of({"dataset": dataset, "model": model, "protocol": "published"})
    assert (
        s.lr,
        s.weight_decay,
        s.schedule,
        s.epochs,
        s.accumulate,
        s.label_smoothing,
        s.clip_norm,
    ) == expected
    assert (s.batch_size, s.frames) == (4, 16)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"zzz": 1}, "no setting 'zzz'"),
        ({"model": "resnet"}, "model is 'resnet'"),
        ({"dataset": "ucf101"}, "dataset is 'ucf101'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"epochs": True}, "epochs is True"),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"schedule": "step"}, "schedule is 'step'"),
        ({"conv_channels": (8,)}, "conv_channels is"),
        ({"stored_frames": 4, "frames": 8}, "stored_frames is 4"),
        ({"size": 0}, "size is 0"),
        ({"device": 3}, "device is 3"),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"protocol": "published", "val_fraction": 0.3}, "val_fraction is 0.3"),
        ({"schedule": "plateau"}, "plateau has no warm-up"),
        ({"schedule": "plateau", "warmup_epochs": 0, "val_fraction": 0}, "plateau needs a validation part"),
        ({"views": 3, "stored_frames": 32}, "views is 3; that many of 16 frames need stored_frames of 48, found 32"),
        ({"protocol": "published", "mixup": 0.2}, "mixup is 0.2; the published protocol has none"),
        ({"protocol": "published", "views": 2, "stored_frames": 32}, "views is 2; the published protocol has none"),
        ({"regions": (2,)}, "regions is"),
        ({"model": "released-wmrc", "attention": "divided"}, "attention is divided; released-wmrc has no such part"),
        ({"dataset": "ntu60", "regions": (3, 3)}, "the regions of joints are body parts"),
        ({"dataset": "ntu60", "backbone": "resnet18"}, "the regions of joints are body parts"),
        ({"cnn": False, "kernels": "shared"}, "kernels is shared; cnn is off"),
        ({"backbone_weights": "some.pth"}, "there is no backbone for them"),
        ({"depth": 0, "drop_path": 0.1}, "drop_path is 0.1; depth is 0, so there are no blocks"),
        ({"depth": 0, "attention": "divided"}, "attention is divided; depth is 0"),
        ({"model": "released-wmrc", "drop_path": 0.1}, "drop_path is 0.1; released-wmrc has no blocks"),
        ({"kernels": "many"}, "kernels is 'many'; it can be own, shared"),
        ({"attention": "global"}, "attention is 'global'"),
        ({"context": 1}, "context is 1; it must be bool"),
        ({"lr": 10**400}, "lr is a number of about 400 digits; it must be float"),
        ({"seed": 10**5000}, "seed is a number of about 5000 digits; it must lie between"),
        ({"frames": "abc"}, "frames is 'abc'; it must be int"),
        ({"model": {"wtmr": 1}}, "model is {'wtmr': 1}; it must be str"),
        ({"scale": [[]]}, "scale is .*; it must be str"),
        ({"conv_channels": [8, 10**9]}, "conv_channels is .*; it must be 2 whole numbers from 1 to 8192 or nothing"),
        ({"split": 10**400}, "split is a number of about 400 digits; it must be str"),
        ({"device": "cuda:1234"}, "device is 'cuda:1234'"),
    ],
    ids=shown,
)
def test_bad_settings_are_named(wrong, says):
    with pytest.raises(SettingsError, match=says):
        of(**wrong)


def test_an_int_serves_for_a_float_and_none_for_the_default():
    assert of(lr=1).lr == 1.0
    assert of(epochs=None) == of()
    assert of(split=1).split == "1"
    assert of(conv_channels=[8, 16]).conv_channels == (8, 16)


def test_name_changes_with_what_the_run_is_and_not_with_where_it_runs():
    name = of().name("d")
    assert name.startswith("hmdb51-wtmr-corrected-s0-")
    assert of(workers=3, threads=1, device="cpu").name("d") == name
    assert of().name("other data") != name
    for change in ({"lr": 0.5}, {"seed": 1}, {"flip": 0.25}, {"dropout": 0.1}):
        assert of(**change).name("d") != name


@given(st.sampled_from(sorted(settings.RANGES)), st.integers(-(10**9), 10**9))
def test_no_number_outside_its_range_is_taken(key, value):
    low, high = settings.RANGES[key]
    if not low <= value <= high:
        with pytest.raises(SettingsError, match=key):
            of(**{key: value})


def test_notebook_parameters_are_checked():
    import math

    names = {"dataset": "hmdb51", "lr": None, "math": math, "_i": "", "In": [], "get_ipython": 1}
    assert settings.from_notebook(dict(names), {"dataset", "lr"}) == {"dataset": "hmdb51", "lr": None}
    with pytest.raises(SettingsError, match="did you mean dataset"):
        settings.from_notebook(names | {"_wtmr": 0, "datset": "ntu60"}, {"dataset", "lr"})


def test_a_notebook_may_be_run_again_in_a_living_kernel():
    names = {"dataset": "hmdb51"}
    settings.from_notebook(names, {"dataset"})
    names |= {"run": object(), "dataset": "ntu60"}  # what its later cells named
    assert settings.from_notebook(names, {"dataset"}) == {"dataset": "ntu60"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**4000) | st.floats() | st.text() | st.just("long" * 10**3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.just([1] * 10**3),
    max_leaves=8,
)
DEFAULTS = [None, *(value for row in EVERY for value in settings.defaults(*row).values())]


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Settings)]), JSON | st.sampled_from(DEFAULTS)))
@hypothesis.settings(max_examples=150, deadline=None)
def test_whatever_a_setting_is_given_it_serves_or_is_named_in_short(given):
    try:
        made = Settings.of({"dataset": "hmdb51"} | given)
    except SettingsError as error:
        said = str(error)
    else:
        assert Settings.of(json.loads(json.dumps(made.asdict()))) == made
        return
    assert any(said.startswith(f"{key} is ") for key in Settings.__dataclass_fields__)
    assert len(said) < 400


@pytest.mark.parametrize("key", ["", "x" * 10**6, "\0\n", 3, 10**5000, None, (1, 2)], ids=shown)
def test_whatever_is_no_key_is_named_in_short(key):
    with pytest.raises(SettingsError, match="there is no setting '") as error:
        Settings.of({"dataset": "hmdb51", key: 1})
    assert len(str(error.value)) < 1000  # with all that there are


def test_pairs_of_a_command_line():
    pairs = ["dataset=hmdb51", "lr=1e-3", "conv_channels=[16, 32]", "dropout=null", "cnn=true", "split=1"]
    assert settings.from_pairs(pairs) == {
        "dataset": "hmdb51", "lr": 0.001, "conv_channels": [16, 32], "dropout": None, "cnn": True, "split": "1",
    }  # fmt: skip
    chosen = Settings.of(settings.from_pairs(pairs))
    assert Settings.of(settings.from_pairs(settings.to_pairs(chosen))) == chosen
    assert settings.from_pairs(["seed=1", "lr=1", "seed=2"]) == {"seed": 2, "lr": 1}  # the last one counts
    assert settings.from_pairs(["split=-", "backbone_weights=a=b.pth"]) == {"split": "-", "backbone_weights": "a=b.pth"}


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
        settings.from_pairs(pairs)
    assert len(str(error.value)) < 400


def test_what_chooses_the_epoch():
    assert of().epoch_choice == "smoothed"
    assert of(val_fraction=0).epoch_choice == of(protocol="published").epoch_choice == "last"
    assert of(epoch_choice="best").epoch_choice == "best"
    with pytest.raises(SettingsError, match="val_fraction is 0; epoch_choice smoothed needs a validation part"):
        of(val_fraction=0, epoch_choice="smoothed")
    with pytest.raises(SettingsError, match="epoch_choice is best; the published protocol has none"):
        of(protocol="published", epoch_choice="best")
    with pytest.raises(SettingsError, match="epoch_choice is 'first'; it can be last, smoothed, best"):
        of(epoch_choice="first")


def test_a_choice_as_it_was_leaves_names_as_they_were():
    """Worked out before there was a choice."""
    assert of(val_fraction=0, split="1").name("data").endswith("-222f8b6c")
    assert of(protocol="published").name("data").endswith("-40dffb87")
