"""Findings 1, 2, 3 and 15: what the accuracies of the table are, and whose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wtmr_core.modality import has_joints
from wtmr_core.models import build
from wtmr_core.paper import comparison, published
from wtmr_core.paper.audit import trials
from wtmr_core.paper.audit.finding import (
    AS_PUBLISHED,
    NAMES,
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

GAP = ["held_out_gap", "low", "high"]
CLIPS = {"hmdb51": 6766, "ntu60": 44_888, "svideoqa": 726}  # that the paper read; a fifth is its validation part
ROUNDING = 5e-5  # half of the last digit of an accuracy in the table, which has two digits of a per cent
CHART = 0.005  # half of the last digit of what was read off a bar
WTMR, CNN, BASELINE = "released-wtmr", "released-wmrc", "released-timesformer"


def validation_clips(dataset: str) -> int:
    """How many clips the paper validated on."""
    return CLIPS[dataset] - int(0.8 * CLIPS[dataset])


def ends(logs: pd.DataFrame | None = None) -> pd.DataFrame:
    """The last epoch of each published log, with the number of epochs that it holds as `epoch`."""
    logs = published.epochs() if logs is None else logs
    if logs.empty:
        raise AuditError("there is no published log: see that epochs.csv is whole")
    return logs.sort_values("epoch").groupby(["dataset", "model"], sort=False).tail(1).reset_index(drop=True)


def training_accuracy(table: pd.DataFrame | None = None, logs: pd.DataFrame | None = None) -> Finding:
    """Finding 1: which accuracy of its log does the performance table print?"""
    table, rows = published.table() if table is None else table, []
    for row in table.itertuples():
        log = only(ends(logs), "the logs", dataset=row.dataset, model=row.model)
        printed = row.train_accuracy_pct / 100
        _, low, high = share(log.val_accuracy * validation_clips(row.dataset), validation_clips(row.dataset))
        is_a = [part for part in ("train", "val") if abs(printed - log[f"{part}_accuracy"]) <= ROUNDING + 1e-9]
        rows.append((row.dataset, row.model, printed, log.train_accuracy, log.val_accuracy, low, high,
                     is_a[0] if is_a else "neither"))  # fmt: skip
    columns = ["dataset", "model", "printed", "log_train", "log_val", "val_low", "val_high", "printed_is"]
    table = pd.DataFrame(rows, columns=columns)
    counts = table.printed_is.value_counts()
    gap = (table.printed - table.log_val).max()
    held_out = bool(((table.printed >= table.val_low) & (table.printed <= table.val_high)).all())
    said = [f"{counts.get(part, 0)} of {len(table)} are the log's last {name} accuracy"
            for part, name in (("train", "training"), ("val", "validation"))]  # fmt: skip
    neither = table[table.printed_is == "neither"]
    said += [f"{NAMES[row.model]} on {SETS[row.dataset]} is neither (finding 3)" for row in neither.itertuples()]
    return Finding(
        1,
        "The table gives training accuracy",
        "accuracies of 15.06 to 98.59 % in the performance table",
        "Which accuracy of its own log is each of them, and how far is it from the one on clips held out?",
        "each printed accuracy beside the last epoch of its network's published log",
        f"{'; '.join(said)}. They lie up to {100 * gap:.1f} points above validation",
        REPRODUCED if held_out else AS_PUBLISHED,
        "the validation accuracy that ends each log, though people or films in both parts may raise it (finding 10) "
        "and, on HMDB51 and SVideoQA, augmentation may lower it (finding 12)",
        table,
    )


def equal_budgets(kept: Path, logs: pd.DataFrame | None = None) -> Finding:
    """Finding 2: how much of WTMR-Net's lead on HMDB51 remains where both networks train equally long?

    Args:
        kept: folder of the kept trials
        logs: as `published.epochs`

    Raises:
        AuditError: where a log lacks the epochs that are compared.
        RunError: as `trials.read`.
    """
    logs = published.epochs() if logs is None else logs
    logs = logs[logs.dataset == "hmdb51"]
    last = {
        model: int(logs[logs.model == model].epoch.max()) for model in (WTMR, BASELINE) if (logs.model == model).any()
    }
    if len(last) < 2:
        raise AuditError("the logs of HMDB51 are not both there: see that epochs.csv is whole")
    shorter, rows = min(last.values()), []
    at = {(model, e): only(logs, "the logs", model=model, epoch=e) for model in last for e in {shorter, last[model]}}
    clips = validation_clips("hmdb51")
    for title, first in (("as published", last[WTMR]), ("equal", shorter)):
        second = last[BASELINE] if title == "as published" else shorter
        a, b = at[WTMR, first].val_accuracy, at[BASELINE, second].val_accuracy
        margin = 1.96 * np.sqrt((a * (1 - a) + b * (1 - b)) / clips)
        train = at[WTMR, first].train_accuracy - at[BASELINE, second].train_accuracy
        rows.append(("published logs", title, first, second, train, a - b, a - b - margin, a - b + margin))
    made = trials.read(kept)
    for data, runs in made[made.experiment == "budget"].groupby("data", sort=False):
        few, many = runs.epoch.min(), runs.epoch.max()
        for title, first, second in (("as published", many, few), ("equal", few, few), ("equal", many, many)):
            one, two = (
                runs[(runs.variation == model) & (runs.epoch == epoch)].set_index("seed")
                for model, epoch in ((WTMR, first), (BASELINE, second))
            )
            train = (one.train_accuracy - two.train_accuracy).mean()
            rows.append((data, title, first, second, train, *mean(one.held_out_accuracy - two.held_out_accuracy)))
    columns = ["data", "budgets", "wtmr_epochs", "timesformer_epochs", "train_gap", "held_out_gap", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    whole, equal, trained = table.iloc[0], table.iloc[1], table.iloc[2:]
    remains = equal.held_out_gap / whole.held_out_gap if whole.held_out_gap else np.nan
    verdict = REPRODUCED if equal.high >= whole.held_out_gap else AS_PUBLISHED
    details = ["| lead of WTMR-Net | epochs | in training, points | on clips held out, points |", "| --- " * 4 + "|"]
    details += [
        f"| {row.data} | {row.wtmr_epochs} against {row.timesformer_epochs} | {100 * row.train_gap:+.1f} | "
        f"{points((row.held_out_gap, row.low, row.high)).removesuffix(' points')} |".replace("-", "−")
        for row in table.itertuples()
    ]
    longer = [
        f"{points(runs[GAP].iloc[2])} of {points(runs[GAP].iloc[0])} on {data}"
        for data, runs in trained.groupby("data", sort=False)
    ]
    after = f"of the lead trained here, after as many epochs as the longer run, {' and '.join(longer)} remain; "
    ran = "the published logs at equal epochs"
    if longer:
        data = " and ".join(trained.data.unique())
        ran += (
            f"; and both networks trained for 4 and 20 epochs, all else equal, on {data} (three seeds, another fifth "
        )
        ran += "of the groups held out each; kept)"
    others = "its lead at other budgets is tabled" if longer else f"not yet (`{trials.COMMAND}`)"
    return Finding(
        2,
        "Budgets are unequal",
        "on HMDB51 WTMR-Net 98.41 %, TimeSformer 15.06 %, side by side in the table",
        "How much of the lead remains where both networks train for as many epochs?",
        ran,
        f"at {whole.wtmr_epochs} epochs against {whole.timesformer_epochs} the lead is {100 * whole.train_gap:.1f} "
        f"points in training and {points((whole.held_out_gap, whole.low, whole.high))} in validation; at {shorter} "
        f"epochs each, {100 * equal.train_gap:.1f} and {points((equal.held_out_gap, equal.low, equal.high))}, "
        f"{percent(remains)} of it. Trained here: {others}",
        verdict,
        f"on HMDB51, after {shorter} epochs each, WTMR-Net led TimeSformer by {points(equal[GAP])}, "
        f"early in training; {after if longer else ''}what TimeSformer would have reached in {last[WTMR]} epochs is "
        f"not known. On NTU the learning rates differ, 1e-4 and 5e-4, "
        "and only one network's labels were smoothed: no log says what remains there",
        table,
        "\n".join(details),
    )


def swapped_names(bars: pd.DataFrame | None = None, logs: pd.DataFrame | None = None) -> Finding:
    """Finding 3: whose is the bar of 63.45 % on SVideoQA?

    Args:
        bars: dataset, model, train_loss, train_accuracy, as `published.ablation`
        logs: as `published.epochs`
    """
    bars = published.ablation() if bars is None else bars
    logs = published.epochs() if logs is None else logs
    log = logs[(logs.dataset == "svideoqa") & (logs.model == WTMR)]
    end, rows = only(ends(logs), "the logs", dataset="svideoqa", model=WTMR), []
    for model in (WTMR, CNN):
        bar = only(bars, "the ablation", dataset="svideoqa", model=model)
        apart = abs(bar.train_accuracy - end.train_accuracy), abs(bar.train_loss - end.train_loss)
        is_end, reached = max(apart) <= CHART, log.train_accuracy.max() >= bar.train_accuracy - CHART
        figures = (bar.train_accuracy, bar.train_loss, end.train_accuracy, end.train_loss)
        rows.append((model, *figures, bool(is_end), bool(reached)))
    columns = [
        "bar_labelled",
        "bar_accuracy",
        "bar_loss",
        "log_accuracy",
        "log_loss",
        "is_the_log's_end",
        "ever_reached",
    ]
    table = pd.DataFrame(rows, columns=columns)
    own, other = table["is_the_log's_end"]
    loads = strict_loads("svideoqa")
    strict = bool((loads.to_numpy() == np.eye(len(loads), dtype=bool)).all())
    verdict = REPRODUCED if own else NOT_REPRODUCED if other else undecided("the checkpoint behind the bar")
    best = log.train_accuracy.max()
    return Finding(
        3,
        "On SVideoQA two names are swapped",
        f"SVideoQA, WTMR-Net: {100 * rows[0][1]:.2f} % (table, and the bar of that name)",
        "Which bar does WTMR-Net's own log end at, and can a checkpoint be loaded under the wrong name?",
        "the log's last epoch against both bars; each of the three networks' weights loaded strictly into each",
        f"WTMR-Net's log ends at {percent(end.train_accuracy)}, loss {end.train_loss:.4f}, and never goes above "
        f"{percent(best)}: that is the bar labelled "
        f"{'WTMR-Net' if own else 'WMRC-Net' if other else 'by neither name'}. "
        + ("A network's weights load strictly into itself alone, so a file says whose it is; the paper's notebook "
           "loads the one that it calls MultiRegionCNN strictly into WTMR-Net (read there, not run here)"
           if strict else "Weights load into another network too"),
        verdict,
        f"WTMR-Net {percent(end.train_accuracy)} in training, {percent(end.val_accuracy)} in validation; "
        f"by elimination {100 * rows[0][1]:.2f} % is presumably that of WMRC-Net, the CNN alone, whose log is not "
        f"published",
        table,
    )  # fmt: skip


def strict_loads(dataset: str, **sizes: object) -> pd.DataFrame:
    """Whether the weights of each released network (rows) load strictly into each (columns), at small sizes."""
    sizes = {"width": 16, "depth": 1, "heads": 2, "conv_channels": (4, 8), "size": 32} | sizes
    networks = {model: build(dataset, model, **sizes) for model in published.MODELS}
    table = pd.DataFrame(False, index=list(networks), columns=list(networks))
    for (name, one), (into, other) in ((a, b) for a in networks.items() for b in networks.items()):
        try:
            other.load_state_dict(one.state_dict(), strict=True)
            table.loc[name, into] = True
        except RuntimeError:
            continue
    return table.rename_axis("weights of").rename_axis(columns="loaded into")


def spread_of_a_run(results: Path, logs: pd.DataFrame | None = None) -> Finding:
    """Finding 15: which of the paper's orderings are larger than what one run moves by?

    The spread is the standard deviation of the test accuracy over seeds and processors, pooled over the networks of a
    data set, of the miniature suite; over seeds and over folds, of the runs on real recordings. Two single runs of one
    network differ by less than t · s · √2 in 19 of 20 pairs. A lead is held against the widest of these on recordings
    of its kind, frames or joints; the networks there are smaller than the paper's, and so are the sets.

    Args:
        results: the folder that holds mini, real and folds
        logs: as `published.epochs`

    Raises:
        RunError: where tables are missing or of another version.
    """
    table = spreads(results)
    rows, ending = [], ends(logs)
    for dataset in published.DATASETS:
        one, two = (only(ending, "the logs", dataset=dataset, model=model) for model in (WTMR, BASELINE))
        lead, clips = one.val_accuracy - two.val_accuracy, validation_clips(dataset)
        noise = 1.96 * np.sqrt(sum(p * (1 - p) for p in (one.val_accuracy, two.val_accuracy)) / clips)
        alike = table.data.str.contains("ntu60|skeletons") == has_joints(dataset)
        widest = float(table.pair[alike].max())
        larger = lead > np.hypot(noise, widest)
        rows.append((dataset, lead, one.train_accuracy - two.train_accuracy, noise, widest, larger))
    orders = pd.DataFrame(rows, columns=["dataset", "lead_val", "lead_train", "clips", "runs", "larger"])
    beyond, within = (orders[orders.larger == state].dataset.map(SETS).tolist() for state in (True, False))
    leads = ", ".join(f"{SETS[row.dataset]} {100 * row.lead_val:+.1f}".replace("-", "−") for row in orders.itertuples())
    return Finding(
        15,
        "Every figure is one run without a seed",
        "WTMR-Net above TimeSformer on all three sets, one run of each",
        "How far do two runs of one network lie apart, and which orderings are larger than that?",
        "seeds, processors, seeds and folds of the kept runs, and the draw of the validation clips, beside the leads "
        "in the logs' validation accuracy",
        f"in 19 of 20 pairs two runs of one network lie within {100 * table.pair.min():.1f} to "
        f"{100 * table.pair.max():.1f} points, by what is varied; the leads are {leads} points. Larger than runs and "
        f"clips together: {', '.join(beyond) or 'none'}; not: {', '.join(within) or 'none'}",
        undecided(f"further runs with seeds on {', '.join(within)}") if within else REPRODUCED,
        f"the lead on {', '.join(beyond) or 'no set'} is larger than the spread of runs measured on small sets with "
        f"small networks, though budgets were unequal (finding 2); on {', '.join(within) or 'none'} no order is shown",
        pd.concat([table, orders], keys=["spread", "orders"]).droplevel(1).rename_axis("part"),
    )


def spreads(results: Path) -> pd.DataFrame:
    """The spread of single runs: what is varied, on what, s (0-1), freedom, and `pair`, the bound of a difference."""
    files = {"mini": results / "mini" / comparison.SPREAD, "real": results / "real/tables/05_runs.csv",
             "folds": results / "folds/tables/05_runs.csv"}  # fmt: skip
    needed = ("name", "dataset", "seed", "test_accuracy")
    tables = {
        name: comparison.read_table(file, needed, "the command in results/README.md") for name, file in files.items()
    }
    mini, rows = tables["mini"], []
    first = mini.processor.iloc[0]
    for dataset, runs in mini.groupby("dataset", sort=False):
        rows.append(("seeds", f"miniature {dataset}", *_pooled(runs[runs.processor == first], "name")))
        rows.append(("processors", f"miniature {dataset}", *_pooled(runs[runs.seed == runs.seed.iloc[0]], "name")))
    seeded = tables["real"].assign(network=tables["real"].name.str.replace(r"-\d+$", "", regex=True))
    for dataset, runs in seeded.groupby("dataset", sort=False):
        what = "real frames" if dataset == "hmdb51" else "real skeletons"
        rows.append(("seeds", what, *_pooled(runs[runs.groupby("network").network.transform("size") > 1], "network")))
    drawn = tables["folds"].assign(network=tables["folds"].name.str.replace(r"-\d+$", "", regex=True))
    rows.append(("seeds and folds", "real frames", *_pooled(drawn, "network")))
    table = pd.DataFrame(rows, columns=["varied", "data", "s", "freedom"])
    table["pair"] = stats.t.ppf(0.975, table.freedom) * table.s * np.sqrt(2)
    return table


def _pooled(runs: pd.DataFrame, by: str) -> tuple[float, int]:
    """The standard deviation of the test accuracy within the groups `by`, pooled, and its degrees of freedom."""
    groups = runs.groupby(by).test_accuracy
    freedom = len(runs) - groups.ngroups
    if freedom < 1:
        raise AuditError(f"no {by} has two runs: {len(runs)} runs say nothing about their spread")
    return float(np.sqrt(((groups.var(ddof=0) * groups.size()).sum()) / freedom)), freedom
