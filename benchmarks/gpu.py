"""Training at full size on a GPU: clips/s, share of the card's measured peak, and the whole published suite's time.

    PYTHONPATH=. python benchmarks/gpu.py                        a GPU, some minutes, from the source tree
    PYTHONPATH=. python benchmarks/gpu.py --device cpu --tiny    the same code in a minute, to see that it runs

For WTMR-Net and TimeSformer at HMDB51's size (16×224×224): this project's step (clips from a uint8 array in memory,
copied and augmented on the card, autocast) against the published loop on the same card in the same run (JPEG frames,
each decoded and transformed by itself with torchvision in two worker processes, batch 4, fp16 with a scaled loss). The
share is of the measured peak of a large bf16 matrix product; a step counts as three forward passes of complete MACs.
The suite's time is worked out from a step of each of the nine networks with the published batch of 4.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from data import PUBLISHED, as_published
from wtmr_core import checkpoint, data
from wtmr_core.paper import published
from wtmr_core.paper.cost import count_complete
from wtmr_core.settings import Settings

CLIPS = {"hmdb51": 6766, "ntu60": 44888, "svideoqa": 726}  # read by the paper, four fifths of them trained on
TINY = {"width": 32, "depth": 1, "heads": 2, "conv_channels": [4, 8], "frames": 4}


class Published(Dataset):
    """Folders of JPEG frames as the paper's notebooks read them."""

    def __init__(self, folders: list[Path]):
        self.folders = folders

    def __len__(self) -> int:
        return len(self.folders)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return as_published(self.folders[i], PUBLISHED), 0


def waited(work: Callable[[], int], device: torch.device, seconds: float) -> float:
    """Clips/s of `work`, which returns how many clips it did, over at least `seconds` after one uncounted call."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    work()
    wait()
    began, clips = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        clips += work()
        wait()
    return clips / (time.perf_counter() - began)


def peak(device: torch.device, dtype: torch.dtype, n: int) -> float:
    """Floating-point operations/s of an n × n matrix product."""
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    products = waited(lambda: [a @ b for _ in range(10)] and 10, device, 2.0)
    return products * 2 * n**3


def ours(settings: Settings, classes: int, device: torch.device, dtype: torch.dtype) -> Callable[[], int]:
    """A training step on random clips that lie in memory as in the clip cache."""
    net = checkpoint.new_network(settings, classes).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16 and device.type == "cuda")
    form = data.clip_format(settings)
    shape = (settings.batch_size, *form.shape)
    clips = torch.from_numpy(np.random.default_rng(0).integers(0, 255, shape).astype(form.dtype))
    clips = clips.pin_memory() if device.type == "cuda" else clips
    labels, generator = torch.zeros(len(clips), dtype=torch.long, device=device), torch.Generator().manual_seed(0)

    def step() -> int:
        x = data.inputs(clips.to(device, non_blocking=True), settings, generator, augmented=True)
        with torch.autocast(device.type, dtype):
            logits = net(x)
        scaler.scale(F.cross_entropy(logits.float(), labels)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        return len(clips)

    return step


def as_the_paper(settings: Settings, classes: int, device: torch.device, folders: list[Path]) -> Callable[[], int]:
    """An epoch of the published loop over `folders`."""
    net = checkpoint.new_network(settings, classes).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    loader = DataLoader(Published(folders), batch_size=4, shuffle=True, num_workers=2, persistent_workers=True)

    def epoch() -> int:
        loss_sum = 0.0
        for x, labels in loader:
            x, labels = x[:, : settings.frames].to(device), labels.to(device)
            with torch.autocast(device.type, torch.float16 if device.type == "cuda" else torch.bfloat16):
                loss = F.cross_entropy(net(x), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            loss_sum += loss.item()
        return len(folders)

    return epoch


def write_clips(target: Path, count: int) -> list[Path]:
    """Folders of 40 JPEG frames of 320×240, HMDB51's usual size."""
    rng = np.random.default_rng(0)
    for clip in range(count):
        (target / f"{clip:03}").mkdir()
        frame = cv2.resize(rng.integers(0, 255, (30, 40, 3), np.uint8), (320, 240))
        for t in range(40):
            cv2.imwrite(str(target / f"{clip:03}" / f"{t:03}.jpg"), np.roll(frame, t, axis=1))
    return sorted(target.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 16, 32])
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    device, seconds, sizes = torch.device(options.device), 0.2 if options.tiny else 10.0, TINY if options.tiny else {}
    on_gpu = device.type == "cuda"
    print(torch.cuda.get_device_name() if on_gpu else "CPU", "torch", torch.__version__)
    best = peak(device, torch.bfloat16, 512 if options.tiny else 8192)
    print(f"bf16 matrix peak {best / 1e12:.1f} TFLOP/s")
    full = functools.partial(dict, scale="full", protocol="published", **sizes)
    with tempfile.TemporaryDirectory() as folder:
        folders = write_clips(Path(folder), 8 if options.tiny else 64)
        for model in ("released-wtmr", "released-timesformer"):
            settings = Settings.of(full(dataset="hmdb51", model=model))
            shape = (1, settings.frames, 1, settings.size, settings.size)
            with torch.device("meta"):
                flops = 6 * count_complete(checkpoint.new_network(settings, 51), torch.empty(shape)).macs
            theirs = waited(as_the_paper(settings, 51, device, folders), device, seconds)
            print(f"{model}: published loop {theirs:.1f} clips/s, {theirs * flops / best:.1%} of the peak")
            for batch in options.batch[:1] if options.tiny else options.batch:
                try:
                    step = ours(Settings.of(settings.asdict() | {"batch_size": batch}), 51, device, torch.bfloat16)
                    pace = waited(step, device, seconds)
                except torch.OutOfMemoryError:
                    print(f"  here, batch {batch}: more than the card's memory")
                    continue
                print(f"  here, batch {batch}: {pace:.1f} clips/s, {pace / theirs:.1f}×, {pace * flops / best:.1%}")
    hours = 0.0
    for paper in published.profile().itertuples():
        settings = Settings.of(full(dataset=paper.dataset, model=paper.model))
        classes = {"hmdb51": 51, "ntu60": 60, "svideoqa": 8}[paper.dataset]
        pace = waited(ours(settings, classes, device, torch.float16 if on_gpu else torch.bfloat16), device, seconds)
        took = 0.8 * CLIPS[paper.dataset] * settings.epochs / pace / 3600
        hours += took
        print(f"{paper.dataset} {paper.model}: {pace:.0f} clips/s, {took:.2f} h (published {paper.training_hours} h)")
    print(f"the whole published suite, training alone, one card: {hours:.2f} h (published: 16.7 h)")


if __name__ == "__main__":
    main()
