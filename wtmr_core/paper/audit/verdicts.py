"""Every published figure with its verdict, and what to believe instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from wtmr_core.paper import published
from wtmr_core.paper.audit.accuracies import BASELINE, CHART, ROUNDING, WTMR, ends
from wtmr_core.paper.audit.costs import HALF, as_profiled
from wtmr_core.paper.audit.finding import AS_PUBLISHED, NOT_REPRODUCED, REPRODUCED, AuditError, Finding, only, undecided

CLOSE = 0.02  # of the published seconds an epoch, which a log's mean may be off
COLUMNS = ["where", "dataset", "model", "figure", "published", "found", "verdict", "finding", "believe"]
T4 = undecided("a T4")
SETS = undecided("the full data sets, to train again")
NOTEBOOK = undecided("its notebook, which is not published")
CELLS = undecided("the weights and clips behind it, to count it again")
ONE_PERSON = "mostly of one-person actions, since its reader loses files with two people"


def figures(findings: Iterable[Finding], counted: pd.DataFrame) -> pd.DataFrame:
    """List all published figures: the table's cells, the nine profiles, bars, the ends of the logs, three matrices.

    Args:
        findings: the fifteen
        counted: as `costs.counts`

    Returns:
        Columns `COLUMNS`: where it stands, whose it is, what it says, the published value, what was found (both as
        published: accuracies in per cent; NaN where nothing was), the verdict, the findings it rests on, and what to
        believe instead.

    Raises:
        AuditError: for a missing finding, and for a figure that the published tables lack.
    """
    by_number = {finding.number: finding for finding in findings}
    if lost := [n for n in range(1, 16) if n not in by_number]:
        raise AuditError(f"finding {lost[0]} is missing: the table of figures rests on all fifteen")
    rows = [*_table(counted), *_profiles(counted), *_bars(), *_logs(), *_matrices(by_number)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _costs(dataset: str, model: str, params: float, gmacs: float, counted: pd.DataFrame) -> Iterator[tuple]:
    """The rows of parameters and "GFLOPs", without their first three columns."""
    row = only(as_profiled(counted), "the counts", dataset=dataset, model=model)
    whole = counted[(counted.dataset == dataset) & (counted.model == model)].iloc[-1]
    if abs(params - row.all_m) <= HALF:
        yield "parameters, millions", params, row.all_m, REPRODUCED, "7", "as published"
    else:
        same = abs(params - row.layers_m) <= HALF
        believe = f"{row.all_m:.2f}; published are layers alone, without embeddings and class token"
        yield "parameters, millions", params, row.layers_m, AS_PUBLISHED if same else NOT_REPRODUCED, "7", believe
    same = abs(gmacs - row.layer_gmacs) <= HALF
    believe = f"{2 * whole.full_gmacs:.2f} GFLOPs, {whole.full_gmacs:.2f} GMACs"
    if whole["size"] != row["size"]:
        believe += ", at 224×224, the size it was trained at"
    believe += "; published are GMACs"
    if row.full_gmacs - row.layer_gmacs > HALF:
        believe += " of layers alone, without attention"
    if whole["size"] != row["size"]:
        believe += f", at {row['size']}×{row['size']}"
    verdict = REPRODUCED if abs(gmacs - 2 * row.full_gmacs) <= HALF else AS_PUBLISHED if same else NOT_REPRODUCED
    yield "GFLOPs (GMACs)", gmacs, row.layer_gmacs, verdict, "6", believe


def _rate(dataset: str, model: str, off: str) -> str:
    """What to believe of a time at batch 1: `off` is how it is wrong where the clock did not wait."""
    if dataset == "svideoqa":
        pictures = " and 56×56 pixels, not 224×224" if model == WTMR else ""
        return f"on a T4 alone, at batch 1, fp32{pictures}; whether its clock waited was not examined"
    return f"on a T4 alone, at batch 1, fp32; maybe {off}: its notebook does not make the clock wait for the GPU"


def _biased(dataset: str, leak: str, augmentation: str) -> str:
    """How a validation figure may be off; no augmentation is reported for NTU."""
    by_augmentation = "" if dataset == "ntu60" else f", {augmentation} by augmentation"
    return f"may be {leak} by people or films in both parts{by_augmentation}"


def _findings(dataset: str, model: str, *others: int) -> str:
    """The findings that what a trained network reaches rests on: `others`, and those on its data set and itself."""
    about = {"ntu60": {5}, "svideoqa": {11}}.get(dataset, set()) | (set() if model == BASELINE else {9})
    return ", ".join(map(str, sorted({15, *others} | about)))


def _of(dataset: str, model: str) -> str:
    """What a trained network's figures are of, beside what biases them."""
    parts = {"ntu60": [ONE_PERSON], "svideoqa": ["for labels that hang on its session"]}.get(dataset, [])
    if model != BASELINE:
        joints = ", whose kernels mix no joints" if dataset == "ntu60" else ""
        parts = [*parts, f"by two ordinary convolutions{joints}, without regions and weights"]
    return "; ".join([*parts, "one run without a seed"])


def _table(counted: pd.DataFrame) -> Iterator[tuple]:
    table, last = published.table(), ends()
    for row in table.itertuples():
        key = ("performance table", row.dataset, row.model)
        log = only(last, "the logs", dataset=row.dataset, model=row.model)
        same = abs(row.train_accuracy_pct / 100 - log.train_accuracy) <= ROUNDING + 1e-9
        believe = f"{100 * log.val_accuracy:.2f} % in validation (its log), {_biased(row.dataset, 'raised', 'lowered')}"
        numbers = {"hmdb51": (1, 2, 10, 12), "ntu60": (1, 2, 10), "svideoqa": (1, 10, 12)}[row.dataset]
        if (row.dataset, row.model) == ("svideoqa", WTMR):
            numbers = (3, 10, 12)
            believe = f"presumably WMRC-Net's; WTMR-Net's is {100 * log.train_accuracy:.2f} % in training, {believe}"
        else:
            believe = f"printed is training accuracy; {believe}"
        because, of = _findings(row.dataset, row.model, *numbers), _of(row.dataset, row.model)
        yield (*key, "accuracy, %", row.train_accuracy_pct, 100 * log.train_accuracy,
               AS_PUBLISHED if same else NOT_REPRODUCED, because, f"{believe}; {of}")  # fmt: skip
        for rest in _costs(row.dataset, row.model, row.params_m, row.gflops, counted):
            yield (*key, *rest)
        rate = _rate(row.dataset, row.model, "too high")
        yield *key, "clips a second", row.clips_per_second, np.nan, T4, "8", rate


def _profiles(counted: pd.DataFrame) -> Iterator[tuple]:
    logs = published.epochs()
    for row in published.profile().itertuples():
        key = ("profile", row.dataset, row.model)
        for rest in _costs(row.dataset, row.model, row.params_m, row.gmacs, counted):
            yield (*key, *rest)
        low, high = (_rate(row.dataset, row.model, off) for off in ("too low", "too high"))
        yield (*key, "seconds a clip", row.seconds_per_clip, np.nan, T4, "8", low)
        yield (*key, "clips a second", row.clips_per_second, np.nan, T4, "8", high)
        log = logs[(logs.dataset == row.dataset) & (logs.model == row.model)]
        seconds = log.seconds.mean() if len(log) else np.nan
        for figure, told, found, close, because, believe in (
            ("seconds an epoch", row.epoch_seconds, seconds, CLOSE * row.epoch_seconds, "–",
             f"the mean of its log, compared within {CLOSE:.0%}, on one T4".replace("%", " %")),
            ("epochs", row.epochs, log.epoch.max() if len(log) else np.nan, 0, "2",
             "the last of its log; on HMDB51 and NTU the networks differ in it"),
        ):  # fmt: skip
            verdict = (
                undecided("its log")
                if np.isnan(found)
                else REPRODUCED
                if abs(told - found) <= close
                else NOT_REPRODUCED
            )
            yield (
                *key,
                figure,
                told,
                found,
                verdict,
                because,
                believe if len(log) else "as published; nothing to compare it with",
            )
        hours = row.epoch_seconds * row.epochs / 3600
        verdict = REPRODUCED if abs(hours - row.training_hours) <= 0.01 else NOT_REPRODUCED
        believe = "found is epochs times seconds an epoch, as published"
        if len(log) == 0 and verdict == REPRODUCED:
            verdict, believe = undecided("its log"), f"{believe}, neither of which can be checked"
        yield *key, "hours of training", row.training_hours, hours, verdict, "–", believe


def _bars() -> Iterator[tuple]:
    bars, last = published.ablation(), ends()
    for row in bars[bars.train_accuracy_source == "chart"].itertuples():
        found, verdict, number = np.nan, NOTEBOOK, 1
        believe = "training accuracy, read off a chart"
        if row.dataset == "svideoqa":
            log = only(last, "the logs", dataset="svideoqa", model=WTMR)
            found, number = 100 * log.train_accuracy, 3
            verdict = NOT_REPRODUCED if abs(row.train_accuracy - log.train_accuracy) <= CHART else NOTEBOOK
            believe = "it is WTMR-Net's; WMRC-Net's is presumably 63.45 % in training"
        yield ("bar of the ablation", row.dataset, row.model, "accuracy, %", 100 * row.train_accuracy, found, verdict,
               _findings(row.dataset, row.model, number), f"{believe}; {_of(row.dataset, row.model)}")  # fmt: skip


def _logs() -> Iterator[tuple]:
    for row in ends().itertuples():
        key = (f"log, epoch {row.epoch}", row.dataset, row.model)
        through = "dropout" if row.dataset == "ntu60" else "augmentation and dropout"
        if (row.dataset, row.model) == ("hmdb51", BASELINE):
            through = "augmentation"  # it has no dropout
        leaks = (10,) if row.dataset == "ntu60" else (10, 12)
        for figure, scale, biases in (("accuracy, %", 100, ("raised", "lowered")), ("loss", 1, ("lowered", "raised"))):
            for part, word, numbers, believe in (
                ("train", "training", (1,), f"of training, through {through}"),
                ("val", "validation", leaks, _biased(row.dataset, *biases)),
            ):
                value = scale * getattr(row, f"{part}_{figure.split(',')[0]}")
                because, of = _findings(row.dataset, row.model, *numbers), _of(row.dataset, row.model)
                yield *key, f"{word} {figure}", value, np.nan, SETS, because, f"{believe}; {of}"


def _matrices(findings: Mapping[int, Finding]) -> Iterator[tuple]:
    """The accuracy of each matrix, counted from its cells, and the cells themselves, which cannot be counted again."""
    shown = findings[4].table
    for dataset in published.DATASETS:
        matrix, row = published.confusion(dataset), only(shown, "finding 4", dataset=dataset)
        key, because = ("confusion matrix", dataset, WTMR), _findings(dataset, WTMR, 4)
        verdict = {"clips trained on": AS_PUBLISHED, "clips held out": REPRODUCED, "other labels": NOT_REPRODUCED}.get(
            row.shows, undecided("the clips that it shows")
        )
        accuracy = round(100 * row.matrix, 2)
        believe = (
            f"the log's validation accuracy, {100 * row.log_val:.2f} %; of the named classes alone "
            f"{100 * row.named:.2f} % are right here"
        )
        believe += ", and one answer has more right" if dataset == "svideoqa" else ""
        left = f"; {ONE_PERSON}" if dataset == "ntu60" else ""
        yield *key, "accuracy of its clips, %", accuracy, accuracy, verdict, because, believe + left
        of = {
            "clips trained on": "probably of clips mostly trained on",
            "clips held out": "as of clips held out",
        }.get(row.shows, "of which clips cannot be told")
        for name in matrix.index:
            cell = f"{name}: right of {int(matrix.loc[name].sum())}", float(matrix.loc[name, name])
            hidden = "; confusions within it are hidden" if name == "others" else ""
            yield *key, *cell, np.nan, CELLS, because, of + hidden + left
