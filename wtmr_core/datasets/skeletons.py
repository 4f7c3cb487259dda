"""Skeletons of the user's own: `.skeleton` files in NTU RGB+D's format, in class folders or under NTU's names.

`own_set` defines classes, parts, groups and splits. In addition, where a `classes.txt` names the actions, a file
SsssCcccPpppRrrrAaaa that lies in none of their folders belongs to the class on line `aaa`, and its name in the class is
that of the file alone. Where nothing else tells the group of a clip with such a name, it is its performer `Pppp`. Where
all clips have such names, there is the split `cross-subject`, by NTU's own training performers.

Source: Shahroudy et al., "NTU RGB+D: a large scale dataset for 3D human activity analysis", CVPR 2016.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from wtmr_core.datasets import ntu60
from wtmr_core.datasets.class_folders import NO_CLASS, Names
from wtmr_core.datasets.index import DataError, Index
from wtmr_core.datasets.own_set import CUT, FOLDERS, MANIFEST, Clip, OwnSet
from wtmr_core.datasets.tree import Folder
from wtmr_core.datasets.video import ClipFormat

CROSS_SUBJECT = "cross-subject"
SPLITS = (FOLDERS, MANIFEST, CROSS_SUBJECT, CUT)
NO_ACTION = "action number without a class"


def recognise(root: Path) -> None:
    """Raise `NotThisSet`, saying what is there, unless class folders below `root` hold `.skeleton` files."""
    SkeletonSet(root)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that come with the files below `root`, the default first; see `OwnSet.splits`."""
    return SkeletonSet(root).splits()


def index(root: Path, split: str, *, reader: str = "corrected") -> Index:
    """Index every clip below `root`, with its part in `split`: one of those of `own_set`, or `cross-subject`.

    Both readers read the same clips. Raises `NotThisSet` and `DataError` as `folder.index`.
    """
    return SkeletonSet(root).index(split)


def read(path: Path, form: ClipFormat) -> np.ndarray:
    """Read a clip as (t, m, j, 3) float32 metres, always with the corrected reader; see `ntu60.read`."""
    return ntu60.read(path, replace(form, reader="corrected"))


class SkeletonSet(OwnSet):
    """The `.skeleton` files below `root` of a set of the user's own."""

    def __init__(self, root: Path):
        super().__init__("skeletons", root, _skeletons, ".skeleton files")

    def place(self, folder: str, stem: str) -> tuple[str, str, str]:
        part, label, clip = super().place(folder, stem)
        action = self._action(label, stem)
        if action is not None and 1 <= action <= len(self.named):
            return part, self.named[action - 1], stem
        return part, label, clip

    def refusal(self, folder: str, stem: str, path: str) -> tuple[str, str] | None:
        _, label, _ = self.place(folder, stem)
        if (action := self._action(label, stem)) is not None:
            return NO_ACTION, f"A{action:03}, and classes.txt names {len(self.named)}"
        reason = super().refusal(folder, stem, path)
        if reason and reason[0] == NO_CLASS and ntu60.NAME.match(stem):
            return NO_CLASS, "put it into the folder of its class, or name the actions in a classes.txt, a line each"
        return reason

    def is_clip(self, folder: Folder) -> bool:
        return False

    def own_group(self, clip: Clip) -> str:
        match = _name(clip)
        return f"P{match[3]}" if match else ""

    def declared_splits(self) -> list[str]:
        return super().declared_splits() + [CROSS_SUBJECT] * (len(set(self._by_performer())) == 2)

    def parts(self, split: str) -> list[str]:
        if split != CROSS_SUBJECT:
            return super().parts(split)
        if parts := self._by_performer():
            return parts
        raise DataError(f"{self.root}: not all files are named SsssCcccPpppRrrrAaaa, and {CROSS_SUBJECT} goes by that")

    def _by_performer(self) -> list[str]:
        """The part of each clip by its performer; empty where the name of any clip tells no performer."""
        matches = list(map(_name, self.clips))
        trains = ntu60.TRAIN_PERFORMERS
        return ["train" if int(match[3]) in trains else "test" for match in matches] if all(matches) else []

    def _action(self, label: str, stem: str) -> int | None:
        """The action in NTU's name `stem`, where it and classes.txt tell the class and no class folder does."""
        match = ntu60.NAME.match(stem) if self.named and label not in self.named else None
        return int(match[5]) if match else None


def _name(clip: Clip) -> re.Match | None:
    """The parts of a clip's name, where it is one of NTU's."""
    return ntu60.NAME.match(clip.clip.rpartition("/")[2])


def _skeletons(folder: Folder) -> tuple[Names, Names]:
    """The names of the `.skeleton` files in a folder; there are no folders of frames."""
    return [n for n in folder.entries if n.lower().endswith(ntu60.SUFFIX) and not n.startswith(".")], []
