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
    most_motion,
    natural,
    read_frames,
    uniform,
    verify,
)

FORM = ClipFormat(frames=4, size=16)


# -- choosing frames


@given(st.integers(1, 300), st.integers(1, 64))
def test_even_steps(found, frames):
    chosen = uniform(found, frames)
    assert len(chosen) == frames
    assert chosen[0] == 0
    assert (np.diff(chosen) >= 0).all()
    assert frames == 1 or chosen[-1] == found - 1
    assert set(range(min(found, frames))) <= set(chosen) or found > frames


@pytest.mark.parametrize(
    ("found", "frames", "expected"),
    [(5, 5, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (10, 4, [0, 3, 6, 9]), (2, 5, [0, 1, 1, 1, 1]), (7, 1, [0])],
)
def test_even_steps_by_hand(found, frames, expected):
    assert uniform(found, frames).tolist() == expected


def test_most_motion_finds_the_moving_stretch():
    """A square stands still, moves in frames 10 to 13, and stands still again."""
    shown = []
    for t in range(24):
        frame = np.zeros((64, 64, 1), np.uint8)
        left = 10 + 4 * np.clip(t - 9, 0, 4)
        frame[20:40, left : left + 20] = np.random.default_rng(0).integers(60, 255, (20, 20, 1))
        shown.append(frame)
    assert most_motion(shown, 4).tolist() == [10, 11, 12, 13]


def test_natural_order(tmp_path):
    names = ["f10.png", "f9.png", "f1.png", "a2b10.png", "a2b9.png"]
    assert [p.name for p in sorted(map(tmp_path.joinpath, names), key=natural)] == [
        "a2b9.png", "a2b10.png", "f1.png", "f9.png", "f10.png",
    ]  # fmt: skip


# -- reading


def test_a_folder_of_frames_in_natural_order(tmp_path):
    folder = write_frames(tmp_path / "clip", list(range(0, 240, 20)), prefix="any-")
    clip = read_frames(folder, ClipFormat(frames=12, size=8))
    assert clip.shape == (12, 8, 8, 1)
    assert clip[:, 0, 0, 0].tolist() == list(range(0, 240, 20))


def test_colours_are_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((8, 8, 3), (0, 0, 200), np.uint8))  # OpenCV writes BGR: red
    assert read_frames(tmp_path, ClipFormat(frames=1, size=4, channels=3))[0, 0, 0].tolist() == [200, 0, 0]


def test_a_video_is_read_to_its_end(tmp_path):
    clip = read_frames(write_video(tmp_path / "clip.avi", frames=9), ClipFormat(frames=9, size=8))
    assert (np.diff(clip[:, 4, 4, 0].astype(int)) > 10).all()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(folder):
    (folder / "frame_2.png").write_bytes(b"no image")


def resize(folder):
    cv2.imwrite(str(folder / "frame_2.png"), np.zeros((5, 7, 3), np.uint8))


@pytest.mark.parametrize(
    ("kind", "harm", "reason"),
    [
        ("video", cut, "truncated"),
        ("video", lambda p: p.write_bytes(b""), "zero bytes"),
        ("video", lambda p: p.write_bytes(b"no video at all" * 99), "no frame decodes"),
        ("frames", spoil, "an image does not decode"),
        ("frames", lambda p: (p / "frame_3.png").write_bytes(b""), "an image does not decode"),
        ("frames", resize, "frames of mixed size"),
        ("frames", lambda p: [f.unlink() for f in p.iterdir()], "no frames"),
    ],
)
def test_broken_recordings_have_a_reason(tmp_path, kind, harm, reason):
    path = write_video(tmp_path / "clip.avi", 20) if kind == "video" else write_frames(tmp_path / "clip", [1, 2, 3])
    harm(path)
    with pytest.raises(Unreadable) as error:
        read_frames(path, FORM)
    assert error.value.reason == reason


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


def test_real_videos_tell_a_wrong_number_of_frames(recordings):
    """All five headers promise a frame more than is there, so frames are counted by reading."""
    told_and_found = []
    for path in sorted((recordings / "hmdb51" / "clips").rglob("*.avi")):
        video = cv2.VideoCapture(str(path))
        told = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        video.release()
        told_and_found.append((told, len(clips._video(path, lambda frame: frame))))
    assert told_and_found == [(409, 408), (243, 242), (75, 74), (90, 89), (141, 140)]


def test_a_real_truncated_video(recordings, tmp_path):
    source = next((recordings / "hmdb51" / "clips").rglob("*.avi"))
    (tmp_path / "cut.avi").write_bytes(source.read_bytes()[:200_000])
    with pytest.raises(Unreadable) as error:
        read_frames(tmp_path / "cut.avi", FORM)
    assert error.value.reason == "truncated"


def test_every_real_frame_folder_reads(recordings):
    index = hmdb51.index(recordings / "hmdb51_frames", "manifest")
    assert verify(index, hmdb51.read, FORM).problems() == []
