"""The cores that are ours, and what takes how many of them."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import PROJECT
from wtmr_core import processes


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("", {}, np.inf),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),  # a container with a view of its own
        ("0::/job/step", {"job/cpu.max": "200000 100000", "job/step/cpu.max": "max 100000"}, 2),
        ("0::/docker/abc", {"cpu.max": "50000 100000"}, 0.5),  # the group named is not shown
        ("0::/a", {"a/cpu.max": "400000 100000", "cpu.max": "300000 100000"}, 3),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, np.inf),
        (
            "4:cpu,cpuacct:/x\n0::/",
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "250000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        ("2:memory:/x\n1:cpu:/x", {"cpu/x/cpu.cfs_quota_us": "100000", "cpu/x/cpu.cfs_period_us": "50000"}, 2),
        ("1:cpu:/\n0::/y", {"unified/y/cpu.max": "700000 100000", "cpu/cpu.cfs_quota_us": "0"}, 7),
        ("0::/", {"cpu.max": "no number"}, np.inf),
    ],
)  # fmt: skip
def test_the_quota_of_a_container(tmp_path, groups, files, cores):
    """Both versions of cgroups: the least that this process's group and those above it are granted."""
    written = {"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n" * bool(text), encoding="utf-8")
    assert processes.quota(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [(np.inf, 4), (2.9, 2), (0.5, 1), (9.0, 4)])
def test_cores_are_those_of_the_job(monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 4, 6}, raising=False)
    monkeypatch.setattr(processes, "quota", lambda: quota)
    assert processes.cores() == cores


def test_data_sets_may_import_it_for_nothing():
    """It takes no torch, pandas or data set with it."""
    code = (
        "import sys, wtmr_core.processes, wtmr_core.locks; print({m.split('.')[0] for m in sys.modules}, *sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert not any(name in said for name in ("torch", "pandas", "numpy", "wtmr_core.datasets", "wtmr_core.runs"))


def test_workers_fit_the_job(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 24)
    assert [processes.worker_count(None, clips) for clips in (0, 31, 32, 1000)] == [1, 1, 2, 24]
    assert processes.worker_count(3, 1000) == 3
