"""The committed results, of miniature and real recordings: whole, small, and rebuilt from the run folders alone."""

import re
import subprocess

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from tests.conftest import PROJECT
from wtmr_core import runs, suite, tables

RESULTS = PROJECT / "results" / "mini"
SUITES = {name: suite.load(suite.find(name, PROJECT / "experiments")) for name in ("mini", "real", "folds")}
MINI = SUITES["mini"]
every_suite = pytest.mark.parametrize("name", SUITES)
every_run = pytest.mark.parametrize(("name", "run"), [(s, run) for s in SUITES for run in SUITES[s].runs])


@pytest.fixture(scope="module")
def found():
    return {name: tables.find_runs(one, PROJECT / "results" / name) for name, one in SUITES.items()}


@every_suite
def test_the_tables_have_their_columns_and_are_those_of_the_runs(name):
    results = PROJECT / "results" / name
    kept = pd.read_csv(results / "performance_table.csv")
    assert list(kept.columns) == tables.PERFORMANCE
    pd.testing.assert_frame_equal(kept, tables.performance(SUITES[name], results).round(4), check_dtype=False)
    kept = pd.read_csv(results / "tables/04_components.csv")
    made = tables.components(SUITES[name], results).drop(columns="seconds")
    assert list(kept.columns) == list(made.columns)
    pd.testing.assert_frame_equal(kept, made.round(4), check_dtype=False)


def points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def said_of(row) -> list[str]:
    """What the README's tables say of a row of the table of components, in their own writing."""
    said = [f"{row.top1:.1%}".replace("%", " %"), f"{row.params_m:.2f}", f"{row.gmacs:.3f}"]
    if row.label == row.model or row.label == tables.CHOSEN:
        said += [f"({100 * row.top1_low:.1f}–{100 * row.top1_high:.1f})", f"{row.macro_f1:.1%}".replace("%", " %")]
    if not np.isnan(row.difference):
        said.append(f"{points(row.difference)} ({points(row.difference_low)} to {points(row.difference_high)})")
    return said


def in_the_readme(table: pd.DataFrame) -> list[str]:
    """The rows of `table` that stand in no line of the README."""
    lines = (PROJECT / "README.md").read_text().splitlines()
    missing = [
        said for said in map(said_of, table.itertuples()) if not any(all(s in line for s in said) for line in lines)
    ]
    return [" | ".join(said) for said in missing]


def test_the_readme_says_what_the_runs_on_real_recordings_are():
    assert in_the_readme(tables.components(SUITES["real"], PROJECT / "results/real")) == []


def test_the_published_counts_come_out_to_two_decimals():
    table = pd.read_csv(RESULTS / "performance_table.csv")
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


def test_what_is_committed_is_small_and_names_no_machine(found):
    said = subprocess.run(["git", "ls-files", "results"], cwd=PROJECT, capture_output=True, text=True, check=False)
    files = [PROJECT / line for line in said.stdout.splitlines()]
    if not files:
        pytest.skip("not a checkout: git lists no files of results/")
    assert not [f for f in files if f.suffix in {".safetensors", ".pt", ".npy", ".avi"}]
    for name in SUITES:
        assert sum(f.stat().st_size for f in files if name in f.parts) < 10e6
    folders = {f.parent for f in files if f.name == runs.METRICS}
    assert folders == {run.folder for made in found.values() for run in made.values()}  # none of a suite that was
    for file in files:
        if file.suffix in {".ipynb", ".json", ".csv"}:
            assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", file.read_text()), file


@pytest.mark.parametrize("path", sorted((RESULTS / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_notebooks_show_what_the_suite_made(path):
    """The committed notebooks and their copies in the results print the same, in the cells that nbval compares."""
    name = path.stem.split("-")[0]
    if path.stem not in {"01_data-hmdb51", "02_train-hmdb51-wtmr", "03_confusion_matrix-hmdb51-wtmr", name}:
        pytest.skip("the notebook's own defaults are another run")
    said = []
    for file in (path, PROJECT / "notebooks" / f"{name}.ipynb"):
        cells = [c for c in nbformat.read(file, as_version=4).cells if c.cell_type == "code"]
        apart = {"nbval-ignore-output", "injected-parameters"}
        compared = [c for c in cells if not apart & set(c.metadata.get("tags", []))]
        said.append({c.id: "".join(o.text for o in c.outputs if o.output_type == "stream") for c in compared})
    assert said[0] == said[1]


def test_every_run_of_the_suite_has_its_notebooks():
    held = {f.stem for f in (RESULTS / "notebooks").glob("*.ipynb")}
    wanted = {f"{kind}-{name}" for kind in ("02_train", "03_confusion_matrix") for name in MINI.runs}
    wanted |= {f"01_data-{entry.settings.dataset}" for entry in MINI.runs.values()}
    assert held == wanted | {"04_ablation", "05_performance_table"}
