"""The settings of a run: read strictly, and completed by the presets of its protocol and scale."""

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

from wtmr_core import presets
from wtmr_core.literals import DIGITS, shown
from wtmr_core.modality import MODALITIES, OWN, has_joints

DATASETS = tuple(MODALITIES)
MODELS = ("wtmr", "released-wtmr", "released-wmrc", "released-timesformer", "temporal", "linear", "logistic")
RELEASED = MODELS[1:4]
#: baselines over a backbone
PROBES = ("linear", "logistic")
PROTOCOLS = ("published", "corrected")
SCALES = ("mini", "full")


class SettingsError(ValueError):
    """An unknown setting or an impossible value; the message names the setting."""


@dataclass(frozen=True)
class Settings:
    """One run. The comments are the documentation; `Settings.of` fills what is not given.

    Raises `SettingsError` for an impossible value, naming the key.
    """

    # hmdb51, ntu60 or svideoqa; of one's own: folder, class folders of videos or frames, and skeletons
    dataset: str
    # wtmr: as the paper describes it; released-wtmr, released-wmrc, released-timesformer: as released; temporal: a
    # plain CNN over time, for joints alone; linear: the mean of a backbone's map, and one linear layer; logistic: the
    # same, fitted by logistic regression
    model: str
    # the preset of what follows. published: as the paper's notebooks did; corrected: official splits, honest measures
    protocol: str
    # hmdb51: 1, 2, 3, manifest, fold-1 to fold-5; ntu60: cross-subject, cross-view; svideoqa: sequence; of one's own:
    # folders, manifest, cut, cut-1 to cut-9999, fold-1 to fold-5; - for none; auto: the first that can be read
    split: str
    seed: int  # of the weights, the order of clips, augmentation, dropout and what is sampled for validation
    scale: str  # mini: small networks on small pictures; full: the paper's sizes

    # what is read, and which part of it trains
    reader: str  # published: with the recordings and labels that the paper's notebooks lost or mixed up; corrected
    parts: str  # official: train and test of the split; sampled: clips at random for validation, which is also test
    val_fraction: float  # of train put aside for validation, or of what is sampled; 0: none, and the last epoch counts

    # a clip
    frames: int  # frames the network sees
    stored_frames: int  # frames the cache holds of a clip; more than `frames` gives jitter in time
    size: int  # height and width of a frame in pixels; joints have none: 0
    colour: bool | None  # frames in colour; None: as the paper reads the data set, HMDB51 in grey
    centre_joints: bool  # on the first body's spine, in the first frame it is seen; else as the camera has them
    # less the mean of the first body's hips, in lengths of its trunk, thigh and shin; so is `joint_noise` then
    normalise_joints: bool

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
    region_weights: str  # learned: of each region in each frame, from region and context; uniform
    context: bool  # the branch over the whole frame or body
    motion: bool  # the difference to the frame before as input; of joints also their bones
    patch: int | None  # side of a patch in cells of the map; of joints, frames of a body part; None is 8, of joints 2
    time_encoding: bool
    attention: str  # joint over space and time, divided, or over space alone
    timesformer_weights: str | None  # a local file in Hugging Face's layout; none: random

    # the backbone under wtmr, linear and logistic, of frames alone
    backbone: str | None  # a network of timm
    backbone_weights: str | None  # package, hub, or a local file in timm's layout; none: random
    backbone_stage: int  # the side of a frame over that of the map that is used, such as 32
    backbone_frozen: int  # its layers up to this stage keep their weights; 0: none of them
    backbone_lr: float  # the learning rate of its other layers, in parts of `lr`
    backbone_start: int  # epochs before these train, too
    # views of each clip whose frozen maps are cached: the first as it is, the others augmented, to train on; with 1,
    # training has no augmentation; with 0, nothing is cached
    backbone_views: int

    # training
    epochs: int
    batch_size: int
    accumulate: int  # batches per step of the optimizer
    lr: float
    weight_decay: float
    schedule: str  # plateau: halve after 5 epochs without a lower validation loss; cosine: down to zero; constant
    lr_per: str  # the learning rate of cosine and warm-up changes with each batch or epoch
    warmup_epochs: int  # of linear warm-up, before cosine or constant
    label_smoothing: float
    max_grad_norm: float | None  # a longer gradient is cut to this norm
    unscale_gradients: bool  # before that; false: their norm is taken as fp16 scales it, as released
    ema_decay: float  # of the moving average of the weights, which is then evaluated and kept; 0 is none
    mixup: float  # Beta(mixup, mixup) says how two clips are blended; 0 is not at all
    precision: str  # auto: fp32 on the CPU, on a GPU `half_precision`; fp32, bf16, fp16
    half_precision: str  # bf16 where the GPU has it built in, else fp16; fp16: always

    # evaluation
    # whose weights are kept, see `epochs.chosen_epoch`. last; smoothed: the best mean validation accuracy over five
    # epochs, where there are enough clips to tell; best: the best single one, which one clip can decide
    epoch_choice: str
    views: int  # of a clip in evaluation, other frames of it each; their probabilities are averaged
    train_accuracy: str  # running: through augmentation and dropout, on the way; evaluated: with the weights kept
    augment_evaluation: bool  # validation and test go through the augmenting transform, as the paper's did

    # augmentation
    augment_per: str  # clip: numbers are drawn once for its frames, so that motion stays motion; frame: for each anew
    flip: float  # probability of a mirrored clip
    spare_sided: bool  # never mirror a clip whose class names left, right or clockwise
    rotate: float  # largest angle in degrees; of joints, about the vertical axis
    tilt: float  # largest angle in degrees about the camera's axis, of joints
    shift: float  # largest shift, in parts of the picture
    zoom: float  # largest magnification is 1 + zoom; joints are scaled by up to 1 ± zoom
    jitter: float  # brightness, contrast (and colour) by up to 1 ± jitter
    joint_noise: float  # standard deviation added to joints, in metres
    joint_dropout: float  # probability that a joint of a clip is dropped: it lies on the one it hangs on

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
        self._check_together()
        usual = _presets(self.dataset, self.model, self.protocol, self.scale)
        for key, why in self._idle().items():
            if getattr(self, key) != usual[key]:
                raise SettingsError(f"{key} is {shown(getattr(self, key), quotes=False)}; {why}")

    def _check_together(self) -> None:
        """Raise `SettingsError` for settings that exclude each other."""
        if not self.val_fraction:
            if self.parts == "sampled":
                raise SettingsError("val_fraction is 0; parts sampled needs a share to sample, such as 0.2")
            if self.schedule == "plateau":
                raise SettingsError("val_fraction is 0; schedule plateau needs a validation part")
            if self.epoch_choice != "last":
                raise SettingsError(f"val_fraction is 0; epoch_choice {self.epoch_choice} needs a validation part")
        if self.model == "temporal" and not has_joints(self.dataset):
            raise SettingsError(f"model is temporal, which takes joints; for {self.dataset} it can be wtmr")
        if self.model in PROBES and has_joints(self.dataset):
            raise SettingsError(f"model is {self.model}, which takes frames; for {self.dataset} it can be wtmr")
        if self.model in PROBES and not self.backbone:
            raise SettingsError(f"model is {self.model}, which needs a backbone, such as mobilenetv2_100")
        if self.model == "logistic":
            self._check_logistic()
        if self.backbone_frozen and not self.backbone_weights:
            raise SettingsError(
                f"backbone_frozen is {self.backbone_frozen}, but there are no backbone_weights; random ones must train"
            )
        if self.backbone_start and self.schedule == "plateau":
            raise SettingsError("backbone_start is not 0; schedule plateau has one learning rate for all layers")
        if self.dataset in OWN and self.model in RELEASED:
            able = "wtmr or temporal" if has_joints(self.dataset) else "wtmr"
            raise SettingsError(
                f"model is {self.model}, which was released for the paper's data sets only; for "
                f"{self.dataset} it can be {able}"
            )
        if self.parts == "official" and self.split == "-":
            raise SettingsError("split is -, which has no train and test; parts official needs one, such as auto")
        if self.warmup_epochs and self.schedule == "plateau":
            raise SettingsError("warmup_epochs is not 0; schedule plateau has no warm-up")
        if self.stored_frames < self.frames:
            raise SettingsError(f"stored_frames is {self.stored_frames}, less than the {self.frames} frames")
        if self.views > 1 and self.stored_frames < self.views * self.frames:
            raise SettingsError(
                f"views is {self.views}; that many of {self.frames} frames need stored_frames of "
                f"{self.views * self.frames}, found {self.stored_frames}"
            )
        if has_joints(self.dataset) != (self.size == 0):
            raise SettingsError(
                f"size is {self.size}; {self.dataset} has "
                + ("joints, so it must be 0" if has_joints(self.dataset) else "pictures, so it must be more")
            )

    def _check_logistic(self) -> None:
        """Raise `SettingsError` for what a regression, which is fitted at once, cannot have."""
        if not self.backbone_frozen or self.backbone_frozen != self.backbone_stage:
            raise SettingsError(
                f"model is logistic, which needs a backbone that is frozen: backbone_frozen {self.backbone_stage}"
            )
        for key, value in LOGISTIC.items():
            if getattr(self, key) != value:
                raise SettingsError(f"{key} is {shown(getattr(self, key))}; with model logistic it must be {value}")

    def _idle(self) -> dict[str, str]:
        """The settings that have no effect here, and why: if set, they would name another run of the same."""
        joints = has_joints(self.dataset)
        if joints:
            idle = {"augment_per": "joints are augmented by clip"}
        else:
            idle = dict.fromkeys(("centre_joints", "normalise_joints"), f"{self.dataset} has no joints")
        if not self.backbone:
            idle |= dict.fromkeys(BACKBONE[1:], "there is no backbone")
        elif not self.backbone_frozen:
            idle["backbone_views"] = "no layer is frozen"
        if self.backbone and self.backbone_frozen == self.backbone_stage:
            idle |= dict.fromkeys(("backbone_lr", "backbone_start"), "the whole backbone is frozen")
        if self.dataset not in PUBLISHED_READERS:
            idle["reader"] = f"both readings of {self.dataset} are the same"
        if self.model != "wtmr":
            idle |= dict.fromkeys(DESCRIBED, f"{self.model} has no such part, only wtmr has")
            if self.model in PROBES:
                none = f"{self.model} is one layer over a backbone"
                return idle | dict.fromkeys(("width", "depth", "heads", "conv_channels", "drop_path"), none)
            idle |= {"backbone": f"{self.model} has none"}
            if self.model in RELEASED:
                idle["colour"] = f"{self.model} takes frames as it was released"
            idle |= {"drop_path": f"{self.model} has no blocks"} if self.model in ("released-wmrc", "temporal") else {}
            if self.model == "temporal":
                idle |= {"heads": "temporal has no attention", "conv_channels": "width is what its convolutions have"}
            return idle
        if self.depth == 0:
            parts = ("attention", "drop_path", "timesformer_weights")
            idle |= dict.fromkeys(parts, "depth is 0, so there are no blocks")
        if joints:
            idle["regions"] = "the regions of joints are body parts"
            idle |= dict.fromkeys(("backbone", "colour"), f"{self.dataset} has no frames")
        if not self.cnn:
            parts = ("regions", "kernels", "region_weights", "context", "motion")
            idle |= dict.fromkeys(parts, "cnn is off")
        return idle

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Complete the settings in `values` by the presets of their protocol and scale (`presets.completed`).

        A value of `None` means the preset's. Lists become tuples, and old names (`RENAMED`) are accepted.

        Raises:
            SettingsError: for an unknown setting, with the nearest known name, and for an impossible value.

        >>> Settings.of({"dataset": "hmdb51", "epochs": 3}).model
        'wtmr'
        """
        for key in values:
            if key not in _kinds() and key not in RENAMED:
                raise SettingsError(unknown(key, _kinds()))
        values = {key: value for key, value in values.items() if value is not None}
        for old, new in RENAMED.items():
            if old in values and new in values:
                raise SettingsError(f"{old} is given, and so is {new}, which is its name now")
        values = {RENAMED.get(key, key): value for key, value in values.items()}
        values = {key: _converted(key, value) for key, value in values.items()}
        for key, value in values.items():
            _check_type(key, value)
        values = {"model": "wtmr", "protocol": "corrected", "seed": 0, "scale": "full"} | values
        if "dataset" not in values:
            raise SettingsError(f"dataset is not given; it can be {', '.join(DATASETS)}")
        for key in ("dataset", "model", "protocol", "scale"):
            _check_choice(key, values[key])
        completed = presets.completed(values)
        if "frames" in values and "stored_frames" not in values:
            completed["stored_frames"] = max(completed["frames"], completed["stored_frames"])
        return cls(**completed)

    def asdict(self) -> dict[str, Any]:
        """All settings as JSON and YAML represent them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The settings that make a run what it is: all except where and how it runs."""
        values = self.asdict()
        return {f.name: values[f.name] for f in fields(self) if f.metadata.get("identity", True)}

    def sizes(self, *, pretrained: bool = True) -> dict[str, Any]:
        """The arguments that `models.build` takes from these settings; `pretrained` includes those of `PRETRAINED`."""
        keys = [*SIZES, *(DESCRIBED if self.model == "wtmr" else ())]
        if self.size:
            keys += ["size"] if self.model in RELEASED else ["size", "colour", *BUILT]
        return {key: getattr(self, key) for key in keys if pretrained or key not in PRETRAINED}

    def name(self, data: str) -> str:
        """The name of the run's folder; `data` is the fingerprint of its clips (`Index.fingerprint`).

        A setting that was introduced later and has its neutral value does not count, so that earlier runs keep their
        names.
        """
        settings = self.identity()
        old_names = {new: old for old, new in RENAMED.items()}
        counted = {old_names.get(k, k): v for k, v in settings.items() if k not in LATER or v != LATER[k](settings)}
        digest = hashlib.sha256(json.dumps([counted, data], sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.dataset}-{self.model}-{self.protocol}-s{self.seed}-{digest}"


CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": DATASETS,
    "model": MODELS,
    "protocol": PROTOCOLS,
    "scale": SCALES,
    "schedule": ("plateau", "cosine", "constant"),
    "reader": ("published", "corrected"),
    "parts": ("official", "sampled"),
    "lr_per": ("batch", "epoch"),
    "half_precision": ("bf16", "fp16"),
    "train_accuracy": ("running", "evaluated"),
    "augment_per": ("clip", "frame"),
    "kernels": ("own", "shared"),
    "region_weights": ("learned", "uniform"),
    "attention": ("joint", "divided", "space"),
    "precision": ("auto", "fp32", "bf16", "fp16"),
    "epoch_choice": ("last", "smoothed", "best"),
}
#: settings by the names that they had when the first runs were kept
RENAMED = {
    "weights": "region_weights",
    "clip_norm": "max_grad_norm",
    "average": "ema_decay",
    "noise": "joint_noise",
    "drop": "joint_dropout",
}


def _by_protocol(published: Any, corrected: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda settings: published if settings.get("protocol") == "published" else corrected


#: settings that came after the first kept runs: what these were trained with, from their other settings
LATER: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "epoch_choice": lambda s: "last" if s.get("protocol") == "published" or not s.get("val_fraction") else "best",
    "reader": _by_protocol("published", "corrected"),
    "parts": _by_protocol("sampled", "official"),
    "centre_joints": _by_protocol(False, True),
    "lr_per": _by_protocol("epoch", "batch"),
    "unscale_gradients": _by_protocol(False, True),
    "half_precision": _by_protocol("fp16", "bf16"),
    "train_accuracy": _by_protocol("running", "evaluated"),
    "augment_evaluation": _by_protocol(True, False),
    "augment_per": _by_protocol("frame", "clip"),
    "spare_sided": _by_protocol(False, True),
    "normalise_joints": lambda settings: False,
    "colour": lambda settings: None,
    "backbone_stage": lambda settings: 4,
    "backbone_frozen": lambda settings: 0,
    "backbone_lr": lambda settings: 1.0,
    "backbone_start": lambda settings: 0,
    "backbone_views": lambda settings: 1,
}
#: what every network can be built with, and what the described one has beside
SIZES = ("frames", "width", "depth", "heads", "conv_channels", "dropout", "drop_path")
DESCRIBED = ("cnn", "regions", "kernels", "region_weights", "context", "motion", "patch", "time_encoding", "attention",
             "timesformer_weights")  # fmt: skip
#: the settings of a backbone, and those with which it is built
BACKBONE = ("backbone", "backbone_weights", "backbone_stage", "backbone_frozen", "backbone_lr", "backbone_start",
            "backbone_views")  # fmt: skip
BUILT = BACKBONE[:4]
#: those with which a network starts from weights in a file; one that is loaded as trained, or counted, needs none
PRETRAINED = ("backbone_weights", "backbone_frozen", "timesformer_weights")
#: what a regression has, which is fitted at once
LOGISTIC = {"epochs": 1, "accumulate": 1, "mixup": 0.0, "ema_decay": 0.0, "label_smoothing": 0.0, "warmup_epochs": 0,
            "processes": 1, "nodes": 1}  # fmt: skip
#: the data sets that the paper's own reader reads otherwise
PUBLISHED_READERS = ("ntu60", "svideoqa")
_MANY = 10**6
_WIDEST = 8192
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1), "frames": (1, 1024), "stored_frames": (1, 1024), "size": (0, 4096),
    "backbone_stage": (1, 64), "backbone_frozen": (0, 64), "backbone_lr": (0, 1), "backbone_start": (0, _MANY),
    "backbone_views": (0, 64),
    "width": (1, _WIDEST), "depth": (0, 256), "heads": (1, 256), "dropout": (0, 0.99), "drop_path": (0, 0.99),
    "patch": (1, 1024), "ema_decay": (0, 0.999999), "mixup": (0, 10), "views": (1, 64),
    "epochs": (1, _MANY), "batch_size": (1, _MANY), "accumulate": (1, _MANY),
    "lr": (1e-12, 10), "weight_decay": (0, 10), "warmup_epochs": (0, _MANY), "label_smoothing": (0, 0.99),
    "max_grad_norm": (1e-9, _MANY), "val_fraction": (0, 0.5),
    "flip": (0, 1), "rotate": (0, 180), "shift": (0, 1), "zoom": (0, 0.9), "jitter": (0, 0.99), "joint_noise": (0, 1),
    "tilt": (0, 180), "joint_dropout": (0, 0.9),
    "workers": (0, 1024), "threads": (0, 1024), "processes": (1, 1024), "nodes": (1, 1024),
}  # fmt: skip


def unknown(key: Any, known: typing.Iterable[str]) -> str:
    """A sentence that says `key` is not one of `known`, with the nearest of them."""
    name = shown(key, quotes=False)
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no setting '{name}'" + (
        f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
    )


_FLOATS = frozenset(f.name for f in fields(Settings) if "float" in str(f.type))


@functools.cache
def _presets(dataset: str, model: str, protocol: str, scale: str) -> dict[str, Any]:
    """The settings of a run that names no more than these four."""
    return presets.completed({"dataset": dataset, "model": model, "protocol": protocol, "scale": scale})


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
