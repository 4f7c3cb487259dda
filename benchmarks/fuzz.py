"""Damaged files for every parser of the project: what they refuse, how long they take, and what they fail on.

    python benchmarks/fuzz.py [--inputs 10000] [--seed 0] [--parser all]

A parser may accept a file or refuse it with the exception that it documents, within 2 s and 500 MB; a skeleton must
read as line by line. Anything else is a fault: the first file with each is kept and named, and the script exits with 1.
Each parser runs in a process of its own, which is killed after 20 s on one file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from tests import conftest, reference_skeleton
from tests.mutation import mutated
from wtmr_core import runs
from wtmr_core.datasets import DataError, Unreadable, hmdb51, ntu60, skeleton_file, svideoqa
from wtmr_core.datasets.video import ClipFormat, read_frames
from wtmr_core.paper import suite
from wtmr_core.settings import Settings, SettingsError

SECONDS, MEGABYTES, PATIENCE = 2, 500, 20


@dataclass
class Target:
    """A parser: the good `files` that are damaged in turn, `read`, called with the path of the damaged one, which
    may return the reason for which it skipped something, and the exceptions that it documents."""

    files: list[Path]
    read: Callable[[Path], str | None]
    documented: tuple[type[Exception], ...]


def skeleton(root: Path) -> Target:
    """`skeleton_file.parse`, against a reader that goes line by line."""
    body = np.random.default_rng(0).normal(size=(25, 3))
    texts = [conftest.skeleton_text(f) for f in ([{7: body, 8: body + 1}] * 2, [{}, {2**64 - 1: body}], [{3: body}])]
    files = [root / f"{n}.skeleton" for n in range(4)]
    for file, text in zip(files, [*texts, texts[0].replace("\r", "")], strict=True):
        file.write_bytes(text.encode())

    def read(path: Path) -> None:
        try:
            expected = reference_skeleton.read(path.read_bytes())
        except reference_skeleton.Refused:
            expected = None
        try:
            skeletons = skeleton_file.load(path)
        except Unreadable:
            if expected is None:
                raise
            raise AssertionError("refused, line by line accepted") from None
        arrays = (skeletons.joints, skeletons.bodies, skeletons.seen)
        if expected is None or [a.tobytes() for a in arrays] != [a.tobytes() for a in expected]:
            raise AssertionError("not what it is line by line")

    return Target(files, read, (Unreadable,))


def manifest(root: Path) -> Target:
    """The manifest.csv of a set in HMDB51's layout."""
    conftest.write_hmdb51(root, films=3, takes=1)
    clips = sorted(root.glob("*/*.avi"))
    rows = [f"{c.parent.name},{c.stem},{c.stem[:5]},{('train', 'test')[n % 2]}\n" for n, c in enumerate(clips)]
    (root / "manifest.csv").write_text("class,clip,similarity_group,split\n" + "".join(rows))
    return Target([root / "manifest.csv"], lambda _: _skips(hmdb51.index(root, "manifest")), (DataError,))


def lists(root: Path) -> Target:
    """The split lists of HMDB51."""
    conftest.write_hmdb51(root, films=3, takes=1)
    return Target(sorted(root.rglob("*split1.txt")), lambda _: _skips(hmdb51.index(root, "1")), (DataError,))


def answers(root: Path) -> Target:
    """The tables of questions and answers of SVideoQA, .csv and .xls."""
    conftest.write_svideoqa(root, sequences=2)
    files = [next(root.rglob("qa.csv")), next(root.rglob("qa.xls"))]
    return Target(files, lambda _: _skips(svideoqa.index(root, "-")), (DataError,))


def classes(root: Path) -> Target:
    """classes.txt, and the two lists of names of NTU."""
    conftest.write_ntu60(root, performers=(1, 3), actions=(1, 2), frames=2)
    names = [file.stem for file in sorted(root.rglob("*.skeleton"))]
    texts = {"classes.txt": ["drink", "eat"], ntu60.AVAILABLE_LIST: names, ntu60.MISSING_LIST: ["head", "", *names[:1]]}
    for name, lines in texts.items():
        (root / name).write_text("\n".join(lines) + "\n")
    return Target([root / name for name in texts], lambda _: _skips(ntu60.index(root, "cross-subject")), (DataError,))


def suites(root: Path) -> Target:
    """The suites of `experiments`."""
    shutil.copytree(conftest.PROJECT / "experiments", root, dirs_exist_ok=True)
    return Target(sorted(root.glob("*.yaml")), lambda path: suite.load(path) and None, (SettingsError,))


def settings(root: Path) -> Target:
    """The files of a run's folder."""
    chosen = Settings.of({"dataset": "hmdb51", "scale": "mini"})
    run = runs.folder(root, chosen, "data")
    run.mkdir(parents=True)
    runs.write_json(run / runs.SETTINGS, chosen.identity() | {"data": "data"})
    runs.write_json(run / runs.ENVIRONMENT, {"device": "CPU", "precision": "fp32", "packages": {"torch": None}})
    shares = dict.fromkeys(("train_accuracy", "val_accuracy", "test_accuracy", "seconds", "clips_per_second"), 0.5)
    runs.write_json(run / runs.METRICS, shares | {"epochs": 2, "chosen_epoch": 2})
    (run / runs.HISTORY).write_text(f"{','.join(runs.HISTORY_COLUMNS)}\n1,0.1,2.5,0.25,2.4,0.5\n2,0.1,1.5,0.5,,\n")
    names = np.array(["a", "b"])
    np.savez(run / runs.PREDICTIONS, names=names, groups=names, labels=np.arange(2), logits=np.eye(2), classes=names)

    def read(_: Path) -> None:
        runs.load(run)
        runs.differences(run, chosen)
        runs.table(root)

    files = [run / n for n in (runs.SETTINGS, runs.ENVIRONMENT, runs.METRICS, runs.HISTORY, runs.PREDICTIONS)]
    return Target(files, read, (runs.RunError,))


def images(root: Path) -> Target:
    """The frames of a clip, PNG, JPEG and BMP."""
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    files = [root / suffix / f"frame_{n}.{suffix}" for suffix in ("png", "jpg", "bmp") for n in range(3)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), picture)
    return Target(files, lambda path: read_frames(path.parent, ClipFormat(2, size=16)) is None or None, (Unreadable,))


def _skips(index) -> str | None:
    """The first reason of an index to skip a clip."""
    return next(iter(index.skipped.reason), None)


TARGETS = {
    "skeleton": skeleton, "manifest": manifest, "lists": lists, "answers": answers, "classes": classes,
    "suite": suites, "settings": settings, "images": images,
}  # fmt: skip


def feed(parser: str, inputs: int, seed: int, folder: Path) -> None:
    """Damage the files of a parser `inputs` times and print what came of it as JSON; `folder`/input is being read."""
    target = TARGETS[parser](folder / "root")
    good = {file: file.read_bytes() for file in target.files}
    for file in target.files:
        target.read(file)  # none is refused
    random, begun = Random(seed), _peak()
    # an allocation beyond this fails at once, before the machine is short of memory
    limit = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + 3 * MEGABYTES * 10**6
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    report = {"accepted": Counter(), "refused": Counter(), "faults": Counter(), "slowest": 0.0, "peak": 0.0}
    for _ in range(inputs):
        file = random.choice(target.files)
        data = mutated(good[file], random)
        (folder / "input").write_bytes(data)
        file.write_bytes(data)
        fault, peak, began = None, _peak(), time.process_time()
        signal.alarm(PATIENCE)  # ends this process
        try:
            reason = target.read(file)
        except target.documented as error:
            reason, fault = getattr(error, "reason", type(error).__name__), _out_of_memory(error)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)
            last = next((f for f in reversed(where) if "wtmr_core" in f.filename), where[-1])
            fault = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}: {last.line}"
        signal.alarm(0)
        taken = time.process_time() - began
        report["slowest"], report["peak"] = max(report["slowest"], taken), _peak() - begun
        if taken > SECONDS or _peak() > max(peak, begun + MEGABYTES):
            fault = fault or f"more than {SECONDS} s or {MEGABYTES} MB"
        if fault and fault not in report["faults"]:
            (folder / f"fault-{len(report['faults'])}").write_bytes(data)
        report["faults" if fault else "refused" if reason else "accepted"][fault or reason or ""] += 1
        file.write_bytes(good[file])
    print(json.dumps(report))


def _peak() -> float:
    """The most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _out_of_memory(error: BaseException | None) -> str | None:
    """A `MemoryError` that a parser took for one of its own."""
    while error is not None:
        if isinstance(error, MemoryError):
            return f"MemoryError, taken for another: {error}"[:100]
        error = error.__context__
    return None


def row(parser: str, options: argparse.Namespace) -> bool:
    """Feed a parser in a process of its own and print its row; whether it had no fault."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{parser}-"))
    (folder / "root").mkdir()
    arguments = ["--inputs", str(options.inputs), "--seed", str(options.seed), "--parser", parser, "--folder", folder]
    with (folder / "log").open("w") as log:
        ended = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
    if ended.returncode:
        print(f"{parser:9} ended with {ended.returncode} on {folder / 'input'}; see {folder / 'log'}")
        return False
    report = json.loads(ended.stdout.splitlines()[-1])
    accepted, refused, faults = (Counter(report[kind]) for kind in ("accepted", "refused", "faults"))
    print(f"{parser:9} {options.inputs:8,} {accepted.total():8,} {report['slowest']:9.3f} {report['peak']:8.0f} "
          f"{faults.total():7,}   {', '.join(f'{reason} {n:,}' for reason, n in refused.most_common())}")  # fmt: skip
    for number, (fault, n) in enumerate(faults.items()):
        print(f"    {n:,} times {fault}; the first: {folder / f'fault-{number}'}")
    return not faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parser", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of a process that is one parser's
    options = parser.parse_args()
    if options.folder:
        feed(options.parser, options.inputs, options.seed, options.folder)
        return 0
    print(f"{'parser':9} {'inputs':>8} {'accepted':>8} {'slowest s':>9} {'peak MB':>8} {'faults':>7}   refused")
    return 0 if all([row(name, options) for name in (TARGETS if options.parser == "all" else [options.parser])]) else 1


if __name__ == "__main__":
    sys.exit(main())
