"""Pictures of synthetic people, and the recording that a camera makes of them in a room.

Bodies are tapered limbs, painted from far to near, and hidden where the room's depth says that something stands before
them. Pictures are (h, w, 3) uint8, BGR as in OpenCV.

Axes: t frame, h w pixels, m body, j joint.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from wtmr_core import skeleton
from wtmr_core.miniature import body
from wtmr_core.miniature.body import Person
from wtmr_core.miniature.camera import Camera

# What is painted of a body: a garment and round ends (point, radius as a part of the stature), whose hull is
# filled. Points beyond the 26 of `body` are derived in `Figure`.
CHIN, HAIR, NAPE = 26, 27, 28
_PARTS = [
    ("top", (4, 0.036), (8, 0.036), (skeleton.CHEST, 0.05), (skeleton.WAIST, 0.068), (12, 0.056), (16, 0.056)),
    ("trousers", (12, 0.056), (16, 0.056), (0, 0.062)),
    ("skin", (skeleton.CHEST, 0.026), (CHIN, 0.026)),
    ("skin", (skeleton.HEAD, 0.050), (CHIN, 0.034)),
    ("hair", (HAIR, 0.053), (NAPE, 0.040)),
]
for _s, _e, _w, _h, _tip, _hip, _k, _a, _f in (
    (4, 5, 6, 7, 21, 12, 13, 14, 15),
    (8, 9, 10, 11, 23, 16, 17, 18, 19),
):
    _PARTS += [
        ("trousers", (_hip, 0.056), (_k, 0.037)),
        ("trousers", (_k, 0.036), (_a, 0.026)),
        ("shoes", (_a, 0.024), (_f, 0.018)),
        ("top", (_s, 0.035), (_e, 0.028)),
        ("sleeve", (_e, 0.026), (_w, 0.019)),
        ("skin", (_w, 0.017), (_h, 0.021), (_tip, 0.012)),
    ]
_POINTS = np.array([point for _, *ends in _PARTS for point, _ in ends])
_RADII = np.array([radius for _, *ends in _PARTS for _, radius in ends])
_BOUNDS = np.cumsum([0] + [len(ends) for _, *ends in _PARTS])
_CIRCLE = np.stack([np.cos(np.arange(14) * np.pi / 7), np.sin(np.arange(14) * np.pi / 7)], -1)
PLAY = 0.18  # metres: limbs are drawn at their mean depth
_LIGHT = np.array([-0.28, -0.30])  # where the lit side of every limb lies, in radii


class Figure:
    """The outlines of a person in a clip, ready to paint.

    Attributes:
        boxes: (t, 4) as x, y, w, h in pixels, not clipped at the picture's edges
        depth: (t,) metres
    """

    def __init__(self, person: Person, joints: np.ndarray, camera: Camera, parcel: tuple | None = None) -> None:
        """Project `joints` (t, 26, 3) in metres; `parcel` is the BGR colour of a box held between the hands, if any."""
        up = joints[:, skeleton.HEAD] - joints[:, skeleton.NECK]
        ahead = joints[:, body.NOSE] - joints[:, skeleton.HEAD]
        chin = joints[:, skeleton.HEAD] - 0.42 * up + 0.15 * ahead
        hair = joints[:, skeleton.HEAD] + 0.10 * up - 0.18 * ahead
        nape = joints[:, skeleton.HEAD] - (0.9 if person.long_hair else 0.25) * up - 0.35 * ahead
        points = np.concatenate([joints, np.stack([chin, hair, nape], 1)], 1)[:, _POINTS]
        radii = _RADII * person.stature * np.where(np.isin(_POINTS, [3, CHIN, HAIR, NAPE]), 1, person.build)
        colours = {"sleeve": person.top if person.long_sleeves else person.skin}
        self.colours = [np.array(colours.get(part) or getattr(person, part), float) for part, *_ in _PARTS]
        bounds = list(_BOUNDS)
        if parcel is not None:
            points = np.concatenate([points, _corners(joints)], 1)
            radii = np.concatenate([radii, np.full(8, 0.01)])
            bounds.append(bounds[-1] + 8)
            self.colours.append(np.array(parcel, float))
        centres, depth = camera.project(points)  # (t, ends, 2), (t, ends)
        pixels = camera.focal * radii / depth
        around = centres[:, :, None] + pixels[..., None, None] * _CIRCLE  # (t, ends, 14, 2)
        lit = centres[:, :, None] + pixels[..., None, None] * (0.62 * _CIRCLE + _LIGHT)
        low, high = around.min((1, 2)), around.max((1, 2))
        air = 0.025 * np.ptp(np.stack([low, high]), 0).max(1, keepdims=True)  # annotators leave a little
        self.boxes = np.concatenate([low - air, high - low + 2 * air], 1)
        self.depth = depth.mean(1)
        self.parts = [slice(*ends) for ends in pairwise(bounds)]
        # arms and heads a little nearer than the trunk they touch
        self.nearness = np.stack([depth[:, part].mean(1) for part in self.parts], 1)
        self.nearness[:, 0] += 0.05
        self.nearness[:, 1] += 0.06
        # OpenCV draws at sixteenths of a pixel
        self.around, self.lit = (np.round(a * 16).astype(np.int32) for a in (around, lit))
        feet = joints * np.array([1, 0, 1]) + np.array([0.12, 0, 0.1]) * joints[..., 1:2]
        self.shadow = np.round(camera.project(feet)[0] * 16).astype(np.int32)


def _corners(joints: np.ndarray) -> np.ndarray:
    """The corners (t, 8, 3) of a box of 36 × 26 × 26 cm between the hands."""
    middle = joints[:, [skeleton.L_HAND, skeleton.R_HAND]].mean(1)
    side = joints[:, skeleton.R_SHOULDER] - joints[:, skeleton.L_SHOULDER]
    side = side * [1, 0, 1] / np.linalg.norm(side * [1, 0, 1], axis=1, keepdims=True)
    ahead = np.cross([0, 1, 0], side) * -1
    signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    edges = np.stack([0.18 * side, np.broadcast_to([0, 0.13, 0], side.shape), 0.13 * ahead], 1)  # (t, 3, 3)
    return middle[:, None] + 0.1 * ahead[:, None] + signs @ edges


def draw(picture: np.ndarray, depth: np.ndarray, figures: list[Figure], frame: int, ghosts: bool = True) -> np.ndarray:
    """Paint the figures of one frame on the room's picture (h, w, 3), given its depth (h, w): a new picture.

    With `ghosts` the soft edge of what is hidden shows through, as in the older sets.
    """
    shadow = np.zeros(depth.shape, np.uint8)
    for figure in figures:
        cv2.fillConvexPoly(shadow, cv2.convexHull(figure.shadow[frame]), 90, cv2.LINE_AA, 4)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 3)
    empty = cv2.multiply(picture, cv2.merge([255 - shadow] * 3), scale=1 / 255)
    full, front = empty.copy(), np.zeros_like(depth)
    for nearness, _, figure, i, outline in _outlines(figures, frame):
        inner = cv2.convexHull(figure.lit[frame, figure.parts[i]].reshape(-1, 2))
        cv2.fillConvexPoly(full, outline, figure.colours[i] * 0.72, cv2.LINE_AA, 4)
        cv2.fillConvexPoly(full, inner, np.minimum(figure.colours[i] * 1.05, 255), cv2.LINE_AA, 4)
        cv2.fillConvexPoly(front, outline, float(nearness), cv2.LINE_8, 4)
    if not ghosts:
        front = cv2.dilate(front, np.ones((3, 3), np.uint8))
    hidden = depth < front - PLAY
    full[hidden] = empty[hidden]
    return full


def shown(depth: np.ndarray, figures: list[Figure], frame: int) -> np.ndarray:
    """Whom every pixel of that picture shows: (h, w) uint8, 0 nobody, else 1 + the figure's place in the list."""
    whom, front = np.zeros(depth.shape, np.uint8), np.zeros_like(depth)
    for nearness, m, _, _, outline in _outlines(figures, frame):
        cv2.fillConvexPoly(whom, outline, m + 1, cv2.LINE_8, 4)
        cv2.fillConvexPoly(front, outline, float(nearness), cv2.LINE_8, 4)
    return np.where(depth < front - PLAY, 0, whom)


def _outlines(figures: list[Figure], frame: int) -> Iterator[tuple[float, int, Figure, int, np.ndarray]]:
    """Nearness, figure and part, from the farthest, and the outline of every part in sixteenths of a pixel."""
    parts = [
        (figure.nearness[frame, i], m, figure, i) for m, figure in enumerate(figures) for i in range(len(figure.parts))
    ]
    for nearness, m, figure, i in sorted(parts, key=lambda part: -part[0]):
        yield nearness, m, figure, i, cv2.convexHull(figure.around[frame, figure.parts[i]].reshape(-1, 2))


@dataclass(frozen=True)
class Scene:
    """What one camera records; its picture is larger than the recording by a margin on every side."""

    picture: np.ndarray
    depth: np.ndarray
    figures: list[Figure]
    margin: int
    pan: np.ndarray  # (t, 2) pixels: where in the margin the recording lies

    def frames(self, rng: np.random.Generator, noise: float, blur: float) -> Iterator[np.ndarray]:
        """Every frame (h, w, 3) uint8, with the sensor's noise and the lens's blur."""
        h, w = (n - 2 * self.margin for n in self.depth.shape)
        # one sheet of noise, laid differently on every frame: sampling it anew costs more than painting people
        grain = cv2.GaussianBlur(rng.normal(0, 2 * noise, (h + 64, w + 64)), (0, 0), 0.7)
        sheet = cv2.merge([grain.astype(np.int16)] * 3)
        for i, (x, y) in enumerate(self.pan):
            frame = draw(self.picture, self.depth, self.figures, i)
            frame = cv2.GaussianBlur(frame[y : y + h, x : x + w], (0, 0), blur)
            a, b = rng.integers(0, 64, 2)
            yield cv2.add(frame, sheet[a : a + h, b : b + w], dtype=cv2.CV_8U)

    def truth(self, clip: str) -> list[tuple]:
        """Rows of boxes.csv: boxes clipped at the picture's edges, and the share of each that is visible."""
        h, w = (n - 2 * self.margin for n in self.depth.shape)
        whole = np.stack([f.boxes for f in self.figures], 1)  # (t, m, 4)
        low = whole[..., :2] - self.pan[:, None]
        high = low + whole[..., 2:]
        low, high = np.clip(low, 0, (w, h)), np.clip(high, 0, (w, h))
        nearness = np.stack([f.depth for f in self.figures], 1)
        rows = []
        for t, m in np.ndindex(nearness.shape):
            if (high[t, m] - low[t, m]).min() < 1:
                continue
            nearer = nearness[t] < nearness[t, m]
            common = np.minimum(high[t, m], high[t]) - np.maximum(low[t, m], low[t])
            covered = (np.clip(common, 0, None).prod(-1) * nearer).max()
            size = high[t, m] - low[t, m]
            visible = (size.prod() - covered) / whole[t, m, 2:].prod()
            rows.append((clip, t, m, *(f"{v:.1f}" for v in (*low[t, m], *size)), f"{visible:.2f}"))
        return rows
