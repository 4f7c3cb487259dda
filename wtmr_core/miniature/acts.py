"""Sequences of activities, as key poses with transitions and paths across the floor.

`actions` has clips of single actions; here a person acts for minutes, in and out of beds and chairs.

Axes: t frame, j joint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from wtmr_core.miniature import actions, body
from wtmr_core.miniature.body import PITCH, ROLL, Person
from wtmr_core.skeleton import (
    HIPS,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    NECK,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    WAIST,
)

ACTIVITIES = (
    "walking",
    "standing",
    "sitting down",
    "sitting",
    "standing up",
    "bending",
    "lying",
    "falling",
)

_MOVES = {
    "trunk": ([HIPS], PITCH),
    "side": ([HIPS], ROLL),
    "waist": ([WAIST], PITCH),
    "neck": ([NECK], PITCH),
    "thighs": ([L_HIP, R_HIP], PITCH),
    "knees": ([L_KNEE, R_KNEE], PITCH),
    "arms": ([L_SHOULDER, R_SHOULDER], PITCH),
    "elbows": ([L_ELBOW, R_ELBOW], PITCH),
}
#: angle of each part from standing straight, in radians, positive for forward swings, as in `body`
POSES = {
    "upright": {},
    "bent": {"trunk": -0.75, "waist": -0.5, "thighs": 1.35, "knees": -0.7, "arms": 1.1},
    "seated": {"waist": -0.1, "thighs": 1.45, "knees": -1.45, "arms": 0.5, "elbows": 0.6},
    "reclined": {"trunk": 0.75, "thighs": 0.7, "knees": -1.4, "arms": -0.4, "elbows": 0.5},
    "supine": {"trunk": 1.5, "neck": -0.2, "thighs": 0.1, "knees": -0.2, "elbows": 0.4},
    "in bed": {"trunk": 1.56, "side": 0.2, "waist": -0.25, "neck": -0.3, "thighs": 0.15, "knees": -0.3, "elbows": 0.3},
    "prone": {"trunk": -1.55, "side": 0.3, "thighs": 0.1, "knees": -0.3, "arms": 2.5, "elbows": 0.6},
    "on the left": {"trunk": -0.2, "side": 1.5, "thighs": 0.5, "knees": -0.8, "arms": 0.7, "elbows": 0.5},
    "on the right": {"trunk": -0.2, "side": -1.5, "thighs": 0.5, "knees": -0.8, "arms": 0.7, "elbows": 0.5},
    "kneeling": {"trunk": -0.4, "thighs": 1.1, "knees": -2.0, "arms": 0.9},
}
TURN = 0.8  # seconds in which a person turns round


@dataclass(frozen=True)
class Act:
    """An activity, and the pose and place at its end.

    Attributes:
        activity: one of `ACTIVITIES`
        seconds: its length
        pose: one of `POSES`
        feet: (x, y, z) in metres
        heading: in radians, 0 faces −z
    """

    activity: str
    seconds: float
    pose: str
    feet: tuple[float, float, float]
    heading: float


class Script:
    """The acts of a person, each of which begins where the last one ended. Methods add acts, and can be chained.

    Args:
        person: the body
        spot: (x, z) where it starts, in metres
        heading: direction that it faces, in radians, 0 for −z
        pose: one of `POSES`
        activity: one of `ACTIVITIES`

    >>> script = Script(person, (0.0, 1.0), pose="seated", activity="sitting").stay(10).rise().walk(2.0, 1.0)
    """

    def __init__(
        self,
        person: Person,
        spot: tuple[float, float],
        heading: float = 0.0,
        pose: str = "upright",
        activity: str = "standing",
    ) -> None:
        x, z = spot
        self.person = person
        self.acts = [Act(activity, 0.0, pose, (x, 0.0, z), heading)]

    @property
    def seconds(self) -> float:
        """Length of all acts together."""
        return sum(act.seconds for act in self.acts)

    def do(self, activity: str, seconds: float, **end: object) -> Script:
        """Add an act; `end` gives the pose, feet or heading that differ at its end."""
        self.acts.append(replace(self.acts[-1], activity=activity, seconds=seconds, **end))
        return self

    def stay(self, seconds: float) -> Script:
        """Continue the last activity."""
        return self.do(self.acts[-1].activity, seconds)

    def walk(self, *spots: tuple[float, float]) -> Script:
        """Walk straight from one spot (x, z) to the next."""
        for x, z in spots:
            from_x, _, from_z = self.acts[-1].feet
            distance = math.hypot(x - from_x, z - from_z)
            heading = math.atan2(from_x - x, from_z - z)
            self.do("walking", distance / actions.walking_speed(self.person), feet=(x, 0.0, z), heading=heading)
        return self

    def stand(self, seconds: float, heading: float) -> Script:
        """Turn to a heading and stand."""
        return self.do("standing", seconds, heading=heading)

    def sit(self, seconds: float, heading: float) -> Script:
        """Turn to a heading, the seat behind, and sit down."""
        return self.stand(TURN, heading).do("sitting down", 1.6, pose="seated").do("sitting", seconds)

    def rise(self) -> Script:
        """Stand up."""
        return self.do("standing up", 1.6, pose="upright")

    def pick_up(self) -> Script:
        """Bend down, and straighten up again."""
        return self.do("bending", 1.2, pose="bent").stay(0.8).do("bending", 1.2, pose="upright")

    def lie(self, seconds: float, feet: tuple[float, float, float], heading: float) -> Script:
        """Lie back from sitting on a bed, and sit up again."""
        edge = self.acts[-1]
        self.do("sitting", 1.0, pose="reclined")
        self.do("lying", 1.3, pose="in bed", feet=feet, heading=heading).stay(seconds)
        self.do("lying", 1.3, pose="reclined", feet=edge.feet, heading=edge.heading)
        return self.do("sitting", 1.0, pose="seated")

    def fall(self, seconds: float, pose: str) -> Script:
        """Fall, lie, and get up via the knees."""
        self.do("falling", 1.3, pose=pose).do("lying", seconds)
        return self.do("standing up", 1.8, pose="kneeling").do("standing up", 1.6, pose="upright")


def act(person: Person, acts: Sequence[Act], times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let a person do acts one after another from time 0; before the first and after the last the pose is kept.

    Args:
        person: the body
        acts: the acts, in order
        times: (t,) seconds
        rng: generator of gait and sway

    Returns:
        joints (t, 26, 3) in metres, with the floor at y = 0
    """
    first, start = acts[0], acts[0].seconds
    angles = np.zeros((len(times), 26, 3)) + _angles(first.pose)
    feet, heading = np.zeros((len(times), 3)) + first.feet, np.full(len(times), first.heading)
    for before, after in pairwise(acts):
        seconds, end = times - start, after.seconds
        walks = after.activity == "walking"
        # a fall gathers speed
        change = actions.ease(seconds, 0, end) ** (1.6 if after.activity == "falling" else 1.0)
        angles += change[:, None, None] * (_angles(after.pose) - _angles(before.pose))
        feet += (np.clip(seconds / end, 0, 1) if walks else change)[:, None] * np.subtract(after.feet, before.feet)
        turn = (after.heading - before.heading + math.pi) % math.tau - math.pi
        heading += turn * actions.ease(seconds, 0, min(TURN, end))
        if walks:
            stride = np.zeros_like(angles)
            actions.ACTIONS["walk"](stride, seconds / end, seconds, person, rng)
            share = np.clip(seconds / 0.4 + 0.5, 0, 1) - np.clip((seconds - end) / 0.4 + 0.5, 0, 1)
            angles += share[:, None, None] * stride
        start += end
    joints = body.embody(person, angles, heading, feet[:, [0, 2]], times, rng)
    joints[..., 1] += feet[:, 1:2]
    return joints


def _angles(pose: str) -> np.ndarray:
    """The angles (26, 3) of a pose, in radians."""
    angles = np.zeros((26, 3))
    for part, angle in POSES[pose].items():
        joints, axis = _MOVES[part]
        angles[joints, axis] = angle
    return angles
