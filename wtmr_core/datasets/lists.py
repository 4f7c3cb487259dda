"""The part of a split that each clip of HMDB51 belongs to: official lists, lists like them, or a manifest."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

from wtmr_core.datasets.filenames import is_video
from wtmr_core.datasets.index import DataError, Unreadable
from wtmr_core.datasets.splits import fold_numbers
from wtmr_core.datasets.text import lines, nfc, read_csv, read_text, remark, the_one
from wtmr_core.datasets.tree import Tree, join

LISTS = "testTrainMulti_7030_splits"
MANIFEST_FILE = "manifest.csv"
#: of the 153 official lists: their names and their lines, in order
OFFICIAL_SHA256 = "49c4752666ab778bd09c87c5caf5004bc6bf3fc114cec73888ae1b51dbacc8df"
PARTS = {"0": "unused", "1": "train", "2": "test"}
COLUMNS = ("class", "clip", "similarity_group", "split")
_LIST = re.compile(r"([^.].*)_test_split([123])\.txt", re.IGNORECASE)

Clip = tuple[str, str]  # its class and its name


def manifest(tree: Tree) -> str | None:
    """The path, below the root, of the manifest nearest to the root; raises `DataError` where two as near differ."""
    folders = [folder.path for folder in tree.readable() if MANIFEST_FILE in folder.files]
    folder = the_one(tree, MANIFEST_FILE, folders, lambda f: (tree.root / join(f, MANIFEST_FILE)).read_bytes())
    return None if folder is None else join(folder, MANIFEST_FILE)


def read_manifest(
    file: Path, parts: tuple[str, ...] = ("train", "test", "unused")
) -> tuple[dict[Clip, tuple[str, str]], list[str]]:
    """Read a manifest with the columns class, clip, similarity_group, split.

    Args:
        file: of the manifest
        parts: those that a clip may belong to

    Returns:
        (group, part) of each clip, and notes.

    Raises:
        DataError: naming file and line, for a table that cannot be read, a row with another number of fields, an empty
            cell, an unknown part, or a clip that is listed twice.
    """
    try:
        rows, encoding = read_csv(file, COLUMNS)
    except Unreadable as error:
        raise DataError(error.detail) from None
    assigned = {}
    for n, row in rows:
        if empty := [c for c in COLUMNS if not row[c]]:
            raise DataError(f"{file}, line {n}: no {' and no '.join(empty)}")
        if row["split"] not in parts:
            words = f"{', '.join(parts[:-1])} or {parts[-1]}"
            raise DataError(f"{file}, line {n}: split is {row['split']!r}, not {words}")
        clip = nfc(row["class"]), nfc(row["clip"])
        if clip in assigned:
            raise DataError(f"{file}, line {n}: {'/'.join(clip)} stands twice")
        assigned[clip] = row["similarity_group"], row["split"]
    return assigned, remark(file, encoding)


def folded(assigned: dict[Clip, tuple[str, str]], fold: int, count: int) -> dict[Clip, tuple[str, str]]:
    """The clips of a manifest with `fold` of `count` as test and the other folds as train; unused clips stay unused."""
    used = sorted(clip for clip, (_, part) in assigned.items() if part != "unused")
    tested = fold_numbers([name for name, _ in used], [assigned[clip][0] for clip in used], count) == fold
    parts = {clip: "test" if is_test else "train" for clip, is_test in zip(used, tested, strict=True)}
    return {clip: (group, parts.get(clip, "unused")) for clip, (group, _) in assigned.items()}


def lists_folder(tree: Tree, place: Path | None = None) -> Path | None:
    """The folder of the split lists: `place`, else the one nearest to the root below it, else `LISTS` beside the root.

    The two archives of HMDB51 are often unpacked side by side. Raises `DataError` where two as near differ.
    """
    if place is None:
        folders = [folder.path for folder in tree.readable() if any(map(_LIST.fullmatch, folder.files))]
        folder = the_one(tree, "a folder of split lists", folders, lambda f: checksum(tree.root / f))
        place = tree.root.parent / LISTS if folder is None else tree.root / folder
    try:
        return place if list_files(place) else None
    except OSError:
        return None


def list_files(folder: Path, split: str | None = None) -> list[Path]:
    """The split lists in `folder`, of one split or of all; hidden files (`._run_test_split1.txt` of a Mac) are none."""
    lists = ((file, _LIST.fullmatch(file.name)) for file in folder.iterdir())
    return sorted(file for file, match in lists if match and split in (None, match[2]))


def list_class(file: Path) -> str:
    """The class whose clips a list divides, by the name of the list."""
    return nfc(_LIST.fullmatch(file.name)[1])


def read_lists(folder: Path, split: str) -> tuple[dict[Clip, str], list[str]]:
    """Read the lists of `split` in `folder`.

    Returns:
        The part of each clip, and notes.

    Raises:
        DataError: naming file and line, for a line that is not a file name followed by 0, 1 or 2, and for a clip in two
            parts or two classes.
    """
    assigned, seen, encodings = {}, {}, Counter()
    for file in list_files(folder, split):
        name, (text, encoding) = list_class(file), read_text(file)
        encodings[encoding] += 1
        for n, line in lines(text):
            clip, *part = line.rsplit(maxsplit=1)
            if len(part) != 1 or (part := part[0]) not in PARTS:
                raise DataError(f"{file}, line {n}: not a file name and 0, 1 or 2: {line!r}")
            stem = nfc(Path(clip).stem if is_video(Path(clip)) else clip)
            if seen.setdefault(stem, (name, part)) != (name, part):
                raise DataError(f"{file}, line {n}: {clip} stands in two parts or two classes of split {split}")
            assigned[name, stem] = PARTS[part]
    if not encodings:
        raise DataError(f"{folder}: no list of split {split}")
    notes = [f"{n} split lists in {folder} were read as {e}" for e, n in sorted(encodings.items()) if e != "utf-8"]
    return assigned, notes


def checksum(folder: Path) -> str:
    """SHA-256 of the names and lines of the split lists; encoding and white space at line ends do not count."""
    digest = hashlib.sha256()
    for file in list_files(folder):
        words = [" ".join(line.split()) for _, line in lines(read_text(file)[0])]
        digest.update("\n".join([file.name, *words, ""]).encode(errors="surrogateescape"))
    return digest.hexdigest()
