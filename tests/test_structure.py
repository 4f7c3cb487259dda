"""The house rules, checked: imports point one way, notebooks are thin, both environments are one."""

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import PROJECT
from wtmr_core import parameters

CORE = PROJECT / "wtmr_core"
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))

#: file of the core, or room -> what else of wtmr_core it may import; arrows point one way
ALLOWED = {
    "__init__": {"classifier"},
    # what needs nothing of the companion
    "skeleton": set(),
    "literals": set(),
    "files": set(),
    "locks": set(),
    "environment": set(),
    "processes": set(),
    "metrics": set(),
    "epochs": set(),
    "torchvision_guard": set(),
    "agent": {"environment"},
    "intervals": {"metrics"},
    "modality": set(),
    "presets": {"literals", "modality"},
    "values": {"literals"},
    "earlier": set(),
    "rules": {"literals", "modality", "values"},
    "settings": {"earlier", "literals", "modality", "presets", "rules", "values"},
    "parameters": {"literals", "settings"},
    "runs": {"files", "locks", "settings"},
    "distributed": {"environment", "parameters", "processes", "runs", "settings"},
    # the rooms, and what trains
    "models": {"modality", "skeleton", "torchvision_guard"},
    "miniature": {"skeleton", "locks", "processes"},
    "datasets": {"modality", "skeleton", "files", "locks", "processes", "miniature"},
    "data": {"modality", "settings", "datasets"},
    "checkpoint": {"modality", "settings", "models", "datasets", "runs", "data"},
    "state": {"checkpoint", "epochs", "models", "runs", "settings"},
    "engine": {"data", "datasets", "settings", "state"},
    "recording": {"datasets", "skeleton"},
    "maps": {"data", "datasets", "locks", "modality", "models", "settings"},
    "regression": {"data", "engine", "state"},
    "description": {"data", "datasets", "files", "modality", "models", "recording", "runs", "settings"},
    "card": {"intervals", "metrics"},
    "training": {
        "card", "checkpoint", "data", "datasets", "description", "distributed", "engine", "environment", "epochs",
        "maps", "metrics", "processes", "regression", "runs", "settings", "state",
    },
    # a trained run applied to what it has not seen
    "classifier": {"checkpoint", "data", "datasets", "description", "recording", "runs", "settings"},
    "predictions": {"classifier", "datasets", "errors", "files", "recording"},
    "export": {"classifier", "data", "description", "files", "models", "skeleton"},
    "tracking": {
        "card", "checkpoint", "classifier", "data", "datasets", "description", "errors", "files", "literals", "locks",
        "miniature", "models", "recording", "runs", "settings", "skeleton",
    },
    # the reproduction of the paper stands on all of these and none of them on it
    "paper": {
        "checkpoint", "data", "datasets", "distributed", "environment", "files", "intervals", "literals", "locks",
        "metrics", "miniature", "modality", "models", "processes", "rules", "runs", "settings", "skeleton", "state",
        "tracking",
    },
    "errors": {"datasets"},
    "commands": {
        "classifier", "datasets", "environment", "export", "literals", "miniature", "modality", "paper", "parameters",
        "predictions", "processes", "runs", "settings", "tracking", "training",
    },
    "__main__": {"commands", "environment", "errors"},
}  # fmt: skip


def imported(file: Path) -> set[str]:
    """The files and rooms of wtmr_core that a file imports, wherever in it."""
    parts = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wtmr_core":
            below = node.module.split(".")[1:]
            parts |= {below[0]} if below else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts |= {a.name.split(".")[1] for a in node.names if a.name.startswith("wtmr_core.")}
    return parts


def room(file: Path) -> str:
    return file.relative_to(CORE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda f: str(f.relative_to(CORE)))
def test_imports_point_one_way(file):
    assert imported(file) - {room(file)} <= ALLOWED[room(file)]


def test_every_file_and_room_has_a_rule_and_no_rule_makes_a_ring():
    assert {room(file) for file in CORE.rglob("*.py")} == set(ALLOWED)
    TopologicalSorter(ALLOWED).prepare()  # raises at a ring


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_habits(path):
    notebook = nbformat.read(path, as_version=4)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert len(code) <= 15
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert all(word in first.source for word in ("Question", "reads", "writes", "takes", "expect"))
    assert [c.metadata.get("tags") for c in code].count(["parameters"]) == 1
    for cell in code:
        # papermill knows only parameters that have a line of their own
        assert len(cell.source.splitlines()) <= 15 or "parameters" in cell.metadata.get("tags", []), cell.source
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.ClassDef)
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 5
        assert cell.execution_count is not None, "committed without having been run"
        assert not [o for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_path_of_a_machine_in_a_notebook(path):
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", path.read_text())


def test_the_parameters_of_the_training_notebook_are_ones_it_takes():
    notebook = nbformat.read(PROJECT / "notebooks" / "02_train.ipynb", as_version=4)
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    names = {target.id for node in ast.parse(cell.source).body for target in node.targets}
    assert {"settings", "root", "results", "name", "dataset", "model", "protocol"} < names < parameters.TRAINING


def project() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def locked() -> dict[str, list[Requirement]]:
    held: dict[str, list[Requirement]] = {}
    for line in (PROJECT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            one = Requirement(line)
            held.setdefault(one.name.lower().replace("_", "-"), []).append(one)
    return held


def test_the_lock_pins_every_requirement_to_a_version_it_allows():
    wanted = [
        *project()["dependencies"],
        *(r for extra in project()["optional-dependencies"].values() for r in extra),
    ]
    held = locked()
    for one in map(Requirement, wanted):
        assert one.name in held, f"{one.name} is not in requirements.lock"
        for pin in held[one.name]:
            (version,) = [s.version for s in pin.specifier if s.operator == "=="]
            assert one.specifier.contains(version), f"{pin} does not meet {one}"


def test_conda_installs_the_same_environment():
    import yaml

    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    (python,) = [d for d in environment["dependencies"] if str(d).startswith("python")]
    assert SpecifierSet(python.removeprefix("python").strip()) == SpecifierSet(project()["requires-python"])


def test_the_changelog_and_the_citation_bear_the_version():
    version = project()["version"]
    assert f"## {version}" in (PROJECT / "CHANGELOG.md").read_text()
    assert f"version: {version}" in (PROJECT / "CITATION.cff").read_text()
