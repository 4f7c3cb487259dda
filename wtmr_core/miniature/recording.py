"""What the miniature sets share: random numbers by name, work in parallel, and the truth about a clip.

Every clip has its own generator, seeded with its name, so that its bytes do not depend on the number of processes.
"""

import csv
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from wtmr_core.miniature import actions
from wtmr_core.miniature.actions import Step
from wtmr_core.miniature.body import Person
from wtmr_core.processes import worker_count, worker_pool

FPS = 15


def generator(seed: int, *key: object) -> np.random.Generator:
    """The random generator of one named thing; by CRC, because Python's own hash differs between processes."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, key)).encode())])


def side_by_side(work: Callable, jobs: Sequence, workers: int | None, title: str) -> list:
    """Compute [work(job) for job in jobs] in several processes, with a progress bar on stderr."""
    bar = partial(tqdm, total=len(jobs), desc=title, unit="clip")
    processes = worker_count(workers, len(jobs))
    if processes == 1:
        return list(bar(map(work, jobs)))
    with worker_pool(processes) as pool:
        try:
            return list(bar(pool.map(work, jobs, chunksize=2)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file; its folder is created if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def write_truth(root: Path, truths: Iterable[tuple[list, list]]) -> None:
    """Write `boxes.csv`, where there are pictures, and `episodes.csv`, from what the job of every clip returned."""
    boxes, episodes = ([row for rows in kind for row in rows] for kind in zip(*truths, strict=True))
    if boxes:
        write_rows(root / "truth/boxes.csv", ("clip", "frame", "person", "x", "y", "w", "h", "visible"), boxes)
    write_rows(root / "truth/episodes.csv", ("clip", "person", "action", "start_s", "end_s"), episodes)


def episodes_of(clip: str, person: int, steps: Sequence[Step], seconds: float) -> list[tuple]:
    """Rows of episodes.csv for the steps of one person that a clip of `seconds` shows."""
    return [
        (clip, person, s.action, f"{max(s.start, 0):.2f}", f"{min(s.end, seconds):.2f}")
        for s in steps
        if s.end > 0 and s.start < seconds
    ]


def seen_in_part(action: str, seconds: float, heading: float, rng: np.random.Generator, miss: float) -> Step:
    """An action that starts up to `miss` of the clip before or after the clip does, and may outlast it."""
    start = rng.uniform(-miss, miss) * seconds
    return Step(action, start, start + rng.uniform(0.85, 1.2) * seconds, heading)


def start_of_walk(person: Person, step: Step, seconds: float, rng: np.random.Generator) -> tuple[float, float]:
    """Where to start so that a person who walks passes the middle of the room halfway."""
    back = actions.walking_speed(person) * seconds / 2 if step.action in actions.MOVING else 0.0
    x, z = rng.normal(0, 0.2, 2)
    return x + back * math.sin(step.heading), z + back * math.cos(step.heading)
