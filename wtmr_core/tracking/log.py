"""The log of a video: a row for each episode, written while the video runs and never left half written."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from wtmr_core import files
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.summary import summary
from wtmr_core.tracking.table import COLUMNS, Row, check, read_log, table, values

__all__ = ["LogWriter", "Row", "read_log"]

VERSION = 1  # of log.json
SCHEMA = Path(__file__).with_name("log.schema.json")
TRACK = 64  # bytes of a row of tracks.txt


class LogWriter:
    """Writes the log of a video into a folder, which is created if need be.

    `episodes.csv` grows by a row with each `episode`: the file is replaced by a longer one, so that a reader always
    finds whole rows, even after a kill or on a full disk. `tracks.txt` grows with each `processed` and `sightings`.
    `finish` replaces the rows by the final ones and adds `episodes.parquet` and `log.json`. A `with` block left earlier
    leaves `"complete": false` in `log.json`, beside all that was known by then.

    Args:
        folder: folder of the log
        video: name of the video
        size: (width, height) of the video in pixels
        detector, model: names of the detector and of the network
        fps: frames a second of the video, None where it has no rate

    Attributes:
        rows: the episodes so far
        warnings: what a reader of the log should know, for `log.json`

    Raises:
        RunError: where a file cannot be written, or another program writes its log in the folder.

    >>> with LogWriter(folder, video="home.mp4", size=(640, 480), detector="movenet", model="home") as log:
    ...     log.processed(0, 0.0, {1: sighting})
    ...     log.episode(Row(1, Episode("sitting", 0.0, 4.2, 4.2, 0.91), zone="sofa"))
    ...     log.finish(frames=126, seconds=4.2)
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        video: str,
        size: tuple[int, int],
        detector: str,
        model: str,
        fps: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.rows: list[Row] = []
        self.warnings: list[str] = []
        self._description = {"video": video, "size": size, "fps": fps, "detector": detector, "model": model}
        self._times: list[float] = []  # of the first and the last frame processed
        self._frames = self._processed = 0
        self._open = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._tracks = os.open(self.folder / "tracks.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except (FileExistsError, NotADirectoryError):
            raise files.RunError(f"{self.folder} is no folder: name one for the log") from None
        except OSError as error:
            raise _unwritten(Path(error.filename or self.folder), error) from error
        try:
            _lock(self._tracks, self.folder)
            os.ftruncate(self._tracks, 0)
            (self.folder / "episodes.parquet").unlink(missing_ok=True)  # of an earlier log
            self._write_rows()
            self._write_json(complete=False)
        except BaseException:
            os.close(self._tracks)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not self._open:
            return
        try:
            self._write_json(complete=False)
        except files.RunError:
            if error is None:
                raise
        finally:
            self._close()

    def processed(self, frame: int, seconds: float, people: Mapping[int, Sighting]) -> None:
        """Count a frame that was processed, and add its people; see `sightings`."""
        self._times = [*self._times[:1], seconds]
        self._frames, self._processed = frame + 1, self._processed + 1
        self.sightings(frame, people)

    def sightings(self, frame: int, people: Mapping[int, Sighting]) -> None:
        """Add the people (id -> sighting) of a frame to `tracks.txt`.

        A row is `frame,id,x,y,w,h,score,1,-1,-1` as in MOT: frames from 1, boxes in pixels of the video. The score gets
        as many digits as make the row 64 bytes long: a write cut short by a signal or a full disk ends at the border of
        a page or a block, which is then the end of a row too.

        Raises:
            ValueError: for a box or score that is not finite, and where the log is finished.
            RunError: where the file cannot be written.
        """
        self._check_open()
        rows = b"".join(_track(frame, person, sighting) for person, sighting in people.items())
        path = self.folder / "tracks.txt"
        while rows:
            try:
                rows = rows[os.write(self._tracks, rows) :]
            except OSError as error:
                end = os.fstat(self._tracks).st_size
                os.ftruncate(self._tracks, end - end % TRACK)
                raise _unwritten(path, error) from error

    def renumber(self, owner: Callable[[int, int], int]) -> None:
        """Replace ids in `tracks.txt` by `owner` of id and frame, from 0, as the last thing before `finish`.

        Raises:
            RunError: where the file cannot be written; it is then as it was.
        """
        self._check_open()
        path = self.folder / "tracks.txt"

        def save(beside: Path) -> None:
            with path.open("rb") as old, beside.open("wb") as new:
                new.writelines(_renumbered(row, owner) for row in old)

        files.write(path, save)

    def episode(self, row: Row) -> None:
        """Add an episode that has ended; raises `ValueError` where its values are impossible."""
        self._check_open()
        check(row)
        self.rows.append(row)
        self._write_rows()
        _sync(self._tracks)

    def finish(
        self,
        rows: Iterable[Row] | None = None,
        *,
        frames: int | None = None,
        seconds: float | None = None,
        complete: bool = True,
    ) -> None:
        """Write the final log and close it.

        Args:
            rows: the final episodes, smoothed over the whole video; by default those added so far
            frames, seconds: length of the whole video; by default up to the last frame processed
            complete: whether the video was read to its end, and not interrupted
        """
        self._check_open()
        if rows is not None:
            rows = list(rows)
            for row in rows:
                check(row)
            self.rows = rows
        self.rows.sort(key=lambda row: (row.person, row.episode.start))
        self._frames = self._frames if frames is None else frames
        self._write_rows()
        parquet = self.folder / "episodes.parquet"
        files.write(parquet, lambda path: table(self.rows).to_parquet(path, engine="pyarrow", index=False))
        self._write_json(complete=complete, seconds=seconds)
        self._close()

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError(f"the log in {self.folder} is finished: begin another")

    def _close(self) -> None:
        if self._open:
            self._open = False
            _sync(self._tracks)
            os.close(self._tracks)

    def _write_rows(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            writer.writerow([f"{v:.3f}" if isinstance(v, float) else v for v in values(row)])
        files.write_text(self.folder / "episodes.csv", text.getvalue())

    def _write_json(self, complete: bool, seconds: float | None = None) -> None:
        description, times = self._description, self._times
        span = times[-1] - times[0] if times else 0.0
        value = {
            "version": VERSION,
            "complete": complete,
            "video": {
                "name": description["video"],
                "width": description["size"][0],
                "height": description["size"][1],
                "fps": _rounded(description["fps"]),
                "frames": self._frames,
                "seconds": _rounded(seconds if seconds is not None else times[-1] if times else 0.0),
            },
            "detector": description["detector"],
            "model": description["model"],
            "fps_processed": _rounded((self._processed - 1) / span if span > 0 else None),
            "warnings": self.warnings,
            "people": [{"person": p, **summary(e)} for p, e in _by_person(self.rows).items()],
            "episodes": [dict(zip(COLUMNS, values(row), strict=True)) for row in self.rows],
        }
        _write(self.folder / "log.json", value)


def _by_person(rows: Iterable[Row]) -> dict[int, list[Episode]]:
    people: dict[int, list[Episode]] = {}
    for row in sorted(rows, key=lambda row: (row.person, row.episode.start)):
        people.setdefault(row.person, []).append(row.episode)
    return people


def _track(frame: int, person: int, sighting: Sighting) -> bytes:
    """A row of `tracks.txt`, `TRACK` bytes long."""
    x1, y1, x2, y2 = (float(v) for v in sighting.box)
    if not np.isfinite([x1, y1, x2, y2, sighting.score]).all():
        raise ValueError(f"frame {frame}: the box or score of person {person} is not finite: {sighting.box}")
    for decimals in (2, 1, 0):
        start = f"{frame + 1},{person}," + "".join(f"{v:.{decimals}f}," for v in (x1, y1, x2 - x1, y2 - y1))
        digits = TRACK - len(start) - len("0.,1,-1,-1\n")
        if digits > 2:
            return f"{start}{round(min(max(sighting.score, 0), 1), 4):.{digits}f},1,-1,-1\n".encode("ascii")
    raise ValueError(f"frame {frame}: the box of person {person} lies too far outside the picture: {sighting.box}")


def _renumbered(row: bytes, owner: Callable[[int, int], int]) -> bytes:
    """A row of `tracks.txt` with another id, as long as before: the score has as many digits as that leaves."""
    start, person, *middle, score, end = row.split(b",", 7)
    changed = str(owner(int(person), int(start) - 1)).encode("ascii")
    digits = len(score) + len(person) - len(changed)
    return b",".join([start, changed, *middle, score[:digits].ljust(digits, b"0"), end])


def write_names(folder: str | Path, names: Mapping[int, str]) -> None:
    """Write the names of the people (id -> name) into the `log.json` of a finished log, in place of any that it has.

    Raises:
        RunError: where it cannot be read or written.
    """
    path = Path(folder) / "log.json"
    log = files.read_json(path, ["people"])
    for person in log["people"]:
        person.pop("name", None)
        if person["person"] in names:
            person["name"] = names[person["person"]]
    _write(path, log)


def _write(path: Path, log: Mapping[str, Any]) -> None:
    files.write_text(path, json.dumps(log, indent=2, ensure_ascii=False) + "\n")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _lock(descriptor: int, folder: Path) -> None:
    """Lock an open file for as long as it stays open; raises `RunError` where another program holds the lock."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise files.RunError(f"another program is writing its log in {folder}: name another folder") from None
    except (ImportError, OSError):  # Windows; a file system without locks
        return


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError:  # a pipe, or a file system without fsync; a full disk is an error of the write already
        return


def _unwritten(path: Path, error: OSError) -> files.RunError:
    return files.RunError(
        f"{path} cannot be written ({error.strerror}): make sure that there is space and that it may be written; "
        "what was written before is whole"
    )
