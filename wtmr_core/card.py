"""What a run tells of itself: the description in its weights' file, and its model card."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from wtmr_core import intervals, runs
from wtmr_core.datasets import LICENCES
from wtmr_core.modality import CHANNELS, MODALITIES, has_joints
from wtmr_core.settings import Settings

FORMAT = 1  # of descriptions: raise it when an older reader could not use a newer one
KEY = "wtmr"  # of a description in the metadata of a file of weights
NAMES = {"accuracy": "top1", "mean accuracy of the classes": "mean_class_accuracy", "macro F1": "macro_f1",
         "calibration error": "calibration_error"}  # fmt: skip


def description(settings: Settings, classes: tuple[str, ...], seconds: float | None, root: Path) -> dict[str, Any]:
    """What is needed to use a network besides its weights, as JSON holds it.

    `seconds` is how long the recordings it was trained on usually last, None where they tell no times; `root` is the
    folder of these recordings.
    """
    shown = {"frames": settings.frames, "stored_frames": settings.stored_frames, "views": settings.views}
    if has_joints(settings.dataset):
        shown |= {
            "modality": "joints",
            "layout": "the 25 joints of NTU RGB+D, metres",
            "centred": settings.centre_joints,
        }
    else:
        colours = MODALITIES[settings.dataset]
        shown |= {"modality": "frames", "size": settings.size, "colours": colours, "channels": CHANNELS[colours],
                  "fit": "the whole frame, squashed to a square"}  # fmt: skip
    return {
        "format": FORMAT, "dataset": settings.dataset, "model": settings.model, "settings": settings.asdict(),
        "classes": list(classes), "input": shown | {"seconds": seconds}, "licence": licence(settings, root),
    }  # fmt: skip


def licence(settings: Settings, root: Path) -> str:
    """The terms of the recordings in `root`, as far as they are known."""
    if (root / "mini.json").is_file():
        return "synthetic recordings, made by this project (MIT)"
    try:
        files = sorted(name for name in os.listdir(root) if name.upper().startswith(("LICENSE", "LICENCE")))
    except OSError:
        files = []
    known = LICENCES.get(settings.dataset, "not known: those of your own recordings")
    return known + (f"; see {', '.join(files)} beside the recordings" if files else "")


def metadata(told: dict[str, Any]) -> dict[str, str]:
    """A description as the metadata of a safetensors file, or of an ONNX file."""
    return {KEY: json.dumps(told, sort_keys=True)}


def write(folder: Path, told: dict[str, Any]) -> None:
    """Write the model card `README.md` of a finished run, whose description is `told`, into its folder."""
    runs.write_text(folder / runs.CARD, card(runs.load(folder), told))


def card(run: runs.Run, told: dict[str, Any]) -> str:
    """The model card of a run, in Markdown."""
    settings, metrics, given = run.settings, run.metrics, told["input"]
    seconds = "" if given["seconds"] is None else f" of about {given['seconds']:.1f} seconds"
    if given["modality"] == "joints":
        video, call = "recording.skeleton", "classifier(joints, fps=30)  # (t, 2, 25, 3) metres"
        shown = f"{given['frames']} frames of the 25 joints of NTU RGB+D, in metres, of one or two bodies"
    else:
        video, call = "video.mp4", "classifier(frames, fps=25)  # (t, h, w, 3) uint8 RGB"
        shown = f"{given['frames']} {given['colours']} frames of {given['size']}×{given['size']} pixels; {given['fit']}"
    tested = metrics["test_is"]
    return f"""# {settings["model"]} on {settings["dataset"]}

A network that names the activity in a recording, trained with the companion to the WTMR-Net paper:
{settings["model"]}, {settings["protocol"]} protocol, split {settings["split"]}, seed {settings["seed"]}.

```python
from wtmr_core import Classifier

classifier = Classifier.load("{run.folder.name}")
windows = {call}
```

On the command line: `wtmr predict {run.folder.name} {video}`.

## What it takes and gives

- Input: recordings{seconds}, of each {shown}.
- Output: a probability for each of {len(run.classes)} classes: {", ".join(run.classes)}.

## Trained on

{metrics["clips"]["train"]:,} clips of {settings["dataset"]} for {metrics["epochs"]} epochs; \
epoch {metrics["chosen_epoch"]} counts ({metrics["epoch_choice"]}). Validation: {metrics["validation"]}.
{_skipped(metrics)}
Terms of the recordings: {told["licence"]}.

## How well it does

On {tested}: {len(run.labels):,} clips, of which nothing was trained on{_leak(tested)}. In brackets, 95 % intervals \
over groups of clips.

{_figures(run)}

## What it cannot do

- It always answers with one of its classes, whatever is shown; a low probability is its only sign of doubt.
- It was measured on recordings like those it was trained on. Other cameras, rooms and people may go worse.
{_miniature(told)}
## Made with

{run.environment["device"]}, {run.environment["precision"]}, torch {run.environment["packages"]["torch"]}, Python \
{run.environment["python"]}, commit {run.environment["commit"]}. All settings are in `settings.json`.
"""


def _skipped(metrics: dict[str, Any]) -> str:
    """A line for each reason why recordings were left out."""
    return "".join(f"Left out: {count:,} ({reason}).\n" for reason, count in metrics["skipped"].items())


def _leak(tested: str) -> str:
    return "; but validation is test here, and clips of one film or person stand on both sides" * ("valid" in tested)


def _miniature(told: dict[str, Any]) -> str:
    mini = "- Its recordings are synthetic: it says nothing about real people.\n"
    return mini if told["licence"].startswith("synthetic") else ""


def _figures(run: runs.Run) -> str:
    """The table of figures on test, with intervals where there are groups enough for them."""
    lines = ["| figure | per cent |", "| --- | --- |"]
    for name, metric in NAMES.items():
        value = f"{100 * run.metrics['test'][metric]:.1f}"
        if len(np.unique(run.groups)) > 1:
            bounds = intervals.bootstrap(run.labels, run.logits, run.groups, metric=metric, draws=500)
            value += f" ({100 * bounds.low:.1f} to {100 * bounds.high:.1f})"
        lines.append(f"| {name} | {value} |")
    lines.append(f"| accuracy on train | {100 * run.metrics['train_accuracy']:.1f} |")
    if run.metrics["val_accuracy"] is not None:
        lines.append(f"| accuracy on validation | {100 * run.metrics['val_accuracy']:.1f} |")
    return "\n".join(lines)
