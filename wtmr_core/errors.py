"""What a command prints for an error: what is wrong, where and what to do, never a Python traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

TRACEBACK = "WTMR_TRACEBACK"  # set to 1, an error also shows where in the program it was raised
WORDS = (ValueError, RuntimeError, ArithmeticError)  # in which this project, torch and others put their errors


def ended(work: Callable[[], int], doing: str) -> int:
    """Run `work`, print its error, if any, on stderr, and return the exit status of the command.

    The status is that of `work`, 2 for an error, 130 for an interrupt, and 141 where the reader of the output has gone.
    `doing` is the name of the command.
    """
    try:
        status = work()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("wtmr: stopped; run the same command again and it resumes", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _silence()
        return 141
    except Exception as error:
        if os.environ.get(TRACEBACK) == "1":
            traceback.print_exc()
        print(f"wtmr: {sentence(error, doing)}", file=sys.stderr)
        return 2


def sentence(error: Exception, doing: str) -> str:
    """`error` as one sentence that says what to do; `doing` is the name of the command."""
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, WORDS) and str(error):
        return str(error)
    more = f" (set {TRACEBACK}=1 to see where)"
    return f"unexpected {type(error).__name__} while running {doing}: {error}{more}"


def _of_system(error: OSError) -> str:
    """An error of the system, with its file and, where that could not be written, a remedy."""
    if error.filename is None or error.strerror is None:
        return error.strerror or str(error) or type(error).__name__
    files = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    sentence = f"{files}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{sentence}; {_elsewhere(Path(os.fsdecode(error.filename)).absolute())}"
    if error.errno == errno.ENOENT:
        return f"{sentence}; check the name; one that does not begin with / is looked for in the current folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{sentence}; free some space and run it again"
    return sentence


def _elsewhere(path: Path) -> str:
    """How to use another place for a file that cannot be written."""
    from wtmr_core.datasets import cache_home, home

    if path.is_relative_to(cache_home().absolute()):
        return "name a folder of your own with WTMR_CACHE"
    if path.is_relative_to(home() / "results"):
        return "name a folder of your own with --results or WTMR_RESULTS"
    if path.is_relative_to(os.path.expanduser("~")):
        return "name a folder of your own with HOME"
    return "ask its owner, or name a folder of your own: --results or WTMR_RESULTS for results, WTMR_CACHE for caches"


def _silence() -> None:
    """Stop writing to a pipe whose reader has gone: Python would complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
