"""The model card of a run, its `README.md`: what the network is, how to use it, how good it is, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wtmr_core.intervals import Interval, bootstrap
from wtmr_core.metrics import TOP

CARD = "README.md"
LEAST = 5  # groups: with fewer an interval says nothing, and single clips are resampled
RESAMPLES = 500  # for figures that are counted anew in each
NAMES = {"top1": "test, top-1", "top5": "test, top-5", "mean_class_accuracy": "test, mean over classes",
         "macro_f1": "test, macro F1"}  # fmt: skip
MODELS = {
    "wtmr": "WTMR-Net as the paper describes it",
    "released-wtmr": "WTMR-Net as it was released",
    "released-wmrc": "WMRC-Net (the CNN alone) as it was released",
    "released-timesformer": "TimeSformer (the baseline) as it was released",
    "temporal": "A plain CNN over time, the baseline on joints",
    "linear": "One linear layer on the mean features of a backbone, the baseline on frames",
    "logistic": "Logistic regression on the mean features of a frozen backbone, the baseline on frames",
}
PROTOCOLS = {
    "corrected": "corrected: official or grouped splits, evaluation without randomness, test read once, at the end",
    "published": "published: as the paper's notebooks did, with parts sampled by clip, so that clips of one film or "
    "person stand on both sides, and with evaluation through the augmentation; its figures are higher than those on "
    "new people",
}


def page(
    name: str,
    description: Mapping[str, Any],
    metrics: Mapping[str, Any],
    predictions: Mapping[str, np.ndarray],
    environment: Mapping[str, Any],
) -> str:
    """Write the model card of the run in the folder `name`, as Markdown; equal arguments give equal text.

    Args:
        name: of the run folder
        description: as `description.of` gives it
        metrics: content of the run's `metrics.json`
        predictions: labels (b,), logits (b, k) and groups (b,) of the test clips
        environment: content of the run's `environment.json`
    """
    sections = {
        "Use": _use(name, description["input"]),
        "Input": _input(description["input"]),
        "Classes": f"{len(description['classes'])}: {', '.join(description['classes'])}.",
        "Trained on": _data(description, metrics) + _backbone(description.get("backbone")),
        "Figures": _figures(metrics, predictions),
        "Limits": _limits(description, metrics),
        "Licence": f"Of the recordings it was trained on: {description['licence']}. Of the code: MIT.",
        "Environment": _environment(environment),
    }
    model = MODELS.get(description["model"], description["model"])
    head = f"# {name}\n\n{model}, trained to recognise {len(description['classes'])} activities"
    head += f" on {description['dataset']}. A run of the WTMR-Net companion (`wtmr_core`)."
    return "\n\n".join([head, *(f"## {title}\n\n{text}" for title, text in sections.items())]) + "\n"


def _use(name: str, taken: Mapping[str, Any]) -> str:
    call, file = "frames, fps=25)  # frames (t, h, w, 3) uint8 RGB", "video.mp4"
    if taken["modality"] == "joints":
        call, file = "joints, fps=30)  # joints (t, m, 25, 3) float, metres", "recording.skeleton"
    return f"""In the folder that holds this one:

```python
from wtmr_core import Classifier
classifier = Classifier.load("{name}")
probabilities = classifier({call}
```

`probabilities` are (windows, k) of `classifier.classes`. From a file:

    wtmr predict {name} {file}"""


def _input(taken: Mapping[str, Any]) -> str:
    choice = "those with most motion" if taken["choice"] == "flow" else "at even steps from first to last"
    frames = f"{taken['stored_frames']} frames of a window, {choice}"
    if taken["stored_frames"] > taken["frames"]:
        views = f" at a time, in {taken['views']} views" if taken["views"] > 1 else ""
        frames += f", of which the network sees {taken['frames']}{views}"
    if taken["modality"] == "joints":
        bodies = "one body" if taken["bodies"] == 1 else f"up to {taken['bodies']} bodies"
        kind = f"Joints: {frames}; {taken['layout']} of {bodies}, in {taken['unit']}s, {taken['origin']}."
    else:
        colour = "grey" if taken["channels"] == 1 else "RGB"
        kind = f"Pictures: {frames}; {taken['size']}×{taken['size']} pixels, {colour}, {taken['fit']}."
    if taken["seconds"] is None:
        return f"{kind} The recordings had no times: all of a recording is one window, unless you give `seconds`."
    return f"{kind} A window spans {taken['seconds']:g} s, the median length of the training recordings."


def _data(description: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    clips, skipped = metrics["clips"], sum(metrics["skipped"].values())
    lines = [
        f"* {description['dataset']}, split {description['split']}, {description['scale']} scale: {clips['train']:,} "
        f"clips to train, {clips['val']:,} to validate, {clips['test']:,} to test; {skipped:,} skipped",
        *(f"* skipped, {count:,}: {reason}" for reason, count in metrics["skipped"].items()),
        f"* protocol {PROTOCOLS.get(description['protocol'], description['protocol'])}",
        f"* validation: {metrics['validation']}",
        f"* test: {metrics['test_is']}",
        f"* epochs: {metrics['epochs']}, of which {metrics['chosen_epoch']} counts ({metrics['epoch_choice']})",
    ]
    return "\n".join(lines)


def _backbone(origin: Mapping[str, str] | None) -> str:
    if not origin:
        return ""
    source = origin["source"]
    for key, name in (("licence", "licence"), ("sha256", "SHA-256")):
        source += f", {name} {origin[key]}" if key in origin else ""
    return f"\n* backbone: {origin['network']}, started from {source}"


def _figures(metrics: Mapping[str, Any], predictions: Mapping[str, np.ndarray]) -> str:
    labels, logits, groups = (predictions[key] for key in ("labels", "logits", "groups"))
    distinct = len(set(groups.tolist()))
    units = groups if distinct >= LEAST else np.arange(len(labels))
    rows = ["| figure | value | 95 % interval |", "| --- | --- | --- |"]
    for part, key in (("train", "train_accuracy"), ("validation", "val_accuracy")):
        rows.append(_row(f"{part}, top-1", metrics[key]))
    for metric, named in NAMES.items():
        if metric == "top5" and logits.shape[1] <= TOP["top5"]:  # then it is 1
            continue
        interval = None
        if len(labels) > 1:
            interval = bootstrap(labels, logits, units, metric=metric, resamples=2000 if metric in TOP else RESAMPLES)
        rows.append(_row(named, metrics["test"][metric], interval))
    rows.append(_row("test, calibration error", metrics["test"]["calibration_error"]))
    basis = f"the {distinct} groups of test"
    if units is not groups:
        basis = f"single clips, since test has fewer than {LEAST} groups, and too narrow"
    return "\n".join(rows) + f"\n\nThe intervals are bootstraps over {basis}. They say nothing of other seeds."


def _row(name: str, value: float | None, interval: Interval | None = None) -> str:
    shown = "–" if value is None else f"{100 * value:.1f} %"
    between = "–" if interval is None else f"{100 * interval.low:.1f}–{100 * interval.high:.1f} %"
    return f"| {name} | {shown} | {between} |"


def _limits(description: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    lines = [
        "* It knows only the classes above, and always answers one of them, whatever it is shown.",
        f"* It was measured on {metrics['clips']['test']:,} clips of {description['dataset']}. The figures say little "
        "of other places, cameras and people.",
        "* A score is no certainty: see the calibration error.",
    ]
    if description["scale"] == "mini":
        lines.append("* A miniature run shows that everything works. It says nothing about real people.")
    return "\n".join(lines)


def _environment(known: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in known.get("packages", {}).items() if version)
    keys = ("device", "processor", "precision", "processes", "python", "commit")
    values = "; ".join(f"{key} {known[key]}" for key in keys if known.get(key) is not None)
    return f"{values}; {packages}."
