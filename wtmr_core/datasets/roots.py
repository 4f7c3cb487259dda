"""Where data sets, caches and results lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from wtmr_core.datasets.index import DataError, NotThisSet

KAGGLE = Path("/kaggle/input")
CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The companion's own folder, so that notebooks find data and results from wherever they run.

    It is the nearest of the current folder and those above it that holds `notebooks` and `wtmr_core`; outside of any,
    the checkout that the package is imported from; and where it is imported from none, the current folder.
    """
    return _companion() or (CHECKOUT if _is_companion(CHECKOUT) else Path.cwd())


def given(path: str | Path) -> Path:
    """A path as a reader gives it: relative ones are meant from the companion's own folder in it and anywhere below,
    such as in `notebooks`, and elsewhere from the current folder."""
    return (_companion() or Path.cwd()) / os.path.expanduser(path)


def results_home(suite: str, folder: str | Path | None = None) -> Path:
    """The results of a suite: in `folder` (as `given`), or in a folder of its own in `WTMR_RESULTS` or `results`."""
    return given(folder) if folder else Path(os.environ.get("WTMR_RESULTS") or home() / "results") / suite


def cache_home() -> Path:
    """The folder of clip caches: `WTMR_CACHE`, or `data/cache`. It may be deleted at any time."""
    return Path(os.environ.get("WTMR_CACHE") or home() / "data" / "cache")


def find_root(dataset: str, recognise: Callable[[Path], None], root: str | Path | None = None) -> Path:
    """Find the folder of a data set.

    Args:
        dataset: its name
        recognise: raises `NotThisSet` for a folder that holds something else
        root: its path, also relative to the companion's folder or to `WTMR_DATA`. None takes the first folder that
            holds the set: of `WTMR_DATA` (a folder of sets, or the set), `data/<dataset>`, and the folders of Kaggle's
            input.

    Raises:
        DataError: naming every place that was searched and what is there; and where several equal places hold the set.
    """
    base = os.environ.get("WTMR_DATA")
    if root:
        path = Path(os.path.expanduser(root))  # where nobody has a home, `~` is left as it is
        places = [path, home() / path, *([Path(base) / path] if base else [])]
        if matches := next((place for place in places if os.path.isdir(place)), None):
            return matches.resolve()
        inside = f", nor one in {base}" if base else ""
        raise DataError(
            f"there is no folder {path}{inside}: give the folder of the recordings of {dataset} as root (--root)"
        )
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
        matches = []
        for place in places:
            if not os.path.isdir(place):
                looked.append(str(place))
                continue
            try:
                recognise(place)
                matches.append(place)
            except NotThisSet as error:
                looked.append(f"{place} ({error})")
            except DataError:  # it is the set, with something wrong that its index will say
                matches.append(place)
        if len(matches) > 1:
            raise DataError(
                f"{dataset} lies in {' and in '.join(map(str, matches))}: give one of them as root (--root)"
            )
        if matches:
            return matches[0].resolve()
    raise DataError(
        f"{dataset} was not found in {', '.join(looked)}: give its folder as root (--root, of a suite --data), or set "
        "WTMR_DATA; see data/README.md"
    )


def _companion() -> Path | None:
    """The companion that the current folder is or lies in."""
    current = Path.cwd()
    return next((folder for folder in (current, *current.parents) if _is_companion(folder)), None)


def _is_companion(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "wtmr_core").is_dir()


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; none where it cannot be read."""
    try:
        return sorted(entry for entry in folder.iterdir() if os.path.isdir(entry))
    except OSError:
        return []
