"""Reading many clips at once, and the memory-mapped cache that is filled once and then only read."""

from __future__ import annotations

import errno
import functools
import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from wtmr_core.datasets.filenames import missing, numbered
from wtmr_core.datasets.index import Index, Unreadable
from wtmr_core.datasets.store import State, Store
from wtmr_core.datasets.video import ClipFormat, Remark, read_frames  # noqa: F401  (read_frames: for callers)
from wtmr_core.locks import locked
from wtmr_core.processes import cores, worker_count, worker_pool

WAITS = (0.5, 1.0, 2.0)  # seconds before a file is tried again
_VERSION = 4  # of what the readers make of a file: raise it when that changes
_CHUNK = 4  # clips that go to a process at a time


class CacheError(OSError):
    """Clips cannot be read now, or their cache cannot be used; the message says where and what to do."""


@dataclass(frozen=True)
class Attempt:
    """The result of reading one clip.

    Attributes:
        clip: None where reading failed or only the reading was asked for
        remark: (reason, detail) of what is odd about it, or None
        fault: why it cannot be read, or None
    """

    clip: np.ndarray | None = None
    remark: tuple[str, str] | None = None
    fault: Unreadable | None = None


def attempts(
    paths: list[Path],
    read: Callable,
    form: ClipFormat,
    *,
    workers: int | None = None,
    keep: bool = True,
    title: str = "reading",
) -> Iterator[Attempt]:
    """Call `read(path, form)` for each path, in several processes and with a progress bar; results come in order.

    An exception from a reader makes its clip `Unreadable`, with two exceptions that are not properties of the clip: an
    error of the system or lack of memory that lasts longer than `WAITS`, and a process that the system kills.

    Args:
        paths: files or folders of the clips
        read: a data set's reader
        form: of the clips
        workers: processes, see `processes.worker_count`
        keep: whether to return the clips, not only whether they can be read
        title: of the progress bar

    Raises:
        CacheError: in those two cases.
    """
    processes = worker_count(workers, len(paths))
    task = functools.partial(_attempt, read=read, form=form, keep=keep)
    with tqdm(total=len(paths), desc=title, unit="clip", mininterval=0.5) as progress:
        for attempt in map(task, paths) if processes == 1 else _side_by_side(task, paths, processes):
            progress.update()
            yield attempt


def _side_by_side(task: Callable, paths: list[Path], processes: int) -> Iterator[Attempt]:
    done, window = 0, 64 * processes  # a window, so that clips do not pile up in memory behind a slow disk
    with worker_pool(processes) as pool:
        try:
            for start in range(0, len(paths), window):
                for attempt in pool.map(task, paths[start : start + window], chunksize=_CHUNK):
                    done += 1
                    yield attempt
        except BrokenProcessPool as error:
            current = paths[done : done + _CHUNK * processes]
            raise CacheError(
                f"the system ended a process that was reading clips, perhaps for want of memory. It was at one of the "
                f"{len(current)} from {current[0]} to {current[-1]}: run it again with fewer workers (workers=1), "
                "what was decoded is kept"
            ) from error


def _attempt(path: Path, read: Callable, form: ClipFormat, keep: bool) -> Attempt:
    cv2.setNumThreads(1)  # the processes are the parallelism
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Remark)
        try:
            clip = _patiently(functools.partial(read, path, form), path)
        except CacheError:
            raise
        except Unreadable as fault:
            return Attempt(fault=fault)
        except Exception as error:
            detail = f"while reading {path}: {type(error).__name__}: {error}"
            return Attempt(fault=Unreadable("cannot be read", detail))
    remark = None
    for warning in caught:
        if isinstance(warning.message, Remark):
            remark = (warning.message.reason, warning.message.detail)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return Attempt(clip if keep else None, remark)


def _patiently(work: Callable[[], Any], path: Path) -> Any:
    """The result of `work`, tried again after each of `WAITS` where the system or lack of memory stops it."""
    for wait in (*WAITS, None):
        try:
            return work()
        except (OSError, MemoryError, cv2.error) as error:
            if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
                raise
            if wait is None:
                why = f"{type(error).__name__}: {error}, tried {len(WAITS) + 1} times"
                raise CacheError(
                    f"{path} cannot be read at present ({why}): see to its disk or network, or to the memory, and run "
                    "it again; what was decoded is kept. Where it is this file alone, take it out of the set"
                ) from error
            time.sleep(wait)


def verify(index: Index, read: Callable, form: ClipFormat, *, workers: int | None = None) -> Index:
    """Read every file of `index` to its end: unreadable samples become skipped ones, oddities become remarks.

    Raises `CacheError` as `attempts`.
    """
    results = attempts(list(index.paths()), read, form, workers=workers, keep=False, title=f"checking {index.dataset}")
    named = dict(zip(index.samples.name, results, strict=True))
    remarks = {name: attempt.remark for name, attempt in named.items() if attempt.remark}
    lost = {name: attempt.fault for name, attempt in named.items() if attempt.fault}
    return index.without(lost).with_remarks(remarks)


def contents(index: Index, workers: int | None = None) -> list[str]:
    """Compute a SHA-256 in hex of what each kept sample is read from: its file, or the digests of its frames in order.

    Names, times and files that are not frames do not matter. `workers` is the number of threads, by default one per
    core. Raises `CacheError` where a file cannot be read.
    """
    return _digests(_recordings(index), index.dataset, workers)


def _recordings(index: Index) -> list[list[Path]]:
    return _patiently(lambda: list(index.recordings()), index.root)


def _digests(recordings: list[list[Path]], dataset: str, workers: int | None) -> list[str]:
    with ThreadPoolExecutor(workers or cores()) as pool:
        digests = pool.map(_digest, recordings)
        title = f"comparing {dataset}"
        return list(tqdm(digests, total=len(recordings), desc=title, unit="clip", delay=2, mininterval=0.5))


def _digest(files: list[Path]) -> str:
    def digest(file: Path) -> bytes:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()

    digests = [_patiently(functools.partial(digest, file), file) for file in files]
    return (digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()).hex()


@dataclass(frozen=True)
class Cache:
    """The clips of an index in one format.

    Attributes:
        index: of the clips
        form: of the clips
        clips: `(b, *form.shape)`, memory-mapped; row i is `index.samples` row i
        folder: of the cache
        contents: (b,) a digest of each clip's recording
    """

    index: Index
    form: ClipFormat
    clips: np.ndarray
    folder: Path
    contents: list[str]

    def fingerprint(self) -> str:
        """Eight hex digits that change with the kept clips, whatever their format; see `Index.fingerprint`."""
        return self.index.fingerprint(self.contents)


def cached(index: Index, read: Callable, form: ClipFormat, home: Path, *, workers: int | None = None) -> Cache:
    """Decode the clips of `index` once, into a folder below `home` named for their contents and format, and open them.

    A cache of other recordings or another format has another name, so it is never used by mistake. Each decoded clip is
    recorded with its checksum. After an interruption, clips whose checksum matches are kept and the rest are decoded.
    The checksums are compared whenever a cache is opened: damage is logged and decoded again. In the index of the
    result, unreadable clips are among the skipped ones, and oddities among the remarks.

    Args:
        index: of the clips
        read: the data set's reader
        form: of the clips
        home: folder of caches
        workers: processes that decode; None is one per core

    Raises:
        CacheError: where the cache cannot be written (what was decoded stays, to be continued), and where a recording
            cannot be read at present.
    """
    recordings = _recordings(index)
    digests = _digests(recordings, index.dataset, workers)
    key = _key(form, index.samples.name, digests, recordings)
    store = Store(home / f"{index.dataset}-{key}", index.samples.name.tolist(), form)
    paths = list(index.paths())

    def decode(rows: Iterable[int]) -> Iterator[Attempt]:
        return attempts([paths[i] for i in rows], read, form, workers=workers, title=f"caching {index.dataset}")

    state = None
    try:
        state = store.state()
        if not state.whole:
            # another process that wants the same cache waits here
            with locked(store.folder / ".lock", f"caches {index.dataset}"):
                state = store.state()
                if not state.whole:
                    state = store.fill(state, decode, {"version": _VERSION, "dataset": index.dataset})
        clips = store.open()
    except CacheError:
        raise
    except OSError as error:
        raise CacheError(error.errno, _in_words(error, index, store, state)) from error
    lost = {name: Unreadable(reason, detail) for name, reason, detail in state.record["unreadable"]}
    remarks = {name: (reason, detail) for name, reason, detail, _ in state.record["remarks"]}
    rows = np.flatnonzero(~index.samples.name.isin(lost))
    kept = index.without(lost).with_remarks(remarks)
    return Cache(kept, form, clips if not lost else _Rows(clips, rows), store.folder, [digests[i] for i in rows])


class _Rows:
    """Some rows of a memory-mapped array, without a copy; indexes like an array along its first axis."""

    def __init__(self, clips: np.ndarray, rows: np.ndarray):
        self.clips, self.rows = clips, rows
        self.shape, self.dtype = (len(rows), *clips.shape[1:]), clips.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i) -> np.ndarray:
        return self.clips[self.rows[i]]


def _key(form: ClipFormat, names: Iterable[str], digests: list[str], recordings: list[list[Path]]) -> str:
    """What the clips of a cache depend on: contents, and what else of a recording decides whether it is complete."""
    samples = list(zip(names, digests, map(_shape, recordings), strict=True))
    identity = (_VERSION, sorted(asdict(form).items()), samples)
    return hashlib.sha256(repr(identity).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _shape(files: list[Path]) -> object:
    """The suffix of a file, which decides how truncation is judged, or the gaps between the numbers of frames."""
    return files[0].suffix.lower() if len(files) == 1 else missing(numbered(files)[1])


def _in_words(error: OSError, index: Index, store: Store, state: State | None) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, None):  # numpy's full disk has no number
        return (
            f"the disk is full while caching {index.dataset} in {store.folder}: free {store.bytes / 1e9:.1f} GB or "
            "name another folder with WTMR_CACHE, then run it again; what was decoded is kept"
        )
    damage = "".join(f"{sentence}. " for sentence in state.damage) if state else ""
    return (
        f"{damage}The cache in {store.folder} cannot be used ({error}): name a folder that you may write to with "
        "WTMR_CACHE" + (", or delete the damaged one" if damage else "")
    )
