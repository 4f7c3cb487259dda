"""What a network costs: parameters, multiply-accumulates (MACs), time and memory.

There are two ways of counting:

- published: as in the paper, by hooks on layers (its tool was `thop`), which see convolutions, linear layers and
  normalisations, but neither the two matrix products of attention nor any free parameter
- complete: all parameters, and every matrix product and convolution, including attention's
"""

from __future__ import annotations

import platform
import statistics
import sys
import timeit
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.benchmark.utils.timer import timer
from torch.utils.flop_counter import FlopCounterMode

from wtmr_core.modality import channels, has_joints
from wtmr_core.models import build, released
from wtmr_core.paper import published
from wtmr_core.settings import PRETRAINED
from wtmr_core.skeleton import JOINTS

COUNTINGS = ("published", "complete")
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)


@dataclass(frozen=True)
class Cost:
    """What a forward pass of a network costs, for the batch with which it was counted."""

    params: int
    macs: int

    @property
    def flops(self) -> int:
        """Floating-point operations: a multiply-accumulate is two."""
        return 2 * self.macs


@dataclass(frozen=True)
class Timing:
    """How long a forward pass takes, and under which conditions that was measured."""

    median_s: float
    clips_per_second: float  # batch / median
    peak_memory_mb: float | None  # 10⁶ bytes; see `time_forward`; None where it cannot be measured
    batch: int
    repeats: int
    precision: str
    device: str
    threads: int  # of PyTorch on the CPU


def count_published(model: nn.Module, inputs: Tensor) -> Cost:
    """Count `model` in one pass over `inputs` the way the paper did.

    `params` are those of convolutions, linear layers, LayerNorm and BatchNorm; embeddings and class tokens belong to no
    such layer. `macs` are, for these layers, one multiplication for each weight that an output meets (including
    padding, not bias), and 4 for each element of a normalisation. The matrix products of attention, activations,
    softmax, pools, resizing and sums count nothing.

    This is `thop` 0.1.1 with every subclass of PyTorch's normalisations registered: `thop` goes by exact type, and
    today's timm has a LayerNorm of its own. Works on any device, including `meta`.
    """
    macs = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.modules.conv._ConvNd):
            macs += output.numel() * layer.weight[0].numel()  # in channels / groups × kernel
        elif isinstance(layer, nn.Linear):
            macs += output.numel() * layer.in_features
        else:
            macs += 4 * output.numel()

    layers = [layer for layer in model.modules() if isinstance(layer, LAYERS)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with _evaluating(model), torch.no_grad():
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(p.numel() for layer in layers for p in layer.parameters()), macs)


def count_complete(model: nn.Module, inputs: Tensor) -> Cost:
    """Count `model` in one pass over `inputs`, leaving out nothing that multiplies matrices.

    `params` are all parameters. `macs` are those of every matrix product and convolution (including padding, not bias),
    QKᵀ and AV of attention among them; element-wise work (normalisation, activation, softmax, pools, sums) counts
    nothing. PyTorch's `FlopCounterMode` counts, and the result is halved. Meanwhile attention is computed by plain
    matrix products, because the counter ignores some fused kernels. Works on any device, including `meta`.
    """
    counter = FlopCounterMode(display=False)
    with _evaluating(model), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(inputs)
    return Cost(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2)


@cache
def cost_of_run(dataset: str, model: str, *, frames: int, size: int = 224, **sizes: Any) -> Cost:
    """Count completely, for one clip, the network of a run, whose `sizes` are those of `Settings.sizes`.

    A clip of joints has one body here; `profile_table` counts `wtmr` with two. Files of weights are not read. Each
    network is counted once, so its sizes must be hashable. Raises `ValueError` as `models.build`.
    """
    sizes = {k: v for k, v in sizes.items() if k not in PRETRAINED}
    shape = input_shape(dataset, model, frames, size, bodies=1, colour=sizes.get("colour"))
    with torch.device(_device(dataset, model)):
        return count_complete(build(dataset, model, frames=frames, size=size, **sizes), torch.ones(1, *shape))


def profile_table(counting: str) -> pd.DataFrame:
    """Count parameters and MACs of one clip at full size for the nine networks as released and for `wtmr`.

    `published` counts as the paper did, so that its figures come out: parameters of layers on HMDB51 and NTU but all of
    them on SVideoQA, MACs of layers, and SVideoQA's WTMR-Net in its profiled variant at 56×56 pixels; for `wtmr`,
    parameters of layers on all three. `complete` counts everything, each network at the input it is trained with.

    Args:
        counting: published or complete

    Returns:
        Rows in the order of the paper's profile, with `wtmr` (on joints with two bodies) after the three networks of
        each data set; columns dataset, model, params_m (10⁶), gmacs (10⁹), not rounded.

    Raises:
        ValueError: for another counting.
    """
    if counting not in COUNTINGS:
        raise ValueError(f"there is no counting {counting!r}; there are {', '.join(COUNTINGS)}")
    count = count_published if counting == "published" else count_complete
    counted_by = published.profile().set_index(["dataset", "model"]).params_counted_by
    rows = []
    for dataset in released.DATASETS:
        for model in (*released.MODELS, "wtmr"):
            profiled = counting == "published" and (dataset, model) == ("svideoqa", "released-wtmr")
            sizes = {"profiled": True} if profiled else {}
            with torch.device(_device(dataset, model)):
                network = build(dataset, model, **sizes)
                cost = count(network, torch.ones(1, *input_shape(dataset, model, size=56 if profiled else 224)))
            params = cost.params
            if counting == "published" and counted_by.get((dataset, model)) == "all_parameters":
                params = sum(p.numel() for p in network.parameters())
            rows.append((dataset, model, params / 1e6, cost.macs / 1e9))
    return pd.DataFrame(rows, columns=["dataset", "model", "params_m", "gmacs"])


def input_shape(
    dataset: str, model: str, frames: int = 16, size: int = 224, bodies: int = 2, colour: bool | None = None
) -> tuple[int, ...]:
    """The lengths of a clip's axes: (t, c, h, w), or for joints (t, j, 3) and for `wtmr` (t, m, j, 3)."""
    if has_joints(dataset):
        return (frames, bodies, JOINTS, 3) if model == "wtmr" else (frames, JOINTS, 3)
    return (frames, channels(dataset, colour), size, size)


def _device(dataset: str, model: str) -> str:
    """Where a network is counted: `meta` takes no memory, but cannot tell which bodies are zero."""
    return "cpu" if model == "wtmr" and has_joints(dataset) else "meta"


def time_forward(
    model: nn.Module,
    inputs: Tensor,
    *,
    batch: int | None = None,
    precision: str = "fp32",
    device: str | torch.device = "cpu",
    warmup: int = 3,
    repeats: int = 20,
) -> Timing:
    """Time the forward pass of `model` over `inputs`, in evaluation and inference mode.

    `model` is moved to `device` and stays there; its layers return to the mode they were in. The device is synchronised
    before and after each pass, so the time includes all its work, but not the copying of the inputs.

    Peak memory on CUDA is all that tensors hold at once during the passes, including weights and inputs
    (`torch.cuda.max_memory_allocated`). On the CPU it is by how much the process's largest resident size grew
    (`getrusage`), which is 0 where the process was larger before: measure in a fresh process. On other devices, and on
    Windows, it is None.

    Args:
        model: a network
        inputs: with the batch as first axis
        batch: number of clips; those of `inputs` are repeated until there are so many
        precision: fp32, or autocast to bf16 or fp16; on CUDA, fp32 keeps the process's TF32 setting
        device: cpu, cuda, cuda:1 …
        warmup: passes that are not counted
        repeats: passes that are timed; the median counts

    Raises:
        ValueError: for an unknown precision, and for a `batch`, `warmup` or `repeats` that is too small.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
    for name, number, least in (("batch", batch, 1), ("warmup", warmup, 0), ("repeats", repeats, 1)):
        if number is not None and number < least:
            raise ValueError(f"{name} must be at least {least}, found {number}")
    device = torch.device(device)
    if batch is not None:
        inputs = inputs[torch.arange(batch) % len(inputs)]  # (batch, …)
    model, inputs = model.to(device), inputs.to(device)
    memory, dtype = PeakMemory(device), PRECISIONS[precision]
    autocast = torch.autocast(device.type, dtype) if dtype else nullcontext()
    # torch's timer waits for the accelerator; its `Timer` would add passes of its own, minutes each at full size
    clock = timeit.Timer(lambda: model(inputs), timer=timer)
    with _evaluating(model), torch.inference_mode(), autocast, torch.accelerator.device_index(device.index):
        for _ in range(warmup):
            model(inputs)
        median = statistics.median(clock.repeat(repeats, number=1))
    return Timing(
        median_s=median,
        clips_per_second=len(inputs) / median,
        peak_memory_mb=memory.peak_mb(),
        batch=len(inputs),
        repeats=repeats,
        precision=precision,
        device=_device_name(device),
        threads=torch.get_num_threads(),
    )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode for a while; each layer then returns to the mode it was in."""
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


class PeakMemory:
    """The peak memory in use since this object was created, measured as `time_forward` describes."""

    def __init__(self, device: torch.device):
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        self.start = self._largest_resident()

    def peak_mb(self) -> float | None:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e6
        if self.device.type != "cpu" or self.start is None:
            return None
        return (self._largest_resident() - self.start) / 1e6

    @staticmethod
    def _largest_resident() -> int | None:
        """The largest resident size of this process so far, in bytes."""
        try:
            import resource  # not on Windows
        except ImportError:
            return None
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else 1024 * largest


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine() if device.type == "cpu" else device.type
