"""The description that a run's weights carry: what they were trained on, what they take, and under which licence."""

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
from wtmr_core.models.backbones import origin
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
    """Describe a run of `settings` on `data`, as a dictionary for JSON. Reads up to `MEASURED` recordings."""
    index = data.cache.index
    paths = list(index.paths())
    seconds = typical_length([paths[row] for row in data.parts["train"]], clip_format(settings))
    described = of(settings, index.classes, seconds, licence(settings.dataset, index.root))
    if settings.backbone:
        described["backbone"] = {"network": settings.backbone} | origin(settings.backbone, settings.backbone_weights)
    return described


def of(settings: Settings, classes: Sequence[str], seconds: float | None, licence: str) -> dict[str, Any]:
    """Describe a network of `settings` for `classes`; a window spans `seconds`, or None where that is not known."""
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
    """Read the description that the weights of a run carry.

    Weights without one (the first runs had none, and clones of this repository have no weights) get what else is known.

    Raises:
        RunError: for a description of another format or of other classes, and for damage.
    """
    file = run.folder / WEIGHTS
    known = of(settings, run.classes, None, licence(settings.dataset))
    stored = _stored(file) if file.is_file() else None
    if stored is None:
        return known
    if (version := stored.get("format")) != FORMAT:
        raise RunError(
            f"{file} is of format {version}, and this wtmr_core reads format {FORMAT}: use the one that wrote it"
        )
    if stored.get("classes") != known["classes"]:
        raise RunError(f"{file} is damaged (its classes are not those of the run): {AGAIN}")
    return known | stored


def _stored(file: Path) -> dict[str, Any] | None:
    """The description in a file of weights; None where it carries none."""
    try:
        with safe_open(file, "np") as weights:
            text = (weights.metadata() or {}).get(KEY)
        if text is None:
            return None
        if not isinstance(stored := json.loads(text), dict):
            raise ValueError("its description is no object")
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error}): {AGAIN}") from error
    return stored


def metadata(description: dict[str, Any]) -> dict[str, str]:
    """The description as safetensors and ONNX store it."""
    return {KEY: json.dumps(description, ensure_ascii=False)}


def typical_length(paths: Sequence[Path], form: ClipFormat) -> float | None:
    """Median length in seconds of up to `MEASURED` recordings at even steps; None where no file tells its length."""
    chosen = uniform(len(paths), min(MEASURED, len(paths))) if paths else ()
    lengths = [seconds for number in chosen if (seconds := length(paths[number], form))]
    return round(float(np.median(lengths)), 3) if lengths else None


def licence(dataset: str, root: Path | None = None) -> str:
    """The licence of the recordings of `dataset`, and the licence file beside them in `root`, if any."""
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
