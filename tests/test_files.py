"""Files are written whole or not at all, as the umask says, and what is wrong with one that is read is said."""

import os
import stat
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from wtmr_core import files
from wtmr_core.files import RunError

SAVERS = {
    "a.txt": lambda p: p.write_text("x" * 9000, encoding="utf-8"),
    "a.npz": lambda p: np.savez(p, a=np.zeros(9000)),
    "a.pt": lambda p: torch.save({"a": torch.zeros(9000)}, p),
    "a.safetensors": lambda p: save_file({"a": torch.zeros(9000)}, p),
}
every_saver = pytest.mark.parametrize(("name", "save"), SAVERS.items(), ids=SAVERS)


@every_saver
def test_every_file_follows_the_umask(tmp_path, name, save):
    before = os.umask(0o027)
    try:
        files.write(tmp_path / name, save)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="the size of files cannot be limited")
@every_saver
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path, name, save):
    import resource

    (tmp_path / name).write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(RunError, match=rf"{name} cannot be written \(.*\): free some disk space"):
            files.write(tmp_path / name, save)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / name).read_text() == "old"
    assert os.listdir(tmp_path) == [name]


def test_a_place_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(RunError, match=r"a\.txt cannot be written .*: see that its folder is there"):
            files.write_text(folder / "a.txt", "")


def test_the_folder_is_synced_after_the_file(tmp_path, monkeypatch):
    kinds, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda f: (kinds.append(stat.S_ISDIR(os.fstat(f).st_mode)), sync(f)))
    files.write_text(tmp_path / "a.txt", "")
    assert kinds == [False, True]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"null", "it holds NoneType, not an object"),
        (b"[]", "it holds list, not an object"),
        (b'"text"', "it holds str, not an object"),
        (b"some text", "Expecting value"),
        (b"", "Expecting value"),
        (b'{"a": "\xff"}', "'utf-8' codec"),
        (b'{"a": ' + b"9" * 5000 + b"}", "limit"),
        (b"[" * 200_000, "recursion"),
        (b" " * (files.LARGEST + 1), "over 16 MB"),
        (b"{}", "it has no a"),
    ],
    ids=["null", "list", "string", "text", "empty", "latin", "number", "deep", "huge", "key"],
)
def test_a_json_file_that_does_not_serve_is_named(tmp_path, content, why):
    (tmp_path / "settings.json").write_bytes(content)
    with pytest.raises(RunError, match=rf"settings\.json .*{why}.*: delete the folder and run it again"):
        files.read_json(tmp_path / "settings.json", needed=["a"])
