"""Progress of a batch: what is running, and how much time is left."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core import datasets, runs
from wtmr_core.paper import execution, remaining
from wtmr_core.paper.suite import Suite

SHORT = 30.0  # seconds of a notebook that trains nothing, where no more is known


class View:
    """Shows what is running and how long is left: on a terminal in one line, in a log by a line now and then.

    Args:
        suite: whose notebooks are made
        results: its folder of results
        jobs: the notebooks, by the names of their results
        cores, gpus: that they share; without cores, as on a cluster, no time left is told
    """

    def __init__(self, suite: Suite, results: Path, jobs: list[str], cores: int = 0, gpus: int = 0):
        self.suite, self.results, self.jobs, self.printed = suite, results, jobs, set()
        self.terminal, self.last = sys.stdout.isatty(), 0.0
        self.cores, self.gpus = cores, gpus
        self.kept = remaining.read([results, datasets.home() / "results" / suite.name])
        self.before = {job: done / of if of else 0.0 for job in jobs for done, of, _ in [self._epochs(job)]}
        if jobs:
            print(f"{suite.name}: {len(jobs)} notebooks to make; logs in {results / 'logs'}", flush=True)

    def states(self) -> dict[str, dict[str, Any]]:
        """The state of each job: waiting, running, done or failed, and since when."""
        states = {}
        for job in self.jobs:
            states[job] = execution.state(self.results / "logs" / f"{job}.log") or {"state": "waiting"}
        return states

    def show(self, end: bool = False) -> None:
        states = self.states()
        for job, state in states.items():
            if state["state"] in ("done", "failed") and job not in self.printed:
                self.printed.add(job)
                self._print(f"  {state['state']:6} {job}  {clock(state['seconds'])}")
        if not end and time.monotonic() - self.last > (0.5 if self.terminal else 30):
            self.last = time.monotonic()
            self._print(self.line(states), passing=True)

    def _print(self, line: str, passing: bool = False) -> None:
        if not self.terminal:
            print(line, flush=True)
            return
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:{width}}", end="" if passing else "\n", flush=True)

    def line(self, states: dict[str, dict[str, Any]]) -> str:
        """A line such as `12/25 done · 02_train-ntu60-wtmr 13/20 epochs · about 4 min left`."""
        now = time.time()
        shown = []
        for job, state in states.items():
            if state["state"] == "running":
                done, of, _ = self._epochs(job)
                shown.append(f"{job} {done}/{of} epochs" if done else f"{job} {clock(now - state['began'])}")
        ended = sum(state["state"] in ("done", "failed") for state in states.values())
        left = remaining.seconds(self._job(job, state, now) for job, state in states.items()) if self.cores else None
        rest = "" if left is None else f" · {remaining.roughly(left)} left"
        return f"{ended}/{len(states)} done · {', '.join(shown) or 'starting'}{rest}"

    def times(self) -> dict[str, float]:
        """The seconds of each notebook that this batch made from its beginning."""
        states = self.states()
        whole = [job for job in self.jobs if not self.before[job] and states[job]["state"] == "done"]
        return {job: states[job]["seconds"] for job in whole}

    def _job(self, job: str, state: dict[str, Any], now: float) -> remaining.Job:
        """What is known of a notebook, for an estimate."""
        kept, spent, ahead = self.kept.get(job), 0.0, None
        if state["state"] == "running":
            spent = max(0.0, now - state["began"])
            done, of, pace = self._epochs(job)
            ahead = pace * (of - done) if pace else None
        elif state["state"] in ("done", "failed"):
            spent, ahead = state["seconds"], 0.0
            kept = kept if state["state"] == "done" else None  # a failure tells nothing of how fast it is here
        known = {"before": self.before[job], "kept": kept, "spent": spent, "ahead": ahead}
        name = job.removeprefix("02_train-")
        if name == job or name not in self.suite.runs:
            # 04 and 05 wait for all runs, and 05, which measures times, has the machine for itself
            order = {"03": 2.0, "04": 3.0, "05": 4.0}.get(job[:2], 0.0)
            share = 1.0 if job[:2] == "05" else 1 / self.cores
            return remaining.Job(job[:2], 1.0, SHORT, order, share, **known)
        run = self.suite.runs[name].settings
        on_gpus = self.gpus and run.device != "cpu"
        share = run.processes / self.gpus if on_gpus else (run.threads * run.processes or self.cores) / self.cores
        order = 1 + list(self.suite.runs).index(name) / len(self.suite.runs)
        return remaining.Job(f"{run.dataset} {run.model} {run.scale}", run.epochs, 0.0, order, share, **known)

    def _epochs(self, job: str) -> tuple[int, int, float]:
        """Epochs done, epochs in all and seconds per epoch of a training run; 0 seconds where not known yet."""
        entry = self.suite.runs.get(job.removeprefix("02_train-"))
        if entry is None or not job.startswith("02_train-"):
            return 0, 0, 0.0
        with contextlib.suppress(runs.RunError, OSError, ValueError):
            folders = [f.parent for f in self.results.glob(f"runs/{entry.settings.name('')[:-8]}*/{runs.TIMING}")]
            folders = [f for f in folders if not runs.differences(f, entry.settings)]
            times = pd.read_csv(max(folders, key=lambda f: (f / runs.TIMING).stat().st_mtime) / runs.TIMING)
            if len(times) < entry.settings.epochs:
                return len(times), entry.settings.epochs, float(times.seconds.median())
        return 0, entry.settings.epochs, 0.0


def clock(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds.

    >>> [clock(9), clock(750), clock(3723)]
    ['0:09', '12:30', '1:02:03']
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
