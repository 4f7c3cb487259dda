"""Two processes do what one does: same gradients, same numbers, no clip lost or counted twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.conftest import PROJECT, write_ntu60
from tests.test_training import WRITE, same_outcome, small
from wtmr_core import distributed, runs, training
from wtmr_core.data import Share, inputs
from wtmr_core.parameters import to_pairs
from wtmr_core.runs import RunError

QUIET = {"dropout": 0.0, "device": "cpu", "epochs": 2}  # dropout is each process's own


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_ntu60(tmp_path_factory.mktemp("ntu60"))


@given(st.integers(1, 40), st.integers(1, 8))
def test_shares_hold_each_clip_once(whole, count):
    shares = [Share.of(whole, process, count) for process in range(count)]
    counted = [row for share in shares if share.counted for row in range(share.first, share.stop)]
    assert counted == list(range(whole))
    assert all(share.stop > share.first for share in shares)  # nobody is without work
    if whole >= count:
        sizes = [share.stop - share.first for share in shares]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("protocol", ["published", "corrected"])
@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60", "svideoqa"])
def test_each_clip_is_augmented_as_it_would_be_alone(dataset, protocol):
    settings = small(dataset, protocol=protocol, stored_frames=20, flip=0.5, rotate=20.0, zoom=0.2, shift=0.1,
                     jitter=0.2, joint_noise=0.01)  # fmt: skip
    shape = (5, 20, 2, 25, 3) if dataset == "ntu60" else (5, 20, 32, 32, 3 if dataset == "svideoqa" else 1)
    clips = torch.rand(shape) if dataset == "ntu60" else torch.randint(0, 255, shape, dtype=torch.uint8)
    whole = inputs(clips, settings, torch.Generator().manual_seed(3), augmented=True)
    for process in range(2):
        share = Share.of(5, process, 2)
        part = inputs(clips[share.slice], settings, torch.Generator().manual_seed(3), augmented=True, share=share)
        torch.testing.assert_close(part, whole[share.slice])


@pytest.mark.parametrize(
    ("dataset", "changes"),
    [
        ("ntu60", {"batch_size": 9}),  # 34 clips: the last batch has 7, shared 3 and 4; BatchNorm
        ("ntu60", {"batch_size": 11, "accumulate": 2}),  # the last has one clip, which both work on
        ("ntu60", {"batch_size": 8, "protocol": "published", "model": "released-wtmr"}),  # validation is drawn, too
        ("hmdb51", {"batch_size": 5, "model": "released-timesformer"}),
        ("svideoqa", {"batch_size": 3}),
        ("ntu60", {"batch_size": 9, "mixup": 0.4, "ema_decay": 0.9, "stored_frames": 32, "views": 2}),
    ],
    ids=["uneven", "fewer clips than processes", "published", "frames", "coloured frames", "recipe"],
)
def test_two_processes_give_the_numbers_of_one(tmp_path, dataset, changes):
    """The same batch size in all, half of it each: weights, history and test logits agree to rounding."""
    root = WRITE[dataset](tmp_path / "set")
    one = training.run(small(dataset, **QUIET | changes), tmp_path / "one", root)
    two = training.run(small(dataset, **QUIET | changes, processes=2), tmp_path / "two", root)
    assert one.name == two.name  # how many processes is not what a run is
    assert runs.read_json(two / runs.ENVIRONMENT)["processes"] == 2
    pd.testing.assert_frame_equal(*(pd.read_csv(f / runs.HISTORY) for f in (one, two)), rtol=1e-4)
    a, b = runs.load(one), runs.load(two)
    assert a.metrics["clips"] == b.metrics["clips"]
    np.testing.assert_array_equal(a.names, b.names)
    np.testing.assert_allclose(a.logits, b.logits, rtol=1e-3, atol=1e-4)
    weights = [load_file(f / runs.WEIGHTS) for f in (one, two)]
    for key in weights[0]:
        torch.testing.assert_close(weights[1][key], weights[0][key], rtol=1e-3, atol=1e-4)


GRADIENTS = """
import sys, torch
from accelerate import Accelerator
from wtmr_core.models.synced import synced
from wtmr_core.data import Share
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(),
                              torch.nn.BatchNorm2d(3, affine=False), torch.nn.Flatten(), torch.nn.LazyLinear(4))
x, y = torch.randn(7, 2, 6, 5), torch.arange(7) % 4
network(x)
worker = Accelerator(cpu=True)
synced(network)
share = Share.of(7, worker.process_index, worker.num_processes)
wrapped = worker.prepare(network)
each = torch.nn.functional.cross_entropy(wrapped(x[share.slice]), y[share.slice], reduction="none")
worker.backward(each.sum() * worker.num_processes / share.whole)
if worker.is_main_process:
    torch.save({k: p.grad for k, p in network.named_parameters()} | dict(network.named_buffers()), sys.argv[1])
"""


def test_the_gradients_are_those_of_the_whole_batch(tmp_path):
    """Seven clips over two processes through both kinds of BatchNorm, against plain torch on all seven."""
    (tmp_path / "gradients.py").write_text(GRADIENTS)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*torchrun, tmp_path / "gradients.py", tmp_path / "got.pt"], check=True, cwd=PROJECT, timeout=120)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU(),
                                  torch.nn.BatchNorm2d(3, affine=False), torch.nn.Flatten(),
                                  torch.nn.LazyLinear(4))  # fmt: skip
    x, y = torch.randn(7, 2, 6, 5), torch.arange(7) % 4
    network(x)
    torch.nn.functional.cross_entropy(network(x), y).backward()
    wanted = {k: p.grad for k, p in network.named_parameters()} | dict(network.named_buffers())
    got = torch.load(tmp_path / "got.pt", weights_only=True)
    for key, value in wanted.items():
        torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-6)


def test_killed_at_twenty_moments_two_processes_end_as_if_undisturbed(root, tmp_path):
    """SIGKILL for the command alone, whose processes then end by themselves, or for all of them at once."""
    settings = small(epochs=60, processes=2, batch_size=16)
    train = [sys.executable, "-m", "wtmr_core", "train", *to_pairs(settings), "--root", str(root), "--results"]

    def start(results):
        return subprocess.Popen([*train, str(results)], cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                start_new_session=True)  # fmt: skip

    began = time.monotonic()
    undisturbed = start(tmp_path / "whole")
    assert undisturbed.wait(300) == 0, undisturbed.stderr.read().decode()
    took = time.monotonic() - began
    rng, half_done, kills = random.Random(1), 0, 0
    while kills < 20:
        if list((tmp_path / "torn").glob(f"runs/*/{runs.METRICS}")):  # nothing left to disturb
            shutil.rmtree(tmp_path / "torn")
        process = start(tmp_path / "torn")
        # every other time it trains when it is killed, however slow the machine is; else it may be starting
        while kills % 4 < 2 and process.poll() is None and not list((tmp_path / "torn").glob(f"runs/*/{runs.STATE}")):
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5 * took))
        if process.poll() is None:
            kills += 1
            (os.kill if kills % 2 else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
        half_done += len(list((tmp_path / "torn").glob(f"runs/*/{runs.STATE}"))) > 0
    assert half_done  # some of it was killed in the middle of training
    assert start(tmp_path / "torn").wait(300) == 0
    (whole,), (torn,) = ([*(tmp_path / name / "runs").iterdir()] for name in ("whole", "torn"))
    same_outcome(torn, whole)
    assert not list(torn.glob("*.part*")) + list(torn.glob(".*.part*"))


def test_what_a_failing_process_says_is_what_is_said(root, tmp_path):
    settings = small(processes=2, epochs=1, split="cross-subject")
    folder = runs.folder(tmp_path, settings, training.prepare(settings, root).cache.fingerprint())
    folder.mkdir(parents=True)
    runs.write_json(folder / runs.SETTINGS, {})
    with pytest.raises(RunError, match=r"the run over 2 processes failed: .* holds a run with another dataset"):
        training.run(settings, tmp_path, root)


def test_another_process_that_trains_the_run_is_said(root, tmp_path):
    settings = small(epochs=1, split="cross-subject")
    data = training.prepare(settings, root).cache.fingerprint()
    folder = runs.folder(tmp_path, settings, data)
    with (
        runs.opened(folder, settings, data),
        pytest.raises(RunError, match="another process trains ntu60-wtmr"),
    ):
        training.run(settings, tmp_path, root)


@pytest.mark.parametrize(
    ("changes", "gpus", "said"),
    [
        ({"processes": 4, "device": "cuda"}, 2, "processes is 4, but there are 2 GPUs"),
        ({"processes": 2, "device": "cuda:1"}, 2, "device is cuda:1, one GPU, and processes is 2"),
        ({"processes": 4, "nodes": 3}, 0, "batch_size is 8, less than the 12 processes"),
    ],
)
def test_processes_that_cannot_be(changes, gpus, said):
    with pytest.raises(RunError, match=said):
        distributed.check(small(**changes), gpus)


def test_several_machines_need_slurm(monkeypatch, tmp_path):
    settings = small(nodes=2)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(RunError, match="nodes is 2, which needs a SLURM job"):
        distributed.command(settings, tmp_path, None)
