"""The three data sets, from recordings on disk to batches.

A data set is a module with `SPLITS`, `recognise`, `splits`, `index` and `read`; `module(name)` chooses it.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from wtmr_core.datasets import folder, hmdb51, ntu60, skeletons, svideoqa
from wtmr_core.datasets.index import DataError, Index, Unreadable
from wtmr_core.datasets.roots import cache_home, find_root, home, results_home
from wtmr_core.miniature import sets

__all__ = [
    "NAMES",
    "DataError",
    "Index",
    "Unreadable",
    "cache_home",
    "find",
    "home",
    "module",
    "open_index",
    "results_home",
]

NAMES = ("hmdb51", "ntu60", "svideoqa", "folder", "skeletons")


def module(dataset: str) -> ModuleType:
    """The module that reads `dataset`; raises `DataError` for a name that is none of `NAMES`."""
    modules = (hmdb51, ntu60, svideoqa, folder, skeletons)
    chosen = dict(zip(NAMES, modules, strict=True)).get(dataset)
    if chosen is None:
        raise DataError(f"there is no data set {dataset!r}; there are {', '.join(NAMES)}")
    return chosen


def find(dataset: str, root: str | Path | None = None, *, scale: str = "full") -> Path:
    """The folder of `dataset`. At `mini` scale without `root`: the miniature set, made on first use."""
    if scale == "mini" and not root:
        return sets.make(dataset, home() / "data" / "mini" / dataset)
    return find_root(dataset, module(dataset).recognise, root)


def open_index(dataset: str, root: Path, split: str | None = None, *, protocol: str = "corrected") -> Index:
    """The index of `dataset` in `root` for `split`; without one, the first that can be read there.

    The published protocol draws its own parts, so it needs no split: `-`.
    """
    reader = module(dataset)
    if split is None:
        split = "-" if protocol == "published" else next(iter(reader.splits(root)), reader.SPLITS[0])
    return reader.index(root, split, protocol=protocol)
