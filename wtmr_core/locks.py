"""Locks between processes, whose every failure says what is in the way and what to do."""

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
    """A lock cannot be had at all; the message says which, why and what to do."""


@contextmanager
def locked(path: Path, purpose: str, *, timeout: float | None = None, remedy: str = "") -> Iterator[None]:
    """Within it this process alone has the lock of the file `path`, which is made, with its folders, where absent.

    The system frees the lock of a process that ends, however it ends. `purpose` goes on from "another process that":
    what the one that is waited for does. After three seconds it is said on stderr that it is waited for; after
    `timeout` seconds `filelock.Timeout` is raised. `remedy` is what helps where the folder cannot be written to.
    Raises `LockError` for the file of another user, a folder that is only read, a file system without locks.
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
