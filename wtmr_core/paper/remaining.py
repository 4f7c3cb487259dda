"""How long a batch still takes: from how long its notebooks took before, and how fast this machine has been until now.

Times that were kept on another machine tell which notebooks are long and which are short; what has been made so far
tells how much faster or slower this one is.
"""

from __future__ import annotations

import csv
import heapq
import math
import statistics
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wtmr_core import files

FILE = "times.csv"  # in a folder of results: the notebooks of a suite, and the seconds that each took
ENOUGH = 0.1  # of the work must be done, or under way at a known pace, before anything is told


@dataclass(frozen=True)
class Job:
    """A notebook of a batch, as far as it is known.

    `kind` is what notebooks that take about as long have in common, and `size` their length, such as epochs. Of a kind
    that nothing is known of, `guess` is the length in seconds; 0 where none can be made.
    """

    kind: str
    size: float = 1.0
    guess: float = 0.0
    order: float = 0.0  # those with a lower one begin earlier
    share: float = 1.0  # of the machine that it takes while it runs
    before: float = 0.0  # part of it that was done before the batch began
    kept: float | None = None  # seconds that it took another time, whole
    spent: float = 0.0  # seconds until now; 0 is not begun
    ahead: float | None = None  # seconds to its end, where that can be told; 0 is done


def seconds(jobs: Iterable[Job]) -> float | None:
    """Estimate the seconds until all jobs are done.

    None where too little is done, or nothing is known of a job that waits.
    """
    jobs = list(jobs)
    pace = _pace(jobs)
    usual = _usual(jobs, pace)
    whole = made = 0.0
    left = []
    for job in jobs:
        expected = job.kept or _told(job, pace) or usual.get(job.kind, job.guess) * job.size
        if not expected:
            return None
        here = expected * pace * (1 - job.before)
        ahead = max(0.1 * here, here - job.spent) if job.ahead is None else job.ahead
        whole += job.share * (job.spent + ahead)
        made += 0.0 if job.ahead is None else job.share * job.spent
        if ahead:
            left.append((-1.0 if job.spent else job.order, min(job.share, 1.0), ahead))
    return _end(left) if made and made >= ENOUGH * whole else None


def _end(jobs: list[tuple[float, float, float]]) -> float:
    """When the last job ends, of (order, share, seconds), where each begins as soon as there is room for it."""
    now, free, ends = 0.0, 1.0, []
    for _, share, length in sorted(jobs):
        while free < share - 1e-6 and ends:
            now, freed = heapq.heappop(ends)
            free += freed
        heapq.heappush(ends, (now + length, share))
        free -= share
    return max((end for end, _ in ends), default=0.0)


def _pace(jobs: list[Job]) -> float:
    """Seconds that a job takes here for each that it took when times were kept."""
    both = [job for job in jobs if job.kept and job.ahead is not None]
    kept = sum(job.kept * (1 - job.before) for job in both)
    return sum(job.spent + job.ahead for job in both) / kept if kept else 1.0


def _told(job: Job, pace: float) -> float | None:
    """Kept seconds of a job that is known only from this batch."""
    return None if job.ahead is None else (job.spent + job.ahead) / pace / max(1 - job.before, 0.01)


def _usual(jobs: list[Job], pace: float) -> dict[str, float]:
    """Kept seconds of each kind of job, for a size of one."""
    found: dict[str, list[float]] = {}
    for job in jobs:
        if known := job.kept or _told(job, pace):
            found.setdefault(job.kind, []).append(known / job.size)
    return {kind: statistics.mean(values) for kind, values in found.items()}


def read(folders: Iterable[Path]) -> dict[str, float]:
    """The kept seconds of each notebook, from the first of these folders of results that has them."""
    kept: dict[str, float] = {}
    for folder in folders:
        with suppress(OSError, KeyError, TypeError, ValueError, csv.Error):  # absent, or somebody else's
            rows = csv.DictReader((folder / FILE).read_text(encoding="utf-8").splitlines())
            kept = {row["notebook"]: float(row["seconds"]) for row in rows} | kept
    return {name: seconds for name, seconds in kept.items() if math.isfinite(seconds)}


def keep(folder: Path, times: Mapping[str, float]) -> None:
    """Keep the seconds of notebooks in a folder of results, beside those of others that it has."""
    kept = read([folder]) | dict(times)
    rows = "".join(f"{name},{kept[name]:.1f}\n" for name in sorted(kept))
    files.write_text(folder / FILE, f"notebook,seconds\n{rows}")


def roughly(seconds: float) -> str:
    """A length of time as precisely as it can be told.

    >>> [roughly(20), roughly(400), roughly(3 * 3600 + 800)]
    ['less than a minute', 'about 7 min', 'about 3 h 10 min']
    """
    if seconds < 50:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60 // 10 * 10} min"
