"""All folders below a root, walked once, so that no recording is missed because of the folder it lies in."""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DEEPEST = 64  # levels below the root; a path of more is hardly anybody's wish
AGAIN = "a folder that is read elsewhere, or lies above the root"
DISKS_OWN = "a disk's own folder, which may not be read"
TOO_DEEP = f"more than {DEEPEST} folders deep"
#: reasons for which a folder may stay unread in a set that is whole
HARMLESS = frozenset({AGAIN, DISKS_OWN})
#: folders that systems make by themselves, beside the hidden ones
SYSTEMS_OWN = frozenset(
    {"lost+found", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "__pycache__", "@eaDir", "#recycle"}
)


@dataclass
class Folder:
    """A folder.

    Attributes:
        path: below the root, with "/" between names; "" is the root
        aside: whether it is hidden, a system's own, or the truth of a miniature set, so that nothing in it is data
        files, folders: names of its files and folders, sorted
        broken: the reason for each name that is neither, or may not be read (a link that leads nowhere, a pipe, …)
        unread: why the folder itself was not read, "" where it was
        detail: more on that
    """

    path: str
    aside: bool = False
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unread: str = ""
    detail: str = ""

    @property
    def name(self) -> str:
        """Its own name; "" for the root."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of the folder it lies in."""
        return self.path.rpartition("/")[0]

    @property
    def entries(self) -> list[str]:
        """The names of its files and of what is broken."""
        return [*self.files, *self.broken]


class Tree:
    """Every folder at or below `root`, by its path.

    Folders that may not be read, and entries that are not files, are included with their reason; nothing stops the
    walk. A linked folder is followed unless it is read elsewhere or holds the root. `notes` collects what a reader has
    to say.
    """

    def __init__(self, root: Path):
        self.root = root
        self.folders = {folder.path: folder for folder in _walk(root)}
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Folder]:
        return iter(self.folders.values())

    def readable(self) -> Iterator[Folder]:
        """The folders that may hold recordings, lists or tables."""
        return (folder for folder in self if not folder.aside and not folder.unread)

    def unread(self) -> list[tuple[str, str, str]]:
        """(path, reason, detail) of each folder that was not read."""
        return [(f"{printable(f.path)}/", f.unread, f.detail) for f in self if f.unread]

    def without(self, kind: str) -> str:
        """A sentence that there is no `kind` below the root, and what is there instead."""
        names = [name for folder in self for name in folder.entries]
        lies = ", ".join(f"{n:,} {suffix or 'without a suffix'}" for suffix, n in suffixes(names).most_common(5))
        unread = [f"{path} ({detail or reason})" for path, reason, detail in self.unread()]
        return (
            f"{self.root}: no {kind} at or below it; "
            + (f"its files: {lies}" if lies else "there are no files")
            + (f"; not read: {', '.join(unread[:3])}" if unread else "")
        )


def depth(path: str) -> int:
    """How many folders below the root `path` lies: 0 for the root."""
    return path.count("/") + bool(path)


def join(path: str, name: str) -> str:
    """The path of `name` in the folder `path`."""
    return f"{path}/{name}" if path else name


def within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def printable(name: str) -> str:
    """A name that can be printed and written anywhere: bytes that are not UTF-8 appear as `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_utf8(name: str) -> bool:
    """Whether a name on the disk is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def suffixes(names: list[str]) -> Counter:
    """The number of `names` with each suffix, in small letters; "" for none."""
    return Counter(printable(os.path.splitext(name)[1].lower()) for name in names)


def _walk(root: Path) -> Iterator[Folder]:
    real = os.path.realpath(root)
    known = {real, *map(str, Path(real).parents)}  # real paths of what has been read or would lead back
    # a link waits until all that is no link has been read: so a folder bears its own path where it has one
    todo, links = deque([("", real, False)]), deque()
    while todo or links:
        path, real, aside = todo.popleft() if todo else links.popleft()
        folder = Folder(path, aside)
        if path and real in known:
            folder.unread, folder.detail = AGAIN, printable(real)
        elif depth(path) > DEEPEST:
            folder.unread = TOO_DEEP
        else:
            known.add(real)
            _read(folder, os.path.join(root, path), links, todo, real)
        yield folder


def _read(folder: Folder, full: str, links: deque, todo: deque, real: str) -> None:
    try:
        with os.scandir(full) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        if entries and not os.access(full, os.X_OK):  # its names may be read, but nothing by them
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        folder.unread = DISKS_OWN if folder.aside else "a folder that cannot be read"
        folder.detail = error.strerror or str(error)
        return
    is_mini = any(entry.name == "mini.json" for entry in entries)
    for entry in entries:
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:
            folder.broken[entry.name] = error.strerror or str(error)
            continue
        if is_folder:
            folder.folders.append(entry.name)
            aside = folder.aside or not _ordinary(entry.name) or (is_mini and entry.name == "truth")
            path = join(folder.path, entry.name)
            if entry.is_symlink():
                links.append((path, os.path.realpath(entry.path), aside))
            else:
                todo.append((path, os.path.join(real, entry.name), aside))
        elif is_file and os.access(entry.path, os.R_OK):
            folder.files.append(entry.name)
        elif is_file:
            folder.broken[entry.name] = "it may not be read"
        else:
            folder.broken[entry.name] = "a link that leads nowhere" if entry.is_symlink() else _kind(entry)


def _ordinary(name: str) -> bool:
    return not name.startswith(".") and name not in SYSTEMS_OWN


def _kind(entry: os.DirEntry) -> str:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:
        return error.strerror or str(error)
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "not a file"
