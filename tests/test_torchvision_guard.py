"""The torchvision guard of `wtmr_core/torchvision_guard.py`, each case in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wtmr_core

SOURCES = Path(wtmr_core.__file__).parent.parent

# fails as the CUDA build does beside a CPU-only torch: half of it is imported by then
INCOMPATIBLE = """
import torchvision.half
import torch
try:
    torch.ops.torchvision.nms.default, torch.ops.torchvision.qnms.default
except AttributeError:
    raise RuntimeError("operator torchvision::nms does not exist") from None
"""


def python(code: str, path: Path | None = None) -> subprocess.CompletedProcess:
    """Run `code` in another interpreter, with modules from `path` before all installed ones."""
    paths = [str(p) for p in (path, SOURCES) if p]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def fake(tmp_path):
    """Write a package `torchvision` with this text in `__init__.py`; returns the folder that it is in."""

    def write(text: str) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text(text)
        (package / "half.py").write_text("print('half')")
        return tmp_path

    return write


def test_torchvision_and_timm_can_be_imported():
    done = python(
        "import wtmr_core.torchvision_guard, torchvision.transforms.v2\n"
        "from timm.models.vision_transformer import Block"
    )
    assert done.returncode == 0, done.stderr


def test_the_missing_operator_is_declared_and_the_import_done_again(fake):
    path = fake(INCOMPATIBLE)
    done = python(
        "import wtmr_core.torchvision_guard, torchvision, torch\n"
        "assert wtmr_core.torchvision_guard.declared is not None\n"
        "print(torch.ops.torchvision.nms.default._schema)",
        path,
    )
    assert done.returncode == 0, done.stderr
    *halves, schema = done.stdout.splitlines()
    assert halves == ["half", "half"]  # what had been imported by half was imported afresh
    assert schema == "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@pytest.mark.parametrize(
    "statement",
    [
        "raise ImportError('libjpeg.so.8: cannot open shared object file')",
        "raise RuntimeError('torch and torchvision were compiled with different CUDA versions')",
        "raise OSError('libcudart.so.13: cannot open shared object file')",
    ],
)
def test_another_error_is_left_to_where_torchvision_is_used(fake, statement):
    path = fake(statement)
    done = python("import wtmr_core.torchvision_guard; assert wtmr_core.torchvision_guard.declared is None", path)
    assert done.returncode == 0, done.stderr
    done = python("import wtmr_core.torchvision_guard, torchvision", path)
    assert done.returncode != 0
    assert statement.split("'")[1] in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("case", ["works", "absent"])
def test_nothing_is_done_where_there_is_nothing_to_do(fake, case):
    path = fake("" if case == "works" else "raise ModuleNotFoundError(name='torchvision')")
    done = python(
        "import sys, wtmr_core.torchvision_guard as guard\n"
        "assert guard.declared is None\n"
        "print('torch' in sys.modules)",
        path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False"]  # it costs no more than torchvision does


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    assert wtmr_core.__version__ == version("wtmr-core")
