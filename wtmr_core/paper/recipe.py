"""The settings of a run as a reader wants them: a few lines, by what they decide."""

from __future__ import annotations

from typing import Any

import pandas as pd

from wtmr_core import rules
from wtmr_core.settings import Settings, defaults, described

#: the first setting of each group, in the order of `Settings`
GROUPS = {
    "dataset": "run",
    "reader": "data",
    "frames": "clip",
    "width": "network",
    "backbone": "backbone",
    "epochs": "training",
    "epoch_choice": "evaluation",
    "augment_per": "augmentation",
    "device": "machine",
}


def table(settings: Settings) -> pd.DataFrame:
    """The settings that make a run what it is, a row for each group of them.

    Those without an effect here are left out, such as a backbone's where there is none, and so is what is none, zero or
    where and how the run is made, unless it was changed. The seed always stands there.

    Returns:
        Columns: decides (the group), usual (those that its protocol and scale give) and changed (all others).
    """
    usual = defaults(settings.dataset, settings.model, settings.protocol, settings.scale)
    idle, rows = rules.without_effect(settings), []
    for key, one in described().items():
        if key in GROUPS:
            rows.append({"decides": GROUPS[key], "usual": [], "changed": []})
        value = getattr(settings, key)
        changed = key in usual and usual[key] != value
        if changed:
            rows[-1]["changed"].append(_words(key, value))
        elif one.identity and key not in idle and (key == "seed" or isinstance(value, bool) or value):
            rows[-1]["usual"].append(_words(key, value))
    words = pd.DataFrame(rows)
    words[["usual", "changed"]] = words[["usual", "changed"]].map(", ".join)
    return words[(words.usual + words.changed) != ""].reset_index(drop=True)


def _words(key: str, value: Any) -> str:
    """A setting with its value in words."""
    name = key.replace("_", " ")
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, tuple):
        return f"{name} {' and '.join(map(str, value))}"
    return f"{name} {'none' if value is None else f'{value:g}' if isinstance(value, float) else value}"
