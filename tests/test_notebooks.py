"""The notebooks through papermill, as a person or a batch runs them."""

import json

import papermill
import pytest

from tests.conftest import PROJECT, write_ntu60
from wtmr_core.paper import execution

TINY = {"width": 16, "depth": 1, "heads": 2, "conv_channels": [4, 8], "epochs": 1, "device": "cpu"}


def run(name, tmp_path, **parameters):
    source, made = PROJECT / "notebooks" / f"{name}.ipynb", tmp_path / f"{name}.ipynb"
    papermill.execute_notebook(source, made, parameters, kernel_name="python3", progress_bar=False, cwd=PROJECT,
                               kernel_manager_class=execution.this_python())  # fmt: skip
    return made


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_training_on_any_folder_in_a_known_layout(tmp_path, protocol):
    root, results = write_ntu60(tmp_path / "set"), tmp_path / "results"
    run("02_train", tmp_path, dataset="ntu60", root=str(root), results=str(results), protocol=protocol,
        model="released-wmrc", **TINY)  # fmt: skip
    (metrics,) = results.glob("runs/*/metrics.json")
    found = json.loads(metrics.read_text())
    assert all(0 <= found[f"{part}_accuracy"] <= 1 for part in ("train", "test"))
    assert (found["val_accuracy"] is None) == (protocol == "corrected")  # where nothing is chosen in miniature


@pytest.mark.parametrize("name", ["01_data", "02_train"])
def test_an_unknown_parameter_is_refused(tmp_path, name):
    with pytest.raises(papermill.PapermillExecutionError, match="there is no setting 'datset'; did you mean dataset"):
        run(name, tmp_path, datset="ntu60")
