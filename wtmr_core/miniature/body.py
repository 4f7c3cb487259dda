"""Synthetic people: bodies of 25 joints that differ, actions as joint angles, and the positions of the joints.

Space is in metres and right-handed: x to the person's right, y up, z behind them, so a person with heading 0 faces −z.
Seen by a camera that looks along +z this is NTU RGB+D's camera space (x right in Kinect's mirrored picture, y up, z
away), and joints come in NTU's order. Bones turn but never stretch: an action gives three angles per joint, and the
joints follow from the hips outwards.

Axes: t frame, j joint.
"""

from collections.abc import Sequence
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


def ease(u: np.ndarray, start: float, end: float) -> np.ndarray:
    """Rise smoothly from 0 at `start` to 1 at `end`."""
    x = np.clip((u - start) / (end - start), 0, 1)
    return x * x * (3 - 2 * x)


def _lean(a: np.ndarray, angle: np.ndarray) -> None:
    """Bend forward at hips and waist while the legs stay where they are."""
    a[:, HIPS, PITCH] -= 0.6 * angle
    a[:, WAIST, PITCH] -= 0.4 * angle
    a[:, [L_HIP, R_HIP], PITCH] += 0.6 * angle[:, None]


# An action fills angles (t, j, 3) from its progress u (0 start, 1 end), seconds s, the person and chance.


def _walk(a, u, s, person, rng):
    phase = 2 * np.pi * (0.85 * person.tempo * s + rng.random())
    arm = rng.uniform(0.2, 1.1)
    for side in (-1, 1):
        a[:, HIP[side], PITCH] = 0.42 * person.vigour * side * np.sin(phase) + 0.05
        a[:, KNEE[side], PITCH] = -0.12 - 0.85 * person.vigour * np.clip(side * np.cos(phase), 0, 1) ** 1.5
        a[:, SHOULDER[side], PITCH] = -0.4 * person.vigour * arm * side * np.sin(phase)
        a[:, ELBOW[side], PITCH] = 0.2 + 0.25 * arm
    a[:, HIPS, YAW] = 0.08 * np.sin(phase)
    a[:, WAIST, YAW] = -0.16 * np.sin(phase)


def _stand(a, u, s, person, rng):
    if rng.random() < 0.2:  # has just got up, as real clips named "stand" show it
        _sit(a, 0.72 - u, s, person, rng)


def _sit(a, u, s, person, rng):
    down = ease(u, 0.15, 0.75) * rng.uniform(0.9, 1.0)
    a[:, [L_HIP, R_HIP], PITCH] = 1.5 * down[:, None]
    a[:, [L_KNEE, R_KNEE], PITCH] = -1.5 * down[:, None]
    _lean(a, 0.7 * person.vigour * np.sin(np.pi * down) + 0.1 * down)
    a[:, [L_SHOULDER, R_SHOULDER], PITCH] = 0.5 * down[:, None]
    a[:, [L_ELBOW, R_ELBOW], PITCH] = 0.5 * down[:, None]


def _rise(a, u, s, person, rng):
    _sit(a, 0.95 - u, s, person, rng)


def _seated(a, u, s, person, rng):
    _sit(a, u + rng.uniform(0.5, 1.0), s, person, rng)


def _pick(a, u, s, person, rng):
    down = (ease(u, 0.1, 0.45) - ease(u, 0.55, 0.95)) * rng.uniform(0.75, 1.05)
    knees = rng.uniform(0.2, 1.2)  # some bend the back, some the knees
    a[:, [L_HIP, R_HIP], PITCH] = 0.9 * knees * down[:, None]
    a[:, [L_KNEE, R_KNEE], PITCH] = -1.2 * knees * down[:, None]
    _lean(a, (1.75 - 0.65 * knees) * down)
    a[:, SHOULDER[person.hand], PITCH] = 1.3 * down
    a[:, SHOULDER[-person.hand], PITCH] = rng.uniform(0.2, 1.3) * down


def _fall(a, u, s, person, rng):
    down = ease(u, 0.15, 0.7) ** 1.5 * rng.uniform(1.35, 1.55)
    where = rng.uniform(-np.pi, np.pi)  # 0 falls forward, ±π backward
    buckle = np.sin(np.pi * np.clip(down / 1.5, 0, 1)) + rng.uniform(0, 0.5) * (down / 1.5)
    a[:, HIPS, PITCH] = -down * np.cos(where)
    a[:, HIPS, ROLL] = down * np.sin(where)
    a[:, [L_HIP, R_HIP], PITCH] = 0.6 * buckle[:, None]
    a[:, [L_KNEE, R_KNEE], PITCH] = -rng.uniform(0.5, 1.1, 2) * buckle[:, None]
    a[:, [L_SHOULDER, R_SHOULDER], PITCH] = rng.uniform(0.3, 1.4, 2) * down[:, None]
    for side in (-1, 1):
        a[:, SHOULDER[side], ROLL] = side * rng.uniform(0.1, 0.8) * down


def _drink(a, u, s, person, rng):
    up = (ease(u, 0.05, 0.35) - ease(u, 0.7, 1.0)) * rng.uniform(0.8, 1.0)
    a[:, SHOULDER[person.hand], PITCH] = 0.75 * up
    a[:, SHOULDER[person.hand], YAW] = 0.45 * person.hand * up
    a[:, ELBOW[person.hand], PITCH] = 2.15 * up
    a[:, NECK, PITCH] = 0.3 * person.vigour * up


def _clap(a, u, s, person, rng):
    up = ease(u, -0.15, 0.15) - ease(u, 0.9, 1.15)
    beat = np.cos(2 * np.pi * (rng.uniform(1.4, 2.4) * person.tempo * s + rng.random()))
    pitch, size = rng.uniform(0.3, 0.85), rng.uniform(0.1, 0.26)
    for side in (-1, 1):
        a[:, SHOULDER[side], PITCH] = pitch * up
        a[:, SHOULDER[side], YAW] = side * (0.36 - size + size * beat) * up
        a[:, ELBOW[side], PITCH] = 1.25 * up


def _wave(a, u, s, person, rng):
    up = ease(u, -0.1, 0.2) - ease(u, 0.85, 1.15)
    side = person.hand if rng.random() < 0.8 else -person.hand
    beat = np.sin(2 * np.pi * (rng.uniform(0.9, 1.9) * person.tempo * s + rng.random()))
    a[:, SHOULDER[side], ROLL] = side * rng.uniform(0.5, 1.9) * up
    a[:, SHOULDER[side], PITCH] = rng.uniform(0.0, 0.5) * up
    a[:, ELBOW[side], ROLL] = side * (rng.uniform(0.9, 1.5) + rng.uniform(0.2, 0.7) * person.vigour * beat) * up
    a[:, ELBOW[side], PITCH] = rng.uniform(0.2, 0.9) * up


def _shake_hands(a, u, s, person, rng):
    out = ease(u, 0.05, 0.3) - ease(u, 0.75, 1.0)
    beat = np.sin(2 * np.pi * (1.8 * s + rng.random()))
    a[:, R_SHOULDER, PITCH] = (0.7 + 0.08 * beat) * out
    a[:, R_SHOULDER, YAW] = 0.15 * out
    a[:, R_ELBOW, PITCH] = (0.65 + 0.2 * beat) * out
    _lean(a, 0.12 * out)


def _hold(a, u, s, person, rng):
    pitch, elbow = rng.uniform(0.1, 0.5), rng.uniform(1.1, 1.6)
    for side in (-1, 1):
        a[:, SHOULDER[side], PITCH] = pitch
        a[:, SHOULDER[side], YAW] = side * rng.uniform(0.1, 0.3)
        a[:, ELBOW[side], PITCH] = elbow


def _carry(a, u, s, person, rng):
    _walk(a, u, s, person, rng)
    _hold(a, u, s, person, rng)


def _look(a, u, s, person, rng):
    to = np.sin(2 * np.pi * (rng.uniform(0.25, 0.45) * s + rng.random())) * rng.uniform(0.5, 1.1)
    a[:, NECK, YAW] = 0.9 * to
    a[:, WAIST, YAW] = 0.45 * to
    a[:, NECK, PITCH] = rng.uniform(-0.3, 0.1)


def _turn(a, u, s, person, rng):
    a[:, HIPS, YAW] = rng.choice([-1, 1]) * rng.uniform(1.2, 3.6) * ease(u, 0.0, 1.0)
    step = np.sin(2 * np.pi * (1.2 * s + rng.random()))
    for side in (-1, 1):
        a[:, HIP[side], PITCH] = 0.25 * np.clip(side * step, 0, 1)
        a[:, KNEE[side], PITCH] = -0.5 * np.clip(side * step, 0, 1)


ACTIONS = {
    "walk": _walk,
    "stand": _stand,
    "sit": _sit,
    "rise": _rise,
    "seated": _seated,
    "pick": _pick,
    "fall_floor": _fall,
    "drink": _drink,
    "clap": _clap,
    "wave": _wave,
    "shake_hands": _shake_hands,
    "hold": _hold,
    "carry": _carry,
    "look": _look,
    "turn": _turn,
}
MOVING = ("walk", "carry")


@dataclass(frozen=True)
class Step:
    """One action of a person, from start to end (seconds), facing a heading (radians; 0 faces −z)."""

    action: str
    start: float
    end: float
    heading: float = 0.0


def walking_speed(person: Person) -> float:
    """The speed in metres a second at which the feet of a walk do not slide."""
    leg = -person.offsets[[R_KNEE, R_ANKLE], 1].sum()
    return float(0.85 * person.tempo * 4 * leg * np.sin(0.42 * person.vigour))


def perform(
    person: Person,
    steps: Sequence[Step],
    times: np.ndarray,
    rng: np.random.Generator,
    position: tuple[float, float] = (0.0, 0.0),
    sway: float = 1.0,
) -> np.ndarray:
    """Perform steps one after another: joints (t, 26, 3) in metres, floor at y = 0; NTU's 25 joints and the nose.

    Steps blend over 0.4 s. The first extends backwards and the last forwards without end, so a step that begins before
    `times` or ends after them is seen in part.

    Args:
        person: who performs
        steps: in order of time
        times: (t,) seconds
        rng: of everything that varies
        position: where on the floor (x, z) the feet are at times[0]; only walking and carrying move them
        sway: how much the body moves on its own, against the average
    """
    angles, heading, speed = np.zeros((len(times), 26, 3)), np.zeros(len(times)), np.zeros(len(times))
    edges = np.array([-np.inf, *(step.start for step in steps[1:]), np.inf])
    for step, start, end, facing in zip(
        steps, edges, edges[1:], np.unwrap([step.heading for step in steps]), strict=False
    ):
        bend = np.zeros_like(angles)
        progress = (times - step.start) / (step.end - step.start)
        ACTIONS[step.action](bend, progress, times - step.start, person, rng)
        # the share of this step; at every time the shares add to 1
        share = np.clip((times - start) / 0.4 + 0.5, 0, 1) - np.clip((times - end) / 0.4 + 0.5, 0, 1)
        angles += share[:, None, None] * bend
        heading += share * facing
        speed += share * (step.action in MOVING) * walking_speed(person)

    seconds = np.diff(times, prepend=times[:1])
    towards = np.stack([-np.sin(heading), -np.cos(heading)], 1)  # (t, 2)
    path = np.asarray(position) + np.cumsum((speed * seconds)[:, None] * towards, 0)
    return embody(person, angles, heading, path, times, rng, sway)


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
