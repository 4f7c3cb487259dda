"""Which activity may follow which, and how long each lasts at least: the hidden Markov model of `episodes`, as data.

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
STEP = 0.1  # seconds, of the steps that `stay` and `dwell` are meant for


@dataclass(frozen=True)
class Rules:
    """How activities follow each other: the states of a hidden Markov model, and what each costs.

    `stay` is the probability that a step is of the activity of the one before, `dwell` the steps that every activity
    lasts at least. `follows` has for each activity those that may follow it, all where it is not given; `rare` how much
    less likely than others some are to begin. `fallen` (see `home.yaml`) adds a state that is left only by rising.
    States are the classes and that one, each `dwell` times in a row.
    """

    classes: tuple[str, ...]
    stay: float = 0.95
    dwell: int = 4
    follows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fallen: Mapping[str, Any] = field(default_factory=dict)
    rare: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, classes: Sequence[str], file: Path = HOME) -> Rules:
        """The rules in `file` where it tells what follows each of `classes` and of no others; else the plain ones, by
        which any activity may follow any other."""
        read = literals.read(file.read_text(encoding="utf-8"))
        if set(read["follows"]) != set(classes):
            return cls(tuple(classes))
        dwell = max(1, round(read["dwell"] / STEP))
        return cls(tuple(classes), read["stay"], dwell, read["follows"], read["fallen"], read["rare"])

    @property
    def names(self) -> list[str]:
        """What an episode in each state, without the repetitions for dwelling, is called."""
        return [*self.classes, *([self.fallen["as"]] if self.fallen else [])]

    @cached_property
    def falls(self) -> np.ndarray:
        """(s,) the states that are a fall: the one that `fallen` names, else all whose names begin so."""
        by = self.fallen.get("by")
        return np.repeat([name == by if by else name.lower().startswith("fall") for name in self.names], self.dwell)

    def began(self, state: int, seconds: float, after: int) -> bool:
        """Whether `seconds` in one of `names`, by number, were how the fall `after` it began."""
        if not self.fallen or self.names[after] != self.fallen["by"]:
            return False
        return seconds <= self.fallen["led"].get(self.names[state], 0)

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
                    weights[last, self.classes.index(other) * count] = leave * self.rare.get(other, 1)
            if self.fallen and name == self.fallen["by"]:
                weights[last, len(self.classes) * count] = leave
        with np.errstate(divide="ignore"):
            return np.log(weights)

    @cached_property
    def gap_costs(self) -> np.ndarray:
        """(s, s) the same over a gap, in which anything may have happened: another activity costs what leaving does."""
        leave = (1 - self.stay) / max(1, len(self.classes) - 1)
        activity = np.repeat(np.arange(len(self.names)), self.dwell)
        return np.where(activity[:, None] == activity, np.log(self.stay), np.log(leave) + self.beginning)

    @cached_property
    def beginning(self) -> np.ndarray:
        """(s,) the logarithm of the weight of each state at the first step: what is done may have begun before."""
        start = np.repeat(np.log([self.rare.get(name, 1) for name in self.names]), self.dwell)
        if self.fallen:
            start[-self.dwell :] = -np.inf
            start[self.falls & (np.arange(len(start)) % self.dwell > 0)] = -np.inf
        return start
