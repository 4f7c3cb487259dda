"""Which files make up one recording, by their names alone: unique names, and frames of one sequence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wtmr_core.datasets.filenames import sequence
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.tree import Folder, is_utf8, join, printable

BROKEN = "cannot be read"  # the reason of what the system does not let be read


@dataclass(frozen=True)
class Recording:
    """A recording of a set, judged by names: its `name` there, its path below the root, and its number of files."""

    name: str
    path: str
    files: int = 1


def distinct(recordings: Iterable[Recording]) -> tuple[dict[str, Recording], list[tuple]]:
    """Keep the recordings whose names are unique.

    Which of two recordings with the same name is the right one cannot be known, so neither is kept. Names that are not
    UTF-8 cannot be written to a list or table, so they are not kept either.

    Returns:
        The kept recordings by name, and rows of `SKIPPED` for the others, each naming its rivals.
    """
    alike: dict[str, list[Recording]] = {}
    for recording in recordings:
        alike.setdefault(recording.name, []).append(recording)
    kept, skipped = {}, []
    for name, same in alike.items():
        for recording in same:
            rivals = [printable(rival.path) for rival in same if rival is not recording]
            if not is_utf8(recording.path):
                skipped.append((printable(recording.path), "its name is not UTF-8", "rename it", recording.files))
            elif rivals:
                detail = f"as {', '.join(rivals)}: keep one, or rename them"
                skipped.append((recording.path, "more than one recording of one name", detail, recording.files))
            else:
                kept[name] = recording
    return kept, skipped


def frames_in(folder: Folder, images: list[Path]) -> tuple[list[Path], list[Path], Unreadable | None]:
    """The frames among the `images` of a folder, its other images, and why they are not a recording, or None."""
    frames, rest = _parted(images)
    if not frames:
        reason = Unreadable("no frames", f"{images[0].name} bears no number" if images else folder.path)
    elif broken := next((frame.name for frame in frames if frame.name in folder.broken), None):
        reason = Unreadable("a frame cannot be read", f"{join(folder.path, broken)}: {folder.broken[broken]}")
    elif len(rest) >= len(frames) and len(rival := sequence(rest)[0]) == len(frames):
        reason = Unreadable("two sequences of frames in one folder", f"{frames[0].name}, … and {rival[0].name}, …")
    else:
        reason = None
    return frames, rest, reason


def beside(images: list[Path]) -> tuple[str, str]:
    """The remark on a recording that has `images` beside its frames."""
    return "images beside its frames", f"{len(images)}, the first: {printable(images[0].name)}"


def _parted(images: list[Path]) -> tuple[list[Path], list[Path]]:
    """What `sequence` says, at a glance where all names differ in one number only, as most do."""
    if images and (first := re.fullmatch(r"([^0-9]*)[0-9]+([^0-9]*)", images[0].name)):
        alike = re.compile(f"{re.escape(first[1])}[0-9]+{re.escape(first[2])}")
        if all(alike.fullmatch(image.name) for image in images):
            return images, []
    return sequence(images)
