"""Speed of reading, each as a ratio against a named alternative in the same run; see README.md.

    python benchmarks/data.py [--skeletons DIR]

The alternatives are what the paper's notebooks do: `.skeleton` files line by line with float(); a clip as
16 JPEG frames, each decoded, resized and transformed on its own, batch 4.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import wtmr_core.torchvision_guard  # noqa: F401, I001  (first: it makes torchvision importable)
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms

from tests import reference_skeleton
from wtmr_core import data
from wtmr_core.datasets import hmdb51, skeleton_file
from wtmr_core.miniature import sets
from wtmr_core.datasets.clips import cached
from wtmr_core.models.released import build
from wtmr_core.settings import Settings


def median(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of `work`, after one call that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def by_float(path: Path) -> list:
    """A `.skeleton` file line by line, every number through float()."""
    with path.open() as file:
        return [
            [
                (
                    file.readline(),
                    [[float(w) for w in file.readline().split()] for _ in range(int(file.readline()))],
                )
                for _ in range(int(file.readline()))
            ]
            for _ in range(int(file.readline()))
        ]


def parsing(folder: Path) -> None:
    files = sorted(folder.glob("*.skeleton"))[:60]
    slow = median(lambda: [by_float(f) for f in files], 3)
    fast = median(lambda: [skeleton_file.parse(f.read_bytes()) for f in files], 5)
    checked = median(lambda: [reference_skeleton.read(f.read_bytes()) for f in files], 3)
    mega = sum(f.stat().st_size for f in files) / 1e6
    print(f"parsing {len(files)} .skeleton files, {mega:.1f} MB: float() {slow:.3f} s, line by line and checked "
          f"{checked:.3f} s, here {fast:.3f} s, ratios {slow / fast:.1f} and {checked / fast:.1f}")  # fmt: skip


PUBLISHED = transforms.Compose(
    [
        transforms.Resize((224, 224)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(10),
        transforms.ColorJitter(0.2, 0.2),
        transforms.ToTensor(),
        transforms.Normalize([0.485], [0.229]),
    ]
)


def as_published(folder: Path, transform: Callable) -> torch.Tensor:
    """A clip (t, c, h, w) as the paper's notebooks read it: frame by frame, each transformed on its own."""
    files = sorted(folder.iterdir())
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, 16).astype(int)]
    return torch.stack([transform(Image.open(f).convert("L")) for f in chosen])


def epochs(root: Path, frames: Path, clips: int) -> None:
    """An epoch's clips at 16×224×224, ready for the network, from the cache and as published."""
    settings = Settings.of({"dataset": "hmdb51", "scale": "full"})
    index = hmdb51.index(root, "1")
    cache = cached(index, hmdb51.read, data.clip_format(settings), root.parent / "cache")
    generator = torch.Generator().manual_seed(0)
    rows = [np.arange(i, min(i + 4, clips)) for i in range(0, clips, 4)]

    def from_cache(augmented: bool):
        for r in rows:
            data.inputs(
                torch.from_numpy(np.ascontiguousarray(cache.clips[r])),
                settings,
                generator,
                augmented=augmented,
            )

    folders = sorted(frames.iterdir())[:clips]
    slow = median(lambda: [as_published(f, PUBLISHED) for f in folders], 1)
    for what, augmented in (("augmented", True), ("not augmented", False)):
        fast = median(lambda a=augmented: from_cache(a), 3)
        print(f"an epoch of {clips} clips 16×224×224, {what}: as published {slow:.2f} s, from the cache {fast:.2f} s, "
              f"ratio {slow / fast:.1f}")  # fmt: skip
    untouched = median(lambda: [np.ascontiguousarray(cache.clips[r]) for r in rows], 5)
    print(f"  of it reading the cache alone {untouched:.3f} s, ratio {slow / untouched:.0f}")


def steps(root: Path, frames: Path, clips: int) -> None:
    """Whole training steps of a small WTMR-Net at 16×64×64, batch 4, both ways."""
    settings = Settings.of({"dataset": "hmdb51", "scale": "mini", "frames": 16, "batch_size": 4})
    sizes = {k: getattr(settings, k) for k in ("width", "depth", "heads", "conv_channels", "frames", "size")}
    torch.manual_seed(0)
    network = build("hmdb51", "released-wtmr", classes=8, **sizes)
    optimizer = torch.optim.AdamW(network.parameters())
    cache = cached(hmdb51.index(root, "1"), hmdb51.read, data.clip_format(settings), root.parent / "cache")
    transform = transforms.Compose([transforms.Resize((64, 64)), *PUBLISHED.transforms[1:]])
    generator, folders = torch.Generator().manual_seed(0), sorted(frames.iterdir())[:clips]

    def step(x: torch.Tensor) -> None:
        F.cross_entropy(network(x), torch.zeros(len(x), dtype=torch.long)).backward()
        optimizer.step()
        optimizer.zero_grad()

    def published():
        for i in range(0, clips, 4):
            step(torch.stack([as_published(f, transform) for f in folders[i : i + 4]]))

    def ours():
        for i in range(0, clips, 4):
            step(data.inputs(torch.from_numpy(np.ascontiguousarray(cache.clips[i : i + 4])), settings, generator,
                                 augmented=True))  # fmt: skip

    slow, fast = median(published, 1), median(ours, 3)
    print(f"training steps of a small WTMR-Net, 16×64×64, batch 4, CPU: published loop {clips / slow:.1f} clips/s, "
          f"here {clips / fast:.1f} clips/s, ratio {slow / fast:.1f}")  # fmt: skip


def write_frames(root: Path, target: Path, clips: int) -> None:
    """The frames of the first clips as JPEG files, as the paper's copy of HMDB51 lies on disk."""
    for n, path in enumerate(sorted(root.glob("*/*.avi"))[:clips]):
        folder = target / f"{n:04}"
        folder.mkdir(parents=True)
        video, i = cv2.VideoCapture(str(path)), 0
        while (read := video.read())[0]:
            cv2.imwrite(str(folder / f"{i:04}.jpg"), read[1])
            i += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skeletons", type=Path, help="a folder of real .skeleton files")
    parser.add_argument("--clips", type=int, default=48)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        parsing(options.skeletons or sets.make("ntu60", place / "ntu60") / "nturgb+d_skeletons")
        root = sets.make("hmdb51", place / "hmdb51")
        write_frames(root, place / "frames", options.clips)
        epochs(root, place / "frames", options.clips)
        steps(root, place / "frames", options.clips)


if __name__ == "__main__":
    main()
