"""The paper's tables, made again from the run folders of a suite, with published beside measured figures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wtmr_core import files, intervals, metrics
from wtmr_core.paper import published
from wtmr_core.paper.suite import Suite, finished_runs
from wtmr_core.runs import Run, RunError
from wtmr_core.settings import PROBES, Settings

NETWORK = ["dataset", "model"]
#: in which tables have the networks of a data set: the paper's own, what it describes, baselines
MODELS = (*published.MODELS, "wtmr", *PROBES)
ACCURACIES = ["train_accuracy", "val_accuracy", "test_accuracy"]
PERFORMANCE = [
    *NETWORK, "published_params_m", "published_gmacs", "reproduced_params_m", "reproduced_gmacs", "complete_params_m",
    "complete_gmacs", "published_train_accuracy", "published_val_accuracy", "measured_train_accuracy",
    "measured_test_accuracy",
]  # fmt: skip
COMPONENTS = [
    *NETWORK, "label", "runs", "clips", "groups", "unit", "top1", "top1_low", "top1_high", "top5",
    "mean_class_accuracy", "macro_f1", "calibration_error", "difference", "difference_low", "difference_high", "p",
    "params_m", "gmacs", "epochs", "seconds",
]  # fmt: skip
CHOSEN = "wtmr, chosen on validation"
LEAST = 5  # groups; an interval of fewer says nothing


def labels(suite: Suite) -> dict[str, str]:
    """Label the network of each run of `suite`: run -> label.

    The first run of a model on a data set is the base and has the model's name as label. The others add, as key=value,
    the settings in which they differ from it, except split and seed.
    """
    bases, network_labels = {}, {}
    for name, entry in suite.runs.items():
        identity = entry.settings.identity()
        base = bases.setdefault((identity["dataset"], identity["model"]), identity)
        varied = [k for k in identity if k not in ("split", "seed") and identity[k] != base[k]]
        # without blanks in a value, such as [1, 1], so that a blank parts the settings
        changes = (f"{k}={str(identity[k]).replace(' ', '')}" for k in varied)
        network_labels[name] = " ".join([identity["model"], *changes])
    return network_labels


def every_run(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """List all runs, in the order of the suite.

    Returns:
        Columns name, dataset, model, protocol, split, seed, train_accuracy, val_accuracy, test_accuracy (0-1).

    Raises:
        RunError, SettingsError: as `suite.finished_runs`.
    """
    columns = [*NETWORK, "protocol", "split", "seed"]
    rows = [
        {"name": name} | {k: run.settings[k] for k in columns} | {k: run.metrics[k] for k in ACCURACIES}
        for name, run in finished_runs(suite, results, left_out).items()
    ]
    return pd.DataFrame(rows)


def ablation(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """List the base networks (see `labels`) with the paper's bars where it has some.

    Runs that differ only in split and seed share a row. The train loss is that of the chosen epoch, measured during
    training (augmented, with dropout).

    Returns:
        Columns dataset, model, runs (how many); train_loss, train_accuracy, test_accuracy, each the mean over these
        runs and, as …_low and …_high, their range; published_train_loss, published_train_accuracy,
        published_val_accuracy. Accuracies are 0-1, NaN where not published.

    Raises:
        RunError, SettingsError: as `suite.finished_runs`.
    """
    bases = _bases(suite, results, left_out)
    figures = ["train_loss", "train_accuracy", "test_accuracy"]
    groups = bases.groupby(NETWORK, sort=False)
    table = groups[figures].mean().join(groups.size().rename("runs"))
    for figure in figures:
        table[f"{figure}_low"], table[f"{figure}_high"] = groups[figure].min(), groups[figure].max()
    table = table[["runs", *(f"{figure}{end}" for figure in figures for end in ("", "_low", "_high"))]]
    bars = published.ablation()[[*NETWORK, "train_loss", "train_accuracy", "val_accuracy"]]
    return table.reset_index().merge(_renamed(bars, "published"), "left", NETWORK)


def performance(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Make the paper's performance table of the base networks (see `labels`).

    Returns:
        Columns `PERFORMANCE`, rows in the paper's order with `wtmr` last on each data set. Parameters (10⁶) and
        multiply-accumulates of one clip (10⁹) are those of networks at full
        size whatever the scale of the runs: as published, counted again in the paper's way (reproduced), and completely
        (complete). Accuracies (0-1) are the paper's training accuracy as it prints it (read off a chart where there is
        no more), the validation accuracy at the end of its log, and the measured ones, each the mean over runs that
        differ only in split and seed. NaN where not published.

    Raises:
        RunError, SettingsError: as `suite.finished_runs`.
    """
    from wtmr_core.paper import cost  # takes torch, which most other tables do not need

    bases = _bases(suite, results, left_out)
    table = bases.groupby(NETWORK, sort=False)[["train_accuracy", "test_accuracy"]].mean()
    table = _renamed(table.reset_index(), "measured")
    accuracies = published.ablation()[[*NETWORK, "train_accuracy", "val_accuracy"]]
    for name, figures in (
        ("published", published.profile()[[*NETWORK, "params_m", "gmacs"]]),
        ("reproduced", cost.profile_table("published")),
        ("complete", cost.profile_table("complete")),
        ("published", accuracies),
    ):
        table = table.merge(_renamed(figures, name), "left", NETWORK)
    return table[PERFORMANCE]


def measured_costs(suite: Suite, results: Path, left_out: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Count completely what the base networks (see `labels`) cost at the sizes of their runs.

    Returns:
        Columns dataset, model, measured_params_m (10⁶) and measured_gmacs (10⁹, of one view of a clip).

    Raises:
        RunError, SettingsError: as `suite.finished_runs`.
    """
    bases: dict[tuple[str, str], list[tuple[Settings, Run]]] = {}
    for label, settings, run in _labelled(suite, results, left_out):
        if label == settings.model:
            bases.setdefault((settings.dataset, settings.model), []).append((settings, run))
    rows = [dict(zip(NETWORK, network, strict=True)) | _costs(alike) for network, alike in bases.items()]
    return _renamed(pd.DataFrame(rows, columns=[*NETWORK, "params_m", "gmacs"]), "measured")


def components(
    suite: Suite,
    results: Path,
    left_out: Mapping[str, str] | None = None,
    *,
    choose: bool = False,
    among: Collection[str] | None = None,
) -> pd.DataFrame:
    """Measure what each part of the network is worth: a row for each label (see `labels`) and data set of the suite.

    Differences are to the top1 of the base of `wtmr` on the same data set and clips. Intervals are those of
    `intervals.bootstrap` and `intervals.compare`, with groups as units or, where there are fewer than `LEAST`, clips.

    Args:
        suite, results, left_out: as for `suite.finished_runs`
        choose: add a first row `CHOSEN` on each data set: for each split and seed, the run of `wtmr`, among all its
            variants in the suite, with the best validation accuracy (the first among equals). Differences are then to
            it. Its parameters, MACs and seconds are means over the chosen runs, not the cost of training them all.
        among: names of clips; only those of them that were tested count, some in each data set

    Returns:
        Columns `COMPONENTS`, among them
        clips, groups: of the tests of all splits
        unit: what the intervals resample, group or clip
        top1, top5, mean_class_accuracy, macro_f1, calibration_error: 0-1, means over seeds, each over all clips
        difference, p: of top1, NaN for the base and where there is none
        params_m, gmacs: 10⁶ and 10⁹, of one view of one clip (of joints, one body), complete, at the sizes of the runs
        seconds: the mean training time of a run

    Raises:
        RunError: where runs cannot be compared (splits with other numbers of runs, seeds or networks with other test
            clips), where there is no validation accuracy to choose by, and as `suite.finished_runs`.
    """
    rows, base = _labelled(suite, results, left_out), "wtmr"
    if choose:
        rows, base = [*_chosen(rows), *rows], CHOSEN
    by_network: dict[tuple[str, str], list[tuple[Settings, Run]]] = {}
    for label, settings, run in rows:
        by_network.setdefault((settings.dataset, label), []).append((settings, run))
    pools = {
        key: _pooled(" on ".join(reversed(key)), [run for _, run in alike], among) for key, alike in by_network.items()
    }
    table = []
    for (dataset, label), alike in by_network.items():
        clips, logits = pools[dataset, label]
        unit = "group" if (groups := clips.group.nunique()) >= LEAST else "clip"
        units = clips["group" if unit == "group" else "name"]
        top1 = intervals.bootstrap(clips.label, logits, units)
        scores = pd.DataFrame([metrics.scores(clips.label, run_logits) for run_logits in logits]).mean()
        row = {
            "dataset": dataset,
            "model": alike[0][0].model,
            "label": label,
            "runs": len(alike),
            "clips": len(clips),
            "groups": groups,
            "unit": unit,
            "top1_low": top1.low,
            "top1_high": top1.high,
            **_costs(alike),
        }
        if label != base and (dataset, base) in pools:
            first, second = pools[dataset, base]
            if not first.equals(clips):
                raise RunError(f"{label} and {base} on {dataset} were tested on other clips: give both the same splits")
            against = intervals.compare(clips.label, logits, second, units)
            row |= {
                "difference": against.difference,
                "difference_low": against.low,
                "difference_high": against.high,
                "p": against.p,
            }
        table.append(row | scores.to_dict())
    return pd.DataFrame(table, columns=COMPONENTS)


def by_class(
    suite: Suite, results: Path, networks: Sequence[str], left_out: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The share of each class's test clips that networks get right, by their labels (see `labels`) on one data set.

    Returns:
        Rows by class, in the order of its number; columns clips, and each of `networks`: 0-1, means over seeds.

    Raises:
        RunError: as `components`, and for a label that no run has.
    """
    rows, table = _labelled(suite, results, left_out), {}
    for network in networks:
        alike = [run for label, _, run in rows if label == network]
        if not alike:
            raise RunError(f"suite {suite.name} has no network {network!r}")
        clips, logits = _pooled(network, alike, None)
        right = (logits.argmax(axis=-1) == clips.label.to_numpy()).mean(axis=0)
        names = pd.Series(alike[0].classes)[clips.label].to_numpy()
        shares = pd.Series(right).groupby(names, sort=False)
        table |= {"clips": shares.size(), network: shares.mean()}
    return pd.DataFrame(table).loc[list(alike[0].classes)]


def budgets() -> pd.DataFrame:
    """Put the published training logs side by side: what each network was given, and how far it had come by then.

    Returns:
        A row for each network whose log was published, in the paper's order: dataset, model; epochs, lr (the learning
        rate) and label_smoothing, as the paper's notebooks had them; shared_epochs, the length of the shortest log on
        the data set, and early_train_accuracy and early_val_accuracy after so many; train_accuracy and val_accuracy at
        the log's end (0-1).
    """
    logs, rows = published.epochs(), []
    ends = logs.groupby(NETWORK, sort=False).epoch.max()
    for dataset, model in ((d, m) for d in published.DATASETS for m in MODELS if (d, m) in ends.index):
        settings = Settings.of({"dataset": dataset, "model": model, "protocol": "published", "scale": "full"})
        log = published.epochs(dataset, model).set_index("epoch")
        early, end = log.loc[ends[dataset].min()], log.loc[ends[dataset, model]]
        rows.append(
            {
                "dataset": dataset,
                "model": model,
                "epochs": ends[dataset, model],
                "lr": settings.lr,
                "label_smoothing": settings.label_smoothing,
                "shared_epochs": ends[dataset].min(),
                "early_train_accuracy": early.train_accuracy,
                "early_val_accuracy": early.val_accuracy,
                "train_accuracy": end.train_accuracy,
                "val_accuracy": end.val_accuracy,
            }
        )
    return pd.DataFrame(rows)


def save(table: pd.DataFrame, file: Path, *, digits: int | None = 4, index: bool = False) -> None:
    """Write `table` as CSV, whole or not at all; make the folder if need be.

    Args:
        table: any of those above
        file: where to
        digits: after the decimal point; None: all there are
        index: write it too

    Raises:
        RunError: where the file cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_table(file, table if digits is None else table.round(digits), index=index)


def _labelled(suite: Suite, results: Path, left_out: Mapping[str, str] | None) -> list[tuple[str, Settings, Run]]:
    """Label, settings and run of each run, by data set and then by `MODELS`, otherwise in the order of the suite."""
    called = labels(suite)
    finished = finished_runs(suite, results, left_out)
    rows = [(called[name], suite.runs[name].settings, run) for name, run in finished.items()]
    order = {network: i for i, network in enumerate((d, m) for d in published.DATASETS for m in MODELS)}
    return sorted(rows, key=lambda row: order[row[1].dataset, row[1].model])


def _bases(suite: Suite, results: Path, left_out: Mapping[str, str] | None) -> pd.DataFrame:
    """A row for each run of a base network: dataset, model, train_loss at the chosen epoch, accuracies."""
    rows = []
    for label, settings, run in _labelled(suite, results, left_out):
        if label == settings.model:
            loss = run.history.set_index("epoch").train_loss[run.metrics["chosen_epoch"]]
            rows.append([settings.dataset, settings.model, loss, *(run.metrics[k] for k in ACCURACIES)])
    return pd.DataFrame(rows, columns=[*NETWORK, "train_loss", *ACCURACIES])


def _chosen(rows: Iterable[tuple[str, Settings, Run]]) -> list[tuple[str, Settings, Run]]:
    """For each data set, split and seed, the run of `wtmr` among `rows` with the best validation accuracy."""
    candidates: dict[tuple[str, str, int], list[tuple[Settings, Run]]] = {}
    for _, settings, run in rows:
        if settings.model != "wtmr":
            continue
        if run.metrics["val_accuracy"] is None:
            raise RunError(f"{run.folder} has no validation part to choose by: train it with a val_fraction above 0")
        candidates.setdefault((settings.dataset, run.settings["split"], settings.seed), []).append((settings, run))
    best = (max(alike, key=lambda pair: pair[1].metrics["val_accuracy"]) for alike in candidates.values())
    return [(CHOSEN, *pair) for pair in best]


def _costs(alike: Sequence[tuple[Settings, Run]]) -> dict[str, float]:
    """The last columns of `components`: means over runs, except the epochs, which are those of the first."""
    from wtmr_core.paper import cost  # takes torch, which most other tables do not need

    counts = [
        cost.cost_of_run(settings.dataset, settings.model, classes=len(run.classes), **settings.sizes())
        for settings, run in alike
    ]
    return {
        "params_m": np.mean([count.params for count in counts]) / 1e6,
        "gmacs": np.mean([count.macs for count in counts]) / 1e9,
        "epochs": alike[0][1].metrics["epochs"],
        "seconds": np.mean([run.metrics["seconds"] for _, run in alike]),
    }


def _pooled(network: str, alike: Iterable[Run], among: Collection[str] | None) -> tuple[pd.DataFrame, np.ndarray]:
    """Pool the test clips of runs that differ only in split and seed.

    Returns:
        The clips (split, name, group, label), sorted, and logits (s, b, k): seeds along the first axis, in order, and
        splits one after the other along the second. With `among`, only the clips of these names.
    """
    splits: dict[str, list[Run]] = {}
    for run in sorted(alike, key=lambda run: (run.settings["split"], run.settings["seed"])):
        splits.setdefault(run.settings["split"], []).append(run)
    if len({len(seeds) for seeds in splits.values()}) > 1:
        numbers = ", ".join(f"{split} {len(seeds)}" for split, seeds in splits.items())
        raise RunError(f"{network} has splits with other numbers of runs ({numbers}): train or leave out the others")
    clips, logits = [], []
    for split, seeds in splits.items():
        orders = [np.argsort(run.names, kind="stable") for run in seeds]
        tested = [
            pd.DataFrame({"split": split, "name": run.names[o], "group": run.groups[o], "label": run.labels[o]})
            for run, o in zip(seeds, orders, strict=True)
        ]
        if any(not rows.equals(tested[0]) for rows in tested) or len({run.classes for run in seeds}) > 1:
            raise RunError(f"the seeds of {network}, split {split}, were tested on other clips: leave all but one out")
        clips.append(tested[0])
        logits.append([run.logits[o] for run, o in zip(seeds, orders, strict=True)])
    pool = pd.concat(clips, ignore_index=True)
    rows = np.arange(len(pool)) if among is None else np.flatnonzero(pool.name.isin(among))
    if not len(rows):
        raise RunError(f"{network}: none of the clips asked for was tested")
    return pool.iloc[rows].reset_index(drop=True), np.concatenate(logits, axis=1)[:, rows]


def _renamed(figures: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return figures.rename(columns={c: f"{prefix}_{c}" for c in figures if c not in NETWORK})
