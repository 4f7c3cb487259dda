"""From what a person seems to do at each step to what was done, from when to when: episodes.

Probabilities of a network at even steps are noisy, and steps know nothing of each other. A hidden Markov model does: an
activity lasts, and not every one can follow any other. `smooth` finds its most probable path through a whole recording
(Viterbi's algorithm: Viterbi, "Error bounds for convolutional codes", IEEE Trans. Information Theory 13, 1967); `Live`
finds it while the recording runs, a little late.

Axes: n step, k class, s state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wtmr_core.tracking.people import Episode
from wtmr_core.tracking.rules import STEP, Rules

UNKNOWN = "unknown"
LEAST = 0.25  # the mean probability below which an episode is unknown
GAP, BRIDGE = 0.5, 3.0  # seconds unseen: that do not count as duration; that end an episode
FLOOR = 0.01  # of a probability: a single step rules out nothing


def smooth(
    times: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    rules: Rules | None = None,
    least: float = LEAST,
) -> list[Episode]:
    """The episodes of a person, from probabilities (n, k) of `classes` at rising `times` (n,) in seconds.

    They follow each other without overlap and cover each step, which lasts until the next one, or in front of a gap
    (more than `GAP` seconds) and at the end `STEP`. A gap is no part of an episode's duration, and a longer one than
    `BRIDGE` ends it. An episode with a mean probability below `least` is `UNKNOWN`. `rules` are by default those of the
    classes (`Rules.of`). Raises `ValueError` for times that do not rise, and for probabilities of another shape.
    """
    times, probabilities = np.asarray(times, float), np.asarray(probabilities, float)
    rules = rules or Rules.of(classes)
    _check(times, probabilities, rules)
    if not len(times):
        return []
    seen = rules.seen(probabilities)
    states = _most_probable(times, seen, rules) // rules.dwell
    runs = _extended([], times, np.append(times[1:], np.nan), states, seen, rules)
    return [run.episode(rules, least) for run in runs]


def _check(times: np.ndarray, probabilities: np.ndarray, rules: Rules) -> None:
    if times.ndim != 1 or probabilities.shape != (len(times), len(rules.classes)):
        raise ValueError(
            f"expected probabilities of shape ({len(times)}, {len(rules.classes)}), a row a time and a column a class; "
            f"found {probabilities.shape}"
        )
    if not (np.isfinite(times).all() and np.isfinite(probabilities).all() and (np.diff(times) > 0).all()):
        raise ValueError("times must rise, and they and the probabilities be finite numbers")


def _emissions(seen: np.ndarray, rules: Rules) -> np.ndarray:
    """(n, s) the logarithm of the weight of each state at each step."""
    return np.repeat(np.log(np.maximum(seen, FLOOR)), rules.dwell, axis=1)


def _forward(score: np.ndarray, emission: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best score of a path to each state (s,) one step on, and the state that it comes from (s,)."""
    paths = score[:, None] + costs
    before = paths.argmax(axis=0)
    return paths[before, np.arange(len(score))] + emission, before


def _most_probable(times: np.ndarray, seen: np.ndarray, rules: Rules) -> np.ndarray:
    """The states (n,) of the most probable path."""
    emissions = _emissions(seen, rules)
    score = rules.beginning + emissions[0]
    before = np.zeros(emissions.shape, int)
    for n in range(1, len(times)):
        costs = rules.gap_costs if times[n] - times[n - 1] > GAP else rules.costs
        score, before[n] = _forward(score, emissions[n], costs)
    states = np.empty(len(times), int)
    states[-1] = score.argmax()
    for n in range(len(times) - 1, 0, -1):
        states[n - 1] = before[n, states[n]]
    return states


@dataclass
class _Run:
    """Steps in one state, one after another, that become an episode."""

    state: int
    start: float
    end: float = 0.0
    duration: float = 0.0
    weight: float = 0.0  # probability times seconds

    def add(self, seconds: float, lasts: float, probability: float) -> None:
        self.end, self.duration = seconds + lasts, self.duration + lasts
        self.weight += lasts * probability

    def episode(self, rules: Rules, least: float) -> Episode:
        score = self.weight / self.duration
        activity = rules.names[self.state] if score >= least else UNKNOWN
        return Episode(activity, self.start, self.end, self.duration, score)


def _extended(
    runs: list[_Run], times: np.ndarray, after: np.ndarray, states: np.ndarray, seen: np.ndarray, rules: Rules
) -> list[_Run]:
    """Runs of one state without a gap that ends them, longer by the steps at `times` (n,) in `states` (n,), each of
    which is followed by one `after` (n,), NaN where none is. A short run that led to a fall becomes part of it."""
    for seconds, following, state, row in zip(times.tolist(), after.tolist(), states.tolist(), seen, strict=True):
        if runs and rules.began(runs[-1].state, runs[-1].duration, state) and seconds - runs[-1].end <= GAP:
            runs[-1].state = state
        if not runs or runs[-1].state != state or seconds - runs[-1].end > BRIDGE:
            runs.append(_Run(state, seconds))
        lasts = following - seconds
        runs[-1].add(seconds, lasts if lasts <= GAP else STEP, float(row[state]))
    return runs


# -- while it runs


@dataclass(frozen=True)
class Event:
    """What `Live` tells as soon as it is sure: an `episode` that has ended, or a fall that began at `fall` seconds.
    `seconds` is the time of the step at which it was told."""

    seconds: float
    episode: Episode | None = None
    fall: float | None = None


class Live:
    """Episodes while a recording runs: what is done at a step is settled `lag` seconds after it, and a fall is told
    once `alert` seconds of it have been seen (fixed-lag smoothing).

    A network's windows reach half their length beyond a step, so that all is told so much later still: with windows of
    1.6 s an episode is told 1.8 s after its end, a fall 1.3 s after its start where it is clear at once. What was told
    is not taken back; `smooth` over the whole recording may say otherwise.

        live = Live(classifier.classes)
        for seconds, probabilities in steps:  # (k,) each
            for event in live.add(seconds, probabilities): ...
        rest = live.close()
    """

    def __init__(
        self,
        classes: Sequence[str],
        rules: Rules | None = None,
        *,
        lag: float = 1.0,
        alert: float = 0.5,
        least: float = LEAST,
    ):
        self.rules, self.least = rules or Rules.of(classes), least
        self.lag, self.alert = max(1, round(lag / STEP)), max(1, round(alert / STEP))
        self._reset()

    def _reset(self) -> None:
        # of the steps that are not settled: when, probabilities, (s,) where the best path to each state comes from
        self._times: list[float] = []
        self._seen: list[np.ndarray] = []
        self._before: list[np.ndarray] = []
        self._score: np.ndarray | None = None
        self._runs: list[_Run] = []
        self._alerted = False

    def add(self, seconds: float, probabilities: np.ndarray) -> list[Event]:
        """What is told after the step at `seconds`, later than the last, with probabilities (k,).

        Raises `ValueError` as `smooth`.
        """
        row, last = np.asarray(probabilities, float)[None], self._times[-1:]
        _check(np.array([*last, seconds]), np.repeat(row, len(last) + 1, axis=0), self.rules)
        events = self.close() if last and seconds - last[0] > BRIDGE else []
        seen = self.rules.seen(row)
        emission = _emissions(seen, self.rules)[0]
        if self._score is None:
            self._score, before = self.rules.beginning + emission, np.arange(len(emission))
        else:
            costs = self.rules.gap_costs if seconds - self._times[-1] > GAP else self.rules.costs
            self._score, before = _forward(self._score, emission, costs)
            self._score -= self._score.max()
        self._times.append(float(seconds))
        self._seen.append(seen[0])
        self._before.append(before)
        path = self._path()
        events += self._fall(seconds, path)
        return events + self._settled(seconds, path[: max(0, len(path) - self.lag)])

    def close(self) -> list[Event]:
        """The episodes that had not ended: the recording is over, or the person gone."""
        if not self._times:
            return []
        seconds, path = self._times[-1], self._path()
        self._settle(path)
        events = [Event(seconds, run.episode(self.rules, self.least)) for run in self._runs]
        self._reset()
        return events

    def _path(self) -> np.ndarray:
        """The states of the steps that are not settled on the path that is the most probable now."""
        states = [int(self._score.argmax())]
        for before in self._before[:0:-1]:
            states.append(int(before[states[-1]]))
        return np.array(states[::-1])

    def _fall(self, seconds: float, path: np.ndarray) -> list[Event]:
        """The fall that has begun, once: not again before the path holds neither a fall nor somebody fallen."""
        falling = self.rules.falls[path]
        if not falling.any():
            self._alerted &= bool(path[-1] // self.rules.dwell == len(self.rules.classes))
            return []
        first = int(falling.argmax())
        if self._alerted or len(path) - first < self.alert:
            return []
        self._alerted = True
        return [Event(seconds, fall=self._times[first])]

    def _settled(self, seconds: float, path: np.ndarray) -> list[Event]:
        """The episodes that ended with the steps which are now settled."""
        self._settle(path)
        ended, self._runs = self._runs[:-1], self._runs[-1:]
        return [Event(seconds, run.episode(self.rules, self.least)) for run in ended]

    def _settle(self, path: np.ndarray) -> None:
        count = len(path)
        if not count:
            return
        times = np.array(self._times[: count + 1])
        after = np.append(times[1:], [np.nan] * (count + 1 - len(times)))
        _extended(self._runs, times[:count], after, path // self.rules.dwell, np.stack(self._seen[:count]), self.rules)
        self._times, self._seen, self._before = self._times[count:], self._seen[count:], self._before[count:]
