"""The audit as a page of text, and its tables as files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core.files import write_text
from wtmr_core.paper.audit.finding import NAMES, SETS, Finding
from wtmr_core.paper.audit.verdicts import COLUMNS
from wtmr_core.paper.comparison import read_table
from wtmr_core.paper.tables import save as save_table

FINDINGS, FIGURES = "07_findings.csv", "07_figures.csv"
FIELDS = ["number", "title", "claim", "question", "ran", "result", "verdict", "believe", "details"]
MAKE = "wtmr audit"
LEGEND = (
    "*Found* is what came out when the figure was counted, or looked up in the published log or matrix. Where a "
    "figure is looked up, *reproduced* says that two published places agree; whether the training would come out "
    "again is asked at the logs, and not answered. A matrix's accuracy is counted from its cells; the cells themselves "
    "could not be counted again."
)


def points_of(finding: Any) -> list[str]:
    """The parts of a finding, or of its row in `listed`, as the points of a list in Markdown."""
    return [
        f"* **Claim**: {finding.claim}.",
        f"* **Question**: {finding.question}",
        f"* **Experiment**: {finding.ran}.",
        f"* **Result**: {finding.result}.",
        f"* **Verdict**: {finding.verdict}.",
        f"* **Believe instead**: {finding.believe}.",
    ]


def listed(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as a table, a row each, in the order of their numbers."""
    rows = [[getattr(finding, field) for field in FIELDS] for finding in findings]
    return pd.DataFrame(rows, columns=FIELDS).sort_values("number", ignore_index=True)


def save(folder: Path, findings: Iterable[Finding], figures: pd.DataFrame) -> None:
    """Write both tables into the folder of a suite's results."""
    save_table(listed(findings), folder / "tables" / FINDINGS)
    save_table(figures, folder / "tables" / FIGURES)


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read both tables back; raises `RunError` where one is missing or has other columns."""
    remedy = "papermill notebooks/07_audit.ipynb out.ipynb"
    findings = read_table(folder / "tables" / FINDINGS, tuple(FIELDS), remedy)
    return findings.fillna({"details": ""}), read_table(folder / "tables" / FIGURES, tuple(COLUMNS), remedy)


def text(findings: pd.DataFrame, figures: pd.DataFrame) -> str:
    """The page in Markdown, from both tables."""
    counts = figures.verdict.str.split(" without").str[0].value_counts()
    lines = [
        "# The audit: what each published figure means",
        "",
        f"Made by `{MAKE}` from what [notebooks/07_audit.ipynb](notebooks/07_audit.ipynb) computed; not written by "
        "hand. Everything here stands on the authors' openly published notebooks and logs, without which none of it "
        "could be checked.",
        "",
        f"Of {len(figures)} entries: "
        + "; ".join(f"{n} {verdict}" for verdict, n in counts.items())
        + f". {repeated(figures)} of them state again what another one states: parameters, GFLOPs and clips a second "
        f"stand in the performance table and in the profiles, training accuracies in the table and in the logs.",
        "",
        "| | finding | verdict on the published claim |",
        "| --- | --- | --- |",
        *(f"| {row.number} | [{row.title}](#{row.number}) | {row.verdict} |" for row in findings.itertuples()),
    ]
    for row in findings.itertuples():
        lines += [
            "",
            f'## <a id="{row.number}"></a>{row.number}. {row.title}',
            *points_of(row),
            *(["", row.details] if row.details else []),
        ]
    lines += [
        "",
        "## Every published figure",
        LEGEND,
    ]
    return "\n".join(lines) + "\n" + tables(figures)


def repeated(figures: pd.DataFrame) -> int:
    """How many figures state again what another one states, of the same network and with the same value."""
    what = figures.figure.str.removeprefix("training ")
    return int(figures.assign(what=what).duplicated(["dataset", "model", "what", "published"]).sum())


def tables(figures: pd.DataFrame) -> str:
    """The figures in Markdown, a table for each place where they stand, each with links to its findings."""
    lines, head = [], ["set", "network", "figure", "published", "found", "verdict", "findings", "believe instead"]
    for where, part in figures.groupby(figures["where"].str.replace(r", epoch \d+", "", regex=True), sort=False):
        lines += ["", f"### {where[0].upper()}{where[1:]}", "", f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
        for row in part.itertuples():
            figure = row.figure + (f" ({row.where.split(', ')[1]})" if ", epoch" in row.where else "")
            cells = [SETS[row.dataset], NAMES[row.model], figure, number(row.published), number(row.found)]
            because = re.sub(r"\d+", r"[\g<0>](#\g<0>)", row.finding)
            lines.append(f"| {' | '.join(cells)} | {row.verdict} | {because} | {row.believe} |")
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """A figure with as many digits as it needs, – where there is none."""
    return "–" if pd.isna(value) else f"{value:.4f}".rstrip("0").rstrip(".")


def write(page: Path, folder: Path) -> None:
    """Write `AUDIT.md`, or another `page`, from the tables in the folder of a suite's results."""
    write_text(page, text(*read(folder)))
