"""The environment variables that a command and the processes it starts depend on: those named here, and no others.

Torch, Accelerate, Snakemake, Jupyter, IPython, matplotlib and Python itself each read dozens of variables and files of
the user. None of them is a setting of this project, so none may change a number, a notebook, or whether it runs.
"""

from __future__ import annotations

import os
import re
import site
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

KEPT = re.compile(
    "|".join(
        (
            "PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TEMP|TMP|TERM|COLUMNS|LINES|TZ|KRB5CCNAME",
            # where Python, packages and libraries lie
            "PYTHONPATH|PYTHONHOME|PYTHONDONTWRITEBYTECODE|PYTHONPYCACHEPREFIX|PYTHONUNBUFFERED",
            "VIRTUAL_ENV|CONDA_PREFIX|(LD|DYLD)_.*|COVERAGE_PROCESS_START",
            # what hardware there is, and how its parts reach each other
            "CUDA_.*|NVIDIA_VISIBLE_DEVICES|NVIDIA_DRIVER_CAPABILITIES|ROCR_VISIBLE_DEVICES|HIP_VISIBLE_DEVICES",
            "NCCL_.*|GLOO_SOCKET_IFNAME|TP_SOCKET_IFNAME|PYTORCH(_CUDA)?_ALLOC_CONF",
            "(OMP|MKL|OPENBLAS)_NUM_THREADS",
            # a processor with fewer instructions
            "ATEN_CPU_CAPABILITY|(ONEDNN|DNNL)_(MAX_CPU_ISA|CPU_ISA_HINTS)|MKL_ENABLE_INSTRUCTIONS|MKL_CBWR",
            "OPENBLAS_CORETYPE|NPY_DISABLE_CPU_FEATURES",
            "(SLURM|SBATCH)_.*",
            "WTMR_.*|OPENCV_FFMPEG_LOGLEVEL",
        )
    )
)
AGENT = "WTMR_AGENT"  # the name for the number of the torchrun that started a process
#: what torchrun gives each of the processes it starts
TORCHRUN = re.compile(
    "TORCHELASTIC_.*|(LOCAL_|GROUP_|ROLE_)?RANK|(LOCAL_|GROUP_|ROLE_)?WORLD_SIZE|ROLE_NAME|MASTER_(ADDR|PORT)|"
    "TORCH_NCCL_ASYNC_ERROR_HANDLING"
)
TEXT = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:backslashreplace", "LANG": "C.UTF-8"}
#: variable -> folder below `private`
FOLDERS = {
    "MPLCONFIGDIR": "matplotlib", "IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "jupyter/config",
    "JUPYTER_DATA_DIR": "jupyter/data", "JUPYTER_RUNTIME_DIR": "jupyter/runtime", "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data",
}  # fmt: skip


def started_by_torchrun(variables: Mapping[str, str] | None = None) -> bool:
    """Whether torchrun started this process as one of several; a single variable may be left over from another run."""
    needed = {"TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    return needed <= (os.environ if variables is None else variables).keys()


def private() -> Path:
    """The folder below `TMPDIR` that this user's commands share on this machine and that nobody else may enter.

    Raises `OSError` where something of that name belongs to another user or is not a folder.
    """
    folder = Path(tempfile.gettempdir(), f"wtmr-{os.geteuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise OSError(f"{folder} is no folder of this user's own: remove it, or name another place with TMPDIR")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def variables(inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process that this one starts.

    It keeps what `KEPT` names of the `inherited` variables (by default this process's), and adds UTF-8, a fixed hash
    seed and folders in which no user has settings. `HOME` is one of those where its folder does not exist.
    """
    inherited = os.environ if inherited is None else inherited
    worker = started_by_torchrun(inherited)
    kept = {k: v for k, v in inherited.items() if KEPT.fullmatch(k) or (worker and TORCHRUN.fullmatch(k))}
    place = private()
    kept |= TEXT | {"PYTHONHASHSEED": "0"} | {key: str(place / name) for key, name in FOLDERS.items()}
    if not _of_the_user():
        kept["PYTHONNOUSERSITE"] = "1"
    if not os.path.isdir(kept.get("HOME", "")):
        kept["HOME"] = str(place)
    return kept


@contextmanager
def cleaned() -> Iterator[None]:
    """Give this process the environment of `variables` for a while; the original one is restored at the end."""
    original = dict(os.environ)
    _become(variables(original))
    try:
        yield
    finally:
        _become(original)


def _become(wanted: dict[str, str]) -> None:
    for key in os.environ.keys() - wanted.keys():
        del os.environ[key]
    os.environ.update(wanted)


def _of_the_user() -> bool:
    """Whether this project, or its packages, may lie where `pip install --user` puts them."""
    try:
        place = metadata.distribution("wtmr-core").locate_file("")
    except metadata.PackageNotFoundError:
        return True
    return Path(str(place)).is_relative_to(site.getusersitepackages())
