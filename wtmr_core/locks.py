"""Locks between processes; every failure says what is in the way and what to do."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PATIENCE = 3.0  # seconds until it is said that another process is waited for


class LockError(OSError):
    """A lock cannot be taken at all; the message says which one, why, and what to do."""


@contextmanager
def locked(path: Path, purpose: str, *, timeout: float | None = None, remedy: str = "") -> Iterator[None]:
    """Hold the lock of the file `path` for this process alone; the file and its folders are created if need be.

    The system releases the lock of a process that ends, however it ends. After three seconds of waiting a line on
    stderr says so.

    Args:
        path: of the lock file
        purpose: what the other process does, as it continues "another process that"
        timeout: seconds after which `filelock.Timeout` is raised; None waits for ever
        remedy: what helps where the folder cannot be written to

    Raises:
        LockError: for a file of another user, a read-only folder, or a file system without locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # never a soft lock: that of a process killed on another machine would be waited for for good
        lock = FileLock(path, fallback_to_soft=False)
        try:
            lock.acquire(timeout=PATIENCE if timeout is None else min(timeout, PATIENCE))
        except Timeout:
            if timeout is not None and timeout <= PATIENCE:
                raise
            print(f"waiting for another process that {purpose} ({path})", file=sys.stderr, flush=True)
            lock.acquire(timeout=-1 if timeout is None else timeout - PATIENCE)
    except Timeout:
        raise
    except OSError as error:
        explained = LockError(_why(error, path) + (f": {remedy}" if remedy else ""))
        explained.errno = error.errno
        raise explained from error
    try:
        yield
    finally:
        lock.release()


def _why(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        return f"{path} cannot be locked, its file system has no locks ({error.strerror}); another one is needed"
    if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP) and os.path.lexists(path):
        return f"{path} is the lock of another user, who may be at work there"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path.parent} cannot be written to ({error.strerror})"
    return f"{path} cannot be locked ({error.strerror or error})"
