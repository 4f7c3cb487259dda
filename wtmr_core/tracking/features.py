"""Features of pictures from a backbone that has seen many pictures, where its weights are installed."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import nn

SIDE = 128  # pixels of a picture as the backbone sees it
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, RGB


class Features:
    """Computes the features of pictures: the means over the picture of the channels of a backbone.

    Args:
        network: (b, 3, h, w) RGB, normalised as for ImageNet -> (b, c, h / 32, w / 32)
    """

    def __init__(self, network: nn.Module):
        self._network = network.eval()

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Compute the features (b, c) of pictures (h, w, 3) BGR uint8 of any sizes."""
        scaled = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures]
        rgb = (np.stack(scaled)[..., ::-1].astype(np.float32) / 255 - MEAN) / DEVIATION
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(rgb.astype(np.float32)).permute(0, 3, 1, 2))
        return maps.mean(dim=(2, 3)).numpy()


def load() -> Features | None:
    """The features of the backbone whose weights the extra `pretrained` installs; None where it is not installed.

    Raises:
        ValueError: where its weights are not the known ones.
    """
    from wtmr_core.models.backbones import PACKAGE, PACKAGED, Backbone

    try:
        return Features(Backbone(PACKAGED, 32, weights=PACKAGE))
    except FileNotFoundError:
        return None
