"""NTU RGB+D 60: `.skeleton` text files, cross-subject and cross-view.

Source of names and protocols: Shahroudy et al., "NTU RGB+D: a large scale dataset for 3D human
activity analysis", CVPR 2016, and the list of 302 samples with missing skeletons that comes with the set.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wtmr_core.datasets.index import DataError, Index, NotThisSet, Unreadable, frames_of
from wtmr_core.datasets.recordings import BROKEN, Recording, distinct
from wtmr_core.datasets.skeleton_file import NO_BODY, Skeletons, load, parse  # noqa: F401  (parse: for callers)
from wtmr_core.datasets.text import class_names, lines, read_text, remark, the_one
from wtmr_core.datasets.tree import HARMLESS, Tree, join, printable, suffixes
from wtmr_core.datasets.video import ClipFormat, uniform

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
SUFFIX = ".skeleton"
FPS = 30  # of Kinect v2
NAME = re.compile(r"S([0-9]{3})C([0-9]{3})P([0-9]{3})R([0-9]{3})A([0-9]{3})\Z")
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


def recognise(root: Path) -> None:
    """Raise `NotThisSet`, saying what is there, unless `.skeleton` files with NTU's names lie at or below `root`."""
    tree = Tree(root)
    if not any(NAME.match(clip.name) for clip in _found(tree)[0]):
        raise NotThisSet(tree.without(".skeleton files named SsssCcccPpppRrrrAaaa"))


def splits(root: Path) -> tuple[str, ...]:
    """Both splits: they follow from the names alone."""
    return SPLITS


def index(root: Path, split: str, *, reader: str = "corrected") -> Index:
    """Index every `.skeleton` file below `root`, with its part in `split` and its group, both told by its name.

    Groups are performers in `cross-subject` and cameras in `cross-view`. Samples on the list of missing skeletons are
    skipped where that list is present; otherwise they are found when they are read.

    Args:
        root: folder of the files
        split: `cross-subject`, `cross-view`, or `-` for none
        reader: `published` or `corrected`; here it only changes what is expected, the files are read by it later

    Raises:
        DataError: for an unknown split, and for a list or classes.txt that cannot be used.
        NotThisSet: for a root without skeletons.
    """
    if split not in (*SPLITS, "-"):
        raise DataError(f"ntu60 has no split {split!r}; there are {' and '.join(SPLITS)}")
    tree = Tree(root)
    candidates, skipped, foreign = _found(tree)
    if not candidates:
        raise NotThisSet(tree.without(".skeleton files"))
    files, twice = distinct(candidates)
    missing, missing_files, notes = _list(tree, MISSING_LIST)
    available, available_files, more = _list(tree, AVAILABLE_LIST)
    named, class_files, even_more = class_names(tree, [clip.path for clip in files.values()])
    empty = {name: why for name, clip in files.items() if (why := _empty(root / clip.path))}
    on_disk = {clip.name for clip in candidates} | {Path(path).stem for path, *_ in skipped}
    kept, unusable = names(sorted(files.keys() - empty.keys()), split, missing or (), len(named or ACTIONS))
    skipped += [*twice, *((name, reason, detail, 1) for name, reason, detail in unusable)]
    skipped += [(name, *why, 1) for name, why in empty.items()]
    skipped += [(n, "in the list of names, not on disk", "", 0) for n in (available or ()) if n not in on_disk]
    present = sorted({action for *_, action in kept})
    classes = named or tuple(ACTIONS[a - 1] for a in present)
    label = {a: (a - 1 if named else k) for k, a in enumerate(present)}
    rows = [(n, files[n].path, label[a], group, part, 1) for n, group, part, a in kept]
    samples, skipped = frames_of(rows, skipped)
    samples["unit"] = samples.name.str[8:12]  # the performer: cameras are few and film the same performance
    official = named is None and missing is not None and len(missing) == OFFICIAL_MISSING
    expected_skips = {ON_MISSING_LIST} | ({NO_BODY} if missing is None else set())
    if reader == "published":  # what it loses is what it is
        expected_skips |= {NOT_ONE_BODY, TOO_FEW_FRAMES}
        official = False
    known = OFFICIAL_CLIPS if official else len(available) if available is not None else None
    if missing is None:
        notes = [*notes, f"no {MISSING_LIST}: missing skeletons are found by reading"]
    used = class_files | missing_files | available_files
    return Index(
        "ntu60",
        root,
        split,
        classes,
        samples,
        skipped,
        expected=None if reader == "published" else known,
        expected_parts=OFFICIAL_PARTS.get(split, {}) if official else {},
        expected_skips=HARMLESS | expected_skips,
        notes=(*notes, *more, *even_more, *tree.notes),
        foreign=dict(sorted((foreign - suffixes(used)).items())),
        used=len(used),
    )


def names(samples: Iterable[str], split: str, missing: Iterable[str] = (), actions: int = 60):
    """Judge `samples` by their names alone.

    Returns:
        Kept (name, group, part, action number) and skipped (name, reason, detail).
    """
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


def _found(tree: Tree) -> tuple[list[Recording], list[tuple], Counter]:
    """The `.skeleton` files, rows of what cannot be read, and the number of other files of each suffix."""
    files, skipped, foreign = [], [(path, why, detail, 0) for path, why, detail in tree.unread()], Counter()
    for folder in tree:
        if folder.aside:
            foreign.update(suffixes(folder.entries))
            continue
        skeletons = [name for name in folder.files if name.lower().endswith(SUFFIX) and not name.startswith(".")]
        files += [Recording(name[: -len(SUFFIX)], join(folder.path, name)) for name in skeletons]
        skipped += [(printable(join(folder.path, n)), BROKEN, why, 1) for n, why in folder.broken.items()]
        foreign.update(suffixes(folder.files) - suffixes(skeletons))
    return files, skipped, foreign


def _empty(file: Path) -> tuple[str, str] | None:
    """Why a file holds nothing, as (reason, detail); None for one with at least a byte."""
    try:
        return None if file.stat().st_size else ("zero bytes", str(file))
    except OSError as error:
        return BROKEN, f"{file}: {error.strerror or error}"


def _list(tree: Tree, name: str) -> tuple[list[str] | None, set[str], list[str]]:
    """The sample names in the list `name` below the root or beside it, its path below the root, and notes.

    None for a list that is not there. What stands before the first name is a heading. Raises `DataError`, naming file
    and line, for a line that is no name, for a list without any, and where two lists as near to the root differ.
    """
    folders = [folder.path for folder in tree.readable() if name in folder.files]
    folder = the_one(tree, name, folders, lambda f: (tree.root / f / name).read_bytes())
    file = tree.root.parent / name if folder is None else tree.root / folder / name
    if folder is None and not os.path.isfile(file):
        return None, set(), []
    text, encoding = read_text(file)
    listed = []
    for number, line in lines(text):
        sample = line.removesuffix(SUFFIX)
        if NAME.match(sample):
            listed.append(sample)
        elif listed or re.match(r"S[0-9]", line):
            raise DataError(f"{file}, line {number}: not a name like S001C001P001R001A001: {line!r}")
    if not listed:
        raise DataError(f"{file} names no sample, such as S001C002P005R002A008: put the list there, or delete it")
    return listed, set() if folder is None else {join(folder, name)}, remark(file, encoding)


# -- one file -------------------------------------------------------------------------------------------------


def read(path: Path, form: ClipFormat) -> np.ndarray:
    """Read a clip as (t, m, j, 3) float32 metres: `form.frames` frames at even steps, `form.bodies` bodies.

    Corrected: the bodies that move most over the frames in which they are seen come first (false detections of
    furniture hardly move; this is the rule of the CTR-GCN and pyskl preparations). Frames without any body are left
    out, and a body absent from a frame is all zero. Published: see `published_reader`.

    Raises:
        Unreadable: as `skeleton_file.parse`.
    """
    return clip_of(load(path), form)


def clip_of(skeletons: Skeletons, form: ClipFormat) -> np.ndarray:
    """The clip of the bodies seen in a recording, or in a part of one; see `read`."""
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
    """Read a file as the paper's own reader did: (t, j, 3), the first body of each frame.

    It takes one body and then goes on as if the frame were over, so that a frame with a second body, or with none,
    makes the whole file fail; files of fewer than 16 frames are dropped. That is how 56,578 files became 44,888 clips.
    Raises `Unreadable` for these files.
    """
    if (skeletons.seen != 1).any():
        bodies = skeletons.seen[skeletons.seen != 1][0]
        raise Unreadable(NOT_ONE_BODY, f"{bodies} in one")
    if len(skeletons.seen) < 16:
        raise Unreadable(TOO_FEW_FRAMES, f"{len(skeletons.seen)}")
    return np.nansum(skeletons.joints, axis=0)  # one body a frame, whichever id it bears
