"""SVideoQA: folders of surveillance frames by sequence, subject and camera, each with a question/answer table.

The set has no labels and no official split. Both readings take a clip's label from action words in its table:
*corrected*, from the clip's own rows; *published*, one word for the whole sequence, as the paper's notebooks did,
which left it to the order of a Python set; here it is the first word in `WORDS`, so that it stays the same.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from wtmr_core.datasets.clips import ClipFormat, is_image, natural, read_frames
from wtmr_core.datasets.index import DataError, Index, Unreadable, below, class_names, frames_of, visible
from wtmr_core.datasets.splits import cut_by_group

SPLITS = ("sequence",)
WORDS = (
    "walking", "sitting", "running", "carrying", "holding", "looking", "standing", "jumping", "turning",
    "raising", "waving",
)  # fmt: skip
SEQUENCE = re.compile(r"videosequence[-_ ]?(\d+)$", re.IGNORECASE)
TABLES = {".csv", ".xls"}
LEFT_OUT = "left out by the published reading"
NO_WORD = "no action word in its table"
_FOLDS = 5  # test is one of them


def locate(root: Path) -> Path | None:
    """The folder at or below `root` that holds the `videosequence-NNN` folders, or None."""
    for folder in below(root, 2):
        if any(d.is_dir() and SEQUENCE.match(d.name) for d in folder.iterdir()):
            return folder
    return None


def splits(root: Path) -> tuple[str, ...]:
    """One split of our own: by sequence, the same for everybody who has the same folders."""
    return SPLITS


def index(root: Path, split: str, *, protocol: str = "corrected") -> Index:
    """Every camera folder below `root`; the group is its sequence.

    `sequence` puts a fifth of the sequences, stratified by class, into test (a fixed draw,
    `splits.cut_by_group`); `-` makes no split. Raises `DataError` for a root without
    sequences or an unknown split.
    """
    if split not in (*SPLITS, "-"):
        raise DataError(f"svideoqa has no split {split!r}; there is {SPLITS[0]} (the set has no official one)")
    folder = locate(root)
    if folder is None:
        raise DataError(f"{root}: no videosequence-NNN folders at or below it")
    found, skipped = [], []
    for sequence in sorted((d for d in folder.iterdir() if d.is_dir() and SEQUENCE.match(d.name)), key=natural):
        cameras = [
            (c, _words(c))
            for subject in _folders(sequence)
            for c in (_folders(subject) or [subject])  # a subject without cameras fails below, and is counted
        ]
        if not cameras:
            skipped.append((sequence.name, "empty sequence folder", str(sequence)))
        known = [w for _, w in cameras if not isinstance(w, Unreadable)]
        # the published reading: one label for all, from what was asked of any
        of_all = next((w for w in WORDS if any(w in words for words in known)), None)
        for camera, words in cameras:
            name = camera.relative_to(folder).as_posix()
            if isinstance(words, Unreadable):
                skipped.append((name, words.reason, words.detail))
            elif protocol == "published" and (_is_second(camera) or _number(sequence) == 149):
                skipped.append((name, LEFT_OUT, "sequence 149 or Camera02"))
            elif not (word := of_all if protocol == "published" else next(iter(words), None)):
                skipped.append((name, NO_WORD, str(camera)))
            elif not any(map(is_image, camera.iterdir())):
                skipped.append((name, "no frames", str(camera)))
            else:
                found.append((name, camera.relative_to(root).as_posix(), word, sequence.name))
    words_found = {word for *_, word, _ in found}
    classes = class_names(root, folder) or tuple(sorted(words_found))
    if unknown := words_found - set(classes):
        raise DataError(f"{root}: classes.txt does not name {min(unknown)}")
    rows = [(n, path, classes.index(word), group, "-") for n, path, word, group in found]
    samples, skipped = frames_of(rows, skipped)
    if split != "-" and len(samples):
        samples["split"] = _by_sequence(samples)
    return Index(
        "svideoqa", root, split, classes, samples, skipped,
        expected_skips=frozenset({LEFT_OUT}) if protocol == "published" else frozenset(),
        notes=("no official split: a fifth of the sequences is the test part",),
    )  # fmt: skip


def read(path: Path, form: ClipFormat):
    """One clip as (t, h, w, c) uint8: the `form.frames` frames with most flow; see `clips.read_frames`."""
    return read_frames(path, form)


def read_table(path: Path) -> pd.DataFrame:
    """The `question` and `answer` columns of a .csv (UTF-8, UTF-16 or Windows-1252) or .xls file, as text.

    Raises `Unreadable` where the file or the columns do not serve.
    """
    try:
        table = pd.read_excel(path, dtype=str) if path.suffix.lower() == ".xls" else _read_csv(path)
    except Exception as error:  # pandas and xlrd raise many kinds for a broken file
        raise Unreadable("table does not read", f"{path}: {error}") from None
    table.columns = [str(c).strip().lower() for c in table.columns]
    if missing := {"question", "answer"} - set(table.columns):
        raise Unreadable("table without the columns question and answer", f"{path}: no {' and '.join(sorted(missing))}")
    return table[["question", "answer"]].fillna("").astype(str)


def _read_csv(path: Path) -> pd.DataFrame:
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
    return pd.read_csv(path, dtype=str, encoding=encoding, encoding_errors="replace", sep=None, engine="python")


def _words(camera: Path) -> list[str] | Unreadable:
    """The action words of a camera folder, most telling first.

    Those in answers before those in questions only, then the more frequent, then the order of `WORDS`.
    """
    tables = sorted(f for f in camera.iterdir() if f.suffix.lower() in TABLES and not f.name.startswith("."))
    if not tables:
        return Unreadable("no question/answer table", str(camera))
    try:
        table = pd.concat([read_table(t) for t in tables])
    except Unreadable as error:
        return error
    pattern = re.compile(r"\b(" + "|".join(WORDS) + r")\b")
    answers, questions = (Counter(pattern.findall(" ".join(table[c]).lower())) for c in ("answer", "question"))
    return sorted(answers | questions, key=lambda w: (-answers[w], -questions[w], WORDS.index(w)))


def _by_sequence(samples: pd.DataFrame) -> list[str]:
    if samples.group.nunique() < _FOLDS:
        raise DataError(f"{samples.group.nunique()} sequences are too few for a split by sequence; {_FOLDS} are needed")
    _, test = cut_by_group(samples.label.to_numpy(), samples.group.to_numpy(), _FOLDS, seed=0)
    rows = set(test.tolist())
    return ["test" if i in rows else "train" for i in range(len(samples))]


def _folders(folder: Path) -> list[Path]:
    return sorted((d for d in folder.iterdir() if d.is_dir() and visible(d)), key=natural)


def _number(sequence: Path) -> int:
    return int(SEQUENCE.match(sequence.name).group(1))


def _is_second(camera: Path) -> bool:
    return re.search(r"camera[-_ ]?0*2$", camera.name, re.IGNORECASE) is not None
