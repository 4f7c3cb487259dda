"""How long a run trains and a clip takes, beside the published times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd

from wtmr_core.paper import published
from wtmr_core.paper.suite import Suite, finished_runs
from wtmr_core.paper.tables import MODELS, NETWORK


def training(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """List how long each run trained and on what, beside the published hours.

    Returns:
        Columns name, scale, device, seconds, published_hours (of the network at full size, on one T4).

    Raises:
        RunError, SettingsError: as `suite.finished_runs`.
    """
    hours = published.profile().set_index(NETWORK).training_hours
    rows = [
        {
            "name": name,
            "scale": run.settings["scale"],
            "device": run.environment["device"],
            "seconds": run.metrics["seconds"],
            "published_hours": hours.get((run.settings["dataset"], run.settings["model"]), float("nan")),
        }
        for name, run in finished_runs(suite, results, left_out).items()
    ]
    return pd.DataFrame(rows)


def forward(
    networks: Iterable[tuple[str, str]],
    batch_sizes: Iterable[int] = (1,),
    precisions: Iterable[str] = ("fp32",),
    device: str = "auto",
    repeats: int = 1,
) -> pd.DataFrame:
    """Time a forward pass of networks at full size, with random weights on random clips.

    Up to 3 passes are not counted. With one repeat every pass counts, but what takes less than half a second is then
    warmed up and repeated ten times. SVideoQA's WTMR-Net appears twice: as the paper timed it, on 56×56 pixels, and at
    the 224×224 it is trained with. `wtmr` gets two bodies.

    Args:
        networks: (data set, model) each
        batch_sizes, precisions: to time each network with
        device: auto is cuda if available, else cpu
        repeats: passes to time

    Returns:
        Columns dataset, model, input (lengths of a clip's axes), batch, precision, device, threads (of PyTorch, on the
        CPU), repeats, seconds_per_clip (median of the repeats), published_seconds_per_clip (batch 1, fp32, T4; NaN for
        another input, and where not published).

    Raises:
        ValueError: as `cost.time_forward`, and for a device that is not available.
    """
    import torch

    from wtmr_core import models
    from wtmr_core.paper import cost

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device is {device}; PyTorch finds no GPU here, so give cpu or auto")
    networks, batch_sizes, precisions, rows = set(networks), list(batch_sizes), list(precisions), []
    torch.nn.functional.linear(torch.ones(256, 256, device=device), torch.ones(256, 256, device=device))
    paper = published.profile().set_index(NETWORK).seconds_per_clip
    for dataset, model in ((d, m) for d in published.DATASETS for m in MODELS if (d, m) in networks):
        variants = [(cost.input_shape(dataset, model), paper.get((dataset, model), float("nan")), {})]
        if (dataset, model) == ("svideoqa", "released-wtmr"):  # profiled on smaller pictures
            shape, seconds, _ = variants[0]
            variants = [((*shape[:2], 56, 56), seconds, {"profiled": True}), (shape, float("nan"), {})]
        for shape, seconds, sizes in variants:
            network, clip = models.build(dataset, model, **sizes), torch.randn(1, *shape)
            for batch, precision in product(batch_sizes, precisions):
                time_clips = partial(cost.time_forward, network, clip, batch=batch, precision=precision, device=device)
                timing = time_clips(warmup=min(repeats - 1, 3), repeats=repeats)
                if repeats == 1 and timing.median_s < 0.5:
                    timing = time_clips(warmup=2, repeats=10)
                rows.append(
                    {
                        "dataset": dataset,
                        "model": model,
                        "input": "×".join(map(str, shape)),
                        "batch": batch,
                        "precision": precision,
                        "device": timing.device,
                        "threads": timing.threads,
                        "repeats": timing.repeats,
                        "seconds_per_clip": timing.median_s / batch,
                        "published_seconds_per_clip": seconds,
                    }
                )
    return pd.DataFrame(rows)
