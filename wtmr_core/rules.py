"""Which settings exclude each other, and which have no effect beside others.

The rules are given a whole `Settings`, which asks them when it is made.
"""

from __future__ import annotations

from typing import Any

from wtmr_core.literals import shown
from wtmr_core.modality import OWN, has_joints
from wtmr_core.values import SettingsError

RELEASED = ("released-wtmr", "released-wmrc", "released-timesformer")
#: baselines over a backbone
PROBES = ("linear", "logistic")
#: what every network can be built with, and what the described one has beside
SIZES = ("frames", "width", "depth", "heads", "conv_channels", "dropout", "drop_path")
DESCRIBED = ("cnn", "regions", "kernels", "region_weights", "context", "motion", "patch", "time_encoding", "attention",
             "residual", "timesformer_weights")  # fmt: skip
#: the settings of a backbone, and those with which it is built
BACKBONE = ("backbone", "backbone_weights", "backbone_stage", "backbone_frozen", "backbone_lr", "backbone_start",
            "backbone_views")  # fmt: skip
BUILT = BACKBONE[:4]
#: those with which a network starts from weights in a file; one that is loaded as trained, or counted, needs none
PRETRAINED = ("backbone_weights", "backbone_frozen", "timesformer_weights")
#: what a regression has, which is fitted at once
LOGISTIC = {"epochs": 1, "accumulate": 1, "mixup": 0.0, "ema_decay": 0.0, "label_smoothing": 0.0, "warmup_epochs": 0,
            "processes": 1, "nodes": 1}  # fmt: skip
#: the data sets that the paper's own reader reads otherwise
PUBLISHED_READERS = ("ntu60", "svideoqa")


def check_together(settings: Any) -> None:
    """Raise `SettingsError` for settings that exclude each other."""
    if not settings.val_fraction:
        if settings.parts == "sampled":
            raise SettingsError("val_fraction is 0; parts sampled needs a share to sample, such as 0.2")
        if settings.schedule == "plateau":
            raise SettingsError("val_fraction is 0; schedule plateau needs a validation part")
        if settings.epoch_choice != "last":
            raise SettingsError(f"val_fraction is 0; epoch_choice {settings.epoch_choice} needs a validation part")
    if settings.model == "temporal" and not has_joints(settings.dataset):
        raise SettingsError(f"model is temporal, which takes joints; for {settings.dataset} it can be wtmr")
    if settings.model in PROBES and has_joints(settings.dataset):
        raise SettingsError(f"model is {settings.model}, which takes frames; for {settings.dataset} it can be wtmr")
    if settings.model in PROBES and not settings.backbone:
        raise SettingsError(f"model is {settings.model}, which needs a backbone, such as mobilenetv2_100")
    if settings.model == "logistic":
        _check_logistic(settings)
    if settings.residual and settings.timesformer_weights:
        raise SettingsError(
            "residual is true, so tokens are means of patches; timesformer_weights are for projected ones"
        )
    if settings.backbone_frozen and not settings.backbone_weights:
        raise SettingsError(
            f"backbone_frozen is {settings.backbone_frozen}, but there are no backbone_weights; random ones must train"
        )
    if settings.backbone_start and settings.schedule == "plateau":
        raise SettingsError("backbone_start is not 0; schedule plateau has one learning rate for all layers")
    if settings.dataset in OWN and settings.model in RELEASED:
        able = "wtmr or temporal" if has_joints(settings.dataset) else "wtmr"
        raise SettingsError(
            f"model is {settings.model}, which was released for the paper's data sets only; for "
            f"{settings.dataset} it can be {able}"
        )
    if settings.parts == "official" and settings.split == "-":
        raise SettingsError("split is -, which has no train and test; parts official needs one, such as auto")
    if settings.warmup_epochs and settings.schedule == "plateau":
        raise SettingsError("warmup_epochs is not 0; schedule plateau has no warm-up")
    if settings.stored_frames < settings.frames:
        raise SettingsError(f"stored_frames is {settings.stored_frames}, less than the {settings.frames} frames")
    if settings.views > 1 and settings.stored_frames < settings.views * settings.frames:
        raise SettingsError(
            f"views is {settings.views}; that many of {settings.frames} frames need stored_frames of "
            f"{settings.views * settings.frames}, found {settings.stored_frames}"
        )
    if has_joints(settings.dataset) != (settings.size == 0):
        raise SettingsError(
            f"size is {settings.size}; {settings.dataset} has "
            + ("joints, so it must be 0" if has_joints(settings.dataset) else "pictures, so it must be more")
        )


def _check_logistic(settings: Any) -> None:
    """Raise `SettingsError` for what a regression, which is fitted at once, cannot have."""
    if not settings.backbone_frozen or settings.backbone_frozen != settings.backbone_stage:
        raise SettingsError(
            f"model is logistic, which needs a backbone that is frozen: backbone_frozen {settings.backbone_stage}"
        )
    for key, value in LOGISTIC.items():
        if getattr(settings, key) != value:
            raise SettingsError(f"{key} is {shown(getattr(settings, key))}; with model logistic it must be {value}")


def without_effect(settings: Any) -> dict[str, str]:
    """The settings that have no effect here, and why: if set, they would name another run of the same."""
    joints = has_joints(settings.dataset)
    if joints:
        idle = {"augment_per": "joints are augmented by clip"}
    else:
        idle = dict.fromkeys(("centre_joints", "normalise_joints"), f"{settings.dataset} has no joints")
    if not settings.backbone:
        idle |= dict.fromkeys((*BACKBONE[1:], "residual"), "there is no backbone")
    elif not settings.backbone_frozen:
        idle["backbone_views"] = "no layer is frozen"
    if settings.backbone and settings.backbone_frozen == settings.backbone_stage:
        idle |= dict.fromkeys(("backbone_lr", "backbone_start"), "the whole backbone is frozen")
    if settings.dataset not in PUBLISHED_READERS:
        idle["reader"] = f"both readings of {settings.dataset} are the same"
    if settings.model != "wtmr":
        idle |= dict.fromkeys(DESCRIBED, f"{settings.model} has no such part, only wtmr has")
        if settings.model in PROBES:
            none = f"{settings.model} is one layer over a backbone"
            return idle | dict.fromkeys(("width", "depth", "heads", "conv_channels", "drop_path"), none)
        idle["backbone"] = f"{settings.model} has none"
        if settings.model in RELEASED:
            idle["colour"] = f"{settings.model} takes frames as it was released"
        if settings.model in ("released-wmrc", "temporal"):
            idle["drop_path"] = f"{settings.model} has no blocks"
        if settings.model == "temporal":
            idle["heads"] = "temporal has no attention"
            idle["conv_channels"] = "width is what its convolutions have"
        return idle
    if settings.depth == 0:
        parts = ("attention", "drop_path", "timesformer_weights")
        idle |= dict.fromkeys(parts, "depth is 0, so there are no blocks")
    if joints:
        idle["regions"] = "the regions of joints are body parts"
        idle |= dict.fromkeys(("backbone", "residual", "colour"), f"{settings.dataset} has no frames")
    if not settings.cnn:
        parts = ("regions", "kernels", "region_weights", "context", "motion")
        idle |= dict.fromkeys(parts, "cnn is off")
    return idle
