"""A suite: the runs of one file in `experiments/`, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wtmr_core.settings import Settings, SettingsError, unknown


@dataclass(frozen=True)
class Entry:
    """One run of a suite: its settings, and the folder of its recordings where the file names one."""

    settings: Settings
    root: str | None = None


@dataclass(frozen=True)
class Suite:
    """The runs of a suite by name, in the order of its file: those that take longest come first."""

    name: str
    runs: dict[str, Entry]


def find(name: str, folder: Path) -> Path:
    """The file of a suite: `name` where it is the path of a YAML file, else that of its name in `folder`."""
    return Path(name) if name.endswith(".yaml") else folder / f"{name}.yaml"


def load(file: Path) -> Suite:
    """Read a suite: `all`, the settings that its runs share, and `runs`, a name and its settings each.

    A run may also have `root`, the folder of its recordings, and take over another's settings (`<<: *that`). Raises
    `SettingsError`, naming file and run, for what is unknown or impossible, for a name given twice, and for two names
    of one run.
    """
    try:
        read = yaml.load(file.read_text(), _Strict)
    except OSError as error:
        near = sorted(f.stem for f in file.parent.glob("*.yaml"))
        raise SettingsError(f"there is no suite {file}" + (f"; there are {', '.join(near)}" if near else "")) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is not YAML: {error}") from error
    if not isinstance(read, dict) or not isinstance(read.get("runs"), dict) or not read["runs"]:
        raise SettingsError(f"{file} has no runs: it needs `runs:`, with a name and its settings each")
    if others := read.keys() - {"all", "runs"}:
        raise SettingsError(f"{file} has {', '.join(map(str, sorted(others)))}; a suite has all and runs")
    found: dict[str, Entry] = {}
    for name, own in read["runs"].items():
        try:
            found[name] = _entry(name, read.get("all") or {}, own)
        except SettingsError as error:
            raise SettingsError(f"{file}, run {name}: {error}") from error
    names: dict[str, str] = {}
    for name, entry in found.items():
        other = names.setdefault(str((entry.settings.identity(), entry.root)), name)
        if other != name:
            raise SettingsError(f"{file}: {other} and {name} are the same run; change a setting, such as seed")
    places: dict[str, tuple] = {}
    for name, entry in found.items():
        place = (entry.settings.scale, entry.root)
        if places.setdefault(entry.settings.dataset, place) != place:
            raise SettingsError(f"{file}, run {name}: runs on {entry.settings.dataset} differ in scale or root; "
                                "make a suite of each")  # fmt: skip
    return Suite(file.stem, found)


def _entry(name: Any, shared: Any, own: Any) -> Entry:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise SettingsError("a name is text of small letters, numbers, points and hyphens")
    if not isinstance(own, dict) or not isinstance(shared, dict):
        raise SettingsError("it needs settings, such as {dataset: hmdb51, model: released-wtmr}")
    given = {**shared, **own}
    root = given.pop("root", None)
    if not isinstance(root, str | None):
        raise SettingsError(f"root is {root!r}; it must be a folder")
    for key in given:
        if not isinstance(key, str):
            raise SettingsError(unknown(str(key), Settings.__dataclass_fields__))
    return Entry(Settings.of(given), root)


class _Strict(yaml.SafeLoader):
    """YAML in which a key given twice is an error, and 1e-3 a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if not key.tag.endswith(":merge")]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} is given twice{node.start_mark}")
        return super().construct_mapping(node, deep)


_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
