"""A video with the people of its log written on it: boxes, ids, what they do, heads blurred."""

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
    """Read a video that was tracked once more and write it with its `persons` and the `rows` of its log to `path`.

    `fps` is that of a folder of frames. Every frame is written, at its own time. Raises as `Stream` and `VideoWriter`.
    """
    anonymizer = Anonymizer()
    with warnings.catch_warnings(), Stream(source, fps=fps) as stream, VideoWriter(path) as video:
        warnings.simplefilter("ignore", Remark)  # they were told while it was tracked
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
