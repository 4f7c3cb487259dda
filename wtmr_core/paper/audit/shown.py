"""Findings as a notebook shows them: in words, and the figures behind them as tables that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from IPython.display import Markdown, display

from wtmr_core.paper import names
from wtmr_core.paper.audit.finding import AS_PUBLISHED, REPRODUCED, SETS, Finding
from wtmr_core.paper.audit.page import number, points_of
from wtmr_core.paper.readable import DASH, Column, Table, percent, table
from wtmr_core.paper.readable import listed as enumerated

PARTS = {"train": "training", "val": "validation", "neither": "neither"}
SET, NETWORK = {"dataset": None}, {"model": None}
#: number of a finding -> caption and columns of its table, which is not shown where it has neither
COLUMNS: dict[int, tuple[str, dict[str, str | Column | None]]] = {
    1: (
        "Accuracies of the performance table, beside the last epoch of each log (95 % intervals over clips)",
        SET
        | NETWORK
        | {
            "printed": Column("printed", "%", 2),
            "log_train": Column("training", "%", 2, group="log"),
            "log_val": Column("validation", "%", 2, group="log"),
            "printed_is": Column("printed is", words=lambda part: PARTS.get(part, part)),
        },
    ),
    3: (
        "Two bars of SVideoQA, beside the end of WTMR-Net's log",
        {
            "bar_labelled": Column("bar labelled", words=names.network),
            "bar_accuracy": Column("accuracy", "%", 2, group="bar"),
            "bar_loss": Column("loss", digits=2, group="bar"),
            "log_accuracy": Column("accuracy", "%", 2, group="WTMR-Net's log"),
            "log_loss": Column("loss", digits=2, group="WTMR-Net's log"),
            "is_the_log's_end": "is where the log ends",
        },
    ),
    2: (
        "Lead of WTMR-Net over TimeSformer, by the epochs that each trained for (95 % intervals)",
        {
            "data": "data",
            "wtmr_epochs": Column("WTMR-Net", group="epochs"),
            "timesformer_epochs": Column("TimeSformer", group="epochs"),
            "train_gap": Column("in training", "points", group="lead"),
            "held_out_gap": Column("on clips held out", "points", group="lead"),
        },
    ),
    4: (
        "Accuracy of the confusion matrices, beside what clips held out and a part drawn again would give",
        SET
        | {
            "matrix": Column("whole matrix", "%", group="matrix"),
            "named": Column("named classes", "%", group="matrix"),
            "log_val": Column("held out (log)", "%", group="expected"),
            "law": Column("drawn again", "%", group="expected"),
            "shows": "points to",
        },
    ),
    10: (
        "Accuracy of a small network where clips or whole groups are held out (95 % intervals over draws)",
        {
            "data": "data",
            "shared": Column("held-out clips whose group is trained on", "%", 0),
            "by_clips": Column("clips held out", "%", group="accuracy"),
            "by_groups": Column("groups held out", "%", group="accuracy"),
            "optimism": Column("optimism", "points"),
        },
    ),
    5: (
        "Made skeleton files, read by the paper's reader and by the one here",
        {
            "file": "file",
            "frames": "frames",
            "bodies": "bodies",
            "published": "the paper's reader gives",
            "ours": "here",
        },
    ),
    9: (
        "Kernels of the released network on joints",
        {"kernel": "size", "weights": "weights", "untouched": "whose gradient is always zero"},
    ),
    12: (
        "How far a picture moves from frame to frame, in grey levels, by what augments it",
        {
            "index": "pictures",
            "none": Column("nothing", digits=1),
            "clip": Column("a clip as one", digits=1),
            "frame": Column("every frame by itself, as published", digits=1),
        },
    ),
    13: (
        "Exchanged persons, and how long an activity lasts",
        {
            "data": "recording",
            "people": "people",
            "boxes": "boxes",
            "by_order": Column("by order, as published", group="persons exchanged"),
            "tracked": Column("tracked", group="persons exchanged"),
            "span_s": Column("first to last", "s", 1, group="an activity, mean"),
            "seen_s": Column("done", "s", 1, group="an activity, mean"),
        },
    ),
    14: (
        "A checkpoint that creates a file when it is loaded",
        {"loaded_by": "loaded by", "answer": "answer", "code_ran": "its code ran"},
    ),
}
#: number of a finding -> the column that its …low and …high belong to
INTERVALS = {1: ("log_val", "val_"), 2: ("held_out_gap", ""), 4: ("named", ""), 10: ("optimism", "")}
SPREAD = {
    "varied": "between two runs differ",
    "data": Column("data", words=lambda data: " ".join(names.DATASETS.get(word, word) for word in data.split())),
    "s": Column("standard deviation of a run, points", words=lambda share: f"{100 * share:.1f}"),
    "pair": Column("19 of 20 pairs lie within, points", words=lambda share: f"{100 * share:.1f}"),
}
LEADS = SET | {
    "lead_val": Column("lead", "points"),
    "clips": Column("by other clips, points", words=lambda share: f"± {100 * share:.1f}", group="may change"),
    "runs": Column("by another run, points", words=lambda share: f"± {100 * share:.1f}", group="may change"),
    "larger": "larger than both together",
}


def show(*findings: Finding) -> None:
    """Display findings in a notebook, each with its tables."""
    for finding in findings:
        title = f"### {finding.number}. {finding.title}"
        display(Markdown("\n".join([title, "", *points_of(finding)])))
        for one in tables(finding):
            display(one)


def tables(finding: Finding) -> Iterator[Table]:
    """The figures behind a finding as tables; those of costs are one table, `costs.counts`, and not given."""
    frame, n = finding.table, finding.number
    if n == 15:
        yield table(frame.loc["spread"], "How far two runs of one network lie apart in accuracy", SPREAD)
        caption = "Lead of WTMR-Net over TimeSformer in validation, beside what other clips and runs would change"
        yield table(frame.loc["orders"], caption, LEADS)
    elif n in COLUMNS:
        caption, columns = COLUMNS[n]
        if n in INTERVALS:
            column, prefix = INTERVALS[n]
            frame = frame.rename(columns={f"{prefix}{end}": f"{column}_{end}" for end in ("low", "high")})
        yield table(frame.reset_index() if "index" in columns else frame, caption, columns)


def redrawing(drawn: pd.Series) -> Table:
    """The accuracies of `splits.another_draw`."""
    words = {"train": "training", "held_out": "held out", "law": "foretold", "again": "drawn again, mean"}
    words |= {"sd": "drawn again, standard deviation"}
    columns = {name: Column(word, "%") for name, word in words.items()}
    return table(drawn.to_frame().T, "Accuracies of a split that is drawn again", columns)


def costs(counted: pd.DataFrame) -> Table:
    """The rows of `costs.counts`."""
    columns = SET | NETWORK | {
        "size": Column("pixels a side", words=lambda size: str(size) if size else DASH),
        "layers_m": Column("layers", digits=2, group="parameters, 10⁶"),
        "all_m": Column("all", digits=2, group="parameters, 10⁶"),
        "layer_gmacs": Column("layers", digits=2, group="GMACs a clip"),
        "full_gmacs": Column("with attention", digits=2, group="GMACs a clip"),
    }  # fmt: skip
    return table(counted, "Parameters and multiply-accumulates of the nine networks, counted in two ways", columns)


def figures(listed: pd.DataFrame) -> Table:
    """The rows of `audit.figures` of the performance table: each figure with its meaning."""
    columns = SET | NETWORK | {
        "figure": "figure",
        "published": Column("printed", words=number),
        "found": Column("found", words=lambda value: number(round(value, 2))),
        "verdict": "verdict",
        "believe": "believe instead",
        "finding": "findings",
    }  # fmt: skip
    rows = listed[listed["where"] == "performance table"]
    return table(rows, "The performance table of the paper, figure by figure", columns)


def verdicts(listed: pd.DataFrame) -> Table:
    """How many rows of `audit.figures` have which verdict, by the place where they stand."""
    place = listed["where"].str.replace(r", epoch \d+", "", regex=True).rename("where")
    verdict = listed.verdict.str.split(" without").str[0]
    counted = pd.crosstab(place, verdict).reindex(index=place.unique(), columns=verdict.value_counts().index)
    return table(counted.reset_index(), "Verdicts on all published figures, by where they stand")


def conclusion(findings: Iterable[Finding], listed: pd.DataFrame) -> str:
    """What the audit shows, in a few sentences of Markdown, from the findings and the rows of `audit.figures`."""
    by_number = {finding.number: finding.table for finding in findings}
    accuracies, matrices, leads = by_number[1], by_number[4], by_number[15].loc["orders"]
    of_training = (accuracies.printed_is == "train").sum()
    held_out = [
        f"{percent(row.log_val)} instead of {percent(row.printed)} on {SETS[row.dataset]}"
        for row in accuracies[(accuracies.model == "released-wtmr") & (accuracies.printed_is == "train")].itertuples()
    ]
    foreign = [
        f"{names.network(row.model)}'s on {SETS[row.dataset]} is neither (finding 3)"
        for row in accuracies[accuracies.printed_is == "neither"].itertuples()
    ]
    costs = listed[listed.figure.isin(["parameters, millions", "GFLOPs (GMACs)"])].verdict
    trained = matrices[matrices.shows == "clips trained on"].dataset.map(SETS)
    shown, open_ = (leads[leads.larger == larger].dataset.map(SETS).tolist() for larger in (True, False))
    return " ".join(
        [
            f"**What this shows.** {of_training} of {len(accuracies)} accuracies are those of training; in validation "
            f"WTMR-Net's logs end at {enumerated(held_out)}{'; ' if foreign else ''}{enumerated(foreign or [''])}.",
            f"Of {len(costs)} parameters and GFLOPs {(costs == REPRODUCED).sum()} come out as they stand, "
            f"{(costs == AS_PUBLISHED).sum()} only when counted as published: of layers alone, and as GMACs.",
            f"The matrices of {enumerated(trained)} point to clips that were trained on." if len(trained) else "",
            f"WTMR-Net is ahead of TimeSformer by more than runs and clips explain on {enumerated(shown)}, though with "
            "unequal budgets (finding 2)." if shown else "",
            f"On {enumerated(open_)} no order is shown." if open_ else "",
            "None of this says that the network of the text is a bad idea: what that is worth is measured in "
            "[04_ablation](04_ablation.ipynb) and [08_real_recordings](08_real_recordings.ipynb).",
        ]
    )  # fmt: skip
