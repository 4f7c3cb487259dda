"""Files written whole or not at all, and read with an explanation of what is wrong with them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

if TYPE_CHECKING:
    import pandas as pd

AGAIN = "delete the folder and run it again"
LARGEST = 2**24  # bytes of a text


class RunError(RuntimeError):
    """A run folder cannot be used; the message says which one and what to do."""


def replace(path: Path, save: Callable[[Path], Any]) -> None:
    """Write a file whole or not at all.

    `save` writes a file beside `path`, which then takes its place, with the permissions that the umask gives and
    flushed to the disk. Raises what `save` and the system raise.
    """
    beside = path.with_name(f".{path.stem}.part{path.suffix}")  # np.savez and others look at the suffix
    try:
        beside.unlink(missing_ok=True)
        beside.touch()
        mode = beside.stat().st_mode
        save(beside)
        beside.chmod(mode)  # safetensors keeps what it writes to itself
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    with suppress(OSError):  # a system or file system that knows no such thing
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name outlives a power cut too
        finally:
            os.close(folder)


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """Write a file of a run as `replace` does; raises `RunError`, naming the file, where that fails."""
    try:
        replace(path, save)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and numpy do not name the file
        full = getattr(error, "errno", None) in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free some disk space" if full else "see that its folder is there and can be written to"
        why = getattr(error, "strerror", None) or error
        raise RunError(f"{path} cannot be written ({why}): {remedy} and run it again") from error


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8; see `write`."""
    write(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"))


def write_table(path: Path, table: pd.DataFrame, *, index: bool = False, numbers: str | None = None) -> None:
    """Write `table` as CSV, its index only if asked for, with all digits or in a format such as "%.6g"; see `write`."""
    write_text(path, table.to_csv(index=index, float_format=numbers, lineterminator="\n"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; see `write`."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def sha256(path: Path) -> str:
    """The SHA-256 of a file in 64 hex digits; raises `RunError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path} does not read ({error.strerror}): see that it can be read") from error


def read_json(path: Path, needed: Iterable[str] = ()) -> dict[str, Any]:
    """Read the JSON object in a file.

    Raises:
        RunError: where the file cannot be read, holds something else, or lacks a key that is `needed`.
    """
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} does not read ({error}): {AGAIN}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} does not read (it holds {type(value).__name__}, not an object): {AGAIN}")
    if lost := [key for key in needed if key not in value]:
        raise RunError(f"{path} is damaged (it has no {lost[0]}): {AGAIN}")
    return value


def read_text(path: Path) -> str:
    """Read a UTF-8 text of no more than 16 MB; raises `RunError` where that fails."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it has over {LARGEST >> 20} MB")
        return content.decode("utf-8")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} does not read ({error}): {AGAIN}") from error
