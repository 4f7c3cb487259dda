"""The nine networks as released, in small: shapes, parity with a plain recomputation, and each oddity."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wtmr_core.modality import CHANNELS, MODALITIES
from wtmr_core.models.released import DATASETS, MODELS, build

NETWORKS = [(dataset, model) for dataset in DATASETS for model in MODELS]
SMALL = {"classes": 4, "frames": 3, "size": 64, "width": 16, "depth": 2, "heads": 2, "conv_channels": (4, 6)}
every_network = pytest.mark.parametrize(("dataset", "model"), NETWORKS)


def clips(dataset: str, b: int = 2, frames: int = 3, size: int = 64) -> torch.Tensor:
    shape = (25, 3) if dataset == "ntu60" else (CHANNELS[MODALITIES[dataset]], size, size)
    return torch.randn(b, frames, *shape, generator=torch.Generator().manual_seed(1))


def small(dataset: str, model: str, **changes) -> nn.Module:
    """A small network in evaluation mode; what starts at zero is filled, so that nothing is hidden by it."""
    torch.manual_seed(0)
    network = build(dataset, model, **SMALL | changes).eval()
    for name, parameter in network.named_parameters():
        if name.split(".")[-1] in ("position", "temporal", "class_token"):
            nn.init.normal_(parameter)
    return network


# --- parity: each network again, in plain indexing


def attend(blocks: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Tokens (b, n, d) through timm's Blocks, with attention written out head by head."""
    for block in blocks:
        q, k, v = block.attn.qkv(block.norm1(x)).chunk(3, dim=-1)
        width = q.shape[-1] // block.attn.num_heads
        heads = []
        for i in range(block.attn.num_heads):
            one = slice(i * width, (i + 1) * width)
            weights = (q[..., one] @ k[..., one].transpose(1, 2) / width**0.5).softmax(-1)
            heads.append(weights @ v[..., one])
        x = x + block.attn.proj(torch.cat(heads, dim=-1))
        x = x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))
    return x


def classify(encoder: nn.Module, tokens: list[torch.Tensor]) -> torch.Tensor:
    """A clip's tokens, each (d,), through class token, Blocks and head."""
    x = torch.stack([encoder.class_token[0, 0], *tokens])[None]
    return encoder.head(encoder.norm(attend(encoder.blocks, x)[0, 0]))


def patches(image: torch.Tensor, side: int) -> list[torch.Tensor]:
    """The patches of (c, h, w) row by row, each flat with channels last."""
    _, height, width = image.shape
    return [
        image[:, y : y + side, x : x + side].permute(1, 2, 0).flatten()
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]


def again(network: nn.Module, clip: torch.Tensor) -> torch.Tensor:
    """The logits of one clip (t, …), computed another way."""
    kind, tokens = type(network).__name__, []
    if kind == "FramesWTMR":
        for t, frame in enumerate(clip):
            cells = patches(network.cnn(frame[None])[0], 8)
            for n, cell in enumerate(cells):
                place = network.position[0, n] + network.temporal[0, t * len(cells) + n]
                tokens.append(network.project(cell) + place)
        return classify(network.encoder, tokens)
    if kind == "FramesCNN":
        return network.head(sum(network.cnn(frame[None])[0].flatten() for frame in clip) / len(clip))
    if kind == "HMDB51TimeSformer":
        for frame in clip:
            tokens += [network.project(patch) for patch in patches(frame, 16)]
        x = attend(network.blocks, torch.stack(tokens)[None] + network.position)
        return network.head(network.norm(x[0].mean(0)))
    if kind == "SVideoQATimeSformer":
        for frame in clip:
            for n, patch in enumerate(patches(frame, 16)):
                place = network.position[0, n] + network.temporal[0, len(tokens)]
                tokens.append(network.project(patch) + place)
        return classify(network.encoder, tokens)
    if kind == "JointsWTMR":
        for t, frame in enumerate(clip):
            maps = network.cnn(frame.T[None, :, :, None])[0]  # c j 1
            for n, values in enumerate(maps.reshape(25, -1)):
                place = network.position[0, n] + network.temporal[0, 25 * t + n]
                tokens.append(network.project(values) + place)
        return classify(network.encoder, tokens)
    if kind == "JointsCNN":
        features = [network.cnn(frame.T[None, :, :, None])[0, :, :, 0].mean(1) for frame in clip]
        return sum(network.head(feature) for feature in features) / len(clip)
    assert kind == "JointsTimeSformer"
    tokens = [network.project(joint) for frame in clip for joint in frame]
    return classify(network.encoder, [x + p for x, p in zip(tokens, network.position[0], strict=True)])


@every_network
@torch.no_grad()
def test_logits_are_those_of_a_plain_recomputation(dataset, model):
    network, inputs = small(dataset, model), clips(dataset)
    logits = network(inputs)
    assert logits.shape == (2, 4)
    torch.testing.assert_close(logits, torch.stack([again(network, clip) for clip in inputs]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_profiled_variant_resizes_the_map_and_keeps_the_embeddings_of_full_frames():
    network = build("svideoqa", "released-wtmr", **SMALL | {"size": 96}, profiled=True).eval()
    assert network.position.shape == network.temporal.shape == (1, 3 * 9, 16)  # 3 frames of 3×3 patches
    inputs = clips("svideoqa", size=56)
    assert network(inputs).shape == (2, 4)
    assert network.tokens(inputs).shape == (2, 3, 4, 16)  # a 14×14 map, resized to 16×16: 2×2 patches
    small_tables = build("svideoqa", "released-wtmr", **SMALL | {"size": 32}, profiled=True)
    with pytest.raises(ValueError, match="3 frames of 4 patches exceed the embedding's 3 rows"):
        small_tables(inputs)


@torch.no_grad()
def test_without_the_resize_a_patch_is_eight_by_eight_cells_of_one_frame():
    network = small("hmdb51", "released-wtmr")
    network.project = nn.Identity()
    inputs = clips("hmdb51")
    tokens = network.tokens(inputs)  # b t n (p q c)
    assert tokens.shape == (2, 3, 4, 8 * 8 * 6)
    maps = network.cnn(inputs[1])  # t c 16 16
    patch = tokens[1, 2, 3].reshape(8, 8, 6)  # clip 1, frame 2, lower right of 2×2 patches
    torch.testing.assert_close(patch.permute(2, 0, 1), maps[2, :, 8:, 8:])


# --- oddities


def test_ntu_reshape_interleaves_channels_with_joints():
    """With no convolution a frame is x, y, z of 25 joints; a transpose would give tokens (x, y, z)."""
    network = small("ntu60", "released-wtmr")
    network.cnn = nn.Identity()
    names = [[f"{axis}{joint}" for axis in "xyz"] for joint in range(25)]
    numbers = torch.arange(75).reshape(25, 3)
    features = network.features(numbers[None, None].float())[0, 0]
    found = [[names[int(i) // 3][int(i) % 3] for i in token] for token in features]
    assert found[0] == ["x0", "x1", "x2"]
    assert found[8] == ["x24", "y0", "y1"]
    assert found[16] == ["y23", "y24", "z0"]
    assert found[24] == ["z22", "z23", "z24"]


@pytest.mark.parametrize("model", ["released-wtmr", "released-wmrc"])
def test_ntu_kernel_mixes_no_joints_and_two_thirds_of_it_are_idle(model):
    network = small("ntu60", model)
    joints = clips("ntu60", b=1, frames=1)[0].mT[..., None]  # 1 c j 1
    moved = joints.clone()
    moved[:, :, 7] += 1
    changed = (network.cnn(joints) != network.cnn(moved)).any(dim=1)[0, :, 0]
    assert changed.nonzero().flatten().tolist() == [7]
    network.cnn(joints).sum().backward()
    for layer in network.cnn:
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.grad[..., 1].any()
            assert not layer.weight.grad[..., [0, 2]].any()


@pytest.mark.parametrize(
    ("dataset", "model", "rows", "position", "temporal"),
    [  # rows of both tables, and how many of each are used: 3 frames of 4 or 16 patches or 25 joints
        ("hmdb51", "released-wtmr", 12, 4, 12),
        ("hmdb51", "released-timesformer", 48, 48, None),
        ("ntu60", "released-wtmr", 625, 25, 75),
        ("ntu60", "released-timesformer", 75, 75, None),
        ("svideoqa", "released-wtmr", 12, 4, 12),
        ("svideoqa", "released-timesformer", 48, 16, 48),
    ],
)
def test_gradients_reach_the_rows_of_the_embeddings_that_are_used(dataset, model, rows, position, temporal):
    network = small(dataset, model)
    network(clips(dataset)).square().sum().backward()
    for name, used in (("position", position), ("temporal", temporal)):
        table = getattr(network, name, None)
        assert (table is None) == (used is None)
        if table is not None:
            assert table.shape == (1, rows, 16)
            reached = table.grad[0].any(dim=1)
            assert reached[:used].all()
            assert not reached[used:].any()


@every_network
def test_gradients_reach_every_parameter(dataset, model):
    network = small(dataset, model)
    network(clips(dataset)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_how_embeddings_start():
    for dataset, model in NETWORKS:
        network = build(dataset, model, **SMALL)
        drawn = (dataset, model) in {("ntu60", "released-timesformer"), ("svideoqa", "released-timesformer")}
        for table in (getattr(network, "position", None), getattr(network, "temporal", None)):
            if table is not None and drawn:
                assert table.std().item() == pytest.approx(1, abs=0.1)
            elif table is not None:
                assert not table.any()


def test_class_tokens_and_dropout_are_where_they_were_released():
    for dataset, model in NETWORKS:
        network = build(dataset, model, **SMALL)
        rates = [m.p for m in network.modules() if isinstance(m, nn.Dropout) and m.p]
        plain = model == "released-wmrc" or (dataset, model) == ("hmdb51", "released-timesformer")
        assert rates == ([] if plain else [0.3])
        assert any("class_token" in name for name, _ in network.named_parameters()) != plain


@pytest.mark.parametrize("dataset", DATASETS)
@torch.no_grad()
def test_wmrc_forgets_the_order_of_the_frames(dataset):
    network, inputs = small(dataset, "released-wmrc"), clips(dataset)
    torch.testing.assert_close(network(inputs), network(inputs.flip(1)))


# --- building


@pytest.mark.parametrize(
    ("dataset", "model", "classes", "width", "depth", "heads"),
    [
        ("hmdb51", "released-wtmr", 51, 768, 12, 12),
        ("hmdb51", "released-timesformer", 51, 768, 6, 12),
        ("ntu60", "released-wtmr", 60, 256, 6, 8),
        ("ntu60", "released-timesformer", 60, 256, 6, 8),
        ("svideoqa", "released-wtmr", 8, 768, 12, 12),
        ("svideoqa", "released-timesformer", 8, 768, 12, 12),
    ],
)
def test_sizes_as_released(dataset, model, classes, width, depth, heads):
    with torch.device("meta"):
        network = build(dataset, model)
    encoder = getattr(network, "encoder", network)
    assert tuple(encoder.head.weight.shape) == (classes, width)
    assert [block.attn.num_heads for block in encoder.blocks] == [heads] * depth


@pytest.mark.parametrize(("dataset", "heads"), [("hmdb51", 2), ("ntu60", 4)])
def test_a_narrower_network_keeps_the_released_width_of_a_head(dataset, heads):
    network = build(dataset, "released-wtmr", **SMALL | {"width": 128, "heads": None})
    assert network.encoder.blocks[0].attn.num_heads == heads


@every_network
def test_the_seed_decides_the_weights(dataset, model):
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(dataset, model, **SMALL).parameters())

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


@pytest.mark.parametrize(
    ("dataset", "model", "changes", "message"),
    [
        ("kinetics", "released-wtmr", {}, "no data set 'kinetics'; there are hmdb51, ntu60, svideoqa"),
        (
            "hmdb51",
            "wtmr",
            {},
            "no model 'wtmr'; there are released-wtmr, released-wmrc, released-timesformer",
        ),
        ("hmdb51", "released-wtmr", {"size": 48}, "size must be a multiple of 32.*found 48"),
        ("svideoqa", "released-timesformer", {"size": 40}, "size must be a multiple of 16.*found 40"),
        ("svideoqa", "released-wmrc", {"size": 42}, "size must be a multiple of 4.*found 42"),
        ("ntu60", "released-wtmr", {"heads": 3}, "width must be a multiple of 3.*found 16"),
        ("ntu60", "released-wtmr", {"frames": 26}, "frames must be at most 25.*found 26"),
        ("ntu60", "released-timesformer", {"depth": 0}, "depth must be at least 1, found 0"),
        (
            "hmdb51",
            "released-wtmr",
            {"profiled": True},
            "only svideoqa's released-wtmr has a profiled variant",
        ),
    ],
)
def test_what_cannot_be_built(dataset, model, changes, message):
    with pytest.raises(ValueError, match=message):
        build(dataset, model, **SMALL | changes)


@every_network
@pytest.mark.parametrize("change", ["no batch", "a frame more", "other last axis"])
def test_inputs_of_another_shape_are_refused(dataset, model, change):
    right = clips(dataset)
    wrong = {"no batch": right[0], "a frame more": right[:, [0, 1, 2, 2]], "other last axis": right[..., :2]}[change]
    axes = r"b, t=3, j=25, c=3" if dataset == "ntu60" else rf"b, t=3, c={right.shape[2]}, h=64, w=64"
    with pytest.raises(ValueError, match=rf"expected clips of shape \({axes}\), found \({wrong.shape[0]}, "):
        small(dataset, model)(wrong)


# --- use


@pytest.mark.parametrize(
    ("dataset", "model"),
    [
        ("hmdb51", "released-wtmr"),
        ("ntu60", "released-wtmr"),
        ("svideoqa", "released-wmrc"),
        ("hmdb51", "released-timesformer"),
        ("ntu60", "released-timesformer"),
    ],
)
def test_one_batch_can_be_learnt_by_heart(dataset, model):
    torch.manual_seed(0)
    network = build(dataset, model, **SMALL | {"width": 32, "size": 32}, dropout=0.0)
    inputs, labels = clips(dataset, b=4, size=32), torch.arange(4)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(inputs), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert network(inputs).argmax(1).tolist() == [0, 1, 2, 3]


@every_network
@torch.no_grad()
def test_bf16_by_autocast_and_by_weights(dataset, model):
    network, inputs = small(dataset, model), clips(dataset)
    logits = network(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(inputs).float(), logits, rtol=0.1, atol=0.1)
    half = network.to(torch.bfloat16)(inputs.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), logits, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("dataset", "model"), [NETWORKS[0], NETWORKS[3], NETWORKS[4], NETWORKS[8]])
@torch.no_grad()
def test_the_compiler_takes_the_whole_forward_in_one_graph(dataset, model):
    network, inputs = small(dataset, model), clips(dataset)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(inputs), network(inputs))
