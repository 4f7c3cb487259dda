"""The `wtmr` command: check data, make the miniature sets, train one run, make a suite, count networks, list runs."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from wtmr_core import datasets, environment, errors
from wtmr_core.datasets import DataError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when all is as expected, 1 when data are not, 2 for a call that cannot be."""
    parser = argparse.ArgumentParser("wtmr", description="The WTMR-Net companion.")
    commands = parser.add_subparsers(dest="command", required=True)

    data = commands.add_parser("data", help="check a data set, or make the miniature ones")
    data = data.add_subparsers(dest="what", required=True)
    check = data.add_parser("check", help="expected against found, skips by reason, classes, groups that cross")
    check.add_argument("dataset", choices=datasets.NAMES)
    check.add_argument("--root", type=Path, help="its folder; without it WTMR_DATA, data/ and Kaggle's are searched")
    check.add_argument("--split", help="one split; without it all that can be read there")
    check.add_argument("--protocol", choices=("published", "corrected"), default="corrected")
    check.add_argument("--names-only", action="store_true", help="do not read the files to their ends")
    check.add_argument("--workers", type=int, default=None, help="processes that read; all cores without it")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=data_check)
    mini = data.add_parser("mini", help="make a miniature set (done by itself on first use)")
    mini.add_argument("dataset", choices=datasets.NAMES)
    mini.add_argument("--root", type=Path, help="where; data/mini/DATASET without it")
    mini.add_argument("--seed", type=int, default=0)
    mini.set_defaults(run=data_mini)

    train = commands.add_parser("train", help="train one run, or go on with it")
    train.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="such as dataset=hmdb51 scale=mini epochs=3")
    train.add_argument("--root", type=Path)
    train.add_argument("--results", type=Path, default=Path("results"))
    train.set_defaults(run=train_one)

    suite = commands.add_parser("reproduce", help="make a whole suite, or go on with it")
    suite.add_argument("suite", nargs="?", default="mini", help="mini, published, corrected, or a YAML file")
    suite.add_argument("--data", type=Path, help="a data set or a folder of sets; without it as for data check")
    suite.add_argument("--results", type=Path, help="results/SUITE without it")
    suite.add_argument("--profile", default="local", help="a folder of profiles/: local or slurm")
    suite.add_argument("--gpus", type=int, help="how many to use; all that are there without it")
    suite.add_argument("--dry", action="store_true", help="list what it would run")
    suite.set_defaults(run=reproduce)

    notebook = commands.add_parser("notebook", help="run one notebook through papermill (what a suite does)")
    notebook.add_argument("source", type=Path)
    notebook.add_argument("made", type=Path)
    notebook.add_argument("--parameters", type=json.loads, default={}, help="JSON")
    notebook.add_argument("--log", type=Path, required=True)
    notebook.add_argument("--gpus", type=int, default=0, help="free ones to take")
    notebook.add_argument("--parent", type=int, help="number of the process to die with")
    notebook.set_defaults(run=one_notebook)

    profile = commands.add_parser("profile", help="parameters and GMACs of the networks at full size")
    profile.add_argument("--as", dest="counting", choices=("published", "complete"), default="complete")
    profile.add_argument("--csv", action="store_true")
    profile.set_defaults(run=profile_all)

    table = commands.add_parser("table", help="the runs below a results folder")
    table.add_argument("results", type=Path)
    table.set_defaults(run=table_of_runs)

    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a sign that a terminal lacks stops nothing
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def work() -> int:
        if os.environ.get("PYTHONWARNINGS"):  # that a warning is an error is no setting either
            warnings.simplefilter("default")
        with environment.cleaned():
            return options.run(options)

    return errors.ended(work, f"wtmr {options.command}")


def report(options: argparse.Namespace) -> dict[str, Any]:
    """What `wtmr data check --json` prints."""
    from wtmr_core.datasets.clips import ClipFormat, verify

    reader = datasets.module(options.dataset)
    root = datasets.find(options.dataset, options.root)
    names = (options.split,) if options.split else reader.splits(root) or ("-",)
    form = ClipFormat(2, bodies=2) if options.dataset == "ntu60" else ClipFormat(2, size=16)
    if options.dataset == "ntu60" and options.protocol == "published":
        form = ClipFormat(16, bodies=1, reader="published")
    found: dict[str, Any] = {
        "dataset": options.dataset,
        "root": str(root),
        "problems": [],
        "splits": {},
        "crossing": {},
    }
    unreadable = {}
    for i, split in enumerate(names):
        index = reader.index(root, split, protocol=options.protocol)
        if i == 0 and not options.names_only:
            verified = verify(index, reader.read, form, workers=options.workers)
            before = set(index.skipped.name)
            unreadable = {
                row.name: datasets.Unreadable(row.reason, row.detail)
                for row in verified.skipped.itertuples()
                if row.name not in before
            }
        here = set(index.samples.name)
        index = index.without({n: e for n, e in unreadable.items() if n in here})
        if i == 0:
            found |= {"kept": len(index), "expected": index.expected, "skipped": index.skips(),
                      "classes": index.class_counts(), "notes": list(index.notes)}  # fmt: skip
            found["skipped_samples"] = index.skipped.to_dict("records")[:100]
        if split != "-":
            found["splits"][split] = index.parts()
            found["crossing"][split] = index.crossing()
        found["problems"] += [p for p in index.problems() if p not in found["problems"]]
    if names == ("-",):
        try:
            reader.index(root, reader.SPLITS[0], protocol=options.protocol)
        except DataError as error:
            found["problems"].append(str(error))
    found["groups_crossing"] = sum(map(len, found["crossing"].values()))
    return found


def data_check(options: argparse.Namespace) -> int:
    """`wtmr data check`: 0 when everything is as expected, 1 when not."""
    try:
        found = report(options)
    except DataError as error:
        found = {"dataset": options.dataset, "root": str(options.root), "kept": 0, "expected": None, "skipped": {},
                 "classes": {}, "splits": {}, "groups_crossing": 0, "problems": [str(error)]}  # fmt: skip
    if options.json:
        print(json.dumps(found, indent=2))
        return 1 if found["problems"] else 0
    expected = "" if found["expected"] is None else f" of {found['expected']:,} expected"
    print(f"{found['dataset']} in {found['root']}\n{found['kept']:,} clips kept{expected}")
    for reason, n in found["skipped"].items():
        print(f"{n:>9,} skipped: {reason}")
    for split, parts in found["splits"].items():
        crossing = len(found["crossing"][split])
        counts = ", ".join(f"{n:,} {part}" for part, n in parts.items())
        print(f"split {split}: {counts}; {crossing or 'no'} group{'s' if crossing > 1 else ''} on both sides")
    print(f"{len(found['classes'])} classes: " + ", ".join(f"{k} {n}" for k, n in found["classes"].items()))
    for note in found.get("notes", ()):
        print(f"note: {note}")
    for problem in found["problems"]:
        print(f"NOT AS EXPECTED: {problem}")
    print("as expected" if not found["problems"] else f"{len(found['problems'])} things are not as expected")
    return 1 if found["problems"] else 0


def data_mini(options: argparse.Namespace) -> int:
    """`wtmr data mini`."""
    root = options.root or datasets.home() / "data" / "mini" / options.dataset
    print(datasets.mini.make(options.dataset, root, options.seed))
    return 0


def train_one(options: argparse.Namespace) -> int:
    """`wtmr train`: values are read as YAML, so `lr=1e-3`, `conv_channels=[16, 32]`, `dropout=null` all serve."""
    import yaml

    from wtmr_core import processes, runs
    from wtmr_core.settings import Settings, SettingsError

    if processes.started_by_torchrun():
        processes.die_with_parent(int(os.environ.get(processes.AGENT, 0)))
    from wtmr_core.training import run

    given = {}
    for pair in options.settings:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"{pair!r} is not KEY=VALUE")
        try:
            given[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SettingsError(f"{pair!r} is not KEY=VALUE: {error}") from error
        if isinstance(given[key], str):  # YAML 1.1 takes 1e-3 for a word
            with contextlib.suppress(ValueError):
                given[key] = float(given[key])
        if key == "split":
            given[key] = value
    folder = run(Settings.of(given), options.results, options.root)
    if processes.started_by_torchrun():
        return 0
    metrics = runs.load(folder).metrics
    shown = ("train_accuracy", "val_accuracy", "test_accuracy", "epochs", "seconds", "clips_per_second")
    print(folder, *(f"{key} {'-' if metrics[key] is None else f'{metrics[key]:.4g}'}" for key in shown), sep="\n")
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """`wtmr reproduce`."""
    from wtmr_core import batch

    made = batch.plan(
        options.suite, data=options.data, results=options.results, gpus=options.gpus, profile=options.profile
    )
    if not options.dry:
        return batch.reproduce(made)
    print(batch.listing(made))
    return 0


def one_notebook(options: argparse.Namespace) -> int:
    """`wtmr notebook`."""
    from wtmr_core import processes
    from wtmr_core.execution import notebook

    if options.parent:
        processes.die_with_parent(options.parent)
    notebook(options.source, options.made, options.parameters, options.log, options.gpus)
    return 0


def profile_all(options: argparse.Namespace) -> int:
    """`wtmr profile`."""
    from wtmr_core.profiling import profile_table

    table = profile_table(options.counting)
    if options.csv:
        table.to_csv(sys.stdout, index=False, float_format="%.2f")
    else:
        print(table.to_string(index=False, float_format="%.2f".__mod__))
    return 0


def table_of_runs(options: argparse.Namespace) -> int:
    """`wtmr table`."""
    from wtmr_core import runs

    table = runs.table(options.results)
    why = table.test_accuracy.notna().map({True: "-", False: "unfinished"})  # a finished run may have no validation
    table = table.astype(object).where(table.notna(), why, axis=0)
    print(table.to_string(index=False, float_format="%.3f".__mod__) if len(table) else "no runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
