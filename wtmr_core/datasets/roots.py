"""Where data sets, caches and results lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wtmr_core.datasets.index import DataError, NotThisSet

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


def find_root(dataset: str, recognise: Callable[[Path], None], given: str | Path | None = None) -> Path:
    """The folder of a data set: `given` (a path, also from the companion's folder or from `WTMR_DATA`), or the first
    that holds it of `WTMR_DATA` (a folder of sets, or the set), `data/<dataset>`, and the folders of Kaggle's input.

    `recognise` is the data set's own test: it raises `NotThisSet` for a folder of something else. Raises `DataError`
    naming every place looked at and what lies there, and where several that are equal hold the set.
    """
    base = os.environ.get("WTMR_DATA")
    if given:
        root = Path(os.path.expanduser(given))  # where nobody has a home, `~` is left as it is
        places = [root, home() / root, *([Path(base) / root] if base else [])]
        if found := next((place for place in places if os.path.isdir(place)), None):
            return found.resolve()
        inside = f", nor one in {base}" if base else ""
        raise DataError(f"there is no folder {root}{inside}: give the folder of {dataset} as root")
    choices = []  # places one after another; those in one list are equal
    if base:
        alike = [d for d in _folders(Path(base)) if d.name.lower() == dataset]
        choices += [alike or [Path(base) / dataset], [Path(base)]]
    choices.append([home() / "data" / dataset])
    if os.path.isdir(KAGGLE):  # its newer and its older layout
        newer = [inner for owner in _folders(KAGGLE / "datasets") for inner in _folders(owner)]
        choices += [newer, [d for d in _folders(KAGGLE) if d.name != "datasets"]]
    looked = []
    for places in choices:
        found = []
        for place in places:
            if not os.path.isdir(place):
                looked.append(str(place))
                continue
            try:
                recognise(place)
                found.append(place)
            except NotThisSet as error:
                looked.append(f"{place} ({error})")
            except DataError:  # it is the set, with something wrong that its index will say
                found.append(place)
        if len(found) > 1:
            raise DataError(f"{dataset} lies in {' and in '.join(map(str, found))}: give one of them as root")
        if found:
            return found[0].resolve()
    raise DataError(
        f"{dataset} was not found in {', '.join(looked)}: give its folder as root, or set WTMR_DATA; see data/README.md"
    )


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; none where it cannot be read."""
    try:
        return sorted(entry for entry in folder.iterdir() if os.path.isdir(entry))
    except OSError:
        return []
