"""All that lies below a root is walked once, and nothing in it stops the walk."""

import os
from contextlib import contextmanager

from wtmr_core.datasets import tree
from wtmr_core.datasets.tree import Tree


def write(file, content=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


@contextmanager
def closed(monkeypatch, *folders):
    """Folders that may not be read, also for the one who may read all."""
    real = os.scandir

    def scandir(path):
        if str(path).rstrip("/") in map(str, folders):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        yield


def test_every_folder_with_its_files(tmp_path):
    write(tmp_path / "a" / "b" / "x.avi")
    write(tmp_path / "y.txt")
    found = Tree(tmp_path)
    assert {path: folder.files for path, folder in found.folders.items()} == {"": ["y.txt"], "a": [], "a/b": ["x.avi"]}
    assert found.folders["a/b"].name == "b"
    assert found.folders["a/b"].parent == "a"


def test_folders_that_may_not_be_read_are_named_and_stop_nothing(tmp_path, monkeypatch):
    """A disk's own are to be expected; any other may hold recordings."""
    write(tmp_path / "run" / "x.avi")
    for name in ("lost+found", "closed"):
        (tmp_path / name).mkdir()
    with closed(monkeypatch, tmp_path / "lost+found", tmp_path / "closed"):
        found = Tree(tmp_path)
    assert [folder.path for folder in found.readable()] == ["", "run"]
    assert found.unread() == [
        ("closed/", "a folder that cannot be read", "Permission denied"),
        ("lost+found/", tree.DISKS_OWN, "Permission denied"),
    ]


def test_a_linked_folder_is_read_once_and_no_link_leads_round(tmp_path):
    write(tmp_path / "elsewhere" / "x.avi")
    root = tmp_path / "root"
    write(root / "pack" / "y.avi")
    for link, to in {"a": "pack", "b": "../elsewhere", "c": "../elsewhere", "round": ".", "up": ".."}.items():
        (root / link).symlink_to(to)
    found = Tree(root)
    assert {f.path: f.files for f in found.readable()} == {"": [], "pack": ["y.avi"], "b": ["x.avi"]}
    assert {path for path, reason, _ in found.unread() if reason == tree.AGAIN} == {"a/", "c/", "round/", "up/"}


def test_what_is_no_file_is_named_with_its_reason(tmp_path):
    (tmp_path / "gone.avi").symlink_to("/nowhere/at/all")
    (tmp_path / "self.avi").symlink_to("self.avi")
    os.mkfifo(tmp_path / "pipe.avi")
    broken = Tree(tmp_path).folders[""].broken
    assert broken["gone.avi"] == "a link that leads nowhere"
    assert broken["pipe.avi"] == "a pipe"
    assert broken.keys() == {"gone.avi", "self.avi", "pipe.avi"}


def test_hidden_folders_and_the_truth_of_a_miniature_hold_nothing_of_a_set(tmp_path):
    for folder in (".git", "lost+found", "truth", "mini/truth", "run"):
        write(tmp_path / folder / "x.avi")
    write(tmp_path / "mini" / "mini.json")
    assert [folder.path for folder in Tree(tmp_path).readable()] == ["", "mini", "run", "truth"]


def test_too_deep(tmp_path):
    folder = tmp_path.joinpath(*["d"] * (tree.DEEPEST + 2))
    folder.mkdir(parents=True)
    assert [reason for _, reason, _ in Tree(tmp_path).unread()] == [tree.TOO_DEEP]


def test_names_that_are_not_utf8_can_be_printed():
    name = os.fsdecode(b"caf\xe9.avi")
    assert tree.printable(name) == "caf\\udce9.avi"
    assert not tree.is_utf8(name)
    assert tree.printable("café") == "café"


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a" / "x.avi")
    write(tmp_path / "a" / "y.avi")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("y.avi") and access(path, mode))
    folder = Tree(tmp_path).folders["a"]
    assert folder.files == ["x.avi"]
    assert folder.broken == {"y.avi": "it may not be read"}
