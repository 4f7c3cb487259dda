"""The stated spread, and a reproduction beside what is committed."""

import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wtmr_core import runs
from wtmr_core.paper import comparison
from wtmr_core.paper.suite import Entry, Suite
from wtmr_core.settings import Settings

#: two networks: seed 0 on two processors, seeds 1 and 2 on the first
SPREAD = pd.DataFrame(
    [(name, "ntu60", seed, processor, accuracy, accuracy - 0.1)
     for name, base in (("a", 0.8), ("b", 0.6))
     for seed, processor, accuracy in ((0, "native", base), (0, "avx2", base + 0.02), (1, "native", base - 0.04),
                                       (2, "native", base + 0.06))],
    columns=["name", "dataset", "seed", "processor", "train_accuracy", "test_accuracy"],
)  # fmt: skip


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    (folder / "tables").mkdir(parents=True)
    SPREAD.to_csv(folder / comparison.SPREAD, index=False)
    runs_table = pd.DataFrame({"name": ["a", "b"], "train_accuracy": [0.8, 0.6], "test_accuracy": [0.7, 0.5]})
    runs_table.to_csv(folder / "tables/05_runs.csv", index=False)
    return folder


def test_the_spread_worked_out_by_hand(results):
    row = comparison.spread(results).loc["a"]
    assert (row.train_accuracy_seeds_low, row.train_accuracy_seeds_high) == pytest.approx((0.76, 0.86))
    assert (row.train_accuracy_processors_low, row.train_accuracy_processors_high) == pytest.approx((0.80, 0.82))
    # both networks deviate alike: 0, 0.02, -0.04, 0.06 about 0.01; eight figures less two means leave six degrees
    deviation = np.sqrt(2 * (0.01**2 + 0.01**2 + 0.05**2 + 0.05**2) / 6)
    margin = stats.t.ppf(0.9995, 6) * deviation * np.sqrt(5 / 4)
    assert row.train_accuracy_low == pytest.approx(0.81 - margin)
    assert row.train_accuracy_high == 1  # an accuracy is no more
    assert row.test_accuracy_low == pytest.approx(0.71 - margin)


def test_what_lies_in_the_spread_and_what_does_not(results, tmp_path):
    fresh = tmp_path / "fresh"
    (fresh / "tables").mkdir(parents=True)
    table = pd.DataFrame({"name": ["a", "b"], "train_accuracy": [0.75, 0.6], "test_accuracy": [0.7, 0.1]})
    table.to_csv(fresh / "tables/05_runs.csv", index=False)
    rows = comparison.accuracies(fresh, results).set_index(["name", "what"])
    assert rows.within.to_dict() == {("a", "train_accuracy"): True, ("a", "test_accuracy"): True,
                                     ("b", "train_accuracy"): True, ("b", "test_accuracy"): False}  # fmt: skip
    assert rows.difference["a", "train_accuracy"] == pytest.approx(-0.05)
    assert rows.difference["b", "test_accuracy"] == pytest.approx(-0.4)


def test_without_a_stated_spread_it_is_said_how_to_measure_it(tmp_path):
    with pytest.raises(runs.RunError, match=r"no .*spread\.csv.*benchmarks/spread\.py"):
        comparison.spread(tmp_path)


def test_where_no_spread_is_stated_nothing_lies_outside_it(results):
    (results / comparison.SPREAD).unlink()
    rows = comparison.accuracies(results, results)
    assert len(rows) == 4
    assert rows.low.isna().all()


def test_the_verdict_on_one_run(results):
    """Of any seed, but of the settings of a run whose spread is stated."""
    chosen = Settings.of({"dataset": "ntu60", "scale": "mini"})
    two = Suite("mini", {"a": Entry(chosen), "c": Entry(replace(chosen, epochs=3))})

    def verdict(accuracy, **changes):
        return comparison.verdict(two, results, replace(chosen, **changes), {"test_accuracy": accuracy})

    assert verdict(0.7).startswith("the test accuracy lies within the stated spread of a (")
    assert verdict(0.7, seed=5) == verdict(0.7)
    assert verdict(0.1) == verdict(0.7).replace("within", "outside")
    for changes in ({"epochs": 3}, {"epochs": 4}):  # a run of the suite that was not measured, and none of it
        assert verdict(0.7, **changes) == "no spread is stated for this run in suite mini"
    (results / comparison.SPREAD).unlink()
    assert verdict(0.7) == "no spread is stated for this run in suite mini"


def test_cells_that_differ_are_counted(tmp_path):
    for name, text in (("fresh", "x,y\n1,a\n2.5,b\n"), ("kept", "x,y\n1,a\n2,c\n")):
        (tmp_path / name / "tables").mkdir(parents=True)
        (tmp_path / name / "tables/one.csv").write_text(text)
        (tmp_path / name / "same.csv").write_text("z\n3\n\n")
    for file in ("tracking/home/episodes.csv", "habits/home-0/departures.csv"):  # logs, which are not kept
        (tmp_path / "fresh" / file).parent.mkdir(parents=True)
        (tmp_path / "fresh" / file).write_text("z\n3\n")
    for file in ("times.csv", "tables/05_times.csv"):
        (tmp_path / "fresh" / file).write_text("z\n3\n")
    (tmp_path / "kept/only.csv").write_text("z\n3\n")
    rows = comparison.cells(tmp_path / "fresh", tmp_path / "kept").set_index("table")
    assert rows.different.to_dict() == {"same.csv": 0, "only.csv": 1, "tables/one.csv": 2}
    assert rows.largest["tables/one.csv"] == 0.5


def test_what_is_committed_is_read_whatever_was_made_since(tmp_path):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "results/mini").mkdir(parents=True)
    (tmp_path / "results/mini/table.csv").write_text("committed\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "results/mini/table.csv").write_text("made anew\n")
    (tmp_path / "results/mini/more.csv").write_text("made anew\n")
    folder = comparison.committed(tmp_path, "results/mini", tmp_path / "there")
    assert folder == tmp_path / "there/results/mini"
    assert [f.name for f in folder.iterdir()] == ["table.csv"]
    assert (folder / "table.csv").read_text() == "committed\n"


def test_without_git_it_is_said_that_there_is_nothing_to_compare_with(tmp_path):
    with pytest.raises(runs.RunError, match="is not a checkout of git"):
        comparison.committed(tmp_path, "results/mini", tmp_path / "there")


def test_a_reproduction_beside_what_is_committed(tmp_path, results):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    results.rename(tmp_path / "mini")
    (tmp_path / "results").mkdir()
    kept = (tmp_path / "mini").rename(tmp_path / "results/mini")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    page, within = comparison.report(kept, tmp_path, "mini")
    assert within
    assert "0 of 4 accuracies differ, none by more" in page
    assert "no cell of the 1 tables differs" in page
    table = pd.read_csv(kept / "tables/05_runs.csv")
    table.loc[1, "test_accuracy"] = 0.1
    table.to_csv(kept / "tables/05_runs.csv", index=False)
    page, within = comparison.report(kept, tmp_path, "mini")
    assert not within
    assert "1 of 4 accuracies differ, 1 by more" in page
    assert "tables/05_runs.csv: 1 of 6 cells differ, numbers by up to 0.4" in page
    table[:1].to_csv(kept / "tables/05_runs.csv", index=False)
    page, within = comparison.report(kept, tmp_path, "mini")
    assert not within
    assert f"1 of its runs were not made: {table.name[1]}" in page


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "has no column name"), ("x,y\n1,2\n", "has no column name"), ('"a', "does not read as a table")],
)
def test_a_table_that_is_none_is_named(results, text, says):
    for file, remedy in (("tables/05_runs.csv", "make reproduce"), (comparison.SPREAD, "benchmarks/spread.py")):
        content = (results / file).read_text()
        (results / file).write_text(text)
        with pytest.raises(runs.RunError, match=rf"{file} {says}.*{remedy}"):
            comparison.accuracies(results, results)
        (results / file).write_text(content)
