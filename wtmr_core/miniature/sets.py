"""Miniature HMDB51, NTU RGB+D 60 and SVideoQA in the on-disk formats of the real sets, and a miniature home.

All show the people of `body`, and whatever reads the real sets reads these. People, clothes, rooms, viewpoints,
speeds and noise vary, and actions are often seen in part, so that classes overlap. The same seed gives the same bytes,
whatever the number of processes: every clip has its own generator, seeded with its name. A set appears whole or not at
all, on first use. The truth about the recordings is beside them in `truth/`: `boxes.csv` (clip, frame from 0, person,
x, y, w, h in pixels, the visible part) and `episodes.csv` (clip, person, action, start and end in seconds). The home
is one video; `home` says what lies beside it.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from wtmr_core.locks import locked
from wtmr_core.miniature import hmdb51, home, ntu60, svideoqa
from wtmr_core.miniature.recording import FPS

#: the names of what lies at the top of each set
OWN = {
    "hmdb51": re.compile("|".join((*hmdb51.CLASSES, "testTrainMulti_7030_splits", "truth", "mini.json"))),
    "ntu60": re.compile(r"nturgb\+d_skeletons|NTU_RGBD_samples_with_missing_skeletons\.txt|truth|mini\.json"),
    "svideoqa": re.compile(r"videosequence-[0-9]+|truth|mini\.json"),
    "home": re.compile(r"home\.mp4|zones\.yaml|truth|mini\.json"),
}
VERSION = 6  # raise it when any byte of any set changes: older sets are then made again


def make(dataset: str, root: Path, seed: int = 0) -> Path:
    """Make the miniature of hmdb51, ntu60, svideoqa or home in the folder `root`, unless it is there.

    `make_hmdb51`, `make_ntu60` and `make_svideoqa` do the same and take a size and a number of processes, by default
    one per available core; the two small sets are done before a second process has started, so they take one. A script
    that calls this needs the `if __name__ == "__main__":` that all spawned processes need.

    `make_home` takes a length.

    Raises:
        ValueError: for another data set.
        FileExistsError: where `root` holds files that are not a miniature; the user's files are never overwritten.
    """
    makers = {"hmdb51": make_hmdb51, "ntu60": make_ntu60, "svideoqa": make_svideoqa, "home": make_home}
    if dataset not in makers:
        raise ValueError(f"there is no miniature of {dataset!r}; there are {', '.join(makers)}")
    return makers[dataset](root, seed)


def make_hmdb51(root: Path, seed: int = 0, per_class: int = 120, workers: int | None = None) -> Path:
    """Make `<class>/<clip>.avi` (320×240, 15 fps) of 8 classes, three split lists, and two longer videos of rooms.

    Clips of one film share the person, the clothes and the room, and stand on one side of every split.
    """
    if per_class < 4:
        raise ValueError(f"per_class is {per_class}; at least 4 clips are needed to split a class")
    return _make("hmdb51", hmdb51.write, Path(root), seed, per_class, workers)


def make_ntu60(root: Path, seed: int = 0, performers: int = 8, workers: int | None = 1) -> Path:
    """Make `nturgb+d_skeletons/S…A….skeleton`: 9 actions, 3 cameras, 2 replications; and the list of missing ones."""
    if not 1 <= performers <= len(ntu60.PERFORMERS):
        raise ValueError(f"performers is {performers}; 1 to {len(ntu60.PERFORMERS)} can be had")
    return _make("ntu60", ntu60.write, Path(root), seed, performers, workers)


def make_svideoqa(root: Path, seed: int = 0, sequences: int = 240, workers: int | None = 1) -> Path:
    """Make `videosequence-NNN/<subject>/<CameraNN>/` with 160×120 JPEGs and a table of questions and answers."""
    return _make("svideoqa", svideoqa.write, Path(root), seed, sequences, workers)


def make_home(root: Path, seed: int = 0, seconds: float = home.SECONDS) -> Path:
    """`home.mp4` (640×480, 15 fps) of three people in a room, `zones.yaml`, and what is true of them in `truth/`.

    Shorter than `home.SECONDS` it breaks off; longer, people stay as they are at the end.
    """
    if not 1 / FPS <= seconds <= 3600:
        raise ValueError(f"seconds is {seconds}; one frame ({1 / FPS:.3f} s) to an hour can be had")
    return _make("home", home.write, Path(root), seed, seconds, 1)


def _make(dataset: str, write: Callable, root: Path, seed: int, size: float, workers: int | None) -> Path:
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    mark = {"dataset": dataset, "version": VERSION, "seed": seed, "size": size}
    if _mark(root) == mark:
        return root
    _nothing_of_others(root, dataset)
    beside = root.with_name(f".{root.name}.part")
    # another process that wants the same set waits here
    remedy = f"make it elsewhere, `wtmr data mini {dataset} --root FOLDER`, and give that folder as root"
    with locked(root.with_name(f".{root.name}.lock"), f"makes the miniature {dataset}", remedy=remedy):
        if _mark(root) != mark:
            shutil.rmtree(beside, ignore_errors=True)  # of one that was killed
            (new := beside / "new").mkdir(parents=True)
            try:
                write(new, seed, size, workers)
                (new / "mini.json").write_text(json.dumps(mark) + "\n", encoding="utf-8")
                if root.exists():
                    root.rename(beside / "old")
                new.rename(root)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return root


def _mark(root: Path) -> dict | None:
    """The content of `mini.json` in `root`; None where it is missing or is not what this module writes."""
    try:
        mark = json.loads((root / "mini.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return mark if isinstance(mark, dict) and mark.keys() == {"dataset", "version", "seed", "size"} else None


def _nothing_of_others(root: Path, dataset: str) -> None:
    """Raise `FileExistsError` where `root` holds anything but an older miniature of `dataset`, which is replaced."""
    names = sorted(path.name for path in root.iterdir()) if root.exists() else []
    if names and (mark := _mark(root)) is None:
        raise FileExistsError(f"{root} holds files but no mini.json: choose another folder for the miniature")
    if names and mark["dataset"] != dataset:
        raise FileExistsError(f"{root} holds the miniature {mark['dataset']}: choose another folder for {dataset}")
    if foreign := [name for name in names if not OWN[dataset].fullmatch(name)]:
        raise FileExistsError(
            f"{root} would be made anew, but {foreign[0]} in it is no part of a miniature: move it away"
        )
