"""NTU RGB+D 60: `.skeleton` text files, cross-subject and cross-view.

Source of names and protocols: Shahroudy et al., "NTU RGB+D: a large scale dataset for 3D human
activity analysis", CVPR 2016, and the list of 302 samples with missing skeletons that comes with the set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wtmr_core.datasets.clips import ClipFormat, uniform
from wtmr_core.datasets.index import DataError, Index, Unreadable, below, class_names, frames_of
from wtmr_core.datasets.skeleton_file import NO_BODY, Skeletons, load, parse  # noqa: F401  (parse: for its users here)

SPLITS = ("cross-subject", "cross-view")
TRAIN_PERFORMERS = frozenset({1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38})
TRAIN_CAMERAS = frozenset({2, 3})
OFFICIAL_CLIPS = 56_578
OFFICIAL_MISSING = 302
OFFICIAL_PARTS = {
    "cross-subject": {"train": 40_091, "test": 16_487},
    "cross-view": {"train": 37_646, "test": 18_932},
}
MISSING_LIST = "NTU_RGBD_samples_with_missing_skeletons.txt"
AVAILABLE_LIST = "skes_available_name.txt"
NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})$")
ACTIONS = (
    "drink water", "eat meal", "brush teeth", "brush hair", "drop", "pick up", "throw", "sit down", "stand up",
    "clapping", "reading", "writing", "tear up paper", "put on jacket", "take off jacket", "put on a shoe",
    "take off a shoe", "put on glasses", "take off glasses", "put on a hat", "take off a hat", "cheer up",
    "hand waving", "kicking something", "reach into pocket", "hopping", "jump up", "phone call", "play with phone",
    "type on a keyboard", "point to something", "taking a selfie", "check time", "rub two hands", "nod head",
    "shake head", "wipe face", "salute", "put palms together", "cross hands in front", "sneeze or cough",
    "staggering", "falling down", "headache", "chest pain", "back pain", "neck pain", "nausea", "fan self",
    "punch or slap", "kicking a person", "pushing", "pat on back", "point finger", "hugging", "giving object",
    "touch pocket", "shaking hands", "walking towards", "walking apart",
)  # fmt: skip
ON_MISSING_LIST = "on the list of missing skeletons"
NOT_ONE_BODY = "published reader: not one body in each frame"
TOO_FEW_FRAMES = "published reader: fewer than 16 frames"


# -- what there is --------------------------------------------------------------------------------------------


def locate(root: Path) -> Path | None:
    """The folder at or below `root` that holds `.skeleton` files, or None."""
    for folder in below(root, 2):
        with os.scandir(folder) as entries:
            if any(e.name.endswith(".skeleton") for e in entries):
                return folder
    return None


def splits(root: Path) -> tuple[str, ...]:
    """Both splits follow from the names alone."""
    return SPLITS


def index(root: Path, split: str, *, protocol: str = "corrected") -> Index:
    """Every `.skeleton` file below `root`, its part in `split` and its group told by its name.

    Groups are performers in `cross-subject`, cameras in `cross-view`. Samples on the list of missing
    skeletons are skipped where the list is given; where it is not, they are found when they are read.
    `protocol` changes nothing here, only how a file is read. Raises `DataError` for an unknown split or
    a root without skeletons.
    """
    if split not in (*SPLITS, "-"):
        raise DataError(f"ntu60 has no split {split!r}; there are {' and '.join(SPLITS)}")
    folder = locate(root)
    if folder is None:
        raise DataError(f"{root}: no .skeleton files at or below it")
    with os.scandir(folder) as entries:
        files = {e.name[: -len(".skeleton")]: e.stat().st_size for e in entries if e.name.endswith(".skeleton")}
    missing, available = _list(root, MISSING_LIST), _list(root, AVAILABLE_LIST)
    named = class_names(root, folder)
    kept, skipped = names(sorted(n for n, size in files.items() if size), split, missing or (), len(named or ACTIONS))
    skipped += [(name, "zero bytes", "") for name, size in files.items() if not size]
    skipped += [(name, "in the list of names, not on disk", "") for name in (available or ()) if name not in files]
    present = sorted({action for *_, action in kept})
    classes = named or tuple(ACTIONS[a - 1] for a in present)
    label = {a: (a - 1 if named else k) for k, a in enumerate(present)}
    where = folder.relative_to(root)
    rows = [(n, (where / f"{n}.skeleton").as_posix(), label[a], group, part) for n, group, part, a in kept]
    samples, skipped = frames_of(rows, skipped)
    samples["unit"] = samples.name.str[8:12]  # the performer: cameras are few and film the same performance
    official = named is None and missing is not None and len(missing) == OFFICIAL_MISSING
    expected_skips = {ON_MISSING_LIST} | ({NO_BODY} if missing is None else set())
    if protocol == "published":  # what it loses is what it is
        expected_skips |= {NOT_ONE_BODY, TOO_FEW_FRAMES}
        official = False
    known = OFFICIAL_CLIPS if official else len(available) if available is not None else None
    return Index(
        "ntu60", root, split, classes, samples, skipped,
        expected=None if protocol == "published" else known,
        expected_parts=OFFICIAL_PARTS.get(split, {}) if official else {},
        expected_skips=frozenset(expected_skips),
        notes=() if missing is not None else (f"no {MISSING_LIST}: missing skeletons are found by reading",),
    )  # fmt: skip


def names(samples: Iterable[str], split: str, missing: Iterable[str] = (), actions: int = 60):
    """Kept (name, group, part, action number) and skipped (name, reason, detail) of `samples`, by name alone."""
    kept, skipped, missing = [], [], frozenset(missing)
    for name in samples:
        match = NAME.match(name)
        if match is None:
            skipped.append((name, "not named SsssCcccPpppRrrrAaaa", ""))
            continue
        _, camera, performer, _, action = map(int, match.groups())
        if not 1 <= action <= actions:
            skipped.append((name, "action number without a class", f"A{action:03}, of {actions}"))
        elif name in missing:
            skipped.append((name, ON_MISSING_LIST, ""))
        elif split == "-":
            kept.append((name, f"P{performer:03}", "-", action))
        else:
            by_person = split == "cross-subject"
            train = performer in TRAIN_PERFORMERS if by_person else camera in TRAIN_CAMERAS
            group = f"P{performer:03}" if by_person else f"C{camera:03}"
            kept.append((name, group, "train" if train else "test", action))
    return kept, skipped


def _list(root: Path, name: str) -> list[str] | None:
    """The sample names in the list `name` at, below or beside `root`, or None where there is none."""
    file = next((d / name for d in [*below(root, 2), root.parent] if (d / name).is_file()), None)
    return file and [n for n in map(str.strip, file.read_text("utf-8-sig").splitlines()) if NAME.match(n)]


# -- one file -------------------------------------------------------------------------------------------------


def read(path: Path, form: ClipFormat) -> np.ndarray:
    """One clip as (t, m, j, 3) float32 metres: `form.frames` frames at even steps, `form.bodies` bodies.

    Corrected: the bodies that move most over the frames they are seen in come first (stray detections of
    furniture hardly move; the rule of the CTR-GCN and pyskl preparations), frames without any body are left
    out, a body absent from a frame is all zero. Published: see `published_reader`. Raises `Unreadable`; see
    `skeleton_file.parse`.
    """
    skeletons = load(path)
    if form.reader == "published":
        clip = published_reader(skeletons)
        return clip[uniform(len(clip), form.frames)][:, None]
    joints = skeletons.joints[:, skeletons.seen > 0]
    moves = np.nanvar(joints, axis=1).sum(axis=(1, 2)) * (~np.isnan(joints[..., 0, 0])).sum(axis=1)
    main = joints[np.argsort(-moves, kind="stable")[: form.bodies]]
    clip = np.zeros(form.shape, np.float32)
    clip[:, : len(main)] = np.nan_to_num(main[:, uniform(joints.shape[1], form.frames)]).swapaxes(0, 1)
    return clip


def published_reader(skeletons: Skeletons) -> np.ndarray:
    """What the paper's own reader makes of a file: (t, j, 3), the first body of each frame, or `Unreadable`.

    It takes one body and then reads on as if a frame were over, so a frame with a second body, or with
    none, makes the whole file fail; files of fewer than 16 frames are dropped. That is how 56,578
    files became 44,888 clips.
    """
    if (skeletons.seen != 1).any():
        bodies = skeletons.seen[skeletons.seen != 1][0]
        raise Unreadable(NOT_ONE_BODY, f"{bodies} in one")
    if len(skeletons.seen) < 16:
        raise Unreadable(TOO_FEW_FRAMES, f"{len(skeletons.seen)}")
    return np.nansum(skeletons.joints, axis=0)  # one body a frame, whichever id it bears
