"""What the weights of a run say of themselves: what they were trained on, what they take, and under which licence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from wtmr_core.data import Data, clip_format
from wtmr_core.datasets import augment
from wtmr_core.datasets.video import ClipFormat, uniform
from wtmr_core.files import AGAIN, RunError
from wtmr_core.recording import length
from wtmr_core.runs import WEIGHTS, Run
from wtmr_core.settings import Settings

KEY = "wtmr"  # of the JSON among the metadata of a file of weights, safetensors and ONNX alike
FORMAT = 1  # raise it when older code would misread what is written
MEASURED = 64  # training recordings, of whose lengths the median is what a window spans
#: of the recordings of each data set; see data/README.md
LICENCES = {
    "hmdb51": "CC BY 4.0 (HMDB51)",
    "ntu60": "academic use only (NTU RGB+D)",
    "svideoqa": "not known (SVideoQA)",
}
MINIATURE = "MIT, as this repository, which made them"
OWN = "not known: they are the user's own"


def of_run(settings: Settings, data: Data) -> dict[str, Any]:
    """The description of a run of `settings` on `data`, as JSON holds it; it reads up to `MEASURED` recordings."""
    index = data.cache.index
    paths = list(index.paths())
    seconds = typical_length([paths[row] for row in data.parts["train"]], clip_format(settings))
    return of(settings, index.classes, seconds, licence(settings.dataset, index.root))


def of(settings: Settings, classes: Sequence[str], seconds: float | None, licence: str) -> dict[str, Any]:
    """The description of a network of `settings` for `classes`; `seconds` is what a window spans, None if not known."""
    return {
        "format": FORMAT,
        "dataset": settings.dataset,
        "model": settings.model,
        "protocol": settings.protocol,
        "split": settings.split,
        "scale": settings.scale,
        "classes": list(classes),
        "input": _input(settings) | {"seconds": seconds},
        "licence": licence,
    }


def read(run: Run, settings: Settings) -> dict[str, Any]:
    """The description that the weights of a run bear; of weights without one, as runs had at first or as are not
    there, what is known of it otherwise.

    Raises `RunError` for one of another format or of other classes, and for damage.
    """
    file = run.folder / WEIGHTS
    known = of(settings, run.classes, None, licence(settings.dataset))
    held = _held(file) if file.is_file() else None
    if held is None:
        return known
    if (version := held.get("format")) != FORMAT:
        raise RunError(
            f"{file} is of format {version}, and this wtmr_core reads format {FORMAT}: use the one that wrote it"
        )
    if held.get("classes") != known["classes"]:
        raise RunError(f"{file} is damaged (its classes are not those of the run): {AGAIN}")
    return known | held


def _held(file: Path) -> dict[str, Any] | None:
    """What the weights in `file` bear as their description; None where they bear none."""
    try:
        with safe_open(file, "np") as weights:
            text = (weights.metadata() or {}).get(KEY)
        if text is None:
            return None
        if not isinstance(held := json.loads(text), dict):
            raise ValueError("its description is no object")
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error}): {AGAIN}") from error
    return held


def metadata(description: dict[str, Any]) -> dict[str, str]:
    """The description as safetensors and ONNX hold it."""
    return {KEY: json.dumps(description, ensure_ascii=False)}


def typical_length(paths: Sequence[Path], form: ClipFormat) -> float | None:
    """The median length in seconds of up to `MEASURED` recordings, evenly chosen; None where none of them tells."""
    chosen = uniform(len(paths), min(MEASURED, len(paths))) if paths else ()
    lengths = [seconds for number in chosen if (seconds := length(paths[number], form))]
    return round(float(np.median(lengths)), 3) if lengths else None


def licence(dataset: str, root: Path | None = None) -> str:
    """Under which licence the recordings of `dataset` are, and the licence file that lies beside them in `root`."""
    known = LICENCES.get(dataset, OWN)
    if root is None:
        return known
    if (root / "mini.json").is_file():
        return MINIATURE
    files = sorted(path.name for path in root.iterdir() if path.stem.lower() in ("license", "licence"))
    return f"{known}; see {files[0]} beside them" if files else known


def _input(settings: Settings) -> dict[str, Any]:
    form = clip_format(settings)
    clip = {"frames": settings.frames, "stored_frames": form.frames, "views": settings.views, "choice": form.choice}
    if form.size:
        mean, std = augment.GREY if form.channels == 1 else augment.RGB
        return {
            "modality": "frames",
            **clip,
            "size": form.size,
            "channels": form.channels,
            "fit": "the whole frame, squashed to a square",
            "mean": list(mean),
            "std": list(std),
        }
    bodies = form.bodies if settings.model == "wtmr" else 1  # the released networks take one
    unit, origin = "metre", "centred on the first body's spine" if settings.centre_joints else "raw camera space"
    if settings.normalise_joints:
        unit, origin = "length", "brought to the length of a body, from the middle of its hips' way"
    return {
        "modality": "joints",
        **clip,
        "bodies": bodies,
        "layout": "the 25 joints of NTU RGB+D",
        "unit": unit,
        "origin": origin,
    }
