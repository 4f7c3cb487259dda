"""The last layer of a network, adapted to one person by a few labelled episodes.

The network's features stay as they are. Its last layer, the head, is fitted to the person's episodes by multinomial
logistic regression with a quadratic penalty that draws it back to the old head (Chelba, Acero, "Adaptation of maximum
entropy capitalizer: little data can help a lot", EMNLP 2004). Activities without an episode keep their old weights, and
the others are fitted among themselves, so that nothing is learnt against the former.

How strong the penalty must be, and whether the new head is better at all, is told by episodes held back from it.

Axes: n step, d width, k class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import permutation_test

STRENGTHS = (0.3, 0.1, 0.03, 0.01)  # of the penalty, against an episode's weight of 1
FOLDS = 5  # parts into which episodes are divided, to hold back one at a time
STEPS = 10  # of an episode, at most, that are fitted: those between them hardly differ
LEAST, ACTIVITIES, EACH = 6, 2, 2  # episodes; activities that have some; episodes of each of those
CHANCE = 0.05  # how often, at most, chance may gain as much on the episodes held back


class Refused(ValueError):
    """A network is not adapted; the message says why."""


@dataclass(frozen=True)
class Head:
    """The last layer: features (n, d) -> logits (n, k), by `weights` (k, d) and `bias` (k,)."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return features @ self.weights.T + self.bias


@dataclass(frozen=True)
class Example:
    """An episode of a known activity: the number of its class, and the network's `features` (n, d) at its steps."""

    activity: int
    features: np.ndarray

    def share(self, head: Head) -> float:
        """Share of the steps at which `head` finds the activity most probable."""
        return float((head(self.features).argmax(axis=1) == self.activity).mean())

    def loss(self, head: Head) -> float:
        """Mean over the steps of -log(probability of the activity)."""
        return float(-log_softmax(head(self.features), axis=1)[:, self.activity].mean())


@dataclass(frozen=True)
class Adapted:
    """A head adapted to a person.

    Attributes:
        head: the new head, fitted to all episodes
        strength: of the penalty
        before, after: (e,) share of steps that are right in each episode: of the old head, and of a head fitted without
            that episode
        chance: probability of as large a gain by chance
    """

    head: Head
    strength: float
    before: np.ndarray
    after: np.ndarray
    chance: float

    @property
    def gain(self) -> float:
        """Mean gain on episodes held back."""
        return float((self.after - self.before).mean())


def adapt(head: Head, examples: Sequence[Example]) -> Adapted:
    """Adapt a head to a person, where that helps on episodes held back.

    Episodes are divided into `FOLDS` parts, activities evenly; each part in turn is held back from a head fitted to the
    others. The penalty of that head is the one of `STRENGTHS` with the smallest loss in cross-validation among these
    others, so that what is held back chooses nothing. An episode counts as one, however long it is.

    Args:
        head: the head of the network
        examples: the person's episodes

    Raises:
        Refused: for fewer than `LEAST` episodes or than `EACH` of each of `ACTIVITIES` activities; and where the mean
            gain on episodes held back is not above what random signs of the episodes' gains reach in `CHANCE` of cases
            (Fisher's permutation test for pairs).
    """
    check(examples)
    judged = held_back(head, examples)
    if not (judged.gain > 0 and judged.chance <= CHANCE):
        better, worse = (int((sign * (judged.after - judged.before) > 0).sum()) for sign in (1, -1))
        raise Refused(
            f"on episodes held back the adapted network is right {100 * judged.after.mean():.1f} % of the time, the "
            f"old one {100 * judged.before.mean():.1f} % ({better} episodes better, {worse} worse of "
            f"{len(examples)}): that is no gain beyond chance, so keep the old one, correct the labels, or add episodes"
        )
    return judged


def check(examples: Sequence[Example]) -> None:
    """Raise `Refused` where there are too few episodes to hold some back."""
    counts = Counter(example.activity for example in examples)
    enough = sum(count >= EACH for count in counts.values())
    if len(examples) < LEAST or enough < ACTIVITIES:
        raise Refused(
            f"there are {len(examples)} episodes, and {EACH} or more of {enough or 'no'} "
            f"{'activity' if enough <= 1 else 'activities'}: at least {LEAST} are needed, and {EACH} or more of "
            f"{ACTIVITIES} activities, to hold some back and see whether adapting helps"
        )


def held_back(head: Head, examples: Sequence[Example]) -> Adapted:
    """Fit a head to a person, and judge it by episodes held back; see `adapt`, which may refuse the result."""
    order = np.argsort([example.activity for example in examples], kind="stable")
    part = np.empty(len(examples), int)
    part[order] = np.arange(len(examples)) % FOLDS
    parts = range(part.max() + 1)
    # Heads fitted without parts i and j: where these differ, they judge i's choice of the strength by j; where they are
    # the same, i itself.
    heads = {
        (i, j): [fit(head, [e for e, p in zip(examples, part, strict=True) if p not in (i, j)], s) for s in STRENGTHS]
        for i, j in combinations_with_replacement(parts, 2)
    }
    heads |= {(j, i): fitted for (i, j), fitted in heads.items()}

    def losses(i: int, j: int) -> np.ndarray:
        """The loss of each strength on part j, of heads fitted without i and j."""
        held = [e for e, p in zip(examples, part, strict=True) if p == j]
        return np.array([sum(e.loss(fitted) for e in held) for fitted in heads[i, j]])

    chosen = {i: int(np.sum([losses(i, j) for j in parts if j != i], axis=0).argmin()) for i in parts}
    after = np.array([e.share(heads[p, p][chosen[p]]) for e, p in zip(examples, part.tolist(), strict=True)])
    before = np.array([e.share(head) for e in examples])
    strength = STRENGTHS[int(np.sum([losses(i, i) for i in parts], axis=0).argmin())]
    return Adapted(fit(head, examples, strength), strength, before, after, _chance(after - before))


def fit(head: Head, examples: Sequence[Example], strength: float) -> Head:
    """Fit a head to episodes.

    Minimises the sum over the episodes of their mean loss, plus `strength` / 2 times the squared change of weights and
    bias, for features scaled to a mean square of 1. Loss and change are those of the activities that have an episode:
    the others keep their weights. Then the bias of the former is lowered until, on average over the episodes, the log
    odds of all of them together against the others are what they were.

    Args:
        head: the old head
        examples: the episodes
        strength: of the penalty, above 0
    """
    present = np.unique([example.activity for example in examples])
    thinned = [e.features[np.linspace(0, len(e.features) - 1, STEPS).round().astype(int)] for e in examples]
    x = np.concatenate(thinned).astype(np.float64)
    scale = np.sqrt((x**2).sum(axis=1).mean()) or 1.0
    weight = 1 / STEPS
    truth = np.repeat(np.searchsorted(present, [example.activity for example in examples]), STEPS)
    old = head(x)[:, present]
    x = np.column_stack([x / scale, np.ones(len(x))])
    rows = np.arange(len(x))

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        change = flat.reshape(x.shape[1], len(present))
        logits = old + x @ change
        wrong = softmax(logits, axis=1)
        wrong[rows, truth] -= 1
        loss = weight * -log_softmax(logits, axis=1)[rows, truth].sum() + strength / 2 * (change**2).sum()
        return loss, (weight * x.T @ wrong + strength * change).ravel()

    found = minimize(objective, np.zeros(x.shape[1] * len(present)), jac=True, method="L-BFGS-B")
    change = found.x.reshape(x.shape[1], len(present))
    weights, bias = head.weights.astype(np.float64), head.bias.astype(np.float64)
    weights[present] += change[:-1].T / scale
    bias[present] += change[-1] - (logsumexp(old + x @ change, axis=1) - logsumexp(old, axis=1)).mean()
    return Head(weights, bias)


def _chance(gains: np.ndarray) -> float:
    """Probability that random signs make the mean of the gains as large as it is."""
    gains = gains[gains != 0]
    if len(gains) < 2:
        return 0.5 if gains.sum() > 0 else 1.0
    found = permutation_test(
        (gains,), np.mean, permutation_type="samples", alternative="greater", n_resamples=9999,
        rng=np.random.default_rng(0), vectorized=True,
    )  # fmt: skip
    return float(found.pvalue)
