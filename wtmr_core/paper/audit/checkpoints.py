"""Finding 14: what loading a checkpoint may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from wtmr_core.paper.audit.finding import NOT_REPRODUCED, REPRODUCED, Finding
from wtmr_core.state import read_state

MARK = "this-was-run"


class Harmless:
    """An object that, when it is unpickled, creates an empty file: any other call would do as well."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.mark,)


def free_pickles(folder: Path, *, weights_alone: bool = False) -> Finding:
    """Finding 14: does a checkpoint that is loaded as the notebooks do run what stands in it?

    Args:
        folder: an empty folder, in which files are made
        weights_alone: make a checkpoint of weights alone, in which nothing can be run
    """
    mark, file, safe = folder / MARK, folder / "checkpoint.pt", folder / "weights.safetensors"
    weights = {"head.weight": torch.ones(2, 2)}
    torch.save(weights if weights_alone else weights | {"extra": Harmless(mark)}, file)
    rows = []
    for how, load in (
        ("torch.load, anything allowed, as published", lambda: torch.load(file, weights_only=False)),
        ("torch.load, weights only", lambda: torch.load(file, weights_only=True)),
        ("a run's state here (state.read_state)", lambda: read_state(file)),
    ):
        mark.unlink(missing_ok=True)
        try:
            load()
            answer = "loaded"
        except Exception as error:  # of pickle, of torch or of this project
            answer = f"refused ({type(error).__name__})"
        rows.append((how, answer, mark.exists()))
    save_file(weights, safe)
    mark.unlink(missing_ok=True)
    load_file(safe)
    rows.append(("safetensors, a run's weights here", "loaded", mark.exists()))
    table = pd.DataFrame(rows, columns=["loaded_by", "answer", "code_ran"])
    ran, ours = bool(table.code_ran[0]), bool(table.code_ran[1:].any())
    return Finding(
        14,
        "Checkpoints are loaded as free pickles",
        "implied by the notebooks: a .pth file holds numbers, so torch.load, anything allowed, may load it",
        "Can such a file run code, and does one of ours?",
        "a checkpoint made here that creates an empty file when it is unpickled, loaded in four ways",
        f"loaded as published it {'runs what stands in it' if ran else 'runs nothing'}; "
        f"{'other ways run it too' if ours else 'the other three run nothing'}",
        NOT_REPRODUCED if ran else REPRODUCED,
        "safetensors holds numbers and metadata alone, and weights_only restricts what unpickling may call",
        table,
    )
