"""The gallery: who was seen in which log, what they looked like, and the names given to them.

A local file, apart from the logs. It holds numbers that describe clothes, and names; no pictures, no faces. It is
written whole or not at all, and read strictly.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wtmr_core import files
from wtmr_core.tracking.appearance import COLOURS, Appearance

NAME = "who.safetensors"  # of the gallery in a folder of logs
VERSION = 1
LONGEST = 100  # characters of a name
_PARTS = ("upper", "lower")


class GalleryError(ValueError):
    """A gallery cannot be read, or does not hold what is asked of it; the message says what to do."""


@dataclass(frozen=True)
class Seen:
    """A person of a log.

    Attributes:
        identity: who it is, a number from 1
        log: folder of the log, relative to that of the gallery, with / between its parts
        person: number in that log
        looks: what the person looked like
        day: date of the video, "" where it was not given
        sure: whether others are compared with these looks: those of who was new then, or was confirmed by hand, not
            those of who was recognised, so that no mistake leads to the next
    """

    identity: int
    log: str
    person: int
    looks: Appearance
    day: str = ""
    sure: bool = True

    @property
    def key(self) -> str:
        """Log and number with a colon between them, as the command takes it."""
        return f"{self.log}:{self.person}"


@dataclass
class Gallery:
    """Who was seen where, in memory; `read` and `save` are its file.

    Attributes:
        path: the file
        seen: a row for each person of each log
        names: identity -> name

    >>> gallery = Gallery.read("logs/who.safetensors")
    >>> gallery.rename(gallery.find("monday:3"), "alice")
    >>> gallery.save()
    """

    path: Path
    seen: list[Seen] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def at(cls, path: str | Path) -> Gallery:
        """Read the gallery in a file or a folder, an empty one where there is none yet; raises as `read` does."""
        path = Path(path)
        path = path / NAME if path.is_dir() else path
        return cls.read(path) if path.exists() else cls(path)

    @classmethod
    def read(cls, path: str | Path) -> Gallery:
        """Read a gallery from a file, or from the folder that holds it.

        Raises:
            GalleryError: where there is none, it is damaged, or it is of another version.
        """
        path = Path(path)
        path = path / NAME if path.is_dir() else path
        try:
            with safe_open(path, framework="numpy") as file:
                head = json.loads((file.metadata() or {}).get("gallery", "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError:
            raise GalleryError(f"there is no gallery at {path}: wtmr track … --gallery makes one") from None
        except (OSError, SafetensorError, ValueError, RecursionError) as error:
            raise GalleryError(f"{path} is no gallery or is damaged ({error}): restore it, or delete it") from error
        if not isinstance(head, dict) or head.get("version") != VERSION:
            found = head.get("version") if isinstance(head, dict) else None
            kind = f"a gallery of version {found!r}" if found is not None else "no gallery"
            raise GalleryError(f"{path} is {kind}; this program reads version {VERSION}: make a new one")
        try:
            return cls(path, *_content(head, tensors))
        except (KeyError, TypeError, ValueError) as error:
            raise GalleryError(f"{path} is damaged ({error}): restore it, or delete it") from error

    def save(self) -> None:
        """Write the file, whole or not at all; raises `RunError` where that fails."""
        rows = [[s.identity, s.log, s.person, s.day, s.sure, s.looks.sightings] for s in self.seen]
        names = [[number, name] for number, name in sorted(self.names.items())]
        head = json.dumps({"version": VERSION, "names": names, "seen": rows}, ensure_ascii=False)
        tensors = {
            name: np.array([getattr(s.looks, name) for s in self.seen], np.float32).reshape(-1, COLOURS)
            for name in _PARTS
        }
        files.write(self.path, lambda path: save_file(tensors, path, metadata={"gallery": head}))

    @property
    def identities(self) -> list[int]:
        """Everybody in the gallery."""
        return sorted({s.identity for s in self.seen} | set(self.names))

    def of(self, identity: int) -> list[Seen]:
        """Where somebody was seen."""
        return [s for s in self.seen if s.identity == identity]

    def looks(self, day: str = "") -> dict[int, list[Appearance]]:
        """What everybody looks like on a day: as they were seen on that day, or if they were not, on any other."""
        looks = {}
        for identity in self.identities:
            sure = [s for s in self.of(identity) if s.sure and s.looks.known]
            looks[identity] = [s.looks for s in sure if s.day == day] or [s.looks for s in sure]
        return looks

    def find(self, who: str) -> int:
        """Find somebody by name, number or `LOG:NUMBER`; raises `GalleryError` where there is nobody."""
        who = unicodedata.normalize("NFC", who.strip())
        for identity, name in self.names.items():
            if name == who:
                return identity
        if who.isdecimal() and int(who) in self.identities:
            return int(who)
        for s in self.seen:
            if s.key == who:
                return s.identity
        known = ", ".join([*self.names.values()][:20]) or "nobody has a name yet"
        raise GalleryError(f"{self.path} knows nobody called {who!r} ({known}): wtmr who list {self.path} shows all")

    def new(self) -> int:
        """A number that nobody has."""
        return max([0, *self.identities]) + 1

    def rename(self, identity: int, name: str) -> None:
        """Give somebody a name; raises `GalleryError` for one that is not allowed or is another's."""
        name = checked(name)
        holder = next((n for n, other in self.names.items() if other == name), identity)
        if holder != identity:
            raise GalleryError(f"{name} is the name of another, number {holder}: join the two if they are one person")
        self.names[identity] = name

    def join(self, first: int, second: int) -> int:
        """Make two people one, and return who it is: the first, unless only the second has a name.

        Where both have a name, that of the second is dropped.

        Raises:
            GalleryError: for one person given twice.
        """
        if first == second:
            raise GalleryError(f"{self.called(first)} is one person already")
        kept, gone = (second, first) if second in self.names and first not in self.names else (first, second)
        self.names.pop(gone, None)
        self.seen = [replace(s, identity=kept) if s.identity == gone else s for s in self.seen]
        return kept

    def part(self, keys: Iterable[str]) -> int:
        """Make people of logs, given as `LOG:NUMBER`, somebody new, and return who it is.

        Raises:
            GalleryError: where one is not known, they are of several people, or they are all there is of one.
        """
        keys = set(keys)
        if lost := sorted(keys - {s.key for s in self.seen}):
            raise GalleryError(f"{self.path} knows no {lost[0]}: give LOG:NUMBER as wtmr who list {self.path} shows it")
        owners = {s.identity for s in self.seen if s.key in keys}
        if len(owners) != 1:
            raise GalleryError(f"{', '.join(sorted(keys))} are {len(owners)} people: part them one after the other")
        if keys == {s.key for s in self.of(*owners)}:
            raise GalleryError(f"that is all there is of {self.called(*owners)}: there is nothing to part")
        number = self.new()
        self.seen = [replace(s, identity=number, sure=True) if s.key in keys else s for s in self.seen]
        rest = [s.key for owner in owners for s in self.of(owner)]
        if not any(s.sure for s in self.seen if s.key in rest):
            self.confirm(rest)
        return number

    def confirm(self, keys: Iterable[str]) -> None:
        """Compare others with these people of logs, given as `LOG:NUMBER`, from now on."""
        keys = set(keys)
        self.seen = [replace(s, sure=True) if s.key in keys else s for s in self.seen]

    def forget(self, identity: int) -> None:
        """Drop all that is known of somebody."""
        self.seen = [s for s in self.seen if s.identity != identity]
        self.names.pop(identity, None)

    def called(self, identity: int) -> str:
        """The name of somebody, or the number where there is none."""
        return self.names.get(identity, f"number {identity}")


def checked(name: str) -> str:
    """A name without blanks around it; raises `GalleryError` where it is not allowed.

    A name is printable, has 1 to 100 characters, no colon or = and more than digits: it is told apart from numbers and
    `LOG:NUMBER`. One name written with different code points is the same name (Unicode's NFC).
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not 0 < len(name) <= LONGEST or not name.isprintable() or name.isdecimal() or ":" in name or "=" in name:
        raise GalleryError(
            f"{name[:LONGEST]!r} is no name: take 1 to {LONGEST} characters, not digits alone, no : or ="
        )
    return name


def _content(head: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> tuple[list[Seen], dict[int, str]]:
    """The checked rows and names of a file."""
    rows, names = head["seen"], {_natural(number): checked(name) for number, name in head["names"]}
    if len(names) != len(head["names"]) or len(set(names.values())) != len(names):
        raise ValueError("a person or a name is there twice")
    for name in _PARTS:
        tensor = tensors.get(name)
        if tensor is None or tensor.dtype != np.float32 or tensor.shape != (len(rows), COLOURS):
            raise ValueError(f"{name} is not {len(rows)} rows of {COLOURS} numbers")
        if not (np.isfinite(tensor).all() and (tensor >= 0).all()):
            raise ValueError(f"{name} has numbers that cannot be")
    seen = []
    for (identity, log, person, day, sure, sightings), *looks in zip(
        rows, *(tensors[name] for name in _PARTS), strict=True
    ):
        if not (isinstance(log, str) and log and isinstance(sure, bool)):
            raise ValueError(f"a row of {log!r} is malformed")
        looks = Appearance(*looks, _natural(sightings, 0))
        seen.append(Seen(_natural(identity), log, _natural(person, 0), looks, as_day(day), sure))
    if len({s.key for s in seen}) != len(seen):
        raise ValueError("a person of a log is there twice")
    return seen, names


def as_day(text: str) -> str:
    """A date as YYYY-MM-DD, or "" for none; raises `ValueError` for anything else."""
    try:
        right = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        right = False
    if not right:
        raise ValueError(f"{text!r} is no date: write it as 2026-11-29")
    return text


def _natural(value: Any, least: int = 1) -> int:
    if type(value) is not int or not least <= value < math.inf:
        raise ValueError(f"{value!r} is no number from {least}")
    return value
