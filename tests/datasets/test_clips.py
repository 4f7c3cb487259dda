"""Reading many clips, and their cache: never another's clips, never half of them, never a damaged one."""

import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from tests.conftest import PROJECT, write_frames, write_hmdb51, write_svideoqa, write_video
from wtmr_core import locks, processes
from wtmr_core.datasets import clips, hmdb51, store, svideoqa
from wtmr_core.datasets.clips import CacheError, cached, contents, verify
from wtmr_core.datasets.filenames import natural
from wtmr_core.datasets.video import ClipFormat, Remark, read_frames

FORM = ClipFormat(frames=4, size=16)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(clips, "WAITS", (0, 0, 0))


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


def test_processes_fill_it_alike(tmp_path):
    index = hmdb51.index(write_hmdb51(tmp_path / "set"), "1")
    assert processes.worker_count(2, len(index)) == 2
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
    write_video(path, 7, shade=99)
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


class Stop(BaseException):
    pass


def test_an_interrupted_cache_is_finished_and_not_trusted(index, tmp_path, monkeypatch):
    calls = []

    def stopping(path, form):
        if len(calls) == 6:
            raise Stop
        return counting(calls)(path, form)

    monkeypatch.setattr(store, "_ENTER_EVERY", 2)
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

    monkeypatch.setattr(store, "_ENTER_EVERY", 1)
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
from wtmr_core.datasets import clips, hmdb51, store, video
store._ENTER_EVERY = 1
def read(path, form):
    time.sleep(0.05)
    return video.read_frames(path, form)
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


# -- what is no property of a clip


def hiccup(times, error):
    """A reader whose fifth clip fails so many times."""
    failures = []

    def read(path, form):
        if path.stem.startswith("Film2_sit") and len(failures) < times:
            failures.append(path)
            raise error
        return read_frames(path, form)

    return read, failures


def test_a_passing_error_is_tried_again(index, tmp_path):
    read, failures = hiccup(3, OSError(errno.EIO, "Input/output error"))
    assert len(cached(index, read, FORM, tmp_path / "c", workers=1).clips) == len(index)
    assert len(failures) == 3


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file"), MemoryError("no memory")])
def test_an_error_that_stays_stops_the_reading_and_completes_nothing(index, tmp_path, error):
    read, _ = hiccup(4, error)
    with pytest.raises(CacheError, match=r"Film2_sit.*avi cannot be read at present .*what was decoded is kept"):
        cached(index, read, FORM, tmp_path / "c", workers=1)
    folder = next((tmp_path / "c").iterdir())
    assert not (folder / "complete.json").exists()
    calls = []
    cache = cached(index, counting(calls), FORM, tmp_path / "c", workers=1)
    assert len(cache.clips) == len(index)
    assert len(calls) == len(index) - 4  # those before it were entered
    with pytest.raises(CacheError, match="cannot be read at present"):
        verify(index, hiccup(4, error)[0], FORM, workers=1)


def test_any_other_error_of_a_reader_is_its_clips(index, tmp_path):
    read, _ = hiccup(9, RuntimeError("index out of range"))
    seen = verify(index, hiccup(9, KeyError(3))[0], FORM)
    assert cached(index, read, FORM, tmp_path / "c", workers=1).index.skips() == {"cannot be read": 2}
    assert seen.skips() == {"cannot be read": 2}
    assert "Film2_sit" in seen.skipped.detail[0]
    assert seen.skipped.detail[0].endswith("avi: KeyError: 3")


def ended_by_the_system(path, form):
    if path.stem == "Film5_sit_f_nm_np1_fr_goo_0":
        os.kill(os.getpid(), signal.SIGKILL)
    return read_frames(path, form)


def test_a_process_that_the_system_ends(tmp_path):
    index = hmdb51.index(write_hmdb51(tmp_path / "set"), "1")
    with pytest.raises(CacheError, match=r"want of memory.*from .*avi to .*avi: run it again with fewer workers"):
        cached(index, ended_by_the_system, FORM, tmp_path / "c", workers=2)


ORPHANS = """
import os, sys, time
from pathlib import Path
from wtmr_core.datasets import clips, hmdb51, video
def read(path, form):
    (Path(sys.argv[2]) / str(os.getpid())).touch()
    time.sleep(0.1)
    return video.read_frames(path, form)
if __name__ == "__main__":
    form = clips.ClipFormat(frames=4, size=16)
    clips.cached(hmdb51.index(Path(sys.argv[1]), "1"), read, form, Path(sys.argv[2]) / "cache", workers=2)
"""


def soon(true, seconds=120):
    """Whether `true()` comes true; a busy machine may take long to start a process."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone ends processes with their parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_asked(tmp_path, how):
    write_hmdb51(tmp_path / "set")
    (pids := tmp_path / "pids").mkdir()
    (tmp_path / "read.py").write_text(ORPHANS)
    command = [sys.executable, str(tmp_path / "read.py"), str(tmp_path / "set"), str(pids)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
    workers: list[int] = []

    def two_work() -> bool:
        workers[:] = [int(f.name) for f in pids.iterdir() if f.name.isdigit()]
        return len(workers) == 2

    assert soon(two_work)
    assert process.pid not in workers
    process.send_signal(how)
    process.wait()
    assert soon(lambda: not any(map(alive, workers)))


# -- remarks


def test_a_remark_goes_from_the_reader_to_the_index(index, tmp_path):
    def read(path, form):
        if path.stem.startswith("Film3_walk"):
            warnings.warn(Remark("too dark", path.name), stacklevel=1)
        return read_frames(path, form)

    expected = {f"walk/Film3_walk_f_nm_np1_fr_goo_{n}": "too dark" for n in (0, 1)}
    made, again = (cached(index, read, FORM, tmp_path / "c", workers=1).index for _ in range(2))
    for one in (made, again, verify(index, read, FORM, workers=1)):
        assert dict(zip(one.remarks.name, one.remarks.reason, strict=True)) == expected
        assert len(one) == len(index)


def test_a_remark_outlives_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_ENTER_EVERY", 1)
    index, calls = hmdb51.index(write_hmdb51(tmp_path / "set", films=4), "1"), []

    def read(path, form):
        if len(calls) == 9:
            raise Stop
        calls.append(path)
        warnings.warn(Remark("too dark"), stacklevel=1) if len(calls) == 2 else None
        return read_frames(path, form)

    with pytest.raises(Stop):
        cached(index, read, FORM, tmp_path / "c", workers=1)

    def later(path, form):
        warnings.warn(Remark("too dark"), stacklevel=1) if path == calls[1] else None
        return read_frames(path, form)

    assert cached(index, later, FORM, tmp_path / "c", workers=1).index.remarks.name.tolist() == [index.samples.name[1]]


# -- identity by content


def test_names_times_and_neighbours_are_no_content(tmp_path):
    root = write_svideoqa(tmp_path / "set")
    index = svideoqa.index(root, "sequence")
    before = contents(index)
    folder = next(index.paths())
    for path in folder.iterdir():
        os.utime(path, ns=(1, 1))
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    write_frames(tmp_path / "other", [9])
    shutil.copy(tmp_path / "other" / "frame_1.png", folder / "cover.png")
    assert contents(index) == before
    first, second = sorted(folder.glob("*_[0-9]*.*"), key=natural)[:2]
    first.write_bytes(second.read_bytes())  # as large as before or not, a picture
    after = contents(index)
    assert after[0] != before[0]
    assert after[1:] == before[1:]
    assert index.fingerprint(after) != index.fingerprint(before)


def test_a_name_that_is_no_utf8_has_no_place_in_a_cache(tmp_path):
    root = write_hmdb51(tmp_path / "set", films=2)
    write_video(root / "sit" / "odd.avi", 5).rename(root / "sit" / "caf\udce9.avi")
    index = hmdb51.index(root, "-")
    cache = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
    assert len(cache.clips) == len(index) == 8
    assert index.skipped[["name", "reason"]].values.tolist() == [["sit/caf\\udce9.avi", "its name is not UTF-8"]]
    assert len(cache.fingerprint()) == 8


def test_the_fingerprint_is_of_the_kept_clips(index, tmp_path):
    whole = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
    cut(next(index.paths()))
    less = cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)
    assert less.contents == whole.contents[1:]
    assert less.fingerprint() != whole.fingerprint()
    assert less.fingerprint() == less.index.fingerprint(less.contents)


# -- damage


@pytest.fixture
def whole(tmp_path):
    """A whole cache of clips of which one cannot be read and one has a remark."""
    index = hmdb51.index(write_hmdb51(tmp_path / "set", films=4), "1")
    cut(list(index.paths())[5])

    def read(path, form):
        if path.stem.startswith("Film1_walk"):
            warnings.warn(Remark("too dark"), stacklevel=1)
        return read_frames(path, form)

    cache = cached(index, read, FORM, tmp_path / "c", workers=1)
    return index, cache, read


def reopened(index, read, tmp_path):
    calls = []

    def counted(path, form):
        calls.append(path)
        return read(path, form)

    return cached(index, counted, FORM, tmp_path / "c", workers=1), calls


def test_no_flipped_byte_gets_through(whole, tmp_path, caplog):
    index, cache, read = whole
    clips_before = np.array(cache.clips[np.arange(len(cache.index))])
    rng = np.random.default_rng(0)
    for file in ("clips.npy", "checksums.npy", "complete.json"):
        good = (cache.folder / file).read_bytes()
        head = np.arange(128) if file.endswith("npy") else []
        for place in [*rng.choice(head, 40 if len(head) else 0), *rng.integers(0, len(good), 40)]:
            data = bytearray(good)
            data[place] ^= 1 << rng.integers(8)
            (cache.folder / file).write_bytes(data)
            caplog.clear()
            healed, calls = reopened(index, read, tmp_path)
            np.testing.assert_array_equal(healed.clips[np.arange(len(healed.index))], clips_before)
            assert (healed.index.skips(), len(healed.index.remarks)) == ({"truncated": 1}, 2)
            assert not calls or file in caplog.text
            caplog.clear()
            assert reopened(index, read, tmp_path)[1] == []
            assert not caplog.text


@pytest.mark.parametrize("file", ["clips.npy", "checksums.npy", "complete.json"])
@pytest.mark.parametrize("harm", [cut, lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_a_file_cut_emptied_or_gone(whole, tmp_path, caplog, file, harm):
    index, cache, read = whole
    clips_before = np.array(cache.clips[np.arange(len(cache.index))])
    harm(cache.folder / file)
    healed, _ = reopened(index, read, tmp_path)
    np.testing.assert_array_equal(healed.clips[np.arange(len(healed.index))], clips_before)
    assert (healed.index.skips(), len(healed.index.remarks)) == ({"truncated": 1}, 2)
    assert file in caplog.text or file == "complete.json"  # without that it is one that was interrupted
    assert reopened(index, read, tmp_path)[1] == []


def test_only_damaged_clips_are_decoded_again(whole, tmp_path, caplog):
    index, cache, read = whole
    data = np.load(cache.folder / "clips.npy", mmap_mode="r+")
    data[[2, 9]] ^= 1
    data.flush()
    with caplog.at_level(logging.WARNING):
        _, calls = reopened(index, read, tmp_path)
    paths = list(index.paths())
    assert calls == [paths[2], paths[9]]
    assert "clips.npy or checksums.npy is damaged at 2 clips, the first: " + index.samples.name[2] in caplog.text


def refusing(monkeypatch, folder, error):
    """Let nobody lock a file in `folder`."""
    lock = locks.FileLock

    def refuse(path, **options):
        if folder in path.parents:
            raise error
        return lock(path, **options)

    monkeypatch.setattr(locks, "FileLock", refuse)


def test_a_cache_that_may_only_be_read(whole, tmp_path, monkeypatch):
    index, cache, read = whole
    refusing(monkeypatch, cache.folder, OSError(errno.EROFS, "Read-only file system"))
    again, calls = reopened(index, read, tmp_path)
    assert (len(again.clips), calls) == (len(index) - 1, [])
    cut(cache.folder / "clips.npy")
    with pytest.raises(CacheError, match=r"clips\.npy is damaged, cut.*Read-only.*WTMR_CACHE"):
        reopened(index, read, tmp_path)


def test_a_folder_that_nothing_can_be_written_to(index, tmp_path):
    (tmp_path / "c").write_text("a file")
    with pytest.raises(CacheError, match=r"cannot be used.*WTMR_CACHE"):
        cached(index, hmdb51.read, FORM, tmp_path / "c", workers=1)


# -- real files


def test_every_real_frame_folder_reads(recordings):
    index = hmdb51.index(recordings / "hmdb51_frames", "manifest")
    assert verify(index, hmdb51.read, FORM).problems() == []


@pytest.mark.parametrize("whole_first", [True, False])
def test_renamed_frames_are_judged_anew(tmp_path, whole_first):
    """The same pictures are a whole sequence or one with a hole by their numbers: training says what the check says."""
    root = write_svideoqa(tmp_path / "set", sequences=8)
    folder = next(root.glob("videosequence-001/*/Camera01"))
    shutil.rmtree(folder, ignore_errors=False)
    write_frames(folder, list(range(0, 100, 10)))
    (folder / "qa.csv").write_text("question,answer\nWhat is the person doing?,walking\n")

    def renumber(by):
        for n in range(10, 5, -1):
            (folder / f"frame_{n}.png").rename(folder / f"frame_{n + by}.png")

    def back(by):
        for n in range(6, 11):
            (folder / f"frame_{n + by}.png").rename(folder / f"frame_{n}.png")

    def skipped():
        index = svideoqa.index(root, "sequence")
        trained = cached(index, read_frames, FORM, tmp_path / "cache", workers=1).index
        assert trained.skips() == verify(index, read_frames, FORM, workers=1).skips()
        return trained.skips()

    if whole_first:
        assert skipped() == {}
        renumber(40)
        assert skipped() == {"has a hole": 1}
    else:
        renumber(40)
        assert skipped() == {"has a hole": 1}
        back(40)
        assert skipped() == {}
