"""What was found on disk: every sample kept, every sample skipped with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd


class DataError(ValueError):
    """A data set cannot be read as asked; the message says what, where and what to do."""


class Unreadable(Exception):
    """One sample cannot be read: a short `reason`, the same words each time so that it can be counted."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)  # both, so that it survives the way back from a worker process
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Index:
    """One data set as it lies in `root`, read for one split.

    `samples` has a row a clip: `name` (unique), `path` (relative to `root`), `label` (a number into
    `classes`), `group` (film, performer, camera or sequence: what must not stand on both sides),
    `split` (`train`, `test`, `unused`, or `-` where the set has none) and `unit`, by which validation is cut
    from train: the group, but the performer where groups are cameras.
    `skipped` has a row a sample that was left out: `name`, `reason`, `detail`.
    `expected` is the number of clips there should be, where that is known; `expected_skips` are the
    reasons for which a sample may be missing in a set that is whole; `notes` tell a reader what was assumed.
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
    remarks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["name", "reason", "detail"]))

    def __len__(self) -> int:
        return len(self.samples)

    def without(self, unreadable: dict[str, Unreadable]) -> Index:
        """The same index with the samples named in `unreadable` moved to the skipped ones."""
        if not unreadable:
            return self
        lost = pd.DataFrame([(n, e.reason, e.detail) for n, e in unreadable.items()], columns=SKIPPED)
        kept = self.samples[~self.samples.name.isin(unreadable)].reset_index(drop=True)
        return replace(self, samples=kept, skipped=pd.concat([self.skipped, lost], ignore_index=True))

    def paths(self) -> Iterator[Path]:
        """The absolute path of each kept sample, in order."""
        return (self.root / path for path in self.samples.path)

    def parts(self) -> dict[str, int]:
        """How many kept clips stand in each part of the split."""
        return {part: int(n) for part, n in self.samples.split.value_counts().sort_index().items()}

    def skips(self) -> dict[str, int]:
        """How many samples were skipped for each reason."""
        return {reason: int(n) for reason, n in self.skipped.reason.value_counts().sort_index().items()}

    def class_counts(self) -> dict[str, int]:
        """How many kept clips each class has, classes without any included."""
        counts = self.samples.label.value_counts()
        return {name: int(counts.get(k, 0)) for k, name in enumerate(self.classes)}

    def crossing(self) -> list[str]:
        """The groups that have clips on both sides of the split."""
        sides = self.samples[self.samples.split.isin(["train", "test"])].groupby("group").split.nunique()
        return sorted(sides.index[sides > 1])

    def problems(self) -> list[str]:
        """Everything that is not as it should be, in words; empty for a set that is whole."""
        found = [f"{n} skipped: {reason}" for reason, n in self.skips().items() if reason not in self.expected_skips]
        if self.expected is not None and len(self) != self.expected:
            found.append(f"{self.expected:,} clips expected, {len(self):,} found")
        found += [
            f"split {self.split}: {n:,} {part} clips expected, {self.parts().get(part, 0):,} found"
            for part, n in self.expected_parts.items()
            if self.parts().get(part, 0) != n
        ]
        found += [f"class {name} has no clip" for name, n in self.class_counts().items() if n == 0]
        if crossing := self.crossing():
            found.append(f"{len(crossing)} groups cross split {self.split}, the first: {crossing[0]}")
        return found

    def fingerprint(self) -> str:
        """Eight hex digits that change with the names, labels, groups, split or sizes of the kept files."""
        digest = hashlib.sha256(repr((self.dataset, self.split, self.classes)).encode())
        for row, path in zip(self.samples.itertuples(index=False), self.paths(), strict=True):
            size = path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.iterdir())
            digest.update(f"{row.name}|{row.label}|{row.group}|{row.split}|{size}\n".encode())
        return digest.hexdigest()[:8]


SAMPLES = ["name", "path", "label", "group", "split"]
SKIPPED = ["name", "reason", "detail"]


def frames_of(samples: Iterable[tuple], skipped: Iterable[tuple]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The two tables of an `Index` from rows of (name, path, label, group, split) and (name, reason, detail).

    Raises `DataError` where two samples bear one name.
    """
    kept = pd.DataFrame(list(samples), columns=SAMPLES).astype({"label": int})
    kept = kept.sort_values("name", kind="stable", ignore_index=True)
    kept["unit"] = kept.group
    if (twice := kept.name[kept.name.duplicated()]).size:
        raise DataError(f"{twice.size} names stand for more than one sample, the first: {twice.iloc[0]}")
    return kept, pd.DataFrame(list(skipped), columns=SKIPPED)


def below(root: Path, depth: int) -> Iterator[Path]:
    """`root` and the folders below it, nearest first, no deeper than `depth`."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [d for folder in level for d in sorted(folder.iterdir()) if d.is_dir() and visible(d)]


def visible(folder: Path) -> bool:
    """Whether a folder can hold recordings; hidden ones and the miniature sets' `truth` cannot."""
    return not folder.name.startswith((".", "__")) and folder.name != "truth"


def class_names(*folders: Path) -> tuple[str, ...] | None:
    """The names in the first `classes.txt` of `folders`, a line each, or None where there is none.

    Raises `DataError` where a name stands twice or the file is empty.
    """
    for folder in folders:
        if (file := folder / "classes.txt").is_file():
            names = tuple(line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip())
            if not names or len(set(names)) != len(names):
                raise DataError(f"{file} must name each class once, a line each")
            return names
    return None
