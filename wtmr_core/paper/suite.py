"""A suite: the runs described in one file in `experiments/`, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wtmr_core import literals, runs
from wtmr_core.literals import LiteralError, shown
from wtmr_core.runs import Run
from wtmr_core.settings import Settings, SettingsError

NOTEBOOKS = ("06_activity_tracking", "07_audit", "09_habits")
_BYTES = 2**20  # of a suite's file


@dataclass(frozen=True)
class Entry:
    """One run of a suite: its settings, and the folder of its recordings where the file names one."""

    settings: Settings
    root: str | None = None


@dataclass(frozen=True)
class Suite:
    """The runs of a suite by name, in the order of its file: the longest come first."""

    name: str
    runs: dict[str, Entry]
    notebooks: tuple[str, ...] = ()  # those that need none of the runs


def find(name: str, folder: Path) -> Path:
    """The file of a suite: `name` if it is the path of a YAML file, else the file of that name in `folder`."""
    return Path(name) if name.endswith(".yaml") else folder / f"{name}.yaml"


def load(file: Path) -> Suite:
    """Read a suite from a YAML file.

    It has `all`, the settings that its runs share, and `runs`, each with a name and its settings. A run may also have
    `root`, the folder of its recordings, and take over another's settings (`<<: *that`). `notebooks` lists those of
    `NOTEBOOKS` that are made with the suite.

    Raises:
        SettingsError: naming file and run, for a file that does not exist, is not YAML (`literals.read`) in UTF-8 or is
            larger than a mebibyte, for unknown or impossible settings, for a name that is used twice, and for two names
            of the same run.
    """
    document = _document(file)
    if not isinstance(document, dict) or not isinstance(document.get("runs"), dict) or not document["runs"]:
        raise SettingsError(f"{file} has no runs: it needs `runs:`, with a name and its settings each")
    if foreign := [shown(key, quotes=False) for key in document if key not in ("all", "runs", "notebooks")]:
        raise SettingsError(f"{file} has {', '.join(foreign[:5])}; a suite has all, runs and notebooks")
    shared = {} if document.get("all") is None else document["all"]
    if not isinstance(shared, dict):
        raise SettingsError(f"{file}: all is {shown(shared)}; it needs settings, such as {{dataset: hmdb51}}")
    entries: dict[str, Entry] = {}
    for name, settings in document["runs"].items():
        try:
            entries[name] = _entry(name, shared, settings)
        except SettingsError as error:
            raise SettingsError(f"{file}, run {shown(name, quotes=False)}: {error}") from error
    names: dict[str, str] = {}
    for name, entry in entries.items():
        other = names.setdefault(str((entry.settings.identity(), entry.root)), name)
        if other != name:
            raise SettingsError(f"{file}: {other} and {name} are the same run; change a setting, such as seed")
    places: dict[str, tuple] = {}
    for name, entry in entries.items():
        place = (entry.settings.scale, entry.root)
        if places.setdefault(entry.settings.dataset, place) != place:
            raise SettingsError(
                f"{file}, run {name}: runs on {entry.settings.dataset} differ in scale or root; make a suite of each"
            )
    return Suite(file.stem, entries, _notebooks(file, document.get("notebooks")))


def _notebooks(file: Path, names: Any) -> tuple[str, ...]:
    names = [] if names is None else names
    if not isinstance(names, list) or not all(name in NOTEBOOKS for name in names) or len(set(names)) < len(names):
        raise SettingsError(f"{file}: notebooks is {shown(names)}; it is a list of {', '.join(NOTEBOOKS)}")
    return tuple(names)


def finished_run(suite: Suite, name: str, results: Path) -> Run:
    """Read the finished run `name` of `suite` from its folder below `results`.

    Raises:
        SettingsError: for a name that is not in the suite.
        RunError: where the run is not finished.
    """
    _known(suite, [name])
    return runs.load(runs.named(results, name, suite.runs[name].settings))


def finished_runs(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> dict[str, Run]:
    """Read the finished runs of `suite` by name, in its order, except those in `left_out` (run -> reason).

    Raises:
        SettingsError: where `left_out` names a run that is not in the suite, or all of its runs.
        RunError: where a run is neither finished nor left out.
    """
    left_out = left_out or {}
    _known(suite, left_out)
    if not (names := [name for name in suite.runs if name not in left_out]):
        raise SettingsError(f"all runs of suite {suite.name} are left out; leave some in")
    return {name: finished_run(suite, name, results) for name in names}


def _known(suite: Suite, names: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in suite.runs]:
        raise SettingsError(f"suite {suite.name} has no run {unknown[0]!r}; it has {', '.join(suite.runs)}")


def _document(file: Path) -> Any:
    """The content of a YAML file."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise SettingsError(f"{file} has more than {_BYTES:,} bytes; a suite is smaller")
        return literals.read(content.decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError) as error:
        near = sorted(f.stem for f in file.parent.glob("*.yaml"))
        raise SettingsError(f"there is no suite {file}" + (f"; there are {', '.join(near)}" if near else "")) from error
    except IsADirectoryError as error:
        raise SettingsError(f"{file} is a folder; a suite is a YAML file") from error
    except PermissionError as error:
        raise SettingsError(f"{file} may not be read; permit it, and to enter its folder") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{file} is not UTF-8 in line {line}; save it as UTF-8") from error
    except LiteralError as error:
        raise SettingsError(f"{file} is not YAML as a suite needs it: {error}") from error


def _entry(name: Any, shared: dict, settings: Any) -> Entry:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,99}", name):
        raise SettingsError("a name is text of small letters, numbers, points and hyphens, 100 at most")
    if not isinstance(settings, dict):
        raise SettingsError("it needs settings, such as {dataset: hmdb51, model: released-wtmr}")
    values = {**shared, **settings}
    root = values.pop("root", None)
    if not isinstance(root, str | None) or root == "":
        raise SettingsError(f"root is {shown(root)}; it must be a folder")
    return Entry(Settings.of(values), root)
