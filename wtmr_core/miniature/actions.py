"""Actions of synthetic people as joint angles, and people who perform one after another.

Axes: t frame, j joint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wtmr_core.miniature.body import ELBOW, HIP, KNEE, PITCH, ROLL, SHOULDER, YAW, Person, embody
from wtmr_core.skeleton import (
    HIPS,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    NECK,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    WAIST,
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
