"""All tests, and the notebooks as tests, see the same environment on every machine, and numbers have tolerances."""

import os

import pytest

from wtmr_core import environment

kept = {key: value for key, value in os.environ.items() if key.startswith(("PYTEST_", "COV_"))}
cleaned = environment.variables() | kept
for key in os.environ.keys() - cleaned.keys():
    del os.environ[key]
os.environ.update(cleaned)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Where a cell of a notebook is compared, its numbers are within what it allows: `tests/notebook_comparison.py`."""
    from nbval.plugin import IPyNbCell

    if isinstance(item, IPyNbCell):
        from tests import notebook_comparison

        compare, stated = item.compare_outputs, notebook_comparison.tolerance(item.cell.metadata)
        item.compare_outputs = lambda fresh, committed: compare(
            notebook_comparison.outputs(fresh, committed, stated), committed
        )
