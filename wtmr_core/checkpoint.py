"""The network of a run, untrained or trained, and the region weights it gives a clip."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from wtmr_core.data import Data, inputs
from wtmr_core.datasets import augment
from wtmr_core.modality import has_joints
from wtmr_core.models import build
from wtmr_core.runs import SETTINGS, WEIGHTS, Run, RunError, verify
from wtmr_core.settings import Settings, SettingsError


def new_network(settings: Settings, classes: int, *, pretrained: bool = True) -> nn.Module:
    """Build the untrained network of a run, `pretrained` as its settings say, or from random weights alone.

    Raises `SettingsError` where its sizes do not fit each other.
    """
    try:
        return build(settings.dataset, settings.model, classes=classes, **settings.sizes(pretrained=pretrained))
    except (ValueError, FileNotFoundError) as error:
        raise SettingsError(f"{settings.model} on {settings.dataset}: {error}") from error


def trained_network(run: Run) -> nn.Module:
    """Load the network of a finished run, in evaluation mode.

    Raises:
        RunError: where the weights are missing, as in a clone of this repository, or are not those of the run.
    """
    file = run.folder / WEIGHTS
    if not file.is_file():
        raise RunError(f"{run.folder} has no weights: they are no part of the repository; train the run again")
    network = new_network(settings_of(run), len(run.classes), pretrained=False)  # all weights are in the run's file
    verify(run.folder, WEIGHTS)
    try:
        network.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:  # of a run without sums
        raise RunError(f"{file} is damaged ({error}): delete the folder and run it again") from error
    return network.eval()


@torch.inference_mode()
def region_weights(run: Run, data: Data, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the weights that the described network of a run gives to the regions of one clip.

    Args:
        run: a finished run of `wtmr` with its CNN
        data: clips of the run's data set
        row: of the clip in `data`

    Returns:
        The clip as the network sees it, pictures (t, h, w) or (t, h, w, 3) uint8 or joints (t, m, j, 3); and the weight
        of each region in each frame (t, r), 1 on average. For joints r is bodies × parts, with zeros where there is no
        body.

    Raises:
        RunError: as `trained_network`, and for a network without regions.
    """
    settings = settings_of(run)
    if settings.model != "wtmr" or not settings.cnn:
        raise RunError(f"{settings.model}{'' if settings.cnn else ' without its CNN'} weighs no regions")
    network = trained_network(run)
    clip = torch.from_numpy(np.array(data.cache.clips[[row]]))
    x = inputs(clip, settings, None, augmented=False)
    weights = network.regions(x).weights[0].numpy()
    if has_joints(settings.dataset):
        return x[0].numpy(), weights
    pictures = clip[0, augment.pick(clip.shape[1], settings.frames, 1, view=(0, settings.views))[0]].numpy()
    return (rearrange(pictures, "t h w 1 -> t h w") if pictures.shape[-1] == 1 else pictures), weights


def settings_of(run: Run) -> Settings:
    """The settings of a run; raises `RunError` where they are not possible."""
    try:
        return Settings.of({key: value for key, value in run.settings.items() if key != "data"})
    except SettingsError as error:
        raise RunError(f"{run.folder / SETTINGS} holds no settings that can be ({error}): run it again") from error
