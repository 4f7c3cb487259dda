"""Locks: one process at a time, and a sentence for all that can be in the way."""

import errno
import os
import signal
import subprocess
import sys
import time

import filelock
import pytest

from tests.conftest import PROJECT
from wtmr_core import locks
from wtmr_core.locks import LockError, locked

HOLD = """
import pathlib, sys, time
from wtmr_core.locks import locked
with locked(pathlib.Path(sys.argv[1]), "waits"):
    print("has it", flush=True)
    time.sleep(60)
"""


def holder(path) -> subprocess.Popen:
    """A process that has the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "has it\n"
    return process


def test_waiting_is_said_and_ends_with_the_process_that_is_waited_for(tmp_path, capsys, monkeypatch):
    """However that ends: here by SIGKILL."""
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    path = tmp_path / "new" / ".lock"
    with holder(path) as process:
        with pytest.raises(filelock.Timeout), locked(path, "sleeps", timeout=0.1):
            pass
        assert capsys.readouterr().err == ""
        with pytest.raises(filelock.Timeout), locked(path, "sleeps", timeout=0.5):
            pass
        assert capsys.readouterr().err == f"waiting for another process that sleeps ({path})\n"
        process.send_signal(signal.SIGKILL)
        began = time.monotonic()
        with locked(path, "sleeps"):
            assert time.monotonic() - began < 30


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    """No soft lock in its place: one left by a process killed on another machine would be waited for for good."""
    import fcntl

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    said = r"\.lock cannot be locked, its file system has no locks \(.*\); another one is needed: name WTMR_CACHE"
    with pytest.raises(LockError, match=said) as raised, locked(tmp_path / ".lock", "x", remedy="name WTMR_CACHE"):
        pass
    assert raised.value.errno == number


@pytest.mark.parametrize(
    ("number", "there", "said"),
    [
        (errno.EACCES, True, r"\.lock is the lock of another user, who may be at work there: name another"),
        (errno.EACCES, False, r"cannot be written to \(Permission denied\): name another"),
        (errno.EROFS, False, r"cannot be written to \(Read-only file system\): name another"),
        (errno.EIO, False, r"\.lock cannot be locked \(Input/output error\): name another"),
    ],
)
def test_a_file_that_cannot_be_had(tmp_path, monkeypatch, number, there, said):
    path = tmp_path / ".lock"
    if there:
        path.touch()

    def acquire(*_, **__):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(locks.FileLock, "acquire", acquire)
    with pytest.raises(LockError, match=said), locked(path, "x", remedy="name another"):
        pass


def test_what_is_raised_within_is_passed_on_and_frees_it(tmp_path):
    path = tmp_path / ".lock"
    with pytest.raises(OSError, match="mine"), locked(path, "x"):
        raise OSError("mine")
    with locked(path, "x", timeout=0):
        pass
