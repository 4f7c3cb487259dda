"""Video files and folders of numbered frames, known by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

VIDEOS = {".avi", ".mp4", ".mkv", ".mov", ".mpg", ".webm"}
IMAGES = {".jpg", ".jpeg", ".png", ".bmp"}
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)$", re.DOTALL)


def is_video(path: Path) -> bool:
    """Whether a file is a video by its name; hidden ones (`._1.avi` of a Mac) are not."""
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".")


def is_image(path: Path) -> bool:
    """Whether a file is an image by its name; hidden ones (`._1.jpg` of a Mac) are not."""
    return path.suffix.lower() in IMAGES and not path.name.startswith(".")


def natural(path: Path) -> list:
    """A key that sorts `frame2` before `frame10`, whatever stands before the number."""
    return [(0, int(word)) if word.isdecimal() else (1, word) for word in re.split(r"(\d+)", path.name) if word]


def sequence(files: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The images of one folder that are frames of its sequence, in natural order, and those that are not.

    A sequence is the largest family of one prefix and one suffix with a number between them.
    """
    files, families = list(files), {}
    for file in files:
        if match := _NUMBERED.match(file.stem):
            families.setdefault((match[1], match[3], file.suffix.lower()), []).append(file)
    frames = max(families.items(), key=lambda family: (len(family[1]), family[0]), default=(None, []))[1]
    if len(frames) == len(files):
        return sorted(frames, key=natural), []
    inside = set(frames)
    return sorted(frames, key=natural), sorted((f for f in files if f not in inside), key=natural)
