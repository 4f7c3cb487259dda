"""The committed results, of miniature and real recordings: whole, small, and rebuilt from the run folders alone."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from docs import tables as pages
from tests.conftest import PROJECT
from wtmr_core import runs
from wtmr_core.paper import suite, tables
from wtmr_core.paper.suite import finished_runs

KEPT = ("mini", "real", "folds", "real-pretrained", "folds-pretrained", "folds-efficientnet")
SUITES = {name: suite.load(suite.find(name, PROJECT / "experiments")) for name in KEPT}
MINI = SUITES["mini"]
#: notebook -> the copy in results/mini that was made with the notebook's own defaults
SHOWN = {
    "01_data": "01_data-hmdb51", "02_train": "02_train-hmdb51-wtmr",
    "03_confusion_matrix": "03_confusion_matrix-hmdb51-released-wtmr", "04_ablation": "04_ablation",
    "05_performance_table": "05_performance_table", "06_activity_tracking": "06_activity_tracking",
    "07_audit": "07_audit",
    "09_habits": "09_habits",
}  # fmt: skip
every_suite = pytest.mark.parametrize("name", SUITES)
every_run = pytest.mark.parametrize(("name", "run"), [(s, run) for s in SUITES for run in SUITES[s].runs])


@pytest.fixture(scope="module")
def found(committed_results):
    return {name: finished_runs(one, committed_results / name) for name, one in SUITES.items()}


@every_suite
def test_the_tables_have_their_columns_and_are_those_of_the_runs(name, committed_results):
    results = committed_results / name
    kept = pd.read_csv(results / "performance_table.csv")
    assert list(kept.columns) == tables.PERFORMANCE
    pd.testing.assert_frame_equal(kept, tables.performance(SUITES[name], results).round(6), check_dtype=False)
    kept = pd.read_csv(results / "tables/04_components.csv")
    made = tables.components(SUITES[name], results).drop(columns="seconds")
    assert list(kept.columns) == list(made.columns)
    pd.testing.assert_frame_equal(kept, made.round(4), check_dtype=False)


@pytest.mark.parametrize("page", pages.PAGES)
def test_the_tables_of_a_page_are_those_of_the_results(page, committed_results):
    text = (PROJECT / page).read_text(encoding="utf-8")
    assert pages.MARKED.search(text)
    assert text == pages.filled(text, committed_results), "run `python docs/tables.py`"


def test_the_published_counts_come_out_to_two_decimals(committed_results):
    table = pd.read_csv(committed_results / "mini/performance_table.csv")
    table = table[table.model != "wtmr"]  # which the paper has no figures of
    for what in ("params_m", "gmacs"):
        np.testing.assert_array_equal(table[f"reproduced_{what}"].round(2), table[f"published_{what}"])


@pytest.mark.parametrize("run", MINI.runs)
def test_no_model_is_at_chance_in_miniature(found, run):
    """So many right answers come to somebody who always names one class in less than one of a hundred tries."""
    run = found["mini"][run]
    chance = np.bincount(run.labels).max() / len(run.labels)
    right = int((run.logits.argmax(1) == run.labels).sum())
    assert binom.sf(right - 1, len(run.labels), chance) < 0.01


@every_run
def test_a_run_folder_holds_what_its_metrics_say(found, name, run):
    run = found[name][run]
    assert (run.logits.argmax(1) == run.labels).mean() == pytest.approx(run.metrics["test_accuracy"])
    assert len(run.history) == run.metrics["epochs"]


def test_what_is_committed_is_small_and_names_no_machine(found, committed_results):
    if committed_results == PROJECT / "results":
        pytest.skip("not a checkout: what is committed cannot be told from what was made")
    files = [file for file in committed_results.rglob("*") if file.is_file()]
    assert not [f for f in files if f.suffix in {".safetensors", ".pt", ".npy", ".avi"}]
    for name in SUITES:
        assert sum(f.stat().st_size for f in files if f.is_relative_to(committed_results / name)) < 10e6
    folders = {f.parent for f in files if f.name == runs.METRICS}
    assert folders == {run.folder for made in found.values() for run in made.values()}  # none of a suite that was
    for file in files:
        if file.suffix in {".ipynb", ".json", ".csv"}:
            assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", file.read_text()), file


@pytest.mark.parametrize("name", SHOWN)
def test_the_notebooks_show_what_the_suite_made(name, committed_results):
    """The committed notebooks and their copies in the results print the same, in the cells that nbval compares."""
    files = (PROJECT / f"notebooks/{name}.ipynb", committed_results / f"mini/notebooks/{SHOWN[name]}.ipynb")
    cells, copies = ({c.id: c for c in nbformat.read(f, as_version=4).cells if c.cell_type == "code"} for f in files)
    compared = [key for key, c in cells.items() if "nbval-ignore-output" not in c.metadata.get("tags", [])]
    said = [{key: words(made[key].outputs) for key in compared} for made in (cells, copies)]
    assert said[0] == said[1]


def words(outputs: list[nbformat.NotebookNode]) -> tuple[str, list[str]]:
    """What the outputs of a cell say in words: what was printed, and the tables and sentences."""
    printed = "".join(o.text for o in outputs if o.output_type == "stream")
    return printed, [
        o.data[kind] for o in outputs for kind in ("text/html", "text/markdown") if kind in o.get("data", {})
    ]


def test_every_run_of_the_suite_has_its_notebooks(committed_results):
    held = {f.stem for f in (committed_results / "mini/notebooks").glob("*.ipynb")}
    wanted = {f"{kind}-{name}" for kind in ("02_train", "03_confusion_matrix") for name in MINI.runs}
    wanted |= {f"01_data-{entry.settings.dataset}" for entry in MINI.runs.values()}
    assert held == wanted | {"04_ablation", "05_performance_table", *MINI.notebooks}
