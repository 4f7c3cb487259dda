"""The baselines over a backbone: the mean of its map over frames and cells, and one linear layer.

Axes: b clip, t frame, c channel, h w pixels or cells of a map, k class.
"""

from __future__ import annotations

from einops import rearrange, reduce
from torch import Tensor, nn

from wtmr_core.modality import channels, has_joints
from wtmr_core.models.backbones import Backbone
from wtmr_core.models.released import CLASSES, check_least


class LinearProbe(nn.Module):
    """Clips (b, t, c, h, w), or the maps of the backbone's frozen layers, → logits (b, k).

    Args:
        backbone: from frames to maps
        classes: k
        dropout: probability before the linear layer

    Raises:
        ValueError: in `forward`, for clips without five axes.
    """

    def __init__(self, backbone: Backbone, classes: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.norm = nn.BatchNorm2d(backbone.width, affine=False)  # of maps: a batch may have a single clip
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.width, classes)

    def features(self, clips: Tensor, normalised: bool = False) -> Tensor:
        """The mean of the backbone's maps, `normalised` or as they are, over frames and cells: (b, c)."""
        if clips.ndim != 5:
            raise ValueError(f"expected clips of shape (b, t, c, h, w), found {tuple(clips.shape)}")
        maps = self.backbone(rearrange(clips, "b t c h w -> (b t) c h w"))
        return reduce(self.norm(maps) if normalised else maps, "(b t) c h w -> b c", "mean", b=len(clips))

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(clips, normalised=True)))


def build(
    dataset: str,
    *,
    classes: int | None = None,
    colour: bool | None = None,
    backbone: str,
    backbone_weights: str | None = None,
    backbone_stage: int = 4,
    backbone_frozen: int = 0,
    dropout: float | None = None,
    **_: object,
) -> LinearProbe:
    """Build the network for a data set of pictures, by default with dropout 0.3.

    Settings that other networks have are ignored.

    Raises:
        ValueError, FileNotFoundError: for a data set of joints, for impossible sizes, and as `Backbone`.
    """
    if has_joints(dataset):
        raise ValueError(f"linear takes pictures, and {dataset} has joints")
    classes = CLASSES.get(dataset, 0) if classes is None else classes
    check_least({"classes": classes})
    network = Backbone(
        backbone,
        backbone_stage,
        channels=channels(dataset, colour),
        weights=backbone_weights,
        frozen=backbone_frozen,
    )
    return LinearProbe(network, classes, 0.3 if dropout is None else dropout)
