"""The annotated video: boxes, ids and activities drawn on it, heads blurred."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from wtmr_core.datasets.stream import Stream
from wtmr_core.datasets.video import Remark
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.person import Person
from wtmr_core.tracking.privacy import Anonymizer
from wtmr_core.tracking.render import VideoWriter, annotated
from wtmr_core.tracking.table import Row


def write_annotated(
    source: str | Path,
    path: Path,
    persons: Mapping[int, Person],
    rows: Sequence[Row],
    *,
    fps: float | None = None,
    blur: bool = True,
) -> None:
    """Read a tracked video again and write it with its people and their activities drawn on it.

    Every frame is written, at its own time.

    Args:
        source: the video, as `Stream` takes it
        path: the MP4 file to write
        persons: the people of the video, by id
        rows: the rows of its log
        fps: frames a second of a folder of frames
        blur: whether to blur heads

    Raises:
        ValueError: where the video cannot be read, as `Stream` does.
        RunError: where the file cannot be written.
    """
    anonymizer = Anonymizer()
    with warnings.catch_warnings(), Stream(source, fps=fps) as stream, VideoWriter(path) as video:
        warnings.simplefilter("ignore", Remark)  # the log has them already
        for frame, seconds, picture, _ in stream:
            places = {number: place for number, person in persons.items() if (place := person.place_at(seconds))}
            picture = picture[..., ::-1]
            if blur:
                anonymizer.see_heads(seconds, {number: head for number, (_, head) in places.items()})
                picture = anonymizer.blur(picture)
            people = {number: Sighting(frame, seconds, box, 1.0) for number, (box, _) in places.items()}
            activities = {
                row.person: row.episode.activity for row in rows if row.episode.start <= seconds < row.episode.end
            }
            video.write(annotated(picture, people, activities), seconds)
