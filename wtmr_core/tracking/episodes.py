"""From class probabilities at each step to episodes: which activity, from when to when.

A network's probabilities are noisy, and each step is classified by itself. A hidden Markov model adds that an activity
lasts and that not every one can follow any other. `smooth` finds its most probable path through a whole recording
(Viterbi, "Error bounds for convolutional codes", IEEE Trans. Information Theory 13, 1967); `Live` finds it while the
recording runs, with a short delay.

Axes: n step, k class, s state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wtmr_core.tracking.people import UNKNOWN, Episode
from wtmr_core.tracking.rules import STEP, Rules

LEAST = 0.25  # mean probability below which an episode is unknown
GAP = 0.5  # seconds out of sight beyond which time does not count as duration
BRIDGE = 3.0  # seconds out of sight beyond which an episode ends
FLOOR = 0.01  # smallest probability, so that no single step rules an activity out


def smooth(
    times: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    rules: Rules | None = None,
    least: float = LEAST,
) -> list[Episode]:
    """Find the episodes of a person in a whole recording.

    Episodes do not overlap, and they cover each step, which lasts until the next one, or for `STEP` before a gap (more
    than `GAP` seconds) and at the end. A gap does not count as duration, and one of more than `BRIDGE` ends an episode.

    Args:
        times: (n,) seconds, ascending
        probabilities: (n, k)
        classes: names of the k classes
        rules: which activity may follow which; by default those of the classes, `Rules.of`
        least: mean probability below which an episode is `UNKNOWN`

    Raises:
        ValueError: for times that do not ascend, values that are not finite, and probabilities of another shape.
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
            f"expected probabilities of shape ({len(times)}, {len(rules.classes)}), a row for each time and a column "
            f"for each class; found {probabilities.shape}"
        )
    if not (np.isfinite(times).all() and np.isfinite(probabilities).all() and (np.diff(times) > 0).all()):
        raise ValueError("times must rise, and times and probabilities must be finite numbers")


def _emissions(seen: np.ndarray, rules: Rules) -> np.ndarray:
    """(n, s) log weight of each state at each step."""
    return np.repeat(np.log(np.maximum(seen, FLOOR)), rules.dwell, axis=1)


def _forward(score: np.ndarray, emission: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of Viterbi's algorithm: the best score of a path to each state (s,), and its previous state (s,)."""
    paths = score[:, None] + costs
    before = paths.argmax(axis=0)
    return paths[before, np.arange(len(score))] + emission, before


def _most_probable(times: np.ndarray, seen: np.ndarray, rules: Rules) -> np.ndarray:
    """(n,) states of the most probable path."""
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
    """Consecutive steps in one state, which become an episode."""

    state: int
    start: float
    end: float = 0.0
    duration: float = 0.0
    weight: float = 0.0  # probability times seconds

    def add(self, seconds: float, length: float, probability: float) -> None:
        self.end, self.duration = seconds + length, self.duration + length
        self.weight += length * probability

    def episode(self, rules: Rules, least: float) -> Episode:
        score = self.weight / self.duration
        activity = rules.names[self.state] if score >= least else UNKNOWN
        return Episode(activity, self.start, self.end, self.duration, score)


def _extended(
    runs: list[_Run], times: np.ndarray, after: np.ndarray, states: np.ndarray, seen: np.ndarray, rules: Rules
) -> list[_Run]:
    """Extend runs by the steps at `times` (n,) in `states` (n,); a short run that led to a fall becomes part of it.

    `after` (n,) is the time of the step after each, NaN where there is none.
    """
    for seconds, following, state, row in zip(times.tolist(), after.tolist(), states.tolist(), seen, strict=True):
        if runs and rules.began(runs[-1].state, runs[-1].duration, state) and seconds - runs[-1].end <= GAP:
            runs[-1].state = state
        if not runs or runs[-1].state != state or seconds - runs[-1].end > BRIDGE:
            runs.append(_Run(state, seconds))
        length = following - seconds
        runs[-1].add(seconds, length if length <= GAP else STEP, float(row[state]))
    return runs


# -- while it runs


@dataclass(frozen=True)
class Event:
    """An episode that has ended, or a fall that has begun, as `Live` reports it.

    Attributes:
        seconds: time of the step at which it was reported
        episode: the episode; None for a fall
        fall: seconds at which the fall began; None for an episode
    """

    seconds: float
    episode: Episode | None = None
    fall: float | None = None


class Live:
    """Finds episodes while a recording runs (fixed-lag smoothing).

    A network's window reaches half its length beyond a step, which adds to the delay: with windows of 1.6 s an episode
    is reported 1.8 s after its end, and a fall 1.3 s after its start where it is clear from the first step. Events are
    final; `smooth` over the whole recording may differ.

    Args:
        classes: names of the k classes
        rules: which activity may follow which; by default those of the classes, `Rules.of`
        lag: seconds after which the activity of a step is settled
        alert: seconds of a fall that must be seen before it is reported
        least: mean probability below which an episode is `UNKNOWN`

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
        # of the steps that are not settled: times, probabilities, and (s,) the previous state of each best path
        self._times: list[float] = []
        self._seen: list[np.ndarray] = []
        self._before: list[np.ndarray] = []
        self._score: np.ndarray | None = None
        self._runs: list[_Run] = []
        self._alerted = False

    def add(self, seconds: float, probabilities: np.ndarray) -> list[Event]:
        """Add a step, and return the events that have become certain.

        Args:
            seconds: time of the step, later than the last
            probabilities: (k,)

        Raises:
            ValueError: as `smooth` does.
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
        """Return the episodes that have not ended, when the recording is over or the person has gone."""
        if not self._times:
            return []
        seconds, path = self._times[-1], self._path()
        self._settle(path)
        events = [Event(seconds, run.episode(self.rules, self.least)) for run in self._runs]
        self._reset()
        return events

    def _path(self) -> np.ndarray:
        """The states of the unsettled steps on the path that is most probable now."""
        states = [int(self._score.argmax())]
        for before in self._before[:0:-1]:
            states.append(int(before[states[-1]]))
        return np.array(states[::-1])

    def _fall(self, seconds: float, path: np.ndarray) -> list[Event]:
        """The fall that has begun, reported once until the path holds neither a fall nor somebody fallen."""
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
        """The episodes that ended within the steps now settled."""
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
