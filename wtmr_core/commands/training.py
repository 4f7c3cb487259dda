"""`wtmr train`, and what is done with finished runs: `predict`, `export` and `table`."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Add `train`, `predict`, `export` and `table`."""
    one = commands.add_parser("train", help="train a run, or resume it")
    one.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="such as dataset=hmdb51 scale=mini epochs=3")
    one.add_argument("--list", action="store_true", help="train nothing: list every setting, its meaning and defaults")
    one.add_argument("--json", action="store_true", help="with --list, print a JSON list of objects")
    one.add_argument("--root", type=Path, help="folder of the data set; by default as for data check")
    one.add_argument("--results", type=Path, default=Path("results"), help="folder of results; by default results")
    one.set_defaults(run=train)

    one = commands.add_parser("predict", help="classify the actions in videos with a finished run")
    one.add_argument("run_folder", type=Path, metavar="RUN_FOLDER", help="the folder of a finished run")
    one.add_argument(
        "videos",
        type=Path,
        nargs="+",
        metavar="VIDEO",
        help="a video, a folder of numbered frames, or a .skeleton file",
    )
    one.add_argument("--fps", type=float, help="frames a second of a folder; by default its frames are one window")
    one.add_argument("--seconds", type=float, help="length of a window; by default that of the training recordings")
    one.add_argument("--stride", type=float, help="seconds from window to window; by default half a window")
    one.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    one.add_argument("--json", action="store_true", help="print a JSON list of objects")
    one.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each window")
    one.set_defaults(run=predict)

    one = commands.add_parser("export", help="export the network of a finished run for other programs")
    one.add_argument("run_folder", type=Path, metavar="RUN_FOLDER", help="the folder of a finished run")
    one.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="the ONNX file to write")
    one.add_argument("--opset", type=int, default=18, help="version of ONNX's operators; by default 18")
    one.set_defaults(run=export)

    one = commands.add_parser("table", help="list the runs in a folder of results")
    one.add_argument("results", type=Path, help="a folder of results, such as results/mini")
    one.set_defaults(run=table)


def train(options: argparse.Namespace) -> int:
    """`wtmr train`: values are read as in a suite, such as `lr=1e-3`, `conv_channels=[16, 32]`, `dropout=null`."""
    from wtmr_core import environment, processes, runs
    from wtmr_core.parameters import from_pairs
    from wtmr_core.settings import Settings, SettingsError

    values = from_pairs(options.settings)
    if options.list:
        from wtmr_core.commands import listing

        print(json.dumps(listing.entries(values), ensure_ascii=False) if options.json else listing.text(values))
        return 0
    if options.json:
        raise SettingsError("--json is for --list: the results of a run are in its folder, as metrics.json")
    if not values:
        raise SettingsError("no settings are given: at least dataset=hmdb51; wtmr train --list tells all of them")
    if environment.started_by_torchrun():
        processes.die_with_parent(int(os.environ.get(environment.AGENT, 0)))
    from wtmr_core.training import run

    folder = run(Settings.of(values), options.results, options.root)
    if environment.started_by_torchrun():
        return 0
    metrics = runs.load(folder).metrics
    shown = ("train_accuracy", "val_accuracy", "test_accuracy", "epochs", "seconds", "clips_per_second")
    print(folder, *(f"{key} {'-' if metrics[key] is None else f'{metrics[key]:.4g}'}" for key in shown), sep="\n")
    for key, verb in (("skipped", "skipped"), ("remarks", "kept, but")):
        for reason, count in metrics.get(key, {}).items():
            names = ", ".join(metrics.get("examples", {}).get(key, {}).get(reason, []))
            print(f"{count:,} {verb}: {reason}" + (f", the first: {names}" if names else ""))
    return 0


def predict(options: argparse.Namespace) -> int:
    """`wtmr predict`: 0, or 1 where some recordings cannot be read, 2 where none can."""
    from wtmr_core import predictions
    from wtmr_core.classifier import Classifier

    classifier = Classifier.load(options.run_folder, options.device)
    arguments = {key: getattr(options, key) for key in ("fps", "seconds", "stride", "csv")}
    return predictions.show(classifier, options.videos, as_json=options.json, **arguments)


def export(options: argparse.Namespace) -> int:
    """`wtmr export`."""
    from wtmr_core.export import export

    print(export(options.run_folder, options.onnx, options.opset))
    return 0


def table(options: argparse.Namespace) -> int:
    """`wtmr table`: 0, or 1 where there are no runs."""
    from wtmr_core import runs

    table = runs.table(options.results)
    why = table.test_accuracy.notna().map({True: "-", False: "unfinished"})  # a finished run may have no validation
    table = table.astype(object).where(table.notna(), why, axis=0)
    if table.empty:
        print(f"no runs in {options.results / 'runs'}: give a folder of results, such as results/mini")
        return 1
    print(table.to_string(index=False, float_format="%.3f".__mod__))
    return 0
