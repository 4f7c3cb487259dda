"""The processes that decode and draw clips beside the one that asks for them."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2

from wtmr_core.processes import cores, die_with_parent

CLIPS_EACH = 16  # a process takes a second to start: for fewer clips none does


def number(asked: int | None, clips: int) -> int:
    """How many processes work on `clips`: as many as `asked` for or, by default, as there are cores that this process
    may use, but one for each `CLIPS_EACH` clips at most. With 1 the calling process does it itself."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script and not Path(script).exists():  # a script read from stdin cannot be spawned
        return 1
    return max(1, min(asked or cores(), clips // CLIPS_EACH))


def pool(processes: int) -> ProcessPoolExecutor:
    """So many processes, each with one thread, which die with this one.

    They are spawned, not forked: a forked process inherits OpenCV's and torch's threads half dead.
    """
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    die_with_parent(parent)
    cv2.setNumThreads(1)  # the processes are the parallelism
