"""`wtmr predict`: what is done in videos, as a table, as CSV or as JSON."""

from __future__ import annotations

import json
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core.classifier import Classifier, Prediction
from wtmr_core.files import write

COLUMNS = ["file", "start_s", "end_s", "label", "score"]


def predict(
    classifier: Classifier, paths: list[Path], *, fps: float | None = None, **how: Any
) -> tuple[list[dict[str, Any]], int]:
    """What `classifier` says of each recording that can be read, and how many cannot.

    An entry has `file`, `label`, `score` (0-1, the mean over the windows) and `windows`, each with `start_s`, `end_s`
    (None where times are not known), `label` and `score`. What cannot be read is named on stderr, as are warnings.
    """
    entries, lost = [], 0
    for path in paths:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                prediction = classifier.predict(classifier.read(path, fps=fps), **how)
            except (ValueError, OSError) as error:
                lost += 1
                print(f"wtmr: {_named(path, error)}", file=sys.stderr)
                continue
        for warning in caught:
            print(f"wtmr: {_named(path, warning.message)}", file=sys.stderr)
        entries.append(_entry(path, prediction))
    return entries, lost


def _named(path: Path, what: Exception | Warning | str) -> str:
    return str(what) if str(path) in str(what) else f"{path}: {what}"


def _entry(path: Path, prediction: Prediction) -> dict[str, Any]:
    windows = [
        {"start_s": _seconds(window.start), "end_s": _seconds(window.end), "label": label, "score": _score(row.max())}
        for window, label, row in zip(prediction.windows, prediction.labels, prediction.probabilities, strict=True)
    ]
    return {"file": str(path), "windows": windows, "label": prediction.label, "score": _score(prediction.mean.max())}


def _seconds(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)


def _score(value: float) -> float:
    return round(float(value), 4)


def table(entries: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each window of each recording."""
    return pd.DataFrame(
        [{"file": entry["file"]} | row for entry in entries for row in entry["windows"]], columns=COLUMNS
    )


def show(entries: list[dict[str, Any]], *, as_json: bool = False, csv: Path | None = None) -> None:
    """Print `entries` in words or as JSON, and write the table of their windows to the file `csv`, if one is given."""
    if csv is not None:
        write(csv, lambda beside: table(entries).to_csv(beside, index=False, lineterminator="\n"))
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    if entries:
        print(table(entries).to_string(index=False, na_rep="-"))
    for entry in entries:
        print(f"{entry['file']}: {entry['label']} ({entry['score']:.0%})")
