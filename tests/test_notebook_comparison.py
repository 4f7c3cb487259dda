"""What may differ in the outputs of a notebook and what may not, through nbval itself and piece by piece."""

import subprocess
import sys

import nbformat
import pytest

from tests.conftest import PROJECT
from tests.notebook_comparison import settled, tolerance

TABLE = """<style>td {padding: 3px}</style><table>
 <tr><td>wtmr</td><td>80.6</td></tr>
 <tr><td>chance</td><td>12.5</td></tr>
</table>"""


@pytest.mark.parametrize(
    ("fresh", "stated", "same"),
    [
        (TABLE, {}, True),
        (TABLE.replace("80.6", "80.7"), {}, False),
        (TABLE.replace("80.6", "80.7"), {"points": 0.1}, True),
        (TABLE.replace("80.6", "80.8"), {"points": 0.1}, False),
        (TABLE.replace("80.6", "78.9"), {"relative": 0.03}, True),
        (TABLE.replace("80.6", "78.1"), {"relative": 0.03}, False),
        (TABLE.replace("80.6", "70.1"), {"spread": "hmdb51-wtmr"}, True),
        (TABLE.replace("80.6", "60.1"), {"spread": "hmdb51-wtmr"}, False),
        (TABLE.replace("12.5", "12.6"), {"spread": "hmdb51-wtmr"}, False),  # no accuracy of the run
        (TABLE.replace("12.5", "-12.5"), {"points": 20}, False),
        (TABLE.replace("80.6", "–"), {"points": 100}, False),
        (TABLE.replace("wtmr", "released-wtmr"), {"points": 100}, False),
        (TABLE.replace("<tr><td>chance</td><td>12.5</td></tr>", ""), {"points": 100}, False),
        (TABLE + TABLE, {"points": 100}, False),
        (TABLE.replace("<table>", '<table id="2">'), {"points": 100}, False),
        (TABLE.replace("3px", "4px"), {}, True),  # it looks otherwise
        (TABLE.replace("\n <tr>", "\n\n <tr>"), {}, False),
    ],
)
def test_numbers_of_a_table_may_differ_by_the_tolerance_and_words_not_at_all(fresh, stated, same):
    assert (settled(fresh, TABLE, tolerance({"tolerance": stated})) == TABLE) is same


@pytest.mark.parametrize(
    ("fresh", "committed", "same"),
    [
        ("loss  9.5\nend", "loss 10.2\nend", True),  # columns are as wide as their longest number
        ("loss 9.5 end", "loss 10.6 end", False),
        ("+0.5 to −0.5", "−0.3 to +0.4", True),
        ("1,204 clips", "1,203 clips", True),
        ("p = 1.2e-05", "p = 3e-05", True),
        ("hmdb51", "hmdb50", False),  # a name, not a number
        ("x2 3", "x3 3", False),
        ("2s", "3s", False),
        ("4", "", False),
        ("", "4", False),
    ],
)
def test_what_is_a_number_in_text(fresh, committed, same):
    assert (settled(fresh, committed, {"points": 1}) == committed) is same


def test_a_tolerance_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a tolerance has points, relative or spread, not percent"):
        tolerance({"tolerance": {"percent": 3}})
    with pytest.raises(ValueError, match=r"no spread is stated for wtmr in spread\.csv"):
        tolerance({"tolerance": {"spread": "wtmr"}})


def test_nbval_compares_with_the_tolerance_that_a_cell_states(tmp_path):
    """Three cells whose committed output is 0.1 away: without a tolerance, with a large and with a small one."""
    cells = []
    for metadata in ({}, {"tolerance": {"points": 0.2}}, {"tolerance": {"points": 0.05}}):
        shown = {"text/plain": "<IPython.core.display.HTML object>", "text/html": "<b>80.6</b> right"}
        committed = nbformat.v4.new_output("execute_result", shown, execution_count=1)
        source = "from IPython.display import HTML\nHTML('<b>80.7</b> right')"
        cells.append(nbformat.v4.new_code_cell(source, execution_count=1, outputs=[committed], metadata=metadata))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "made.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-q"]
    command += ["-c", PROJECT / "pyproject.toml", "--rootdir", PROJECT, "--confcutdir", PROJECT]
    made = subprocess.run(
        [*command, "-p", "conftest", tmp_path / "made.ipynb"], cwd=PROJECT, capture_output=True, text=True
    )
    assert made.stdout.splitlines()[0][:3] == "F.F", made.stdout
    assert "80.7" in made.stdout
