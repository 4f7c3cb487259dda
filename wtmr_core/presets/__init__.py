"""The values of settings that are not given: four files of rules, applied one after another.

`base` comes first, then the protocol (`published` or `corrected`), the scale (`mini`; `full` adds nothing), and
`consequences`. A rule consists of `set`, the values it gives, and `if`, the settings (or the `modality`) that it
requires, each a value or a list of values; without `if` it always applies. A rule sees the settings that were given and
the values of the rules before it; it never overrides a setting that was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from wtmr_core import literals
from wtmr_core.modality import MODALITIES


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Complete `settings` by the preset value of every other setting.

    `settings` must include dataset, model, protocol and scale.

    >>> completed({"dataset": "hmdb51", "model": "wtmr", "protocol": "published", "scale": "full"})["schedule"]
    'plateau'
    """
    values = {**settings, "modality": MODALITIES[settings["dataset"]]}
    for name in ("base", settings["protocol"], settings["scale"], "consequences"):
        for condition, changes in _rules(name):
            if all(values[key] in allowed for key, allowed in condition.items()):
                values |= {key: value for key, value in changes.items() if key not in settings}
    del values["modality"]
    return values


@cache
def _rules(name: str) -> tuple[tuple[dict[str, tuple], dict[str, Any]], ...]:
    """The rules of a file as (condition, changes); none where there is no such file."""
    file = Path(__file__).with_name(f"{name}.yaml")
    if not file.is_file():
        return ()
    rules = literals.read(file.read_text(encoding="utf-8"))
    return tuple((_condition(rule.get("if", {})), _tuples(rule["set"])) for rule in rules)


def _condition(asked: Mapping[str, Any]) -> dict[str, tuple]:
    return {key: tuple(value) if isinstance(value, list) else (value,) for key, value in asked.items()}


def _tuples(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in changes.items()}
