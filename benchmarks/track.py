"""Speed of `track`, and its memory over hours of video.

    python benchmarks/track.py [--data DIR] [--hours N]

The first table is for MoveNet, processing ten frames a second and every frame, on a home clip with one person, scaled
to 480×360 and repeated to half a minute, and on the miniature home, 640×480 with three people. It lists frames of the
video per second and per second of CPU time.

The second table is for N hours of that home clip at ten frames a second with three people in view throughout: in place
of a detector, MoveNet's poses of the clip run forwards and backwards at three places in the picture, and at a fourth
with scores too low to start a person. Last comes the time that one more episode takes in a log of thousands, all of
whose rows are written again.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import cv2
import numpy as np
import psutil
import supervision as sv

from wtmr_core.datasets.video import decoded
from wtmr_core.miniature import sets
from wtmr_core.tracking import detectors
from wtmr_core.tracking.boxes import JOINTS, detections
from wtmr_core.tracking.log import LogWriter, Row
from wtmr_core.tracking.people import Episode
from wtmr_core.tracking.track import track

CLIP = "homes/subject-4/adl-19.mp4"
RATE = 10  # frames a second that are processed
EPISODES = (100, 1000, 5000)


def repeated(clip: Path, path: Path, size: tuple[int, int], rate: int, seconds: float) -> Path:
    """Write a clip, scaled to `size` (w, h) and repeated for `seconds`, at `rate` frames a second."""
    pictures = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for _, picture in decoded(clip)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _, picture in zip(range(round(seconds * rate)), cycle(pictures), strict=False):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def speed(video: Path, folder: Path, fps: float | None) -> tuple[float, float, float, dict]:
    """Frames of a video per second, and per second of CPU time; times real time; the summary of the log."""
    start, cpu_start = time.perf_counter(), time.process_time()
    summary = track(video, folder, fps=fps)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return summary["frames"] / wall, summary["frames"] / cpu, summary["seconds"] / wall, summary


class Crowd:
    """Takes the place of a detector: three people with the poses of one, and a fourth who is never confirmed."""

    name, joints = "crowd", True

    def __init__(self, clip: Path):
        movenet = detectors.load("movenet")
        poses = [movenet(picture) for _, picture in decoded(clip)][::3]
        poses = [people[:1] for people in poses if len(people)]
        self._poses = cycle(poses + poses[-2:0:-1])
        self._size = next(decoded(clip))[1].shape[:2]
        self.calls = 0
        self.memory: dict[int, tuple[float, float]] = {}  # minute -> MB, and the peak so far

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        self.calls += 1
        if self.calls % (60 * RATE) == 0:
            self.memory[self.calls // (60 * RATE)] = memory()
        person = next(self._poses)
        scale = picture.shape[1] / self._size[1] / 3
        offsets = np.arange(4)[:, None] * picture.shape[1] / 4
        corners = person.xyxy * scale + offsets * [1, 0, 1, 0]
        joints = person.data[JOINTS] * [scale, scale, 1] + offsets[:, None] * [1, 0, 0]
        return detections(corners, [0.8, 0.8, 0.8, 0.1], picture.shape[:2], joints)


def memory() -> tuple[float, float]:
    """Megabytes of memory of this process: now and at its peak."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kibibytes
    return psutil.Process().memory_info().rss / 1e6, peak / 1e6


def lengthened(folder: Path) -> Iterator[tuple[int, float]]:
    """Number of episodes in a log, and the milliseconds that the next one takes."""
    with LogWriter(folder, video="home.mp4", size=(640, 480), detector="movenet", model="home") as log:
        for number in range(max(EPISODES) + 1):
            row = Row(1, Episode("sitting", 10.0 * number, 10.0 * number + 9, 9.0, 0.9), "sofa", "", ("a.jpg",) * 3)
            start = time.perf_counter()
            if number in EPISODES:
                log.episode(row)
                yield number, 1000 * (time.perf_counter() - start)
            else:
                log.rows.append(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    clip = options.data / CLIP
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        videos = {
            "480×360, one person": (repeated(clip, folder / "one.mp4", (480, 360), 30, 30), 30),
            "640×480, three people": (sets.make("home", folder) / "home.mp4", 15),
        }
        print("| video | processed | frames a second | a CPU second | times real time | people |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name, (video, rate) in videos.items():
            for fps in (None, rate):
                wall, cpu, real, summary = speed(video, folder / "log", fps)
                processed = f"{summary['fps_processed']:.0f} a second"
                print(
                    f"| {name} | {processed} | {wall:.0f} | {cpu:.0f} | {real:.1f} | {summary['people']} |", flush=True
                )
        print(f"load average {os.getloadavg()[0]:.1f}\n")

        crowd = Crowd(clip)
        video = repeated(clip, folder / "hours.mp4", (320, 240), RATE, 3600 * options.hours)
        with patch.object(detectors, "load", lambda name: crowd):
            start = time.perf_counter()
            summary = track(video, folder / "log")
        print(f"{summary['seconds'] / 3600:.2f} h of {summary['people']} people, {summary['episodes']} episodes, "
              f"in {time.perf_counter() - start:.0f} s")  # fmt: skip
        print("| minute | MB | at most |\n| --- | --- | --- |")
        for minute in (1, 5, 15, 30, 45, *range(60, 1000, 60)):
            if minute in crowd.memory:
                print("| {} | {:.0f} | {:.0f} |".format(minute, *crowd.memory[minute]))
        print("| the end | {:.0f} | {:.0f} |\n".format(*memory()))

        for number, milliseconds in lengthened(folder / "long"):
            print(f"one episode after {number}: {milliseconds:.1f} ms")


if __name__ == "__main__":
    main()
