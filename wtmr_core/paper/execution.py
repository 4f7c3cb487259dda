"""Running a notebook with papermill: whole or not at all, with its state in a file beside its log."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import Timeout

from wtmr_core import datasets, environment, runs
from wtmr_core.locks import locked

STATES = ("waiting", "running", "done", "failed")


def notebook(source: Path, result: Path, parameters: dict[str, Any], log: Path, gpus: int = 0) -> None:
    """Run a notebook with papermill in this process; `result` appears whole or not at all.

    A notebook that fails stays beside the log, as `.part.ipynb`, run up to the failure. The kernel is this Python,
    whatever kernels, settings and variables the user has.

    Args:
        source: the notebook
        result: file of the executed notebook
        parameters: of the notebook
        log: file for what it prints; a JSON file beside it has its state (running, done, failed, and why)
        gpus: how many free GPUs to take

    Raises:
        RunError: where the notebook fails, and before anything is written where a file that no earlier run wrote would
            be overwritten.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    status, part, began = log.with_suffix(".json"), log.with_name(f"{log.stem}.part.ipynb"), time.time()
    _nothing_of_others(source, result, parameters, log, status, part)
    log.parent.mkdir(parents=True, exist_ok=True)
    result.parent.mkdir(parents=True, exist_ok=True)
    state = {"state": "running", "began": began, "host": os.uname().nodename, "pid": os.getpid()}
    runs.write_json(status, state)
    try:
        with log.open("w", encoding="utf-8") as out, environment.cleaned(), free_gpus(gpus):
            if threads := parameters.get("threads"):
                os.environ["OMP_NUM_THREADS"] = str(threads)
            papermill.execute_notebook(
                _literal(source),
                _literal(part),
                parameters,
                kernel_name="python3",
                kernel_manager_class=this_python(),
                progress_bar=False,
                stdout_file=out,
                stderr_file=out,
                cwd=datasets.home(),
            )
    except Exception as error:
        why = f"{error.ename}: {error.evalue}" if isinstance(error, PapermillExecutionError) else str(error)
        why = why or type(error).__name__
        runs.write_json(status, state | {"state": "failed", "seconds": time.time() - began, "error": why})
        raise runs.RunError(f"{log.stem}: {why} (see {log} and {part})") from error
    tidy(part)
    runs.write(result, lambda p: shutil.copyfile(part, p))
    part.unlink()
    runs.write_json(status, state | {"state": "done", "seconds": time.time() - began})


def announce(log: Path) -> None:
    """Note beside `log` that its notebook is still to be run."""
    runs.write_json(log.with_suffix(".json"), {"state": "waiting"})


def state(log: Path) -> dict[str, Any]:
    """The state noted beside `log`: waiting, running, done or failed, and since when; empty where there is none."""
    try:
        noted = json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and noted.get("state") in STATES else {}


def _nothing_of_others(source: Path, result: Path, parameters: dict, log: Path, status: Path, part: Path) -> None:
    """Raise `RunError` where two of these files are the same, or one exists that no earlier run wrote."""
    if not source.is_file():
        raise runs.RunError(f"there is no notebook {source}")
    files = {"source": source, "result": result, "log": log, "state of the log": status, "log's notebook": part}
    places: dict[Path, str] = {}
    for role, path in files.items():
        other = places.setdefault(path.resolve(), role)
        if other != role:
            raise runs.RunError(f"{path} would be the {other} and the {role}: give --log, or the result, another name")
        if path.is_dir():
            raise runs.RunError(f"{path}, the {role}, is a folder: give a file")
    if not state(log):
        for path in (log, status, part):
            if path.exists():
                raise runs.RunError(f"{path} is there and no run made it: give --log another name, or move it away")
    if result.exists() and not _executed(result, source, parameters):
        raise runs.RunError(f"{result} is there and is no executed {source.name}: name another result, or move it away")


def _executed(executed: Path, source: Path, parameters: dict) -> bool:
    """Whether `executed` is a notebook that was run with parameters, or, without any, has the cells of `source`."""
    import nbformat

    try:
        result, original = (nbformat.read(path, as_version=4).cells for path in (executed, source))
    except Exception:  # whatever it is, it is no notebook
        return False
    if parameters and any("injected-parameters" in cell.metadata.get("tags", []) for cell in result):
        return True
    return [cell.source for cell in result] == [cell.source for cell in original]


def _literal(path: Path) -> str:
    """`path` as papermill needs it, which substitutes what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def this_python() -> type:
    """A manager of kernels that are this Python, whatever is called `python3` where Jupyter looks for kernels."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class ThisPython(AsyncKernelManager):
        kernel_spec = KernelSpec(argv=command, display_name="Python 3", language="python")

    return ThisPython


def tidy(path: Path) -> None:
    """Remove from an executed notebook what differs each time: times, progress bars, random ids, breaks in a stream."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = f"given-{number}"
        if cell.cell_type == "code":
            kept: list[Any] = []
            for output in cell.outputs:
                if output.get("name") == "stderr":
                    continue
                if kept and output.output_type == kept[-1].output_type == "stream":
                    kept[-1].text += output.text  # where a stream is cut is chance
                else:
                    kept.append(output)
            cell.outputs = kept
    nbformat.write(notebook, path)


@contextlib.contextmanager
def free_gpus(count: int) -> Iterator[None]:
    """Show CUDA `count` GPUs that no other notebook of this user has; waits until so many are free.

    Raises `RunError` where there are not so many at all.
    """
    if not count:
        yield
        return
    import torch

    shown = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    if len(shown.split(",")) < count or not shown:
        raise runs.RunError(f"{count} GPUs are asked for, but torch sees {shown or 'none'}: lower processes")
    with contextlib.ExitStack() as taken:
        chosen: list[str] = []
        while len(chosen) < count:
            for gpu in shown.split(","):
                if len(chosen) < count and gpu not in chosen:
                    with contextlib.suppress(Timeout):
                        lock = environment.private() / f"gpu-{gpu}.lock"
                        taken.enter_context(locked(lock, f"has GPU {gpu}", timeout=0))
                        chosen.append(gpu)
            time.sleep(0.0 if len(chosen) == count else 1.0)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
        try:
            yield
        finally:
            os.environ["CUDA_VISIBLE_DEVICES"] = shown
