"""Named parts of a camera's picture, such as bed and sofa, drawn as polygons in a small YAML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, MultipleLocator
from numpy.typing import ArrayLike

from wtmr_core import files, literals

LYING = ("lying", "sleeping")
#: activities in which a person is on a bed or a seat, not on their feet; who is standing up may come from the floor
RESTING = (*LYING, "sitting", "sitting down")
SEAT = 3 / 4  # of the height of a box, from above: feet hang before a seat, and a bed is under the body
CORNERS = 100  # most corners of a zone
REST = ("bed", "sofa", "couch", "mattress")  # zones whose names begin so are for lying, unless the file lists others

TEMPLATE = """\
# Zones of {video}. Read their corners off the grid of zones.png, in pixels: x to the right, y down.
# Take the # off a line and put your numbers in, corner by corner around the zone; choose any names.
# People are where their feet are; those who sit or lie are where their seat or bed is.
size: [{width}, {height}]
zones:
  # bed: [[40, 200], [300, 200], [340, 330], [20, 330]]
  # sofa: [[400, 220], [600, 220], [600, 330], [400, 330]]
  # kitchen: [[350, 20], [470, 20], [470, 200], [350, 200]]
# Whoever lies outside these zones is logged as on the floor. Without this line they are those whose names begin with
# {rest}.
# rest: [bed, sofa]
"""


Point = tuple[float, float]
Edge = tuple[Point, Point]


class ZoneError(ValueError):
    """A file of zones is wrong; the message names the file and the zone."""


@dataclass(frozen=True)
class Zones:
    """Named polygons in the picture of a camera.

    Attributes:
        size: (width, height) of the picture in pixels
        polygons: name -> (n, 2) corners, x y in pixels
        rest: names of the zones in which people lie, such as a bed

    >>> zones = Zones.read("zones.yaml").scaled((1280, 720))
    >>> zones.at_box([412, 300, 640, 520], "lying")
    'bed'
    """

    size: tuple[int, int]
    polygons: dict[str, np.ndarray]
    rest: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: str | Path, size: tuple[int, int] | None = None) -> Zones:
        """Read zones from a YAML file.

        Its keys are `size`, the [width, height] of the picture in pixels; `zones`, name -> corners [x, y] in order
        around it; and optionally `rest`, a list of the zones in which people lie.

        Args:
            path: the file
            size: (width, height) of the picture; with it, a file may also hold nothing but names and corners

        Raises:
            ZoneError: where the file cannot be read, or a zone lies outside the picture, has fewer than three corners,
                crosses or touches itself, or has the name of another.
        """
        path = Path(path)
        try:
            return cls.of(literals.read(path.read_text(encoding="utf-8-sig")), size)
        except OSError as error:
            raise ZoneError(f"{path} cannot be read ({error.strerror}): name a file of zones") from error
        except ValueError as error:
            raise ZoneError(f"{path}: {error}") from error

    @classmethod
    def of(cls, value: Any, size: tuple[int, int] | None = None) -> Zones:
        """Make zones from the content of a file; see `read`."""
        if isinstance(value, dict) and size and not {"size", "zones", "rest"} & set(value):
            value = {"size": list(size), "zones": value}
        if not isinstance(value, dict) or not {"size", "zones"} <= set(value) <= {"size", "zones", "rest"}:
            keys = ", ".join(map(str, value)) if isinstance(value, dict) else literals.shown(value)
            raise ZoneError(f"a file of zones has the keys size, zones and perhaps rest, not {keys}")
        size = _pair(value["size"])
        if size is None or not all(isinstance(v, int) and v > 0 for v in size):
            raise ZoneError(f"size is [width, height] of the picture in pixels, not {literals.shown(value['size'])}")
        if not value["zones"] or not isinstance(value["zones"], dict):
            raise ZoneError("zones is empty: take the # off a line and put your numbers in")
        polygons = {_name(name): _polygon(name, corners, size) for name, corners in value["zones"].items()}
        rest = value.get("rest", [name for name in polygons if name.lower().startswith(REST)])
        if not isinstance(rest, list) or (strange := [name for name in rest if name not in list(polygons)]):
            names = literals.shown(rest if not isinstance(rest, list) else strange)
            raise ZoneError(f"rest is a list of names of zones ({', '.join(polygons)}), not {names}")
        return cls(size, polygons, frozenset(rest))

    def scaled(self, size: tuple[int, int]) -> Zones:
        """Scale the zones to another picture size (width, height) of the same camera.

        Raises:
            ZoneError: where the aspect ratio differs by more than 2 %.
        """
        ratio = np.array(size) / self.size
        if abs(ratio[0] / ratio[1] - 1) > 0.02:
            raise ZoneError(
                f"the zones are drawn on a picture of {self.size[0]}×{self.size[1]}; this one has {size[0]}×{size[1]}: "
                "draw them again with wtmr zones VIDEO"
            )
        polygons = {name: polygon * ratio for name, polygon in self.polygons.items()}
        return Zones((size[0], size[1]), polygons, self.rest)

    def at(self, point: ArrayLike) -> str:
        """The name of the smallest zone that holds a point (x, y), border included; "" for none."""
        x, y = (float(v) for v in np.asarray(point))
        inside = [p for p in self.polygons.items() if cv2.pointPolygonTest(np.float32(p[1]), (x, y), False) >= 0]
        return min(inside, key=lambda item: cv2.contourArea(np.float32(item[1])), default=("",))[0]

    def at_box(self, box: ArrayLike, activity: str = "") -> str:
        """The name of the zone in which a person is; "" for none.

        It is looked up in the middle of the box from left to right: at its lower side, where the feet are, or, while
        the person sits or lies, at three quarters of its height from above, where the seat or bed is. A point outside
        the picture is moved to its edge.

        Args:
            box: x1 y1 x2 y2 in pixels
            activity: the person's activity
        """
        x1, y1, x2, y2 = (float(v) for v in np.asarray(box))
        point = ((x1 + x2) / 2, y1 + (y2 - y1) * (SEAT if activity in RESTING else 1))
        return self.at(np.clip(point, 0, self.size))


def emptied(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The median of pictures (h, w, 3) of a still camera, taken at intervals, in which people who moved disappear.

    People who keep still remain: blur heads first, see `privacy.headless`.
    """
    return np.median(np.stack(pictures), axis=0).astype(np.uint8)


def write_template(picture: np.ndarray, folder: str | Path, video: str = "the video") -> tuple[Path, Path]:
    """Write `zones.png`, the picture under a labelled grid of pixels, and `zones.yaml`, a template to fill in.

    Args:
        picture: (h, w, 3) RGB, without people: see `emptied`
        folder: folder of both files
        video: name of the video, for the template

    Returns:
        the paths of both files

    Raises:
        ZoneError: where there is a `zones.yaml` already.
        RunError: where a file cannot be written.
    """
    folder = Path(folder)
    image, text = folder / "zones.png", folder / "zones.yaml"
    if text.exists():
        raise ZoneError(f"{text} is there already: rename it, or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    files.write(image, lambda path: _save_grid(picture, path))
    height, width = picture.shape[:2]
    files.write_text(text, TEMPLATE.format(video=video, width=width, height=height, rest=" or ".join(REST)))
    return image, text


def _save_grid(picture: np.ndarray, path: Path) -> None:
    """Write the picture under a labelled grid."""
    height, width = picture.shape[:2]
    figure = Figure(figsize=(12, 12 * height / width + 0.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, extent=(0, width, height, 0))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(100 if max(width, height) > 1000 else 50))
        axis.set_minor_locator(AutoMinorLocator(5))
    axes.tick_params(which="both", top=True, right=True, labeltop=True, labelright=True)
    axes.grid(which="major", color="white", linewidth=0.8)
    axes.grid(which="minor", color="white", linewidth=0.3, alpha=0.6)
    figure.savefig(path, format="png")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or ";" in name:
        raise ZoneError(f"a zone's name is text without ;, not {literals.shown(name)}: put it in quotes")
    return name


def _pair(value: Any) -> tuple[float, float] | None:
    """Two finite numbers, None for anything else."""
    if not isinstance(value, list) or len(value) != 2 or any(type(v) not in (int, float) for v in value):
        return None
    return (value[0], value[1]) if all(map(math.isfinite, value)) else None


def _polygon(name: str, corners: Any, size: tuple[float, float]) -> np.ndarray:
    """The checked corners of a zone (n, 2); a last corner equal to the first is dropped."""
    points = [_pair(corner) for corner in corners] if isinstance(corners, list) else []
    if None in points or not points:
        raise ZoneError(f"zone {name}: its corners are a list of [x, y], not {literals.shown(corners)}")
    if len(points) > 1 and points[0] == points[-1]:
        del points[-1]
    if not 3 <= len(points) <= CORNERS:
        raise ZoneError(f"zone {name} has {len(points)} corners; a zone has 3 to {CORNERS}")
    for x, y in points:
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise ZoneError(f"zone {name}: the corner [{x:g}, {y:g}] lies outside the picture of {size[0]}×{size[1]}")
    edges = list(zip(points, [*points[1:], points[0]], strict=True))
    for (i, p), (k, q) in combinations(enumerate(edges), 2):
        beside = k == i + 1 or (i == 0 and k == len(edges) - 1)
        if _folded(p, q) if beside else _meet(p, q):
            raise ZoneError(
                f"zone {name} crosses or touches itself between [{p[0][0]:g}, {p[0][1]:g}] and "
                f"[{q[0][0]:g}, {q[0][1]:g}]: give its corners in order around it"
            )
    return np.array(points, dtype=float)


def _side(a: Point, b: Point, c: Point) -> float:
    """Positive where `c` is on one side of the line from `a` to `b`, negative on the other, 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _folded(p: Edge, q: Edge) -> bool:
    """Whether two edges with a common corner overlap."""
    if _side(*p, q[0]) or _side(*p, q[1]):
        return False
    return (p[1][0] - p[0][0]) * (q[1][0] - q[0][0]) + (p[1][1] - p[0][1]) * (q[1][1] - q[0][1]) <= 0


def _meet(p: Edge, q: Edge) -> bool:
    """Whether two edges have a common point."""
    sides = [_side(*p, q[0]), _side(*p, q[1]), _side(*q, p[0]), _side(*q, p[1])]
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = [(p, q[0]), (p, q[1]), (q, p[0]), (q, p[1])]
    return any(
        side == 0 and min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
        for side, ((a, b), c) in zip(sides, ends, strict=True)
    )
