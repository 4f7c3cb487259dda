"""`wtmr train --list`: every setting, with what it means, the values that it can have, and its defaults."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

from wtmr_core.literals import shown
from wtmr_core.settings import BASIC, PROTOCOLS, SCALES, Settings, described

_INDENT = " " * 4


def entries(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every setting: its `name`, `meaning`, `allowed` values in words, and `defaults`, protocol -> scale -> value.

    Args:
        values: settings of a run, of which the data set (by default hmdb51) and the model decide the defaults

    Raises:
        SettingsError: for settings that cannot be.
    """
    run = Settings.of({"dataset": "hmdb51", **values})
    basic = {"dataset": None, **BASIC}
    usual = {
        protocol: {
            scale: Settings.of(
                {"dataset": run.dataset, "model": run.model, "protocol": protocol, "scale": scale}
            ).asdict()
            | basic
            for scale in SCALES
        }
        for protocol in PROTOCOLS
    }
    return [
        {
            "name": name,
            "meaning": one.meaning,
            "allowed": one.allowed,
            "defaults": {p: {s: usual[p][s][name] for s in SCALES} for p in PROTOCOLS},
        }
        for name, one in described().items()
    ]


def text(values: Mapping[str, Any]) -> str:
    """The settings for a terminal; arguments and errors are those of `entries`."""
    run = Settings.of({"dataset": "hmdb51", **values})
    lines = [
        f"Settings of {run.model} on {run.dataset}, as KEY=VALUE; null is the default. Defaults of others:",
        "wtmr train --list dataset=ntu60 model=released-wtmr",
    ]
    width = min(100, shutil.get_terminal_size().columns)
    wrapped = textwrap.TextWrapper(width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False)
    for one in entries(values):
        lines += ["", f"{one['name']}: {one['allowed']}"]
        for said in (one["meaning"], *_defaults(one["name"], one["defaults"])):
            lines += wrapped.wrap(said)
    return "\n".join(lines)


def _defaults(name: str, values: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The defaults in words, in one line where both protocols have the same."""
    if name == "dataset":
        return ["must be given"]
    words = {}
    for protocol in PROTOCOLS:
        full, mini = (_word(values[protocol][scale]) for scale in ("full", "mini"))
        words[protocol] = full if full == mini else f"{full}, at scale mini {mini}"
    if len(set(words.values())) == 1:
        return [f"default: {words['corrected']}"]
    return [f"default, {protocol}: {words[protocol]}" for protocol in PROTOCOLS]


def _word(value: Any) -> str:
    """A value as it is given on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else shown(value, quotes=False)
