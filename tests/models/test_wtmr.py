"""The described network whole: shapes, what each setting changes, absent bodies, learning, refusals and cost."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from tests.models.test_regions import filled, some
from wtmr_core.modality import CHANNELS, MODALITIES
from wtmr_core.models import build as build_any
from wtmr_core.models import released
from wtmr_core.models.wtmr import CLASSES, WTMR, build
from wtmr_core.paper.cost import count_complete

FRAMES = ("hmdb51", "svideoqa")
SMALL = {"classes": 4, "frames": 4, "width": 16, "depth": 2, "heads": 2, "conv_channels": (3, 4)}
PICTURES = {"size": 32, "patch": 4}  # a map of 8×8 cells, 2×2 patches
every_dataset = pytest.mark.parametrize("dataset", CLASSES)


def clips(dataset: str, b: int = 2, *, frames: int = 4, m: int = 2, seed: int = 1) -> torch.Tensor:
    return some(b, frames, *((m, 25, 3) if dataset == "ntu60" else (CHANNELS[MODALITIES[dataset]], 32, 32)), seed=seed)


def mixed() -> torch.Tensor:
    """Joints of a clip with one body, and of one with two."""
    joints = clips("ntu60")
    joints[0, :, 1] = 0
    return joints


def small(dataset: str, *, fill: bool = True, **changes) -> WTMR:
    """A small network in evaluation mode; `fill`: nothing is left at a start of zero, one or nearly zero."""
    torch.manual_seed(0)
    network = build(dataset, **SMALL | (PICTURES if dataset in FRAMES else {}) | changes).eval()
    return filled(network) if fill else network


def tokens(network: WTMR, inputs: torch.Tensor) -> torch.Size:
    return network.patches(network.regions(inputs).maps).shape


def names(network: WTMR) -> set[str]:
    return {name for name, _ in network.named_parameters()}


# --- shapes, and the path of a clip


@pytest.mark.parametrize("dataset", FRAMES)
@torch.no_grad()
def test_shapes_of_frames(dataset):
    network, inputs = small(dataset), clips(dataset)
    assert network(inputs).shape == (2, 4)
    assert network.regions(inputs).maps.shape == (2, 4, 4, 8, 8)
    assert tokens(network, inputs) == (2, 4, 4, 16)


@pytest.mark.parametrize("m", [1, 2])
@torch.no_grad()
def test_shapes_of_joints(m):
    network, inputs = small("ntu60"), clips("ntu60", m=m)
    assert network(inputs).shape == (2, 4)
    assert network.regions(inputs).maps.shape == (2, 4, 4, m, 5)
    assert tokens(network, inputs) == (2, 2, 5 * m, 16)  # two frames a token


@pytest.mark.parametrize(
    ("dataset", "m", "r"), [("hmdb51", None, 4), ("svideoqa", None, 4), ("ntu60", 1, 5), ("ntu60", 2, 10)]
)
@torch.no_grad()
def test_the_weights_of_regions_can_be_had_for_drawing(dataset, m, r):
    inputs = clips(dataset, m=m or 1)
    weights = small(dataset).regions(inputs).weights
    assert weights.shape == (2, 4, r)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.mean(dim=2), torch.ones(2, 4))
    assert weights.std() > 0.01
    fresh = small(dataset, fill=False)
    torch.testing.assert_close(fresh.regions(inputs).weights, torch.ones(2, 4, r))


@every_dataset
@torch.no_grad()
def test_logits_are_of_the_mean_of_the_tokens_that_are_there(dataset):
    network, inputs = small(dataset), mixed() if dataset == "ntu60" else clips(dataset)
    regions = network.regions(inputs)
    class_token, embedded = network.encodings(network.patches(regions.maps))
    _, out = network.timesformer(class_token, embedded, regions.present)
    for b, clip in enumerate(out):  # t n d
        there = range(clip.shape[1]) if dataset != "ntu60" else range((5, 10)[b])
        feature = torch.stack([clip[t, n] for t in range(len(clip)) for n in there]).mean(dim=0)
        torch.testing.assert_close(network(inputs)[b], network.head(feature))


@every_dataset
def test_dropout_stands_before_the_head_alone(dataset):
    assert [module.p for module in small(dataset).modules() if isinstance(module, nn.Dropout) and module.p] == [0.3]
    assert small(dataset, dropout=0.1).dropout.p == 0.1
    network = small(dataset, dropout=0.5)
    network.dropout.train()
    assert not torch.equal(network(clips(dataset)), network(clips(dataset)))


@torch.no_grad()
def test_sizes_as_described():
    with torch.device("meta"):
        for dataset, width, depth, heads, frames, places in [
            ("hmdb51", 768, 12, 12, 16, 49), ("svideoqa", 768, 12, 12, 16, 49), ("ntu60", 256, 6, 8, 8, 10)
        ]:  # fmt: skip
            network = build(dataset)
            assert network.head.weight.shape == (CLASSES[dataset], width)
            assert [block.attention.heads for block in network.timesformer.blocks] == [heads] * depth
            assert network.encodings.position.shape == (1, 1 + places, width)
            assert network.encodings.time.shape == (1, frames, width)


# --- bodies


@pytest.mark.parametrize(
    "changes", [{}, {"cnn": False}, {"attention": "divided"}, {"attention": "space"}, {"depth": 0}]
)
@torch.no_grad()
def test_a_clip_has_its_logits_alone_and_beside_a_clip_of_two_bodies(changes):
    network, joints = small("ntu60", **changes), mixed()
    logits = network(joints)
    torch.testing.assert_close(logits[:1], network(joints[:1]))
    torch.testing.assert_close(logits[1:], network(joints[1:]))
    torch.testing.assert_close(logits[:1], network(joints[:1, :, :1]))


@pytest.mark.parametrize("changes", [{}, {"cnn": False}])
@torch.no_grad()
def test_both_bodies_count(changes):
    network, joints = small("ntu60", **changes), clips("ntu60")
    for m in range(2):
        other = joints.clone()
        other[0, :, m] = some(4, 25, 3, seed=2)
        changed = (network(joints) - network(other)).abs().amax(dim=1) > 1e-3
        assert changed.tolist() == [True, False]
    assert not torch.allclose(network(joints), network(joints[:, :, :1]), atol=1e-3)


# --- what each setting changes


@pytest.mark.parametrize(
    ("dataset", "changes", "gone"),
    [
        ("hmdb51", {"context": False}, {"cnn.context", "cnn.join"}),
        ("ntu60", {"context": False}, {"cnn.context", "cnn.join"}),
        ("hmdb51", {"region_weights": "uniform"}, {"cnn.weights"}),
        ("ntu60", {"region_weights": "uniform"}, {"cnn.weights"}),
        ("hmdb51", {"cnn": False}, {"cnn"}),
        ("svideoqa", {"cnn": False}, {"cnn"}),
        ("ntu60", {"cnn": False}, {"cnn"}),
        ("hmdb51", {"depth": 0}, {"timesformer.blocks"}),
        ("ntu60", {"depth": 0}, {"timesformer.blocks"}),
        ("hmdb51", {"time_encoding": False}, {"encodings.time"}),
        ("ntu60", {"time_encoding": False}, {"encodings.time"}),
        ("hmdb51", {"attention": "space"}, set()),
        ("hmdb51", {"kernels": "shared"}, set()),
        ("hmdb51", {"motion": False}, set()),
    ],
)
@torch.no_grad()
def test_what_is_switched_off_is_gone_and_nothing_else(dataset, changes, gone):
    whole, network = small(dataset), small(dataset, **changes)
    missing = names(whole) - names(network)
    assert {part for part in gone if any(name.startswith(f"{part}.") or name == part for name in missing)} == gone
    assert all(name.startswith(tuple(gone)) for name in missing)
    assert names(network) <= names(whole)
    assert network(clips(dataset)).shape == (2, 4)


@torch.no_grad()
def test_divided_attention_adds_that_over_time():
    added = names(small("hmdb51", attention="divided")) - names(small("hmdb51"))
    assert added
    assert all(".time_" in name for name in added)


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60"])
@torch.no_grad()
def test_each_attention_gives_other_logits_with_the_same_weights(dataset):
    inputs, networks = clips(dataset), [small(dataset, attention=a) for a in ("divided", "joint", "space")]
    for network in networks[1:]:
        assert not network.load_state_dict(networks[0].state_dict(), strict=False).missing_keys
    divided, joint, space = (network(inputs) for network in networks)
    for one, other in ((divided, joint), (divided, space), (joint, space)):
        assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize(("dataset", "regions"), [("hmdb51", 4), ("svideoqa", 4), ("ntu60", 5)])
def test_shared_kernels_are_those_of_one_region(dataset, regions):
    def convolutions(kernels):
        steps = small(dataset, kernels=kernels).cnn.steps
        return sum(m.weight.numel() for m in steps.modules() if isinstance(m, nn.Conv2d))

    assert convolutions("own") == regions * convolutions("shared")


@torch.no_grad()
def test_uniform_weights_are_all_one():
    for dataset in CLASSES:
        assert (small(dataset, region_weights="uniform").regions(clips(dataset)).weights == 1).all()


@torch.no_grad()
def test_the_grid_of_regions():
    for grid in ((1, 1), (2, 1), (4, 4)):
        network = small("hmdb51", regions=grid)
        assert network.regions(clips("hmdb51")).weights.shape == (2, 4, grid[0] * grid[1])
        assert network(clips("hmdb51")).shape == (2, 4)


@pytest.mark.parametrize(("dataset", "with_it", "without"), [("hmdb51", 2, 1), ("svideoqa", 6, 3), ("ntu60", 9, 3)])
def test_motion_adds_channels_to_the_input(dataset, with_it, without):
    for motion, channels in ((True, with_it), (False, without)):
        cnn = small(dataset, motion=motion).cnn
        found = cnn.normalise.num_features if dataset == "ntu60" else cnn.context[1].in_channels
        assert found == channels


@every_dataset
@torch.no_grad()
def test_without_the_cnn_there_are_as_many_tokens(dataset):
    network, inputs = small(dataset, cnn=False), clips(dataset)
    assert tokens(network, inputs) == tokens(small(dataset), inputs)
    if dataset in FRAMES:  # the pixels that a patch of the map lay over
        assert network.patches.project.in_features == CHANNELS[MODALITIES[dataset]] * 16 * 16


@pytest.mark.parametrize(
    ("dataset", "patch", "shape"),
    [
        ("hmdb51", 8, (2, 4, 1, 16)),
        ("hmdb51", 2, (2, 4, 16, 16)),
        ("ntu60", 1, (2, 4, 10, 16)),
        ("ntu60", 4, (2, 1, 10, 16)),
    ],
)
@pytest.mark.parametrize("cnn", [True, False])
@torch.no_grad()
def test_patches(dataset, patch, shape, cnn):
    network = small(dataset, patch=patch, cnn=cnn)
    assert tokens(network, clips(dataset)) == shape
    assert network(clips(dataset)).shape == (2, 4)


@pytest.mark.parametrize(("dataset", "changes"), [("hmdb51", {"motion": False}), ("ntu60", {"cnn": False, "patch": 1})])
@torch.no_grad()
def test_without_time_encoding_and_motion_the_order_of_frames_says_nothing(dataset, changes):
    inputs, order = clips(dataset), [2, 0, 3, 1]
    without = small(dataset, time_encoding=False, **changes)
    torch.testing.assert_close(without(inputs), without(inputs[:, order]))
    with_it = small(dataset, **changes)
    assert (with_it(inputs) - with_it(inputs[:, order])).abs().max() > 1e-3


@pytest.mark.parametrize(("dataset", "changes"), [("hmdb51", {}), ("ntu60", {"patch": 1})])
@torch.no_grad()
def test_motion_alone_tells_frames_apart(dataset, changes):
    inputs, network = clips(dataset), small(dataset, time_encoding=False, **changes)
    assert (network(inputs) - network(inputs[:, [2, 0, 3, 1]])).abs().max() > 1e-3


@torch.no_grad()
def test_a_backbone_stands_under_the_regions():
    network = small("hmdb51", backbone="test_resnet")
    assert network(clips("hmdb51")).shape == (2, 4)
    assert tokens(network, clips("hmdb51")) == (2, 4, 4, 16)
    assert any(name.startswith("backbone.") for name in names(network))


@torch.no_grad()
def test_weights_of_timesformer_reach_its_blocks(tmp_path):
    """Those of a file in Hugging Face's layout, random ones; the layout itself is tested in test_pretrained."""
    transformers = pytest.importorskip("transformers")
    with pytest.raises(FileNotFoundError, match="missing"):
        small("hmdb51", timesformer_weights=str(tmp_path / "missing.safetensors"))
    config = transformers.TimesformerConfig(
        image_size=32, patch_size=8, num_frames=4, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=64,
    )  # fmt: skip
    theirs = transformers.TimesformerModel(config)
    theirs.save_pretrained(tmp_path)
    network = small("hmdb51", fill=False, attention="divided", timesformer_weights=str(tmp_path / "model.safetensors"))
    block, layer = network.timesformer.blocks[0], theirs.encoder.layer[0]
    assert torch.equal(block.attention.qkv.weight, layer.attention.attention.qkv.weight)
    assert torch.equal(block.time_attention.qkv.weight, layer.temporal_attention.attention.qkv.weight)
    assert torch.equal(network.timesformer.norm.weight, theirs.layernorm.weight)
    assert torch.equal(network.encodings.time, theirs.embeddings.time_embeddings)
    assert network(clips("hmdb51")).isfinite().all()


# --- learning


@every_dataset
def test_one_batch_can_be_learnt_by_heart(dataset):
    network = small(dataset, fill=False, dropout=0.0).train()
    inputs, labels = clips(dataset, b=4), torch.arange(4)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(inputs), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert network(inputs).argmax(1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "changes", [{}, {"attention": "divided"}, {"attention": "space"}, {"cnn": False}, {"kernels": "shared"},
                {"region_weights": "uniform"}, {"context": False}],
)  # fmt: skip
@every_dataset
def test_gradients_reach_every_parameter(dataset, changes):
    """The class token too, though no logit reads it: the others look at it."""
    network = small(dataset, **changes).train()
    network(clips(dataset, b=3)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_dataset
def test_without_blocks_the_class_token_learns_nothing(dataset):
    network = small(dataset, depth=0).train()
    network(clips(dataset, b=3)).square().sum().backward()
    unreached = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert unreached == {"encodings.class_token"}
    assert not network.encodings.position.grad[:, 0].any()  # nor its position
    assert network.encodings.position.grad[:, 1:].any(dim=2).all()


def test_positions_of_a_second_body_learn_only_where_there_is_one():
    for inputs, reached in ((clips("ntu60", m=1), 5), (mixed(), 10)):
        network = small("ntu60")
        network(inputs).square().sum().backward()
        assert network.encodings.position.grad[0, 1:].any(dim=1).tolist() == [n < reached for n in range(10)]


def test_at_the_start_all_but_the_weights_of_regions_learn():
    """Their last layer starts at zero, so the one below it waits for one step."""
    for dataset in CLASSES:
        network = small(dataset, fill=False).train()
        network(clips(dataset, b=3)).square().sum().backward()
        unreached = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
        assert unreached == {"cnn.weights.score.0.weight", "cnn.weights.score.0.bias"}


# --- use


@pytest.mark.parametrize("attention", ["joint", "divided", "space"])
@every_dataset
def test_full_size_networks_are_made_on_the_meta_device(dataset, attention):
    with torch.device("meta"):
        network = build(dataset, attention=attention, drop_path=0.2)
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    rates = [block.drop_path.drop_prob for block in network.timesformer.blocks]
    assert (rates[0], rates[-1]) == (0, 0.2)


def test_a_single_block_is_the_last_and_is_left_out_as_often_as_asked():
    (block,) = small("hmdb51", depth=1, drop_path=0.2).timesformer.blocks
    assert block.drop_path.drop_prob == 0.2
    (block,) = released.blocks(16, 1, 2, 0.2)
    assert block.drop_path1.drop_prob == 0.2


@every_dataset
@torch.no_grad()
def test_bf16_by_autocast_is_finite_and_near(dataset):
    network, inputs = small(dataset, fill=False), mixed() if dataset == "ntu60" else clips(dataset)
    logits = network(inputs)
    assert logits.isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        half = network(inputs).float()
    torch.testing.assert_close(half, logits, rtol=0.1, atol=0.1)


@every_dataset
def test_training_under_autocast_gives_finite_gradients(dataset):
    network = small(dataset, fill=False, drop_path=0.2).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(network(clips(dataset)), torch.tensor([0, 1]))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@every_dataset
@torch.no_grad()
def test_weights_go_through_a_file(dataset, tmp_path):
    network, inputs = small(dataset), clips(dataset)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(5)
    other = small(dataset, fill=False)
    assert not torch.allclose(other(inputs), network(inputs))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other(inputs), network(inputs))


@every_dataset
def test_the_seed_decides_the_weights(dataset):
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(dataset, **SMALL).parameters())

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


# --- refusals


@pytest.mark.parametrize(
    ("dataset", "changes", "message"),
    [
        ("kinetics", {}, "no data set 'kinetics'; there are hmdb51, ntu60, svideoqa"),
        ("hmdb51", {"kernels": "free"}, "kernels is 'free'; it can be own or shared"),
        ("hmdb51", {"region_weights": "fixed"}, "region_weights is 'fixed'; it can be learned or uniform"),
        ("hmdb51", {"attention": "axial"}, "attention is 'axial'; it can be joint, divided, space"),
        ("hmdb51", {"size": 40}, "size must be a multiple of 16, since the map.*found 40"),
        ("svideoqa", {"size": 40, "cnn": False}, "size must be a multiple of 16, since the map.*found 40"),
        ("hmdb51", {"size": 0}, "size must be a multiple of 16.*found 0"),
        ("hmdb51", {"regions": (2, 3)}, "size must be a multiple of 4 times each side of the grid of 2×3.*found 32"),
        ("ntu60", {"frames": 5}, "frames must be a multiple of patch, 2 frames a token; found 5"),
        ("hmdb51", {"heads": 3}, "width must be a multiple of 3, since 3 heads share it; found 16"),
        ("ntu60", {"heads": 3}, "width must be a multiple of 3, since 3 heads share it; found 16"),
        ("hmdb51", {"backbone_weights": "w.pth"}, "there is no backbone for the weights w.pth"),
        *((d, {name: 0}, f"{name} must be at least 1, found 0") for d in ("hmdb51", "ntu60")
          for name in ("classes", "frames", "width", "heads", "patch")),
        ("hmdb51", {"regions": (0, 2)}, "regions must be at least 1, found 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_built(dataset, changes, message):
    pictures = PICTURES if dataset != "ntu60" else {}
    with pytest.raises(ValueError, match=message):
        build(dataset, **SMALL | pictures | changes)


FRAME_AXES, JOINT_AXES = r"\(b, t=4, c=1, h=32, w=32\)", r"\(b, t=4, m=1 or 2, j=25, c=3\)"


@pytest.mark.parametrize(
    ("dataset", "shape", "axes"),
    [
        ("hmdb51", (2, 5, 1, 32, 32), FRAME_AXES),  # more frames than encodings
        ("hmdb51", (2, 3, 1, 32, 32), FRAME_AXES),
        ("hmdb51", (2, 4, 3, 32, 32), FRAME_AXES),  # colour
        ("hmdb51", (2, 4, 1, 32, 48), FRAME_AXES),
        ("hmdb51", (2, 4, 1, 30, 30), FRAME_AXES),
        ("hmdb51", (4, 1, 32, 32), FRAME_AXES),
        ("svideoqa", (2, 4, 1, 32, 32), r"\(b, t=4, c=3, h=32, w=32\)"),
        ("ntu60", (2, 6, 1, 25, 3), JOINT_AXES),
        ("ntu60", (2, 4, 2, 24, 3), JOINT_AXES),
        ("ntu60", (2, 4, 2, 25, 2), JOINT_AXES),
        ("ntu60", (2, 4, 25, 3), JOINT_AXES),
        ("ntu60", (2, 4, 3, 25, 3), r"\(b, t, m=1 or 2, j=25, 3\)"),  # three bodies
        ("ntu60", (2, 4, 0, 25, 3), r"\(b, t, m=1 or 2, j=25, 3\)"),
    ],
)
@pytest.mark.parametrize("cnn", [True, False])
def test_clips_of_another_shape_are_refused(dataset, shape, axes, cnn):
    said = rf"of shape {axes}, found \({', '.join(map(str, shape))}\)"
    with pytest.raises(ValueError, match=said):
        small(dataset, cnn=cnn)(torch.zeros(shape))


# --- cost


@pytest.mark.parametrize("dataset", FRAMES)
def test_on_frames_the_described_costs_no_more_than_the_released(dataset):
    with torch.device("meta"):
        inputs = torch.empty(1, 16, CHANNELS[MODALITIES[dataset]], 224, 224)
        described, released = (count_complete(build_any(dataset, m), inputs) for m in ("wtmr", "released-wtmr"))
    assert described.macs <= released.macs
    assert described.params <= released.params


@pytest.mark.parametrize("sizes", [{}, SMALL | {"classes": 60}])
def test_on_joints_two_described_bodies_cost_no_more_than_one_released(sizes):
    """On the CPU, since which bodies are there depends on the data. Parameters are more: each part has its kernels."""
    frames = sizes.get("frames", 16)
    described = count_complete(build_any("ntu60", "wtmr", **sizes), some(1, frames, 2, 25, 3))
    released = count_complete(build_any("ntu60", "released-wtmr", **sizes), some(1, frames, 25, 3))
    assert described.macs <= released.macs


@torch.no_grad()
def test_resized_it_takes_other_clips_and_back_the_same():
    """Of equal encodings nothing is lost by interpolation, so that they show what was resized and how."""
    network = small("hmdb51")
    frames, size = network.expected["t"], network.expected["h"]
    network.encodings.position[:] = network.encodings.position[:, :1]
    network.encodings.time[:] = network.encodings.time[:, :1]
    clip = torch.randn(1, frames, 1, size, size)
    before = network(clip)
    network.resize(2 * frames, 2 * size)
    assert network(torch.randn(1, 2 * frames, 1, 2 * size, 2 * size)).shape == before.shape
    with pytest.raises(ValueError, match="expected clips of shape"):
        network(clip)
    network.resize(frames, size)
    torch.testing.assert_close(network(clip), before)
    with pytest.raises(ValueError, match=f"size must be a multiple of .* found {size + 1}"):
        network.resize(frames, size + 1)


@torch.no_grad()
def test_joints_are_resized_by_whole_patches():
    network = small("ntu60")
    network.resize(2 * network.expected["t"])
    assert network(torch.randn(1, network.expected["t"], 1, 25, 3)).isfinite().all()
    with pytest.raises(ValueError, match="frames must be a multiple of 2"):
        network.resize(5)
