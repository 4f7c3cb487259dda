"""`wtmr data check`: what a data set holds compared with what it should hold, as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from wtmr_core import datasets
from wtmr_core.datasets.clips import ClipFormat, verify
from wtmr_core.datasets.index import DataError, Index, Unreadable
from wtmr_core.datasets.tree import printable
from wtmr_core.modality import has_joints

SHOWN = 10  # names of each reason


def report(
    dataset: str,
    root: str | Path | None = None,
    *,
    split: str | None = None,
    reader: str = "corrected",
    names_only: bool = False,
    workers: int | None = None,
) -> dict[str, Any]:
    """Check a data set, with the index that training uses; the result is what `--json` prints.

    Args:
        dataset: its name
        root: its folder; None looks for it
        split: the split to check; None checks every split that can be read
        reader: `published` or `corrected`
        names_only: judge by file names, without reading every clip to its end
        workers: processes that read clips; None is one per core

    Returns:
        Findings by key. `kept`, `expected`, `classes`, `foreign` and `used` are those of the first split; what was
        skipped or remarked is of all splits. `problems` is empty where everything is as expected; a split that cannot
        be read is a problem.
    """
    findings: dict[str, Any] = {
        "dataset": dataset,
        "root": str(root),
        "kept": 0,
        "expected": None,
        "skipped": {},
        "remarks": {},
        "foreign": {},
        "used": 0,
        "classes": {},
        "class_parts": {},
        "splits": {},
        "crossing": {},
        "groups_crossing": 0,
        "notes": [],
        "skipped_samples": [],
        "remarked_samples": [],
        "names_only": names_only,
        "problems": [],
    }
    module = datasets.module(dataset)
    try:
        place = datasets.find(dataset, root)
        findings["root"] = str(place)
        names = (split,) if split else module.splits(place) or ("-",)
    except DataError as error:
        return findings | {"problems": [str(error)]}
    form = None if names_only else _format(dataset, reader)
    verified = _Verifier(module, form, workers)
    skipped, remarks = [], []
    for name in names:
        try:
            index = verified.of(module.index(place, name, reader=reader))
        except DataError as error:
            findings["problems"].append(str(error))
            continue
        if not skipped:
            findings |= {
                "kept": len(index),
                "expected": index.expected,
                "classes": index.class_counts(),
                "foreign": index.foreign,
                "used": index.used,
            }
        if name != "-":
            findings["splits"][name] = index.parts()
            findings["crossing"][name] = index.crossing()
            findings["class_parts"][name] = index.class_parts()
        skipped.append(index.skipped)
        remarks.append(index.remarks)
        findings["notes"] += [note for note in index.notes if note not in findings["notes"]]
        findings["problems"] += [p for p in index.problems() if p not in findings["problems"]]
    if names == ("-",) and split is None:  # there are none: why?
        try:
            module.index(place, module.SPLITS[0], reader=reader)
        except DataError as error:
            findings["problems"] += [str(error)] if str(error) not in findings["problems"] else []
    findings["skipped_samples"], findings["skipped"] = _rows(skipped)
    findings["remarked_samples"], findings["remarks"] = _rows(remarks)
    findings["groups_crossing"] = sum(map(len, findings["crossing"].values()))
    return findings


def show(findings: dict[str, Any], *, as_json: bool = False) -> int:
    """Print a `report`; returns 1 where it has problems, otherwise 0."""
    for line in [json.dumps(findings, indent=2)] if as_json else _lines(findings):
        # whatever the terminal's encoding: a name that it lacks is escaped
        encoding = sys.stdout.encoding or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding))
    return 1 if findings["problems"] else 0


def _lines(findings: dict[str, Any]) -> Iterator[str]:
    expected = "" if findings["expected"] is None else f" of {findings['expected']:,} expected"
    yield f"{findings['dataset']} in {printable(findings['root'])}"
    yield f"{findings['kept']:,} clips kept{expected}"
    yield from _reasons("with a remark", findings["remarks"], findings["remarked_samples"])
    yield from _reasons("skipped", findings["skipped"], findings["skipped_samples"])
    if findings["foreign"]:
        counts = ", ".join(f"{n:,} {suffix or 'without a suffix'}" for suffix, n in findings["foreign"].items())
        yield f"no part of the set: {sum(findings['foreign'].values()):,} files ({counts})"
    for split, parts in findings["splits"].items():
        crossing = len(findings["crossing"][split])
        counts = ", ".join(f"{n:,} {part}" for part, n in parts.items())
        yield f"split {split}: {counts}; {crossing or 'no'} group{'s' if crossing > 1 else ''} on both sides"
    yield f"{len(findings['classes'])} classes"
    if findings["classes"]:
        table = {"kept": findings["classes"]}
        for split, counts in findings["class_parts"].items():
            for part in next(iter(counts.values()), ()):
                table[f"{split} {part}"] = {name: parts[part] for name, parts in counts.items()}
        yield pd.DataFrame(table).fillna(0).astype(int).to_string()
    for note in findings["notes"]:
        yield f"note: {printable(note)}"
    for problem in findings["problems"]:
        yield f"NOT AS EXPECTED: {printable(problem)}"
    unread = ", by the names alone: no file was read" if findings["names_only"] else ""
    if findings["problems"]:
        several = len(findings["problems"]) > 1
        yield f"{len(findings['problems'])} {'things are' if several else 'thing is'} not as expected"
    elif findings["expected"] is None:
        yield f"nothing known to compare with: {findings['kept']:,} clips kept{unread}"
    else:
        yield f"as expected{unread}"


def _reasons(kind: str, counts: dict[str, int], samples: list[dict]) -> Iterator[str]:
    """The number of samples for each reason, and the names of the first of them."""
    for reason, n in counts.items():
        yield f"{n:>9,} {kind}: {printable(reason)}"
        rows = [row for row in samples if row["reason"] == reason]
        for row in rows[:SHOWN]:
            yield printable(f"{'':>10}{row['name']}" + (f" ({row['detail']})" if row["detail"] else ""))
        if n > SHOWN:
            yield f"{'':>10}and {n - SHOWN:,} more (all with --json)"


class _Verifier:
    """Reads each clip to its end once, even if it occurs in several splits."""

    def __init__(self, module: ModuleType, form: ClipFormat | None, workers: int | None):
        self.module, self.form, self.workers = module, form, workers
        self.read: set[str] = set()
        self.unreadable: dict[str, Unreadable] = {}
        self.remarks: dict[str, tuple[str, str]] = {}

    def of(self, index: Index) -> Index:
        """The index with unreadable clips moved to the skipped ones, and remarks on the others."""
        todo = index.samples[~index.samples.name.isin(self.read)].reset_index(drop=True)
        if self.form and len(todo):
            part = replace(index, samples=todo, skipped=index.skipped[:0], remarks=index.remarks[:0])
            part = verify(part, self.module.read, self.form, workers=self.workers)
            self.read |= set(todo.name)
            self.unreadable |= {row.name: Unreadable(row.reason, row.detail) for row in _records(part.skipped)}
            self.remarks |= {row.name: (row.reason, row.detail) for row in _records(part.remarks)}
        kept = set(index.samples.name)
        return index.without({n: e for n, e in self.unreadable.items() if n in kept}).with_remarks(self.remarks)


def _records(table: pd.DataFrame) -> Iterator:
    return table.itertuples(index=False)


def _rows(tables: list[pd.DataFrame]) -> tuple[list[dict], dict[str, int]]:
    """The rows of all splits, each sample once per reason, and the number of rows for each reason."""
    rows = {(row["name"], row["reason"]): row for table in reversed(tables) for row in table.to_dict("records")}
    samples = sorted(rows.values(), key=lambda row: (row["reason"], row["name"]))
    counts: dict[str, int] = {}
    for row in samples:
        counts[row["reason"]] = counts.get(row["reason"], 0) + 1
    return samples, counts


def _format(dataset: str, reader: str) -> ClipFormat:
    """The cheapest format for which a clip is read to its end."""
    if not has_joints(dataset):
        return ClipFormat(2, size=16)
    return ClipFormat(16, bodies=1, reader="published") if reader == "published" else ClipFormat(2, bodies=2)
