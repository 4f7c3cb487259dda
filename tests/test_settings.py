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
from wtmr_core.modality import OWN, has_joints
from wtmr_core.models import released, timesformer, wtmr
from wtmr_core.settings import BUILT, DESCRIBED, PROBES, SIZES, Settings, SettingsError, described

EVERY = [
    (d, m, p, s)
    for d in settings.DATASETS
    for m in settings.MODELS
    for p in settings.PROTOCOLS
    for s in settings.SCALES
    if m == "wtmr" or (has_joints(d) if m == "temporal" else not has_joints(d) if m in PROBES else d not in OWN)
]


def of(**given) -> Settings:
    return Settings.of({"dataset": "hmdb51"} | given)


def test_names_agree_everywhere():
    assert settings.DATASETS == datasets.NAMES
    assert set(released.DATASETS) == set(released.CLASSES) <= set(settings.DATASETS)
    assert settings.MODELS == models.MODELS == ("wtmr", *released.MODELS, "temporal", *PROBES)
    assert settings.RELEASED == released.MODELS
    assert described()["kernels"].choices == wtmr.KERNELS
    assert described()["region_weights"].choices == wtmr.WEIGHTS
    assert described()["attention"].choices == timesformer.ATTENTION
    of_wtmr, of_released = (set(inspect.signature(module.build).parameters) for module in (wtmr, released))
    assert {*SIZES, *DESCRIBED, *BUILT, "colour", "size", "classes"} == of_wtmr - {"dataset"}
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
        s.max_grad_norm,
    ) == expected
    assert (s.batch_size, s.frames) == (4, 16)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"zzz": 1}, "no setting 'zzz'"),
        ({"model": "resnet"}, "model is 'resnet'"),
        ({"dataset": "ucf101"}, "dataset is 'ucf101'"),
        ({"dataset": "folder", "model": "released-wtmr"}, "model is released-wtmr, which was released for the paper's"),
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
        ({"protocol": "published", "val_fraction": 0}, "val_fraction is 0; parts sampled needs a share to sample"),
        ({"split": "-"}, "split is -, which has no train and test; parts official needs one"),
        ({"schedule": "plateau"}, "plateau has no warm-up"),
        ({"schedule": "plateau", "warmup_epochs": 0, "val_fraction": 0}, "plateau needs a validation part"),
        ({"views": 3, "stored_frames": 32}, "views is 3; that many of 16 frames need stored_frames of 48, found 32"),
        ({"reader": "published"}, "reader is published; both readings of hmdb51 are the same"),
        ({"dataset": "ntu60", "augment_per": "frame"}, "augment_per is frame; joints are augmented by clip"),
        ({"centre_joints": False}, "centre_joints is False; hmdb51 has no joints"),
        ({"average": 0.9, "ema_decay": 0.9}, "average is given, and so is ema_decay, which is its name now"),
        ({"weights": "many"}, "region_weights is 'many'; it can be learned, uniform"),
        ({"regions": (2,)}, "regions is"),
        ({"model": "released-wmrc", "attention": "divided"}, "attention is divided; released-wmrc has no such part"),
        ({"dataset": "ntu60", "regions": (3, 3)}, "the regions of joints are body parts"),
        ({"dataset": "ntu60", "backbone": "resnet18"}, "ntu60 has no frames"),
        ({"dataset": "ntu60", "colour": True}, "ntu60 has no frames"),
        ({"cnn": False, "kernels": "shared"}, "kernels is shared; cnn is off"),
        ({"backbone_weights": "some.pth"}, "there is no backbone"),
        ({"model": "released-wtmr", "backbone": "resnet18"}, "released-wtmr has none"),
        ({"model": "released-wtmr", "colour": True}, "takes frames as it was released"),
        ({"model": "linear", "depth": 3}, "linear is one layer over a backbone"),
        ({"model": "linear", "context": False}, "linear has no such part"),
        ({"model": "linear", "dataset": "ntu60"}, "which takes frames; for ntu60 it can be wtmr"),
        ({"model": "logistic", "epochs": 2}, "with model logistic it must be 1"),
        ({"model": "logistic", "backbone_frozen": 16}, "which needs a backbone that is frozen: backbone_frozen 32"),
        ({"backbone": "resnet18", "backbone_frozen": 4}, "there are no backbone_weights"),
        ({"residual": True}, "residual is True; there is no backbone"),
        ({"dataset": "ntu60", "residual": True}, "ntu60 has no frames"),
        ({"model": "released-wtmr", "residual": True}, "released-wtmr has no such part, only wtmr has"),
        ({"backbone": "resnet18", "residual": True, "timesformer_weights": "w.bin"}, "tokens are means of patches"),
        ({"model": "linear", "residual": True}, "linear has no such part, only wtmr has"),
        ({"backbone": "resnet18", "backbone_views": 3}, "no layer is frozen"),
        ({"model": "linear", "backbone_lr": 0.1}, "the whole backbone is frozen"),
        ({"model": "linear", "schedule": "plateau", "backbone_frozen": 16, "backbone_start": 1}, "one learning rate"),
        ({"depth": 0, "drop_path": 0.1}, "drop_path is 0.1; depth is 0, so there are no blocks"),
        ({"depth": 0, "attention": "divided"}, "attention is divided; depth is 0"),
        ({"model": "released-wmrc", "drop_path": 0.1}, "drop_path is 0.1; released-wmrc has no blocks"),
        ({"kernels": "many"}, "kernels is 'many'; it can be own, shared"),
        ({"attention": "global"}, "attention is 'global'"),
        ({"context": 1}, "context is 1; it must be true or false"),
        ({"lr": 10**400}, "lr is a number of about 400 digits; it must be a number"),
        ({"seed": 10**5000}, "seed is a number of about 5000 digits; it must lie between"),
        ({"frames": "abc"}, "frames is 'abc'; it must be a whole number"),
        ({"model": {"wtmr": 1}}, "model is {'wtmr': 1}; it must be text"),
        ({"scale": [[]]}, "scale is .*; it must be text"),
        ({"conv_channels": [8, 10**9]}, "conv_channels is .*; it must be 2 whole numbers from 1 to 8192 or nothing"),
        ({"split": 10**400}, "split is a number of about 400 digits; it must be text"),
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


SPANS = {key: one.span for key, one in described().items() if one.span}


@given(st.sampled_from(sorted(SPANS)), st.integers(-(10**9), 10**9))
def test_no_number_outside_its_range_is_taken(key, value):
    low, high = SPANS[key]
    if not low <= value <= high:
        with pytest.raises(SettingsError, match=key):
            of(**{key: value})


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


def test_what_chooses_the_epoch():
    assert of().epoch_choice == "smoothed"
    assert of(val_fraction=0).epoch_choice == of(protocol="published").epoch_choice == "last"
    assert of(epoch_choice="best").epoch_choice == "best"
    with pytest.raises(SettingsError, match="val_fraction is 0; epoch_choice smoothed needs a validation part"):
        of(val_fraction=0, epoch_choice="smoothed")
    assert of(protocol="published", epoch_choice="best").epoch_choice == "best"
    with pytest.raises(SettingsError, match="epoch_choice is 'first'; it can be last, smoothed, best"):
        of(epoch_choice="first")


#: the ends of the names of runs on "data", published and corrected, mini and full each, as they were before what a
#: protocol decides became settings
NAMES = {
    ("hmdb51", "wtmr"): "f00d56cd 40dffb87 653145dd 9ee9a4b0",
    ("hmdb51", "released-wtmr"): "db3505a3 788bf172 0f6d8dc4 3bdcad61",
    ("hmdb51", "released-wmrc"): "3d848669 7b29c8f3 3e7b8322 c228bb5f",
    ("hmdb51", "released-timesformer"): "d35583d8 7c73edf9 e531facc ed3e74ad",
    ("ntu60", "wtmr"): "435daa11 7a6e9b1c c5129261 db172e9b",
    ("ntu60", "released-wtmr"): "4aea9365 c5e95018 6e1a6376 90daccb7",
    ("ntu60", "released-wmrc"): "592c63f5 8e61a0c0 f7fe36ee 5bdd5f9d",
    ("ntu60", "released-timesformer"): "14a77993 3965a186 eb54a483 30097252",
    ("svideoqa", "wtmr"): "4f6f1e1d 57a8bb4b 1bd9bbac 61739025",
    ("svideoqa", "released-wtmr"): "1f4d280d 30682160 57d76edd d5efa3eb",
    ("svideoqa", "released-wmrc"): "cd23dfdf 2b813841 19a0ea45 42963ce4",
    ("svideoqa", "released-timesformer"): "ae69adbc 18b16529 ada91b46 141116a0",
}


@pytest.mark.parametrize(("dataset", "model"), NAMES)
def test_what_came_later_leaves_names_as_they_were(dataset, model):
    rows = [(p, s) for p in settings.PROTOCOLS for s in settings.SCALES]
    now = [of(dataset=dataset, model=model, protocol=p, scale=s).name("data")[-8:] for p, s in rows]
    assert " ".join(now) == NAMES[dataset, model]


def test_settings_by_their_names_of_before_make_the_runs_of_before():
    old = {"mixup": 0.2, "drop": 0.1, "noise": 0.02, "average": 0.9, "clip_norm": 2.0, "weights": "uniform"}
    assert of(dataset="ntu60", **old).name("data").endswith("-c98d40f4")
    assert of(dataset="ntu60", **old) == of(
        dataset="ntu60", mixup=0.2, joint_dropout=0.1, joint_noise=0.02, ema_decay=0.9, max_grad_norm=2.0,
        region_weights="uniform",
    )  # fmt: skip
    assert of(protocol="published", clip_norm=1.0).name("data").endswith("-096b0bf7")
    assert of(val_fraction=0, split="1").name("data").endswith("-222f8b6c")


def test_what_follows_from_others():
    sampled = of(parts="sampled")
    assert (sampled.split, sampled.val_fraction, sampled.epoch_choice) == ("-", 0.2, "last")
    assert of(protocol="published", parts="official").split == "auto"
    assert of(frames=32).stored_frames == 32
