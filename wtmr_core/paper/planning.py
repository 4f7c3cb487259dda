"""What of a suite can be made here: which runs have their recordings, on how many cores and GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wtmr_core import datasets, distributed, runs
from wtmr_core.paper import suite
from wtmr_core.processes import cores
from wtmr_core.settings import SettingsError


@dataclass
class Plan:
    """A suite, which of its runs can be made here, and how."""

    suite: suite.Suite
    file: Path
    results: Path
    profile: str
    gpus: int
    cores: int
    roots: dict[str, str] = field(default_factory=dict)  # run -> folder of its recordings
    left_out: dict[str, str] = field(default_factory=dict)  # run -> why
    failed: dict[str, str] = field(default_factory=dict)  # notebook -> why

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the Snakefile.

        Folders are relative to where it runs, so that results name no machine.
        """
        home = datasets.home()
        return {
            "name": self.suite.name,
            "suite": _from(self.file, home),
            "results": _from(self.results, home),
            "local": self.profile == "local",
            "gpus": self.gpus,
            "cores": self.cores,
            "roots": self.roots,
            "left_out": self.left_out,
            "failed": self.failed,
            "scale": "mini" if all(e.settings.scale == "mini" for e in self.suite.runs.values()) else "full",
        }


def plan(
    name: str, *, data: Path | None = None, results: Path | None = None, gpus: int | None = None, profile: str = "local"
) -> Plan:
    """Read a suite and find out which of its runs have their recordings here.

    Args:
        name: of the suite, or a YAML file
        data: the data set, or a folder of sets
        results: folder of results
        gpus: how many to use; None is all
        profile: a folder of profiles/

    Raises:
        SettingsError: for errors in the suite.
        DataError: where there is no folder `data`, or the suite has no use for it.
        RunError: for more processes than GPUs, or more GPUs than there are.
    """
    home = datasets.home()
    file = suite.find(name, home / "experiments")
    chosen = suite.load(file)
    if data is not None:
        if not data.is_dir():
            raise datasets.DataError(f"there is no folder {data}: give the data set, or a folder of sets, as DATA")
        if not any(_takes_data(entry) for entry in chosen.runs.values()):
            raise datasets.DataError(f"{chosen.name} has its own recordings: DATA is for suites such as published")
        os.environ["WTMR_DATA"] = str(data.resolve())
    if not (home / "profiles" / profile).is_dir():
        raise SettingsError(f"there is no profile {profile} in {home / 'profiles'}")
    available = _gpus() if profile == "local" and gpus != 0 else 0
    if profile == "local" and (gpus or 0) > available:
        raise runs.RunError(f"{gpus} GPUs are asked for, but there are {available}")
    planned = Plan(
        chosen,
        file.resolve(),
        (results or datasets.results_home(chosen.name)).resolve(),
        profile,
        available if gpus is None else gpus,
        cores(),
    )
    absent: dict[str, str] = {}  # data set -> why; a suite has one place for each
    for run, entry in chosen.runs.items():
        dataset = entry.settings.dataset
        try:
            distributed.check(entry.settings, planned.gpus)
            if entry.settings.device.startswith("cuda:"):
                raise runs.RunError(f"device is {entry.settings.device}; a suite gives out the GPUs itself: use cuda")
            if dataset in absent:
                planned.left_out[run] = absent[dataset]
            elif entry.settings.scale == "full" or entry.root:
                planned.roots[run] = str(datasets.find(dataset, entry.root))
        except datasets.DataError as error:
            planned.left_out[run] = absent[dataset] = str(error)
        except runs.RunError as error:
            raise runs.RunError(f"{file}, run {run}: {error}") from error
    return planned


def _takes_data(entry: suite.Entry) -> bool:
    """Whether a run's recordings may lie in a folder that the user names."""
    return not Path(entry.root).is_absolute() if entry.root else entry.settings.scale == "full"


def _from(path: Path, home: Path) -> str:
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
