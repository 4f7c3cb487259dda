"""What file names tell: which files are videos or pictures, and which pictures of a folder are frames."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

#: the suffixes, in lower case, of what FFmpeg reads as videos and OpenCV as pictures
VIDEOS = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265",
    ".hevc", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mp4v",
    ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogg", ".ogm", ".ogv", ".qt", ".rm", ".rmvb",
    ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
IMAGES = frozenset({
    ".bmp", ".dib", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".ras", ".tif", ".tiff",
    ".webp",
})  # fmt: skip


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name; hidden files (`._1.avi` of a Mac) are not."""
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".")


def is_image(path: Path) -> bool:
    """Whether a file is a picture, by its name; hidden files (`._1.jpg` of a Mac) are not."""
    return path.suffix.lower() in IMAGES and not path.name.startswith(".")


def natural(path: Path) -> list:
    """A sort key that puts `frame2` before `frame10`, whatever precedes the number."""
    words = re.split(r"([0-9]+)", path.name)
    return [(0, int(word)) if n % 2 else (1, word) for n, word in enumerate(words) if word]


def sequence(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Divide the pictures among the `files` of a folder into frames and others, both in natural order.

    Frames have names that differ in one number only (or in several that change together, such as a number and a time).
    Of several such families the largest is the sequence. Pictures without a number are not frames.
    """
    frames, _, rest = numbered(files)
    return frames, rest


def numbered(files: Iterable[Path]) -> tuple[list[Path], list[int], list[Path]]:
    """The frames of a sequence, their numbers in ascending order, and the other pictures; see `sequence`."""
    images = sorted(filter(is_image, files), key=natural)
    families = defaultdict(list)
    for file in images:
        words = re.split(r"([0-9]+)", file.name.lower())
        if len(words) > 1:
            families[tuple(words[::2])].append((file, [int(word) for word in words[1::2]]))
    if not families:
        return [], [], images
    family = max(families.values(), key=len)
    values = [len(set(column)) for column in zip(*(numbers for _, numbers in family), strict=True)]
    counter = max(range(len(values)), key=lambda place: (values[place], place))
    if values[counter] < len(family):  # several sequences in one folder, told apart by their other numbers
        apart = defaultdict(list)
        for file, numbers in family:
            apart[*numbers[:counter], *numbers[counter + 1 :]].append((file, numbers))
        family = max(apart.values(), key=len)
    if len({numbers[counter] for _, numbers in family}) < len(family):  # 1.jpg beside 01.jpg, f1.jpg beside F1.jpg
        family = max(_alike(family, counter).values(), key=len)
    family.sort(key=lambda member: member[1][counter])
    frames = [file for file, _ in family]
    return frames, [numbers[counter] for _, numbers in family], [f for f in images if f not in set(frames)]


def _alike(family: list[tuple[Path, list[int]]], counter: int) -> dict[tuple, list[tuple[Path, list[int]]]]:
    """The members of a family by how their names are written: in capitals or not, with zeros in front or not."""
    written = defaultdict(list)
    for file, numbers in family:
        words = re.split(r"([0-9]+)", file.name)
        written[*words[::2], words[2 * counter + 1] == str(numbers[counter])].append((file, numbers))
    return written


def missing(numbers: list[int]) -> tuple[int, bool]:
    """How many of an ascending sequence's numbers are missing, and whether that is certain enough to refuse it.

    A step wider than the most common one is a gap of as many frames as common steps fit into it. A step as wide as one
    of its neighbours is a change of pace instead: every frame and then every fifth is a complete sequence. Gaps are
    uncertain where fewer than half of all steps are the common one, and where the numbers lie at even steps from first
    to last, rounded, as if the frames had been chosen from a longer recording.

    >>> missing([1, 2, 3, 7, 8])
    (3, True)
    """
    steps = [later - earlier for earlier, later in pairwise(numbers) if later > earlier]
    if not steps:
        return 0, False
    common, times = min(Counter(steps).items(), key=lambda item: (-item[1], item[0]))
    beside = zip([0, *steps[:-1]], [*steps[1:], 0], strict=True)
    holes = [step for step, neighbours in zip(steps, beside, strict=True) if step > common and step not in neighbours]
    even = np.linspace(numbers[0], numbers[-1], len(numbers))
    chosen = max(steps) - min(steps) <= 1 and np.abs(np.array(numbers, float) - even).max() < 1
    return sum(round(step / common) - 1 for step in holes), 2 * times >= len(steps) and not chosen
