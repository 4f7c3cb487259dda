"""TimeSformer's official Kinetics weights, from a local file in the layout of Hugging Face."""

from __future__ import annotations

import re
from math import isqrt
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from wtmr_core.models.embedding import Encodings, PatchEmbedding, resized_position, resized_time
from wtmr_core.models.timesformer import TimeSformer

CLASS_TOKEN = "embeddings.cls_token"
POSITION = "embeddings.position_embeddings"
TIME = "embeddings.time_embeddings"
PROJECTION = "embeddings.patch_embeddings.projection"

#: a part of our block → the same in Hugging Face's `encoder.layer.<number>`
PARTS = {
    "norm": "layernorm_before",
    "attention.qkv": "attention.attention.qkv",
    "attention.project": "attention.output.dense",
    "mlp_norm": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
TIME_PARTS = {
    "time_norm": "temporal_layernorm",
    "time_attention.qkv": "temporal_attention.attention.qkv",
    "time_attention.project": "temporal_attention.output.dense",
    "time_project": "temporal_dense",
}


def load_timesformer(
    path: str | Path, embedding: PatchEmbedding | None, encodings: Encodings, timesformer: TimeSformer
) -> list[str]:
    """Copy the weights in a file into the three modules; returns the names of those that were not used.

    Encodings are resized to the network's grid and frames. The projection of patches is used where the shapes agree;
    otherwise `embedding` stays as it is. If the file has more blocks than the network, the first are used; from divided
    attention only the part over space, if the network's attention is another. The number of heads that the weights were
    trained with cannot be seen in a file; the official ones have 12, of width 64.

    Args:
        path: .safetensors, or else a file of `torch.save`, with the weights of Hugging Face's `TimesformerModel` or of
            its `TimesformerForVideoClassification`, whose head is not used
        embedding: of patches, or None to leave it out
        encodings: of positions and time
        timesformer: the encoder

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that cannot be read, has another layout or width, fewer blocks, or lacks attention over
            time or time encodings that the network has. Nothing is changed then.
    """
    path = Path(path)
    stored = _read(path)
    names = {name.removeprefix("timesformer."): name for name in stored}
    weights = {name: stored[theirs] for name, theirs in names.items()}
    for name in (CLASS_TOKEN, POSITION):
        if name not in weights:
            raise ValueError(f"{path} is not in the layout of Hugging Face's TimesformerModel: it has no {name!r}")
    width, ours = weights[CLASS_TOKEN].numel(), encodings.class_token.numel()
    if width != ours:
        raise ValueError(f"{path} holds weights of width {width}, the network is of width {ours}; make it as wide")
    numbers = re.findall(r"^encoder\.layer\.(\d+)\.", "\n".join(weights), re.MULTILINE)
    depth = 1 + max(map(int, numbers), default=-1)
    if depth < len(timesformer.blocks):
        raise ValueError(f"{path} has {depth} blocks, the network {len(timesformer.blocks)}; give it {depth} or fewer")

    targets = _targets(encodings, timesformer)
    if embedding is not None and _same_patches(weights.get(f"{PROJECTION}.weight"), embedding):
        targets |= {f"{PROJECTION}.{kind}": parameter for kind, parameter in embedding.project.named_parameters()}
    values = {name: _fitted(path, name, weights, parameter, encodings.grid) for name, parameter in targets.items()}
    with torch.no_grad():  # only now that all is checked
        for name, parameter in targets.items():
            parameter.copy_(values[name])
    return sorted(theirs for name, theirs in names.items() if name not in targets)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path} with TimeSformer's weights")
    if not path.is_file():
        raise ValueError(f"{path} is a folder; name the file of weights in it, such as model.safetensors")
    safe = path.suffix == ".safetensors"
    try:
        weights = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # readers raise many kinds
        kind = "safetensors" if safe else "weights of torch.save"
        raise ValueError(
            f"{path} cannot be read as {kind}: damaged, incomplete or something else; fetch it again"
        ) from error
    if isinstance(weights, dict):
        weights = weights.get("model_state", weights)  # as facebook's own files are
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path} holds something else than weights by name; TimeSformer's are wanted")
    for name in map(str, weights):
        if re.search(r"\bblocks\.\d+\.attn\.", name):
            raise ValueError(
                f"{path} is in the layout of facebook's own code ({name!r}); take the same weights in Hugging Face's, "
                "such as model.safetensors of facebook/timesformer-base-finetuned-k400"
            )
    return {str(name): value for name, value in weights.items()}


def _targets(encodings: Encodings, timesformer: TimeSformer) -> dict[str, nn.Parameter]:
    """The network's parameter for each name in the file, except those of the patches."""
    targets = {CLASS_TOKEN: encodings.class_token, POSITION: encodings.position}
    if encodings.time is not None:
        targets[TIME] = encodings.time
    modules = {"layernorm": timesformer.norm}
    for number, block in enumerate(timesformer.blocks):
        for ours, theirs in (PARTS | (TIME_PARTS if block.divided else {})).items():
            modules[f"encoder.layer.{number}.{theirs}"] = block.get_submodule(ours)
    for name, module in modules.items():
        targets |= {f"{name}.{kind}": parameter for kind, parameter in module.named_parameters()}
    return targets


def _same_patches(weight: Tensor | None, embedding: PatchEmbedding) -> bool:
    """Whether a file's projection (d, c, p, q) is for patches like ours, not only of as many numbers."""
    return weight is not None and (*weight.shape[1:2], 1, *weight.shape[2:]) == (embedding.channels, *embedding.patch)


def _fitted(path: Path, name: str, weights: dict[str, Tensor], parameter: Tensor, grid: tuple[int, int]) -> Tensor:
    """The weight `name` of the file in the shape of our parameter."""
    if name not in weights:
        reason = "the file is not whole, or of another network"
        if "temporal" in name:
            reason = "it was not trained with divided attention; choose another attention, or other weights"
        if name == TIME:
            reason = "it was trained without time encodings; leave them out here too, or choose other weights"
        raise ValueError(f"{path} has no {name!r}: {reason}")
    value = weights[name].float()
    if name == POSITION:
        side = isqrt(value.shape[1] - 1)
        if 1 + side**2 != value.shape[1]:
            raise ValueError(f"{path} has positions of {value.shape[1] - 1} places, which are no square grid")
        value = resized_position(value, (side, side), grid)
    elif name == TIME:
        value = resized_time(value, parameter.shape[1])
    elif name == f"{PROJECTION}.weight":
        value = value.flatten(1)
    if value.shape != parameter.shape:
        shape, wanted = tuple(weights[name].shape), tuple(parameter.shape)
        raise ValueError(f"{path} has {name!r} of shape {shape}, which does not fit the network's {wanted}")
    return value
