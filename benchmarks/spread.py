"""How far the accuracies of the miniature suite move with the seed and with the processor.

    python benchmarks/spread.py [--seeds 0 1 2] [--processors native avx2 baseline threads] [--table FILE]

Every network of the suite is trained with seed 0 on each processor and with the other seeds on this one, `wtmr train`
a run, as many side by side as there are cores. Other processors are had on this one by telling torch, oneDNN and MKL to
leave instructions out; `threads` is this processor with two threads a run. The runs lie in results/spread/<processor>,
so that an interrupted measurement goes on where it was; their table, by default results/<suite>/spread.csv,
is what `wtmr_core.paper.comparison` calls the stated spread.
"""

import argparse
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd

from wtmr_core import datasets, processes, runs
from wtmr_core.paper import suite
from wtmr_core.paper.comparison import SPREAD
from wtmr_core.paper.suite import Entry
from wtmr_core.parameters import to_pairs

PROCESSORS = {
    "native": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "baseline": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Nehalem"},
    "threads": {},
}


def train(name: str, entry: Entry, seed: int, processor: str) -> dict:
    """Train one run in a process of its own and return its row of the table."""
    settings = replace(entry.settings, seed=seed, workers=1, threads=2 if processor == "threads" else 1)
    results = f"results/spread/{processor}"
    command = [sys.executable, "-m", "wtmr_core", "train", *to_pairs(settings), "--results", results]
    environment = os.environ | PROCESSORS[processor] | {"OMP_NUM_THREADS": str(settings.threads)}
    answer = subprocess.run(command, env=environment, cwd=datasets.home(), capture_output=True, text=True)
    if answer.returncode:
        sys.exit(f"{name}, seed {seed}, {processor}: {answer.stderr[-500:]}")
    run = runs.load(Path(datasets.home(), answer.stdout.splitlines()[0]))
    row = {"name": name, "dataset": entry.settings.dataset, "seed": seed, "processor": processor}
    row |= {part: round(run.metrics[part], 4) for part in ("train_accuracy", "test_accuracy")}
    print(*row.values(), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", default="mini")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processors", nargs="+", choices=PROCESSORS, default=["native", "avx2", "baseline"])
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    home = datasets.home()
    chosen = suite.load(suite.find(options.suite, home / "experiments"))
    for dataset in {entry.settings.dataset for entry in chosen.runs.values()}:
        datasets.find(dataset, scale="mini")  # made once, before several processes want it
    conditions = [(options.seeds[0], processor) for processor in options.processors]
    conditions += [(seed, "native") for seed in options.seeds[1:]]
    jobs = [(*run, *condition) for condition, run in itertools.product(conditions, chosen.runs.items())]
    # those with two threads have the machine to themselves, one after the other
    single = [job for job in jobs if job[3] != "threads"]
    with ThreadPoolExecutor(processes.cores()) as pool:
        rows = list(pool.map(lambda job: train(*job), single))
    rows += [train(*job) for job in jobs if job[3] == "threads"]
    table = options.table or home / "results" / chosen.name / SPREAD
    runs.write(table, lambda path: pd.DataFrame(rows).to_csv(path, index=False))


if __name__ == "__main__":
    main()
