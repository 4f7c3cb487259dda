"""Pace, memory and cost of the networks: WTMR-Net as described against as released, our TimeSformer against
Hugging Face's.

    PYTHONPATH=. python benchmarks/network.py                                           the CPU, some minutes
    PYTHONPATH=. python benchmarks/network.py --device cuda --full --precision bf16     a GPU, the paper's sizes
    PYTHONPATH=. python benchmarks/network.py --tiny                                    to see that it runs

On random clips: the forward pass, and the training step (forward, loss, backward, AdamW). The two of a pair take turns in
one process, A B A B …; a ratio is the median over the turns, above 1 where the first is faster. On the CPU that process
keeps its freed memory, as a run does. Peak memory is that of three training steps, each network in a process of its own:
on a GPU all that tensors hold, on the CPU the growth of the largest resident size since before the network was built.
GMACs are complete ones, of one clip. Without `transformers` its TimeSformer is left out.
"""

import argparse
import importlib.util
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn

from wtmr_core import models, profiling
from wtmr_core.models.embedding import Encodings, PatchEmbedding
from wtmr_core.models.timesformer import TimeSformer

KINDS = {"joint": "joint_space_time", "divided": "divided_space_time", "space": "space_only"}
#: by setting: frames, joints and TimeSformer, each with its batch; `depth` of WTMR-Net as described, as released
SIZES = {
    "tiny": (
        {"batch": 2, "frames": 4, "size": 32, "width": 32, "heads": 2, "conv_channels": (4, 8), "depth": (1, 1)},
        {"batch": 2, "frames": 4, "width": 32, "heads": 2, "conv_channels": (4, 8), "depth": (1, 1)},
        {"batch": 2, "frames": 4, "size": 32, "patch": 8, "width": 32, "heads": 2, "depth": 1},
    ),
    "default": (  # WTMR-Net as in the runs on real recordings
        {"batch": 8, "frames": 8, "size": 64, "width": 128, "heads": 4, "conv_channels": (16, 32), "depth": (2, 4)},
        {"batch": 16, "frames": 16, "width": 128, "heads": 4, "conv_channels": (32, 64), "depth": (2, 4)},
        {"batch": 2, "frames": 8, "size": 224, "patch": 16, "width": 192, "heads": 3, "depth": 4},
    ),
    "full": (
        {"batch": 8, "frames": 16, "size": 224, "depth": (None, None)},
        {"batch": 32, "frames": 16, "depth": (None, None)},
        {"batch": 8, "frames": 8, "size": 224, "patch": 16, "width": 768, "heads": 12, "depth": 12},
    ),
}


class Ours(nn.Module):
    """Clips (b, t, 3, h, w) → class token (b, d)."""

    def __init__(self, attention: str, *, frames: int, size: int, patch: int, width: int, depth: int, heads: int):
        super().__init__()
        grid = (size // patch, size // patch)
        self.patches = PatchEmbedding(3, (1, patch, patch), width)
        self.encodings = Encodings(width, frames, grid, time=attention != "space")
        self.timesformer = TimeSformer(width, depth, heads, attention=attention)

    def forward(self, clips: Tensor) -> Tensor:
        class_token, _ = self.timesformer(*self.encodings(self.patches(clips)))
        return class_token[:, 0]


class HuggingFace(nn.Module):
    """The same by Hugging Face's `TimesformerModel`."""

    def __init__(self, attention: str, *, frames: int, size: int, patch: int, width: int, depth: int, heads: int):
        super().__init__()
        from transformers import TimesformerConfig, TimesformerModel

        config = TimesformerConfig(
            image_size=size, patch_size=patch, num_frames=frames, hidden_size=width, num_hidden_layers=depth,
            num_attention_heads=heads, intermediate_size=4 * width, attention_type=KINDS[attention],
        )  # fmt: skip
        self.timesformer = TimesformerModel(config)

    def forward(self, clips: Tensor) -> Tensor:
        class_token = self.timesformer(clips).last_hidden_state[:, 0]
        return reduce(class_token, "(b t) d -> b d", "mean", b=len(clips))  # space: one of each frame, else t is 1


@dataclass(frozen=True)
class Network:
    """How to build a network, and the clips it takes; it travels to other processes."""

    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of a clip
    bodies: int | None = None  # those that are there, the others are zero

    def clips(self, batch: int) -> Tensor:
        clips = torch.rand(batch, *self.shape)
        if self.bodies is not None:
            clips[:, :, self.bodies :] = 0
        return clips


@dataclass(frozen=True)
class Pair:
    what: str
    batch: int
    first: Network
    second: Network


class Steps:
    """Forward passes and training steps of a network over one random batch."""

    def __init__(self, network: Network, batch: int, device: torch.device, precision: str):
        self.model, self.clips = network.build().to(device), network.clips(batch).to(device)
        self.labels = torch.zeros(batch, dtype=torch.long, device=device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.autocast = partial(torch.autocast, device.type, torch.bfloat16, enabled=precision == "bf16")

    @torch.inference_mode()
    def forward(self) -> None:
        with self.autocast():
            self.model(self.clips)

    def train(self) -> None:
        with self.autocast():
            logits = self.model(self.clips)
        F.cross_entropy(logits.float(), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def pairs(options: argparse.Namespace) -> list[Pair]:
    found = []
    frames, joints, tokens = ({**sizes} for sizes in SIZES[options.setting])
    for what, dataset, sizes, bodies in (
        ("frames", "hmdb51", frames, None),
        ("joints, one body", "ntu60", joints, 1),
        ("joints, two bodies", "ntu60", joints, 2),
    ):
        networks = []
        batch, depths = options.batch or sizes["batch"], sizes["depth"]
        sizes = {key: value for key, value in sizes.items() if key not in ("batch", "depth")}
        for model, depth in zip(("wtmr", "released-wtmr"), depths, strict=True):
            shape = profiling.input_shape(dataset, model, sizes["frames"], sizes.get("size", 224))
            build = partial(models.build, dataset, model, depth=depth, **sizes)
            networks.append(Network(model, build, shape, bodies if model == "wtmr" else None))
        found.append(Pair(what, batch, *networks))
    if importlib.util.find_spec("transformers") is None:
        print("transformers is not installed: our TimeSformer is not compared with Hugging Face's")
        return found
    batch = options.batch or tokens.pop("batch")
    tokens.pop("batch", None)
    shape = (tokens["frames"], 3, tokens["size"], tokens["size"])
    for attention in KINDS:
        ours, theirs = (partial(kind, attention, **tokens) for kind in (Ours, HuggingFace))
        networks = Network("ours", ours, shape), Network("Hugging Face's", theirs, shape)
        found.append(Pair(f"TimeSformer, {attention}", batch, *networks))
    return found


def weigh(network: Network, batch: int, options: argparse.Namespace) -> tuple[float, float]:
    """Peak memory in MB of three training steps, and GMACs of a clip."""
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    with torch.device("meta"):
        network.build()  # what is loaded with the first network, and with the first step, is no part of this one
    little = Network("", partial(nn.Linear, 2, 2), (2,))
    Steps(little, 1, device, options.precision).train()
    memory = profiling._PeakMemory(device)
    steps = Steps(network, batch, device, options.precision)
    for _ in range(3):
        steps.train()
    return memory.peak_mb(), profiling.count_complete(steps.model, steps.clips[:1]).macs / 1e9


def race(pair: Pair, options: argparse.Namespace) -> dict[str, tuple[float, float, float]]:
    """Clips/s of the two and the median of their ratio, of forward pass and of training step."""
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    wait = profiling._synchronizer(device)
    both = [Steps(network, pair.batch, device, options.precision) for network in (pair.first, pair.second)]

    def turn(kind: str) -> list[float]:
        seconds = []
        for steps in both:
            wait()
            began = time.perf_counter()
            getattr(steps, kind)()
            wait()
            seconds.append(time.perf_counter() - began)
        return seconds

    found = {}
    for kind in ("forward", "train"):
        for steps in both:
            steps.model.train(kind == "train")
        for _ in range(3):
            turn(kind)
        began, turns = time.perf_counter(), []
        while len(turns) < 5 or time.perf_counter() - began < options.seconds:
            turns.append(turn(kind))
        first, second = (pair.batch / statistics.median(seconds) for seconds in zip(*turns, strict=True))
        found[kind] = first, second, statistics.median(theirs / ours for ours, theirs in turns)
    return found


def alone(work: Callable, *given: Any) -> Any:
    """`work` in a process of its own, started afresh."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *given).result()


def rows(pair: Pair, options: argparse.Namespace) -> list[dict[str, Any]]:
    networks = pair.first, pair.second
    weights = [alone(weigh, network, pair.batch, options) for network in networks]
    if options.device == "cpu":  # as `training._keep_memory`, for processes to come
        os.environ |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
    try:
        paces = alone(race, pair, options)
    finally:
        for name in ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_"):
            os.environ.pop(name, None)
    found = []
    for i, (network, (megabytes, gmacs)) in enumerate(zip(networks, weights, strict=True)):
        row = {"what": pair.what, "network": network.name, "batch": pair.batch}
        row |= {"forward clips/s": f"{paces['forward'][i]:.1f}", "training clips/s": f"{paces['train'][i]:.1f}"}
        row |= {"peak MB": f"{megabytes:.0f}", "GMACs": f"{gmacs:.3f}"}
        for kind, name in (("forward", "forward"), ("train", "training")):
            row[f"{name} ratio"] = f"{paces[kind][2]:.2f}" if i == 0 else "1"
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch on the CPU")
    parser.add_argument("--batch", type=int, help="clips in a batch, in place of the setting's own")
    setting = parser.add_mutually_exclusive_group()
    for name in ("tiny", "full"):
        setting.add_argument(f"--{name}", dest="setting", action="store_const", const=name, default="default")
    options = parser.parse_args()
    options.seconds = 0.2 if options.setting == "tiny" else 15.0  # of a pair's forward passes, and of its training
    on = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {options.threads} thread(s)"
    print(f"{on}, torch {torch.__version__}, {options.precision}, {options.setting} setting")
    made = []
    for pair in pairs(options):
        try:
            made += rows(pair, options)
        except torch.OutOfMemoryError:
            print(f"{pair.what}: more than the card's memory; give a smaller --batch")
            continue
        print(*made[-2].values(), "|", *made[-1].values(), flush=True)
    table = pd.DataFrame(made)
    print("\n" + table.to_string(index=False) + "\n")
    for line in (table.columns, ["---"] * table.shape[1], *table.itertuples(index=False)):
        print("|", " | ".join(map(str, line)), "|")


if __name__ == "__main__":
    main()
