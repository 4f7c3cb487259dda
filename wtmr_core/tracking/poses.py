"""A person's poses as input of a network of joints: NTU's 25 joints, at even times, in windows.

Pose estimators give 17 joints (`people.COCO`) in pixels, y down, at the times of the frames. Networks take the 25 of
NTU RGB+D, y up, at even steps. Depth is unknown: z is 0.

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
GAP = 0.5  # seconds without a pose across which poses are interpolated; a longer gap begins a new stretch

#: NTU's joint -> COCO's, by number; wrists stand for hands, ankles for feet
_SAME = {
    L_SHOULDER: 5, L_ELBOW: 7, L_WRIST: 9, L_HAND: 9, L_TIP: 9, L_THUMB: 9, L_HIP: 11, L_KNEE: 13, L_ANKLE: 15,
    L_FOOT: 15, R_SHOULDER: 6, R_ELBOW: 8, R_WRIST: 10, R_HAND: 10, R_TIP: 10, R_THUMB: 10, R_HIP: 12, R_KNEE: 14,
    R_ANKLE: 16, R_FOOT: 16,
}  # fmt: skip
_EARS = [COCO.index("left ear"), COCO.index("right ear")]


def skeleton(points: np.ndarray) -> np.ndarray:
    """Convert COCO's 17 joints to NTU's 25.

    NTU's hip centre is the midpoint of both hips, the chest that of the shoulders, the waist that of these two, the
    head that of the ears, the neck that of head and chest.

    Args:
        points: (..., 17, 2) x to the right, y down

    Returns:
        (..., 25, 3) x to the right, y up, z = 0

    Raises:
        ValueError: for another shape.

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
    """Resample poses to even times, in stretches that hold no longer gap.

    Joints are interpolated linearly at multiples of 1 / `rate` seconds from the first to the last pose; a stretch too
    short for any gets the nearest one.

    Args:
        seconds: (t,) ascending
        joints: (t, j, c)
        rate: steps a second
        gap: seconds without a pose beyond which a new stretch begins

    Returns:
        times (n,) and joints (n, j, c) of each stretch

    Raises:
        ValueError: for times that do not ascend, and where the lengths differ.
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
    """Cut a window around each step: (n, j, c) -> (n, frames, j, c).

    Beyond the ends the first and the last pose are repeated. Of an even number of frames half lie before the step,
    which is the first of the other half.
    """
    before = frames // 2
    around = np.arange(len(joints))[:, None] + np.arange(frames) - before
    return joints[np.clip(around, 0, len(joints) - 1)]


class Stream:
    """`activities` while a recording runs: each step is returned once the window around it is complete.

    >>> stream = Stream(classifier)
    >>> for sighting in sightings:  # of one person
    ...     for seconds, probabilities in stream.add(sighting): ...
    >>> rest = stream.close()

    Raises:
        ValueError: as `activities` does.
    """

    def __init__(self, classifier: Classifier):
        _check(classifier)
        self.classifier = classifier
        self._seen: list[Sighting] = []  # the sightings that later steps need
        self._last = -np.inf  # seconds of the last step returned

    def add(self, sighting: Sighting) -> list[tuple[float, np.ndarray]]:
        """Add a sighting, later than the last; return the seconds and probabilities (k,) of the steps now complete."""
        steps = []
        if sighting.joints is None:
            return steps
        if self._seen and sighting.seconds - self._seen[-1].seconds > GAP:
            steps = self.close()
        self._seen.append(sighting)
        ahead = (FRAMES - FRAMES // 2 - 1) / RATE
        steps += self._steps(sighting.seconds - ahead)
        # a window reaches back from the next step, and the pose before its first step is needed too
        back = self._last - (FRAMES // 2) / RATE - GAP
        while len(self._seen) > 1 and self._seen[1].seconds < back:
            self._seen.pop(0)
        return steps

    def close(self) -> list[tuple[float, np.ndarray]]:
        """Return the remaining steps, when the recording is over or the person has gone."""
        steps = self._steps(np.inf)
        self._seen, self._last = [], -np.inf
        return steps

    def _steps(self, until: float) -> list[tuple[float, np.ndarray]]:
        """The steps after the last one returned, up to `until` seconds."""
        if not self._seen or self._next() > until + 1e-6:
            return []
        times, joints = _stretch(self._seen)[0]
        new = (times > self._last + 1e-6) & (times <= until + 1e-6)
        if not new.any():
            return []
        self._last = float(times[new][-1])
        probabilities = self.classifier.of_clips(windows(joints)[new][:, :, None])
        return list(zip(times[new].tolist(), probabilities, strict=True))

    def _next(self) -> float:
        """Seconds of the next step, or a little earlier."""
        return max(self._last + 1 / RATE, self._seen[0].seconds)


def activities(classifier: Classifier, sightings: Sequence[Sighting]) -> tuple[np.ndarray, np.ndarray]:
    """Classify what a person does at each step.

    Args:
        classifier: a network of joints with windows of `FRAMES` steps, such as `home`
        sightings: those of one person, in order of time; those without joints count as gaps

    Returns:
        times (n,) in seconds and probabilities (n, k) of `classifier.classes`; gaps of more than `GAP` have no steps

    Raises:
        ValueError: for a network of frames, or with windows of another length.
    """
    _check(classifier)
    seen = [sighting for sighting in sightings if sighting.joints is not None]
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
    points = np.stack([sighting.joints[:, :2] for sighting in sightings])
    return stretches(np.array([sighting.seconds for sighting in sightings]), skeleton(points))
