"""What one run is: every setting, read strictly, with the defaults of each protocol and scale."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from wtmr_core.literals import DIGITS, LiteralError, read, shown

DATASETS = ("hmdb51", "ntu60", "svideoqa")
MODELS = ("wtmr", "released-wtmr", "released-wmrc", "released-timesformer")
PROTOCOLS = ("published", "corrected")
SCALES = ("mini", "full")


class SettingsError(ValueError):
    """A setting that is unknown or cannot be; the message names it."""


@dataclass(frozen=True)
class Settings:
    """One run. The comments are the documentation; `Settings.of` fills what is not given.

    Raises `SettingsError` for an impossible value, naming the key.
    """

    dataset: str  # hmdb51, ntu60 or svideoqa
    model: str  # wtmr: as the paper describes it; released-wtmr, released-wmrc, released-timesformer: as released
    protocol: str  # published: as the paper's notebooks did; corrected: official splits, honest measurement
    # hmdb51: 1, 2, 3, manifest, fold-1 to fold-5; ntu60: cross-subject, cross-view; svideoqa: sequence; - for none;
    # auto: the first there
    split: str
    seed: int  # of the weights, the draw of the parts, the order of clips, augmentation and dropout
    scale: str  # mini: small networks on small pictures; full: the paper's sizes

    # a clip
    frames: int  # frames the network sees
    stored_frames: int  # frames the cache holds of a clip; more than `frames` gives jitter in time
    size: int  # height and width of a frame in pixels; joints have none: 0

    # the network; None is as released, of wtmr the default of models.wtmr.build
    width: int | None
    depth: int | None  # attention blocks; of wtmr, 0 is none
    heads: int | None
    conv_channels: tuple[int, int] | None
    dropout: float | None
    drop_path: float  # stochastic depth: how likely the last block is left out; it rises from 0 in the first of several

    # of wtmr alone; the released networks have no such parts
    cnn: bool  # false: no CNN, tokens straight from frames or joints
    regions: tuple[int, int]  # the grid, down and across; joints have their five body parts
    kernels: str  # own: of each region; shared: of all
    weights: str  # learned: of each region in each frame, from region and context; uniform
    context: bool  # the branch over the whole frame or body
    motion: bool  # the difference to the frame before as input; of joints also their bones
    patch: int | None  # side of a patch in cells of the map; of joints, frames of a body part; None is 8, of joints 2
    time_encoding: bool
    attention: str  # joint over space and time, divided, or over space alone
    backbone: str | None  # a network of timm under the regions of frames
    backbone_weights: str | None  # a local file in timm's layout; none: random
    timesformer_weights: str | None  # a local file in Hugging Face's layout; none: random

    # training
    epochs: int
    batch_size: int
    accumulate: int  # batches per step of the optimizer
    lr: float
    weight_decay: float
    schedule: str  # plateau: halve after 5 epochs without a lower validation loss; cosine: down to zero; constant
    warmup_epochs: int  # of linear warm-up, before cosine or constant
    label_smoothing: float
    clip_norm: float | None  # the largest norm of the gradient
    average: float  # of the weights over steps: decay of the moving average that is evaluated and kept; 0 is none
    mixup: float  # Beta(mixup, mixup) says how two clips are blended; 0 is not at all
    val_fraction: float  # of train, cut off for validation (corrected); 0: none, and the last epoch counts
    # whose weights are kept, see `epochs.chosen_epoch`. last; smoothed: the best mean validation accuracy over five
    # epochs, where there are enough clips to tell; best: the best single one, which one clip can decide
    epoch_choice: str
    views: int  # of a clip in evaluation, other frames of it each; their probabilities are averaged
    precision: str  # auto: by hardware; fp32, bf16, fp16

    # augmentation; published draws it anew for each frame and validates through it, corrected once per clip
    flip: float  # probability of a mirrored clip; corrected spares classes that name left or right
    rotate: float  # largest angle in degrees; of joints, about the vertical axis
    tilt: float  # largest angle in degrees about the camera's axis, of joints
    shift: float  # largest shift, in parts of the picture
    zoom: float  # largest magnification is 1 + zoom; joints are scaled by up to 1 ± zoom
    jitter: float  # brightness, contrast (and colour) by up to 1 ± jitter
    noise: float  # standard deviation added to joints, in metres
    drop: float  # probability that a joint of a clip is dropped: it lies on the one it hangs on

    # where and how it runs, not what it is: no part of a run's name
    device: str = field(default="auto", metadata={"identity": False})  # auto, cpu, cuda, cuda:1
    workers: int = field(default=0, metadata={"identity": False})  # processes that decode; 0 is one a core
    threads: int = field(default=0, metadata={"identity": False})  # of torch on the CPU, a process; 0 is torch's choice
    processes: int = field(default=1, metadata={"identity": False})  # that share each batch, on one machine
    nodes: int = field(default=1, metadata={"identity": False})  # machines with so many processes each; needs SLURM

    def __post_init__(self) -> None:
        for key in _kinds():
            _check_type(key, getattr(self, key))
        for key in CHOICES:
            _check_choice(key, getattr(self, key))
        for key, (low, high) in RANGES.items():
            value = getattr(self, key)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"{key} is {shown(value)}; it must lie between {low:g} and {high:g}")
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise SettingsError(f"device is {shown(self.device)}; it can be auto, cpu, cuda or cuda:1")
        if not self.val_fraction and self.schedule == "plateau":
            raise SettingsError("val_fraction is 0; schedule plateau needs a validation part")
        if not self.val_fraction and self.epoch_choice != "last":
            raise SettingsError(f"val_fraction is 0; epoch_choice {self.epoch_choice} needs a validation part")
        if self.warmup_epochs and self.schedule == "plateau":
            raise SettingsError("warmup_epochs is not 0; schedule plateau has no warm-up")
        if self.protocol == "published" and self.val_fraction != 0.2:
            raise SettingsError(f"val_fraction is {self.val_fraction}; the published protocol draws 0.2")
        if self.stored_frames < self.frames:
            raise SettingsError(f"stored_frames is {self.stored_frames}, less than the {self.frames} frames")
        if self.views > 1 and self.stored_frames < self.views * self.frames:
            raise SettingsError(f"views is {self.views}; that many of {self.frames} frames need stored_frames of "
                                f"{self.views * self.frames}, found {self.stored_frames}")  # fmt: skip
        extra = [key for key, none in CORRECTED_ONLY.items() if getattr(self, key) != none]
        if self.protocol == "published" and extra:
            raise SettingsError(f"{extra[0]} is {getattr(self, extra[0])}; the published protocol has none")
        usual = defaults(self.dataset, self.model, self.protocol, self.scale)
        for key, why in self._idle().items():
            if getattr(self, key) != usual[key]:
                raise SettingsError(f"{key} is {shown(getattr(self, key), quotes=False)}; {why}")
        if (self.dataset == "ntu60") != (self.size == 0):
            raise SettingsError(f"size is {self.size}; ntu60 has joints, so 0, the others pictures, so more")

    def _idle(self) -> dict[str, str]:
        """The settings that this network has no part for, and why: set, they would name another run of the same."""
        if self.model != "wtmr":
            idle = dict.fromkeys(DESCRIBED, f"{self.model} has no such part, only wtmr has")
            return idle | ({"drop_path": f"{self.model} has no blocks"} if self.model == "released-wmrc" else {})
        idle = {} if self.backbone else {"backbone_weights": "there is no backbone for them"}
        if self.depth == 0:
            parts = ("attention", "drop_path", "timesformer_weights")
            idle |= dict.fromkeys(parts, "depth is 0, so there are no blocks")
        if self.dataset == "ntu60":
            idle |= dict.fromkeys(("regions", "backbone"), "the regions of joints are body parts")
        if not self.cnn:
            parts = ("regions", "kernels", "weights", "context", "motion", "backbone")
            idle |= dict.fromkeys(parts, "cnn is off")
        return idle

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """The settings `given`, completed by the defaults of their data set, model, protocol and scale.

        `None` means the default. Lists become tuples. Raises `SettingsError` for an unknown key (with the
        nearest known one) or an impossible value.
        """
        for key in given:
            if key not in _kinds():
                raise SettingsError(unknown(key, _kinds()))
        given = {key: _converted(key, value) for key, value in given.items() if value is not None}
        for key, value in given.items():
            _check_type(key, value)
        chosen = {"model": "wtmr", "protocol": "corrected", "seed": 0, "scale": "full"} | given
        if "dataset" not in chosen:
            raise SettingsError(f"dataset is not given; it can be {', '.join(DATASETS)}")
        for key in ("dataset", "model", "protocol", "scale"):
            _check_choice(key, chosen[key])
        values = defaults(*(chosen[k] for k in ("dataset", "model", "protocol", "scale"))) | chosen
        if "frames" in given and "stored_frames" not in given:
            values["stored_frames"] = max(values["frames"], values["stored_frames"])
        if not values["val_fraction"] and "epoch_choice" not in given:
            values["epoch_choice"] = "last"
        return cls(**values)

    def asdict(self) -> dict[str, Any]:
        """Every setting, as JSON and YAML hold it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The settings that make a run what it is: all but where and how it runs."""
        values = self.asdict()
        return {f.name: values[f.name] for f in fields(self) if f.metadata.get("identity", True)}

    def sizes(self) -> dict[str, Any]:
        """What `models.build` takes of these settings, by its own names."""
        keys = (*SIZES, *(DESCRIBED if self.model == "wtmr" else ()), *(("size",) if self.size else ()))
        return {key: getattr(self, key) for key in keys}

    def name(self, data: str) -> str:
        """The run's folder name; `data` is the fingerprint of the data it trains on (`Index.fingerprint`).

        A setting that came later and is as before does not count: earlier runs keep their names."""
        settings = self.identity()
        counted = {k: v for k, v in settings.items() if k not in LATER or v != LATER[k](settings)}
        digest = hashlib.sha256(json.dumps([counted, data], sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.dataset}-{self.model}-{self.protocol}-s{self.seed}-{digest}"


CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": DATASETS,
    "model": MODELS,
    "protocol": PROTOCOLS,
    "scale": SCALES,
    "schedule": ("plateau", "cosine", "constant"),
    "kernels": ("own", "shared"),
    "weights": ("learned", "uniform"),
    "attention": ("joint", "divided", "space"),
    "precision": ("auto", "fp32", "bf16", "fp16"),
    "epoch_choice": ("last", "smoothed", "best"),
}
#: settings that came after the first kept runs: what these were trained with, from their other settings
LATER: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "epoch_choice": lambda s: "last" if s.get("protocol") == "published" or not s.get("val_fraction") else "best",
}
#: what every network can be built with, and what the described one has beside
SIZES = ("frames", "width", "depth", "heads", "conv_channels", "dropout", "drop_path")
DESCRIBED = ("cnn", "regions", "kernels", "weights", "context", "motion", "patch", "time_encoding", "attention",
             "backbone", "backbone_weights", "timesformer_weights")  # fmt: skip
#: what the paper's notebooks did not do, and as what it was not done
CORRECTED_ONLY = {"epoch_choice": "last", "average": 0, "mixup": 0, "tilt": 0, "drop": 0, "drop_path": 0, "views": 1}
_MANY = 10**6
_WIDEST = 8192
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1), "frames": (1, 1024), "stored_frames": (1, 1024), "size": (0, 4096),
    "width": (1, _WIDEST), "depth": (0, 256), "heads": (1, 256), "dropout": (0, 0.99), "drop_path": (0, 0.99),
    "patch": (1, 1024), "average": (0, 0.999999), "mixup": (0, 10), "views": (1, 64),
    "epochs": (1, _MANY), "batch_size": (1, _MANY), "accumulate": (1, _MANY),
    "lr": (1e-12, 10), "weight_decay": (0, 10), "warmup_epochs": (0, _MANY), "label_smoothing": (0, 0.99),
    "clip_norm": (1e-9, _MANY), "val_fraction": (0, 0.5),
    "flip": (0, 1), "rotate": (0, 180), "shift": (0, 1), "zoom": (0, 0.9), "jitter": (0, 0.99), "noise": (0, 1),
    "tilt": (0, 180), "drop": (0, 0.9),
    "workers": (0, 1024), "threads": (0, 1024), "processes": (1, 1024), "nodes": (1, 1024),
}  # fmt: skip


def defaults(dataset: str, model: str, protocol: str, scale: str) -> dict[str, Any]:
    """The settings of a run that names no more than these four.

    Published at full scale: the paper's notebooks (`protocol.md`: batch 4, AdamW). WMRC-Net's notebooks are
    not published; its runs take WTMR-Net's settings and the published number of epochs.
    """
    joints = dataset == "ntu60"
    values: dict[str, Any] = {
        "split": "auto",
        "frames": 16, "stored_frames": 16, "size": 0 if joints else 224,
        "width": None, "depth": None, "heads": None, "conv_channels": None, "dropout": None,
        "drop_path": 0.0, "cnn": True, "regions": (2, 2), "kernels": "own", "weights": "learned", "context": True,
        "motion": True, "patch": None, "time_encoding": True, "attention": "joint",
        "backbone": None, "backbone_weights": None, "timesformer_weights": None,
        "average": 0.0, "mixup": 0.0, "views": 1,
        "batch_size": 4, "accumulate": 1, "warmup_epochs": 0, "label_smoothing": 0.0, "clip_norm": None,
        "val_fraction": 0.15, "epoch_choice": "smoothed", "precision": "auto",
        "flip": 0.0, "rotate": 0.0, "shift": 0.0, "zoom": 0.0, "jitter": 0.0, "noise": 0.0, "tilt": 0.0, "drop": 0.0,
    }  # fmt: skip
    if protocol == "published":
        values |= {"schedule": "plateau", "split": "-", "val_fraction": 0.2, "epoch_choice": "last"}
        if dataset == "svideoqa":
            values |= {"lr": 3e-4, "weight_decay": 2e-4, "epochs": 30}
        elif model == "released-timesformer":
            values |= {"lr": 1e-4, "weight_decay": 1e-4, "epochs": 10}
            if joints:
                values |= {"lr": 5e-4, "epochs": 30, "schedule": "cosine", "accumulate": 2, "label_smoothing": 0.1,
                           "clip_norm": 1.0}  # fmt: skip
        else:
            values |= {"lr": 1e-4, "weight_decay": 1e-3, "epochs": 40 if joints else 50, "accumulate": 2}
        if not joints:
            values |= {
                "flip": 0.5,
                "rotate": 10.0,
                "jitter": 0.2,
                "shift": 0.05 if dataset == "svideoqa" else 0.0,
            }
    else:
        values |= {"lr": 3e-4, "weight_decay": 0.05, "epochs": 50, "schedule": "cosine", "warmup_epochs": 5,
                   "batch_size": 32, "clip_norm": 1.0, "label_smoothing": 0.1, "flip": 0.5}  # fmt: skip
        values |= (
            {"rotate": 30.0, "zoom": 0.15, "noise": 0.005, "stored_frames": 32}
            if joints
            else {"rotate": 10.0, "zoom": 0.3, "shift": 0.1, "jitter": 0.3}
        )
    if scale == "mini":
        values |= {"size": 0 if joints else 64, "frames": 16 if joints else 8, "width": 64 if joints else 96,
                   "depth": 2, "heads": 4, "conv_channels": (32, 64) if joints else (16, 32),
                   "batch_size": 16, "accumulate": 1, "epochs": {"hmdb51": 20, "ntu60": 20, "svideoqa": 16}[dataset],
                   "lr": 1e-3, "warmup_epochs": 0, "threads": 1}  # fmt: skip
        values["stored_frames"] = values["frames"]
        if protocol == "corrected":  # a minute is too short for what makes long runs better
            values |= {"warmup_epochs": 2, "weight_decay": 0.01, "label_smoothing": 0.0, "dropout": 0.1}
            # too few clips to choose an epoch by: nothing is chosen, and the average of the weights is kept
            values |= {"val_fraction": 0.0, "average": 0.98}
            values |= (
                {"rotate": 10.0, "zoom": 0.1, "noise": 0.01}
                if joints
                else {"rotate": 0.0, "zoom": 0.1, "shift": 0.05, "jitter": 0.1}
            )
    return values


def from_notebook(names: Mapping[str, Any], parameters: typing.Iterable[str]) -> dict[str, Any]:
    """The `parameters` of a notebook from its `globals()`, in which nothing else may have been set.

    papermill only warns about an unknown parameter and goes on with the defaults; here it is a
    `SettingsError`. Call it in the cell after the parameters, before anything else is named; when cells are
    run again in a living kernel, what was not there the first time is the notebook's own.
    """
    parameters = set(parameters)
    if _CHECKED in names:
        return {key: names[key] for key in parameters}
    for key, value in names.items():
        ours = key.startswith("_") or key in _IPYTHON or isinstance(value, types.ModuleType | types.FunctionType)
        if not ours and key not in parameters:
            raise SettingsError(unknown(key, parameters))
    if isinstance(names, dict):
        names[_CHECKED] = True
    return {key: names[key] for key in parameters}


def from_pairs(pairs: typing.Iterable[str]) -> dict[str, Any]:
    """The settings of a command line's `KEY=VALUE`s: values are read as in a suite, and `split` stays text. Of a key
    given again the last value counts, as shells' users expect of options.

    Raises `SettingsError`, naming the pair, for one that is no such thing or has no value.
    """
    given: dict[str, Any] = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        if not key or not text.strip():
            raise SettingsError(f"{shown(pair)} is not KEY=VALUE, such as epochs=3; null is the default")
        try:
            given[key] = text if key == "split" else read(text)
        except LiteralError as error:
            raise SettingsError(f"{shown(pair)} is not KEY=VALUE: {error}") from error
    return given


def to_pairs(settings: Settings) -> list[str]:
    """The `KEY=VALUE`s of a command line that `from_pairs` reads as these settings."""
    given = {key: value for key, value in settings.asdict().items() if value is not None}
    return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]


def unknown(key: Any, known: typing.Iterable[str]) -> str:
    """A sentence that says `key` is not one of `known`, with the nearest of them."""
    name = shown(key, quotes=False)
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no setting '{name}'" + (
        f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
    )


#: what a training notebook takes: where data and results lie, the run's name in a suite, and every setting
PARAMETERS = frozenset({"root", "results", "name"} | {f.name for f in fields(Settings)})
_CHECKED = "_wtmr_parameters_checked"
_IPYTHON = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open"})
_FLOATS = frozenset(f.name for f in fields(Settings) if "float" in str(f.type))


@functools.cache
def _kinds() -> dict[str, tuple[Any, ...]]:
    """The types that each setting may have."""
    hints = typing.get_type_hints(Settings)
    return {k: typing.get_args(v) if isinstance(v, types.UnionType) else (v,) for k, v in hints.items()}


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _converted(key: str, value: Any) -> Any:
    """A value as JSON and YAML hold it, as the type of its setting where it can only be that."""
    if isinstance(value, list):
        return tuple(value)
    if _is_int(value) and abs(value) < 10**DIGITS:
        return str(value) if key == "split" else float(value) if key in _FLOATS else value
    return value


def _check_type(key: str, value: Any) -> None:
    for kind in _kinds()[key]:
        if typing.get_origin(kind) is tuple:
            size = len(typing.get_args(kind))
            if isinstance(value, tuple) and len(value) == size and all(_is_int(v) and 0 < v <= _WIDEST for v in value):
                return
        elif isinstance(value, kind) and not (isinstance(value, bool) and kind is int):
            return
    wanted = " or ".join(_wanted(kind) for kind in _kinds()[key])
    raise SettingsError(f"{key} is {shown(value)}; it must be {wanted}")


def _wanted(kind: Any) -> str:
    """A type in words."""
    if typing.get_origin(kind) is tuple:
        return f"{len(typing.get_args(kind))} whole numbers from 1 to {_WIDEST}"
    return "nothing" if kind is type(None) else kind.__name__


def _check_choice(key: str, value: str) -> None:
    if value not in CHOICES[key]:
        raise SettingsError(f"{key} is {shown(value)}; it can be {', '.join(CHOICES[key])}")
