"""The processes of this machine: how many cores we may use, worker pools, and children that die with their parent."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

CLIPS_EACH = 16  # a process takes a second to start: for fewer clips none does


def die_with_parent(parent: int | None = None) -> None:
    """Ask Linux to kill this process when its parent dies, so that a killed run leaves nothing at work.

    Ends at once where `parent`, a process id, is dead already. On other systems nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if parent and os.getppid() != parent:
            os._exit(1)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """What is done within is interrupted by SIGTERM as by Ctrl-C: with `KeyboardInterrupt`."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def with_me() -> Callable[[], None]:
    """The function that a new process calls first, in order to die with this one."""
    return functools.partial(die_with_parent, os.getpid())


def cores() -> int:
    """The number of CPU cores this process may use, at least 1: its affinity, within the quota of its container."""
    whole = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(whole, quota())))


def quota(root: Path = Path("/")) -> float:
    """The CPU time that the control groups of this process grant it, in cores; infinite where there is no limit.

    Reads both versions of Linux's cgroups, for the process's own group and all above it. In a container the groups
    named in `/proc/self/cgroup` may lie outside what is visible, so what is visible at the top counts too. `root` is
    the folder that holds `proc` and `sys`.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max, and
    https://docs.kernel.org/scheduler/sched-bwc.html, cpu.cfs_quota_us.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        group, version = Path(name.lstrip("/")), 1 if controllers else 2
        for top in ("cpu", controllers) if controllers else (".", "unified"):
            limits += [_limit(root / "sys/fs/cgroup" / top / folder, version) for folder in (group, *group.parents)]
    return min(limits)


def _limit(group: Path, version: int) -> float:
    """The cores that one control group grants."""
    names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    try:
        spent, period = " ".join((group / name).read_text(encoding="utf-8") for name in names).split()
        return int(spent) / int(period) if int(spent) > 0 and int(period) > 0 else math.inf
    except (OSError, ValueError):  # no such group, or "max"
        return math.inf


def worker_count(asked: int | None, clips: int) -> int:
    """How many processes to use for `clips`: as many as `asked` for, by default one per core.

    There is at most one process for every `CLIPS_EACH` clips. With 1 the calling process does the work itself.
    """
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script and not Path(script).exists():  # a script read from stdin cannot be spawned
        return 1
    return max(1, min(asked or cores(), clips // CLIPS_EACH))


def worker_pool(processes: int) -> ProcessPoolExecutor:
    """Start a pool of `processes`, each with one thread, that die with this one.

    They are spawned, not forked: a forked process inherits OpenCV's and torch's threads in a broken state.
    """
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    import cv2  # not above: who only asks for cores does without

    die_with_parent(parent)
    cv2.setNumThreads(1)  # the processes are the parallelism
