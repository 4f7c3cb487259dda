"""A reproduction beside the committed results, and how far the seed and the processor move such figures.

Two processors add numbers in another order, so training ends elsewhere: with the same seed, the same network is a few
points better or worse. `results/<suite>/spread.csv` says by how much (`benchmarks/spread.py` measures it). Figures that
differ by no more are the same result.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wtmr_core.paper import remaining
from wtmr_core.paper.suite import Suite
from wtmr_core.runs import RunError
from wtmr_core.settings import Settings

SPREAD = "spread.csv"
TABLES = ("*.csv", "tables/*.csv", "data/*.csv")  # of results, in the folder of a suite
UNCOMPARED = (SPREAD, remaining.FILE, "05_times.csv")  # what is stated with the commit, and times
ACCURACIES = ("train_accuracy", "test_accuracy")
LEVEL = 0.999  # of the intervals: a suite has some forty figures, and none should fall outside by chance


def committed(project: Path, folder: str, target: Path) -> Path:
    """Write the files below `folder` in the last commit of the checkout `project` to `target`.

    Returns `target` / `folder`. Raises `RunError` where `project` is not a git checkout or has no such files.
    """
    command = ["git", "-C", str(project), "archive", "--format=tar", "HEAD", folder]
    try:
        answer = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunError(
            f"{project} is not a checkout of git with {folder} in its last commit: clone it to compare with "
            "what is committed"
        ) from error
    with tarfile.open(fileobj=io.BytesIO(answer.stdout)) as archive:
        archive.extractall(target, filter="data")
    return target / folder


def spread(results: Path) -> pd.DataFrame:
    """Read how far the runs of a suite spread, from `spread.csv` in its `results`: one row per run, by name.

    Returns:
        For train_accuracy and test_accuracy each: the lowest and highest over seeds on one processor (…_seeds_low,
        …_seeds_high) and over processors with one seed (…_processors_low, …_processors_high), and the bounds within
        which one more run falls with a probability of `LEVEL` (…_low, …_high). These are the prediction interval of
        Student's t about the run's own mean, with the standard deviation pooled over the runs of its data set or, if
        larger, its own.

    Raises:
        RunError: where there is no such file.

    Source: Hahn and Meeker 1991, Statistical Intervals, section 4.7.
    """
    file = results / SPREAD
    if not file.is_file():
        raise RunError(f"there is no {file}: python benchmarks/spread.py measures it")
    table = read_table(file, ("name", "dataset", "seed", "processor", *ACCURACIES), "python benchmarks/spread.py")
    rows: dict[str, dict[str, float]] = {name: {} for name in table.name.unique()}
    for figure in ACCURACIES:
        for _, dataset in table.groupby("dataset", sort=False):
            runs_of = dataset.groupby("name", sort=False)
            freedom = len(dataset) - runs_of.ngroups
            variance = (runs_of[figure].var() * (runs_of.size() - 1)).sum() / freedom
            for name, runs in runs_of:
                first = runs.iloc[0]
                seeds, processors = runs[runs.processor == first.processor], runs[runs.seed == first.seed]
                larger = max(variance, runs[figure].var())
                margin = stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(larger * (1 + 1 / len(runs)))
                rows[name] |= {
                    f"{figure}_seeds_low": seeds[figure].min(),
                    f"{figure}_seeds_high": seeds[figure].max(),
                    f"{figure}_processors_low": processors[figure].min(),
                    f"{figure}_processors_high": processors[figure].max(),
                    f"{figure}_low": max(runs[figure].mean() - margin, 0.0),
                    f"{figure}_high": min(runs[figure].mean() + margin, 1.0),
                }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def accuracies(fresh: Path, kept: Path) -> pd.DataFrame:
    """Compare the accuracies of each run in the results folder `fresh` with those committed in `kept`.

    Returns:
        A row per run and accuracy: name, what, committed, fresh, difference, low and high (the stated spread, NaN where
        none is stated) and within (whether `fresh` lies in it).

    Raises:
        RunError: where a table is missing.
    """
    stated = spread(kept) if (kept / SPREAD).is_file() else pd.DataFrame()
    rows = []
    for name, pair in _runs(fresh).join(_runs(kept), lsuffix="_fresh", rsuffix="_committed", how="inner").iterrows():
        for figure in ACCURACIES:
            new, old = pair[f"{figure}_fresh"], pair[f"{figure}_committed"]
            bounds = [f"{figure}_low", f"{figure}_high"]
            low, high = stated.loc[name, bounds] if name in stated.index else (np.nan, np.nan)
            rows.append((name, figure, old, new, new - old, low, high, low <= new <= high))
    return pd.DataFrame(rows, columns=["name", "what", "committed", "fresh", "difference", "low", "high", "within"])


def _runs(results: Path) -> pd.DataFrame:
    """The accuracies of a suite's runs, by name, from its table."""
    file = results / "tables/05_runs.csv"
    if not file.is_file():
        raise RunError(f"there is no {file}: make it with `make reproduce`")
    return read_table(file, ("name", *ACCURACIES), "make reproduce").set_index("name")[list(ACCURACIES)]


def read_table(file: Path, columns: tuple[str, ...], remedy: str) -> pd.DataFrame:
    """Read the table in `file`; raises `RunError` where it is none or lacks one of the columns."""
    try:
        table = pd.read_csv(file)
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (OSError, ValueError) as error:
        raise RunError(f"{file} does not read as a table ({error}): make it again with `{remedy}`") from error
    if lost := [column for column in columns if column not in table]:
        raise RunError(f"{file} has no column {lost[0]}: make it again with `{remedy}`")
    return table


def cells(fresh: Path, kept: Path) -> pd.DataFrame:
    """Count the cells of each table that differ between two results folders: table, cells, different, largest.

    `largest` is the largest difference of numbers, NaN where no numbers differ. A table that only one folder has, or
    that has another shape there, differs in all cells. Tables are those of `TABLES` without `UNCOMPARED`.
    """
    rows = []
    found = [f.relative_to(folder) for folder in (fresh, kept) for table in TABLES for f in folder.glob(table)]
    for file in sorted({file for file in found if file.name not in UNCOMPARED}):
        new, old = (
            read_table(f, (), "make reproduce") if f.is_file() else pd.DataFrame() for f in (fresh / file, kept / file)
        )
        count = max(new.size, old.size)
        if new.shape != old.shape or list(new.columns) != list(old.columns):
            rows.append((file.as_posix(), count, count, np.nan))
            continue
        same = (new == old) | (new.isna() & old.isna())
        largest = (new.select_dtypes("number") - old.select_dtypes("number")).abs().max().max()
        rows.append((file.as_posix(), count, int((~same).to_numpy().sum()), largest if largest > 0 else np.nan))
    return pd.DataFrame(rows, columns=["table", "cells", "different", "largest"])


def verdict(suite: Suite, results: Path, settings: Settings, metrics: dict[str, Any]) -> str:
    """Say whether the test accuracy of a run, with any seed, lies within the spread stated in `results`."""
    names = [name for name, entry in suite.runs.items() if replace(entry.settings, seed=settings.seed) == settings]
    stated = spread(results) if (results / SPREAD).is_file() else pd.DataFrame()
    if not names or names[0] not in stated.index:
        return f"no spread is stated for this run in suite {suite.name}"
    low, high = stated.loc[names[0], ["test_accuracy_low", "test_accuracy_high"]]
    lies = "within" if low <= metrics["test_accuracy"] <= high else "outside"
    return f"the test accuracy lies {lies} the stated spread of {names[0]} ({100 * low:.1f}–{100 * high:.1f} %)"


def report(fresh: Path, project: Path, suite: str) -> tuple[str, bool]:
    """Compare the results `fresh` of a suite with those in the last commit of the checkout `project`.

    Returns:
        A page of text, and whether every run is there and every accuracy lies within the stated spread.

    Raises:
        RunError: as `committed` and `accuracies`.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = committed(project, f"results/{suite}", Path(folder))
        rows, tables = accuracies(fresh, kept), cells(fresh, kept)
        absent = _runs(kept).index.difference(_runs(fresh).index, sort=False).tolist()
    apart, changed = rows[rows.difference != 0], tables[tables.different > 0]
    outside = int((~rows.within & rows.low.notna()).sum())
    line = f"Beside what is committed in results/{suite}: {len(apart)} of {len(rows)} accuracies differ, "
    if rows.low.notna().any():
        line += f"{outside or 'none'} by more than seeds and processors make them"
    else:
        line += "and by how much seeds and processors make them is not stated for this suite"
    lines = [line]
    if absent:
        lines.append(f"{len(absent)} of its runs were not made: {', '.join(absent)}")
    if len(apart):
        percent = {column: 100 * apart[column] for column in ("committed", "fresh", "difference", "low", "high")}
        shown = apart.assign(**percent, within=apart.within.map({True: "yes", False: "NO"}))
        lines.append(shown.to_string(index=False, float_format="%.1f".__mod__))
    for row in changed.itertuples():
        numbers = "" if np.isnan(row.largest) else f", numbers by up to {row.largest:.4g}"
        lines.append(f"{row.table}: {row.different} of {row.cells} cells differ{numbers}")
    if changed.empty:
        lines.append(f"no cell of the {len(tables)} tables differs")
    return "\n".join(lines), not outside and not absent
