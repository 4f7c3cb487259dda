"""A person's poses in a video as a network of joints takes them: NTU's 25 joints, at even times, in windows.

Detectors of poses give 17 joints (`people.COCO`) in pixels, y down, whenever they look. Networks take the 25 of NTU
RGB+D, y up, at even steps. What a picture does not show is z = 0.

Axes: t frame, n step, m body, j joint, k class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wtmr_core.classifier import Classifier
from wtmr_core.skeleton import (
    CHEST,
    HEAD,
    HIPS,
    JOINTS,
    L_ANKLE,
    L_ELBOW,
    L_FOOT,
    L_HAND,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_THUMB,
    L_TIP,
    L_WRIST,
    NECK,
    R_ANKLE,
    R_ELBOW,
    R_FOOT,
    R_HAND,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_THUMB,
    R_TIP,
    R_WRIST,
    WAIST,
)
from wtmr_core.tracking.people import COCO, Sighting

RATE = 10.0  # steps a second
FRAMES = 16  # steps of a window
GAP = 0.5  # seconds without a pose that are bridged; after longer ones a new stretch begins

#: of NTU's joints, which of COCO's (by number) lies there; wrists stand for hands, ankles for feet
_SAME = {
    L_SHOULDER: 5, L_ELBOW: 7, L_WRIST: 9, L_HAND: 9, L_TIP: 9, L_THUMB: 9, L_HIP: 11, L_KNEE: 13, L_ANKLE: 15,
    L_FOOT: 15, R_SHOULDER: 6, R_ELBOW: 8, R_WRIST: 10, R_HAND: 10, R_TIP: 10, R_THUMB: 10, R_HIP: 12, R_KNEE: 14,
    R_ANKLE: 16, R_FOOT: 16,
}  # fmt: skip
_EARS = [COCO.index("left ear"), COCO.index("right ear")]


def skeleton(points: np.ndarray) -> np.ndarray:
    """COCO's 17 joints as NTU's 25: (..., 17, 2), x right and y down -> (..., 25, 3), x right, y up, z = 0.

    The hips' middle is that of both hips, the chest that of both shoulders, the waist lies between these two, the head
    between the ears, the neck between head and chest.

    >>> skeleton(np.ones((17, 2)))[HIPS].tolist()
    [1.0, -1.0, 0.0]
    """
    points = np.asarray(points, float)
    if points.shape[-2:] != (len(COCO), 2):
        raise ValueError(f"expected poses of shape (..., {len(COCO)}, 2), found {points.shape}")
    joints = np.zeros((*points.shape[:-2], JOINTS, 2))
    joints[..., list(_SAME), :] = points[..., list(_SAME.values()), :]
    joints[..., HIPS, :] = joints[..., [L_HIP, R_HIP], :].mean(axis=-2)
    joints[..., CHEST, :] = joints[..., [L_SHOULDER, R_SHOULDER], :].mean(axis=-2)
    joints[..., WAIST, :] = joints[..., [HIPS, CHEST], :].mean(axis=-2)
    joints[..., HEAD, :] = points[..., _EARS, :].mean(axis=-2)
    joints[..., NECK, :] = joints[..., [CHEST, HEAD], :].mean(axis=-2)
    return np.concatenate([joints * [1, -1], np.zeros_like(joints[..., :1])], axis=-1)


def stretches(
    seconds: np.ndarray, joints: np.ndarray, *, rate: float = RATE, gap: float = GAP
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Joints (t, j, c) seen at rising `seconds` (t,) -> the same at even times, in stretches without a longer `gap`.

    Each stretch is times (n,) and joints (n, j, c), linear between those seen, its times whole numbers of steps, `rate`
    a second; steps lie between the first and the last sighting, and where none does, one lies at the nearest. Raises
    `ValueError` for times that do not rise, and for other lengths of both.
    """
    seconds, joints = np.asarray(seconds, float), np.asarray(joints, float)
    if seconds.ndim != 1 or len(seconds) != len(joints) or not np.isfinite(seconds).all():
        raise ValueError(f"expected a second for each of {len(joints)} poses, found shape {seconds.shape}")
    if (np.diff(seconds) <= 0).any():
        raise ValueError("the seconds of poses must rise; sort the sightings of a person, one a frame")
    parts = []
    cuts = np.flatnonzero(np.diff(seconds) > gap) + 1
    for times, seen in zip(np.split(seconds, cuts), np.split(joints, cuts), strict=True):
        if not len(times):
            continue
        first, last = np.ceil(times[0] * rate - 1e-6) + 0.0, np.floor(times[-1] * rate + 1e-6)  # no negative zero
        steps = np.arange(first, last + 1) if last >= first else np.array([np.round(times[0] * rate)])
        even = steps / rate
        flat = seen.reshape(len(seen), -1)
        resampled = np.stack([np.interp(even, times, column) for column in flat.T], axis=1)
        parts.append((even, resampled.reshape(len(even), *seen.shape[1:])))
    return parts


def windows(joints: np.ndarray, frames: int = FRAMES) -> np.ndarray:
    """Joints (n, j, c) -> (n, frames, j, c): around each step as many, the first and last repeated beyond the ends.

    Of an even number of `frames`, half lie before the step, which is the first of the other half.
    """
    before = frames // 2
    around = np.arange(len(joints))[:, None] + np.arange(frames) - before
    return joints[np.clip(around, 0, len(joints) - 1)]


class Stream:
    """`activities` while a recording runs: a step is told when the window around it has been seen.

        stream = Stream(classifier)
        for sighting in sightings:  # of one person
            for seconds, probabilities in stream.add(sighting): ...
        rest = stream.close()

    Raises `ValueError` as `activities`.
    """

    def __init__(self, classifier: Classifier):
        _check(classifier)
        self.classifier = classifier
        self._seen: list[Sighting] = []  # that later steps need
        self._told = -np.inf  # seconds of the last step that was told

    def add(self, sighting: Sighting) -> list[tuple[float, np.ndarray]]:
        """Seconds and probabilities (k,) of the steps that are told after a sighting, later than the last."""
        told = []
        if sighting.joints is None:
            return told
        if self._seen and sighting.seconds - self._seen[-1].seconds > GAP:
            told = self.close()
        self._seen.append(sighting)
        ahead = (FRAMES - FRAMES // 2 - 1) / RATE
        told += self._steps(sighting.seconds - ahead)
        # a window reaches back from the next step, and the pose before its first step is needed too
        back = self._told - (FRAMES // 2) / RATE - GAP
        while len(self._seen) > 1 and self._seen[1].seconds < back:
            self._seen.pop(0)
        return told

    def close(self) -> list[tuple[float, np.ndarray]]:
        """The steps that are left: the recording is over, or the person gone."""
        told = self._steps(np.inf)
        self._seen, self._told = [], -np.inf
        return told

    def _steps(self, until: float) -> list[tuple[float, np.ndarray]]:
        """The steps not told yet, up to one at `until` seconds."""
        if not self._seen or self._next() > until + 1e-6:
            return []
        times, joints = _stretch(self._seen)[0]
        new = (times > self._told + 1e-6) & (times <= until + 1e-6)
        if not new.any():
            return []
        self._told = float(times[new][-1])
        probabilities = self.classifier.of_clips(windows(joints)[new][:, :, None])
        return list(zip(times[new].tolist(), probabilities, strict=True))

    def _next(self) -> float:
        """Seconds of the first step that is not told, or earlier."""
        return max(self._told + 1 / RATE, self._seen[0].seconds)


def activities(classifier: Classifier, sightings: Sequence[Sighting]) -> tuple[np.ndarray, np.ndarray]:
    """What a person does at each step: times (n,) in seconds and probabilities (n, k) of `classifier.classes`.

    `sightings` of one person, in the order of time; those without joints are as if the person was not seen.
    `classifier` is of a network of joints whose windows span `FRAMES` steps, as `home`. Gaps of up to `GAP` are
    bridged, and there are no steps in longer ones. Raises `ValueError` for a network of frames or of another length.
    """
    _check(classifier)
    seen = [one for one in sightings if one.joints is not None]
    if not seen:
        return np.zeros(0), np.zeros((0, len(classifier.classes)))
    parts = _stretch(seen)
    clips = np.concatenate([windows(joints) for _, joints in parts])[:, :, None]
    return np.concatenate([times for times, _ in parts]), classifier.of_clips(clips)


def _check(classifier: Classifier) -> None:
    """Raise `ValueError` for a network that does not take windows of poses."""
    if classifier.form.size or classifier.form.frames != FRAMES:
        what = "frames" if classifier.form.size else f"windows of {classifier.form.frames} steps"
        raise ValueError(f"the network takes {what}; poses need one of joints with stored_frames {FRAMES}")


def _stretch(sightings: Sequence[Sighting]) -> list[tuple[np.ndarray, np.ndarray]]:
    """`stretches` of the poses of a person."""
    seconds, points = np.array([one.seconds for one in sightings]), np.stack([one.joints[:, :2] for one in sightings])
    return stretches(seconds, skeleton(points))
