"""Settings as they were when the first runs were kept, so that these keep their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: settings by the names that they had when the first runs were kept
RENAMED = {
    "weights": "region_weights",
    "clip_norm": "max_grad_norm",
    "average": "ema_decay",
    "noise": "joint_noise",
    "drop": "joint_dropout",
}


def _by_protocol(published: Any, corrected: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda settings: published if settings.get("protocol") == "published" else corrected


#: settings that came after the first kept runs: what these were trained with, from their other settings
LATER: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "epoch_choice": lambda s: "last" if s.get("protocol") == "published" or not s.get("val_fraction") else "best",
    "reader": _by_protocol("published", "corrected"),
    "parts": _by_protocol("sampled", "official"),
    "centre_joints": _by_protocol(False, True),
    "lr_per": _by_protocol("epoch", "batch"),
    "unscale_gradients": _by_protocol(False, True),
    "half_precision": _by_protocol("fp16", "bf16"),
    "train_accuracy": _by_protocol("running", "evaluated"),
    "augment_evaluation": _by_protocol(True, False),
    "augment_per": _by_protocol("frame", "clip"),
    "spare_sided": _by_protocol(False, True),
    "normalise_joints": lambda settings: False,
    "colour": lambda settings: None,
    "residual": lambda settings: False,
    "backbone_stage": lambda settings: 4,
    "backbone_frozen": lambda settings: 0,
    "backbone_lr": lambda settings: 1.0,
    "backbone_start": lambda settings: 0,
    "backbone_views": lambda settings: 1,
}
