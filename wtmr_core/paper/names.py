"""Networks and data sets in words, for tables, figures and sentences: `released-wtmr` is WTMR-Net."""

from __future__ import annotations

from collections.abc import Mapping

DATASETS = {
    "hmdb51": "HMDB51",
    "ntu60": "NTU RGB+D",
    "svideoqa": "SVideoQA",
    "folder": "own videos",
    "skeletons": "own skeletons",
}
NETWORKS = {
    "released-wtmr": "WTMR-Net",
    "released-wmrc": "WMRC-Net",
    "released-timesformer": "TimeSformer",
    "wtmr": "WTMR-Net, described",
    "wtmr, chosen on validation": "WTMR-Net, described: chosen on validation",
    "temporal": "temporal CNN",
    "linear": "linear layer",
    "logistic": "logistic regression",
}
#: what a setting makes of a network
CHANGES = {
    "cnn=False": "TimeSformer alone",
    "depth=0": "CNN alone",
    "kernels=shared": "shared kernels",
    "region_weights=uniform": "equal region weights",
    "context=False": "without context",
    "motion=False": "without motion",
    "time_encoding=False": "without time encoding",
    "patch=4": "patches of 4",
    "attention=divided": "divided attention",
    "attention=space": "attention in space alone",
    "residual=True": "added to the backbone's map",
    "backbone_frozen=8": "tuned backbone",
    "backbone_frozen=16": "tuned backbone",
    "backbone_frozen=32": "frozen backbone",
    "backbone=mobilenetv2_100": "over MobileNetV2",
    "backbone=tf_efficientnet_lite2": "over EfficientNet-Lite2",
}
#: settings that go without saying beside another one
IMPLIED = {
    "backbone_frozen": {"backbone_lr", "epochs", "mixup"},
    "backbone": {
        "size", "colour", "width", "depth", "heads", "conv_channels", "dropout", "patch", "backbone_weights",
        "backbone_stage", "backbone_frozen", "backbone_lr", "backbone_views",
    },
}  # fmt: skip


def dataset(name: str) -> str:
    """A data set in words; raises `ValueError` for an unknown name.

    >>> dataset("hmdb51")
    'HMDB51'
    """
    return _known(DATASETS, name, "data set")


def network(label: str) -> str:
    """A network in words, by its label (see `tables.labels`) or its model; raises `ValueError` for an unknown model.

    >>> network("released-wtmr")
    'WTMR-Net'
    >>> network("wtmr context=False")
    'WTMR-Net, described: without context'
    """
    if label in NETWORKS:
        return NETWORKS[label]
    return f"{_known(NETWORKS, label.split(' ')[0], 'network')}: {variant(label)}"


def variant(label: str) -> str:
    """What the settings in a label make of its model; raises `ValueError` for a label that has none.

    >>> variant("wtmr depth=0")
    'CNN alone'
    """
    settings = dict(part.split("=", 1) for part in label.split(" ")[1:] if "=" in part)
    if not settings:
        raise ValueError(f"{label!r} is no variant: expected settings after the model, such as 'wtmr depth=0'")
    implied = set().union(*(IMPLIED.get(key, set()) for key in settings))
    said = [(f"{key}={value}", key, value) for key, value in settings.items() if key not in implied]
    return ", ".join(CHANGES.get(pair, f"{key.replace('_', ' ')} {value}") for pair, key, value in said)


def _known(words: Mapping[str, str], name: str, kind: str) -> str:
    if name not in words:
        raise ValueError(f"there is no {kind} {name!r}; there are {', '.join(words)}")
    return words[name]
