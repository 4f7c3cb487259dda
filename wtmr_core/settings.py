"""The settings of a run: read strictly, and completed by the presets of its protocol and scale."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wtmr_core import presets, rules
from wtmr_core.earlier import LATER, RENAMED
from wtmr_core.literals import shown
from wtmr_core.modality import MODALITIES
from wtmr_core.rules import BUILT, DESCRIBED, PRETRAINED, PROBES, RELEASED, SIZES
from wtmr_core.values import WIDEST, Setting, SettingsError, declared, setting, unknown

__all__ = [
    "BASIC",
    "BUILT",
    "DATASETS",
    "DESCRIBED",
    "LATER",
    "MODELS",
    "PRETRAINED",
    "PROBES",
    "PROTOCOLS",
    "RELEASED",
    "RENAMED",
    "SCALES",
    "SIZES",
    "Settings",
    "SettingsError",
    "defaults",
    "described",
    "unknown",
]

DATASETS = tuple(MODALITIES)
MODELS = ("wtmr", *RELEASED, "temporal", *PROBES)
PROTOCOLS = ("published", "corrected")
SCALES = ("mini", "full")
#: what a run is where nothing else is said; only its data set must be given
BASIC = {"model": "wtmr", "protocol": "corrected", "seed": 0, "scale": "full"}
_MANY = 10**6
_PARTS = (0, 0.99)


@dataclass(frozen=True)
class Settings:
    """One run. What each setting says of itself is the documentation; `Settings.of` fills what is not given.

    Raises `SettingsError` for an impossible value, naming the key.
    """

    dataset: str = setting(
        "hmdb51, ntu60 or svideoqa; of one's own: folder, class folders of videos or frames, and skeletons",
        choices=DATASETS,
    )
    model: str = setting(
        "wtmr: as the paper describes it; released-wtmr, released-wmrc, released-timesformer: as released; temporal: a "
        "plain CNN over time, for joints alone; linear: the mean of a backbone's map, and one linear layer; logistic: "
        "the same, fitted by logistic regression",
        choices=MODELS,
    )
    protocol: str = setting(
        "the preset of what follows. published: as the paper's notebooks did; corrected: official splits, honest "
        "measures",
        choices=PROTOCOLS,
    )
    split: str = setting(
        "hmdb51: 1, 2, 3, manifest, fold-1 to fold-5; ntu60: cross-subject, cross-view; svideoqa: sequence; of one's "
        "own: folders, manifest, cut, cut-1 to cut-9999, fold-1 to fold-5; - for none; auto: the first that can be read"
    )
    seed: int = setting(
        "of the weights, the order of clips, augmentation, dropout and what is sampled for validation",
        span=(0, 2**31 - 1),
    )
    scale: str = setting("mini: small networks on small pictures; full: the paper's sizes", choices=SCALES)

    # what is read, and which part of it trains
    reader: str = setting(
        "published: with the recordings and labels that the paper's notebooks lost or mixed up; corrected: with all",
        choices=PROTOCOLS,
    )
    parts: str = setting(
        "official: train and test of the split; sampled: clips at random for validation, which is also test",
        choices=("official", "sampled"),
    )
    val_fraction: float = setting(
        "share of train put aside for validation, or of what is sampled; 0: none, and the last epoch counts",
        span=(0, 0.5),
    )

    # a clip
    frames: int = setting("frames of a clip that the network sees", span=(1, 1024))
    stored_frames: int = setting(
        "frames that the cache holds of a clip; more than `frames` gives jitter in time", span=(1, 1024)
    )
    size: int = setting("height and width of a frame in pixels; joints have none: 0", span=(0, 4096))
    colour: bool | None = setting("frames in colour; null: as the paper reads the data set, HMDB51 in grey")
    centre_joints: bool = setting(
        "joints lie about the first body's spine, in the first frame it is seen; else they are as the camera has them"
    )
    normalise_joints: bool = setting(
        "joints are taken less the mean of the first body's hips, in lengths of its trunk, thigh and shin; so is "
        "`joint_noise` then"
    )

    # the network; None is as released, of wtmr the default of models.wtmr.build
    width: int | None = setting("numbers in a token; null: as released", span=(1, WIDEST))
    depth: int | None = setting("attention blocks; of wtmr, 0 is none; null: as released", span=(0, 256))
    heads: int | None = setting("attention heads of a block; null: as released", span=(1, 256))
    conv_channels: tuple[int, int] | None = setting("channels of the two convolutions; null: as released")
    dropout: float | None = setting("probability that a number is dropped; null: as released", span=_PARTS)
    drop_path: float = setting(
        "stochastic depth: how likely the last block is left out; it rises from 0 in the first of several", span=_PARTS
    )

    # of wtmr alone; the released networks have no such parts
    cnn: bool = setting("wtmr's CNN; false: tokens straight from frames or joints")
    regions: tuple[int, int] = setting(
        "wtmr's grid of regions, down and across; joints have their five body parts instead"
    )
    kernels: str = setting("own: each region has kernels of its own; shared: all the same", choices=("own", "shared"))
    region_weights: str = setting(
        "learned: weights of each region in each frame, from region and context; uniform: all the same",
        choices=("learned", "uniform"),
    )
    context: bool = setting("wtmr's branch over the whole frame or body")
    motion: bool = setting("the difference to the frame before as further input; of joints also their bones")
    patch: int | None = setting(
        "side of a patch in cells of the map; of joints, frames of a body part; null is 8, of joints 2", span=(1, 1024)
    )
    time_encoding: bool = setting("tokens are told the time of their frame")
    attention: str = setting(
        "joint: over space and time at once; divided: over one after the other; space: over space alone",
        choices=("joint", "divided", "space"),
    )
    residual: bool = setting(
        "over a backbone: regions, context and blocks are added to its map and start at nothing, so that training "
        "begins with the mean of the map and a linear layer"
    )
    timesformer_weights: str | None = setting(
        "weights to start from: a local file in Hugging Face's layout; null: random"
    )

    # the backbone under wtmr, linear and logistic, of frames alone
    backbone: str | None = setting("a network of timm under wtmr, linear and logistic, of frames alone; null: none")
    backbone_weights: str | None = setting("package, hub, or a local file in timm's layout; null: random")
    backbone_stage: int = setting("the side of a frame over that of the map that is used, such as 32", span=(1, 64))
    backbone_frozen: int = setting("its layers up to this stage keep their weights; 0: none of them", span=(0, 64))
    backbone_lr: float = setting("the learning rate of its other layers, in parts of `lr`", span=(0, 1))
    backbone_start: int = setting("epochs before its other layers train, too", span=(0, _MANY))
    backbone_views: int = setting(
        "views of each clip whose frozen maps are cached: the first as it is, the others augmented, to train on; with "
        "1, training has no augmentation; with 0, nothing is cached",
        span=(0, 64),
    )

    # training
    epochs: int = setting("times that each training clip is seen", span=(1, _MANY))
    batch_size: int = setting("clips in a batch", span=(1, _MANY))
    accumulate: int = setting("batches per step of the optimizer", span=(1, _MANY))
    lr: float = setting("highest learning rate of AdamW", span=(1e-12, 10))
    weight_decay: float = setting("of AdamW", span=(0, 10))
    schedule: str = setting(
        "of the learning rate. plateau: halve after 5 epochs without a lower validation loss; cosine: down to zero; "
        "constant",
        choices=("plateau", "cosine", "constant"),
    )
    lr_per: str = setting(
        "the learning rate of cosine and warm-up changes with each batch or epoch", choices=("batch", "epoch")
    )
    warmup_epochs: int = setting("epochs of linear warm-up, before cosine or constant", span=(0, _MANY))
    label_smoothing: float = setting("share of a label that is spread over all classes", span=_PARTS)
    max_grad_norm: float | None = setting("a longer gradient is cut to this norm; null: none is", span=(1e-9, _MANY))
    unscale_gradients: bool = setting(
        "gradients are unscaled before they are cut; false: their norm is taken as fp16 scales it, as released"
    )
    ema_decay: float = setting(
        "of the moving average of the weights, which is then evaluated and kept; 0 is none", span=(0, 0.999999)
    )
    mixup: float = setting("Beta(mixup, mixup) says how two clips are blended; 0 is not at all", span=(0, 10))
    precision: str = setting(
        "auto: fp32 on the CPU, on a GPU `half_precision`", choices=("auto", "fp32", "bf16", "fp16")
    )
    half_precision: str = setting(
        "bf16: where the GPU has it built in, else fp16; fp16: always", choices=("bf16", "fp16")
    )

    # evaluation
    epoch_choice: str = setting(
        "whose weights are kept. last; smoothed: the best mean validation accuracy over five epochs, where there are "
        "enough clips to tell; best: the best single one, which one clip can decide",
        choices=("last", "smoothed", "best"),
    )
    views: int = setting(
        "views of a clip in evaluation, other frames of it each; their probabilities are averaged", span=(1, 64)
    )
    train_accuracy: str = setting(
        "running: through augmentation and dropout, on the way; evaluated: with the weights kept",
        choices=("running", "evaluated"),
    )
    augment_evaluation: bool = setting("validation and test go through the augmenting transform, as the paper's did")

    # augmentation
    augment_per: str = setting(
        "clip: numbers are drawn once for its frames, so that motion stays motion; frame: for each anew",
        choices=("clip", "frame"),
    )
    flip: float = setting("probability of a mirrored clip", span=(0, 1))
    spare_sided: bool = setting("never mirror a clip whose class names left, right or clockwise")
    rotate: float = setting("largest angle in degrees; of joints, about the vertical axis", span=(0, 180))
    tilt: float = setting("largest angle in degrees about the camera's axis, of joints", span=(0, 180))
    shift: float = setting("largest shift, in parts of the picture", span=(0, 1))
    zoom: float = setting("largest magnification is 1 + zoom; joints are scaled by up to 1 ± zoom", span=(0, 0.9))
    jitter: float = setting("brightness, contrast (and colour) change by up to 1 ± jitter", span=_PARTS)
    joint_noise: float = setting("standard deviation added to joints, in metres", span=(0, 1))
    joint_dropout: float = setting(
        "probability that a joint of a clip is dropped: it lies on the one it hangs on", span=(0, 0.9)
    )

    # where and how it runs, not what it is: no part of a run's name
    device: str = setting("auto, cpu, cuda, cuda:1", identity=False, default="auto")
    workers: int = setting("processes that decode; 0 is one a core", span=(0, 1024), identity=False, default=0)
    threads: int = setting(
        "threads of torch on the CPU, a process; 0 is torch's choice", span=(0, 1024), identity=False, default=0
    )
    processes: int = setting(
        "processes that share each batch, on one machine", span=(1, 1024), identity=False, default=1
    )
    nodes: int = setting("machines with so many processes each; needs SLURM", span=(1, 1024), identity=False, default=1)

    def __post_init__(self) -> None:
        for key, one in described().items():
            one.check(getattr(self, key))
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise SettingsError(f"device is {shown(self.device)}; it can be auto, cpu, cuda or cuda:1")
        rules.check_together(self)
        usual = defaults(self.dataset, self.model, self.protocol, self.scale)
        for key, why in rules.without_effect(self).items():
            if getattr(self, key) != usual[key]:
                raise SettingsError(f"{key} is {shown(getattr(self, key), quotes=False)}; {why}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Complete the settings in `values` by the presets of their protocol and scale (`presets.completed`).

        A value of `None` means the preset's. Lists become tuples, and old names (`RENAMED`) are accepted.

        Raises:
            SettingsError: for an unknown setting, with the nearest known name, and for an impossible value.

        >>> Settings.of({"dataset": "hmdb51", "epochs": 3}).model
        'wtmr'
        """
        known = described()
        for key in values:
            if key not in known and key not in RENAMED:
                raise SettingsError(unknown(key, known))
        values = {key: value for key, value in values.items() if value is not None}
        for old, new in RENAMED.items():
            if old in values and new in values:
                raise SettingsError(f"{old} is given, and so is {new}, which is its name now")
        values = {RENAMED.get(key, key): value for key, value in values.items()}
        values = {key: known[key].read(value) for key, value in values.items()}
        for key, value in values.items():
            known[key].check_kind(value)
        values = BASIC | values
        if "dataset" not in values:
            raise SettingsError(f"dataset is not given; it can be {', '.join(DATASETS)}")
        for key in ("dataset", "model", "protocol", "scale"):
            known[key].check(values[key])
        completed = presets.completed(values)
        if "frames" in values and "stored_frames" not in values:
            completed["stored_frames"] = max(completed["frames"], completed["stored_frames"])
        return cls(**completed)

    def asdict(self) -> dict[str, Any]:
        """All settings as JSON and YAML represent them."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The settings that make a run what it is: all except where and how it runs."""
        return {key: value for key, value in self.asdict().items() if described()[key].identity}

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


@functools.cache
def described() -> dict[str, Setting]:
    """Every setting by name, with its meaning and the values that it can have."""
    return declared(Settings)


@functools.cache
def defaults(dataset: str, model: str, protocol: str, scale: str) -> dict[str, Any]:
    """The settings of a run that names no more than these four."""
    return presets.completed({"dataset": dataset, "model": model, "protocol": protocol, "scale": scale})
