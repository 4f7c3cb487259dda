"""In no figure does a text or a legend cover another one, nor a legend the data, nor anything leave the canvas."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.layout import faults
from wtmr_core.datasets import ntu60
from wtmr_core.paper import figures, published
from wtmr_core.skeleton import PARTS

NTU = list(ntu60.ACTIONS)
HMDB = [
    "brush_hair", "cartwheel", "catch", "chew", "clap", "climb", "climb_stairs", "dive", "draw_sword", "dribble",
    "drink", "eat", "fall_floor", "fencing", "flic_flac", "golf", "handstand", "hit", "hug", "jump", "kick",
    "kick_ball", "kiss", "laugh", "pick", "pour", "pullup", "punch", "push", "pushup", "ride_bike", "ride_horse",
    "run", "shake_hands", "shoot_ball", "shoot_bow", "shoot_gun", "sit", "situp", "smile", "smoke", "somersault",
    "stand", "swing_baseball", "sword", "sword_exercise", "talk", "throw", "turn", "walk", "wave",
]  # fmt: skip
FOUR = ("released-wtmr", "released-wmrc", "released-timesformer", "wtmr")
VARIANTS = ["wtmr", *(f"wtmr {change}" for change in (
    "kernels=shared", "region_weights=uniform", "context=False", "time_encoding=False", "attention=space", "depth=0",
    "cnn=False backbone_frozen=32 backbone_lr=1.0 epochs=20 mixup=0.2"))]  # fmt: skip


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def clips_by_class(classes: list[str]) -> dict[str, dict[str, int]]:
    return {name: {"train": 40 + 7 * (k % 9), "val": k % 5, "test": 10 + k % 4} for k, name in enumerate(classes)}


def joints(clips: int, frames: int) -> np.ndarray:
    return rng().normal(size=(clips, frames, 2, 25, 3)).astype(np.float32)


def matrix(classes: list[str]) -> pd.DataFrame:
    counts = rng().integers(0, 4, (len(classes), len(classes))) + 1100 * np.eye(len(classes), dtype=int)
    return pd.DataFrame(counts, pd.Index(classes, name="true"), pd.Index(classes, name="predicted"))


def history(epochs: int, validated: bool = True) -> pd.DataFrame:
    falling = np.linspace(1, 0, epochs)
    curves = {"train_loss": 2 * falling, "train_accuracy": 1 - falling, "val_loss": 2.5 * falling + 0.5,
              "val_accuracy": 0.7 - 0.6 * falling}  # fmt: skip
    hidden = {} if validated else {"val_loss": np.nan, "val_accuracy": np.nan}
    return pd.DataFrame({"epoch": np.arange(epochs) + 1} | curves | hidden)


def networks(*sets: str, runs: int = 1) -> pd.DataFrame:
    """A row for each network and data set, with the published values and measured ones."""
    table = pd.DataFrame([(name, model) for name in sets for model in FOUR], columns=["dataset", "model"])
    paper = published.ablation().rename(columns=lambda c: c if c in ("dataset", "model") else f"published_{c}")
    table = table.merge(paper, "left", ["dataset", "model"]).assign(runs=runs)
    for what, values in {"train_loss": 2, "train_accuracy": 1, "test_accuracy": 0.9}.items():
        table[what] = rng().uniform(0.1, 1, len(table)) * values
        table[f"{what}_low"], table[f"{what}_high"] = table[what] * 0.9, table[what] * 1.05
    costs = {"complete_gmacs": [98.2, 15.3, 224.4, 92.3] * len(sets), "measured_gmacs": [0.056, 0.042, 0.038, 0.04]}
    return table.assign(
        measured_test_accuracy=table.test_accuracy, **{k: np.resize(v, len(table)) for k, v in costs.items()}
    )


def compared(*sets: str, labels: list[str] = FOUR) -> pd.DataFrame:
    table = pd.DataFrame([(name, label.split(" ")[0], label) for name in sets for label in labels],
                         columns=["dataset", "model", "label"])  # fmt: skip
    for figure, middle in {
        "top1": rng().uniform(0.2, 0.98, len(table)),
        "difference": rng().normal(0, 0.1, len(table)),
    }.items():
        table[figure] = np.where((table.label == "wtmr") & (figure == "difference"), np.nan, middle)
        table[f"{figure}_low"], table[f"{figure}_high"] = table[figure] - 0.05, table[figure] + 0.04
    return table


def printed() -> pd.DataFrame:
    table = published.ablation().dropna(subset=["val_accuracy"])
    table = table.rename(columns={"train_accuracy": "printed", "val_accuracy": "log_val"})
    return table.assign(val_low=table.log_val - 0.05, val_high=table.log_val + 0.05)


ALL = ("hmdb51", "ntu60", "svideoqa")
NOTHING = {"published_train_loss": np.nan, "published_train_accuracy": np.nan, "published_val_accuracy": np.nan}


def pictures(*shape: int) -> np.ndarray:
    return rng().integers(0, 255, shape, dtype=np.uint8)


def curves(validated: bool, paper: pd.DataFrame | None) -> Figure:
    return figures.learning_curves(history(20, validated), paper, "WTMR-Net on HMDB51", 0.125, "wtmr", (8, 51))


def weighted(clip: np.ndarray, regions: int, grid: tuple[int, int], title: str) -> Figure:
    return figures.weights(clip, rng().uniform(0.4, 1.8, (len(clip), regions)), grid, PARTS, title)


CASES: dict[str, Callable[[], Figure]] = {
    "counts of 8 classes": lambda: figures.counts(clips_by_class(HMDB[:8])),
    "counts of 60 classes": lambda: figures.counts(clips_by_class(NTU)),
    "clips of frames": lambda: figures.clips(
        pictures(4, 8, 60, 80, 3), ["a clip with a long name_f_nm_np1_fr.avi"] * 4
    ),
    "clips of joints": lambda: figures.clips(joints(4, 8), ["S001C001P001R001A058, walking towards each other"] * 4),
    "curves": lambda: curves(True, None),
    "curves beside the published": lambda: curves(False, published.epochs("hmdb51", "released-wtmr")),
    "a matrix of 8": lambda: figures.confusion({"WTMR-Net on HMDB51: 288 clips": matrix(HMDB[:8])}),
    "a matrix of 51": lambda: figures.confusion({"WTMR-Net on HMDB51: 1530 clips": matrix(HMDB)}),
    "a matrix of 60": lambda: figures.confusion({"WTMR-Net on NTU RGB+D: 16 487 clips": matrix(NTU)}),
    "two matrices": lambda: figures.confusion(
        {"these runs: 288 clips": matrix(NTU[:5]), "published": matrix(NTU[53:59])}
    ),
    "two larger matrices": lambda: figures.confusion({"these runs": matrix(NTU[:9]), "published": matrix(HMDB[:12])}),
    "ablation of three": lambda: figures.ablation(networks(*ALL)),
    "ablation of one, several runs": lambda: figures.ablation(networks("ntu60", runs=3)),
    "ablation, nothing published": lambda: figures.ablation(networks("hmdb51").assign(**NOTHING)),
    "cost of three": lambda: figures.accuracy_cost(networks(*ALL)),
    "cost of one": lambda: figures.accuracy_cost(networks("hmdb51")),
    "intervals of three": lambda: figures.intervals(compared(*ALL)),
    "intervals of variants": lambda: figures.intervals(compared("hmdb51", labels=VARIANTS), title="Every clip"),
    "intervals of variants of two networks": lambda: figures.intervals(
        compared("hmdb51", labels=[*VARIANTS, "linear", "linear backbone_frozen=32 backbone_lr=1.0"])
    ),
    "differences": lambda: figures.intervals(compared("hmdb51", "ntu60", labels=VARIANTS[1:]), "difference"),
    "printed accuracies": lambda: figures.printed_accuracies(printed()),
    "weights of frames": lambda: weighted(pictures(4, 64, 64, 1), 9, (3, 3), "HMDB51: fall floor"),
    "weights of many frames": lambda: weighted(pictures(8, 64, 64, 3), 4, (2, 2), "SVideoQA: sitting"),
    "weights of parts": lambda: weighted(joints(1, 8)[0], 10, (1, 5), "NTU RGB+D: hand waving"),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_covers_anything(case):
    fig = CASES[case]()
    assert fig.get_figwidth() == figures.WIDTH
    assert not faults(fig)


def test_what_overlaps_is_found():
    fig = Figure((3, 2))
    ax = fig.subplots()
    ax.plot([0, 1], [0, 1], label="a line")
    assert not faults(fig)
    ax.legend(loc="center")
    ax.text(0.1, 0.5, "one")
    ax.text(0.12, 0.5, "two")
    ax.text(0.1, 0.7, "far too long for so small a canvas, and so it leaves it")
    found = faults(fig)
    assert "'one' covers 'two'" in found
    assert "a legend covers panel 1" in found
    assert [fault for fault in found if "leaves the canvas" in fault]
