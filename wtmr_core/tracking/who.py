"""Who is who in logs: people put into a gallery and named from it, by themselves and by hand (`wtmr who`).

The names in the logs follow the gallery.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core.locks import locked
from wtmr_core.tracking.appearance import Appearance
from wtmr_core.tracking.gallery import Gallery, GalleryError, Seen
from wtmr_core.tracking.identity import Span, named
from wtmr_core.tracking.log import write_names


@contextmanager
def changing(path: str | Path, *, new: bool = False) -> Iterator[Gallery]:
    """The gallery of a file or folder, locked against other processes that change it, and saved at the end if all went
    well. `new` says that there may be none yet; otherwise that raises `GalleryError`."""
    gallery = Gallery.at(path) if new else Gallery.read(path)
    path = gallery.path
    with locked(path.with_name(f".{path.name}.lock"), "changes the gallery"):
        gallery = Gallery.at(path)  # another process may have changed it meanwhile
        yield gallery
        gallery.save()


def remember(
    path: str | Path,
    folder: str | Path,
    looks: Mapping[int, Appearance],
    spans: Mapping[int, Span],
    given: Mapping[int, str] | None = None,
    day: str = "",
) -> dict[int, str]:
    """Recognise the people of a finished log, put all of them into a gallery, and write their names into `log.json`.

    What the gallery knew of that log is replaced; what was put right by hand stays where it is found again.

    Args:
        path: file or folder of the gallery
        folder: folder of the log
        looks: person -> appearance
        spans: person -> seconds of the first and the last sighting
        given: person -> name given by hand
        day: date of the video as YYYY-MM-DD, "" where it is not known

    Returns:
        person -> name, for those who have one

    Raises:
        GalleryError: where the gallery cannot be read, and for a name given to nobody in the log; everybody else is in
            the gallery then.
        RunError: where a file cannot be written.
    """
    given = dict(given or {})
    lost = {person: given.pop(person) for person in list(given) if person not in looks}
    with changing(path, new=True) as gallery:
        log = _relative(Path(folder), gallery.path)
        found = named(looks, spans, gallery.looks(day))
        numbers = count(gallery.new())
        before = {s.identity: s.sure for s in gallery.seen if s.log == log}
        gallery.seen = [s for s in gallery.seen if s.log != log]
        for person in sorted(looks):
            identity = found.get(person)
            if person in given:
                identity = _meant(gallery, given[person], identity, numbers)
            sure = identity is None or person in given or before.get(identity, False)
            identity = next(numbers) if identity is None else identity
            gallery.seen.append(Seen(identity, log, person, looks[person], day, sure))
    _write_names(gallery, [log])
    if lost:
        person, name = next(iter(lost.items()))
        there = ", ".join(map(str, sorted(looks))) or "nobody"
        raise GalleryError(
            f"{name} cannot be person {person} of {folder}, in which there is {there}; the log is written: "
            f"wtmr who name {gallery.path} {log}:NUMBER {name}"
        )
    return _names(gallery, log)


def rename(path: str | Path, who: str, name: str) -> str:
    """`wtmr who name`: give somebody a name, and confirm it where they are given as `LOG:NUMBER`.

    Returns a sentence on what was done, as do the others.
    """
    with changing(path) as gallery:
        identity = gallery.find(who)
        gallery.rename(identity, name)
        gallery.confirm([who])
    return f"{who} is {gallery.called(identity)}{_written(gallery, gallery.of(identity))}"


def join(path: str | Path, first: str, second: str) -> str:
    """`wtmr who join`: make two people one."""
    with changing(path) as gallery:
        identity = gallery.join(gallery.find(first), gallery.find(second))
    return f"{first} and {second} are {gallery.called(identity)}{_written(gallery, gallery.of(identity))}"


def part(path: str | Path, keys: Iterable[str]) -> str:
    """`wtmr who part`: make people of logs somebody new."""
    keys = list(keys)
    with changing(path) as gallery:
        identity = gallery.part(keys)
    return f"{' '.join(keys)} is {gallery.called(identity)}{_written(gallery, gallery.of(identity))}"


def forget(path: str | Path, people: Iterable[str]) -> str:
    """`wtmr who forget`: drop all that is known of people, and their names in the logs."""
    with changing(path) as gallery:
        identities = {gallery.find(who) for who in people}
        seen = [s for s in gallery.seen if s.identity in identities]
        for identity in identities:
            gallery.forget(identity)
    return f"forgotten: {len(identities)}{_written(gallery, seen)}"


def listed(gallery: Gallery) -> list[dict[str, Any]]:
    """Everybody in a gallery, ready for JSON: number, name and where they were `seen`."""
    return [
        {
            "number": identity,
            "name": gallery.names.get(identity, ""),
            "seen": [
                {"log": s.log, "person": s.person, "day": s.day, "sightings": s.looks.sightings, "sure": s.sure}
                for s in gallery.of(identity)
            ],
        }
        for identity in gallery.identities
    ]


def text(gallery: Gallery) -> str:
    """Everybody in a gallery as a table, with a row for each log; a `?` marks who was recognised, and not put there."""
    rows = [
        (identity, gallery.names.get(identity, ""), s.key + ("" if s.sure else " ?"), s.day, s.looks.sightings)
        for identity in gallery.identities
        for s in gallery.of(identity)
    ] + [(n, gallery.names[n], "", "", 0) for n in gallery.identities if not gallery.of(n)]
    if not rows:
        return f"nobody in {gallery.path}"
    return pd.DataFrame(rows, columns=["number", "name", "seen", "day", "sightings"]).to_string(index=False)


def _meant(gallery: Gallery, name: str, found: int | None, numbers: Iterator[int]) -> int:
    """Who is meant by a name given by hand: who has it, or else who was recognised, or else somebody new."""
    for identity, other in gallery.names.items():
        if other == name:
            return identity
    identity = next(numbers) if found is None or found in gallery.names else found
    gallery.rename(identity, name)
    return identity


def _relative(folder: Path, gallery: Path) -> str:
    """The folder of a log as a gallery names it."""
    folder, beside = folder.resolve(), gallery.resolve().parent
    try:
        return Path(os.path.relpath(folder, beside)).as_posix()
    except ValueError:  # on another drive of Windows
        return folder.as_posix()


def _names(gallery: Gallery, log: str) -> dict[int, str]:
    return {s.person: gallery.names[s.identity] for s in gallery.seen if s.log == log and s.identity in gallery.names}


def _write_names(gallery: Gallery, logs: Iterable[str]) -> list[str]:
    """Write the names of these logs into them; returns the logs that are no longer there."""
    lost = []
    for log in logs:
        folder = gallery.path.parent / log
        if (folder / "log.json").is_file():
            write_names(folder, _names(gallery, log))
        else:
            lost.append(log)
    return lost


def _written(gallery: Gallery, seen: Sequence[Seen]) -> str:
    """Bring the names in logs up to date, and say so."""
    logs = sorted({s.log for s in seen})
    lost = _write_names(gallery, logs)
    said = f"; {len(logs) - len(lost)} log{'s' if len(logs) - len(lost) != 1 else ''} updated"
    return said + (f"; not found, so not updated: {', '.join(lost)}" if lost else "")
