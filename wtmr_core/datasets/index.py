"""The index of a data set: every file is a sample kept, a sample skipped with its reason, a list, or foreign."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from wtmr_core.datasets.filenames import sequence

SAMPLES = ["name", "path", "label", "group", "split", "files"]
SKIPPED = ["name", "reason", "detail", "files"]
REMARKS = ["name", "reason", "detail"]


class DataError(ValueError):
    """A data set cannot be read as requested; the message says what, where and what to do."""


class NotThisSet(DataError):
    """A folder does not hold the requested data set; the message says what it holds and how to name it otherwise."""


class Unreadable(Exception):
    """A sample cannot be read, for a short `reason`, always in the same words so that it can be counted."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)  # both, so that it survives the way back from a worker process
        self.reason, self.detail = reason, detail

    def sentence(self, source: object) -> str:
        """What is wrong with `source`, in one sentence that begins with its name."""
        detail = self.detail.removeprefix(str(source)).lstrip(": ")
        return f"{source}: {self.reason}" + (f" ({detail})" if detail else "")


@dataclass(frozen=True)
class Index:
    """A data set as it lies in `root`, read for one split. Each file below the root is counted exactly once.

    Attributes:
        samples: a row per clip: `name` (unique), `path` (relative to `root`), `label` (a number into `classes`),
            `group` (film, performer, camera or sequence, which must not stand on both sides), `split` (`train`, `val`
            where the set has its own validation part, `test`, `unused`, or `-` where the set has none), `files` (how
            many it is read from), and `unit`, by which validation is split off train: the group, but the performer
            where groups are cameras
        skipped: a row per sample that was left out: `name`, `reason`, `detail` and `files`, how many files it has (0
            for what is only in a list)
        expected: number of clips there should be, where that is known
        expected_parts: the same for each part of the split
        expected_skips: reasons for which a sample may be missing in a complete set
        notes: what was assumed
        foreign: number of files that are not part of the set, by suffix ("" for none)
        remarks: a row per note on a clip that was kept: `name`, `reason`, `detail`
        used: number of files that are lists or tables and were read
        faults: what is wrong beyond what the tables show
    """

    dataset: str
    root: Path
    split: str
    classes: tuple[str, ...]
    samples: pd.DataFrame
    skipped: pd.DataFrame
    expected: int | None = None
    expected_parts: dict[str, int] = field(default_factory=dict)
    expected_skips: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    foreign: dict[str, int] = field(default_factory=dict)
    remarks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REMARKS))
    used: int = 0
    faults: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def without(self, unreadable: dict[str, Unreadable]) -> Index:
        """The same index with the samples named in `unreadable` moved to the skipped ones."""
        if not unreadable:
            return self
        files = dict(zip(self.samples.name, self.samples.files, strict=True))
        lost = [(n, e.reason, e.detail, files.get(n, 0)) for n, e in unreadable.items()]
        return replace(
            self,
            samples=self.samples[~self.samples.name.isin(unreadable)].reset_index(drop=True),
            skipped=pd.concat([self.skipped, _table(lost, SKIPPED)], ignore_index=True),
            remarks=self.remarks[~self.remarks.name.isin(unreadable)].reset_index(drop=True),
        )

    def with_remarks(self, remarks: dict[str, tuple[str, str]]) -> Index:
        """The same index with another (reason, detail) for each kept sample named in `remarks`."""
        kept = set(self.samples.name)
        more = [(name, *remark) for name, remark in remarks.items() if name in kept]
        return replace(self, remarks=pd.concat([self.remarks, _table(more, REMARKS)], ignore_index=True))

    def paths(self) -> Iterator[Path]:
        """The absolute path of each kept sample, in order."""
        return (self.root / path for path in self.samples.path)

    def recordings(self) -> Iterator[list[Path]]:
        """The files of each kept sample, in order: one video or skeleton file, or the frames of a folder."""
        for path in self.paths():
            try:
                names = os.listdir(path) if path.is_dir() else None
            except OSError:  # gone since: reading the folder as a file will say so
                names = None
            yield [path] if names is None else sequence(map(path.joinpath, names))[0]

    def parts(self) -> dict[str, int]:
        """The number of kept clips in each part of the split."""
        return {part: int(n) for part, n in self.samples.split.value_counts().sort_index().items()}

    def skips(self) -> dict[str, int]:
        """The number of samples skipped for each reason."""
        return {reason: int(n) for reason, n in self.skipped.reason.value_counts().sort_index().items()}

    def remark_counts(self) -> dict[str, int]:
        """The number of kept samples with a remark of each reason."""
        return {reason: int(n) for reason, n in self.remarks.reason.value_counts().sort_index().items()}

    def class_counts(self) -> dict[str, int]:
        """The number of kept clips of each class, including classes without any."""
        counts = self.samples.label.value_counts()
        return {name: int(counts.get(k, 0)) for k, name in enumerate(self.classes)}

    def class_parts(self) -> dict[str, dict[str, int]]:
        """The number of kept clips of each class in each part of the split, including parts without any."""
        parts = sorted({*self.samples.split, *(("train", "test") if self.split != "-" else ())})
        counts = self.samples.groupby(["label", "split"]).size()
        return {name: {p: int(counts.get((k, p), 0)) for p in parts} for k, name in enumerate(self.classes)}

    def crossing(self) -> list[str]:
        """The groups that have clips in more than one of train, val and test."""
        sides = self.samples[self.samples.split.isin(["train", "val", "test"])].groupby("group").split.nunique()
        return sorted(sides.index[sides > 1])

    def problems(self) -> list[str]:
        """Everything that is not as it should be, in words; empty for a complete set."""
        problems = [f"{n} skipped: {reason}" for reason, n in self.skips().items() if reason not in self.expected_skips]
        if self.expected is not None and len(self) != self.expected:
            problems.append(f"{self.expected:,} clips expected, {len(self):,} found")
        problems += [
            f"split {self.split}: {n:,} {part} clips expected, {self.parts().get(part, 0):,} found"
            for part, n in self.expected_parts.items()
            if self.parts().get(part, 0) != n
        ]
        problems += [f"class {name} has no clip" for name, n in self.class_counts().items() if n == 0]
        counts = self.class_parts()
        for part in ("train", "test") if self.split != "-" else ():
            if lacking := [name for name, parts in counts.items() if any(parts.values()) and not parts[part]]:
                words = f"{len(lacking)} classes have" if len(lacking) > 1 else "1 class has"
                problems.append(f"split {self.split}: {words} no {part} clip, the first: {lacking[0]}")
        if not len(self):
            problems.append("no clip is kept")
        if crossing := self.crossing():
            problems.append(f"{len(crossing)} groups cross split {self.split}, the first: {crossing[0]}")
        return [*problems, *self.faults]

    def fingerprint(self, contents: list[str]) -> str:
        """Eight hex digits that change with the classes, names, labels, groups, parts or contents of the kept clips.

        `contents` holds a digest of each clip's recordings, in the order of `samples`.
        """
        rows = zip(self.samples.name, self.samples.label, self.samples.group, self.samples.split, contents, strict=True)
        identity = [self.dataset, self.split, self.classes, *((name, int(k), *rest) for name, k, *rest in rows)]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


def frames_of(samples: Iterable[tuple], skipped: Iterable[tuple]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the tables of an `Index`.

    Args:
        samples: rows of (name, path, label, group, split, files)
        skipped: rows of (name, reason, detail, files)

    Raises:
        DataError: where two samples have the same name.
    """
    kept = _table(samples, SAMPLES).astype({"label": int, "files": int})
    kept = kept.sort_values("name", kind="stable", ignore_index=True)
    kept["unit"] = kept.group
    if (twice := kept.name[kept.name.duplicated()]).size:
        raise DataError(f"{twice.size} names stand for more than one sample, the first: {twice.iloc[0]}")
    return kept, _table(skipped, SKIPPED)


def _table(rows: Iterable[tuple], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns)
