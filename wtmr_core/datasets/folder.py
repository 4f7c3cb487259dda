"""Videos, or folders of frames, of the user's own: `walk/a.mp4`, `walk/clip-3/0001.jpg`, or `train/walk/a.mp4`.

`own_set` defines classes, parts, groups and splits. A folder of frames is a clip with the name of the folder. Pictures
beside videos, or above folders that hold recordings, are not part of the set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wtmr_core.datasets.class_folders import videos_and_images
from wtmr_core.datasets.index import Index
from wtmr_core.datasets.own_set import CUT, FOLDERS, MANIFEST, OwnSet
from wtmr_core.datasets.video import ClipFormat, read_frames

SPLITS = (FOLDERS, MANIFEST, CUT)


def recognise(root: Path) -> None:
    """Raise `NotThisSet`, saying what is there, unless class folders below `root` hold videos or folders of frames."""
    _set(root)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that come with the recordings below `root`, the default first; see `OwnSet.splits`."""
    return _set(root).splits()


def index(root: Path, split: str, *, reader: str = "corrected") -> Index:
    """Index every clip below `root`, with its part in `split`.

    Args:
        root: folder of the recordings
        split: `folders`, `manifest`, `cut`, `cut-1` to `cut-9999`, `fold-1` to `fold-5`, or `-` for none; see `own_set`
        reader: without effect, both readers read the same clips

    Raises:
        NotThisSet: where there are no recordings in class folders.
        DataError: where the split is not possible, or classes.txt, manifest.csv, groups.txt or the part folders cannot
            be used.

    >>> index(Path("my_recordings"), "cut").parts()  # doctest: +SKIP
    {'test': 12, 'train': 48}
    """
    return _set(root).index(split)


def read(path: Path, form: ClipFormat) -> np.ndarray:
    """Read a clip as (t, h, w, c) uint8: `form.frames` of its frames at even steps; see `video.read_frames`."""
    return read_frames(path, form)


def _set(root: Path) -> OwnSet:
    return OwnSet("folder", root, videos_and_images, "videos or folders of frames")
