"""What a network costs: parameters, multiply-accumulates (MACs), time and memory.

There are two countings, and each function says which it is:

* published: as the paper counted, by hooks on layers (its tool was `thop`), which see convolutions, linear
  layers and normalisations, but neither the two products of attention nor any free parameter;
* complete: all parameters, and every matrix product and convolution, attention's included.
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

from wtmr_core.modality import CHANNELS, MODALITIES, has_joints
from wtmr_core.models import build, released
from wtmr_core.paper import published

COUNTINGS = ("published", "complete")
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)


@dataclass(frozen=True)
class Cost:
    """What one forward pass of a network costs, for the batch that it was counted with."""

    params: int
    macs: int

    @property
    def flops(self) -> int:
        """Floating-point operations: a multiply-accumulate is two."""
        return 2 * self.macs


@dataclass(frozen=True)
class Timing:
    """How long one forward pass takes, and under which conditions that was measured."""

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

    `params` are those of convolutions, linear layers, LayerNorm and BatchNorm: not embeddings and class
    token, which belong to no such layer. `macs` are, of these layers, a multiplication for each weight that
    an output meets (padding included, bias not), and 4 for each element of a normalisation. Attention's
    products, activations, softmax, pools, resizing and sums count nothing.

    This is `thop` 0.1.1 with every normalisation registered that is a subclass of PyTorch's: `thop` goes by
    exact type, and today's timm has a LayerNorm of its own. Works on any device, `meta` included.
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
    """Count `model` in one pass over `inputs` with nothing left out that multiplies matrices.

    `params` are all parameters. `macs` are those of every matrix product and convolution (padding included,
    bias not), attention's QKᵀ and AV among them; what works element by element (normalisation, activation,
    softmax, pools, sums) counts nothing. Works on any device, `meta` included.

    Counted by PyTorch's `FlopCounterMode`, halved. Attention is computed by plain matrix products meanwhile,
    since the counter takes some fused kernels for nothing.
    """
    counter = FlopCounterMode(display=False)
    with _evaluating(model), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(inputs)
    return Cost(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2)


@cache
def cost_of_run(dataset: str, model: str, *, frames: int, size: int = 224, **sizes: Any) -> Cost:
    """The complete count, for one clip, of `models.build` with these sizes, those of a run (`Settings.sizes`).

    A clip of joints has one body here; `profile_table` counts `wtmr` with two. Weights from files are not read. Each
    network is counted once; its sizes must be hashable.
    Raises `ValueError` as `models.build`.
    """
    sizes = {k: v for k, v in sizes.items() if k not in ("backbone_weights", "timesformer_weights")}
    shape = input_shape(dataset, model, frames, size, bodies=1)
    with torch.device(_device(dataset, model)):
        return count_complete(build(dataset, model, frames=frames, size=size, **sizes), torch.ones(1, *shape))


def profile_table(counting: str) -> pd.DataFrame:
    """Parameters and MACs of one clip for the nine networks as released, in the order of the paper's profile, and
    after the three of each data set for `wtmr`, on joints with both bodies there; all at full size.

    Columns: dataset, model, params_m (10⁶), gmacs (10⁹), not rounded.

    `published` counts as the paper did, so that its figures come out: layers' parameters on HMDB51 and NTU
    but all of them on SVideoQA, layers' MACs, and SVideoQA's WTMR-Net in its profiled variant at 56×56
    pixels; of `wtmr`, layers' on all three. `complete` counts everything, each network at the input it is trained with.
    Raises `ValueError` for another counting.
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


def input_shape(dataset: str, model: str, frames: int = 16, size: int = 224, bodies: int = 2) -> tuple[int, ...]:
    """The lengths of a clip's axes: (t, c, h, w) or, of joints, (t, j, 3), for `wtmr` (t, m, j, 3)."""
    if has_joints(dataset):
        return (frames, bodies, released.JOINTS, 3) if model == "wtmr" else (frames, released.JOINTS, 3)
    return (frames, CHANNELS[MODALITIES[dataset]], size, size)


def _device(dataset: str, model: str) -> str:
    """Where a network is counted: `meta` takes no memory, but has no zeros to tell which bodies are there."""
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
    """Time the forward pass of `model` over `inputs`, with its conditions.

    `inputs` has the batch as its first axis; with `batch`, its clips are repeated until there are so many.
    `precision` is fp32, or autocast to bf16 or fp16; on CUDA, fp32 keeps the process's setting of TF32.
    `model` is moved to `device` and stays there; it runs in evaluation and inference mode, and its layers are
    put back into the mode they were in. `warmup` passes are not counted; the device is waited for before and
    after each of the `repeats`, so that copying the inputs there is not in the time and all the work is.

    Peak memory is, on CUDA, all that tensors hold at once during the passes, weights and inputs included
    (`torch.cuda.max_memory_allocated`); on the CPU, by how much the process's largest resident size grew
    (`getrusage`), which is 0 where the process was larger before: measure in a fresh process. On other
    devices, and on Windows, None.

    Raises `ValueError` for an unknown precision, and for a `batch`, `warmup` or `repeats` that is too small.
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
    """Evaluation mode within, and after it each layer in the mode that it was in."""
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
