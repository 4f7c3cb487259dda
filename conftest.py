"""All tests, and the notebooks as tests, see the same environment on every machine."""

import os

from wtmr_core import environment

kept = {key: value for key, value in os.environ.items() if key.startswith(("PYTEST_", "COV_"))}
cleaned = environment.variables() | kept
for key in os.environ.keys() - cleaned.keys():
    del os.environ[key]
os.environ.update(cleaned)
