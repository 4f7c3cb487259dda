"""Decoding, the choice of frames, and the cache: never another's clips, never half of them."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import PROJECT, write_frames, write_hmdb51, write_video
from wtmr_core.datasets import Unreadable, clips, hmdb51
from wtmr_core.datasets.clips import (
    CacheError,
    ClipFormat,
    cached,
    read_frames,
    verify,
)

FORM = ClipFormat(frames=4, size=16)


def test_verify_counts_what_cannot_be_read(tmp_path):
    root = write_hmdb51(tmp_path)
    cut(root / "sit" / "Film3_sit_f_nm_np1_fr_goo_0.avi")
    (root / "walk" / "Film4_walk_f_nm_np1_fr_goo_1.avi").write_bytes(b"")
    index = verify(hmdb51.index(root, "1"), hmdb51.read, FORM, workers=2)
    assert (len(index), index.skips()) == (30, {"truncated": 1, "zero bytes": 1})
    assert len(index.problems()) == 3


# -- the cache


@pytest.fixture
def index(tmp_path):
    return hmdb51.index(write_hmdb51(tmp_path / "set", films=4), "1")


def counting(calls):
    def read(path, form):
        calls.append(path)
        return read_frames(path, form)

    return read


def test_a_cache_holds_what_reading_gives(index, tmp_path):
    cache = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
    assert cache.clips.shape == (len(index), 4, 16, 16, 1)
    assert isinstance(cache.clips, np.memmap)
    for path, clip in zip(index.paths(), cache.clips, strict=True):
        np.testing.assert_array_equal(clip, read_frames(path, FORM))


def test_processes_fill_it_alike(index, tmp_path):
    one, two = (cached(index, hmdb51.read, FORM, tmp_path / str(n), workers=n) for n in (1, 2))
    np.testing.assert_array_equal(one.clips, two.clips)


def test_a_full_cache_is_not_read_again(index, tmp_path):
    calls = []
    for _ in range(2):
        cached(index, counting(calls), FORM, tmp_path / "c", workers=1)
    assert len(calls) == len(index)


def test_other_files_or_settings_have_another_cache(index, tmp_path):
    first = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1).folder
    assert cached(index, hmdb51.read, ClipFormat(frames=5, size=16), tmp_path / "c", workers=1).folder != first
    path = next(index.paths())
    os.utime(path, ns=(1, 1))
    assert cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1).folder != first


def test_unreadable_clips_leave_the_index_and_no_hole(index, tmp_path):
    victim = list(index.paths())[3]
    cut(victim)
    for _ in range(2):  # made, and found again
        cache = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
        assert cache.index.skips() == {"truncated": 1}
        assert len(cache.clips) == len(cache.index) == len(index) - 1
        rows = np.array([2, 3, 4])
        for row, clip in zip(rows, cache.clips[rows], strict=True):
            np.testing.assert_array_equal(clip, read_frames(list(cache.index.paths())[row], FORM))


class Stop(Exception):
    pass


def test_an_interrupted_cache_is_finished_and_not_trusted(index, tmp_path, monkeypatch):
    calls = []

    def stopping(path, form):
        if len(calls) == 6:
            raise Stop
        return counting(calls)(path, form)

    monkeypatch.setattr(clips, "_ENTER_EVERY", 2)
    with pytest.raises(Stop):
        cached(index, stopping, FORM, tmp_path / "c", workers=1)
    folder = next((tmp_path / "c").iterdir())
    assert not (folder / "complete.json").exists()
    held = np.load(folder / "clips.npy", mmap_mode="r+")
    held[2] += 1  # spoilt while nobody looked
    held.flush()
    again = []
    cache = cached(index, counting(again), FORM, tmp_path / "c", workers=1)
    paths = list(index.paths())
    assert again == [paths[2], *paths[6:]]
    np.testing.assert_array_equal(cache.clips[2], read_frames(paths[2], FORM))


def test_a_full_disk_is_said_and_what_was_decoded_is_kept(index, tmp_path, monkeypatch):
    written, write = [], os.pwrite

    def full(*args):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(args)
        return write(*args)

    monkeypatch.setattr(clips, "_ENTER_EVERY", 1)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(CacheError, match=r"the disk is full while caching hmdb51 in .*WTMR_CACHE"):
        cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
    monkeypatch.setattr(os, "pwrite", write)
    calls = []
    cached(index, counting(calls), FORM, tmp_path / "c", workers=1)
    assert len(calls) == len(index) - 5


def test_no_room_is_said_before_anything_is_decoded(index, tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(100, 99, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    calls = []
    with pytest.raises(CacheError, match="the disk is full"):
        cached(index, counting(calls), FORM, tmp_path / "c", workers=1)
    assert calls == []


KILLED = """
import time
from pathlib import Path
from wtmr_core.datasets import clips, hmdb51
clips._ENTER_EVERY = 1
def read(path, form):
    time.sleep(0.05)
    return clips.read_frames(path, form)
clips.cached(hmdb51.index(Path({root!r}), "1"), read, clips.ClipFormat(frames=4, size=16), Path({home!r}), workers=1)
"""


def test_a_killed_cache_is_finished(index, tmp_path):
    """SIGKILL in the middle; the second call decodes only the rest."""
    code = KILLED.format(root=str(index.root), home=str(tmp_path / "c"))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("c/*/checksums.npy")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    calls = []
    cache = cached(index, counting(calls), FORM, tmp_path / "c", workers=1)
    assert 0 < len(calls) < len(index)
    for path, clip in zip(index.paths(), cache.clips, strict=True):
        np.testing.assert_array_equal(clip, read_frames(path, FORM))
    assert json.loads((cache.folder / "complete.json").read_text())["unreadable"] == []


# -- real files


def test_every_real_frame_folder_reads(recordings):
    index = hmdb51.index(recordings / "hmdb51_frames", "manifest")
    assert verify(index, hmdb51.read, FORM).problems() == []
