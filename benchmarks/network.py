"""Pace, memory and cost of the networks: WTMR-Net as described against as released, and against Hugging Face's
TimeSformer of as many tokens, blocks and heads; our TimeSformer alone against Hugging Face's.

    PYTHONPATH=. python benchmarks/network.py                                           the CPU, 6 minutes
    PYTHONPATH=. python benchmarks/network.py --device cuda --full --precision bf16     a GPU, the paper's sizes
    PYTHONPATH=. python benchmarks/network.py --tiny                                    seconds, to see that it runs

On random clips: the forward pass, and the training step (forward, loss, backward, AdamW). The two of a pair take turns
in one process, A B A B …; a ratio is the median over the turns (with quartiles), above 1 where the first is faster. On
the CPU that process keeps its freed memory, as a run does. Peak memory is that of three training steps, each network in
a process of its own: on a GPU all that tensors hold, on the CPU by how much the largest resident size grew since before
the network was built. GMACs are the complete ones of one clip. Without `transformers` its TimeSformer is left out.
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn
from torch.utils.benchmark.utils.timer import timer

from wtmr_core import models
from wtmr_core.models.embedding import Encodings, PatchEmbedding
from wtmr_core.models.timesformer import TimeSformer
from wtmr_core.paper import cost

KINDS = {"joint": "joint_space_time", "divided": "divided_space_time", "space": "space_only"}
#: by setting: frames, joints and TimeSformer, each with its batch; of WTMR-Net what both have, then each its own
SIZES = {
    "tiny": (
        {"batch": 2, "frames": 4, "size": 32, "width": 32, "heads": 2, "conv_channels": (4, 8), "depth": 1},
        {"batch": 2, "frames": 4, "width": 32, "heads": 2, "conv_channels": (4, 8), "depth": 1},
        {"batch": 2, "frames": 4, "size": 32, "patch": 8, "width": 32, "heads": 2, "depth": 1},
    ),
    "default": (  # WTMR-Net as in the runs on real recordings, experiments/real.yaml
        {"batch": 16, "frames": 4, "size": 64, "width": 128, "conv_channels": (32, 64),
         "described": {"depth": 1, "heads": 4, "patch": 8}, "released": {"depth": 4, "heads": 8}},
        {"batch": 16, "frames": 8, "width": 128,
         "described": {"depth": 1, "heads": 4, "conv_channels": (32, 64)}, "released": {"depth": 4, "heads": 8}},
        {"batch": 2, "frames": 8, "size": 224, "patch": 16, "width": 192, "heads": 3, "depth": 4},
    ),
    "full": (
        {"batch": 8, "frames": 16, "size": 224},
        {"batch": 32, "frames": 16},
        {"batch": 8, "frames": 8, "size": 224, "patch": 16, "width": 768, "heads": 12, "depth": 12},
    ),
}  # fmt: skip


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
    """The same by Hugging Face's `TimesformerModel`; clips have `channels`."""

    def __init__(self, attention: str, *, frames: int, size: int, patch: int, width: int, depth: int, heads: int,
                 channels: int = 3):  # fmt: skip
        super().__init__()
        from transformers import TimesformerConfig, TimesformerModel

        config = TimesformerConfig(
            image_size=size, patch_size=patch, num_channels=channels, num_frames=frames, hidden_size=width,
            num_hidden_layers=depth, num_attention_heads=heads, intermediate_size=4 * width,
            attention_type=KINDS[attention],
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

    def training(self) -> None:
        with self.autocast():
            logits = self.model(self.clips)
        F.cross_entropy(logits.float(), self.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def pairs(setting: str, batch: int | None) -> list[Pair]:
    """What is compared in a setting; `batch` takes the place of the setting's own."""
    frames, joints, tokens = ({**sizes, "batch": batch or sizes["batch"]} for sizes in SIZES[setting])
    found = [
        wtmr("frames", "hmdb51", **frames),
        wtmr("joints, one body", "ntu60", bodies=1, **joints),
        wtmr("joints, two bodies", "ntu60", bodies=2, **joints),
    ]
    if importlib.util.find_spec("transformers") is None:
        print("transformers is not installed: our TimeSformer is not compared with Hugging Face's")
        return found
    return [*found, whole(**frames), *(timesformer(attention, **tokens) for attention in KINDS)]


def wtmr(what: str, dataset: str, *, batch: int, described: dict | None = None, released: dict | None = None,
         bodies: int | None = None, **sizes: Any) -> Pair:  # fmt: skip
    networks = []
    for model, own in (("wtmr", described), ("released-wtmr", released)):
        build = partial(models.build, dataset, model, **sizes, **own or {})
        shape = cost.input_shape(dataset, model, sizes["frames"], sizes.get("size", 224))
        networks.append(Network(model, build, shape, bodies if model == "wtmr" else None))
    return Pair(what, batch, *networks)


def whole(*, batch: int, described: dict | None = None, **sizes: Any) -> Pair:
    """The described network on frames, and Hugging Face's TimeSformer on the same clips: 8×8 cells of a map that is a
    quarter of the frame are patches of 32×32 pixels there."""
    ours = wtmr("frames", "hmdb51", batch=batch, described=described, **sizes).first
    given = {"size": 224, "width": 768, "depth": 12, "heads": 12} | sizes | (described or {}) | {"patch": 32}
    given = {key: given[key] for key in ("frames", "size", "patch", "width", "depth", "heads")}
    theirs = Network("Hugging Face's", partial(HuggingFace, "joint", channels=ours.shape[1], **given), ours.shape)
    return Pair("frames, TimeSformer alone", batch, ours, theirs)


def timesformer(attention: str, *, batch: int, **sizes: Any) -> Pair:
    shape = (sizes["frames"], 3, sizes["size"], sizes["size"])
    ours, theirs = (partial(kind, attention, **sizes) for kind in (Ours, HuggingFace))
    networks = Network("ours", ours, shape), Network("Hugging Face's", theirs, shape)
    return Pair(f"TimeSformer, {attention}", batch, *networks)


def prepared(options: argparse.Namespace) -> torch.device:
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.deterministic = True  # as in a run
    return torch.device(options.device)


def weigh(network: Network, batch: int, options: argparse.Namespace) -> tuple[float, float]:
    """Peak memory in MB of three training steps, and GMACs of a clip."""
    device = prepared(options)
    with torch.device("meta"):
        network.build()  # what is loaded with the first network, and with the first step, is no part of this one
    little = Network("", partial(nn.Linear, 2, 2), (2,))
    Steps(little, 1, device, options.precision).training()
    memory = cost.PeakMemory(device)
    steps = Steps(network, batch, device, options.precision)
    for _ in range(3):
        steps.training()
    return memory.peak_mb(), cost.count_complete(steps.model, steps.clips[:1]).macs / 1e9


def race(pair: Pair, options: argparse.Namespace) -> dict[str, tuple[list[float], list[float]]]:
    """Clips/s of the two, and the quartiles of their ratio, of forward pass and of training step."""
    device = prepared(options)
    if device.type == "cpu":
        from wtmr_core.training import keep_memory

        keep_memory()
    both = [Steps(network, pair.batch, device, options.precision) for network in (pair.first, pair.second)]

    def turn(kind: str) -> list[float]:
        seconds = []
        for steps in both:
            began = timer()
            getattr(steps, kind)()
            seconds.append(timer() - began)
        return seconds

    found = {}
    for kind in ("forward", "training"):
        for steps in both:
            steps.model.train(kind == "training")
        for _ in range(3):
            turn(kind)
        began, turns = time.perf_counter(), []
        while len(turns) < 5 or time.perf_counter() - began < options.seconds:
            turns.append(turn(kind))
        paces = [pair.batch / statistics.median(seconds) for seconds in zip(*turns, strict=True)]
        found[kind] = paces, statistics.quantiles((second / first for first, second in turns), n=4)
    return found


def apart(work: Callable, *given: Any) -> Any:
    """`work` in a process of its own, started afresh; in the tiny setting, one process does all, to save its start."""
    options = given[-1]
    if options.setting == "tiny":
        return lasting().submit(work, *given).result()
    with started() as process:
        return process.submit(work, *given).result()


def started() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


lasting = cache(started)


def rows(pair: Pair, options: argparse.Namespace) -> list[dict[str, Any]]:
    networks = pair.first, pair.second
    costs = [apart(weigh, network, pair.batch, options) for network in networks]
    raced = apart(race, pair, options)
    found = []
    for i, (network, (megabytes, gmacs)) in enumerate(zip(networks, costs, strict=True)):
        row = {"what": pair.what, "network": network.name, "batch": pair.batch}
        for kind, (paces, (lower, median, upper)) in raced.items():
            row[f"{kind} clips/s"] = f"{paces[i]:.{1 if paces[i] >= 10 else 2}f}"
            row[f"{kind} ratio"] = "1" if i else f"{median:.2f} ({lower:.2f}–{upper:.2f})"
        found.append(row | {"peak MB": f"{megabytes:.0f}", "GMACs": f"{gmacs:.3f}"})
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
    for pair in pairs(options.setting, options.batch):
        try:
            made += rows(pair, options)
        except torch.OutOfMemoryError:
            print(f"{pair.what}: more than the card's memory; give a smaller --batch")
            continue
        print(f"{pair.what}: {made[-2]['forward ratio']}, training {made[-2]['training ratio']}", flush=True)
    table = pd.DataFrame(made)
    print("\n" + table.to_string(index=False) + "\n")
    for line in (table.columns, ["---"] * table.shape[1], *table.itertuples(index=False)):
        print("|", " | ".join(map(str, line)), "|")


if __name__ == "__main__":
    main()
