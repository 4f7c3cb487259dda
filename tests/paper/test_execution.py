"""One notebook: its result whole or not at all, and nothing else of the user's touched."""

import json
import os

import nbformat
import pytest

from wtmr_core.paper import execution
from wtmr_core.runs import RunError


def notebook(code: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


@pytest.fixture
def source(tmp_path):
    nbformat.write(notebook("print(x)"), tmp_path / "in.ipynb")
    return tmp_path / "in.ipynb"


@pytest.mark.parametrize(
    ("made", "log", "said"),
    [
        ("in.ipynb", "a.log", "would be the source and the result"),
        ("out.ipynb", "in.ipynb", "would be the source and the log"),
        ("out.ipynb", "out.ipynb", "would be the result and the log"),
        ("out.ipynb", "a.json", "would be the log and the state of the log"),
        ("a.json", "a.log", "would be the result and the state of the log"),
        ("a.part.ipynb", "a.log", "would be the result and the log's notebook"),
        ("link.ipynb", "a.log", "would be the source and the result"),
        ("folder", "a.log", "the result, is a folder"),
        ("out.ipynb", "notes.txt", r"notes.txt is there and no run made it: give --log another name"),
        ("out.ipynb", "own.log", r"own.json is there and no run made it"),
        ("out.ipynb", "thesis.log", r"thesis.part.ipynb is there and no run made it"),
        ("notes.txt", "a.log", r"notes.txt is there and is no executed in.ipynb"),
        ("other.ipynb", "a.log", r"other.ipynb is there and is no executed in.ipynb"),
    ],
)
def test_nothing_of_the_users_is_overwritten(tmp_path, source, made, log, said):
    """Refused before anything is written: all files are as they were."""
    (tmp_path / "link.ipynb").symlink_to(source)
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "own.json", "thesis.part.ipynb"):
        (tmp_path / name).write_text('{"mine": 1}', encoding="utf-8")
    nbformat.write(notebook("print('of the user')"), tmp_path / "other.ipynb")
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    with pytest.raises(RunError, match=said):
        execution.notebook(source, tmp_path / made, {"x": 2}, tmp_path / log)
    assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == before


def test_a_log_beside_its_result_in_a_folder_with_braces(tmp_path, source):
    """The log's name is the result's; papermill takes braces for parameters. Run again it is made anew."""
    folder = tmp_path / "a{b} c%'d"
    for x in (2, 3):
        execution.notebook(source, folder / "a.ipynb", {"x": x}, folder / "a.log")
        assert (folder / "a.log").read_text(encoding="utf-8") == f"{x}\n"
        assert nbformat.read(folder / "a.ipynb", as_version=4).cells[-1].outputs[0].text == f"{x}\n"
    assert sorted(f.name for f in folder.iterdir()) == ["a.ipynb", "a.json", "a.log"]
    assert json.loads((folder / "a.json").read_text(encoding="utf-8"))["state"] == "done"
    assert source.is_file()


def test_the_environment_of_one_notebook_is_not_the_next_ones(tmp_path, source, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    nbformat.write(notebook("import os; print(os.environ['OMP_NUM_THREADS'])"), source)
    execution.notebook(source, tmp_path / "out.ipynb", {"threads": 2}, tmp_path / "out.log")
    assert (tmp_path / "out.log").read_text(encoding="utf-8") == "2\n"
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_the_state_of_a_log_that_is_no_runs(tmp_path):
    log = tmp_path / "a.log"
    assert execution.state(log) == {}
    for text in ("", "[]", '{"state": "of mind"}'):
        log.with_suffix(".json").write_text(text, encoding="utf-8")
        assert execution.state(log) == {}
    execution.announce(log)
    assert execution.state(log) == {"state": "waiting"}
