"""Synthetic people: bodies of 25 joints that differ, and the positions of the joints from their angles.

Space is in metres and right-handed: x to the person's right, y up, z behind them, so a person with heading 0 faces −z.
Seen by a camera that looks along +z this is NTU RGB+D's camera space (x right in Kinect's mirrored picture, y up, z
away), and joints come in NTU's order. Bones turn but never stretch: an action gives three angles per joint, and the
joints follow from the hips outwards.

Axes: t frame, j joint.
"""

from dataclasses import dataclass

import numpy as np

from wtmr_core import skeleton
from wtmr_core.skeleton import (
    CHEST,
    HEAD,
    HIPS,
    JOINTS,
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_THUMB,
    L_TIP,
    MIRROR,
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

NOSE = JOINTS  # one point more than NTU has: the drawing must know where a face looks
PARENTS = np.array([*skeleton.PARENTS, HEAD])
OUTWARDS = (*skeleton.OUTWARDS, NOSE)
SHOULDER, ELBOW, HIP, KNEE = (
    {-1: L_SHOULDER, 1: R_SHOULDER},
    {-1: L_ELBOW, 1: R_ELBOW},
    {-1: L_HIP, 1: R_HIP},
    {-1: L_KNEE, 1: R_KNEE},
)  # −1 left, 1 right
ARMS = (*range(L_ELBOW, R_SHOULDER), *range(R_ELBOW, L_HIP), L_TIP, L_THUMB, R_TIP, R_THUMB)
PITCH, YAW, ROLL = 0, 1, 2  # about x (a hanging limb swings forward), y (turns left), z (swings to the right)

# From the parent to the joint, standing straight, as parts of the stature.
_RIGHT = {
    R_SHOULDER: (0.105, -0.012, 0.0),
    R_ELBOW: (0.0, -0.170, 0.0),
    R_WRIST: (0.0, -0.145, 0.0),
    R_HAND: (0.0, -0.045, 0.0),
    R_TIP: (0.0, -0.045, 0.0),
    R_THUMB: (-0.020, -0.015, -0.015),
    R_HIP: (0.052, -0.010, 0.0),
    R_KNEE: (0.0, -0.245, 0.0),
    R_ANKLE: (0.0, -0.240, 0.0),
    R_FOOT: (0.006, -0.028, -0.085),
}
_SPINE = {WAIST: 0.125, CHEST: 0.150, NECK: 0.045, HEAD: 0.090}

# Flesh around each joint, as a part of the stature: what touches the floor when a person lies on it.
# fmt: off
GIRTH = np.array([66, 60, 30, 55, 38, 28, 19, 20, 38, 28, 19, 20, 58, 40, 27, 14, 58, 40, 27, 14, 55,
                  8, 8, 8, 8, 1]) / 1000
# fmt: on


@dataclass(frozen=True)
class Person:
    """A person: limbs, manner and clothes. Colours are BGR, 0–255."""

    offsets: np.ndarray  # (26, 3) metres from the parent joint
    stature: float  # metres
    build: float  # girth against the average
    tempo: float  # speed against the average
    vigour: float  # size of movements against the average
    stoop: float  # radians
    hand: int  # −1 left-handed, 1 right-handed
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    top: tuple[int, int, int]
    trousers: tuple[int, int, int]
    shoes: tuple[int, int, int]
    long_sleeves: bool
    long_hair: bool


def random_person(rng: np.random.Generator) -> Person:
    """Sample a person."""
    stature = float(np.clip(rng.normal(1.68, 0.09), 1.48, 1.92))
    offsets = np.zeros((26, 3))
    for joint, height in _SPINE.items():
        offsets[joint, 1] = height
    for joint, offset in _RIGHT.items():
        offsets[joint] = offset
        offsets[MIRROR[joint]] = offset * np.array([-1, 1, 1])
    offsets[NOSE] = 0, -0.01, -0.06
    # the same factor on both sides keeps people symmetric
    arms, legs, trunk, width = rng.normal(1, [0.04, 0.03, 0.03, 0.06])
    offsets[[5, 6, 9, 10], 1] *= arms
    offsets[[13, 14, 17, 18], 1] *= legs
    offsets[[WAIST, CHEST], 1] *= trunk
    offsets[[4, 8, 12, 16], 0] *= width
    tone = rng.uniform(0.35, 1.0)

    def cloth(low: float, high: float) -> tuple[int, int, int]:
        grey = rng.uniform(low, high)
        return tuple(int(v) for v in np.clip(grey + rng.normal(0, 28, 3), 8, 245))

    dark_top = rng.random() < 0.8
    return Person(
        offsets=offsets * stature,
        stature=stature,
        build=float(np.clip(rng.normal(1.12, 0.12), 0.9, 1.45)),
        tempo=float(rng.uniform(0.75, 1.2)),
        vigour=float(rng.uniform(0.7, 1.15)),
        stoop=float(rng.uniform(0.0, 0.22)),
        hand=1 if rng.random() < 0.8 else -1,
        skin=tuple(int(v * tone) for v in (165, 190, 235)),
        hair=tuple(int(v) for v in rng.choice([(25, 25, 30), (35, 55, 85), (95, 140, 170), (190, 190, 195)])),
        top=cloth(25, 90) if dark_top else cloth(120, 225),
        trousers=cloth(20, 95) if rng.random() < 0.85 else cloth(110, 180),
        shoes=cloth(15, 70),
        long_sleeves=bool(rng.random() < 0.6),
        long_hair=bool(rng.random() < 0.4),
    )


def embody(
    person: Person,
    angles: np.ndarray,
    heading: np.ndarray,
    path: np.ndarray,
    times: np.ndarray,
    rng: np.random.Generator,
    sway: float = 1.0,
) -> np.ndarray:
    """Joints (t, 26, 3) in metres of somebody whose feet follow a path on the floor and whose lowest part touches it.

    `angles` (t, 26, 3) in radians are changed in place: a person's own bearing and a slight sway are added.
    `heading` (t,) in radians, `path` (t, 2) as x and z in metres, `times` (t,) in seconds.
    """
    # nobody stands like a statue or holds the arms like the next person
    hertz, phase = rng.uniform(0.1, 0.9, (2, 1, 26, 3)), rng.uniform(0, 2 * np.pi, (2, 1, 26, 3))
    angles += 0.022 * sway * np.sin(2 * np.pi * hertz * times[:, None, None] + phase).sum(0)
    angles[:, WAIST, PITCH] -= person.stoop
    angles[:, NECK, PITCH] += 0.5 * person.stoop
    for side in (-1, 1):
        angles[:, SHOULDER[side], ROLL] += side * (0.14 + 0.14 * rng.random())
        angles[:, HIP[side], ROLL] += side * (0.02 + 0.05 * rng.random())
        angles[:, ELBOW[side], PITCH] += 0.1 + 0.5 * rng.random() ** 2 * sway
    # feet stay flat as far as ankles bend
    for hip, knee, ankle in ((L_HIP, L_KNEE, L_ANKLE), (R_HIP, R_KNEE, R_ANKLE)):
        angles[:, ankle, PITCH] = np.clip(-angles[:, [HIPS, hip, knee], PITCH].sum(1), -0.6, 0.6)
    angles[:, HIPS, YAW] += heading

    joints = forward(person, angles)
    joints[..., [0, 2]] += (path - joints[:, [L_ANKLE, R_ANKLE]].mean(1)[:, [0, 2]])[:, None]
    flesh = GIRTH * person.stature * person.build
    # arms do not carry anybody: without them, or a fallen body would float above a stretched hand
    joints[..., 1] -= np.delete(joints[..., 1] - flesh, ARMS, 1).min(1, keepdims=True)
    return joints


def forward(person: Person, angles: np.ndarray) -> np.ndarray:
    """Positions of joints (t, 26, 3) in metres about the hips, from angles (t, 26, 3) in radians (pitch, yaw, roll)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).transpose(2, 0, 1), np.sin(angles).transpose(2, 0, 1)
    # roll first, then pitch, then yaw: R = Ry Rx Rz, written out
    turn = np.stack(
        [
            np.stack([cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx], -1),
            np.stack([cx * sz, cx * cz, -sx], -1),
            np.stack([-sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx], -1),
        ],
        -2,
    )  # (t, 26, 3, 3)
    joints = np.zeros_like(angles)
    for joint in OUTWARDS:
        parent = PARENTS[joint]
        joints[:, joint] = joints[:, parent] + turn[:, parent] @ person.offsets[joint]
        turn[:, joint] = turn[:, parent] @ turn[:, joint]
    return joints
