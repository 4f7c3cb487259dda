"""Progress of a batch: what is running, and how much time is left."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core import runs
from wtmr_core.paper import execution
from wtmr_core.paper.suite import Suite


class View:
    """Shows what is running and how long is left: on a terminal in one line, in a log by a line now and then."""

    def __init__(self, suite: Suite, results: Path, jobs: list[str]):
        self.suite, self.results, self.jobs, self.printed = suite, results, jobs, set()
        self.terminal, self.last = sys.stdout.isatty(), 0.0
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
        """A line such as `12/25 done · 02_train-ntu60-wtmr 13/20 epochs, 0:09 left · about 4:10 left in all`."""
        running = {job: state for job, state in states.items() if state["state"] == "running"}
        taken: dict[str, list[float]] = {}
        left, shown = 0.0, []
        for job, state in states.items():
            if state["state"] == "done":
                taken.setdefault(job[:2], []).append(state["seconds"])
        for job, state in running.items():
            spent = time.time() - state["began"]
            done, of, pace = self._epochs(job)
            if pace:
                taken.setdefault(job[:2], []).append(spent + pace * (of - done))
                left += pace * (of - done)
                shown.append(f"{job} {done}/{of} epochs, {clock(pace * (of - done))} left")
            else:
                shown.append(f"{job} {clock(spent)}")
        unknown = False
        for job, state in states.items():
            if state["state"] == "waiting" or (job in running and not self._epochs(job)[2]):
                unknown |= job[:2] not in taken and job[:2] == "02"
                left += statistics.mean(taken.get(job[:2], [10.0]))
        ended = sum(state["state"] in ("done", "failed") for state in states.values())
        rest = "" if unknown else f" · about {clock(left / max(len(running), 1))} left in all"
        return f"{ended}/{len(states)} done · {', '.join(shown) or 'starting'}{rest}"

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
