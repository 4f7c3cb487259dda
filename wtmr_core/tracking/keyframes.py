"""Key frames of an episode: its start, its middle and its best moment, chosen while the video runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wtmr_core import files
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.privacy import Anonymizer

FOLDER = "keyframes"
EVERY = 0.5  # seconds between two candidates of a person
SLACK = 1.0  # seconds by which a picture may lie outside an episode, because smoothing moves its bounds
MOST = 32  # candidates of a running episode
EDGE = 4  # candidates at its start and at its end that are never thinned out
LARGEST = 64_000_000  # bytes of all candidates
SIDE, QUALITY = 480, 85  # pixels of the longer side of a picture, and of its JPEG


@dataclass(frozen=True)
class Candidate:
    """A picture of a person at `seconds` with its `score`; `jpeg` is None where it is a file already."""

    seconds: float
    score: float
    jpeg: bytes | None


class KeyFrames:
    """Chooses the key frames of episodes and saves them as JPEG in `folder/keyframes`.

    Twice a second a cut-out of each person becomes a candidate, small and compressed, in memory. `save` writes the
    start, middle and best candidate of an episode and drops those before its end. Memory is bounded: at more than 32
    candidates of a person every second one is dropped, but for the first, the last and the best; at more than 64 MB
    those of the people seen longest ago are dropped. When `save` is called again with corrected bounds, it takes the
    nearest candidates left, within a second. `finish` deletes the pictures that the final log does not name.

    Args:
        folder: folder of the log; key frames of an earlier log in it are deleted
        anonymous: whether to blur the heads of everybody in a picture
    """

    def __init__(self, folder: str | Path, *, anonymous: bool = True) -> None:
        self.folder = Path(folder)
        self._anonymizer = Anonymizer() if anonymous else None
        self._taken: dict[int, float] = {}  # time of each person's last candidate
        self._candidates: dict[int, list[Candidate]] = {}
        self._files: dict[int, list[Candidate]] = {}
        for picture in (self.folder / FOLDER).glob("person-*s.*"):  # one may have been about to get another name
            picture.unlink()

    def add(
        self,
        picture: np.ndarray,
        seconds: float,
        people: Mapping[int, Sighting],
        scores: Mapping[int, float] | None = None,
    ) -> None:
        """Add a frame.

        Args:
            picture: (h, w, 3) uint8 RGB
            seconds: time of the frame
            people: id -> sighting of everybody in it
            scores: id -> how good the picture of that person is (0-1); by default the score of the detector
        """
        if self._anonymizer:
            self._anonymizer.see(seconds, people)
        due = [person for person in people if seconds - self._taken.get(person, -np.inf) >= EVERY]
        if not due:
            return
        picture = self._anonymizer.blur(picture) if self._anonymizer else picture
        for person in due:
            score = float((scores or {}).get(person, people[person].score))
            candidate = Candidate(seconds, score, _jpeg(_crop(picture, people[person].box)))
            self._candidates[person] = _thinned([*self._candidates.get(person, []), candidate])
            self._taken[person] = seconds
        self._bound()

    def save(self, person: int, episode: Episode) -> tuple[str, str, str]:
        """Write the key frames of an episode.

        Returns:
            names of the files for its start, middle and best moment, relative to the folder of the log; "" where there
            is no candidate within a second

        Raises:
            RunError: where one cannot be written.
        """
        candidates = self._files.get(person, []) + self._candidates.get(person, [])
        near = [c for c in candidates if episode.start - SLACK <= c.seconds <= episode.end + SLACK]
        if not near:
            return "", "", ""
        middle = (episode.start + episode.end) / 2
        inside = [c for c in near if episode.start <= c.seconds <= episode.end]
        inside = inside or [min(near, key=lambda c: abs(c.seconds - middle))]
        chosen = [
            min(inside, key=lambda c: abs(c.seconds - episode.start)),
            min(inside, key=lambda c: abs(c.seconds - middle)),
            max(inside, key=lambda c: c.score),
        ]
        names = tuple(self._write(person, candidate) for candidate in chosen)
        self._candidates[person] = [c for c in self._candidates.get(person, []) if c.seconds > episode.end - SLACK]
        return names

    def renumber(self, owner: Callable[[int, float], int]) -> None:
        """Give each picture to the person whose it is, by the number that it has and its seconds."""
        pictures, candidates = self._files, self._candidates
        self._files, self._candidates = {}, {}
        moved = []
        for number, saved in pictures.items():
            for one in saved:
                self._files.setdefault(owner(number, one.seconds), []).append(one)
                if owner(number, one.seconds) != number:
                    path = self.folder / _name(number, one)
                    beside = path.with_suffix(".moved")
                    with suppress(FileNotFoundError):  # deleted by somebody while the video ran
                        path.replace(beside)
                        moved.append((beside, self.folder / _name(owner(number, one.seconds), one)))
        for beside, path in moved:
            beside.replace(path)
        for number, several in candidates.items():
            for one in several:
                self._candidates.setdefault(owner(number, one.seconds), []).append(one)

    def finish(self, names: Iterable[str]) -> None:
        """Delete every saved picture that is not among the `names` in the final log."""
        used = set(names)
        for person, saved in self._files.items():
            for candidate in saved:
                if _name(person, candidate) not in used:
                    with suppress(OSError):
                        (self.folder / _name(person, candidate)).unlink()
        self._candidates.clear()

    def _write(self, person: int, candidate: Candidate) -> str:
        name = _name(person, candidate)
        saved = self._files.setdefault(person, [])
        if candidate.jpeg is not None and all(c.seconds != candidate.seconds for c in saved):
            (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
            files.write(self.folder / name, lambda path: path.write_bytes(candidate.jpeg))
            saved.append(Candidate(candidate.seconds, candidate.score, None))
        return name

    def _bound(self) -> None:
        """Drop the candidates of the people seen longest ago while all together are too large."""
        sizes = {person: sum(len(c.jpeg) for c in pictures) for person, pictures in self._candidates.items()}
        for person in sorted(sizes, key=self._taken.__getitem__):
            if sum(sizes.values()) <= LARGEST:
                return
            del self._candidates[person], sizes[person]


def _name(person: int, candidate: Candidate) -> str:
    return f"{FOLDER}/person-{person:03}-{candidate.seconds:09.2f}s.jpg"


def _thinned(candidates: list[Candidate]) -> list[Candidate]:
    if len(candidates) <= MOST:
        return candidates
    inner = candidates[EDGE:-EDGE]
    best = max(inner, key=lambda c: c.score)
    inner = [c for i, c in enumerate(inner) if i % 2 or c is best]
    return candidates[:EDGE] + inner + candidates[-EDGE:]


def _crop(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A person's box and a quarter of it on each side, as far as the picture reaches."""
    x1, y1, x2, y2 = (float(v) for v in box)
    margin = max(x2 - x1, y2 - y1) / 4
    height, width = picture.shape[:2]
    left, top = (int(np.clip(v - margin, 0, end - 1)) for v, end in ((x1, width), (y1, height)))
    right, bottom = (int(np.clip(np.ceil(v + margin), 1, end)) for v, end in ((x2, width), (y2, height)))
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def _jpeg(crop: np.ndarray) -> bytes:
    scale = SIDE / max(crop.shape[:2])
    if scale < 1:
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()
