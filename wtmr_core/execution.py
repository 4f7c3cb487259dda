"""One notebook through papermill: whole or not at all, with its state beside its log."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wtmr_core import datasets, runs


def notebook(source: Path, made: Path, parameters: dict[str, Any], log: Path, gpus: int = 0) -> None:
    """Run a notebook through papermill in this process; `made` appears whole or not at all.

    What it prints goes to `log`, its state (running, done, failed, and why) to a JSON file beside that. A
    notebook that fails stays beside the log, run up to the failure. `gpus`: so many free ones are taken.
    Raises `RunError` where it fails.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    status, began = log.with_suffix(".json"), time.time()
    part = log.with_suffix(".ipynb")
    log.parent.mkdir(parents=True, exist_ok=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    state = {"state": "running", "began": began, "host": os.uname().nodename, "pid": os.getpid()}
    runs.write_json(status, state)
    if threads := parameters.get("threads"):
        os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        with log.open("w") as out, free_gpus(gpus):
            papermill.execute_notebook(source, part, parameters, kernel_name="python3", progress_bar=False,
                                       stdout_file=out, stderr_file=out, cwd=datasets.home())  # fmt: skip
    except Exception as error:
        why = f"{error.ename}: {error.evalue}" if isinstance(error, PapermillExecutionError) else str(error)
        runs.write_json(status, state | {"state": "failed", "seconds": time.time() - began, "error": why})
        raise runs.RunError(f"{part.stem}: {why} (see {log} and {part})") from error
    tidy(part)
    runs.write(made, lambda p: shutil.copyfile(part, p))
    part.unlink()
    runs.write_json(status, state | {"state": "done", "seconds": time.time() - began})


def tidy(path: Path) -> None:
    """Drop from an executed notebook what differs each time: times, progress bars, random ids, cuts in a stream."""
    import nbformat

    held = nbformat.read(path, as_version=4)
    held.metadata.pop("papermill", None)
    for number, cell in enumerate(held.cells):
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
    nbformat.write(held, path)


@contextlib.contextmanager
def free_gpus(count: int) -> Iterator[None]:
    """Within it CUDA shows `count` GPUs that no other notebook of this user has. Waits until so many are free.

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
        mine: list[str] = []
        while len(mine) < count:
            for gpu in shown.split(","):
                if len(mine) < count and gpu not in mine:
                    with contextlib.suppress(Timeout):
                        lock = FileLock(Path(tempfile.gettempdir(), f"wtmr-{os.getuid()}-gpu-{gpu}.lock"))
                        taken.enter_context(lock.acquire(timeout=0))
                        mine.append(gpu)
            time.sleep(0.0 if len(mine) == count else 1.0)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        try:
            yield
        finally:
            os.environ["CUDA_VISIBLE_DEVICES"] = shown
