"""One run over several processes, each with its own GPU where there are GPUs, on one or several machines.

The processes are started by `torchrun` on the `wtmr train` command, never forked from a kernel. Each works on its share
of every batch and the gradients are averaged (DDP), so that together they do what one process does with the same batch
size. A run's name and numbers therefore do not depend on the number of processes, except for the order of sums, and for
dropout, which each process samples by itself.
"""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
from pathlib import Path

from wtmr_core import environment
from wtmr_core.parameters import to_pairs
from wtmr_core.processes import cores, with_me
from wtmr_core.runs import RunError
from wtmr_core.settings import Settings


def check(settings: Settings, gpus: int) -> None:
    """Raise `RunError` where a run asks for more processes than there are GPUs, or than there are clips in a batch."""
    if settings.device.startswith("cuda:") and settings.processes > 1:
        raise RunError(f"device is {settings.device}, one GPU, and processes is {settings.processes}: use device=cuda")
    if settings.device != "cpu" and gpus and settings.processes > gpus:
        raise RunError(f"processes is {settings.processes}, but there are {gpus} GPUs: lower it, or use device=cpu")
    together = settings.processes * settings.nodes
    if settings.batch_size < together:
        raise RunError(f"batch_size is {settings.batch_size}, less than the {together} processes that share a batch")


def command(settings: Settings, results: Path, root: str | Path | None) -> list[str]:
    """The command that trains `settings` in several processes; on several machines through SLURM's `srun`.

    Raises `RunError` for several machines outside a SLURM job.
    """
    train = ["-m", "wtmr_core", "train", *to_pairs(settings), "--results", str(results)]
    train += ["--root", str(root)] if root else []
    torchrun = [sys.executable, "-m", "wtmr_core.agent", f"--nproc-per-node={settings.processes}"]
    if settings.nodes == 1:
        return [*torchrun, "--standalone", *train]
    if not (job := os.environ.get("SLURM_JOB_ID")):
        raise RunError(
            f"nodes is {settings.nodes}, which needs a SLURM job; elsewhere start torchrun on each machine "
            "(see docs/machines.md)"
        )
    # SLURM runs the batch script, and so this process, on the first machine; Snakemake keeps the list of them from us
    meeting = f"{os.uname().nodename}:{20000 + int(job) % 20000}"  # two jobs on one machine must not meet
    return [
        "srun",
        f"--nodes={settings.nodes}",
        f"--ntasks={settings.nodes}",
        "--ntasks-per-node=1",
        "--overlap",
        "--cpu-bind=none",
        "--kill-on-bad-exit=1",
        *torchrun,
        f"--nnodes={settings.nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={job}",
        f"--rdzv-endpoint={meeting}",
        *train,
    ]


def launch(settings: Settings, results: Path, root: str | Path | None = None) -> None:
    """Start the processes of a run and wait for them to end, passing on what they print.

    Raises `RunError`, with the last error that the processes printed, where they fail.
    """
    import torch

    check(settings, torch.cuda.device_count())
    threads = settings.threads or max(1, cores() // settings.processes)
    variables = environment.variables() | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command(settings, results.resolve(), root), stderr=subprocess.PIPE, env=variables, preexec_fn=with_me()
    )
    output, decoder = "", codecs.getincrementaldecoder("utf-8")(errors="replace")
    with process:
        try:
            # by hand, since a progress bar ends its lines with \r
            while raw := process.stderr.read1():
                chunk = decoder.decode(raw)
                sys.stderr.write(chunk)
                output = (output + chunk)[-20000:]
        except BaseException:  # an interrupt too: nothing is left at work
            process.terminate()
            raise
    if process.returncode:
        messages = [line for line in output.replace("\r", "\n").splitlines() if line.startswith("wtmr: ")]
        unknown = f"exit status {process.returncode}; see the lines above"
        why = messages[0].removeprefix("wtmr: ") if messages else unknown
        raise RunError(f"the run over {settings.processes * settings.nodes} processes failed: {why}")
