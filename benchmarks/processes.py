"""How best to keep two cores, or two GPUs, busy: one run over two processes, or two runs side by side.

    python benchmarks/processes.py [--epochs 4] [--device auto] [KEY=VALUE ...]

Trains WTMR-Net, scaled, on the miniature HMDB51 in four ways, one after the other, and prints clips/s of training
together (the median epoch). On the CPU a process has one thread; `one process, two threads` is what a run does by
itself. With GPUs a process has one of them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from wtmr_core import datasets


def start(results: Path, device: str, epochs: int, changes: list[str], gpu: int | None = None) -> subprocess.Popen:
    environment = os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)})
    train = ["wtmr_core", "train", "dataset=hmdb51", "scale=mini", f"epochs={epochs}", f"device={device}", *changes]
    return subprocess.Popen([sys.executable, "-m", *train, "--results", str(results)], env=environment,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def pace(results: Path) -> float:
    """Clips/s of all runs below `results` together."""
    times = [pd.read_csv(file) for file in results.glob("runs/*/timing.csv")]
    return sum(float(t.clips_per_second.iloc[1:].median()) for t in times)  # the first epoch warms up


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--device", default="auto")
    parser.add_argument("settings", nargs="*")
    options = parser.parse_args()
    gpus = torch.cuda.device_count() if options.device != "cpu" else 0
    one, two = (["threads=0"], ["threads=0"]) if gpus else (["threads=1"], ["threads=2"])
    datasets.find("hmdb51", scale="mini")
    ways = {
        "one process" + ("" if gpus else ", one thread"): [(one, 0)],
        **({} if gpus else {"one process, two threads": [(two, None)]}),
        "one run over two processes": [([*one, "processes=2"], None)],
        "two runs side by side": [([*one, "seed=1"], 0), ([*one, "seed=2"], 1)],
    }
    measured = {}
    for way, runs in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            started = [
                start(
                    Path(folder), options.device, options.epochs, [*options.settings, *changes], gpu if gpus else None
                )
                for changes, gpu in runs
            ]
            if any(process.wait() for process in started):
                sys.exit(f"{way}: a run failed")
            measured[way] = pace(Path(folder))
            print(f"{way:30} {measured[way]:7.1f} clips/s  {measured[way] / next(iter(measured.values())):5.2f}×  "
                  f"(whole runs {time.perf_counter() - began:.0f} s)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
