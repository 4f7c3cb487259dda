"""Random scenes at home: sequences of `motions.Phase`s. Those of `DAILY` hold no fall, those of `FALLS` one each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wtmr_core.tracking import motions
from wtmr_core.tracking.motions import Phase, Posture

Scene = Callable[[np.random.Generator], list[Phase]]

IDLE = ("", "", "drink", "look", "turn", "hold", "wave", "clap")
SEAT_HEIGHT = (0.35, 0.65)  # metres, of beds and sofas


def _walk(rng: np.random.Generator, low: float = 1.5, high: float = 4.0) -> Phase:
    gesture = "carry" if rng.random() < 0.15 else "walk"
    still = Posture(np.zeros((26, 3)))
    return Phase("walking", still, rng.uniform(low, high), gesture=gesture, heading=rng.uniform(-np.pi, np.pi))


def _stand(rng: np.random.Generator, low: float = 0.8, high: float = 3.5) -> Phase:
    return Phase("standing", motions.upright(rng), rng.uniform(low, high), gesture=str(rng.choice(IDLE)))


def _arrive(rng: np.random.Generator) -> list[Phase]:
    """Walking, standing, or first one and then the other."""
    return [[_walk(rng)], [_stand(rng)], [_walk(rng), _stand(rng)], [_stand(rng), _walk(rng)]][rng.integers(4)]


def _sit(rng: np.random.Generator) -> list[Phase]:
    down = Phase("sitting down", motions.seated(rng), rng.uniform(0.7, 2.0), heading=rng.uniform(-1, 1) * np.pi)
    return [down, *_seated(rng)]


def _seated(rng: np.random.Generator) -> list[Phase]:
    return [Phase("sitting", motions.seated(rng), rng.uniform(0.8, 3.0)) for _ in range(rng.integers(1, 4))]


def _rise(rng: np.random.Generator, low: float = 0.7, high: float = 2.0) -> Phase:
    return Phase("standing up", motions.upright(rng), rng.uniform(low, high))


def _lie(rng: np.random.Generator, support: float, count: int = 3, where: float | None = None) -> list[Phase]:
    """Lying, sometimes turning over."""
    where = rng.uniform(-np.pi, np.pi) if where is None else where
    postures = [motions.lying(rng, where, support) for _ in range(rng.integers(1, count + 1))]
    return [Phase("lying", posture, rng.uniform(1.0, 3.0)) for posture in postures]


def wandering(rng: np.random.Generator) -> list[Phase]:
    """Walking and standing about."""
    return [phase for _ in range(3) for phase in _arrive(rng)]


def sitting(rng: np.random.Generator) -> list[Phase]:
    """Sitting down, sitting, and getting up again."""
    return [*_arrive(rng), *_sit(rng), _rise(rng), *_arrive(rng)]


def staying_seated(rng: np.random.Generator) -> list[Phase]:
    """Sitting throughout, in changing postures."""
    return [*_seated(rng), *_seated(rng), *_seated(rng)]


def picking_up(rng: np.random.Generator) -> list[Phase]:
    """Bending, squatting or kneeling, and getting up again, twice."""
    phases = []
    for _ in range(2):
        low = [motions.stooped, motions.squatting, motions.kneeling][rng.choice(3, p=[0.5, 0.25, 0.25])]
        phases += [*_arrive(rng), Phase("bending", low(rng), rng.uniform(0.5, 1.6))]
        phases += [Phase("bending", low(rng), rng.uniform(0.2, 2.0)) for _ in range(rng.integers(0, 3))]
        phases += [Phase("bending", motions.upright(rng), rng.uniform(0.5, 1.6))]
    return [*phases, _stand(rng)]


def going_to_bed(rng: np.random.Generator) -> list[Phase]:
    """Sitting down on a bed, lying, and getting up again."""
    support = rng.uniform(*SEAT_HEIGHT)
    bed = _lie(rng, support)
    bed[0] = Phase("sitting", bed[0].posture, rng.uniform(1.3, 3.5), after="lying", until=0.5)
    up = Phase("lying", motions.seated(rng), rng.uniform(1.2, 3.0), after="sitting", until=0.5)
    return [*_arrive(rng)[-1:], *_sit(rng), *bed, *_lie(rng, support), up, *_seated(rng)[:1], _rise(rng), _stand(rng)]


def sleeping(rng: np.random.Generator) -> list[Phase]:
    """Lying in bed throughout."""
    return _lie(rng, rng.uniform(*SEAT_HEIGHT), 5)


def on_the_floor(rng: np.random.Generator) -> list[Phase]:
    """Getting down to the floor slowly, as for exercises, and up again."""
    floor = Phase("bending", motions.on_the_floor(rng), rng.uniform(1.0, 2.5), after="sitting", until=0.6)
    stay = [Phase("sitting", motions.on_the_floor(rng), rng.uniform(1.0, 2.5))]
    if rng.random() < 0.6:
        down = Phase("sitting", motions.lying(rng), rng.uniform(1.5, 3.5), after="lying", until=0.5)
        up = Phase("lying", motions.on_the_floor(rng), rng.uniform(1.2, 3.0), after="sitting", until=0.5)
        stay += [down, *_lie(rng, 0.0)[:1], up]
    kneel = Phase("standing up", motions.kneeling(rng), rng.uniform(0.8, 2.0))
    return [
        *_arrive(rng)[-1:],
        Phase("bending", motions.kneeling(rng), rng.uniform(0.8, 2.0)),
        floor,
        *stay,
        kneel,
        _rise(rng),
        _stand(rng),
    ]


# -- falls


def _after(rng: np.random.Generator, where: float) -> list[Phase]:
    """Lying where the fall ended; sometimes getting up again."""
    phases = [Phase("lying", motions.lying(rng, where + rng.normal(0, 0.2)), rng.uniform(1.0, 3.5)) for _ in range(2)]
    if rng.random() < 0.25:
        low = [motions.on_the_floor, motions.kneeling][rng.integers(2)]
        phases += [Phase("standing up", low(rng), rng.uniform(1.0, 2.5)), _rise(rng), _stand(rng)]
    return phases


def _drop(rng: np.random.Generator, posture: Posture, low: float, high: float, activity: str = "falling") -> Phase:
    return Phase(activity, posture, rng.uniform(low, high), pace=rng.uniform(1.3, 2.4))


def toppling(rng: np.random.Generator) -> list[Phase]:
    """Falling over like a felled tree, in any direction, on the spot or while walking."""
    where = rng.uniform(-np.pi, np.pi)
    settle = Phase("falling", motions.lying(rng, where), rng.uniform(0.2, 0.4))
    return [*_arrive(rng), _drop(rng, motions.lying(rng, where), 0.6, 1.3), settle, *_after(rng, where)]


def collapsing(rng: np.random.Generator) -> list[Phase]:
    """Falling because the knees give way; then the trunk falls over."""
    where = rng.uniform(-np.pi, np.pi)
    low = [motions.kneeling, motions.squatting, motions.on_the_floor][rng.integers(3)]
    return [
        *_arrive(rng),
        _drop(rng, low(rng), 0.35, 0.8),
        _drop(rng, motions.lying(rng, where), 0.35, 0.9),
        *_after(rng, where),
    ]


def sinking(rng: np.random.Generator) -> list[Phase]:
    """Falling backward: the knees bend, the bottom touches the floor, the back follows."""
    where = np.pi + rng.normal(0, 0.5)
    low = [motions.squatting, motions.stooped][rng.integers(2)]
    return [
        *_arrive(rng),
        Phase("falling", low(rng), rng.uniform(0.4, 0.9)),
        _drop(rng, motions.on_the_floor(rng), 0.25, 0.7),
        _drop(rng, motions.lying(rng, where), 0.4, 1.0),
        *_after(rng, where),
    ]


def falling_off_a_seat(rng: np.random.Generator) -> list[Phase]:
    """Falling from a seat onto the floor, in any direction but backward."""
    where = rng.uniform(-2.2, 2.2)
    before = _seated(rng) if rng.random() < 0.6 else [*_arrive(rng)[-1:], *_sit(rng)]
    settle = Phase("falling", motions.lying(rng, where), rng.uniform(0.2, 0.4))
    return [*before, _drop(rng, motions.lying(rng, where), 0.6, 1.3), settle, *_after(rng, where)]


def falling_out_of_bed(rng: np.random.Generator) -> list[Phase]:
    """Rolling over the edge of the bed onto the floor beside it."""
    where, roll = rng.uniform(-np.pi, np.pi), rng.uniform(-np.pi, np.pi)
    bed = _lie(rng, rng.uniform(*SEAT_HEIGHT), where=where)
    bed.append(Phase("lying", motions.lying(rng, where, bed[-1].posture.support, roll), rng.uniform(0.5, 1.5)))
    over = motions.lying(rng, where + rng.normal(0, 0.3), 0.0, roll + rng.choice([-1, 1]) * rng.uniform(0.8, 2.5))
    settle = Phase("falling", motions.lying(rng, where, 0.0, roll), rng.uniform(0.2, 0.4))
    return [*bed, _drop(rng, over, 0.4, 1.0), settle, *_after(rng, where)]


DAILY: tuple[Scene, ...] = (wandering, sitting, staying_seated, picking_up, going_to_bed, sleeping, on_the_floor)
FALLS: tuple[Scene, ...] = (toppling, collapsing, sinking, falling_off_a_seat, falling_out_of_bed)
