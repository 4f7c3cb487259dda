"""HMDB51: class folders of .avi files with the official split lists, or class/clip folders of frames.

A recording is a video or a folder of frames anywhere below the root; its class is the folder it lies in. The classes
are HMDB51's own, or those of a `classes.txt`, a manifest or split lists. Recordings in other folders are named and
skipped. A set with its own manifest has that split, and five folds of which each is test once, so that every clip is
tested.

Source of the protocol: Kuehne et al., "HMDB: a large video database for human motion recognition", ICCV 2011; three
splits, each with 70 training and 30 test clips per class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from wtmr_core.datasets.class_folders import EMPTY, NO_CLASS, ClassFolders, Media, videos_and_images
from wtmr_core.datasets.index import DataError, Index, NotThisSet, frames_of
from wtmr_core.datasets.lists import (
    LISTS,
    OFFICIAL_SHA256,
    Clip,
    checksum,
    folded,
    list_class,
    list_files,
    lists_folder,
    manifest,
    read_lists,
    read_manifest,
)
from wtmr_core.datasets.text import class_names, nfc
from wtmr_core.datasets.tree import HARMLESS, Folder, Tree, printable
from wtmr_core.datasets.video import ClipFormat, read_frames

SPLITS = ("1", "2", "3")
MANIFEST = "manifest"
FOLDS = tuple(f"fold-{n}" for n in range(1, 6))
OFFICIAL_CLIPS = 6766
OFFICIAL_PARTS = {"train": 3570, "test": 1530, "unused": 1666}
OFFICIAL_CLASSES = (
    "brush_hair", "cartwheel", "catch", "chew", "clap", "climb", "climb_stairs", "dive", "draw_sword", "dribble",
    "drink", "eat", "fall_floor", "fencing", "flic_flac", "golf", "handstand", "hit", "hug", "jump", "kick",
    "kick_ball", "kiss", "laugh", "pick", "pour", "pullup", "punch", "push", "pushup", "ride_bike", "ride_horse",
    "run", "shake_hands", "shoot_ball", "shoot_bow", "shoot_gun", "sit", "situp", "smile", "smoke", "somersault",
    "stand", "swing_baseball", "sword", "sword_exercise", "talk", "throw", "turn", "walk", "wave",
)  # fmt: skip
NOT_A_CLASS = "not a class of HMDB51"


def recognise(root: Path) -> None:
    """Raise `NotThisSet`, saying what is there, unless recordings of HMDB51's classes lie at or below `root`."""
    _Recordings(_Declaration(Tree(root)))


def splits(root: Path, lists: Path | None = None) -> tuple[str, ...]:
    """The splits that come with the recordings below `root`: `manifest`, or some of `1`, `2`, `3`, or none."""
    tree = Tree(root)
    if lists is None and manifest(tree):
        return (MANIFEST,)
    folder = lists_folder(tree, lists)
    return tuple(s for s in SPLITS if list_files(folder, s)) if folder else ()


def index(root: Path, split: str, *, reader: str = "corrected", lists: Path | None = None) -> Index:
    """Index every clip below `root`, with its part in `split`.

    The group of a clip is its film within its class, as in the official splits, or the manifest's.

    Args:
        root: folder of the recordings
        split: `1`, `2` or `3` (official lists); `manifest` (a file `manifest.csv` with the columns class, clip,
            similarity_group, split); `fold-1` to `fold-5` (that fold of the manifest's train and test is test, the
            others train; see `splits.fold_numbers`); or `-` for none
        reader: without effect, both readers read the same clips
        lists: folder of the split lists; None looks for it below `root`

    Raises:
        NotThisSet: where no recording is of a known class.
        DataError: where the lists, the manifest or classes.txt cannot be used.
    """
    if split not in (*SPLITS, MANIFEST, *FOLDS, "-"):
        raise DataError(f"hmdb51 has no split {split!r}; there are {', '.join((*SPLITS, MANIFEST, *FOLDS))}")
    declared = _Declaration(Tree(root), lists)
    recordings = _Recordings(declared)
    clips = {tuple(name.split("/")): clip for name, clip in recordings.kept.items()}
    assigned, official = declared.parts(split, clips, recordings.classes)
    rows = [
        (clip.name, clip.path, recordings.classes.index(key[0]), *assigned[key], clip.files)
        for key, clip in clips.items()
        if key in assigned
    ]
    unlisted = [
        (clip.name, "on disk, not in the split list", f"{clip.path}: split {split}", clip.files)
        for key, clip in clips.items()
        if key not in assigned
    ]
    absent = [
        ("/".join(key), "in the split list, not on disk", f"split {split}", 0)
        for key in assigned
        if key not in clips and "/".join(key) not in recordings.lost
    ]
    samples, skipped = frames_of(rows, recordings.skipped + unlisted + absent)
    return Index(
        "hmdb51",
        root,
        split,
        recordings.classes,
        samples,
        skipped,
        expected=OFFICIAL_CLIPS if official else None if split == "-" else len(assigned),
        expected_parts=OFFICIAL_PARTS if official else {},
        expected_skips=HARMLESS,
        notes=(*declared.notes, *declared.tree.notes),
        foreign=dict(sorted(recordings.foreign.items())),
        used=len(declared.used),
    ).with_remarks(recordings.remarks)


def read(path: Path, form: ClipFormat):
    """Read a clip as (t, h, w, c) uint8: `form.frames` of its frames at even steps; see `video.read_frames`."""
    return read_frames(path, form)


def film(name: str, clip: str) -> str:
    """The film that a clip was cut from, within its class: what precedes the class in HMDB51's file names.

    A clip without such a name is a film of its own.
    """
    match = re.match(rf"(.+)_{re.escape(name)}_[a-z]+_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+$", clip)
    return f"{name}/{match.group(1) if match else clip}"


class _Declaration:
    """What a set declares about itself: its classes, split lists and manifest.

    Attributes:
        known: names that are classes
        media: what its folders hold
        used: paths of the lists and tables that were read
        notes: remarks on these
    """

    def __init__(self, tree: Tree, lists: Path | None = None):
        self.tree = tree
        self.media = Media(tree, videos_and_images)
        self.classes, self.used, self.notes = class_names(tree, self.media.folders)
        self.lists, self.listed = lists_folder(tree, lists), set()
        for file in list_files(self.lists) if self.lists else ():
            self.listed.add(list_class(file))
            if file.is_relative_to(tree.root):
                self.used.add(file.relative_to(tree.root).as_posix())
        self.manifest, self.manifest_error = None, None
        if path := manifest(tree):
            try:
                self.manifest, notes = read_manifest(tree.root / path)
                self.used.add(path)
                self.notes += notes
            except DataError as error:  # only its own splits need it
                self.manifest_error = error
                self.notes.append(f"not used: {error}")
        in_manifest = {label for label, _ in self.manifest or ()}
        self.known = set(self.classes or {*OFFICIAL_CLASSES, *self.listed, *in_manifest})

    def parts(self, split: str, clips: Iterable[Clip], classes: tuple[str, ...]):
        """(group, part) of each clip in `split`, and whether the lists are the official ones."""
        root = self.tree.root
        if split == "-":
            return {clip: (film(*clip), "-") for clip in clips}, False
        if split not in SPLITS:
            if self.manifest is None:
                columns = "class, clip, similarity_group, split"
                raise self.manifest_error or DataError(f"{root}: no manifest.csv (columns {columns})")
            chosen = self.manifest if split == MANIFEST else folded(self.manifest, FOLDS.index(split), len(FOLDS))
            return chosen, False
        if self.lists is None:
            raise DataError(
                f"{root}: no split lists (<class>_test_split{split}.txt). They come with HMDB51 as "
                f"{LISTS}: put that folder under the root or name it, or give a manifest.csv of your own"
            )
        official = checksum(self.lists) == OFFICIAL_SHA256
        assigned, notes = read_lists(self.lists, split)
        if not official and (absent := {label for label, _ in assigned} - set(classes)):
            raise DataError(f"{self.lists} names the class {min(absent)}, but {root} has no such folder")
        self.notes += [*notes, "split lists: " + ("the official ones" if official else "not the official ones")]
        return {clip: (film(*clip), part) for clip, part in assigned.items()}, official


class _Recordings(ClassFolders):
    """The recordings below a root that are of known classes; see `ClassFolders`."""

    def __init__(self, declared: _Declaration):
        self.declared = declared
        if not declared.media.folders:
            raise NotThisSet(declared.tree.without("class folders with videos or folders of frames"))
        super().__init__(declared.media, declared.used)
        seen = {name.split("/")[0] for name in self.lost | set(self.kept)} & declared.known
        if not seen:
            raise declared.manifest_error or NotThisSet(self._unknown())
        folders = {nfc(folder.name) for folder in declared.tree if not folder.aside}
        self.classes = declared.classes or tuple(sorted(seen | (declared.known & folders)))
        self.skipped += [(f"{name}/", EMPTY, "", 0) for name in self.classes if name not in seen]

    def name(self, folder: str, stem: str) -> str:
        return f"{_label(folder)}/{stem}"

    def refusal(self, folder: str, stem: str, path: str) -> tuple[str, str] | None:
        declared, label = self.declared, _label(folder)
        if label in declared.known:
            return None
        if not label:
            return NO_CLASS, "put it into the folder of its class"
        if declared.classes:
            raise DataError(
                f"{declared.tree.root}: classes.txt does not name the class folder {printable(label)} "
                f"(of {printable(path)}): add it, or move what is no part of the set"
            )
        return NOT_A_CLASS, f"the folder {label}"

    def is_clip(self, folder: Folder) -> bool:
        return _label(folder.parent) in self.declared.known and nfc(folder.name) not in self.declared.known

    def _unknown(self) -> str:
        """Why none of the recordings belongs to HMDB51, in words."""
        root = self.declared.tree.root
        if any(folder.name.lower().startswith("videosequence") for folder in self.declared.tree.readable()):
            return f"{root} holds SVideoQA's videosequence folders, not HMDB51's class folders: it is read as svideoqa"
        media = self.declared.media
        labels = {path if media.of[path][0] else path.rpartition("/")[0] for path in media.folders}
        names = sorted({printable(label.rpartition("/")[2]) or "the root itself" for label in labels})
        return (
            f"{root} is not recognised as HMDB51: its recordings lie in {len(names)} folders ({', '.join(names[:3])}"
            f"{', …' if len(names) > 3 else ''}), none of them named as a class of HMDB51. If they are classes of your "
            "own, name them in a classes.txt there, a line each, or in a manifest.csv (columns class, clip, "
            "similarity_group, split)"
        )


def _label(folder: str) -> str:
    """The class of the recordings in a folder: its name."""
    return nfc(folder.rpartition("/")[2])
