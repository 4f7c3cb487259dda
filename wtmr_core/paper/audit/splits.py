"""Findings 4 and 10: what the published confusion matrices are of, and what a split by clips gives away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wtmr_core.checkpoint import new_network
from wtmr_core.data import Data
from wtmr_core.paper import published
from wtmr_core.paper.audit import trials
from wtmr_core.paper.audit.accuracies import CLIPS, WTMR, ends
from wtmr_core.paper.audit.finding import (
    AS_PUBLISHED,
    NOT_REPRODUCED,
    REPRODUCED,
    SETS,
    AuditError,
    Finding,
    mean,
    only,
    percent,
    points,
    share,
    undecided,
)
from wtmr_core.settings import Settings

OTHERS = "others"
TRAINED = 0.8  # of all clips
SMALL = 0.05  # optimism that changes nothing
SAYS = {"clips trained on": "points to clips trained on", "clips held out": "as of clips held out"}
SEPARABLE = 0.1  # between training and validation accuracy, below which a matrix cannot tell which clips it shows


def redrawn(train: float, val: float, clips: int, draws: int = 10_000, seed: int = 0) -> np.ndarray:
    """Simulate the accuracy on a validation part that is drawn again: (draws,), each on a fifth of `clips`.

    Of the clips drawn, those trained on are named rightly as often as `train` says, the others as `val` says. Their
    number is hypergeometric, so the mean is 0.8 · train + 0.2 · val.

    Args:
        train, val: accuracies 0-1
        clips: of the whole set
        draws: how many
        seed: of the simulation
    """
    rng, trained = np.random.default_rng(seed), int(TRAINED * clips)
    known = rng.hypergeometric(trained, clips - trained, clips - trained, draws)
    right_known = rng.hypergeometric(round(train * trained), trained - round(train * trained), known)
    held_out = clips - trained
    right_new = rng.hypergeometric(round(val * held_out), held_out - round(val * held_out), held_out - known)
    return (right_known + right_new) / held_out


def redrawn_matrices(matrices: dict[str, pd.DataFrame] | None = None, logs: pd.DataFrame | None = None) -> Finding:
    """Finding 4: are the confusion matrices of clips that were held out?

    Collapsing classes hides confusions within "others", but not those of a class that is named: its row says how many
    of its clips were named rightly. The recall of the named classes together is compared with the logs.

    Args:
        matrices: data set -> clips, as `published.confusion`
        logs: as `published.epochs`

    Raises:
        AuditError: for a matrix without named classes, without clips or without the row and column "others".
    """
    matrices = {d: published.confusion(d) for d in published.DATASETS} if matrices is None else matrices
    rows = []
    for dataset, matrix in matrices.items():
        log = only(ends(logs), "the logs", dataset=dataset, model=WTMR)
        if matrix.index.tolist() != matrix.columns.tolist() or OTHERS not in matrix.index or len(matrix) < 2:
            raise AuditError(f"the matrix of {dataset} must have the same classes across and down, {OTHERS} among them")
        named = matrix.index != OTHERS
        right, clips = int(np.diag(matrix)[named].sum()), int(matrix[named].to_numpy().sum())
        recall, low, high = share(right, clips)
        draws = redrawn(log.train_accuracy, log.val_accuracy, CLIPS[dataset])
        whole = np.diag(matrix).sum() / matrix.to_numpy().sum()
        rows.append((dataset, int(matrix.to_numpy().sum()), whole, clips, recall, low, high, log.val_accuracy,
                     log.train_accuracy, draws.mean(), draws.std()))  # fmt: skip
    columns = [
        "dataset",
        "clips",
        "matrix",
        "named_clips",
        "named",
        "low",
        "high",
        "log_val",
        "log_train",
        "law",
        "law_sd",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table["shows"] = np.select(
        [table.log_train - table.log_val < SEPARABLE, (table.low <= table.log_val) & (table.log_val <= table.high),
         table.low > table.log_val],
        ["cannot be told", "clips held out", "clips trained on"], "other labels",
    )  # fmt: skip
    judged = table[table.shows != "cannot be told"]
    verdict = (
        undecided("a log whose training and validation accuracies differ") if judged.empty
        else REPRODUCED if (judged.shows == "clips held out").all()
        else AS_PUBLISHED if (judged.shows == "clips trained on").all() else NOT_REPRODUCED
    )  # fmt: skip
    said = "; ".join(
        f"{SETS[row.dataset]}: the matrix {percent(row.matrix)}, its named classes {percent(row.named)} "
        f"({percent(row.low)} to {percent(row.high)}), the log's validation {percent(row.log_val)}, a part drawn again "
        f"{percent(row.law)} ± {100 * row.law_sd:.1f}: {SAYS.get(row.shows, row.shows)}"
        for row in table.itertuples()
    )
    return Finding(
        4,
        "Two of the confusion matrices point to clips that were trained on",
        "the three matrices: "
        + ", ".join(f"{percent(row.matrix)} on {SETS[row.dataset]}" for row in table.itertuples()),
        "Are they of the clips that were held out, and what does it add to collapse the classes?",
        "the recall of the classes that the matrices name, which collapsing leaves as it is, against the logs; and "
        "the split drawn again 10,000 times, whose mean is 0.8 · training + 0.2 · validation",
        said
        + ". Named are five classes, which may be easier or harder than all, so their share need not be that of a part "
        "drawn again. How much collapsing adds cannot be told from that",
        verdict,
        "the validation accuracies of the logs; the matrices of HMDB51 and NTU probably say what is confused on clips "
        "mostly trained on, which SVideoQA's are cannot be told",
        table,
    )


def another_draw(data: Data, settings: Settings, epochs: int, draws: int = 1000, seed: int = 0) -> pd.Series:
    """Train on one draw of four fifths, then draw the validation part again: what comes out, against the law.

    Returns:
        train, held_out (0-1): of the draw that was trained on; law: 0.8 · train + 0.2 · held_out; again, sd: mean and
        standard deviation over `draws` further draws; same: the accuracy on the draw that was held out, drawn with the
        same seed.
    """
    train, held_out = drawn(len(data.labels), seed)
    torch.manual_seed(seed)
    network = new_network(settings, len(data.cache.index.classes))
    for _ in trials.fit(network, data, settings, train, epochs, seed):
        pass
    right = trials.right(network, data, settings, np.arange(len(data.labels)))
    again = [right[drawn(len(right), seed + 1 + n)[1]].mean() for n in range(draws)]
    a, b = right[train].mean(), right[held_out].mean()
    part = len(held_out) / len(right)
    figures = {"train": a, "held_out": b, "law": (1 - part) * a + part * b, "again": np.mean(again)}
    return pd.Series(figures | {"sd": np.std(again), "same": right[drawn(len(right), seed)[1]].mean()})


def drawn(clips: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a fifth of so many clips at random: row numbers of the others, and of those drawn."""
    order = np.random.default_rng(seed).permutation(clips)
    return np.sort(order[clips // 5 :]), np.sort(order[: clips // 5])


def leaking_splits(kept: Path) -> Finding:
    """Finding 10: by how much does a split by clips overstate what a split by groups gives?

    A split that lacks its counterpart is named in the result. Raises `RunError` as `trials.read`.
    """
    made = trials.read(kept)
    rows, absent = [], []
    for data, runs in made[made.experiment == "leak"].groupby("data", sort=False):
        sides = {by: part.held_out_accuracy.to_numpy() for by, part in runs.groupby("variation")}
        if sides.keys() != {"clips", "groups"}:
            absent.append(data)
            continue
        differences = [sides["clips"].mean() - sides["groups"].mean(), *_welch(sides["clips"], sides["groups"])]
        clips = runs[runs.variation == "clips"]
        rows.append(
            (data, len(clips), clips.shared.mean(), mean(sides["clips"])[0], mean(sides["groups"])[0], *differences)
        )
    columns = ["data", "draws", "shared", "by_clips", "by_groups", "optimism", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    leaks = table.low > 0
    said = "; ".join(
        f"{row.data}: {percent(row.shared)} of the held-out clips share a group with training, optimism "
        f"{points((row.optimism, row.low, row.high))}"
        for row in table.itertuples()
    )
    if absent or table.empty:
        said += f"; not trained yet on {', '.join(absent) or 'anything'} (`{trials.COMMAND}`)"
    if leaks.any():
        verdict = AS_PUBLISHED
    elif len(table) and (table.high < SMALL).all():
        verdict = REPRODUCED
    else:
        verdict = undecided("more clips" if len(table) else "the trials")
    return Finding(
        10,
        "Random splits by clip let people and films into both parts",
        "every validation accuracy: 80/20 over clips, drawn at random",
        "How much higher is the accuracy on random clips than on those of people and films not trained on?",
        "the released CNN trained and tested under both splits, each clip tested once (five folds, kept), on "
        f"{' and '.join(table.data) or 'nothing yet'}",
        said.removeprefix("; "),
        verdict,
        "an official split (three 70/30 of HMDB51; cross-subject or cross-view of NTU); a split by clips may give too "
        "much",
        table,
    )


def _welch(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """The interval of the difference of two means. Source: Welch 1947, Biometrika 34."""
    from scipy import stats

    interval = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    return float(interval.low), float(interval.high)
