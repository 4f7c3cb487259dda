"""From what a person seems to do at each step to what was done, from when to when: episodes.

Probabilities of a network at even steps are noisy, and steps know nothing of each other. A hidden Markov model does: an
activity lasts, and not every one can follow any other. `smooth` finds its most probable path through a whole recording
(Viterbi's algorithm: Viterbi, "Error bounds for convolutional codes", IEEE Trans. Information Theory 13, 1967); `Live`
finds it while the recording runs, a little late.

Axes: n step, k class, s state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wtmr_core import literals
from wtmr_core.tracking.people import Episode

RULES = Path(__file__).with_name("home.yaml")
UNKNOWN = "unknown"
STEP = 0.1  # seconds, of the steps that `stay` is meant for
LEAST = 0.35  # the mean probability below which an episode is unknown
GAP, BRIDGE = 0.5, 3.0  # seconds unseen: that do not count as duration; that end an episode
FLOOR = 0.01  # of a probability: a single step rules out nothing


@dataclass(frozen=True)
class Rules:
    """How activities follow each other: the states of a hidden Markov model, and what each costs.

    `stay` is the probability that a step is of the activity of the one before, `dwell` the steps that every activity
    lasts at least. `follows` has for each activity those that may follow it, all where it is not given. `fallen` (see
    `home.yaml`) adds a state that is left only by rising. States are the classes, each `dwell` times in a row, and that
    one.
    """

    classes: tuple[str, ...]
    stay: float = 0.95
    dwell: int = 4
    follows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fallen: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, classes: Sequence[str], file: Path = RULES) -> Rules:
        """The rules in `file` where it tells what follows each of `classes` and of no others; else the plain ones, by
        which any activity may follow any other."""
        read = literals.read(file.read_text(encoding="utf-8"))
        if set(read["follows"]) != set(classes):
            return cls(tuple(classes))
        dwell = max(1, round(read["dwell"] / STEP))
        return cls(tuple(classes), read["stay"], dwell, read["follows"], read.get("fallen") or {})

    @property
    def names(self) -> list[str]:
        """What an episode in each state, without the repetitions for dwelling, is called."""
        return [*self.classes, *([self.fallen["as"]] if self.fallen else [])]

    @cached_property
    def falls(self) -> np.ndarray:
        """(s,) the states that are a fall."""
        return np.repeat([name == self.fallen.get("by") for name in self.names], self.dwell)

    def seen(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities (n, k) of the classes -> of the states without repetitions (n, s/dwell)."""
        if not self.fallen:
            return probabilities
        lies = probabilities[:, self.classes.index(self.fallen["as"])]
        seems = probabilities[:, [self.classes.index(name) for name in self.fallen["seems"]]].max(axis=1)
        return np.column_stack([probabilities, np.maximum(lies, self.fallen["doubt"] * seems)])

    @cached_property
    def costs(self) -> np.ndarray:
        """(s, s) the logarithm of the weight of going from one state to another at the next step."""
        count, names = self.dwell, self.names
        leave = (1 - self.stay) / max(1, len(self.classes) - 1)
        weights = np.zeros((count * len(names), count * len(names)))
        for here, name in enumerate(names):
            after_fall = here == len(self.classes)
            for dwelt in range(count - 1):
                weights[here * count + dwelt, here * count + dwelt + 1] = 1
            last = here * count + count - 1
            weights[last, last] = self.stay
            following = self.fallen["follows"] if after_fall else self.follows.get(name, self.classes)
            for other in following:
                if other != name or after_fall:
                    weights[last, self.classes.index(other) * count] = leave
            if self.fallen and name == self.fallen["by"]:
                weights[last, len(self.classes) * count] = leave
        with np.errstate(divide="ignore"):
            return np.log(weights)

    @cached_property
    def gap_costs(self) -> np.ndarray:
        """(s, s) the same over a gap, in which anything may have happened: another activity costs what leaving does."""
        leave = (1 - self.stay) / max(1, len(self.classes) - 1)
        activity = np.repeat(np.arange(len(self.names)), self.dwell)
        return np.log(np.where(activity[:, None] == activity, self.stay, leave)) + self.beginning

    @cached_property
    def beginning(self) -> np.ndarray:
        """(s,) the logarithm of the weight of each state at the first step: what is done may have begun before."""
        start = np.zeros(len(self.names) * self.dwell)
        if self.fallen:
            start[-self.dwell :] = -np.inf
            start[self.falls & (np.arange(len(start)) % self.dwell > 0)] = -np.inf
        return start


def smooth(
    times: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], rules: Rules | None = None, least: float = LEAST
) -> list[Episode]:
    """The episodes of a person, from probabilities (n, k) of `classes` at rising `times` (n,) in seconds.

    They follow each other without overlap and cover each step, which lasts until the next one, or in front of a gap
    (more than `GAP` seconds) as long as most do. A gap is no part of an episode's duration, and a longer one than
    `BRIDGE` ends it. An episode with a mean probability below `least` is `UNKNOWN`. `rules` are by default those of the
    classes (`Rules.of`). Raises `ValueError` for times that do not rise, and for probabilities of another shape.
    """
    times, probabilities = np.asarray(times, float), np.asarray(probabilities, float)
    rules = rules or Rules.of(classes)
    _check(times, probabilities, rules)
    if not len(times):
        return []
    seen = rules.seen(probabilities)
    states = _most_probable(times, seen, rules)
    return _episodes(times, states // rules.dwell, seen, rules, least)


def _check(times: np.ndarray, probabilities: np.ndarray, rules: Rules) -> None:
    if times.ndim != 1 or probabilities.shape != (len(times), len(rules.classes)):
        raise ValueError(
            f"expected probabilities of shape ({len(times)}, {len(rules.classes)}), one row a time and a column a class; "
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


def _episodes(times: np.ndarray, states: np.ndarray, seen: np.ndarray, rules: Rules, least: float) -> list[Episode]:
    """Runs of one state without a gap that ends them, as episodes."""
    steps = np.diff(times)
    usual = float(np.median(steps[steps <= GAP])) if (steps <= GAP).any() else STEP
    lasts = np.append(np.where(steps > GAP, usual, steps), usual)
    cuts = np.flatnonzero((np.diff(states) != 0) | (steps > BRIDGE)) + 1
    episodes = []
    for run in np.split(np.arange(len(times)), cuts):
        score = float(np.average(seen[run, states[run[0]]], weights=lasts[run]))
        activity = rules.names[states[run[0]]] if score >= least else UNKNOWN
        start, end = float(times[run[0]]), float(times[run[-1]] + lasts[run[-1]])
        episodes.append(Episode(activity, start, end, float(lasts[run].sum()), score))
    return episodes
