"""Decoding clips, choosing their frames, and the memory-mapped cache that is filled once and read ever after."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from wtmr_core.datasets.index import Index, Unreadable
from wtmr_core.locks import locked
from wtmr_core.processes import cores

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # a broken file is counted, not shouted about
import cv2

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEOS = {".avi", ".mp4", ".mkv", ".mov", ".mpg", ".webm"}
IMAGES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class ClipFormat:
    """What one cached clip is. `frames` of them, either pictures of `size`×`size` pixels with `channels`
    (1 grey, 3 RGB), or, where `size` is 0, `bodies` skeletons of 25 joints.

    `choice` of frames: `uniform` (even steps from first to last) or `flow` (those with most motion).
    `reader`: `corrected`, or `published` where the paper's own reading differs.
    """

    frames: int = 16
    size: int = 0
    channels: int = 1
    bodies: int = 0
    choice: str = "uniform"
    reader: str = "corrected"

    @property
    def shape(self) -> tuple[int, ...]:
        """(t, h, w, c) of pictures or (t, m, j, 3) of joints."""
        return (self.frames, self.size, self.size, self.channels) if self.size else (self.frames, self.bodies, 25, 3)

    @property
    def dtype(self) -> np.dtype:
        """uint8 for pictures, float32 (metres) for joints."""
        return np.dtype(np.uint8 if self.size else np.float32)


def uniform(found: int, frames: int) -> np.ndarray:
    """The numbers of `frames` frames at even steps from the first to the last of `found`.

    With fewer than asked for, each once and the last again and again, as the paper does.
    """
    if found < frames:
        return np.minimum(np.arange(frames), found - 1)
    return np.linspace(0, found - 1, frames).astype(int)


def read_frames(path: Path, form: ClipFormat) -> np.ndarray:
    """The chosen frames of a video file or of a folder of numbered images: (t, h, w, c) uint8, RGB or grey.

    Frames are read to the end, since the number told by a container is wrong on real files. Raises
    `Unreadable` for an empty, truncated or undecodable file, and for frames of mixed size.
    """
    fit = functools.partial(_fit, form=form)
    frames = _folder(path, fit) if path.is_dir() else _video(path, fit)
    if not len(frames):
        raise Unreadable("no frames", str(path))
    chosen = most_motion(frames, form.frames) if form.choice == "flow" else uniform(len(frames), form.frames)
    return np.stack([frames[i] for i in chosen])


def most_motion(frames: list[np.ndarray], count: int) -> np.ndarray:
    """The numbers of the `count` frames with the largest mean Farneback flow against the frame before.

    In time order; the first frame has no flow. With fewer frames than asked for the last one is repeated.
    `frames`: (h, w, c) uint8 each. Flow is measured on the grey frames at the size given.
    """
    if len(frames) <= count:
        return uniform(len(frames), count)
    grey = [f[..., 0] if f.shape[-1] == 1 else cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    flow = [0.0]
    for before, now in pairwise(grey):
        field = cv2.calcOpticalFlowFarneback(before, now, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        flow.append(float(np.hypot(field[..., 0], field[..., 1]).mean()))
    return np.sort(np.argsort(flow, kind="stable")[::-1][:count])


def _fit(frame: np.ndarray, form: ClipFormat) -> np.ndarray:
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if form.channels == 1 else cv2.COLOR_BGR2RGB)
    shrinks = frame.shape[0] > form.size
    frame = cv2.resize(frame, (form.size, form.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return frame.reshape(form.size, form.size, form.channels)


def _video(path: Path, fit: Callable) -> list[np.ndarray]:
    with path.open("rb") as file:
        head = file.read(8)
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("zero bytes", str(path))
    if head[:4] == b"RIFF" and struct.unpack("<I", head[4:])[0] + 8 > size:
        raise Unreadable("truncated", f"{path}: {size:,} bytes of {struct.unpack('<I', head[4:])[0] + 8:,}")
    video = cv2.VideoCapture(str(path))
    frames = []
    while video.grab():
        got, frame = video.retrieve()
        if got:
            frames.append(fit(frame))
    video.release()
    if not frames:
        raise Unreadable("no frame decodes", str(path))
    return frames


def _folder(path: Path, fit: Callable) -> list[np.ndarray]:
    frames, size = [], None
    for file in sorted((f for f in path.iterdir() if is_image(f)), key=natural):
        data = np.fromfile(file, np.uint8)
        frame = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if frame is None:
            raise Unreadable("an image does not decode", str(file))
        if frame.shape != (size := size or frame.shape):
            raise Unreadable("frames of mixed size", f"{file}: {frame.shape[:2]}, before it {size[:2]}")
        frames.append(fit(frame))
    return frames


def is_image(path: Path) -> bool:
    """Whether a file is a frame by its name; hidden ones (`._1.jpg` of a Mac) are not."""
    return path.suffix.lower() in IMAGES and not path.name.startswith(".")


def natural(path: Path) -> list:
    """A key that sorts `frame2` before `frame10`, whatever stands before the number."""
    return [(0, int(word)) if word.isdigit() else (1, word) for word in re.split(r"(\d+)", path.name) if word]


# -- reading many at once ------------------------------------------------------------------------------------


def _attempt(path: Path, read: Callable, form: ClipFormat) -> np.ndarray | Unreadable:
    cv2.setNumThreads(1)  # the processes are the parallelism
    try:
        return read(path, form)
    except Unreadable as error:
        return error
    except (OSError, MemoryError, cv2.error) as error:
        return Unreadable("cannot be read", f"{path}: {error}")


def _attempt_count(path: Path, read: Callable, form: ClipFormat) -> int | Unreadable:
    clip = _attempt(path, read, form)
    return clip if isinstance(clip, Unreadable) else len(clip)


def attempts(paths: list[Path], read: Callable, form: ClipFormat, *, workers: int | None = None, keep: bool = True,
             title: str = "reading") -> Iterator[np.ndarray | Unreadable]:  # fmt: skip
    """`read(path, form)` of each path in order, in `workers` processes (all cores), with a progress bar.

    A clip that cannot be read comes as the `Unreadable` it raised. Without `keep` only that it could be
    read comes back, not the clip.
    """
    workers = min(workers or cores(), max(len(paths), 1))
    task = functools.partial(_attempt if keep else _attempt_count, read=read, form=form)
    bar = functools.partial(tqdm, total=len(paths), desc=title, unit="clip", mininterval=0.5)
    if workers == 1 or len(paths) < 16:
        yield from bar(map(task, paths))
        return
    # spawned, not forked: a forked process inherits OpenCV's and torch's threads half dead
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        # a window of chunks, so that clips do not pile up in memory behind a slow disk
        window = 64 * workers
        with bar() as progress:
            for start in range(0, len(paths), window):
                for clip in pool.map(task, paths[start : start + window], chunksize=4):
                    progress.update()
                    yield clip


def verify(index: Index, read: Callable, form: ClipFormat, *, workers: int | None = None) -> Index:
    """`index` after reading every file to its end: what cannot be read has moved to the skipped samples."""
    results = attempts(list(index.paths()), read, form, workers=workers, keep=False, title=f"checking {index.dataset}")
    lost = {n: r for n, r in zip(index.samples.name, results, strict=True) if isinstance(r, Unreadable)}
    return index.without(lost)


# -- the cache ------------------------------------------------------------------------------------------------

_VERSION = 1  # of what the readers make of a file: raise it when that changes
_ENTER_EVERY = 256  # clips between two entries of what is done
_EMPTY, _UNREADABLE = 0, 1  # checksums that are not a clip's


class CacheError(OSError):
    """The clip cache cannot be written or read; the message says where and what to do."""


@dataclass(frozen=True)
class Cache:
    """Clips of one index in one format: `clips` (b, *form.shape), memory-mapped, row i is `index.samples` row i."""

    index: Index
    form: ClipFormat
    clips: np.ndarray
    folder: Path


def cached(index: Index, read: Callable, form: ClipFormat, home: Path, *, workers: int | None = None) -> Cache:
    """The clips of `index`, decoded once into a folder below `home` named for the files and the format.

    A cache of other files (name, size or time of change) or of another format has another name, so it is
    never used. Each decoded clip is entered with its checksum; after an interruption those whose checksum
    holds are kept and the rest decoded. Clips that cannot be read move to the skipped ones of the returned
    cache's index. Raises `CacheError` where the disk is full (what was decoded stays, to be continued).
    """
    folder = home / f"{index.dataset}-{_key(index, form)}"
    if not (folder / "complete.json").is_file():
        try:
            # another process that wants the same cache waits here
            with locked(folder / ".lock", f"caches {index.dataset}", remedy="name another folder with WTMR_CACHE"):
                if not (folder / "complete.json").is_file():
                    _fill(folder, index, read, form, workers)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, None):  # numpy's full disk has no number
                raise
            raise CacheError(
                error.errno,
                f"the disk is full while caching {index.dataset} in {folder}: free "
                f"{_bytes(index, form) / 1e9:.1f} GB or name another folder with WTMR_CACHE, then run it "
                "again; what was decoded is kept",
            ) from error
    try:
        complete = json.loads((folder / "complete.json").read_text())
        clips = np.load(folder / "clips.npy", mmap_mode="r")
    except (ValueError, EOFError, FileNotFoundError) as error:
        raise CacheError(
            f"the cache {folder} is damaged ({error}): delete that folder, it will be made again"
        ) from error
    lost = {row[0]: Unreadable(*row[1:]) for row in complete["unreadable"]}
    rows = np.flatnonzero(~index.samples.name.isin(lost))
    return Cache(index.without(lost), form, clips if len(rows) == len(clips) else _Rows(clips, rows), folder)


class _Rows:
    """Some rows of a memory-mapped array, without a copy: indexes like an array along its first axis."""

    def __init__(self, clips: np.ndarray, rows: np.ndarray):
        self.clips, self.rows = clips, rows
        self.shape, self.dtype = (len(rows), *clips.shape[1:]), clips.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i) -> np.ndarray:
        return self.clips[self.rows[i]]


def _key(index: Index, form: ClipFormat) -> str:
    digest = hashlib.sha256(repr((_VERSION, sorted(asdict(form).items()))).encode())
    for name, path in zip(index.samples.name, index.paths(), strict=True):
        files = sorted(path.iterdir(), key=natural) if path.is_dir() else [path]
        for stat in (f.stat() for f in files):
            digest.update(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _bytes(index: Index, form: ClipFormat) -> int:
    return len(index) * int(np.prod(form.shape)) * form.dtype.itemsize


def _fill(folder: Path, index: Index, read: Callable, form: ClipFormat, workers: int | None) -> None:
    done_file, clips_file = folder / "checksums.npy", folder / "clips.npy"
    shape = (len(index), *form.shape)
    step = int(np.prod(form.shape)) * form.dtype.itemsize
    sums = np.zeros(len(index), np.uint32)
    if done_file.is_file() and clips_file.is_file() and np.load(done_file).shape == sums.shape:
        sums = _trusted(np.load(done_file), clips_file, shape, form)
    elif shutil.disk_usage(folder).free < step * len(index):
        raise OSError(errno.ENOSPC, "not enough room")
    todo = np.flatnonzero(sums == _EMPTY)
    unreadable = {}
    # written with pwrite, not through the map: on a full disk a mapped page kills the process
    with open(clips_file, "r+b" if clips_file.is_file() else "w+b") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(form.dtype), "fortran_order": False, "shape": shape}
        )
        start = file.tell()
        file.truncate(start + step * len(index))
        file.flush()
        paths = list(index.paths())
        clips = attempts([paths[i] for i in todo], read, form, workers=workers, title=f"caching {index.dataset}")
        for n, (i, clip) in enumerate(zip(todo, clips, strict=True), 1):
            if isinstance(clip, Unreadable):
                unreadable[index.samples.name[i]] = clip
                data, sums[i] = bytes(step), _UNREADABLE
            else:
                data = np.ascontiguousarray(clip, form.dtype).tobytes()
                sums[i] = _checksum(data)
            if len(data) != step or os.pwrite(file.fileno(), data, start + int(i) * step) != step:
                raise OSError(errno.ENOSPC, "a clip was written in part")
            if n % _ENTER_EVERY == 0 or n == len(todo):
                os.fsync(file.fileno())
                # what cannot be read is tried again after an interruption: the reason is not entered yet
                _write(done_file, np.where(sums == _UNREADABLE, _EMPTY, sums).astype(np.uint32))
    record = {
        "version": _VERSION,
        "format": asdict(form),
        "dataset": index.dataset,
        "clips": index.samples.name.tolist(),
        "unreadable": [[n, e.reason, e.detail] for n, e in unreadable.items()],
    }
    beside = folder / "complete.json.part"
    beside.write_text(json.dumps(record, indent=1))
    beside.replace(folder / "complete.json")


def _checksum(data: bytes) -> int:
    return max(zlib.crc32(data), 2)  # 0 and 1 mean something else


def _trusted(sums: np.ndarray, clips_file: Path, shape: tuple, form: ClipFormat) -> np.ndarray:
    """`sums` with those set to empty whose clip in the file is not what was entered."""
    try:
        clips = np.load(clips_file, mmap_mode="r")
    except (ValueError, EOFError):  # cut off from outside
        return np.zeros_like(sums)
    if clips.shape != shape or clips.dtype != form.dtype:
        return np.zeros_like(sums)
    holds = [s != _EMPTY and _checksum(clips[i].tobytes()) == s for i, s in enumerate(sums)]
    return np.where(holds, sums, _EMPTY).astype(np.uint32)


def _write(path: Path, array: np.ndarray) -> None:
    beside = path.with_suffix(".part.npy")
    np.save(beside, array)
    beside.replace(path)
