"""`wtmr data`: check a data set, or make a miniature one."""

from __future__ import annotations

import argparse
from pathlib import Path

from wtmr_core.modality import MODALITIES, OWN


def add(commands: argparse._SubParsersAction) -> None:
    """Add `data check` and `data mini`."""
    data = commands.add_parser("data", help="check a data set, or make a miniature one")
    data = data.add_subparsers(dest="what", required=True, metavar="check|mini")
    one = data.add_parser("check", help="compare a data set with what is expected of it")
    one.add_argument("dataset", choices=tuple(MODALITIES))
    one.add_argument("--root", type=Path, help="its folder; by default WTMR_DATA, data/ and Kaggle's are searched")
    one.add_argument("--split", help="one split; by default all that can be read")
    one.add_argument(
        "--protocol",
        choices=("published", "corrected"),
        default="corrected",
        help="whose reading of it; by default corrected",
    )
    one.add_argument("--names-only", action="store_true", help="do not read the files to their ends")
    one.add_argument("--workers", type=int, default=None, help="number of reading processes; by default one per core")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(run=check)
    one = data.add_parser("mini", help="make a miniature set (done automatically on first use)")
    one.add_argument("dataset", choices=[*(name for name in MODALITIES if name not in OWN), "home"])
    one.add_argument("--root", type=Path, help="the folder to write; by default data/mini/DATASET")
    one.add_argument("--seed", type=int, default=0, help="of all that is drawn; by default 0")
    one.set_defaults(run=mini)


def check(options: argparse.Namespace) -> int:
    """`wtmr data check`: 0 where the data set is as expected, otherwise 1."""
    from wtmr_core.datasets import check

    arguments = {key: getattr(options, key) for key in ("root", "split", "names_only", "workers")}
    return check.show(check.report(options.dataset, reader=options.protocol, **arguments), as_json=options.json)


def mini(options: argparse.Namespace) -> int:
    """`wtmr data mini`."""
    from wtmr_core import datasets
    from wtmr_core.miniature import sets

    root = options.root or datasets.home() / "data" / "mini" / options.dataset
    print(sets.make(options.dataset, root, options.seed))
    return 0
