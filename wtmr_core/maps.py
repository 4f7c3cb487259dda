"""The maps of a backbone's frozen layers: computed once for each clip and view, and cached as clips are.

The first view is the clip as it is, on which a network is evaluated. The others are augmented, each by random numbers
that depend on the recording and on the number of the view alone, so that runs of every seed share them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from tqdm import tqdm

from wtmr_core.data import STRENGTHS, Data, augmentation
from wtmr_core.datasets import augment
from wtmr_core.datasets.clips import Attempt, CacheError
from wtmr_core.datasets.store import Store
from wtmr_core.locks import locked
from wtmr_core.modality import channels
from wtmr_core.models.backbones import Backbone
from wtmr_core.settings import Settings

_VERSION = 1  # of what is made of a clip: raise it when that changes


@dataclass(frozen=True)
class MapFormat:
    """The format of the cached maps of one view of a clip: `shape` (t, c, h, w), in half precision."""

    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float16)


def mapped(data: Data, settings: Settings, home: Path, device: torch.device) -> Data:
    """Add to `data` the maps of the frozen layers of the run's backbone, from a cache below `home`, filled if need be.

    Without frozen layers, and with `backbone_views` of 0, `data` is returned as it is. A cache of other clips, layers,
    weights, views or augmentation has another name.

    Raises:
        CacheError: where the cache cannot be written.
        ValueError: as `Backbone`, and for maps that half precision cannot hold.
    """
    if not (settings.backbone_frozen and settings.backbone_views):
        return data
    backbone = Backbone(
        settings.backbone,
        settings.backbone_frozen,
        channels=channels(settings.dataset, settings.colour),
        weights=settings.backbone_weights,
        frozen=settings.backbone_frozen,
    ).to(device)
    clips, names = data.cache, data.cache.index.samples.name
    with torch.inference_mode():
        picture = torch.zeros(1, backbone.channels, settings.size, settings.size, device=device)
        shape = (clips.form.frames, *backbone.frozen_maps(picture).shape[1:])
    views = settings.backbone_views
    folder = home / f"{settings.dataset}-maps-{_key(settings, data, backbone)}"
    store = Store(folder, [f"{name}, view {view}" for view in range(views) for name in names], MapFormat(shape))

    def compute(rows: Iterable[int]) -> Iterator[Attempt]:
        for row in tqdm(rows, desc=f"mapping {settings.dataset}", unit="clip", mininterval=0.5):
            view, clip = divmod(int(row), len(names))
            yield Attempt(_map(data, clip, view, settings, backbone, device))

    try:
        state = store.state()
        if not state.whole:
            with locked(folder / ".lock", f"maps {settings.dataset}"):
                state = store.state()
                if not state.whole:
                    store.fill(state, compute, {"version": _VERSION, "dataset": settings.dataset})
        return replace(data, maps=store.open())
    except OSError as error:
        raise CacheError(
            f"the maps of {settings.backbone} cannot be cached in {folder} ({error}): free {store.bytes / 1e9:.1f} GB, "
            "or name another folder with WTMR_CACHE, or cache fewer views (backbone_views); what is done is kept"
        ) from error


@torch.inference_mode()
def _map(data: Data, clip: int, view: int, settings: Settings, backbone: Backbone, device: torch.device) -> np.ndarray:
    """The maps (t, c, h, w) of one view of a clip."""
    pictures = torch.from_numpy(np.array(data.cache.clips[[clip]])).to(device)
    change = None
    if view:
        seed = np.random.SeedSequence([view, int(data.cache.contents[clip][:16], 16)]).generate_state(1)[0]
        change = augmentation(settings, torch.Generator().manual_seed(int(seed)), mirrorable=data.mirrorable[[clip]])
    frames = rearrange(augment.frames(pictures, change), "1 t c h w -> t c h w")
    maps = backbone.frozen_maps(frames).half()
    if not torch.isfinite(maps).all():
        name = data.cache.index.samples.name.iloc[clip]
        raise ValueError(
            f"half precision cannot hold the maps of {name} under {settings.backbone}: train with backbone_views 0"
        )
    return maps.cpu().numpy()


def _key(settings: Settings, data: Data, backbone: Backbone) -> str:
    """What the maps depend on: clips, frozen layers and augmentation."""
    digest = hashlib.sha256()
    for name, value in backbone.frozen_layers.state_dict().items():
        digest.update(name.encode() + np.ascontiguousarray(value.cpu().numpy()).tobytes())
    views = settings.backbone_views
    change = [(key, getattr(settings, key)) for key in (*STRENGTHS, "augment_per", "spare_sided")] if views > 1 else []
    identity = (_VERSION, data.cache.folder.name, settings.backbone, digest.hexdigest(), views, change)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:12]
