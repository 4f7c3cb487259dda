"""Torchvision's Faster R-CNN and Keypoint R-CNN, with weights from a local file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import supervision as sv
import torch

from wtmr_core import models  # noqa: F401  (it makes torchvision importable)
from wtmr_core.tracking.boxes import detections
from wtmr_core.tracking.people import NotInstalled

NETWORKS = (
    "keypointrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
)
PERSON = 1  # of COCO's classes


class TorchVision:
    """A detection network of torchvision, trained on COCO. Nothing is downloaded.

    The names of its weights tell which one it is: Keypoint R-CNN, which finds joints too, or Faster R-CNN on ResNet-50
    (both versions) or MobileNetV3.

    Args:
        weights: file of a state dict
        device: a device of torch
        least: lowest score of a person that is returned

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it does not hold the weights of such a network.
        NotInstalled: where torchvision lacks its compiled operators, as PyPI's does beside a torch for the CPU only.
    """

    name, joints = "torchvision", True  # Faster R-CNN finds none, which counts as joints out of sight

    def __init__(self, weights: Path | str, device: str = "cpu", least: float = 0.1):
        state = _state(Path(weights))
        _compiled()
        self._network = _network(state, Path(weights)).eval().to(device)
        self.device, self.least = device, least

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8, the highest score first."""
        rgb = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).to(self.device)
        with torch.inference_mode():
            (output,) = self._network([rgb.permute(2, 0, 1).float() / 255])
        return people({key: value.cpu() for key, value in output.items()}, picture.shape[:2], self.least)


def people(output: dict[str, torch.Tensor], size: tuple[int, int], least: float) -> sv.Detections:
    """Turn the output of a network into detections of people.

    The score of a joint is the sigmoid of the height of its peak.

    Args:
        output: boxes, labels, scores and perhaps keypoints, as torchvision returns them
        size: (h, w) of the picture
        least: lowest score of a person that is returned
    """
    rows = (output["labels"] == PERSON) & (output["scores"] >= least)
    joints = None
    if "keypoints" in output:
        heights = output["keypoints_scores"][rows].sigmoid()
        joints = torch.cat([output["keypoints"][rows][..., :2], heights[..., None]], dim=-1).numpy()
    return detections(output["boxes"][rows].numpy(), output["scores"][rows].numpy(), size, joints)


def _state(path: Path) -> dict[str, torch.Tensor]:
    with path.open("rb") as file:  # an OSError names the file
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # of any kind, for a file that torch did not write
            raise ValueError(f"{path} holds no weights of torch ({error}): name the file of a network") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds {type(state).__name__}, not the weights of a network: name a state dict")
    return state


def _network(state: dict[str, torch.Tensor], path: Path) -> torch.nn.Module:
    """The network that these weights fit; raises `ValueError` where there is none."""
    for name in NETWORKS:
        with torch.device("meta"):
            names = _empty(name).state_dict().keys()
        if names == state.keys():
            network = _empty(name)
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise ValueError(f"{path} is not of {name} as trained on COCO: {error}") from None
            return network
    raise ValueError(f"{path} holds the weights of none of {', '.join(NETWORKS)}")


def _empty(name: str) -> torch.nn.Module:
    from torchvision.models import detection

    return getattr(detection, name)(weights=None, weights_backbone=None)


def _compiled() -> None:
    try:
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (RuntimeError, NotImplementedError):
        raise NotInstalled(
            "torchvision's compiled operators do not load beside this torch: install both from one index, such as "
            "https://download.pytorch.org/whl/cpu, or take another detector"
        ) from None
