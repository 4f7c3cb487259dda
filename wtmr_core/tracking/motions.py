"""Activities at home as moving joints: a sequence of postures, each reached in a given time.

A motion is a list of `Phase`s, such as three seconds of walking, a second and a half of sitting down, five seconds
seated. `perform` interpolates joint angles, tilt of the trunk and height of the support between postures, and returns
the joints and the activity in each frame. Bodies, angles and space are those of `miniature.body`.

Axes: t frame, j joint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from wtmr_core.miniature import actions, body
from wtmr_core.miniature.body import ARMS, ELBOW, GIRTH, HIP, KNEE, PITCH, ROLL, SHOULDER, YAW, Person
from wtmr_core.skeleton import HIPS, JOINTS, L_ANKLE, L_HIP, L_KNEE, NECK, R_ANKLE, R_HIP, R_KNEE, WAIST

ACTIVITIES = ("bending", "falling", "lying", "sitting", "sitting down", "standing", "standing up", "walking")
SIDES = (-1, 1)


@dataclass(frozen=True)
class Posture:
    """How a body is held.

    Attributes:
        angles: (26, 3) in radians, 0 for the hips
        tilt: rotation of the trunk from standing upright
        support: height in metres of what carries the body
    """

    angles: np.ndarray
    tilt: Rotation = field(default_factory=Rotation.identity)
    support: float = 0.0


@dataclass(frozen=True)
class Phase:
    """The way into a posture.

    Attributes:
        activity: what the body does meanwhile
        posture: the posture at its end
        seconds: its length
        pace: 1 is smooth from rest to rest; a larger power of time starts slowly and ends abruptly, as a fall does
        gesture: how the limbs move meanwhile, one of `actions.ACTIONS`, "" for none
        heading: direction in radians that the body faces at its end, None for no change
        after: the activity in its last part, "" for the same one
        until: share (0-1) of the seconds at which `after` begins
    """

    activity: str
    posture: Posture
    seconds: float
    pace: float = 1.0
    gesture: str = ""
    heading: float | None = None
    after: str = ""
    until: float = 1.0


def perform(
    person: Person, phases: Sequence[Phase], times: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let a body go through phases, from the first one's posture at 0 s. Only walking moves its feet.

    Args:
        person: the body
        phases: the phases, in order; after the last its posture is kept
        times: (t,) seconds
        rng: generator of sway, stoop and gestures

    Returns:
        joints (t, 26, 3) in metres, NTU's 25 and the nose, with the floor at y = 0, and activities (t,)
    """
    ends = np.cumsum([phase.seconds for phase in phases])
    number = np.minimum(np.searchsorted(ends, times, side="right"), len(phases) - 1)
    starts = ends - [phase.seconds for phase in phases]
    share = np.clip((times - starts[number]) / (ends - starts)[number], 0, 1)
    pace = np.array([phase.pace for phase in phases])[number]
    eased = np.where(pace == 1, share**2 * (3 - 2 * share), share**pace)

    postures = [phases[0].posture, *(phase.posture for phase in phases)]
    targets = np.stack([posture.angles for posture in postures])
    angles = targets[number] + eased[:, None, None] * (targets[number + 1] - targets[number])
    supports = np.array([posture.support for posture in postures])
    support = supports[number] + eased * (supports[number + 1] - supports[number])
    tilts = Slerp(np.arange(len(postures)), Rotation.concatenate([posture.tilt for posture in postures]))
    headings = [phases[0].heading or 0.0]
    for phase in phases:
        headings.append(headings[-1] if phase.heading is None else phase.heading)
    headings = np.unwrap(headings)
    heading = headings[number] + eased * (headings[number + 1] - headings[number])

    speed = np.zeros(len(times))
    for start, end, phase in zip(starts, ends, phases, strict=True):
        if phase.gesture:
            swing = np.zeros_like(angles)
            actions.ACTIONS[phase.gesture](swing, (times - start) / (end - start), times - start, person, rng)
            present = np.clip((times - start) / 0.3 + 0.5, 0, 1) - np.clip((times - end) / 0.3 + 0.5, 0, 1)
            angles += present[:, None, None] * swing
            speed += present * (phase.gesture in actions.MOVING) * actions.walking_speed(person)
    _liven(angles, times, person, rng)

    joints = body.forward(person, angles)
    turn = Rotation.from_rotvec(heading[:, None] * [0, 1, 0]) * tilts(number + eased)
    joints = np.einsum("txy,tjy->tjx", turn.as_matrix(), joints)
    towards = np.stack([-np.sin(heading), -np.cos(heading)], 1)
    path = np.cumsum((speed * np.diff(times, prepend=times[:1]))[:, None] * towards, 0)
    joints[..., [0, 2]] += (path - joints[:, [L_ANKLE, R_ANKLE]].mean(1)[:, [0, 2]])[:, None]
    flesh = GIRTH * person.stature * person.build
    # arms carry nobody: without them, or a fallen body would float above a stretched hand
    joints[..., 1] -= np.delete(joints[..., 1] - flesh, ARMS, 1).min(1, keepdims=True) - support[:, None]
    named = [
        phases[n].after if phases[n].after and s >= phases[n].until else phases[n].activity
        for n, s in zip(number, share, strict=True)
    ]
    return joints, np.array(named)


def _liven(angles: np.ndarray, times: np.ndarray, person: Person, rng: np.random.Generator) -> None:
    """Add what every body has: a stoop, bent arms, feet flat as far as the ankles bend, a slow sway."""
    hertz, phase = rng.uniform(0.1, 0.7, (2, 1, 26, 3)), rng.uniform(0, 2 * np.pi, (2, 1, 26, 3))
    sway = rng.uniform(0.2, 1.2)
    angles += 0.022 * sway * np.sin(2 * np.pi * hertz * times[:, None, None] + phase).sum(0)
    angles[:, HIPS] = 0
    angles[:, WAIST, PITCH] -= person.stoop
    angles[:, NECK, PITCH] += 0.5 * person.stoop
    for side in SIDES:
        angles[:, SHOULDER[side], ROLL] += side * (0.1 + 0.14 * rng.random())
        angles[:, ELBOW[side], PITCH] += 0.1 + 0.5 * rng.random() ** 2
        ankle = {-1: L_ANKLE, 1: R_ANKLE}[side]
        angles[:, ankle, PITCH] = np.clip(-angles[:, [HIP[side], KNEE[side]], PITCH].sum(1), -0.6, 0.6)


# -- postures, drawn at random


def _angles(**joints: tuple[float, float]) -> np.ndarray:
    """Angles (26, 3) that are 0 but for (pitch, roll) at the named joints."""
    names = {
        "waist": WAIST,
        "neck": NECK,
        "left_hip": L_HIP,
        "right_hip": R_HIP,
        "left_knee": L_KNEE,
        "right_knee": R_KNEE,
    }
    angles = np.zeros((JOINTS + 1, 3))
    for name, (pitch, roll) in joints.items():
        angles[names[name], [PITCH, ROLL]] = pitch, roll
    return angles


def _with_arms(angles: np.ndarray, rng: np.random.Generator, most: float) -> np.ndarray:
    """Raise each arm by a random angle, up to `most` radians; changes and returns `angles`."""
    for side in SIDES:
        angles[SHOULDER[side], PITCH] = rng.uniform(-0.2, most)
        angles[SHOULDER[side], ROLL] = side * rng.uniform(0, 0.35) * most
        angles[SHOULDER[side], YAW] = side * rng.uniform(-0.1, 0.5)
        angles[ELBOW[side], PITCH] = rng.uniform(0, min(1.4 * most, 2.0))
    return angles


def topple(where: float, angle: float, roll: float = 0.0) -> Rotation:
    """The rotation of a trunk that leans over.

    Args:
        where: direction of the lean in radians: 0 forward, π/2 to the right, π backward
        angle: how far it leans, in radians
        roll: rotation about its long axis before that, in radians
    """
    axis = np.array([-np.cos(where), 0.0, -np.sin(where)])
    return Rotation.from_rotvec(angle * axis) * Rotation.from_euler("y", roll)


def upright(rng: np.random.Generator) -> Posture:
    """Standing, straight or nearly so."""
    angles = _angles(waist=(-rng.uniform(0, 0.12), 0), left_knee=(-rng.uniform(0, 0.15), 0))
    return Posture(_with_arms(angles, rng, rng.choice([0.1, 0.4, 1.2], p=[0.6, 0.3, 0.1])))


def seated(rng: np.random.Generator) -> Posture:
    """Sitting on a seat, leaning back, upright or leaning forward."""
    lean = rng.choice([rng.uniform(-0.5, -0.1), rng.uniform(-0.1, 0.25), rng.uniform(0.25, 1.6)], p=[0.25, 0.5, 0.25])
    thigh, apart = rng.uniform(1.2, 1.65), rng.uniform(0, 0.35)
    knees = -rng.uniform(0.9, 1.9) * np.ones(2) + rng.uniform(-0.25, 0.25, 2)
    angles = _angles(
        waist=(-0.5 * lean, 0),
        left_hip=(thigh + 0.5 * lean, -apart),
        right_hip=(thigh + 0.5 * lean, apart),
        left_knee=(knees[0], 0),
        right_knee=(knees[1], 0),
        neck=(rng.uniform(-0.5, 0.2), 0),
    )
    return Posture(_with_arms(angles, rng, rng.uniform(0.3, 1.1)), topple(0, 0.5 * lean))


def on_the_floor(rng: np.random.Generator) -> Posture:
    """Sitting on the floor, legs stretched, drawn up or crossed."""
    thigh, knee, apart = rng.choice([(1.5, 0.2, 0.15), (2.1, 1.6, 0.2), (1.7, 2.0, 0.8)])
    angles = _angles(
        waist=(-rng.uniform(0, 0.5), 0),
        left_hip=(thigh, -apart),
        right_hip=(thigh, apart),
        left_knee=(-knee, 0),
        right_knee=(-knee, 0),
    )
    return Posture(_with_arms(angles, rng, 0.9), topple(0, rng.uniform(-0.5, 0.2)))


def stooped(rng: np.random.Generator) -> Posture:
    """Bent forward at hips and waist, with straight or bent knees, one hand reaching down."""
    lean, knees = rng.uniform(0.7, 1.9), rng.uniform(0, 0.9)
    hips = 0.6 * lean + 0.7 * knees
    angles = _angles(
        waist=(-0.4 * lean, 0),
        left_hip=(hips, 0),
        right_hip=(hips, 0),
        left_knee=(-1.3 * knees, 0),
        right_knee=(-1.3 * knees, 0),
    )
    _with_arms(angles, rng, 0.5)
    angles[SHOULDER[rng.choice(SIDES)], PITCH] = rng.uniform(0.8, 1.6)
    return Posture(angles, topple(rng.normal(0, 0.3), 0.6 * lean))


def squatting(rng: np.random.Generator) -> Posture:
    """Squatting, more or less deeply."""
    lean, deep = rng.uniform(0.2, 0.9), rng.uniform(0.7, 1.0)
    hips = 2.1 * deep + 0.4 * lean
    angles = _angles(
        waist=(-0.4 * lean, 0),
        left_hip=(hips, -0.2),
        right_hip=(hips, 0.2),
        left_knee=(-2.3 * deep, 0),
        right_knee=(-2.3 * deep, 0),
    )
    return Posture(_with_arms(angles, rng, 1.3), topple(0, 0.6 * lean))


def kneeling(rng: np.random.Generator) -> Posture:
    """On one knee or both, upright or bent over something."""
    lean, sits = rng.choice([rng.uniform(0, 0.4), rng.uniform(0.4, 1.3)]), rng.uniform(0, 0.9)
    angles = _angles(
        waist=(-0.4 * lean, 0),
        left_hip=(sits + 0.6 * lean, -0.1),
        right_hip=(sits + 0.6 * lean, 0.1),
        left_knee=(-1.5 - sits, 0),
        right_knee=(-1.5 - sits, 0),
    )
    if rng.random() < 0.4:
        side = rng.choice(SIDES)
        angles[HIP[side], PITCH], angles[KNEE[side], PITCH] = 1.5 + 0.6 * lean, -1.5
    return Posture(_with_arms(angles, rng, 1.2), topple(0, 0.6 * lean))


def lying(
    rng: np.random.Generator, where: float | None = None, support: float = 0.0, roll: float | None = None
) -> Posture:
    """Lying, stretched or curled up.

    Args:
        where: direction of the head in radians, random by default
        support: height in metres of what the body lies on
        roll: rotation about the long axis in radians; by default mostly that after a fall in this direction
    """
    where = rng.uniform(-np.pi, np.pi) if where is None else where
    if roll is None:
        roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.3 else rng.normal(0, 0.25)
    curl = rng.choice([0.1, 0.5, 1.0], p=[0.5, 0.3, 0.2])
    legs = curl * rng.uniform(0, 1.5, 2)
    knees = -1.2 * legs
    if rng.random() < 0.4:  # drawn up, the feet on the ground
        legs, knees = rng.uniform(0.6, 1.1, 2), -rng.uniform(1.4, 2.2, 2)
    angles = _angles(
        waist=(-0.3 * curl * rng.random(), 0),
        left_hip=(legs[0], -0.1),
        right_hip=(legs[1], 0.1),
        left_knee=(knees[0], 0),
        right_knee=(knees[1], 0),
    )
    _with_arms(angles, rng, rng.choice([0.4, 1.5, 2.8]))
    return Posture(angles, topple(where, np.pi / 2 * rng.uniform(0.93, 1.03), roll), support)
