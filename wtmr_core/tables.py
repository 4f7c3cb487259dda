"""The paper's tables made again from the run folders of a suite, the published figures beside the measured ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from wtmr_core import published, runs
from wtmr_core.runs import Run
from wtmr_core.settings import SettingsError
from wtmr_core.suite import Suite

NETWORK = ["dataset", "model"]
ACCURACIES = ["train_accuracy", "val_accuracy", "test_accuracy"]
PERFORMANCE = [
    *NETWORK, "published_params_m", "published_gmacs", "reproduced_params_m", "reproduced_gmacs", "complete_params_m",
    "complete_gmacs", "published_train_accuracy", "published_val_accuracy", "measured_train_accuracy",
    "measured_test_accuracy",
]  # fmt: skip


def find_run(suite: Suite, name: str, results: Path) -> Run:
    """The finished run `name` of `suite`, read from its folder below `results`.

    Raises `SettingsError` for a name that the suite has not, `RunError` where the run is not finished.
    """
    _known(suite, [name])
    return runs.load(runs.named(results, name, suite.runs[name].settings))


def find_runs(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> dict[str, Run]:
    """The finished runs of `suite` by name, in its order, without those in `left_out` (run -> reason).

    Raises `SettingsError` where `left_out` names a run that the suite has not or leaves none, and `RunError`
    where a run is neither finished nor left out.
    """
    left_out = left_out or {}
    _known(suite, left_out)
    if not (names := [name for name in suite.runs if name not in left_out]):
        raise SettingsError(f"all runs of suite {suite.name} are left out; leave some in")
    return {name: find_run(suite, name, results) for name in names}


def every_run(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A row for each run, in the order of the suite; raises as `find_runs`.

    Columns: name, dataset, model, protocol, split, seed, train_accuracy, val_accuracy, test_accuracy (0-1).
    """
    columns = [*NETWORK, "protocol", "split", "seed"]
    rows = [
        {"name": name} | {k: run.settings[k] for k in columns} | {k: run.metrics[k] for k in ACCURACIES}
        for name, run in find_runs(suite, results, left_out).items()
    ]
    return pd.DataFrame(rows)


def ablation(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A row for each network of the suite, with the paper's bars where it has some; raises as `find_runs`.

    Runs that differ in nothing but split and seed are one row. Columns: dataset, model, runs (how many);
    train_loss, train_accuracy, test_accuracy, each the mean over these runs and, as …_low and …_high, their
    range; published_train_loss, published_train_accuracy, published_val_accuracy. Accuracies 0-1, NaN where
    not published. Train loss is that of the chosen epoch, measured while training (augmented, with dropout).
    Where a suite has several runs of a model on a data set, `model` also names the settings they differ in.
    """
    found = _measured(suite, results, left_out)
    whats = ["train_loss", "train_accuracy", "test_accuracy"]
    groups = found.groupby(["dataset", "model", "label"], sort=False)
    table = groups[whats].mean().join(groups.size().rename("runs"))
    for what in whats:
        table[f"{what}_low"], table[f"{what}_high"] = groups[what].min(), groups[what].max()
    table = table[["runs", *(f"{what}{end}" for what in whats for end in ("", "_low", "_high"))]]
    bars = published.ablation()[[*NETWORK, "train_loss", "train_accuracy", "val_accuracy"]]
    return _labelled(table.reset_index().merge(_renamed(bars, "published"), "left", NETWORK))


def performance(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The paper's performance table: a row for each network of the suite, in the paper's order.

    Columns `PERFORMANCE`. Parameters in 10⁶ and multiply-accumulates of one clip in 10⁹, all of the networks
    at full size whatever the runs' scale: as published, counted again in the paper's way (reproduced), and
    with nothing left out (complete). Accuracies 0-1: the paper's training accuracy as it prints it (read off
    a chart where there is no more), the validation accuracy at the end of its log, and those measured,
    each the mean over runs that differ in split and seed only. NaN is not published.
    Raises as `find_runs`.
    """
    from wtmr_core import profiling  # takes torch, which no other table needs

    found = _measured(suite, results, left_out)
    table = found.groupby(["dataset", "model", "label"], sort=False)[["train_accuracy", "test_accuracy"]].mean()
    table = _renamed(table.reset_index(), "measured", keep=[*NETWORK, "label"])
    accuracies = published.ablation()[[*NETWORK, "train_accuracy", "val_accuracy"]]
    for name, figures in (
        ("published", published.profile()[[*NETWORK, "params_m", "gmacs"]]),
        ("reproduced", profiling.profile_table("published")),
        ("complete", profiling.profile_table("complete")),
        ("published", accuracies),
    ):
        table = table.merge(_renamed(figures, name), "left", NETWORK)
    return _labelled(table)[PERFORMANCE]


def training_times(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """How long each run trained and on what, beside the published hours; raises as `find_runs`.

    Columns: name, scale, device, seconds, published_hours (of the network at full size, on one T4).
    """
    hours = published.profile().set_index(NETWORK).training_hours
    rows = [
        {"name": name, "scale": run.settings["scale"], "device": run.environment["device"],
         "seconds": run.metrics["seconds"],
         "published_hours": hours.get((run.settings["dataset"], run.settings["model"]), float("nan"))}
        for name, run in find_runs(suite, results, left_out).items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def times(
    networks: Iterable[tuple[str, str]], batch_sizes: Iterable[int] = (1,), precisions: Iterable[str] = ("fp32",),
    device: str = "auto", repeats: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Time one forward pass of the paper's `networks`, (data set, model) each, at full size, with random weights
    on random clips.

    `device` auto is cuda where there is one, else cpu. Up to 3 passes go uncounted; with one repeat none does,
    but what takes less than half a second is then warmed up and repeated ten times. SVideoQA's WTMR-Net stands
    twice: as the paper timed it, on 56×56 pixels, and at the 224×224 it is trained with.

    Columns: dataset, model, input (lengths of a clip's axes), batch, precision, device, threads (of PyTorch,
    on the CPU), repeats, seconds_per_clip (median of the repeats), published_seconds_per_clip (batch 1, fp32,
    T4; NaN for another input). Raises `ValueError` as `profiling.time_forward` does, and for a device that
    is not there.
    """
    import torch

    from wtmr_core import profiling
    from wtmr_core.models.released import build

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device is {device}; PyTorch finds no GPU here, so give cpu or auto")
    networks, batch_sizes, precisions, rows = set(networks), list(batch_sizes), list(precisions), []
    torch.nn.functional.linear(torch.ones(256, 256, device=device), torch.ones(256, 256, device=device))
    for paper in published.profile().itertuples():
        if (paper.dataset, paper.model) not in networks:
            continue
        shape = tuple(int(length) for length in paper.profiled_input.split("x")[1:])
        variants = [(shape, paper.seconds_per_clip, False)]
        if shape[-1] == 56:  # the one that was profiled on smaller pictures
            variants = [(shape, paper.seconds_per_clip, True), ((*shape[:2], 224, 224), float("nan"), False)]
        for shape, seconds, profiled in variants:
            model, clip = build(paper.dataset, paper.model, profiled=profiled), torch.randn(1, *shape)
            for batch in batch_sizes:
                for precision in precisions:
                    timing = profiling.time_forward(
                        model, clip, batch=batch, precision=precision, device=device,
                        warmup=min(repeats - 1, 3), repeats=repeats,
                    )  # fmt: skip
                    if repeats == 1 and timing.median_s < 0.5:
                        timing = profiling.time_forward(
                            model, clip, batch=batch, precision=precision, device=device, warmup=2, repeats=10
                        )
                    rows.append(
                        {"dataset": paper.dataset, "model": paper.model, "input": "×".join(map(str, shape)),
                         "batch": batch, "precision": precision, "device": timing.device, "threads": timing.threads,
                         "repeats": timing.repeats, "seconds_per_clip": timing.median_s / batch,
                         "published_seconds_per_clip": seconds}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def _known(suite: Suite, names: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in suite.runs]:
        raise SettingsError(f"suite {suite.name} has no run {unknown[0]!r}; it has {', '.join(suite.runs)}")


def _measured(suite: Suite, results: Path, left_out: Mapping[str, str] | None) -> pd.DataFrame:
    """A row for each run: dataset, model, its label, train_loss at the chosen epoch, accuracies; in the paper's order.

    A label is the model and, where runs of a model on a data set differ in more than split and seed, these settings.
    """
    own = {
        name: entry.settings.identity() | {"recordings": entry.root and Path(entry.root).name}
        for name, entry in suite.runs.items()
    }
    rows = []
    for name, run in find_runs(suite, results, left_out).items():
        mine = own[name]
        peers = [other for other in own.values() if all(other[k] == mine[k] for k in NETWORK)]
        varied = [k for k in mine if k not in ("split", "seed") and any(other[k] != mine[k] for other in peers)]
        label = " ".join([mine["model"], *(f"{k}={mine[k]}" for k in varied)])
        chosen = run.history[run.history.epoch == run.metrics["chosen_epoch"]].iloc[0]
        rows.append(
            {k: mine[k] for k in NETWORK}
            | {"label": label, "train_loss": chosen.train_loss}
            | {k: run.metrics[k] for k in ACCURACIES}
        )
    table = pd.DataFrame(rows)
    order = {network: i for i, network in enumerate(published.profile()[NETWORK].itertuples(index=False, name=None))}
    place = [order.get(network, len(order)) for network in zip(table.dataset, table.model, strict=True)]
    return table.assign(place=place).sort_values("place", kind="stable").drop(columns="place").reset_index(drop=True)


def _renamed(figures: pd.DataFrame, prefix: str, keep: Iterable[str] = NETWORK) -> pd.DataFrame:
    return figures.rename(columns={c: f"{prefix}_{c}" for c in figures if c not in set(keep)})


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with labels for models: what its rows are called, once the published figures are found by model."""
    return table.assign(model=table.label).drop(columns="label")
