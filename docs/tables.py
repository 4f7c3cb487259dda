"""The tables of README.md and docs/results.md, made from what is kept in results/; run as a script, it rewrites them.

In a page, a table stands between the lines `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from wtmr_core.paper import names, suite, tables
from wtmr_core.paper.readable import DASH, Column, Table, percent, table

PROJECT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/results.md")
MARKED = re.compile(r"(?<=<!-- table: )(\w+)( -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

#: what the data sets of the suites on real recordings hold
RECORDINGS = {"hmdb51": "HMDB51 frames", "ntu60": "J-HMDB skeletons"}
NETWORK = {"dataset": None, "model": None}
COSTS = {
    "params_m": Column("parameters", "10⁶", 2),
    "gmacs": Column("GMACs a view", digits=3),
    "epochs": Column("epochs", digits=0),
}
ACCURACY = {"top1": Column("test", "%"), "macro_f1": Column("macro F1", "%")}
CALIBRATION = {"calibration_error": Column("calibration error", "%")}
DIFFERENCE = {"difference": Column("difference", "points")}


@functools.cache
def components(results: Path, name: str) -> pd.DataFrame:
    """The networks and parts of a suite; in the folds, patches are chosen on validation."""
    runs = suite.load(suite.find(name, PROJECT / "experiments"))
    return tables.components(runs, results / name, choose=name == "folds")


def printed(share: float) -> str:
    """A share as the paper prints it, with two to four digits."""
    return f"{100 * share:.4g}"


def over_a_backbone(label: str) -> str:
    """A network of the pre-trained suites in words; what is not frozen there is tuned, but for the regression."""
    tuned = not label.startswith("logistic") and "backbone_frozen" not in label
    return names.network(f"{label} backbone_frozen=8" if tuned else label)


def costs(results: Path) -> Table:
    rows = pd.read_csv(results / "mini/performance_table.csv")
    kinds = ("published", "reproduced", "complete")
    parameters = {f"{kind}_params_m": Column(f"10⁶ parameters, {kind}", digits=2) for kind in kinds}
    gmacs = {f"{kind}_gmacs": Column(f"GMACs, {kind}", digits=2) for kind in kinds}
    return table(rows, "", NETWORK | gmacs | parameters)


def miniature(results: Path) -> Table:
    rows = pd.read_csv(results / "mini/performance_table.csv")
    spread = pd.read_csv(results / "mini/tables/05_spread.csv").set_index("name")
    spread.index = pd.MultiIndex.from_tuples(name.split("-", 1) for name in spread.index)
    for kind in ("seeds", "processors"):
        ends = [spread[f"test_accuracy_{kind}_{end}"] for end in ("low", "high")]
        ranges = pd.Series([f"{100 * low:.1f}–{100 * high:.1f}" for low, high in zip(*ends, strict=True)], spread.index)
        rows[kind] = ranges.reindex(pd.MultiIndex.from_frame(rows[tables.NETWORK])).fillna("").to_numpy()
    return table(rows, "", NETWORK | {
        "published_train_accuracy": Column("paper: training, %", words=printed),
        "published_val_accuracy": Column("paper: validation", "%"),
        "measured_train_accuracy": Column("miniature: training", "%"), "measured_test_accuracy": Column("test", "%"),
        "seeds": Column("seeds, %"), "processors": Column("processors, %"),
    })  # fmt: skip


def real(results: Path) -> Table:
    rows = components(results, "real")
    rows = rows[rows.runs > 1]
    look = {"dataset": Column("recordings", words=RECORDINGS.get), "label": None}
    return table(rows, "", look | ACCURACY | CALIBRATION | DIFFERENCE | COSTS)


def parts(results: Path) -> Table:
    rows = components(results, "real")
    rows = rows[rows.label.str.startswith("wtmr ")]
    look = {"dataset": Column("recordings", words=RECORDINGS.get), "label": Column("change", words=names.variant)}
    return table(rows, "", look | {"top1": Column("test", "%")} | DIFFERENCE | COSTS)


def folds(results: Path) -> Table:
    return table(components(results, "folds"), "", {"label": None} | ACCURACY | DIFFERENCE | COSTS)


def folds_over_a_backbone(results: Path, name: str, words: Callable[[str], str]) -> Table:
    label = Column("network over the backbone", words=words)
    return table(components(results, name), "", {"label": label} | ACCURACY | DIFFERENCE | COSTS)


def pretrained(results: Path) -> Table:
    return folds_over_a_backbone(results, "folds-pretrained", over_a_backbone)


def efficientnet(results: Path) -> Table:
    return folds_over_a_backbone(results, "folds-efficientnet", names.network)


def glance(results: Path) -> Table:
    """A few figures of WTMR-Net: published, computed again in the paper's way, and corrected."""
    performance = pd.read_csv(results / "mini/performance_table.csv").set_index(tables.NETWORK)
    rows = []
    for dataset in ("hmdb51", "svideoqa"):
        row = performance.loc[dataset, "released-wtmr"]
        costs = (f"{row[f'{kind}_gmacs']:.2f}" for kind in ("published", "reproduced", "complete"))
        rows.append((f"GMACs a clip, {names.dataset(dataset)}", *costs))
    for dataset in ("hmdb51", "ntu60"):
        row = performance.loc[dataset, "released-wtmr"]
        training = f"{printed(row.published_train_accuracy)} % in training"
        validation = f"{percent(row.published_val_accuracy)} in validation"
        rows.append((f"accuracy, {names.dataset(dataset)}", training, DASH, validation))
    joints = components(results, "real").query("dataset == 'ntu60'")
    for what, found, described in (
        ("accuracy, 600 real clips of 12 classes", components(results, "folds"), tables.CHOSEN),
        ("accuracy, real skeletons of 14 classes", joints, "wtmr"),
    ):
        found = found.set_index("label")
        both = (percent(*found.loc[label, ["top1", "top1_low", "top1_high"]]) for label in ("released-wtmr", described))
        rows.append((what, DASH, *both))
    found = components(results, "folds-efficientnet").set_index("label")
    for what, label in (
        ("the 600 clips, over a pre-trained backbone", "wtmr"),
        ("a linear layer over it instead", "linear"),
    ):
        rows.append((what, DASH, DASH, percent(*found.loc[label, ["top1", "top1_low", "top1_high"]])))
    return table(pd.DataFrame(rows, columns=["WTMR-Net", "published", "reproduced", "corrected"]), "")


TABLES: dict[str, Callable[[Path], Table]] = {
    one.__name__: one for one in (glance, costs, miniature, real, folds, pretrained, efficientnet, parts)
}


def markdown(made: Table) -> str:
    """A table in Markdown, numbers to the right."""
    rule = ["---:" if number else "---" for number in made.numbers]
    rows = [list(made.cells.columns), rule, *made.cells.to_numpy().tolist()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def filled(page: str, results: Path) -> str:
    """The text of a page with its tables made anew."""
    return MARKED.sub(lambda found: f"{found[1]}{found[2]}{markdown(TABLES[found[1]](results))}", page)


if __name__ == "__main__":
    for page in PAGES:
        file = PROJECT / page
        file.write_text(filled(file.read_text(encoding="utf-8"), PROJECT / "results"), encoding="utf-8")
        sys.stdout.write(f"{page}\n")
