"""Recordings by the folders they lie in, with every other file accounted for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from wtmr_core.datasets.filenames import is_image, is_video
from wtmr_core.datasets.recordings import BROKEN, Recording, beside, distinct, frames_in
from wtmr_core.datasets.text import nfc
from wtmr_core.datasets.tree import Folder, Tree, join, printable, suffixes

NO_CLASS = "not in a class folder"
EMPTY = "empty class folder"
NO_FRAMES = "a clip's folder without frames"

Names = list[str]


class Media:
    """What each folder of a `tree` may hold of recordings, judged by file names alone.

    Attributes:
        of: for each folder, by its path, the names of files that are recordings, and of images that may be frames;
            `kinds` chooses them
        busy: the folders that have recordings somewhere below them
        folders: the folders that hold recordings, or the frames of one
    """

    def __init__(self, tree: Tree, kinds: Callable[[Folder], tuple[Names, Names]]):
        self.tree = tree
        self.of = {folder.path: kinds(folder) for folder in tree.readable()}
        self.busy = {above for path, names in self.of.items() if any(names) for above in _above(path)}
        self.folders = [p for p, (files, images) in self.of.items() if files or (images and p not in self.busy)]


class ClassFolders(ABC):
    """The recordings below a root, before any split: each file belongs to one kept, to one skipped, or is foreign.

    A data set defines what its folders mean by `name`, `refusal` and `is_clip`.

    Attributes:
        kept: recordings by name
        skipped: rows of `index.SKIPPED`
        lost: names of the skipped recordings that are on the disk, so that no list reports them as missing
        remarks: (reason, detail) of kept recordings, by name
        foreign: number of files that are not part of the set, by suffix
        used: paths of the lists and tables that were read
    """

    def __init__(self, media: Media, used: set[str]):
        self.media, self.used = media, used
        self.skipped, self.remarks, self.foreign, self.lost = [], {}, Counter(), set()
        candidates = [clip for folder in media.tree for clip in self._of(folder)]
        self.kept, twice = distinct(candidates)
        self.skipped += twice
        self.lost |= {clip.name for clip in candidates} - set(self.kept)

    @abstractmethod
    def name(self, folder: str, stem: str) -> str:
        """The name of a recording in `folder`; `stem` is its file without a suffix, or its folder of frames."""

    @abstractmethod
    def refusal(self, folder: str, stem: str, path: str) -> tuple[str, str] | None:
        """Why the recording at `path` has no class, as (reason, detail), or None. May raise `DataError`."""

    @abstractmethod
    def is_clip(self, folder: Folder) -> bool:
        """Whether a folder lies where a folder of frames should, so that it is a clip whatever lies below it."""

    def _of(self, folder: Folder) -> Iterator[Recording]:
        """The recordings of known classes in a folder; its other files are accounted for."""
        stem = nfc(folder.name)
        if folder.unread:
            self._skip(folder.parent, stem, f"{folder.path}/", folder.unread, folder.detail, 0)
            return
        files, images = self.media.of.get(folder.path, ([], []))
        is_clip = self.is_clip(folder)
        if is_clip and not (files or images or folder.folders):
            self._skip(folder.parent, stem, f"{folder.path}/", NO_FRAMES, "", 0)
        if files or (folder.path in self.media.busy and not is_clip):
            images = []  # pictures beside recordings are none themselves
        broken = {} if folder.aside else {name: why for name, why in folder.broken.items() if name not in set(images)}
        for name, why in broken.items():
            self._skip(folder.path, nfc(Path(name).stem), join(folder.path, name), BROKEN, why, 1)
        for name in files:
            if name not in broken:
                yield from self._known(folder.path, nfc(Path(name).stem), join(folder.path, name), 1)
        if images:
            yield from self._frames(folder, stem, images)
        taken = {*files, *images, *broken}
        rest = [name for name in folder.entries if name not in taken and join(folder.path, name) not in self.used]
        self.foreign.update(suffixes(rest))

    def _frames(self, folder: Folder, stem: str, images: Names) -> Iterator[Recording]:
        frames, rest, why = frames_in(folder, list(map(Path, images)))
        if why:
            self._skip(folder.parent, stem, folder.path, why.reason, why.detail, len(images))
            return
        self.foreign.update(suffixes([file.name for file in rest]))
        if rest:
            self.remarks[self.name(folder.parent, stem)] = beside(rest)
        yield from self._known(folder.parent, stem, folder.path, len(frames))

    def _known(self, folder: str, stem: str, path: str, files: int) -> Iterator[Recording]:
        """The recording, if its class is known."""
        if refusal := self.refusal(folder, stem, path):
            self._skip(folder, stem, path, *refusal, files)
        else:
            yield Recording(self.name(folder, stem), path, files)

    def _skip(self, folder: str, stem: str, path: str, reason: str, detail: str, files: int) -> None:
        self.lost.add(self.name(folder, stem))
        self.skipped.append((printable(path), reason, printable(detail), files))


def videos_and_images(folder: Folder) -> tuple[Names, Names]:
    """The names of the videos and of the images in a folder, including broken ones."""
    paths = list(map(Path, folder.entries))
    images = [path.name for path in paths if is_image(path)]
    return ([] if len(images) == len(paths) else [path.name for path in paths if is_video(path)]), images


def _above(path: str) -> Iterator[str]:
    """The folders that a folder lies in, up to the root."""
    while path:
        path = path.rpartition("/")[0]
        yield path
