"""Nothing that a user has in the environment, or in files of settings, changes a number or stops a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.conftest import PROJECT, write_ntu60, write_svideoqa
from wtmr_core import distributed, environment
from wtmr_core.__main__ import main
from wtmr_core.settings import Settings

TINY = ["dataset=ntu60", "scale=mini", "width=16", "depth=1", "heads=2", "conv_channels=[4, 8]", "epochs=2",
        "device=cpu", "max_grad_norm=1.0", "threads=1", "workers=1"]  # fmt: skip
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}  # fmt: skip


def wtmr(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "wtmr_core", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, env=os.environ | variables, capture_output=True, encoding="utf-8",
                          errors="replace", timeout=120, check=False)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("PATH", True), ("PYTHONPATH", True), ("LD_LIBRARY_PATH", True), ("OMP_NUM_THREADS", True),
        ("CUDA_VISIBLE_DEVICES", True), ("SLURM_JOB_ID", True), ("WTMR_CACHE", True), ("ATEN_CPU_CAPABILITY", True),
        ("ACCELERATE_MIXED_PRECISION", False), ("PMI_SIZE", False), ("OMPI_COMM_WORLD_SIZE", False), ("RANK", False),
        ("NVIDIA_TF32_OVERRIDE", False), ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", False), ("MPLBACKEND", False),
        ("ONEDNN_DEFAULT_FPMATH_MODE", False), ("CUBLAS_WORKSPACE_CONFIG", False), ("SNAKEMAKE_PROFILE", False),
        ("JUPYTER_PATH", False), ("PYTHONWARNINGS", False), ("PYTHONSTARTUP", False), ("LC_ALL", False),
    ],
)  # fmt: skip
def test_what_is_kept(name, kept):
    assert (environment.variables({"PATH": "/bin", name: "x"}).get(name) == "x") == kept


def test_what_torchrun_gives_is_kept_only_whole():
    assert environment.variables(TORCHRUN).items() >= TORCHRUN.items()
    for name in TORCHRUN:
        stale = {k: v for k, v in TORCHRUN.items() if k != name}
        assert not environment.variables(stale).keys() & TORCHRUN.keys()
        assert not environment.started_by_torchrun(stale)


def test_the_environment_comes_back(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    before = dict(os.environ)
    with environment.cleaned():
        assert "MPLBACKEND" not in os.environ
        assert os.environ["PYTHONUTF8"] == "1"
        os.environ["CUDA_VISIBLE_DEVICES"] = "7"
        once = dict(os.environ)
        with environment.cleaned():  # what was set within is kept further in
            assert dict(os.environ) == once
    with pytest.raises(ZeroDivisionError), environment.cleaned():
        raise ZeroDivisionError
    assert dict(os.environ) == before


@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_without_a_home_there_is_one(home):
    found = environment.variables({} if home is None else {"HOME": home})
    assert Path(found["HOME"]).is_dir()


def test_the_private_folder_is_ones_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = environment.private()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert environment.private().stat().st_mode & 0o777 == 0o700
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="no folder of this user's own: remove it, or name another place with TMPDIR"):
        environment.private()


def test_a_run_reads_nothing_of_mpi_or_accelerate(tmp_path):
    """In an interactive srun, under mpirun, in a Kubernetes job, with Accelerate's variables: the same numbers."""
    root = write_ntu60(tmp_path / "set")
    hostile = {"PMI_SIZE": "2", "PMI_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "ACCELERATE_MIXED_PRECISION": "bf16",
               "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "8", "ACCELERATE_USE_FSDP": "true", "PYTHONWARNINGS": "error",
               "NVIDIA_TF32_OVERRIDE": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # fmt: skip
    hostile |= {k: v for k, v in TORCHRUN.items() if k != "MASTER_PORT"}
    assert main(["train", *TINY, "--root", str(root), "--results", str(tmp_path / "plain")]) == 0
    end = wtmr("train", *TINY, "--root", root, "--results", tmp_path / "hostile", **hostile)
    assert end.returncode == 0, end.stderr
    plain, found = ([*(tmp_path / name).glob("runs/*/history.csv")] for name in ("plain", "hostile"))
    assert found[0].read_bytes() == plain[0].read_bytes()


SEES = """
import os, sys, matplotlib
print(sys.executable, sys.flags.utf8_mode, matplotlib.get_backend(), matplotlib.rcParams["lines.linewidth"])
print(sorted(k for k in os.environ if k.startswith(("HOSTILE", "SNAKEMAKE", "JUPYTER_PATH", "ACCELERATE"))))
print("█ · é")
"""


@pytest.fixture
def sees(tmp_path) -> Path:
    """A notebook that prints what its kernel sees."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell(SEES.strip())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "sees.ipynb")
    return tmp_path / "sees.ipynb"


def hostile_home(folder: Path) -> dict[str, str]:
    """The home of a user whose kernel is broken, whose start-up file fails and whose matplotlib draws otherwise."""
    files = {
        ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/nonexistent/python", "-f", "{connection_file}"], "display_name": "x", "language": "python"}
        ),
        ".ipython/profile_default/startup/00.py": "import os; os._exit(1)",
        ".ipython/profile_default/ipython_config.py": "1 / 0",
        ".config/matplotlib/matplotlibrc": "backend: nonsense\nlines.linewidth: 77\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return {"HOME": str(folder), "JUPYTER_PATH": str(folder / ".local/share/jupyter"), "JUPYTER_PREFER_ENV_PATH": "0",
            "IPYTHONDIR": str(folder / ".ipython"), "MPLBACKEND": "nonsense", "HOSTILE": "1"}  # fmt: skip


@pytest.mark.parametrize("user", ["settings", "nothing"])
def test_a_notebook_runs_alike_for_every_user(tmp_path, sees, user):
    """One with a hostile home, and one without any, in an ASCII locale, for whom each warning is an error."""
    if user == "settings":
        variables = hostile_home(tmp_path / "home")
    else:
        variables = {"HOME": "/nonexistent", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
                     "PYTHONWARNINGS": "error", "PYTHONHASHSEED": "random", "SNAKEMAKE_PROFILE": "x",
                     "ACCELERATE_USE_FSDP": "true"}  # fmt: skip
    end = wtmr("notebook", sees, tmp_path / "made.ipynb", "--log", tmp_path / "made.log", **variables)
    assert end.returncode == 0, end.stderr
    (cell,) = nbformat.read(tmp_path / "made.ipynb", as_version=4).cells
    first, second, third = cell.outputs[0].text.splitlines()
    backend = first.split()[-2]  # before it is a path, which may hold blanks
    assert first == f"{sys.executable} 1 {backend} 1.5"
    assert "inline" in backend
    assert (second, third) == ("[]", "█ · é")
    assert "█ · é" in (tmp_path / "made.log").read_text(encoding="utf-8")


def test_several_processes_start_from_a_clean_environment(monkeypatch, tmp_path):
    """What torchrun is started with: nothing of Accelerate, MPI or an earlier torchrun."""
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PET_NNODES", "4")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "stale")
    started = {}

    def popen(command, **how):
        started.update(how["env"])
        raise KeyboardInterrupt

    monkeypatch.setattr(distributed.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        distributed.launch(Settings.of({"dataset": "ntu60", "processes": 2, "device": "cpu"}), tmp_path)
    assert not started.keys() & {"PMI_SIZE", "PET_NNODES", "TORCHELASTIC_RUN_ID"}
    assert started["OMP_NUM_THREADS"]


def test_opencvs_variables_refuse_no_picture(tmp_path):
    """It reads them when it is imported, which is before a command cleans its environment."""
    root = write_svideoqa(tmp_path / "set")
    command = [sys.executable, "-m", "wtmr_core", "data", "check", "svideoqa", "--root", root, "--json"]
    shown = [
        json.loads(subprocess.run([*command, "--workers", "1"], cwd=PROJECT, env=os.environ | extra, check=True,
                                  capture_output=True, text=True).stdout)["kept"]
        for extra in ({}, {"OPENCV_IO_MAX_IMAGE_PIXELS": "100"})
    ]  # fmt: skip
    assert shown == [12, 12]
