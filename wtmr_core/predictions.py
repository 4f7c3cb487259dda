"""`wtmr predict`: the predictions of a run for files, one row per window, as text, JSON or CSV."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from wtmr_core import errors, files, recording
from wtmr_core.classifier import Classifier, Prediction
from wtmr_core.datasets.tree import printable
from wtmr_core.datasets.video import Remark

COLUMNS = ["file", "start_s", "end_s", "label", "score", "file_label", "file_score"]


def show(
    classifier: Classifier,
    paths: Iterable[Path],
    *,
    fps: float | None = None,
    seconds: float | None = None,
    stride: float | None = None,
    as_json: bool = False,
    csv: Path | None = None,
) -> int:
    """Classify the recordings in files and print a table with one row per window, or JSON with one object per file.

    Each file that cannot be read is named on stderr, and so is every remark on the others.

    Args:
        classifier: of the run
        paths: videos, folders of frames or `.skeleton` files
        fps, seconds, stride: as for `Classifier.predict`
        as_json: print JSON instead of a table
        csv: a file to write the table to as well

    Returns:
        The exit status: 0; 1 where some files cannot be read; 2 where none can.

    Raises:
        ValueError: for an impossible option.
        RunError: where `csv` cannot be written.
    """
    recording.check(fps=fps, seconds=seconds, stride=stride)
    predictions, failed = [], 0
    for path in paths:
        name = printable(str(path))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", Remark)
            try:
                prediction = classifier.predict(classifier.read(path, fps=fps), seconds=seconds, stride=stride)
                predictions.append(described(name, prediction))
            except Exception as error:  # of one file: the others are still to be done
                failed += 1
                sentence = errors.sentence(error, "wtmr predict")
                print(f"wtmr: {sentence}" if name in sentence else f"wtmr: {name}: {sentence}", file=sys.stderr)
        for message in [warning.message for warning in caught if isinstance(warning.message, Remark)]:
            print(f"wtmr: {name}: {str(message).replace(f'{path}: ', '')}", file=sys.stderr)
    rows = table(predictions)
    if csv is not None:
        files.write_table(csv, rows, numbers="%.6g")
    if as_json:
        print(json.dumps(predictions, indent=2, ensure_ascii=False))
    elif predictions:
        shown = {"start_s": "%.2f", "end_s": "%.2f", "score": "%.3f", "file_score": "%.3f"}
        formats = {key: form.__mod__ for key, form in shown.items()}
        print(rows.to_string(index=False, formatters=formats, na_rep="-"))
    return 0 if not failed else 1 if predictions else 2


def described(file: str, prediction: Prediction) -> dict[str, Any]:
    """A file's prediction as JSON: `file`, `windows`, and `label` and `score` of their mean probabilities.

    Each window has `start_s` and `end_s` (null where the file has no times), `label` and `score`.
    """
    windows = [
        {"start_s": _seconds(start), "end_s": _seconds(end), "label": label, "score": float(probabilities.max())}
        for start, end, label, probabilities in zip(
            prediction.starts, prediction.ends, prediction.labels, prediction.probabilities, strict=True
        )
    ]
    overall = prediction.overall
    label = prediction.classes[int(overall.argmax())]
    return {"file": file, "windows": windows, "label": label, "score": float(overall.max())}


def table(predictions: list[dict[str, Any]]) -> pd.DataFrame:
    """A table with one row per window and the columns `COLUMNS`, from what `described` gives for several files."""
    rows = [
        (file["file"], *window.values(), file["label"], file["score"])
        for file in predictions
        for window in file["windows"]
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"start_s": float, "end_s": float})


def _seconds(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
