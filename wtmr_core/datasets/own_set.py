"""A set of the user's own, in class folders: its classes, parts, groups and splits.

The rules, for `folder` and `skeletons` alike:

- A *class* is a folder directly below the root, or directly below a part folder. Whatever lies deeper in it belongs to
  this class, and the clip's name holds the rest: `walk/morning/a.mp4` is the clip `walk/morning/a` of the class `walk`.
- A *part folder* is a folder `train`, `val` or `test` (or training, valid, validation, testing, in any case) directly
  below the root. Train and test are both present or neither; what lies beside them is skipped. A class with such a name
  is distinguished from a part by naming it in `classes.txt`.
- A clip is named `class/clip`; where train and test both hold that name, each is preceded by its part.
- A clip's *group* is the one in `manifest.csv`, else the one that `groups.txt` finds, else the clip itself.
- *Splits* are `folders` (the part folders), `manifest` (as the table says), and those that are cut here: in `cut` a
  fifth of the groups is the test part, chosen with the seed 0, in `cut-1` to `cut-9999` with that seed; in `fold-1` to
  `fold-5` each fifth in turn. A clip that the manifest calls unused is unused in them as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wtmr_core.datasets.class_folders import EMPTY, NO_CLASS, ClassFolders, Media, Names
from wtmr_core.datasets.groups import GROUPS, read_groups
from wtmr_core.datasets.index import DataError, Index, NotThisSet, frames_of
from wtmr_core.datasets.lists import COLUMNS, manifest, read_manifest
from wtmr_core.datasets.splits import FEWEST_GROUPS, cut_by_group, fold_numbers
from wtmr_core.datasets.text import class_names, nfc
from wtmr_core.datasets.tree import HARMLESS, Folder, Tree, depth, join, printable, within

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
         "testing": "test"}  # fmt: skip
FOLDERS, MANIFEST, CUT = "folders", "manifest", "cut"
FOLDS = tuple(f"fold-{n}" for n in range(1, 6))
BESIDE = "beside the train and test folders"
UNLISTED = "on disk, not in manifest.csv"
ABSENT = "in manifest.csv, not on disk"
OWN_GROUP = "a group of its own"
NO_GROUPS = (
    "every clip is a group of its own: clips cut from one recording, or of one person, may stand on both sides of a "
    "split; name their groups in manifest.csv or groups.txt"
)


@dataclass(frozen=True)
class Clip:
    """A recording of the set.

    Attributes:
        name: in the set
        label: its class
        clip: its name in the class
        part: the part folder it lies in, "" where there is none
        path: below the root
        files: how many files it is read from
    """

    name: str
    label: str
    clip: str
    part: str
    path: str
    files: int


class OwnSet(ClassFolders):
    """The recordings below `root` of a set of the user's own; `index` returns them for one split.

    `kinds` chooses the files of recordings (see `Media`), which messages call `kind`.

    Raises:
        NotThisSet: where there are no recordings in class folders.
        DataError: where classes.txt, manifest.csv, groups.txt or part folders cannot be used.
    """

    def __init__(self, dataset: str, root: Path, kinds: Callable[[Folder], tuple[Names, Names]], kind: str):
        self.dataset, self.root, self.tree = dataset, root, Tree(root)
        media = Media(self.tree, kinds)
        if not media.folders:
            raise NotThisSet(self.tree.without(f"class folders with {kind}"))
        self.named, used, self.notes = class_names(self.tree, media.folders)
        self.part_folders = self._part_folders(media)
        self.manifest: dict[tuple[str, str], tuple[str, str]] = {}
        if path := manifest(self.tree):
            self.manifest, notes = read_manifest(root / path, ("train", "val", "test", "unused"))
            self.notes += notes
            used.add(path)
        self.has_groups_file = GROUPS in self.tree.folders[""].files
        used |= {GROUPS} if self.has_groups_file else set()
        self.places: dict[str, tuple[str, str, str]] = {}  # part, class and clip of each recording, by its name
        super().__init__(media, used)
        self.clips = self._clips()
        self.notes += self._pictures()
        self.classes = self.named or self._class_folders()
        if not self.classes:
            raise NotThisSet(
                f"{root}: its recordings lie in no class folder; put those of each class into a folder "
                f"of its name, such as walk, or train/walk and test/walk"
            )
        self.alone: dict[str, tuple[str, str]] = {}  # remarks on clips without a group, where others have one
        self.groups = self._groups()

    # -- what its folders mean

    def place(self, folder: str, stem: str) -> tuple[str, str, str]:
        """Part, class and clip of the recording `stem` in `folder`; "" for a part or class that it does not have."""
        part = self.part_folders.get(folder.partition("/")[0], "")
        label, _, rest = nfc(folder.partition("/")[2] if part else folder).partition("/")
        return part, label, join(rest, stem)

    def name(self, folder: str, stem: str) -> str:
        place = self.place(folder, stem)
        name = "/".join(filter(None, place))
        self.places[name] = place
        return name

    def refusal(self, folder: str, stem: str, path: str) -> tuple[str, str] | None:
        part, label, _ = self.place(folder, stem)
        if self.part_folders and not part:
            return BESIDE, "move it into one of them, into the folder of its class"
        if not label:
            return NO_CLASS, "put it into the folder of its class"
        if self.named and label not in self.named:
            raise DataError(
                f"{self.root}: classes.txt does not name the class folder {printable(label)} "
                f"(of {printable(path)}): add it, or move what is no part of the set"
            )
        return None

    def is_clip(self, folder: Folder) -> bool:
        inside = bool(self.place(folder.parent, "")[1])
        return inside and not folder.aside and folder.path not in self.media.busy

    def _part_folders(self, media: Media) -> dict[str, str]:
        """The part that each part folder stands for, by its path."""
        parts = {
            path: PARTS[path.lower()]
            for path, names in media.of.items()
            if path.lower() in PARTS and path not in (self.named or ()) and (any(names) or path in media.busy)
        }
        if absent := {"train", "test"} - set(parts.values()) if parts else None:
            raise DataError(
                f"{self.root} has recordings in its folder {min(parts)}, but none in a folder "
                f"{' or '.join(sorted(absent))}: add them, or, if {min(parts)} is a class, name the classes in a "
                "classes.txt, a line each"
            )
        return parts

    def _class_folders(self) -> tuple[str, ...]:
        """The names of the class folders that hold recordings; the other folders there get a note or are skipped."""
        classes = set()
        level = [f for f in self.tree.readable() if depth(f.path) == (2 if self.part_folders else 1)]
        for folder in level:
            if self.part_folders and folder.parent not in self.part_folders:
                continue
            if folder.path in self.media.busy or any(self.media.of[folder.path]):
                classes.add(nfc(folder.name))
            elif any(f.entries or f.unread for f in self.tree if within(f.path, folder.path)):
                self.notes.append(f"the folder {printable(folder.path)} holds no recordings: it is no class")
            else:
                self.skipped.append((f"{printable(folder.path)}/", EMPTY, "", 0))
        return tuple(sorted(classes))

    def _clips(self) -> list[Clip]:
        """The kept recordings in the order of their names; the part is left out of a name that is unique without it."""
        alike = Counter(self.places[name][1:] for name in {*self.kept, *self.lost})
        clips = []
        for name, recording in self.kept.items():
            part, label, clip = self.places[name]
            short = name if alike[label, clip] > 1 else f"{label}/{clip}"
            clips.append(Clip(short, label, clip, part, recording.path, recording.files))
            if name in self.remarks:
                self.remarks[short] = self.remarks.pop(name)
        return sorted(clips, key=lambda clip: clip.name)

    def _pictures(self) -> list[str]:
        """A note on pictures that might be taken for frames but are not, if there are any."""
        of, busy = self.media.of, self.media.busy
        beside = {path: len(images) for path, (files, images) in of.items() if images and (files or path in busy)}
        where = printable(str(self.root / next(iter(beside), "")))
        words = "pictures beside recordings, or above folders of them, are no part of the set; the first lie in"
        return [f"{sum(beside.values()):,} {words} {where}"] if beside else []

    # -- groups

    def own_group(self, clip: Clip) -> str:
        """The group told by a clip's name where nothing else tells it; "" for none."""
        return ""

    def _groups(self) -> list[str]:
        searched = [""] * len(self.clips)
        if self.has_groups_file:
            names = [f"{clip.label}/{clip.clip}" for clip in self.clips]
            searched, notes = read_groups(self.root / GROUPS, names)
            self.notes += notes
        groups = []
        for clip, group in zip(self.clips, searched, strict=True):
            groups.append(self.manifest.get((clip.label, clip.clip), ("",))[0] or group or self.own_group(clip))
        if not any(groups):
            self.notes.append(NO_GROUPS)
        else:
            alone = [clip.name for clip, group in zip(self.clips, groups, strict=True) if not group]
            self.alone = dict.fromkeys(alone, (OWN_GROUP, "nothing tells which clips it belongs with"))
        return [group or clip.name for clip, group in zip(self.clips, groups, strict=True)]

    # -- splits

    def splits(self) -> tuple[str, ...]:
        """The splits that come with the set, the default first.

        With enough groups for it, or without any other split, there is also `cut`.
        """
        declared = self.declared_splits()
        return (*declared, CUT) if not declared or len(set(self.groups)) >= FEWEST_GROUPS else tuple(declared)

    def declared_splits(self) -> list[str]:
        """The splits that come with the set."""
        return [FOLDERS] * bool(self.part_folders) + [MANIFEST] * bool(self.manifest)

    def parts(self, split: str) -> list[str]:
        """The part of each clip in `split`, "" for a clip that the split does not name. Raises `DataError`."""
        if split == "-":
            return ["-"] * len(self.clips)
        if split == FOLDERS:
            if not self.part_folders:
                raise DataError(f"{self.root}: no train and test folders, which the split {FOLDERS} is read from")
            return [clip.part for clip in self.clips]
        listed = [self.manifest.get((clip.label, clip.clip), ("", ""))[1] for clip in self.clips]
        if split == MANIFEST:
            if not self.manifest:
                raise DataError(f"{self.root}: no manifest.csv (columns {', '.join(COLUMNS)})")
            if self.clips and not any(listed):
                first = self.clips[0]
                raise DataError(
                    f"{self.root}: its manifest.csv names none of its clips; the first of them has the class "
                    f"{first.label} (the folder directly below the root, train or test) and is the clip {first.clip}"
                )
            return listed
        if match := re.fullmatch(r"cut(?:-([1-9][0-9]{0,3}))?", split):
            return self._cut(listed, lambda *of: cut_by_group(*of, folds=5, seed=int(match[1] or 0))[1])
        if split in FOLDS:
            return self._cut(listed, lambda *of: np.flatnonzero(fold_numbers(*of, len(FOLDS)) == FOLDS.index(split)))
        raise DataError(
            f"{self.dataset} has no split {split!r}; there are here {', '.join(self.splits())}, "
            f"{CUT}-1 to {CUT}-9999 and {FOLDS[0]} to {FOLDS[-1]}"
        )

    def _cut(self, listed: list[str], tested: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[str]:
        """Put all used clips into train or test; `tested` gives the rows of test for labels and groups."""
        used = np.array([row for row, part in enumerate(listed) if part != "unused"], int)
        labels, groups = (np.array(of)[used] for of in ([self.classes.index(c.label) for c in self.clips], self.groups))
        if (count := len(set(groups))) < FEWEST_GROUPS:
            raise DataError(
                f"{self.root}: a fifth is cut from {FEWEST_GROUPS} groups of clips or more, and there are {count}; add "
                "recordings, or say which clips are train and which test, by folders of these names or in manifest.csv"
            )
        try:
            test = set(used[tested(labels, groups)])
        except DataError as error:
            raise DataError(f"{self.root}: {error}; add recordings, or take the split {CUT}") from None
        return ["unused" if part == "unused" else "test" if n in test else "train" for n, part in enumerate(listed)]

    def index(self, split: str) -> Index:
        """Index every clip with its part in `split`.

        Raises `DataError` for a split that is unknown or not possible here.
        """
        rows, unlisted, absent = [], [], []
        for clip, group, part in zip(self.clips, self.groups, self.parts(split), strict=True):
            if part:
                rows.append((clip.name, clip.path, self.classes.index(clip.label), group, part, clip.files))
            else:
                unlisted.append((clip.name, UNLISTED, clip.path, clip.files))
        if split == MANIFEST:
            on_disk = {place[1:] for place in self.places.values()}
            absent = [("/".join(clip), ABSENT, "", 0) for clip in self.manifest if clip not in on_disk]
        samples, skipped = frames_of(rows, self.skipped + unlisted + absent)
        return (
            Index(
                self.dataset,
                self.root,
                split,
                self.classes,
                samples,
                skipped,
                expected=len(self.manifest) if split == MANIFEST else None,
                expected_skips=HARMLESS,
                notes=(*self.notes, *self.tree.notes),
                foreign=dict(sorted(self.foreign.items())),
                used=len(self.used),
                faults=self._faults(),
            )
            .with_remarks(self.remarks)
            .with_remarks(self.alone)
        )

    def _faults(self) -> tuple[str, ...]:
        if len(self.classes) > 1:
            return ()
        label = self.classes[0]
        return (
            f"there is only one class, {label}, and training takes two or more; if the folders in it are the classes, "
            f"give {self.root / label} as root",
        )
