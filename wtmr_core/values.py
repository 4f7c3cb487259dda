"""One setting: what it means, and which values it can have."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from wtmr_core.literals import DIGITS, shown

WIDEST = 8192  # of a layer
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", types.NoneType: "nothing"}


class SettingsError(ValueError):
    """An unknown setting or an impossible value; the message names the setting."""


def setting(
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    span: tuple[float, float] | None = None,
    identity: bool = True,
    default: Any = MISSING,
) -> Any:
    """A field of a dataclass of settings.

    Args:
        meaning: what it decides, in words; `wtmr train --list` shows it
        choices: the words that it can be
        span: the lowest and the highest number that it can be
        identity: whether it makes a run what it is; otherwise it is no part of the run's name
        default: where no preset gives one
    """
    return field(default=default, metadata={"meaning": meaning, "choices": choices, "span": span, "identity": identity})


@dataclass(frozen=True)
class Setting:
    """A setting as its dataclass declares it with `setting`; `kinds` are the types that it may have."""

    name: str
    kinds: tuple[Any, ...]
    meaning: str
    choices: tuple[str, ...]
    span: tuple[float, float] | None
    identity: bool

    def read(self, value: Any) -> Any:
        """A value as JSON and YAML hold it, as the type of this setting where it can only be that."""
        if isinstance(value, list):
            return tuple(value)
        if _whole(value) and abs(value) < 10**DIGITS:
            return str(value) if self.name == "split" else float(value) if float in self.kinds else value
        return value

    def check(self, value: Any) -> None:
        """Raise `SettingsError` for a value that this setting cannot have, whatever the others are."""
        self.check_kind(value)
        if self.choices and value not in self.choices:
            raise SettingsError(f"{self.name} is {shown(value)}; it can be {', '.join(self.choices)}")
        if self.span and value is not None and not self.span[0] <= value <= self.span[1]:
            low, high = map(_number, self.span)
            raise SettingsError(f"{self.name} is {shown(value)}; it must lie between {low} and {high}")

    def check_kind(self, value: Any) -> None:
        """Raise `SettingsError` for a value of another type."""
        if not any(_is(value, kind) for kind in self.kinds):
            raise SettingsError(f"{self.name} is {shown(value)}; it must be {self.kind}")

    @property
    def kind(self) -> str:
        """Its types in words."""
        return " or ".join(map(_words, self.kinds))

    @property
    def allowed(self) -> str:
        """The values that it can have, in words, as they are given on a command line."""
        if self.choices:
            return ", ".join(self.choices)
        words = " or ".join(_words(kind) for kind in self.kinds if kind is not types.NoneType)
        if self.span:
            words += " from {} to {}".format(*map(_number, self.span))
        return words + (", or null" if types.NoneType in self.kinds else "")


def declared(settings: type) -> dict[str, Setting]:
    """The settings that a dataclass declares with `setting`, by name."""
    kinds = typing.get_type_hints(settings)
    return {f.name: Setting(f.name, _alternatives(kinds[f.name]), **f.metadata) for f in fields(settings)}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def unknown(key: Any, known: Iterable[str]) -> str:
    """A sentence that says `key` is not one of `known`, with the nearest of them."""
    name = shown(key, quotes=False)
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no setting '{name}'" + (
        f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
    )


def _words(kind: Any) -> str:
    """A type in words."""
    return _WORDS.get(kind) or f"{len(typing.get_args(kind))} whole numbers from 1 to {WIDEST}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value has a type, of which a truth value is no number and a tuple is one of whole numbers."""
    if typing.get_origin(kind) is tuple:
        size = len(typing.get_args(kind))
        return isinstance(value, tuple) and len(value) == size and all(_whole(v) and 0 < v <= WIDEST for v in value)
    return isinstance(value, kind) and not (isinstance(value, bool) and kind is int)
