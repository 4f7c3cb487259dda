"""A suite through Snakemake and papermill, as `make reproduce` runs it, in a project folder of its own."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from filelock import FileLock
from safetensors.torch import load_file

from benchmarks.batch import MAKES, stand_in
from tests.conftest import PROJECT, write_ntu60
from wtmr_core.datasets import DataError
from wtmr_core.paper import execution, planning, workflow
from wtmr_core.runs import RunError
from wtmr_core.settings import SettingsError

TINY = {"scale": "mini", "width": 16, "depth": 1, "heads": 2, "conv_channels": [4, 8], "epochs": 8, "batch_size": 8,
        "threads": 1, "workers": 1, "device": "cpu", "dataset": "ntu60"}  # fmt: skip
MODELS = {"a-wtmr": {"model": "released-wtmr"}, "b-wmrc": {"model": "released-wmrc"}}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return write_ntu60(tmp_path_factory.mktemp("ntu60") / "set")


@pytest.fixture
def project(tmp_path, recorded):
    """A checkout with the suite `tiny`: two small networks on a few skeletons."""
    home = tmp_path / "project"
    home.mkdir()
    for name in ("Snakefile", "notebooks", "experiments", "profiles"):
        source = PROJECT / name
        shutil.copytree(source, home / name) if source.is_dir() else shutil.copy(source, home)
    (home / "wtmr_core").symlink_to(PROJECT / "wtmr_core")
    write_suite(home, MODELS, root=str(recorded))
    return home


def write_suite(home: Path, entries: dict, **shared) -> None:
    (home / "experiments" / "tiny.yaml").write_text(yaml.safe_dump({"all": TINY | shared, "runs": entries}))


#: of a short notebook in the place of any but 02_train: it reads the runs and writes what the Snakefile expects
SHORT = """
import hashlib, pathlib
held = sorted(pathlib.Path(results).glob("runs/*/predictions.npz")) if name or suite else []
said = "".join(hashlib.sha256(file.read_bytes()).hexdigest()[:8] for file in held if not name or name[2:] in str(file))
for path in (pathlib.Path(results, file.format(name=name)) for file in FILES):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name("." + path.name)
    part.write_text(f"dataset,model,x\\nntu60,{said},1\\n")
    part.replace(path)
"""


def shorten(home: Path) -> None:
    for name, files in MAKES.items():
        if name == "02_train":
            continue
        held = stand_in(SHORT.replace("FILES", repr(files)).strip())
        nbformat.write(held, home / "notebooks" / f"{name}.ipynb")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "wtmr_core", "reproduce", "tiny", *arguments]


def reproduce(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), cwd=home, capture_output=True, text=True, timeout=400, check=False)


def made(home: Path) -> dict[str, float]:
    """When each notebook of the suite was last made."""
    return {f.stem: f.stat().st_mtime_ns for f in (home / "results/tiny/notebooks").glob("*.ipynb")}


def outcome(results: Path) -> dict[str, bytes]:
    """All that a suite leaves but what a clock or the machine wrote."""
    timed = {"timing.csv", "environment.json", "metrics.json", "05_times.csv", "times.csv", "report.html"}
    found = {}
    for file in sorted(f for f in results.rglob("*") if f.is_file()):
        path = file.relative_to(results)
        if not ({"logs", ".done", ".snakemake"} & set(path.parts) or file.name in timed or file.name.startswith(".")):
            found[str(path)] = file.read_bytes()
    for sums in results.glob("runs/*/SHA256SUMS"):
        lines = sums.read_text().splitlines()
        found[str(sums.relative_to(results))] = [line for line in lines if line.split()[1] not in timed]
    for metrics in results.glob("runs/*/metrics.json"):
        held = json.loads(metrics.read_text())
        found[metrics.parent.name] = {k: v for k, v in held.items() if k not in ("seconds", "clips_per_second")}
    for path in [p for p in found if Path(p).name.startswith("05") and p.endswith(".ipynb")]:
        del found[path]  # it shows times
    return found


def read_all(results: Path) -> int:
    """Read every file of a results folder to its end; how many there were."""
    readers = {
        ".json": lambda f: json.loads(f.read_text()),
        ".csv": pd.read_csv,
        ".ipynb": lambda f: nbformat.validate(nbformat.read(f, as_version=4)),
        ".png": lambda f: f.read_bytes().startswith(b"dataset") or cv2.imread(str(f)).shape,
        ".npz": lambda f: dict(np.load(f)),
        ".safetensors": load_file,
    }
    files = [f for f in results.rglob("*") if f.suffix in readers and not f.name.startswith(".")]
    files = [f for f in files if f.parent.name != "logs"]
    for file in files:
        readers[file.suffix](file)
    return len(files)


def test_a_suite_is_made_once_and_again_only_where_it_changed(project):
    first = reproduce(project)
    assert first.returncode == 0, first.stdout + first.stderr
    results = project / "results/tiny"
    table = pd.read_csv(results / "performance_table.csv")
    assert list(table.model) == ["released-wtmr", "released-wmrc"]
    assert "released-wtmr" in first.stdout.partition("Performance table")[2]
    assert read_all(results) > 20
    assert (results / "report.html").is_file()
    before, kept = made(project), outcome(results)
    assert len(before) == 7

    again = reproduce(project)
    assert (again.returncode, made(project)) == (0, before)
    assert "everything is made already" in again.stdout

    write_suite(project, MODELS | {"b-wmrc": {"model": "released-wmrc", "seed": 1}}, **root_of(project))
    dry = reproduce(project, "--dry")
    assert "02_train-b-wmrc: released-wmrc on ntu60, corrected, split auto, 8 epochs" in dry.stdout
    redone = {"02_train-b-wmrc", "03_confusion_matrix-b-wmrc", "04_ablation", "05_performance_table"}
    assert set(re.findall(r"^  ([\w-]+)", dry.stdout, re.M)) == redone
    assert made(project) == before
    assert reproduce(project).returncode == 0
    assert {name for name, when in made(project).items() if when != before[name]} == redone

    write_suite(project, MODELS, **root_of(project))
    assert reproduce(project).returncode == 0
    kept_now = outcome(results)
    assert {k: v for k, v in kept_now.items() if k in kept} == kept  # the same seed, the same bytes


def root_of(home: Path) -> dict:
    return {"root": yaml.safe_load((home / "experiments/tiny.yaml").read_text())["all"]["root"]}


def test_killed_at_twenty_moments_a_suite_ends_as_if_undisturbed(project, tmp_path):
    """SIGKILL for the command alone, or for it and Snakemake at once, while there is work to do.

    The suite is short: one real training, notebooks that only pass on what was trained."""
    shorten(project)
    write_suite(project, {"a-wtmr": MODELS["a-wtmr"]}, **root_of(project))
    whole = tmp_path / "whole"
    began = time.monotonic()
    assert reproduce(project, "--results", str(whole)).returncode == 0
    took = time.monotonic() - began
    rng, results, kills = random.Random(0), project / "results/tiny", 0
    while kills < 20:
        if (results / ".done/05_performance_table").is_file():  # nothing left to disturb
            shutil.rmtree(results)
        process = subprocess.Popen(command(), cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
        time.sleep(rng.uniform(0, 0.5 * took))
        if process.poll() is None:
            kills += 1
            (os.kill if kills % 2 else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
        read_all(results)
    end = reproduce(project)
    assert end.returncode == 0, end.stdout + end.stderr
    undisturbed, found = outcome(whole), outcome(results)
    for name in [n for n in undisturbed if n.endswith(".ipynb")]:  # they name their results folder
        undisturbed[name] = undisturbed[name].replace(str(whole).encode(), b"results/tiny")
    assert found == undisturbed


def test_what_fails_does_not_stop_the_others_and_is_named(project):
    """A run with sizes that do not fit, and a matrix that cannot be drawn: all else is made, and table, report and
    exit status say what is missing."""
    write_suite(project, MODELS | {"c-bad": {"model": "released-timesformer", "heads": 3}}, **root_of(project))
    file = project / "notebooks/03_confusion_matrix.ipynb"
    held = nbformat.read(file, as_version=4)
    held.cells[-1].source = "if name == 'b-wmrc':\n    1 / 0\n" + held.cells[-1].source
    nbformat.write(held, file)
    end, results = reproduce(project), project / "results/tiny"
    assert end.returncode == 1
    assert re.search(r"FAILED: 02_train-c-bad: SettingsError: .*heads", end.stdout), end.stdout
    assert "FAILED: 03_confusion_matrix-b-wmrc: ZeroDivisionError: division by zero" in end.stdout
    assert len(pd.read_csv(results / "performance_table.csv")) == 2
    assert "c-bad" in (results / "notebooks/05_performance_table.ipynb").read_text()
    report = (results / "report.html").read_text()
    assert "c-bad" in report
    assert "03_confusion_matrix-b-wmrc" in report
    # nothing is taken for done: it is tried again
    again = reproduce(project, "--dry").stdout
    assert "02_train-c-bad" in again
    assert "03_confusion_matrix-b-wmrc" in again


def test_a_data_set_that_is_absent_is_left_out(project, monkeypatch):
    films = {"dataset": "hmdb51", "root": None, "scale": "full", "frames": 4}
    write_suite(project, MODELS | {"c-films": films}, **root_of(project))
    monkeypatch.chdir(project)
    plan = planning.plan("tiny", gpus=0)
    assert list(plan.left_out) == ["c-films"]
    assert "hmdb51 was not found in" in plan.left_out["c-films"]
    assert "c-films" not in " ".join(workflow.pending(plan))


def test_no_data_at_all_is_an_error(project, monkeypatch):
    write_suite(project, {"a": {"dataset": "hmdb51", "scale": "full"}, "b": {"dataset": "hmdb51", "seed": 1}},
                scale="full", frames=4)  # fmt: skip
    monkeypatch.chdir(project)
    plan = planning.plan("tiny", gpus=0)
    with pytest.raises(DataError, match="no run of tiny has its recordings here: hmdb51 was not found"):
        workflow.reproduce(plan)
    # a dry run says the same, a line for each reason
    assert re.fullmatch(
        r"tiny: no notebooks to make in .*\nleft out: a, b: hmdb51 was not found in .*", workflow.listing(plan)
    )
    with pytest.raises(DataError, match="there is no folder nowhere"):
        planning.plan("tiny", data=Path("nowhere"), gpus=0)


def test_recordings_named_by_a_suite_may_lie_in_the_folder_of_sets(project, tmp_path, monkeypatch):
    """`root: some-clips`, and DATA says where that is."""
    sets = tmp_path / "sets"
    write_ntu60(sets / "some-clips")
    monkeypatch.chdir(project)
    write_suite(project, {"a-wtmr": {}}, root="some-clips")
    monkeypatch.delenv("WTMR_DATA", raising=False)
    assert "there is no folder some-clips" in planning.plan("tiny", gpus=0).left_out["a-wtmr"]
    monkeypatch.setenv("WTMR_DATA", "")  # put back after the test, since plan sets it
    assert planning.plan("tiny", data=sets, gpus=0).roots == {"a-wtmr": str((sets / "some-clips").resolve())}


def test_more_processes_than_gpus_is_said_before_anything_runs(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setattr(planning, "_gpus", lambda: 2)
    for changes, said in (
        ({"processes": 3, "device": "cuda"}, "run a-wtmr: processes is 3, but there are 2 GPUs"),
        ({"device": "cuda:1"}, "run a-wtmr: device is cuda:1; a suite gives out the GPUs itself"),
    ):
        write_suite(project, {"a-wtmr": changes}, **root_of(project))
        with pytest.raises(RunError, match=said):
            planning.plan("tiny")
    with pytest.raises(RunError, match="3 GPUs are asked for, but there are 2"):
        planning.plan("tiny", gpus=3)
    with pytest.raises(SettingsError, match="there is no profile slurmm"):
        planning.plan("tiny", profile="slurmm")
    with pytest.raises(DataError, match="mini has its own recordings"):
        planning.plan("mini", data=project)


def test_any_folder_serves_and_no_profile_of_the_user(project, tmp_path, monkeypatch):
    """Snakemake takes braces for wildcards, and SNAKEMAKE_PROFILE for a wish to run elsewhere."""
    shorten(project)
    file, results = project / "experiments/tiny.yaml", tmp_path / "a{b} c%s'd" / "r{name}"
    (results.parent).mkdir()
    shutil.copy(file, results.parent / "ti{n}y.yaml")
    nbformat.write(stand_in(""), project / "notebooks/02_train.ipynb")
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/config.yaml").write_text("executor: nowhere\njobs: 100\n", encoding="utf-8")
    monkeypatch.setenv("SNAKEMAKE_PROFILE", str(tmp_path / "cluster"))
    monkeypatch.chdir(project)
    plan = planning.plan(str(results.parent / "ti{n}y.yaml"), results=results, gpus=0)
    assert len(workflow.pending(plan)) == 7
    assert not results.exists()
    command = [sys.executable, "-m", "wtmr_core", "reproduce", plan.file, "--results", results]
    end = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert "7 notebooks to make" in end.stdout, end.stdout + end.stderr
    assert len(list((results / "notebooks").glob("*.ipynb"))) == 7, end.stdout + end.stderr
    assert workflow.pending(plan) == []


def test_a_folder_with_files_of_the_user_is_no_folder_of_results(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/report.html").write_text("mine", encoding="utf-8")
    plan = planning.plan("tiny", results=tmp_path / "thesis", gpus=0)
    with pytest.raises(RunError, match=r"thesis holds report.html, which no suite made: name another folder"):
        workflow.reproduce(plan)
    assert [f.name for f in (tmp_path / "thesis").iterdir()] == ["report.html"]


def test_two_batches_in_one_folder(project, monkeypatch):
    monkeypatch.chdir(project)
    plan = planning.plan("tiny", gpus=0)
    plan.results.mkdir(parents=True)
    with FileLock(plan.results / ".lock"):
        second = reproduce(project)
    assert second.returncode == 2
    assert "another batch works in" in second.stderr


def test_a_failing_notebook_leaves_its_reason_and_no_result(tmp_path):
    cell = nbformat.v4.new_code_cell("1 / 0")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "in.ipynb")
    with pytest.raises(RunError, match=r"job: ZeroDivisionError: division by zero \(see"):
        execution.notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, tmp_path / "logs/job.log")
    assert not (tmp_path / "out.ipynb").exists()
    assert json.loads((tmp_path / "logs/job.json").read_text())["state"] == "failed"
    assert "ZeroDivisionError" in (tmp_path / "logs/job.part.ipynb").read_text()


def test_notebooks_take_gpus_that_no_other_has(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    with execution.free_gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")  # another notebook sees all of them
        with execution.free_gpus(2):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,6"
    with execution.free_gpus(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
    with pytest.raises(RunError, match="4 GPUs are asked for, but torch sees 4,5,6"), execution.free_gpus(4):
        pass
