"""What the clips of each data set consist of, which readers, settings and networks all need to know."""

from __future__ import annotations

#: grey or rgb pictures, or the joints of bodies
MODALITIES = {"hmdb51": "grey", "ntu60": "joints", "svideoqa": "rgb", "folder": "rgb", "skeletons": "joints"}
#: data sets of the user's own: no paper has figures of them, and there are no miniatures
OWN = ("folder", "skeletons")
#: of a picture
CHANNELS = {"grey": 1, "rgb": 3}
#: mean and deviation of each channel in 0-1 that pictures are normalised with: ImageNet's
GREY = ((0.485,), (0.229,))
RGB = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def channels(dataset: str, colour: bool | None = None) -> int:
    """Channels of a data set's pictures: as the paper reads them, or in `colour` (True) or grey (False)."""
    return CHANNELS[MODALITIES[dataset]] if colour is None else CHANNELS["rgb" if colour else "grey"]


def has_joints(dataset: str) -> bool:
    """Whether the clips of a data set are joints (t, m, j, 3) in metres rather than pictures (t, h, w, c)."""
    return MODALITIES[dataset] == "joints"
