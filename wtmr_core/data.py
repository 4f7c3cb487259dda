"""What a run reads: its clips, divided into parts, in batches ready for the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wtmr_core import datasets
from wtmr_core.datasets import augment
from wtmr_core.datasets.clips import Cache, ClipFormat, cached
from wtmr_core.datasets.splits import official_parts, sampled_parts
from wtmr_core.modality import channels, has_joints
from wtmr_core.settings import Settings

#: the settings that say how strongly to augment
STRENGTHS = ("flip", "rotate", "shift", "zoom", "jitter", "tilt", "joint_noise", "joint_dropout")


def clip_format(settings: Settings) -> ClipFormat:
    """The format in which the cache stores the clips of a run."""
    if has_joints(settings.dataset):
        bodies = 1 if settings.reader == "published" else 2
        return ClipFormat(settings.stored_frames, bodies=bodies, reader=settings.reader)
    choice = "flow" if settings.dataset == "svideoqa" else "uniform"
    return ClipFormat(settings.stored_frames, settings.size, channels(settings.dataset, settings.colour), choice=choice)


@dataclass(frozen=True)
class Data:
    """What a run reads.

    Attributes:
        cache: the clips
        parts: the rows of each part
        validation: how it was split off, in words
        maps: (views · b, t, c, h, w) maps of a backbone's frozen layers instead of the clips (see `maps.mapped`), the
            first b rows of the clips as they are, each b further rows of an augmented view; or None
    """

    cache: Cache
    parts: dict[str, np.ndarray]
    validation: str
    maps: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """(b,) class numbers of all clips."""
        return self.cache.index.samples.label.to_numpy()

    @cached_property
    def mirrorable(self) -> Tensor:
        """(b,) bool: the clips whose class stays true in a mirror."""
        return augment.mirrorable(self.cache.index.classes)[torch.from_numpy(self.labels)]

    def augmented_rows(self, rows: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """The rows to train on for clips: of maps, a view of each at random, augmented ones where there are any."""
        views = 1 if self.maps is None else len(self.maps) // len(self.labels)
        if views == 1:
            return rows
        return rows + len(self.labels) * torch.randint(1, views, (len(rows),), generator=generator).numpy()


def resolve(settings: Settings, root: str | Path | None = None) -> Settings:
    """Replace the split `auto` by the first one that can be read below the data set's root."""
    if settings.split != "auto":
        return settings
    place = datasets.find(settings.dataset, root, scale=settings.scale)
    return replace(settings, split=datasets.first_split(settings.dataset, place))


def prepare_clips(settings: Settings, root: str | Path | None = None) -> Data:
    """Find, index, decode and split the clips of a run.

    Args:
        settings: those of the run
        root: folder of the recordings; None looks for it, or makes the miniature (see `datasets.find`)

    Raises:
        DataError: where the data set cannot be found, indexed or split.
    """
    settings = resolve(settings, root)
    place = datasets.find(settings.dataset, root, scale=settings.scale)
    index = datasets.open_index(settings.dataset, place, settings.split, reader=settings.reader)
    read = datasets.module(settings.dataset).read
    cache = cached(index, read, clip_format(settings), datasets.cache_home(), workers=settings.workers or None)
    divide = sampled_parts if settings.parts == "sampled" else official_parts
    parts, validation = divide(cache.index.samples, settings.val_fraction, settings.seed)
    return Data(cache, parts, validation)


class Batches(Dataset):
    """Whole batches by their row numbers, read from the memory-mapped cache: of clips, or of maps."""

    def __init__(self, data: Data):
        self.clips, self.labels = data.cache.clips if data.maps is None else data.maps, torch.from_numpy(data.labels)

    def __getitem__(self, rows: np.ndarray) -> tuple[Tensor, Tensor, np.ndarray]:
        clips = rows % len(self.labels)
        return torch.from_numpy(np.ascontiguousarray(self.clips[rows])), self.labels[clips], clips


@dataclass(frozen=True)
class Share:
    """The part of a batch that one process works on: rows `first` to `stop`, not included, of `whole` clips.

    `counted` tells whether the share contributes to loss and accuracy: where every process has a copy of the same
    batch, one of them counts.
    """

    first: int
    stop: int
    whole: int
    counted: bool = True  # towards loss and accuracy; of several copies of one batch, one is

    @classmethod
    def of(cls, whole: int, process: int, processes: int) -> Share:
        """The share of `process` among `processes`, as even as possible and in order.

        A batch with fewer clips than processes goes to each of them in full.

        >>> Share.of(5, process=1, processes=2)
        Share(first=2, stop=5, whole=5, counted=True)
        """
        if whole < processes:
            return cls(0, whole, whole, counted=process == 0)
        return cls(whole * process // processes, whole * (process + 1) // processes, whole)

    @property
    def alone(self) -> bool:
        """Whether this is the whole batch."""
        return self.stop - self.first == self.whole

    @property
    def slice(self) -> slice:
        """The rows of this share, for an array with one row per clip of the whole batch."""
        return slice(self.first, self.stop)


def augmentation(
    settings: Settings,
    generator: torch.Generator,
    *,
    share: Share | None = None,
    mirrorable: Tensor | None = None,
) -> augment.Augmentation:
    """The augmentation of a run, for a `share` of a batch; `mirrorable` (b,) as for `inputs`."""
    return augment.Augmentation(
        generator,
        per_frame=settings.augment_per == "frame",
        share=(share.first, share.stop, share.whole) if share else None,
        mirrorable=mirrorable if settings.spare_sided else None,
        **{k: getattr(settings, k) for k in STRENGTHS},
    )


def inputs(
    clips: Tensor,
    settings: Settings,
    generator: torch.Generator | None,
    *,
    augmented: bool,
    share: Share | None = None,
    mirrorable: Tensor | None = None,
    view: int = 0,
) -> Tensor:
    """Turn a batch from the cache into the input of the network.

    Args:
        clips: pictures (b, t, h, w, c) uint8, joints (b, t, m, j, 3) in metres, or maps (b, t, c, h, w) float16, which
            are augmented already; on any device
        settings: those of the run
        generator: of the random numbers; None for none
        augmented: augment at random and choose frames at random; otherwise nothing is random
        share: which part of a batch `clips` are; numbers are sampled for the whole of it, so that a clip's do not
            depend on how the batch is divided
        mirrorable: (b,) bool, the clips whose class stays true in a mirror
        view: which frames are shown where nothing is random, from 0 to `settings.views` - 1

    Returns:
        Pictures or maps (b, t, c, h, w); or joints, (b, t, m, j, 3) for `wtmr` and (b, t, j, 3), the first body's, for
        the others.
    """
    share = share or Share(0, len(clips), len(clips))
    change = augmentation(settings, generator, share=share, mirrorable=mirrorable) if augmented else None
    chosen = augment.pick(
        clips.shape[1], settings.frames, share.whole, generator if augmented else None, view=(view, settings.views)
    )[share.slice]
    if clips.shape[1] != settings.frames:
        clips = clips[torch.arange(len(clips))[:, None], chosen]
    if clips.dtype == torch.float16:
        return clips.float()
    if not has_joints(settings.dataset):
        return augment.frames(clips, change)
    bodies = augment.joints(clips, change, centred=settings.centre_joints, normalised=settings.normalise_joints)
    return bodies if settings.model == "wtmr" else bodies[:, :, 0]  # the others take one
