"""Costs: the paper's eighteen figures, parity with `thop`, hand-worked counts, a timing's conditions."""

import functools
import time

import pytest
import torch
from torch import nn

from wtmr_core import checkpoint
from wtmr_core.models import wtmr
from wtmr_core.models.released import DATASETS, MODELS, build
from wtmr_core.paper import published
from wtmr_core.paper.cost import cost_of_run, count_complete, count_published, input_shape, profile_table, time_forward
from wtmr_core.settings import Settings

PROFILE = functools.cache(profile_table)
SMALL = {"classes": 4, "frames": 3, "size": 64, "width": 16, "depth": 2, "heads": 2, "conv_channels": (4, 6)}


def inputs_of(dataset: str, frames: int = 3) -> torch.Tensor:
    clip = {"hmdb51": (1, 64, 64), "ntu60": (25, 3), "svideoqa": (3, 64, 64)}[dataset]
    return torch.zeros(1, frames, *clip)


def two_decimals(figures) -> list[tuple[str, str, str, str]]:
    return [(row.dataset, row.model, f"{row.params_m:.2f}", f"{row.gmacs:.2f}") for row in figures.itertuples()]


def test_the_eighteen_published_figures_come_out():
    table = PROFILE("published")
    counted = two_decimals(table[table.model != "wtmr"])
    assert counted == two_decimals(published.profile())
    assert len(counted) == 9
    assert table.model.tolist() == [*MODELS, "wtmr"] * 3


def test_complete_figures():
    """In 10⁶ and 10⁹, worked out apart: layers, and 2 · tokens² · width a block for attention's products."""
    expected = {
        ("hmdb51", "released-wtmr"): (92.64, 98.2),
        ("hmdb51", "released-wmrc"): (20.55, 15.3),
        ("hmdb51", "released-timesformer"): (45.16, 224.4),
        ("hmdb51", "wtmr"): (91.86, 92.30),
        ("ntu60", "released-wtmr"): (5.13, 2.4),
        ("ntu60", "released-wmrc"): (0.14, 0.05),
        ("ntu60", "released-timesformer"): (4.85, 2.4),
        ("ntu60", "wtmr"): (6.37, 0.47),
        ("svideoqa", "released-wtmr"): (92.61, 99.2),
        ("svideoqa", "released-wmrc"): (3.29, 16.2),
        ("svideoqa", "released-timesformer"): (90.44, 449.7),
        ("svideoqa", "wtmr"): (91.83, 92.87),
    }
    table = PROFILE("complete")
    assert list(zip(table.dataset, table.model, strict=True)) == list(expected)
    for row, (params, macs) in zip(table.itertuples(), expected.values(), strict=True):
        assert row.params_m == pytest.approx(params, abs=0.006)
        assert row.gmacs == pytest.approx(macs, abs=0.06)


@pytest.mark.parametrize(("counting", "ratio"), [("published", 38.7), ("complete", 4.5)])
def test_equal_inputs_take_most_of_the_advantage_away(counting, ratio):
    """SVideoQA's TimeSformer to WTMR-Net: published with 56×56 pixels for the latter, and no attention."""
    gmacs = PROFILE(counting).set_index(["dataset", "model"]).gmacs.loc["svideoqa"]
    assert gmacs["released-timesformer"] / gmacs["released-wtmr"] == pytest.approx(ratio, abs=0.05)


def test_the_profiled_network_completely():
    with torch.device("meta"):
        network = build("svideoqa", "released-wtmr", profiled=True)
        cost = count_complete(network, torch.empty(1, 16, 3, 56, 56))
    assert cost.macs / 1e9 == pytest.approx(7.0, abs=0.05)


def test_timesformer_by_hand():
    """2 frames of 2×2 patches, 8 wide, 2 heads: 8 tokens."""
    network = build("hmdb51", "released-timesformer", classes=5, frames=2, size=32, width=8, depth=1, heads=2)
    inputs = torch.zeros(1, 2, 1, 32, 32)
    tokens, width = 8, 8
    patches = tokens * 256 * width
    block = tokens * (width * 3 * width + width * width + 2 * width * 4 * width)
    head = width * 5
    attention = 2 * (2 * tokens * tokens * 4)  # heads × (QKᵀ, AV), each head 4 wide
    norms = 4 * (2 * tokens * width + width)  # two in the block, the last one on the mean
    assert count_complete(network, inputs).macs == patches + block + head + attention
    assert count_complete(network, inputs).flops == 2 * (patches + block + head + attention)
    assert count_published(network, inputs).macs == patches + block + head + norms
    weights = (256 * 8 + 8) + (8 * 24 + 8 * 8 + 8 + 8 * 32 + 32 + 32 * 8 + 8 + 4 * 8) + 2 * 8 + (8 * 5 + 5)
    assert count_published(network, inputs).params == weights
    assert count_complete(network, inputs).params == weights + tokens * width


def test_wmrc_on_joints_by_hand():
    """2 frames of 25 joints; BatchNorm is a normalisation too."""
    network = build("ntu60", "released-wmrc", classes=5, frames=2, width=6, conv_channels=(2, 4))
    inputs = torch.zeros(1, 2, 25, 3)
    convolutions = 2 * 25 * 3 * (3 * 2 + 2 * 4 + 4 * 6)
    head = 2 * 6 * 5  # on each frame
    assert count_complete(network, inputs).macs == convolutions + head
    assert count_published(network, inputs).macs == convolutions + head + 4 * 2 * 25 * (2 + 4 + 6)


def test_wtmr_by_hand():
    """2 frames of 32×32 in 2×2 regions: maps of 8×8, so one 8×8 patch a frame, and the class token."""
    given = {"classes": 5, "frames": 2, "size": 32, "width": 8, "depth": 1, "heads": 2, "conv_channels": (4, 6)}
    inputs = torch.zeros(1, 2, 1, 32, 32)
    # of the frame and its motion, then of the pooled map; each cell meets the kernels of one region
    regions = 16**2 * 9 * 2 * 4 + 8**2 * 9 * 4 * 6
    context = 8**2 * 9 * 2 * 4 + 8**2 * 9 * 4 * 6
    join = 8**2 * (6 + 6) * 6
    weights = 4 * ((6 + 6) * 32 + 32)
    patches = 6 * 64 * 8
    block = 3 * (8 * 3 * 8 + 8 * 8 + 2 * 8 * 4 * 8) + 2 * 3 * 3 * 8  # the last are attention's two products
    expected = 2 * (regions + context + join + weights + patches) + block + 8 * 5
    own, shared = (count_complete(wtmr.build("hmdb51", kernels=k, **given), inputs) for k in ("own", "shared"))
    assert own.macs == shared.macs == expected
    assert own.params - shared.params == 3 * 9 * (2 * 4 + 4 * 6)  # of the other three regions


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "hmdb51", "model": "wtmr"},
        {"dataset": "hmdb51", "model": "wtmr", "cnn": False, "patch": 2},
        {"dataset": "ntu60", "model": "wtmr", "kernels": "shared", "depth": 0, "frames": 8},
        {"dataset": "svideoqa", "model": "wtmr", "regions": [4, 4], "attention": "divided", "size": 32},
        {"dataset": "svideoqa", "model": "released-wtmr", "width": 32},
        {"dataset": "ntu60", "model": "released-wmrc"},
    ],
    ids=str,
)
def test_a_run_costs_what_its_network_does(given):
    settings = Settings.of({"scale": "mini", **given})
    clip = torch.ones(1, *input_shape(settings.dataset, settings.model, settings.frames, settings.size, bodies=1))
    cost = cost_of_run(settings.dataset, settings.model, classes=7, **settings.sizes())
    assert cost == count_complete(checkpoint.new_network(settings, 7), clip)


def test_the_cost_of_a_run_needs_no_weights():
    given = {"dataset": "hmdb51", "model": "wtmr", "frames": 2, "size": 64, "depth": 1, "backbone": "resnet18"}
    assert cost_of_run(**given, backbone_weights="nowhere", timesformer_weights="nowhere") == cost_of_run(**given)


def test_runs_at_full_size_cost_what_the_table_says():
    table = PROFILE("complete").set_index(["dataset", "model"])
    for dataset, bodies in (("hmdb51", 1), ("ntu60", 2)):
        cost = cost_of_run(dataset, "wtmr", **Settings.of({"dataset": dataset}).sizes())
        assert cost.params / 1e6 == table.params_m[dataset, "wtmr"]
        assert cost.macs / 1e9 == pytest.approx(table.gmacs[dataset, "wtmr"] / bodies, rel=0.02)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("model", MODELS)
def test_parity_with_thop(dataset, model):
    """NTU's networks as released, the others in small."""
    thop = pytest.importorskip("thop", reason="thop, or distutils that it needs, is not installed")
    from thop.vision.basic_hooks import count_normalization

    if dataset == "ntu60":
        network, inputs = build(dataset, model), inputs_of(dataset, frames=16)
    else:
        network, inputs = build(dataset, model, **SMALL), inputs_of(dataset)
    cost = count_published(network, inputs)
    norms = {type(layer): count_normalization for layer in network.modules() if isinstance(layer, nn.LayerNorm)}
    macs, params = thop.profile(network, (inputs,), custom_ops=norms, verbose=False)
    assert (cost.macs, cost.params) == (macs, params)


@pytest.mark.parametrize("count", [count_published, count_complete])
def test_counting_leaves_the_network_as_it_was_and_scales_with_the_batch(count):
    network = build("hmdb51", "released-wtmr", **SMALL).train()
    network.encoder.norm.eval()
    modes = [layer.training for layer in network.modules()]
    one, two = count(network, inputs_of("hmdb51")), count(network, inputs_of("hmdb51").repeat(2, 1, 1, 1, 1))
    assert two.macs == 2 * one.macs
    assert two.params == one.params
    assert [layer.training for layer in network.modules()] == modes
    assert not any(layer._forward_hooks for layer in network.modules())


def test_meta_and_cpu_count_alike():
    with torch.device("meta"):
        network, inputs = build("svideoqa", "released-wtmr", **SMALL), inputs_of("svideoqa")
    assert inputs.is_meta
    real = build("svideoqa", "released-wtmr", **SMALL)
    for count in (count_published, count_complete):
        assert count(network, inputs) == count(real, inputs_of("svideoqa"))


def test_an_unknown_counting():
    with pytest.raises(ValueError, match="no counting 'honest'; there are published, complete"):
        profile_table("honest")


class Sleeper(nn.Module):
    """Sleeps for each call and keeps what it saw."""

    def __init__(self, seconds: float = 0.0):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.seconds, self.seen = seconds, []

    def forward(self, inputs):
        time.sleep(self.seconds)
        outputs = self.linear(inputs)
        self.seen.append((tuple(inputs.shape), outputs.dtype, self.training, torch.is_inference_mode_enabled()))
        return outputs


def test_a_timing_and_its_conditions():
    model = Sleeper(0.01).train()
    timing = time_forward(model, torch.zeros(2, 3), batch=5, warmup=2, repeats=4)
    assert 0.01 <= timing.median_s < 1
    assert timing.clips_per_second == pytest.approx(5 / timing.median_s)
    assert (timing.batch, timing.repeats, timing.precision) == (5, 4, "fp32")
    assert timing.threads == torch.get_num_threads()
    assert timing.device
    assert timing.peak_memory_mb is None or timing.peak_memory_mb >= 0
    assert model.seen == [((5, 3), torch.float32, False, True)] * 6
    assert model.training


def test_one_repeat_serves():
    timing = time_forward(Sleeper(), torch.zeros(2, 3), warmup=0, repeats=1)
    assert (timing.batch, timing.repeats) == (2, 1)


def test_a_precision_is_autocast():
    model = Sleeper()
    time_forward(model, torch.zeros(2, 3), precision="bf16", warmup=0, repeats=1)
    assert model.seen[0][1] == torch.bfloat16
    assert model.linear.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int8"}, "no precision 'int8'; there are fp32, bf16, fp16"),
        ({"repeats": 0}, "repeats must be at least 1, found 0"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_what_cannot_be_timed(changes, message):
    with pytest.raises(ValueError, match=message):
        time_forward(Sleeper(), torch.zeros(2, 3), **changes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_timing_on_cuda(precision):
    network = build("hmdb51", "released-wtmr", **SMALL)
    timing = time_forward(network, inputs_of("hmdb51"), batch=4, precision=precision, device="cuda", repeats=5)
    assert timing.device == torch.cuda.get_device_name()
    weights = sum(p.numel() for p in network.parameters()) * 4 / 1e6
    assert timing.peak_memory_mb > weights
