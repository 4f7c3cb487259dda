"""A run in training: network, optimiser, progress, and the file from which it resumes after a kill."""

from __future__ import annotations

import copy
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from wtmr_core import checkpoint, epochs, runs
from wtmr_core.models.synced import synced
from wtmr_core.settings import Settings


@dataclass
class Progress:
    """What a resumed run needs besides weights and optimiser."""

    epoch: int = 0  # whole epochs done
    seconds: float = 0.0
    best: int = 0  # the epoch chosen so far, from 1
    history: list[dict[str, float]] = field(default_factory=list)


class MovingAverage:
    """The exponential moving average of a network's weights over steps, with BatchNorm's statistics."""

    def __init__(self, network: nn.Module, decay: float, device: torch.device):
        self.network, self.decay = copy.deepcopy(network).to(device).requires_grad_(False), decay

    @torch.no_grad()
    def follow(self, network: nn.Module, steps: int) -> None:
        """Update the average after step number `steps`, counted from 1.

        It moves faster at the beginning, when what it averages is still close to the random start.
        """
        decay = min(self.decay, (1 + steps) / (10 + steps))
        now = network.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - decay)
            else:
                mean.copy_(now[name])


class State:
    """Everything that changes while a run trains.

    Attributes:
        network, optimizer: as Accelerate wraps them
        average: moving average of the weights, or None
        plateau: the schedule of that name
        norms: the BatchNorm layers that see the clips of all processes
        progress: epochs done and their history
        chosen: weights of the best epoch so far, by the run's `epoch_choice`
    """

    def __init__(self, settings: Settings, classes: int, worker: Accelerator):
        torch.manual_seed(settings.seed)
        network = checkpoint.new_network(settings, classes)
        self.settings, self.worker = settings, worker
        self.norms = synced(network) if worker.num_processes > 1 else []
        optimizer = torch.optim.AdamW(groups(network, settings), lr=settings.lr, weight_decay=settings.weight_decay)
        self.average = MovingAverage(network, settings.ema_decay, worker.device) if settings.ema_decay else None
        self.network, self.optimizer = worker.prepare(network, optimizer)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer.optimizer, factor=0.5, patience=5)
        self.progress, self.chosen = Progress(), {}

    @property
    def bare_network(self) -> nn.Module:
        """The network without Accelerate's wrapping."""
        return self.worker.unwrap_model(self.network)

    @property
    def judged(self) -> nn.Module:
        """The network that is evaluated and kept: itself, or the moving average of its weights."""
        return self.bare_network if self.average is None else self.average.network

    def advance(self, row: dict[str, float], validation_clips: int) -> None:
        """Add the `row` of the epoch just done to the history, and keep its weights where it is the best so far."""
        history = [*self.progress.history, row]
        best = epochs.chosen_epoch(history, validation_clips, self.settings.epoch_choice)
        if best == len(history):
            self.chosen = {k: v.detach().cpu().clone() for k, v in self.judged.state_dict().items()}
        self.progress = Progress(len(history), self.progress.seconds + row["seconds"], best, history)

    def save(self, file: Path, identity: dict[str, Any]) -> None:
        """Write the whole state, with the run's settings and data in `identity`; whole or not at all."""
        scaler = self.worker.scaler
        state = {
            "settings": identity,
            "progress": asdict(self.progress),
            "network": self.bare_network.state_dict(),
            "chosen": self.chosen,
            "average": {} if self.average is None else self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }
        runs.write(file, lambda p: torch.save(state, p))

    def resume(self, file: Path, identity: dict[str, Any]) -> None:
        """Continue from what `save` wrote.

        Raises:
            RunError: where the file is damaged, or belongs to a run of other settings or data or of an earlier version.
        """
        state = read_state(file)
        if different := runs.other(identity, state["settings"]):
            raise runs.RunError(f"{file} belongs to a run with another {different[0]}: delete it to begin again")
        try:
            self.bare_network.load_state_dict(state["network"])
            if self.average is not None:
                self.average.network.load_state_dict(state["average"])
        except RuntimeError as error:  # it has other layers
            raise runs.RunError(f"{file} is of an earlier version: delete it to begin again") from error
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])
        if self.worker.scaler and state["scaler"]:  # begun in another precision, it has none
            self.worker.scaler.load_state_dict(state["scaler"])
        self.progress, self.chosen = Progress(**state["progress"]), state["chosen"]


def groups(network: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """The parameters that train, for an optimiser; those of a backbone are a group of their own.

    Each group has the `part` of the learning rate that it trains with, and the epoch in which it starts.
    """
    backbone = getattr(network, "backbone", None)
    inside = set() if backbone is None else set(backbone.parameters())
    rest = {"params": [p for p in network.parameters() if p not in inside], "part": 1.0, "start": 0}
    trained = [p for p in network.parameters() if p in inside and p.requires_grad]
    if not trained:
        return [rest]
    part = settings.backbone_lr
    return [rest, {"params": trained, "lr": settings.lr * part, "part": part, "start": settings.backbone_start}]


def read_state(file: Path) -> dict[str, Any]:
    """Read a `state.pt`; raises `RunError` where anything in it is not as it was written."""
    try:
        with zipfile.ZipFile(file) as archive:
            if name := archive.testzip():  # torch itself looks at no sum
                raise ValueError(f"{name} in it has another sum")
        state = torch.load(file, map_location="cpu", weights_only=True)
        return state | {"settings": dict(state["settings"])}
    except Exception as error:  # torch raises many kinds for a damaged file
        raise runs.RunError(f"{file} is damaged ({error}): delete it to begin the run again") from error
