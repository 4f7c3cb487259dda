"""The notebooks through papermill, as a person or a batch runs them."""

import json
import shutil

import nbformat
import papermill
import pytest

from tests import notebook_comparison
from tests.conftest import PROJECT, write_ntu60
from wtmr_core.paper import execution

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
#: every cell whose output nbval does not compare: its notebook, and the reason in its metadata
IGNORED: set[tuple[str, str]] = {
    ("01_data", "progress of the first reading"),
    ("02_train", "progress of the first reading"),
    ("02_train", "progress of the training"),
    ("04_ablation", "it needs weights and recordings"),
    ("05_performance_table", "the times of one machine"),
}

TINY = {"width": 16, "depth": 1, "heads": 2, "conv_channels": "[4, 8]", "epochs": 1, "device": "cpu"}  # as -p has them


def run(name, cwd, **parameters):
    """Execute a notebook in a kernel whose current folder is `cwd`; returns what it displays, in words."""
    kernel = {"kernel_name": "python3", "kernel_manager_class": execution.this_python(), "cwd": cwd}
    made = papermill.execute_notebook(
        PROJECT / f"notebooks/{name}.ipynb", None, parameters, progress_bar=False, **kernel
    )
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(str(o.get("data", {}).get(kind, "")) for o in outputs for kind in ("text/plain", "text/markdown"))


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_training_on_any_folder_in_a_known_layout_and_from_any_folder(tmp_path, protocol):
    here = tmp_path / "a folder"
    write_ntu60(here / "set")
    said = run("02_train", here, dataset="ntu60", root="set", results="my results", protocol=protocol, split="-",
               parts="sampled", val_fraction=0.25, model="released-wmrc", spare_sided="false", **TINY)  # fmt: skip
    (metrics,) = (here / "my results").glob("runs/*/metrics.json")
    found = json.loads(metrics.read_text())
    assert all(0 <= found[f"{part}_accuracy"] <= 1 for part in ("train", "test"))
    assert "conv channels 4 and 8" in said
    assert f"WMRC-Net on miniature NTU RGB+D, {protocol} protocol" in said


@pytest.mark.parametrize("place", ["notebooks", "elsewhere"])
def test_a_notebook_finds_the_companion_from_where_it_lies_and_from_anywhere(tmp_path, committed_results, place):
    """JupyterLab starts kernels beside the notebook. Elsewhere, relative folders are meant from there."""
    here = tmp_path / "any where"
    shutil.copytree(committed_results / "mini/runs", here / "kept/runs")
    cwd, results = (PROJECT / "notebooks", str(here / "kept")) if place == "notebooks" else (here, "kept")
    said = run("03_confusion_matrix", cwd, results=results)  # reads experiments/ beside
    assert "**hmdb51-released-wtmr** is WTMR-Net on miniature HMDB51" in said
    made = {f"{file.parent.name}/{file.name.split('-')[0]}{file.suffix}" for file in here.glob("kept/[ft]*/*")}
    tables = {"tables/03_confusion_matrix.csv", "tables/03_confusion_matrix.tex", "tables/03_reduced.tex"}
    assert made > tables | {"tables/03_classes.csv", "figures/03_reduced.pdf", "figures/03_confusion_matrix.png"}


@pytest.mark.parametrize("name", ["01_data", "02_train"])
def test_an_unknown_parameter_is_refused(tmp_path, name):
    with pytest.raises(papermill.PapermillExecutionError, match="there is no setting 'datset'; did you mean dataset"):
        run(name, tmp_path, datset="ntu60")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_cell_that_is_not_compared_says_why(path):
    """Else it states a tolerance that there is, or nothing and is compared to the letter."""
    unseen = set()
    for cell in nbformat.read(path, as_version=4).cells:
        stated = notebook_comparison.tolerance(cell.metadata)
        ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
        assert not (ignored and stated), f"its output is ignored, so its tolerance says nothing:\n{cell.source}"
        assert "nbval" not in cell.source.lower(), f"the tag nbval-ignore-output says so:\n{cell.source}"
        if ignored:
            unseen.add((path.stem, cell.metadata.get("ignored", "")))
    assert unseen == {one for one in IGNORED if one[0] == path.stem}
