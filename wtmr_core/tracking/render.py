"""A log as pictures: annotated video, timeline, contact sheet of key frames."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2
import matplotlib as mpl
import numpy as np
import supervision as sv
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wtmr_core import files
from wtmr_core.tracking.people import UNKNOWN, Sighting
from wtmr_core.tracking.table import Row

# from Okabe and Ito, "Color universal design" (2008), distinct for the colour-blind too; falling is the red one
COLOURS = {
    "walking": "#0072B2",
    "standing": "#56B4E9",
    "sitting": "#009E73",
    "lying": "#CC79A7",
    "falling": "#D55E00",
    UNKNOWN: "#BBBBBB",
}
OTHERS = ("#E69F00", "#F0E442", "#0072B2", "#56B4E9", "#009E73", "#CC79A7")  # for any other activity
BOXES = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#FFFFFF")
HATCHES = ("", "//", "..", "xx")  # tell apart activities of the same colour

#: names are never read as formulas, and the same log gives the same bytes
STYLE = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "wtmr", "font.family": "DejaVu Sans"}
TICKS = 90_000  # a second, of the clock of a written video
SHEET = 48  # key frames on a sheet
WIDTH = 7.6  # inches of a page


class VideoWriter:
    """Writes frames with their times as H.264 in MP4, which browsers play while it loads.

    The first frame sets the size (odd sides are padded by a pixel, as H.264 requires); frames of another size are
    fitted into it. Frames are shown at their own times, so the rate may vary. The file appears, whole, when the `with`
    block is left.

    Raises:
        RunError: where the file cannot be written.

    >>> with VideoWriter("annotated.mp4") as video:
    ...     video.write(annotated(picture, people, {1: "sitting"}), seconds)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        self._container: av.container.OutputContainer | None = None
        self._last = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._container is None:
            return
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            self._part.replace(self.path)
        except OSError as full:
            self._part.unlink(missing_ok=True)
            if error is None:
                raise _unwritten(self.path, full) from full

    def write(self, picture: np.ndarray, seconds: float) -> None:
        """Add a frame.

        Args:
            picture: (h, w, 3) uint8 RGB
            seconds: time from which it is shown

        Raises:
            ValueError: where it is not later than the last frame.
            RunError: where the file cannot be written.
        """
        ticks = round(seconds * TICKS)
        if ticks <= self._last:
            raise ValueError(f"a frame at {seconds:g} s follows one at {self._last / TICKS:g} s: give them in order")
        try:
            if self._container is None:
                self._begin(picture.shape[:2])
            frame = av.VideoFrame.from_ndarray(_fitted(picture, self._size), format="rgb24")
            frame.pts, frame.time_base = ticks, Fraction(1, TICKS)
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            self._container = None  # an MP4 without its end does not play
            self._part.unlink(missing_ok=True)
            raise _unwritten(self.path, error) from error
        self._last = ticks

    def _begin(self, shape: tuple[int, int]) -> None:
        self._size = (shape[0] + shape[0] % 2, shape[1] + shape[1] % 2)
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", options={"crf": "23", "preset": "veryfast"})
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.codec_context.thread_count = 1
        self._container.start_encoding()


def annotated(
    picture: np.ndarray, people: Mapping[int, Sighting], activities: Mapping[int, str] | None = None
) -> np.ndarray:
    """Copy a picture and draw the box, id and activity of each person on it.

    Heads are not blurred here: see `privacy.Anonymizer`.

    Args:
        picture: (h, w, 3) uint8 RGB
        people: id -> sighting
        activities: id -> name of the current activity
    """
    if not people:
        return picture.copy()
    ids = np.array(list(people))
    boxes = np.array([sighting.box for sighting in people.values()], dtype=float)
    detections = sv.Detections(xyxy=boxes, tracker_id=ids, class_id=ids)
    labels = [f"{person} {(activities or {}).get(person, '')}".strip() for person in people]
    colours = {"color": sv.ColorPalette.from_hex(list(BOXES)), "color_lookup": sv.ColorLookup.CLASS}
    height = picture.shape[0]
    scene = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)  # supervision draws on BGR
    scene = sv.BoxAnnotator(thickness=max(1, height // 240), **colours).annotate(scene, detections)
    text = sv.RichLabelAnnotator(
        font_size=max(10, height // 30), text_color=sv.Color.BLACK, text_padding=3, smart_position=True, **colours
    )
    return cv2.cvtColor(text.annotate(scene, detections, labels), cv2.COLOR_BGR2RGB)


def timeline(rows: Sequence[Row], seconds: float) -> Figure:
    """Draw the episodes of a video as bars, a lane for each person.

    Activities have a colour each and, once colours run out, a pattern; names stand in the bars where there is room, and
    in a legend.

    Args:
        rows: the episodes
        seconds: length of the video
    """
    people = sorted({row.person for row in rows})
    looks = _looks(sorted({row.episode.activity for row in rows}))
    with mpl.rc_context(STYLE):
        longest = max(map(len, looks), default=0)  # characters of a name
        columns = max(1, int(WIDTH / (0.55 + 0.085 * longest)))  # inches of a patch and its name
        lines = -(-len(looks) // columns)
        figure = Figure(figsize=(WIDTH, 0.7 + 0.45 * max(len(people), 1) + 0.22 * lines), layout="constrained")
        axes = figure.subplots()
        length = max([seconds, *(row.episode.end for row in rows)])
        for row in rows:
            e, lane = row.episode, people.index(row.person)
            colour, hatch = looks[e.activity]
            axes.barh(lane, e.end - e.start, 0.7, e.start, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5)
            if (e.end - e.start) / length > 0.0125 * (len(e.activity) + 1):
                axes.text(
                    (e.start + e.end) / 2, lane, e.activity, ha="center", va="center", size=8.5, color=_ink(colour)
                )
        axes.set_yticks(range(len(people)), [f"person {person}" for person in people])
        axes.set_ylim(max(len(people), 1) - 0.5, -0.5)
        axes.set_xlim(0, length or 1)
        axes.set_xlabel("seconds of the video")
        axes.grid(visible=False)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        if looks:
            patches = [Patch(facecolor=c, hatch=h, edgecolor="white", label=name) for name, (c, h) in looks.items()]
            figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
        else:
            axes.text(0.5, 0.5, "nobody was seen", transform=axes.transAxes, ha="center", va="center")
    return figure


def contact_sheet(rows: Sequence[Row], folder: str | Path) -> Figure:
    """Draw the best key frame of each episode, in order of time, with person, activity and times.

    Of more than 48 episodes with a key frame the longest are shown, and the sheet says so.

    Args:
        rows: the episodes
        folder: folder of the log

    Raises:
        OSError: where a key frame cannot be read.
    """
    folder = Path(folder)
    pictured = [row for row in rows if row.keyframes[2]]
    shown = sorted(pictured, key=lambda row: -row.episode.duration)[:SHEET]
    shown.sort(key=lambda row: (row.episode.start, row.person))
    pictures = [_read(folder / row.keyframes[2]) for row in shown]
    titles = [textwrap.fill(f"person {row.person}, {row.episode.activity}", 26) for row in shown]
    columns = min(max(len(shown), 1), 4)
    lines = max(1, -(-len(shown) // columns))
    high = max((picture.shape[0] / picture.shape[1] for picture in pictures), default=1)
    with mpl.rc_context(STYLE):
        width = WIDTH / 4
        above = 0.25 + 0.14 * max((title.count("\n") + 1 for title in titles), default=0)
        figure = Figure(figsize=(width * columns, (width * min(high, 1.5) + above) * lines + 0.3), layout="constrained")
        cells = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, row, picture, title in itertools.zip_longest(cells, shown, pictures, titles):
            axes.set_axis_off()
            if row is not None:
                axes.imshow(picture)
                e = row.episode
                axes.set_title(f"{title}\n{e.start:.1f}–{e.end:.1f} s", size=8)
        if len(shown) < len(pictured):
            figure.supxlabel(f"the {len(shown)} longest of {len(pictured)} episodes", size=9)
        elif not shown:
            figure.supxlabel("no key frames", size=9)
    return figure


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a .png, .jpg, .svg or .pdf file; the same figure gives the same bytes.

    Raises:
        RunError: where the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".")
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with mpl.rc_context(STYLE):
        files.write(path, lambda beside: figure.savefig(beside, format=kind, dpi=150, metadata=dated))


def _looks(activities: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a pattern for each of `activities`."""
    looks = {name: (COLOURS[name], "") if name in COLOURS else None for name in activities}
    taken = set(looks.values())
    free = (look for hatch in HATCHES for colour in OTHERS if (look := (colour, hatch)) not in taken)
    return {name: look or next(free, (COLOURS[UNKNOWN], "++")) for name, look in looks.items()}


def _ink(colour: str) -> str:
    """Black or white, whichever is legible on a colour: black above a relative luminance of 0.18 (WCAG 2)."""
    part = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.18 else "white"


def _fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a picture (h, w, 3) into `size` (height, width), with black bars where the shapes differ."""
    height, width = picture.shape[:2]
    missing = size[0] - height, size[1] - width
    if min(missing) < 0 or max(missing) > 1:
        scale = min(size[0] / height, size[1] / width)
        shape = max(1, round(width * scale)), max(1, round(height * scale))
        picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
        missing = size[0] - picture.shape[0], size[1] - picture.shape[1]
    if max(missing) == 0:
        return np.ascontiguousarray(picture)
    fill = cv2.BORDER_REPLICATE if max(missing) == 1 else cv2.BORDER_CONSTANT
    top, left = missing[0] // 2, missing[1] // 2
    return cv2.copyMakeBorder(picture, top, missing[0] - top, left, missing[1] - left, fill)


def _read(path: Path) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise OSError(f"{path} is no picture: run the tracking again")
    return picture


def _unwritten(path: Path, error: OSError) -> files.RunError:
    return files.RunError(f"{path} cannot be written ({error.strerror or error}): make sure that there is space for it")
