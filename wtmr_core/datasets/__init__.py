"""The data sets, from recordings on disk to clips: the paper's three, and two kinds of the user's own.

A data set is a module with `SPLITS`, `recognise`, `splits`, `index` and `read`; `module(name)` chooses it.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from wtmr_core.datasets import folder, hmdb51, ntu60, skeletons, svideoqa
from wtmr_core.datasets.index import DataError, Index, Unreadable
from wtmr_core.datasets.roots import cache_home, find_root, given, home, results_home
from wtmr_core.miniature import sets
from wtmr_core.modality import MODALITIES, OWN

__all__ = [
    "NAMES",
    "DataError",
    "Index",
    "Unreadable",
    "cache_home",
    "find",
    "first_split",
    "given",
    "home",
    "module",
    "open_index",
    "results_home",
]

NAMES = tuple(MODALITIES)
_MODULES = {module.__name__.rpartition(".")[2]: module for module in (hmdb51, ntu60, svideoqa, folder, skeletons)}


def module(dataset: str) -> ModuleType:
    """The module that reads `dataset`; raises `DataError` for a name that is not in `NAMES`."""
    if dataset not in _MODULES:
        raise DataError(f"there is no data set {dataset!r}; there are {', '.join(NAMES)}")
    return _MODULES[dataset]


def find(dataset: str, root: str | Path | None = None, *, scale: str = "full") -> Path:
    """Find the folder of `dataset`; at `mini` scale without `root` the miniature, which is made on first use.

    Raises `DataError` as `roots.find_root`, and for a set of the user's own without `root`.
    """
    if dataset in OWN and not root:
        raise DataError(f"{dataset} is a data set of your own: give its folder as root (--root)")
    if scale == "mini" and not root:
        return sets.make(dataset, home() / "data" / "mini" / dataset)
    return find_root(dataset, module(dataset).recognise, root)


def first_split(dataset: str, root: Path) -> str:
    """The first split of `dataset` that can be read in `root`, or the one whose index explains why none can."""
    reader = module(dataset)
    return next(iter(reader.splits(root)), reader.SPLITS[0])


def open_index(dataset: str, root: Path, split: str | None = None, *, reader: str = "corrected") -> Index:
    """Index `dataset` in `root` for `split`, by default the first that can be read there.

    `reader` is `published` for the paper's own reading, where that differs, or `corrected`.
    """
    return module(dataset).index(root, split or first_split(dataset, root), reader=reader)
