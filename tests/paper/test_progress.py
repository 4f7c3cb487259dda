"""The time that a batch has left, as it is told while a suite runs: true, or not told at all."""

import random
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import PROJECT
from wtmr_core import runs
from wtmr_core.paper import progress, remaining, suite
from wtmr_core.paper.suite import Entry, Suite
from wtmr_core.settings import Settings

MINI = suite.load(PROJECT / "experiments/mini.yaml")
STARTS = 8.0  # seconds before the first epoch of a training


def needs(job: str) -> list[str]:
    """What must be made before a notebook, as the Snakefile has it."""
    number, _, run = job.partition("-")
    if number == "02_train":
        return [f"01_data-{MINI.runs[run].settings.dataset}"]
    if number == "03_confusion_matrix":
        return [f"02_train-{run}"]
    return [f"02_train-{run}" for run in MINI.runs] if number in ("04_ablation", "05_performance_table") else []


def priority(job: str) -> int:
    number, _, run = job.partition("-")
    if number == "02_train":
        return 500 - list(MINI.runs).index(run)
    return {"01_data": 1000, "06_activity_tracking": 900, "07_audit": 800, "09_habits": 800}.get(number, 0)


def schedule(took: dict[str, float], cores: int) -> tuple[dict[str, float], dict[str, float]]:
    """When each notebook begins and ends where Snakemake runs them on so many cores."""
    began, ended, now = {}, {}, 0.0
    wide = {job: cores if job.startswith("05") else 1 for job in took}
    while len(ended) < len(took):
        free = cores - sum(wide[job] for job in began.keys() - ended.keys())
        for job in sorted(took.keys() - began.keys(), key=lambda job: (-priority(job), job)):
            if wide[job] <= free and all(need in ended for need in needs(job)):
                began[job], free = now, free - wide[job]
        now = min(began[job] + took[job] for job in began.keys() - ended.keys())
        ended |= {job: now for job in began.keys() - ended.keys() if began[job] + took[job] <= now + 1e-9}
    return began, ended


class Replayed(progress.View):
    """A view of the mini suite at `now` seconds of a batch whose notebooks took the seconds in `took`."""

    def __init__(self, took: dict[str, float], cores: int, kept: dict[str, float]):
        super().__init__(MINI, Path("nowhere"), list(took), cores)
        self.took, self.kept, self.now = took, kept, 0.0
        self.begins, self.ends = schedule(took, cores)

    def states(self) -> dict[str, dict]:
        states = {}
        for job, seconds in self.took.items():
            if self.ends[job] <= self.now:
                states[job] = {"state": "done", "seconds": seconds}
            elif self.begins[job] <= self.now:
                states[job] = {"state": "running", "began": time.time() - self.now + self.begins[job]}
            else:
                states[job] = {"state": "waiting"}
        return states

    def _epochs(self, job: str) -> tuple[int, int, float]:
        if not job.startswith("02_train-") or not hasattr(self, "now"):
            return 0, 0, 0.0
        of = MINI.runs[job.removeprefix("02_train-")].settings.epochs
        pace = max(self.took[job] - STARTS, 1.0) / of
        done = int((self.now - self.begins[job] - STARTS) / pace)
        return (done, of, pace) if 0 < done < of else (0, of, 0.0)

    def left(self) -> float | None:
        now = time.time()
        return remaining.seconds(self._job(job, state, now) for job, state in self.states().items())


@pytest.fixture(scope="module")
def kept(committed_results):
    """The seconds of each notebook as they are committed, whatever was reproduced since."""
    return remaining.read([committed_results / "mini"])


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
@pytest.mark.parametrize(("pace", "varies"), [(1.0, 0.0), (1.0, 0.15), (0.5, 0.15), (3.0, 0.15)])
def test_the_time_left_of_the_mini_suite_is_true_within_thirty_per_cent(kept, pace, varies, cores):
    """On a machine `pace` times as slow as the one whose times were kept, where each notebook varies, too."""
    rng = random.Random(0)
    took = {job: seconds * pace * rng.lognormvariate(0, varies) for job, seconds in kept.items()}
    assert set(took) == {*(f"02_train-{run}" for run in MINI.runs), *(job for job in kept if job[:2] != "02")}
    view = Replayed(took, cores, kept)
    whole, told = max(view.ends.values()), 0
    for percent in range(1, 100):
        view.now = whole * percent / 100
        left, true = view.left(), whole - view.now
        assert left is not None or percent < 25, percent
        if left is not None:
            told += 1
            assert abs(left - true) <= 0.3 * true + 30 * pace, (percent, left, true)
    assert told > 80


def test_of_a_suite_that_was_never_made_nothing_is_told_before_every_network_has_begun(kept):
    view = Replayed(kept, 2, {})
    last = max(view.begins[f"02_train-{run}"] for run in MINI.runs if not run.startswith("ntu60-wtmr-"))
    for view.now in (60, last / 2, last - 1):
        assert view.left() is None
        assert "left" not in view.line(view.states())


def test_a_notebook_that_failed_tells_nothing_of_the_pace():
    jobs = [remaining.Job("a", kept=100.0, spent=100.0, ahead=0.0), remaining.Job("a", kept=100.0)]
    assert remaining.seconds(jobs) == pytest.approx(100)
    failed = remaining.Job("b", guess=30.0, spent=1.0, ahead=0.0)
    assert remaining.seconds([*jobs, failed]) == pytest.approx(100)


def test_what_was_done_before_counts_for_nothing():
    """A run that goes on after half of its epochs, and another of its kind with twice the epochs."""
    half = remaining.Job("a", size=10, before=0.5, spent=25.0, ahead=25.0)
    assert remaining.seconds([half, remaining.Job("a", size=20)]) == pytest.approx(225)
    assert remaining.seconds([half, remaining.Job("b", size=20)]) is None


def test_times_are_kept_and_read_again(tmp_path):
    assert remaining.read([tmp_path]) == {}
    remaining.keep(tmp_path, {"04_ablation": 12.34})
    remaining.keep(tmp_path, {"01_data-ntu60": 3.0})
    assert remaining.read([tmp_path / "none", tmp_path]) == {"01_data-ntu60": 3.0, "04_ablation": 12.3}
    (tmp_path / "times.csv").write_text("notebook,seconds\n04_ablation,nan\n07_audit,inf\n01_data-ntu60,3\n")
    assert remaining.read([tmp_path]) == {"01_data-ntu60": 3.0}
    (tmp_path / "times.csv").write_text("somebody,else's\n1,2\n")
    assert remaining.read([tmp_path]) == {}


def test_the_view_tells_what_runs_and_how_long_is_left(tmp_path):
    settings = Settings.of({"dataset": "ntu60", "scale": "mini", "epochs": 10, "threads": 1})
    held = Suite("tiny", {name: Entry(settings) for name in ("a", "b")})
    folder = tmp_path / "runs" / settings.name("")
    folder.mkdir(parents=True)
    runs.write_json(folder / runs.SETTINGS, settings.identity() | {"data": ""})
    jobs = ["02_train-a", "02_train-b", "04_ablation"]
    view = progress.View(held, tmp_path, jobs, cores=1)
    pd.DataFrame({"epoch": [1, 2], "seconds": [60.0, 60.0], "clips_per_second": [1, 1]}).to_csv(
        folder / runs.TIMING, index=False
    )
    states = {
        "02_train-a": {"state": "running", "began": time.time() - 120},
        "02_train-b": {"state": "waiting"},
        "04_ablation": {"state": "done", "seconds": 3.0},
    }
    # a has 8 epochs of a minute left, b takes as long as a does in all: 10 min
    assert view.line(states) == "1/3 done · 02_train-a 2/10 epochs · about 18 min left"
    elsewhere = progress.View(held, tmp_path, jobs)  # on a cluster nobody knows how many run at once
    assert elsewhere.line(states) == "1/3 done · 02_train-a 2/10 epochs"
    assert view.times() == {}


def test_lengths_of_time_in_words():
    assert progress.clock(3723) == "1:02:03"
    said = [remaining.roughly(seconds) for seconds in (20, 400, 5300, 3 * 3600 + 800)]
    assert said == ["less than a minute", "about 7 min", "about 88 min", "about 3 h 10 min"]
