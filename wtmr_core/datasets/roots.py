"""Where data sets, caches and results lie."""

from __future__ import annotations

import os
from pathlib import Path

from wtmr_core.datasets.index import DataError

KAGGLE = Path("/kaggle/input")


def home() -> Path:
    """The companion's own folder: the nearest of this folder and those above it that holds `notebooks` and
    `wtmr_core`, else this folder. So the notebooks find data and results from wherever they are run."""
    here = Path.cwd()
    return next((d for d in (here, *here.parents) if (d / "notebooks").is_dir() and (d / "wtmr_core").is_dir()), here)


def results_home(suite: str, given: str | Path | None = None) -> Path:
    """Where the results of a suite lie: the folder `given`, or its own in `WTMR_RESULTS` or in `results`."""
    return home() / given if given else Path(os.environ.get("WTMR_RESULTS") or home() / "results") / suite


def cache_home() -> Path:
    """Where clip caches are made: `WTMR_CACHE`, or `data/cache`. It may be deleted at any time."""
    return Path(os.environ.get("WTMR_CACHE") or home() / "data" / "cache")


def find_root(dataset: str, locate, given: str | Path | None = None) -> Path:
    """The folder of a data set: `given` (a path, also from the companion's folder or from `WTMR_DATA`), or the first
    that holds it of `WTMR_DATA` (the set, or a folder of sets), `data/<dataset>`, and the folders of Kaggle's input.

    `locate` is the data set's own test of a folder. Raises `DataError` naming every place looked at.
    """
    base = os.environ.get("WTMR_DATA")
    if given:
        root = Path(os.path.expanduser(given))  # where nobody has a home, `~` is left as it is
        places = [root, home() / root, *([Path(base) / root] if base else [])]
        if found := next((place for place in places if place.is_dir()), None):
            return found.resolve()
        inside = f", nor one in {base}" if base else ""
        raise DataError(f"there is no folder {root}{inside}: give the folder of {dataset} as root")
    places = []
    if base:
        places += [Path(base) / dataset, Path(base)]
    places.append(home() / "data" / dataset)
    if KAGGLE.is_dir():
        places += [*sorted(KAGGLE.glob("datasets/*/*")), *sorted(KAGGLE.iterdir())]  # its newer and its older layout
    for place in places:
        if place.is_dir() and locate(place) is not None:
            return place.resolve()
    looked = ", ".join(map(str, places))
    raise DataError(
        f"{dataset} was not found in {looked}: give its folder as root, or set WTMR_DATA; see data/README.md"
    )
