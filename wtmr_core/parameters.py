"""Settings as the parameters of a notebook, and as `KEY=VALUE` pairs of a command line."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from typing import Any

from wtmr_core.literals import LiteralError, read, shown
from wtmr_core.settings import RENAMED, Settings, SettingsError, described, unknown

#: what a training notebook takes: every setting, under its name of before too, or any of them in `settings`; where data
#: and results lie; the run's name in a suite
TRAINING = frozenset(described().keys() | RENAMED.keys() | {"settings", "root", "results", "name"})
#: the settings that have a line of their own among its parameters, whatever they are
ALONE = ("dataset", "model", "protocol", "split", "seed", "scale", "threads")
_CHECKED = "_wtmr_parameters"
_IPYTHON = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open"})


def from_notebook(names: Mapping[str, Any], parameters: Iterable[str]) -> dict[str, Any]:
    """Read the parameters of a notebook from its `globals()`, and check their names.

    papermill only warns about an unknown parameter and goes on with the defaults; here it is an error. Its command line
    knows numbers, True, False and None, and hands on all else as text, such as `-p conv_channels "[8, 16]"` and
    `-p context false`: a setting that is no text is read of it as `from_pairs` does, of any other parameter lists,
    mappings, true and false. Call this in the cell after the parameters, before anything else is named. When cells are
    run again in a living kernel, names that were not there the first time are the notebook's own.

    Args:
        names: the notebook's `globals()`, in which parameters that were given as text get their values
        parameters: the names that are allowed. The entries of one called `settings`, a dictionary, count as parameters.

    Raises:
        SettingsError: for an unknown parameter, for one that is given twice, and for text that does not read.
    """
    parameters = set(parameters)
    if _CHECKED not in names:
        for key, value in names.items():
            imported = isinstance(value, types.ModuleType | types.FunctionType | type)
            if not (key.startswith("_") or key in _IPYTHON or imported) and key not in parameters:
                raise SettingsError(unknown(key, parameters))
        if isinstance(names, dict):
            names[_CHECKED] = sorted(parameters & names.keys())
    values = {key: _value(key, names[key]) for key in names.get(_CHECKED, sorted(parameters & names.keys()))}
    if isinstance(names, dict):
        names.update(values)
    together = values.pop("settings", None) or {}
    if not isinstance(together, Mapping):
        raise SettingsError(f"settings is {shown(together)}; it must be a dictionary, such as {{'epochs': 3}}")
    for key in together:
        if key not in parameters:
            raise SettingsError(unknown(key, parameters))
        if values.get(key) is not None:
            raise SettingsError(f"{key} is given twice: as a parameter and in settings")
    return values | {key: _value(key, value) for key, value in together.items()}


def _value(key: str, value: Any) -> Any:
    """The value of a parameter; of text, what it says."""
    setting = described().get(RENAMED.get(key, key))
    if not isinstance(value, str) or (setting and str in setting.kinds):
        return value
    try:
        said = read(value)
    except LiteralError as error:
        if setting:
            raise SettingsError(f"{key} is {shown(value)}, which does not read: {error}") from error
        return value
    return said if setting or isinstance(said, list | dict | bool) else value


def to_notebook(settings: Settings) -> dict[str, Any]:
    """The parameters with which the training notebook trains the run of `settings`.

    Those in `ALONE` stand by themselves, the others in `settings`.
    """
    values = {key: value for key, value in settings.asdict().items() if value is not None}
    alone = {key: values.pop(key) for key in ALONE}
    return alone | {"settings": values}


def from_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """Read settings from the `KEY=VALUE` pairs of a command line.

    Values are read as in a suite; `split` stays text. Where a key is repeated, the last value counts, as usual for
    options.

    Raises:
        SettingsError: naming the pair that is malformed or has no value.

    >>> from_pairs(["dataset=hmdb51", "lr=1e-3", "split=1"])
    {'dataset': 'hmdb51', 'lr': 0.001, 'split': '1'}
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        if not key or not text.strip():
            raise SettingsError(f"{shown(pair)} is not KEY=VALUE, such as epochs=3; null is the default")
        try:
            values[key] = text if key == "split" else read(text)
        except LiteralError as error:
            raise SettingsError(f"{shown(pair)} is not KEY=VALUE: {error}") from error
    return values


def to_pairs(settings: Settings) -> list[str]:
    """The `KEY=VALUE` pairs of a command line that `from_pairs` reads as these settings."""
    values = {key: value for key, value in settings.asdict().items() if value is not None}
    return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items()]
