"""The paper: `wtmr reproduce` runs a suite, `notebook` one of its notebooks; `profile`, `compare` and `audit` judge."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wtmr_core.commands import arguments


def add(commands: argparse._SubParsersAction) -> None:
    """Add `reproduce`, `notebook`, `profile`, `compare` and `audit`."""
    one = commands.add_parser("reproduce", help="run a whole suite, or resume it")
    one.add_argument("suite", nargs="?", default="mini", help="mini, published, corrected, or a YAML file")
    one.add_argument("--data", type=Path, help="a data set or a folder of sets; by default as for data check")
    one.add_argument("--results", type=Path, help="folder of results; by default results/SUITE")
    one.add_argument("--profile", default="local", help="a folder of profiles/: local or slurm")
    one.add_argument("--gpus", type=int, help="number of GPUs to use; by default all")
    one.add_argument("--dry", action="store_true", help="list the steps without running them")
    one.set_defaults(run=reproduce)

    one = commands.add_parser("notebook", help="run one notebook through papermill, as a suite does")
    one.add_argument("source", type=Path, help="the notebook to run")
    one.add_argument("result", type=Path, help="the notebook to write")
    one.add_argument("--parameters", type=arguments.json_object, default={}, help="a JSON object")
    one.add_argument("--log", type=Path, required=True, help="the file for its output")
    one.add_argument("--gpus", type=int, default=0, help="number of free GPUs to take")
    one.add_argument("--parent", type=int, help="id of the process with which to end")
    one.set_defaults(run=notebook)

    one = commands.add_parser("profile", help="parameters and GMACs of the networks at full size")
    one.add_argument(
        "--as",
        dest="counting",
        choices=("published", "complete"),
        default="complete",
        help="count what the paper's profiler counted, or all; by default complete",
    )
    one.add_argument("--csv", action="store_true", help="print comma-separated values")
    one.set_defaults(run=profile)

    one = commands.add_parser("compare", help="compare a suite's results with the committed ones")
    one.add_argument("suite", nargs="?", default="mini", help="a suite whose results are part of the repository")
    one.add_argument("--results", type=Path, help="folder of results; by default results/SUITE")
    one.set_defaults(run=compare)

    one = commands.add_parser("audit", help="write AUDIT.md from what the audit's notebook found")
    one.add_argument("--results", type=Path, help="folder of the suite's results; by default results/mini")
    one.add_argument("--page", type=Path, help="the page to write; by default AUDIT.md")
    one.add_argument("--train", action="store_true", help="first make the kept trials anew, as far as they are absent")
    one.add_argument("--data", type=Path, help="with --train, the folder that holds the folders of real recordings")
    one.set_defaults(run=audit)


def reproduce(options: argparse.Namespace) -> int:
    """`wtmr reproduce`."""
    from wtmr_core.paper import planning, workflow

    plan = planning.plan(
        options.suite, data=options.data, results=options.results, gpus=options.gpus, profile=options.profile
    )
    if not options.dry:
        return workflow.reproduce(plan)
    print(workflow.listing(plan))
    return 0


def notebook(options: argparse.Namespace) -> int:
    """`wtmr notebook`."""
    from wtmr_core import processes
    from wtmr_core.paper.execution import notebook

    if options.parent:
        processes.die_with_parent(options.parent)
    notebook(options.source, options.result, options.parameters, options.log, options.gpus)
    return 0


def profile(options: argparse.Namespace) -> int:
    """`wtmr profile`."""
    from wtmr_core.paper.cost import profile_table

    table = profile_table(options.counting)
    if options.csv:
        table.to_csv(sys.stdout, index=False, float_format="%.2f")
    else:
        print(table.to_string(index=False, float_format="%.2f".__mod__))
    return 0


def compare(options: argparse.Namespace) -> int:
    """`wtmr compare`: 0 where every accuracy lies within the stated spread, otherwise 1."""
    from wtmr_core import datasets
    from wtmr_core.paper import comparison

    results = datasets.results_home(options.suite, options.results)
    page, within = comparison.report(results, datasets.home(), options.suite)
    print(page)
    return 0 if within else 1


def audit(options: argparse.Namespace) -> int:
    """`wtmr audit`: 0; with `--train` the kept trials are made, which the notebook then shows."""
    from wtmr_core import datasets
    from wtmr_core.paper.audit import page, tracks, trials

    kept = datasets.results_home("audit")
    if options.train:
        if options.data is None or not options.data.is_dir():
            raise datasets.DataError(f"there is no folder {options.data}: give that of the real recordings as --data")
        tracks.make(kept, options.data)
        print(trials.make(kept, options.data).to_string(index=False))
        print("papermill notebooks/07_audit.ipynb out.ipynb shows them")
        return 0
    target = options.page or datasets.home() / "AUDIT.md"
    page.write(target, datasets.results_home("mini", options.results))
    print(target)
    return 0
