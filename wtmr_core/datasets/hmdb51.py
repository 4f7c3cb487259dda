"""HMDB51: class folders of .avi files with the official split lists, or class/clip folders of frames.

Source of the protocol: Kuehne et al., "HMDB: a large video database for human motion recognition", ICCV 2011;
three splits, each with 70 training and 30 test clips a class.

A set with a manifest of its own has its split, and five folds: each is test once, so that every clip is tested.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd

from wtmr_core.datasets.clips import VIDEOS, ClipFormat, is_image, read_frames
from wtmr_core.datasets.index import DataError, Index, below, class_names, frames_of, visible
from wtmr_core.datasets.splits import fold_numbers

SPLITS = ("1", "2", "3")
MANIFEST = "manifest"
FOLDS = tuple(f"fold-{n}" for n in range(1, 6))
OFFICIAL_CLIPS = 6766
OFFICIAL_PARTS = {"train": 3570, "test": 1530, "unused": 1666}
LISTS = "testTrainMulti_7030_splits"
#: of the 153 official lists: their names and their lines, in order
OFFICIAL_SHA256 = "49c4752666ab778bd09c87c5caf5004bc6bf3fc114cec73888ae1b51dbacc8df"
PARTS = {"0": "unused", "1": "train", "2": "test"}


def locate(root: Path) -> Path | None:
    """The folder at or below `root` whose folders are classes (of videos or of frame folders), or None."""

    def holds_clips(folder: Path) -> bool:
        return any(f.suffix.lower() in VIDEOS or (f.is_dir() and any(_images(f))) for f in sorted(folder.iterdir()))

    for folder in below(root, 2):
        if any(d.name.lower().startswith("videosequence") for d in folder.iterdir()):
            return None  # SVideoQA's folders of frames look alike
        if any(holds_clips(c) for c in sorted(folder.iterdir()) if c.is_dir() and visible(c)):
            return folder
    return None


def splits(root: Path, lists: Path | None = None) -> tuple[str, ...]:
    """The splits that come with the recordings below `root`: `manifest`, or `1`, `2`, `3`, or none."""
    if lists is None and _manifest(root):
        return (MANIFEST,)
    folder = _lists_folder(root, lists)
    return tuple(s for s in SPLITS if any(folder.glob(f"*_test_split{s}.txt"))) if folder else ()


def index(root: Path, split: str, *, protocol: str = "corrected", lists: Path | None = None) -> Index:
    """Every clip below `root`, with its part in `split`.

    `split` is `1`, `2` or `3` (official lists, under `root` or in `lists`), `manifest` (a file
    `manifest.csv` with columns class, clip, similarity_group, split), `fold-1` to `fold-5` (that fold of the manifest's
    train and test together is test, the others train; see `splits.fold_numbers`), or `-` for none.
    The group of a clip is its film within its class, as the official splits keep it, or the manifest's.
    Both protocols read the same clips. Raises `DataError` where the layout, the lists or the manifest do
    not serve.
    """
    folder = locate(root)
    if folder is None:
        raise DataError(f"{root}: no class folders with .avi files or folders of frames at or below it")
    named = class_names(root, folder)
    no_class = {LISTS, getattr(_lists_folder(root, lists), "name", LISTS)}
    on_disk = [d.name for d in sorted(folder.iterdir()) if d.is_dir() and visible(d) and d.name not in no_class]
    if named and (unknown := set(on_disk) - set(named)):
        raise DataError(f"{folder}: classes.txt does not name the class folder {min(unknown)}")
    classes = named or tuple(on_disk)
    clips, skipped = {}, []
    for k, name in enumerate(classes):
        found = sorted(_clips(folder / name)) if name in on_disk else []
        clips.update({(name, clip): (path, k) for clip, path in found})
        if not found:
            skipped.append((f"{name}/", "empty class folder", str(folder / name)))

    if split == MANIFEST:
        official, assigned = False, _read_manifest(root)
    elif split in FOLDS:
        official, assigned = False, _folded(_read_manifest(root), FOLDS.index(split))
    elif split in SPLITS:
        official, assigned = _read_lists(root, split, lists, set(classes))
    elif split == "-":
        official, assigned = False, {key: (film(*key), "-") for key in clips}
    else:
        raise DataError(f"hmdb51 has no split {split!r}; there are {', '.join((*SPLITS, MANIFEST, *FOLDS))}")

    rows = []
    for key, (path, k) in clips.items():
        name = "/".join(key)
        if key in assigned:
            rows.append((name, path.relative_to(root).as_posix(), k, *assigned[key]))
        else:
            skipped.append((name, "on disk, not in the split list", str(path)))
    absent = [key for key in assigned if key not in clips]
    skipped += [("/".join(key), "in the split list, not on disk", "") for key in absent]
    samples, skipped = frames_of(rows, skipped)
    return Index(
        "hmdb51", root, split, classes, samples, skipped,
        expected=OFFICIAL_CLIPS if official else len(assigned),
        expected_parts=OFFICIAL_PARTS if official else {},
        notes=("split lists: " + ("the official ones" if official else "not the official ones"),)
        if split in SPLITS else (),
    )  # fmt: skip


def read(path: Path, form: ClipFormat):
    """One clip as (t, h, w, c) uint8, `form.frames` of its frames at even steps; see `clips.read_frames`."""
    return read_frames(path, form)


def film(name: str, clip: str) -> str:
    """The film a clip was cut from, within its class: what stands before the class in HMDB51's file names.

    Clips that do not bear such a name are a film of their own.
    """
    match = re.match(rf"(.+)_{re.escape(name)}_[a-z]+_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+$", clip)
    return f"{name}/{match.group(1) if match else clip}"


def _images(folder: Path):
    return (f for f in folder.iterdir() if is_image(f))


def _clips(folder: Path):
    for entry in folder.iterdir():
        if entry.is_dir() and visible(entry):
            yield entry.name, entry
        elif entry.suffix.lower() in VIDEOS and not entry.name.startswith("."):
            yield entry.stem, entry


def _manifest(root: Path) -> Path | None:
    return next((d / "manifest.csv" for d in below(root, 1) if (d / "manifest.csv").is_file()), None)


def _read_manifest(root: Path) -> dict[tuple[str, str], tuple[str, str]]:
    if (file := _manifest(root)) is None:
        raise DataError(f"{root}: no manifest.csv (columns class, clip, similarity_group, split)")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    if missing := {"class", "clip", "similarity_group", "split"} - set(table.columns):
        raise DataError(f"{file}: no column {', '.join(sorted(missing))}")
    if (odd := table[~table.split.isin(PARTS.values())]).size:
        raise DataError(f"{file}, line {odd.index[0] + 2}: split is {odd.split.iloc[0]!r}, not train, test or unused")
    if (twice := table[table.duplicated(["class", "clip"])]).size:
        raise DataError(f"{file}, line {twice.index[0] + 2}: {'/'.join(twice[['class', 'clip']].iloc[0])} stands twice")
    rows = table.itertuples(index=False, name=None)
    order = [table.columns.get_loc(c) for c in ("class", "clip", "similarity_group", "split")]
    return {(r[order[0]], r[order[1]]): (r[order[2]], r[order[3]]) for r in rows}


def _folded(assigned: dict[tuple[str, str], tuple[str, str]], fold: int) -> dict[tuple[str, str], tuple[str, str]]:
    """The clips of a manifest with `fold` as test and the other folds as train; what is unused stays so."""
    used = sorted(key for key, (_, part) in assigned.items() if part != "unused")
    tested = fold_numbers([name for name, _ in used], [assigned[key][0] for key in used], len(FOLDS)) == fold
    parts = {key: "test" if is_test else "train" for key, is_test in zip(used, tested, strict=True)}
    return {key: (group, parts.get(key, "unused")) for key, (group, _) in assigned.items()}


def _lists_folder(root: Path, lists: Path | None) -> Path | None:
    # beside the class folders' parent too: the two archives of HMDB51 are often unpacked side by side
    folders = [lists] if lists else [*below(root, 2), root.parent / LISTS]
    return next((d for d in folders if d.is_dir() and any(d.glob("*_test_split[123].txt"))), None)


def _read_lists(root: Path, split: str, lists: Path | None, classes: set[str]):
    """Whether the lists are the official ones, and the film and part of each (class, clip) of `split`."""
    folder = _lists_folder(root, lists)
    if folder is None:
        raise DataError(
            f"{lists or root}: no split lists (<class>_test_split<1-3>.txt). They come with HMDB51 as "
            f"{LISTS}: put that folder under the root or name it, or give a manifest.csv of your own"
        )
    official = checksum(folder) == OFFICIAL_SHA256
    files = sorted(folder.glob(f"*_test_split{split}.txt"))
    if not files:
        raise DataError(f"{folder}: no list of split {split}")
    assigned, seen = {}, {}
    for file in files:
        name = file.name.removesuffix(f"_test_split{split}.txt")
        if name not in classes and not official:
            raise DataError(f"{file} names the class {name}, but {root} has no such folder")
        for n, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1):
            if not line.strip():
                continue
            clip, _, part = line.strip().rpartition(" ")
            if part not in PARTS or not clip.strip():
                raise DataError(f"{file}, line {n}: not a file name and 0, 1 or 2: {line!r}")
            key = (name, Path(clip.strip()).stem)
            if seen.setdefault(key[1], (name, part)) != (name, part):
                raise DataError(f"{file}, line {n}: {clip.strip()} stands in two parts or two classes of split {split}")
            assigned[key] = (film(*key), PARTS[part])
    return official, assigned


def checksum(folder: Path) -> str:
    """SHA-256 over the split lists' names and lines (white space at the ends aside)."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*_test_split[123].txt")):
        lines = [" ".join(line.split()) for line in file.read_text("utf-8", errors="replace").splitlines()]
        digest.update("\n".join([file.name, *filter(None, lines), ""]).encode())
    return digest.hexdigest()
