"""Peak memory of the index of 56,578 skeletons and of going through a full-size cache; see README.md.

    python benchmarks/memory.py

Each part runs in a process of its own; what is printed is the growth of its largest resident size. The cache's
file pages that the system keeps as long as nobody else needs them are counted apart.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path

import numpy as np
import psutil


def private() -> float:
    """Megabytes this process holds for itself, without the pages of mapped files."""
    held = psutil.Process().memory_info()
    return (held.rss - held.shared) / 1e6


def index(folder: str) -> None:
    """The index of as many names as the official list has, empty files of one byte."""
    from wtmr_core.datasets import ntu60

    root = Path(folder) / "nturgb+d_skeletons"
    root.mkdir()
    n = 0
    for setup in range(1, 18):
        for performer in range(1, 41):
            for camera in (1, 2, 3):
                for action in range(1, 61):
                    if n < ntu60.OFFICIAL_CLIPS:
                        (root / f"S{setup:03}C{camera:03}P{performer:03}R001A{action:03}.skeleton").write_bytes(b"0")
                        n += 1
    before = private()
    made = ntu60.index(Path(folder), "cross-subject")
    print(f"index of {len(made):,} skeletons: {private() - before:.0f} MB")


def cache(folder: str) -> None:
    """Every clip of a cache of HMDB51's full size, 6,766 × 16×224×224 bytes, in batches of 32."""
    shape = (6766, 16, 224, 224, 1)
    clips = np.lib.format.open_memmap(Path(folder) / "clips.npy", "w+", np.uint8, shape)
    del clips  # sparse: nothing is written
    clips = np.load(Path(folder) / "clips.npy", mmap_mode="r")
    order = np.random.default_rng(0).permutation(len(clips))
    before, most = private(), 0.0
    for i in range(0, len(order), 32):
        np.ascontiguousarray(clips[np.sort(order[i : i + 32])])
        most = max(most, private())
    print(f"an epoch through a cache of {np.prod(shape) / 1e9:.1f} GB, batch 32 ({32 * 16 * 224**2 / 1e6:.0f} MB): "
          f"{most - before:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    for part in (index, cache):
        with tempfile.TemporaryDirectory() as place:
            process = multiprocessing.get_context("spawn").Process(target=part, args=(place,))
            process.start()
            process.join()
