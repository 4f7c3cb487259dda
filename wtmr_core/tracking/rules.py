"""Which activity may follow which, and how long each lasts at least: the hidden Markov model of `episodes`.

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

HOME = Path(__file__).with_name("home.yaml")
STEP = 0.1  # seconds of a step, for which `stay` and `dwell` are set


@dataclass(frozen=True)
class Rules:
    """The states of a hidden Markov model of activities, and the costs of their transitions.

    States are the classes, and perhaps "fallen", each repeated `dwell` times.

    Attributes:
        classes: names of the k classes
        stay: probability that a step continues the activity of the last one
        dwell: fewest steps of an activity
        follows: activity -> those that may follow it; any may, where it is not listed
        fallen: a further state after a fall, left only by getting up; `home.yaml` describes it
        rare: activity -> factor by which it is less likely to begin than others
    """

    classes: tuple[str, ...]
    stay: float = 0.95
    dwell: int = 4
    follows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fallen: Mapping[str, Any] = field(default_factory=dict)
    rare: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, classes: Sequence[str], file: Path = HOME) -> Rules:
        """Read the rules of a file where they are for exactly these classes; else any activity may follow any other."""
        rules = literals.read(file.read_text(encoding="utf-8"))
        if set(rules["follows"]) != set(classes):
            return cls(tuple(classes))
        dwell = max(1, round(rules["dwell"] / STEP))
        return cls(tuple(classes), rules["stay"], dwell, rules["follows"], rules["fallen"], rules["rare"])

    @property
    def names(self) -> list[str]:
        """The activity of each state, repetitions left out."""
        return [*self.classes, *([self.fallen["as"]] if self.fallen else [])]

    @cached_property
    def falls(self) -> np.ndarray:
        """(s,) bool, the states of a fall: that named by `fallen`, else all whose names begin with "fall"."""
        fall = self.fallen.get("by")
        return np.repeat([name == fall if fall else name.lower().startswith("fall") for name in self.names], self.dwell)

    def began(self, state: int, seconds: float, after: int) -> bool:
        """Whether a run of `seconds` in a state was the beginning of the fall after it.

        `state` and `after` are numbers of `names`.
        """
        if not self.fallen or self.names[after] != self.fallen["by"]:
            return False
        return seconds <= self.fallen["led"].get(self.names[state], 0)

    def seen(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities of the classes (n, k) to those of the states, repetitions left out (n, s/dwell)."""
        if not self.fallen:
            return probabilities
        lies = probabilities[:, self.classes.index(self.fallen["as"])]
        seems = probabilities[:, [self.classes.index(name) for name in self.fallen["seems"]]].max(axis=1)
        return np.column_stack([probabilities, np.maximum(lies, self.fallen["doubt"] * seems)])

    @cached_property
    def costs(self) -> np.ndarray:
        """(s, s) log weight of the transition from one state to another in one step."""
        count, names = self.dwell, self.names
        leave = (1 - self.stay) / max(1, len(self.classes) - 1)
        weights = np.zeros((count * len(names), count * len(names)))
        for number, name in enumerate(names):
            after_fall = number == len(self.classes)
            for repetition in range(count - 1):
                weights[number * count + repetition, number * count + repetition + 1] = 1
            last = number * count + count - 1
            weights[last, last] = self.stay
            following = self.fallen["follows"] if after_fall else self.follows.get(name, self.classes)
            for other in following:
                if other != name or after_fall:
                    weights[last, self.classes.index(other) * count] = leave * self.rare.get(other, 1)
            if self.fallen and name == self.fallen["by"]:
                weights[last, len(self.classes) * count] = leave
        with np.errstate(divide="ignore"):
            return np.log(weights)

    @cached_property
    def gap_costs(self) -> np.ndarray:
        """(s, s) log weight of a transition across a gap, after which any activity is possible."""
        leave = (1 - self.stay) / max(1, len(self.classes) - 1)
        activity = np.repeat(np.arange(len(self.names)), self.dwell)
        return np.where(activity[:, None] == activity, np.log(self.stay), np.log(leave) + self.beginning)

    @cached_property
    def beginning(self) -> np.ndarray:
        """(s,) log weight of each state at the first step; an activity may have begun before it."""
        start = np.repeat(np.log([self.rare.get(name, 1) for name in self.names]), self.dwell)
        if self.fallen:
            start[-self.dwell :] = -np.inf
            start[self.falls & (np.arange(len(start)) % self.dwell > 0)] = -np.inf
        return start
