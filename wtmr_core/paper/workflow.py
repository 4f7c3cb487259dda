"""A whole suite: its notebooks in the order that Snakemake decides, and one report at the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core import datasets, environment, runs
from wtmr_core.paper import comparison, execution, remaining
from wtmr_core.paper.planning import Plan
from wtmr_core.paper.progress import View
from wtmr_core.processes import with_me

LOCK = ".lock"
#: what a suite writes into its folder of results
WRITTEN = (
    "notebooks",
    "tables",
    "figures",
    "logs",
    "data",
    "performance_table.csv",
    "performance_table.tex",
    "times.csv",
    "report.html",
)


def pending(plan: Plan) -> list[str]:
    """The notebooks of a plan that are still to be made, or to be made again, by the names of their results."""
    if len(plan.left_out) == len(plan.suite.runs):
        return []
    with _config(plan) as file:
        answer = _snakemake(plan, file, "--summary", capture_output=True, encoding="utf-8", errors="replace")
    if answer.returncode:
        raise runs.RunError(f"Snakemake cannot plan the suite:\n{answer.stderr}")
    lines = [line.split("\t") for line in answer.stdout.splitlines() if "\t" in line]
    return sorted(
        {Path(line[0]).name for line in lines[1:] if line[0].startswith(".done/") and line[-1] != "no update"}
    )


def reproduce(plan: Plan) -> int:
    """Make what is pending in a plan, continue what is half done, and print the performance table.

    A failed notebook does not stop the others; what can be made without a failed run is then made without it.

    Returns:
        0, or 1 where something failed.

    Raises:
        RunError: where another batch works in the results folder; and, before anything is written, for a results folder
            with files of the user's own where the suite's would be.
        DataError: where no run has its recordings here.
    """
    if len(plan.left_out) == len(plan.suite.runs):
        whys = "; ".join(dict.fromkeys(plan.left_out.values()))
        raise datasets.DataError(f"no run of {plan.suite.name} has its recordings here: {whys}")
    _nothing_of_others(plan.results)
    with runs.alone(plan.results / LOCK, f"another batch works in {plan.results}"):
        log = plan.results / "logs" / "snakemake.log"
        _end_leftovers(log)
        log.unlink(missing_ok=True)
        report = plan.results / "report.html"
        jobs = pending(plan)
        if jobs:
            report.unlink(missing_ok=True)
            plan.failed = _run_jobs(plan, jobs)
            lost = {}
            for run, entry in plan.suite.runs.items():
                for job in (f"01_data-{entry.settings.dataset}", f"02_train-{run}"):
                    if job in plan.failed:
                        lost[run] = plan.failed[job]
            if lost and len(plan.left_out | lost) < len(plan.suite.runs):
                plan.left_out |= {run: f"failed: {why}" for run, why in lost.items()}
                print(f"Without {', '.join(lost)}:", flush=True)
                plan.failed |= _run_jobs(plan, pending(plan))
        else:
            print(f"{plan.suite.name}: everything is made already")
        reported = report.is_file() or _report(plan, report)
        conclude(plan)
    return 1 if plan.failed or not reported else 0


def _nothing_of_others(results: Path) -> None:
    """Raise `RunError` where a folder in which no suite was made holds what a suite would overwrite."""
    if results.parent == datasets.home() / "results" or (results / LOCK).is_file() or (results / ".done").is_dir():
        return
    if taken := [name for name in WRITTEN if os.path.lexists(results / name)]:
        raise runs.RunError(f"{results} holds {taken[0]}, which no suite made: name another folder with --results")


def conclude(plan: Plan) -> None:
    """Print the performance table, what was left out or failed, and what differs from the committed results."""
    table = plan.results / "performance_table.csv"
    whole = (plan.results / ".done" / "05_performance_table").is_file() and "05_performance_table" not in plan.failed
    if whole:
        print(f"\nPerformance table, {plan.suite.name} suite ({table}):")
        shown = pd.read_csv(table).set_index(["dataset", "model"])
        shown.columns = shown.columns.str.removesuffix("_accuracy").str.split("_", n=1, expand=True)
        print(shown.to_string(float_format="%.2f".__mod__, na_rep="-", sparsify=False))
        if plan.config["scale"] == "mini":
            print("Measured on miniature data with scaled-down networks: nothing about real people (README.md).")
    for line in left_out(plan):
        print(line)
    for job, why in plan.failed.items():
        print(f"FAILED: {job}: {why}\n        see {plan.results / 'logs' / job}.log")
    if (plan.results / "report.html").is_file():
        print(f"Report: {plan.results / 'report.html'}")
    if whole:  # else its tables are older ones
        try:
            print(comparison.report(plan.results, datasets.home(), plan.suite.name)[0])
        except runs.RunError as reason:  # of a suite that is no part of the repository, for one
            print(f"Not compared with what is committed: {reason}")


def listing(plan: Plan) -> str:
    """What a plan would make, one line per notebook, and what it leaves out."""
    jobs = pending(plan)
    lines = [f"{plan.suite.name}: {len(jobs) or 'no'} notebooks to make in {plan.results}"]
    for job in jobs:
        lines.append(f"  {job}")
        if job.startswith("02_train-"):
            run = plan.suite.runs[job.removeprefix("02_train-")].settings
            lines[-1] += f": {run.model} on {run.dataset}, {run.protocol}, split {run.split}, {run.epochs} epochs"
    return "\n".join([*lines, *left_out(plan)])


def left_out(plan: Plan) -> list[str]:
    """A line for each reason why runs of a plan are left out, with their names."""
    whys: dict[str, list[str]] = {}
    for run, why in plan.left_out.items():
        whys.setdefault(why, []).append(run)
    return [f"left out: {', '.join(names)}: {why}" for why, names in whys.items()]


@contextlib.contextmanager
def _config(plan: Plan) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        file.write_text(json.dumps(plan.config), encoding="utf-8")
        yield file


def _snakemake(plan: Plan, config: Path, *arguments: str, run: Any = subprocess.run, **options: Any) -> Any:
    # In the folder of results, so that no path is more than a plain name: Snakemake takes braces for wildcards.
    # Our own lock knows when the batch that held it is dead; Snakemake's would have to be removed by hand.
    folder = plan.results if plan.results.is_dir() else config.parent
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(datasets.home() / "Snakefile"),
        "--directory",
        str(folder),
        "--rerun-triggers",
        "mtime",
        "params",
        "input",
        "--nolock",
        "--profile",
        "none",
        "--configfile",
        str(config),
        *arguments,
    ]
    # a GPU that is not to be used is not to be seen
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if plan.profile == "local" and not plan.gpus else {}
    return run(command, env=environment.variables() | hidden, preexec_fn=with_me(), **options)


def _run_jobs(plan: Plan, jobs: list[str]) -> dict[str, str]:
    """Let Snakemake make `jobs` and show its progress; returns what failed, and why."""
    logs = plan.results / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        execution.announce(logs / f"{job}.log")
    arguments = ["--workflow-profile", str(datasets.home() / "profiles" / plan.profile)]
    if plan.profile == "local":
        arguments += ["--cores", str(plan.cores), "--resources", f"gpu={plan.gpus}"]
    view = View(plan.suite, plan.results, jobs, plan.cores if plan.profile == "local" else 0, plan.gpus)
    config = plan.results / ".config.json"  # where other machines see it too
    runs.write_json(config, plan.config)
    with (logs / "snakemake.log").open("a", encoding="utf-8") as log:
        process = _snakemake(plan, config, *arguments, run=subprocess.Popen, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                view.show()
                time.sleep(0.5)
        except BaseException:  # an interrupt too
            process.send_signal(signal.SIGINT)  # Snakemake stops its jobs; at SIGTERM it would wait for their end
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # minutes, until it looks at SLURM the next time
                process.kill()
            _end_leftovers(logs / "snakemake.log")
            raise
        finally:
            with contextlib.suppress(runs.RunError):  # on a full disk what counts is why the batch ended
                remaining.keep(plan.results, view.times())
        view.show(end=True)
    states = view.states()
    failed = {job: states[job]["error"] for job in jobs if states[job]["state"] == "failed"}
    killed = {job: "it was killed" for job in jobs if states[job]["state"] == "running"}
    if process.returncode and not failed and not killed:
        raise runs.RunError(f"Snakemake stopped: see {logs / 'snakemake.log'}")
    return failed | killed


def _end_leftovers(log: Path) -> None:
    """Cancel the SLURM jobs left by a stopped batch, whose log this is, and wait for them to end.

    They would keep the next batch from their runs, which continue from what has been trained so far.
    """
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    names = re.findall(r"^SLURM run ID: (\S+)", text, re.MULTILINE)
    if not names or not shutil.which("squeue"):
        return
    name = ",".join(names)
    announced = False
    while left := subprocess.run(
        ["squeue", "--noheader", "--format=%i", f"--name={name}"], capture_output=True, text=True
    ).stdout.split():
        if not announced:
            print(f"cancelling {len(left)} SLURM jobs of a batch that was stopped", flush=True)
            subprocess.run(["scancel", f"--name={name}"])
        announced = True
        time.sleep(1)


def _report(plan: Plan, report: Path) -> bool:
    """Let Snakemake write its report of what was made; prints the reason and returns False where it cannot."""
    part, log = report.with_name(".report.part.html"), plan.results / "logs" / "report.log"
    with _config(plan) as config, log.open("w", encoding="utf-8") as output:
        end = _snakemake(plan, config, "--report", str(part), stdout=output, stderr=output)
    if end.returncode == 0 and part.is_file():
        part.replace(report)
        return True
    part.unlink(missing_ok=True)
    print(f"no report could be made: see {log}", file=sys.stderr)
    return False
