"""The files of a clip cache, written whole or not at all, and trusted only as far as their checksums match.

`clips.npy` has one row per clip, and `checksums.npy` the CRC-32 of each row that was recorded. `complete.json`, written
last, says that the cache is complete and which clips cannot be read or have a remark; it carries its own SHA-256. The
checksum of a clip with a remark is only in that file, so that without it the clip is read again and gets its remark.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from wtmr_core.datasets.video import ClipFormat
from wtmr_core.files import replace
from wtmr_core.processes import cores

_ENTER_EVERY = 256  # clips between two entries of what is done
_EMPTY = 0  # a checksum that is no clip's
_SUMS = np.dtype(np.uint32)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What can be used of a cache.

    Attributes:
        record: content of `complete.json`, or None
        sums: (b,) checksums, empty where a clip is missing or is not what was recorded
        offset: where the rows begin in their file, or None where its header cannot be used
        missing: rows to decode
        damage: what is damaged, in sentences
    """

    record: dict[str, Any] | None
    sums: np.ndarray
    offset: int | None
    missing: np.ndarray
    damage: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the cache can be read as it is."""
        return self.record is not None and self.offset is not None and not len(self.missing)


@dataclass(frozen=True)
class Store:
    """The cache in `folder` of the clips with these `names` in the format `form`."""

    folder: Path
    names: list[str]
    form: ClipFormat

    @property
    def clips(self) -> Path:
        """The file of the clips."""
        return self.folder / "clips.npy"

    @property
    def sums(self) -> Path:
        """The file of their checksums."""
        return self.folder / "checksums.npy"

    @property
    def mark(self) -> Path:
        """The file that says that the cache is complete."""
        return self.folder / "complete.json"

    @property
    def shape(self) -> tuple[int, ...]:
        """(b, …) of the clips."""
        return (len(self.names), *self.form.shape)

    @property
    def row(self) -> int:
        """Bytes of one clip."""
        return int(np.prod(self.form.shape)) * self.form.dtype.itemsize

    @property
    def bytes(self) -> int:
        """Bytes of all clips."""
        return len(self.names) * self.row

    def open(self) -> np.ndarray:
        """The clips (b, …), memory-mapped."""
        return np.load(self.clips, mmap_mode="r")

    def state(self) -> State:
        """Examine all files."""
        damage, record = [], None
        if marked := self.mark.is_file():
            record = _checked_json(self.mark.read_bytes())
            if record is None:
                damage.append(f"{self.mark} is damaged: the clips that it named are read again")
        entered = _array(self.sums, (len(self.names),), _SUMS)
        if unknown := entered is None:
            entered = np.zeros(len(self.names), _SUMS)
            if marked:
                damage.append(f"{self.sums} is damaged or missing: the clips are decoded again")
        entered = np.array(entered)
        if record:
            entered[self._rows(record["remarks"])] = [checksum for *_, checksum in record["remarks"]]
        clips = _array(self.clips, self.shape, self.form.dtype)
        offset = None if clips is None else clips.offset
        if clips is None and marked:
            damage.append(f"{self.clips} is damaged, cut or missing: what is not whole is decoded again")
        sums = np.where(self._hold(entered, offset), entered, _EMPTY).astype(_SUMS)
        needed = sums == _EMPTY
        if record:
            needed[self._rows(record["unreadable"])] = False
        spoilt = np.flatnonzero(needed & (entered != _EMPTY) if unknown or not record else needed)
        if len(spoilt):
            which = "the clip" if len(spoilt) == 1 else f"{len(spoilt)} clips, the first:"
            first = self.names[spoilt[0]]
            damage.append(f"{self.clips} or {self.sums.name} is damaged at {which} {first}; decoded again")
        return State(record, sums, offset, np.flatnonzero(needed), tuple(damage))

    def fill(self, state: State, decode: Callable[[Iterable[int]], Generator], about: dict[str, Any]) -> State:
        """Decode what `state` lacks and complete the cache; `about` goes into its record.

        `decode` gives an attempt (see `clips.attempts`) for each of the rows it is called with. What was decoded
        stays entered when it is stopped. Raises `OSError`.
        """
        for sentence in state.damage:
            log.warning("%s", sentence)
        if not self.clips.is_file() and shutil.disk_usage(self.folder).free < self.bytes:
            raise OSError(errno.ENOSPC, "not enough room")
        record = state.record or {"unreadable": [], "remarks": []}
        again = {self.names[i] for i in state.missing}
        unreadable, remarks = ([row for row in record[key] if row[0] not in again] for key in ("unreadable", "remarks"))
        sums, entered = state.sums.copy(), state.sums.copy()
        entered[self._rows(remarks)] = _EMPTY
        # written with pwrite, not through the map: on a full disk a mapped page kills the process
        mode = "r+b" if self.clips.is_file() else "w+b"
        with self.clips.open(mode) as file, contextlib.closing(decode(state.missing)) as attempts:
            offset = state.offset
            if offset is None:
                offset = file.write(self._head)
                file.flush()
            file.truncate(offset + self.bytes)
            try:
                for n, (i, attempt) in enumerate(zip(state.missing, attempts, strict=True), 1):
                    if attempt.fault:
                        unreadable.append([self.names[i], attempt.fault.reason, attempt.fault.detail])
                        continue
                    data = np.ascontiguousarray(attempt.clip, self.form.dtype).tobytes()
                    if os.pwrite(file.fileno(), data, offset + int(i) * self.row) != self.row:
                        raise OSError(errno.ENOSPC, "a clip was written in part")
                    sums[i] = _checksum(data)
                    if attempt.remark:
                        remarks.append([self.names[i], *attempt.remark, int(sums[i])])
                    else:
                        entered[i] = sums[i]
                    if n % _ENTER_EVERY == 0:
                        self._enter(file, entered)
            finally:
                self._enter(file, entered)
        record = {"format": asdict(self.form), "clips": self.names, "unreadable": unreadable, "remarks": remarks}
        record = about | record
        written = json.dumps(record | {"sha256": _json_digest(record)}, indent=1).encode()
        replace(self.mark, lambda beside: beside.write_bytes(written))
        return State(record, sums, offset, np.empty(0, int))

    def _enter(self, file: BinaryIO, sums: np.ndarray) -> None:
        os.fsync(file.fileno())
        replace(self.sums, lambda beside: np.save(beside, sums.astype(_SUMS)))

    @property
    def _head(self) -> bytes:
        head, dtype = io.BytesIO(), np.lib.format.dtype_to_descr(self.form.dtype)
        np.lib.format.write_array_header_1_0(head, {"descr": dtype, "fortran_order": False, "shape": self.shape})
        return head.getvalue()

    def _rows(self, named: list[list]) -> list[int]:
        """The rows of the clips that entries of a record name."""
        row = {name: i for i, name in enumerate(self.names)}
        return [row[name] for name, *_ in named]

    def _hold(self, sums: np.ndarray, offset: int | None) -> np.ndarray:
        """(b,) bool: the clips whose checksum in the file equals the one in `sums`."""
        if not sums.any() or not self.clips.is_file():
            return np.zeros(len(sums), bool)
        offset = len(self._head) if offset is None else offset
        with self.clips.open("rb") as file, ThreadPoolExecutor(cores()) as pool:

            def holds(i: int) -> bool:
                data = os.pread(file.fileno(), self.row, offset + i * self.row)
                return sums[i] != _EMPTY and _checksum(data) == sums[i]

            intact = pool.map(holds, range(len(sums)))
            title = "checking the cache"
            bar = tqdm(intact, total=len(sums), desc=title, unit="clip", delay=2, mininterval=0.5)
            return np.fromiter(bar, bool, len(sums))


def _checksum(data: bytes) -> int:
    return zlib.crc32(data) or 1  # 0 means something else


def _array(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    """The array in `path`, memory-mapped, or None where it is not one of this shape and type."""
    try:
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    except OSError:
        raise
    except Exception:  # of many kinds: any byte of its head may be another
        return None
    return array if isinstance(array, np.memmap) and array.shape == shape and array.dtype == dtype else None


def _json_digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _checked_json(data: bytes) -> dict[str, Any] | None:
    """A record as it was written, or None."""
    try:
        record = json.loads(data)
        return record if record.pop("sha256") == _json_digest(record) else None
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
