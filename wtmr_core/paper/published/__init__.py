"""The paper's figures as data, read off its public README and notebooks.

Models have the names that they have throughout this project: `released-wtmr`, `released-wmrc` and
`released-timesformer`.
"""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["ablation", "classes", "confusion", "epochs", "ntu60_names", "profile", "table"]

DATASETS = ("hmdb51", "ntu60", "svideoqa")
MODELS = ("released-wtmr", "released-wmrc", "released-timesformer")


def table() -> pd.DataFrame:
    """The performance table as published, one row for each of its six networks.

    Columns: dataset, model, train_accuracy_pct (%), params_m (millions), gflops (10⁹; these are multiply-accumulates),
    clips_per_second.
    """
    return _read("table")


def profile() -> pd.DataFrame:
    """The cost of each of the nine networks, as published.

    Columns: dataset, model, published_in_readme (yes, no), params_m (millions), gmacs (10⁹), seconds_per_clip,
    clips_per_second, epoch_seconds, epochs, training_hours, params_counted_by (`module_hooks`, which leaves out
    embeddings and class token, or `all_parameters`), profiled_input (the lengths of its axes, separated by x).
    """
    return _read("profile")


def epochs(dataset: str | None = None, model: str | None = None) -> pd.DataFrame:
    """The published training logs, one row per epoch: all six, or those of `dataset` and `model`.

    Columns: dataset, model, epoch (from 1), train_loss, train_accuracy, val_loss, val_accuracy (accuracies 0-1),
    seconds. ntu60's `released-wtmr` has 33 of its 40 epochs. Raises `ValueError` for an unknown name, and for a network
    whose log was not published.
    """
    logs = _read("epochs")
    if dataset is not None:
        logs = logs[logs.dataset == _known("data set", dataset, DATASETS)]
    if model is not None:
        logs = logs[logs.model == _known("model", model, MODELS)]
    if logs.empty:
        raise ValueError(f"the paper published no training log of {model}" + (f" on {dataset}" if dataset else ""))
    return logs.reset_index(drop=True)


def confusion(dataset: str) -> pd.DataFrame:
    """The published confusion matrix of `released-wtmr` on `dataset`, in clips.

    Rows (index `true`) are the true classes, columns (named `predicted`) the predicted ones.
    Raises `ValueError` for an unknown data set.
    """
    counts = _read(f"confusion_{_known('data set', dataset, DATASETS)}").set_index("true")
    return counts.rename_axis(columns="predicted")


def classes(dataset: str) -> dict[str, str]:
    """The classes of the published confusion matrix of `dataset`, except "others": the paper's name -> the set's own.

    Raises `ValueError` for an unknown data set.
    """
    names = _read("classes")
    names = names[names.dataset == _known("data set", dataset, DATASETS)]
    return dict(zip(names.published, names["class"], strict=True))


def ablation() -> pd.DataFrame:
    """The bars of the paper's ablation, under the names it gives them, and the validation accuracy that the logs add.

    A row for each of the nine networks, in the order of the profile. On svideoqa the bars of WTMR-Net and WMRC-Net have
    exchanged names (the log of WTMR-Net ends where WMRC-Net's bar does).

    Columns: dataset, model, train_loss, train_accuracy, val_accuracy (accuracies 0-1), and for each of the three its
    source: `log` (last epoch), `table` (the README's) or `chart` (read off, so two digits). NaN where not published.
    """
    wide = _read("ablation").pivot_table(
        index=["dataset", "model"], columns="what", values=["value", "source"], aggfunc="first"
    )
    rows = pd.MultiIndex.from_frame(_read("profile")[["dataset", "model"]])
    values, sources = (wide[part].reindex(rows) for part in ("value", "source"))
    bars = ["train_loss", "train_accuracy", "val_accuracy"]
    table = values[bars].astype(float).join(sources[bars].fillna("").add_suffix("_source"))
    return table.rename_axis(columns=None).reset_index()


def ntu60_names() -> pd.Series:
    """How many of NTU RGB+D 60's samples its list of missing skeletons leaves, by action number.

    These are no figures of the paper, but of the set that it read.
    """
    return _read("ntu60_names").set_index("action").names


def _read(name: str) -> pd.DataFrame:
    with files(__name__).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        figures = pd.read_csv(file)
    if "model" in figures:
        figures["model"] = "released-" + figures["model"]
    return figures


def _known(kind: str, name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise ValueError(f"there is no {kind} {name!r} in the paper's figures; there are {', '.join(names)}")
    return name
