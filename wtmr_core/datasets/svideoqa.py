"""SVideoQA: folders of surveillance frames by sequence, subject and camera, each with a question/answer table.

The set has no labels and no official split. Both readers take a clip's label from action words in tables: *corrected*
from the clip's own rows; *published* one word for the whole sequence, as in the paper's notebooks, where the order of a
Python set decided; here it is the first word in `WORDS`, so that it stays the same.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wtmr_core.datasets.filenames import is_image, numbered
from wtmr_core.datasets.index import DataError, Index, NotThisSet, Unreadable, frames_of
from wtmr_core.datasets.recordings import BROKEN, Recording, beside, distinct, frames_in
from wtmr_core.datasets.splits import cut_by_group
from wtmr_core.datasets.text import DOES_NOT_READ, class_names, read_csv, rows
from wtmr_core.datasets.tree import HARMLESS, Folder, Tree, join, printable, suffixes
from wtmr_core.datasets.video import ClipFormat, read_frames

SPLITS = ("sequence",)
WORDS = (
    "walking", "sitting", "running", "carrying", "holding", "looking", "standing", "jumping", "turning",
    "raising", "waving",
)  # fmt: skip
SEQUENCE = re.compile(r"videosequence[-_ ]?([0-9]+)\Z", re.IGNORECASE)
TABLES = {".csv", ".xls"}
COLUMNS = ("question", "answer")
LEFT_OUT = "left out by the published reading"
NO_WORD = "no action word in its table"
_FOLDS = 5  # test is one of them


def recognise(root: Path) -> None:
    """Raise `NotThisSet`, saying what is there, unless videosequence-NNN folders lie at or below `root`."""
    _sequences(Tree(root))


def splits(root: Path) -> tuple[str, ...]:
    """One split of our own: by sequence, the same for everybody who has the same folders."""
    return SPLITS


def index(root: Path, split: str, *, reader: str = "corrected") -> Index:
    """Index every camera folder of every sequence below `root`; the group is its sequence.

    A camera is a folder with images, or without any folder in it, below a `videosequence-NNN` folder. Its sequence is
    the nearest such folder above it; folders with the same number are one sequence.

    Args:
        root: folder of the set
        split: `sequence` puts a fifth of the sequences, stratified by class and always the same
            (`splits.cut_by_group`), into test; `-` makes no split
        reader: `published` or `corrected`

    Raises:
        NotThisSet: for a root without sequences.
        DataError: for an unknown split.
    """
    if split not in (*SPLITS, "-"):
        raise DataError(f"svideoqa has no split {split!r}; there is {SPLITS[0]} (the set has no official one)")
    tree = Tree(root)
    names = _sequences(tree)
    cameras, skipped, foreign = _cameras(tree, names)
    clips, twice = distinct(camera.recording for camera in cameras)
    of_name = {camera.recording.name: camera for camera in cameras}
    of_all = _words_of_all([of_name[name] for name in clips])
    kept, remarks = [], {}
    for name in clips:
        camera = of_name[name]
        word, lost = camera.judged(reader, of_all.get(camera.number))
        if lost:
            skipped.append((name, lost.reason, lost.detail, camera.recording.files))
        else:
            kept.append((name, camera.recording.path, word, names[camera.number], camera.recording.files))
            remarks |= {name: camera.remark} if camera.remark else {}
    numbers = {camera.number for camera in cameras}
    skipped += [(names[n], "empty sequence folder", "", 0) for n in names if n not in numbers]
    named, class_files, notes = class_names(tree, [clip.path for clip in clips.values()])
    words_found = {word for _, _, word, *_ in kept}
    if unknown := words_found - set(named or words_found):
        raise DataError(f"{root}: classes.txt does not name {min(unknown)}")
    classes = named or tuple(sorted(words_found))
    samples, skipped = frames_of(
        [(name, path, classes.index(word), group, "-", n) for name, path, word, group, n in kept], twice + skipped
    )
    if split != "-" and len(samples):
        samples["split"] = _by_sequence(samples)
    encodings = Counter(encoding for camera in cameras for encoding in camera.encodings if encoding != "utf-8")
    return Index(
        "svideoqa",
        root,
        split,
        classes,
        samples,
        skipped,
        expected_skips=HARMLESS | ({LEFT_OUT} if reader == "published" else set()),
        notes=(
            "no official split: a fifth of the sequences is the test part",
            *notes,
            *(f"{n} tables were read as {encoding}" for encoding, n in sorted(encodings.items())),
        ),
        foreign=dict(sorted((foreign - suffixes(class_files)).items())),
        used=len(class_files) + sum(len(camera.tables) for camera in cameras),
    ).with_remarks(remarks)


def read(path: Path, form: ClipFormat):
    """Read a clip as (t, h, w, c) uint8: the `form.frames` frames with most flow; see `video.read_frames`."""
    return read_frames(path, form)


@dataclass
class _Camera:
    """A camera folder: its recording, its sequence, its tables' action words, and what is odd about it."""

    recording: Recording
    number: int
    tables: list[str]
    words: list[str] | Unreadable
    encodings: list[str]
    flaw: Unreadable | None
    remark: tuple[str, str] | None

    def judged(self, reader: str, of_all: str | None) -> tuple[str | None, Unreadable | None]:
        """Its label, or why it is skipped; `of_all` is the word for the whole sequence."""
        if isinstance(self.words, Unreadable):
            return None, self.words
        if reader == "published" and (_is_second(self.recording.path) or self.number == 149):
            return None, Unreadable(LEFT_OUT, "sequence 149 or Camera02")
        word = of_all if reader == "published" else next(iter(self.words), None)
        return word, self.flaw if word else Unreadable(NO_WORD, self.recording.path)


def _sequences(tree: Tree) -> dict[int, str]:
    """The name of each sequence by its number; raises `NotThisSet` where there is none."""
    matches = sorted((m for folder in tree.readable() if (m := SEQUENCE.match(folder.name))), key=_order)
    if not matches:
        raise NotThisSet(tree.without("videosequence-NNN folders"))
    return {int(match[1]): match.string for match in reversed(matches)}


def _order(match: re.Match) -> tuple[int, str]:
    return int(match[1]), match.string


def _cameras(tree: Tree, names: dict[int, str]) -> tuple[list[_Camera], list[tuple], Counter]:
    """The camera folders, rows of what is skipped, and the number of files of each suffix that belong to no camera."""
    cameras, skipped, foreign = [], [(path, why, detail, 0) for path, why, detail in tree.unread()], Counter()
    for folder in tree:
        if folder.aside or folder.unread:
            foreign.update(suffixes(folder.entries))
            continue
        parts = folder.path.split("/")
        depth = next((i for i in reversed(range(len(parts))) if SEQUENCE.match(parts[i])), len(parts))
        files = list(map(Path, folder.entries))
        images = [file for file in files if is_image(file)]
        leaf = not any(not tree.folders[join(folder.path, name)].aside for name in folder.folders)
        taken: set[str] = set()
        if depth == len(parts):  # a picture by itself is none of the set's, frames are
            images = numbered(images)[0]
        if depth < len(parts) - 1 and (images or leaf):
            number = int(SEQUENCE.match(parts[depth])[1])
            camera, rest = _camera(tree, folder, images, number, "/".join([names[number], *parts[depth + 1 :]]))
            cameras.append(camera)
            taken = {*(image.name for image in images), *camera.tables} - rest
        elif images:
            where = "a camera folder" if depth < len(parts) else "a folder named videosequence-NNN"
            skipped.append((printable(folder.path), f"frames outside {where}", "", len(images)))
            taken = {image.name for image in images}
        lost = [name for name in folder.broken if name not in taken and Path(name) not in images]
        skipped += [(printable(join(folder.path, n)), BROKEN, folder.broken[n], 1) for n in lost]
        foreign.update(suffixes([f.name for f in files if f.name not in taken and f.name not in lost]))
    return cameras, skipped, foreign


def _camera(tree: Tree, folder: Folder, images: list[Path], number: int, name: str) -> tuple[_Camera, set[str]]:
    """A camera folder, and those of its images that are not frames."""
    frames, rest, why = frames_in(folder, images)
    if why:
        frames, rest = images, []
    remark = beside(rest) if rest else None
    tables = sorted(n for n in folder.entries if Path(n).suffix.lower() in TABLES and n[0] not in ".~")
    words, encodings, empty = _words(tree.root / folder.path, tables)
    if empty and not remark:
        remark = "rows without an answer", f"{empty}"
    tables = [table for table in tables if table not in folder.broken]
    recording = Recording(name, folder.path, len(frames))
    return _Camera(recording, number, tables, words, encodings, why, remark), {file.name for file in rest}


def _words(folder: Path, tables: list[str]) -> tuple[list[str] | Unreadable, list[str], int]:
    """The action words of a camera folder, most telling first, the encodings of its tables, and rows without an answer.

    Words in answers precede those in questions only, then the more frequent, then the order of `WORDS`.
    """
    if not tables:
        return Unreadable("no question/answer table", str(folder)), [], 0
    cells, encodings = [], []
    for table in tables:
        try:
            pairs, encoding = read_table(folder / table)
        except Unreadable as error:
            return error, encodings, 0
        cells += pairs
        encodings.append(encoding)
    pattern = re.compile(r"\b(" + "|".join(WORDS) + r")\b")
    questions, answers = (Counter(pattern.findall(" ".join(row[c] for row in cells).lower())) for c in COLUMNS)
    words = sorted(answers | questions, key=lambda w: (-answers[w], -questions[w], WORDS.index(w)))
    return words, encodings, sum(not row["answer"] for row in cells)


def _words_of_all(cameras: list[_Camera]) -> dict[int, str]:
    """The published reader's one word for all cameras of a sequence, by its number: from the tables of any of them."""
    words_of: dict[int, set[str]] = {}
    for camera in cameras:
        if not isinstance(camera.words, Unreadable):
            words_of.setdefault(camera.number, set()).update(camera.words)
    return {number: min(choices, key=WORDS.index) for number, choices in words_of.items() if choices}


def read_table(path: Path) -> tuple[list[dict[str, str]], str]:
    """Read a .csv or .xls table of questions and answers: its rows, of all sheets that are not empty, and its encoding.

    A row is {"question": text, "answer": text}.

    Raises:
        Unreadable: naming file and line, where the file, its columns or a row cannot be used; see `text.rows`.
    """
    if path.suffix.lower() == ".csv":
        try:
            table, encoding = read_csv(path, COLUMNS)
        except DataError as error:
            raise Unreadable(DOES_NOT_READ, str(error)) from None
        return [row for _, row in table], encoding
    try:
        sheets = pd.read_excel(path, dtype=str, header=None, keep_default_na=False, sheet_name=None)
    except Exception as error:  # pandas and xlrd raise many kinds for a broken file
        raise Unreadable(DOES_NOT_READ, f"{path}: {error}") from None
    sheets = {name: sheet.fillna("").astype(str).to_numpy().tolist() for name, sheet in sheets.items() if sheet.size}
    if not sheets:
        raise Unreadable(DOES_NOT_READ, f"{path} is empty")
    cells = (rows(f"{path}, {name}", enumerate(sheet, 1), COLUMNS) for name, sheet in sheets.items())
    return [row for sheet in cells for _, row in sheet], "utf-8"


def _by_sequence(samples: pd.DataFrame) -> list[str]:
    if samples.group.nunique() < _FOLDS:
        raise DataError(f"{samples.group.nunique()} sequences are too few for a split by sequence; {_FOLDS} are needed")
    _, test = cut_by_group(samples.label.to_numpy(), samples.group.to_numpy(), _FOLDS, seed=0)
    rows = set(test.tolist())
    return ["test" if i in rows else "train" for i in range(len(samples))]


def _is_second(camera: str) -> bool:
    return re.search(r"camera[-_ ]?0*2$", camera, re.IGNORECASE) is not None
