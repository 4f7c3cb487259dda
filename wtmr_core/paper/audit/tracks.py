"""Finding 13: persons by the order of detections, and durations from the first to the last sighting."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from trackers.eval import evaluate_mot_sequence

from wtmr_core.files import RunError
from wtmr_core.paper import tables
from wtmr_core.paper.audit.finding import NOT_REPRODUCED, REPRODUCED, AuditError, Finding
from wtmr_core.paper.comparison import read_table
from wtmr_core.tracking.boxes import mot_line, read_boxes
from wtmr_core.tracking.tracks import Tracker

VERSION = 1  # of the rows of `FILE`
FILE = "tracks.csv"
COMMAND = "wtmr audit --train --data FOLDER"
COLUMNS = ["version", "data", "frames", "people", "boxes", "by_order", "tracked", "activities", "span_s", "seen_s"]


@dataclass(frozen=True)
class Scene:
    """A recording whose truth is known.

    Attributes:
        name: of the recording
        tracks: MOT text of everybody in view
        fps: frames a second
        episodes: person, activity, start_s, end_s; None where activities are not known
    """

    name: str
    tracks: Path
    fps: float
    episodes: pd.DataFrame | None = None


def switches(tracks: Path, fps: float, kind: str) -> int:
    """Identity switches where true boxes are taken for detections, smallest first, as a cascade finds them.

    So no person is missed and nobody is made up: all that is judged is who is who.

    Args:
        tracks: MOT text of the truth
        fps: frames a second
        kind: `published`, where the n-th box of a frame is person n, or another of `tracks.KINDS`
    """
    tracker, lines, truth = Tracker(kind), [], []
    frames = read_boxes(tracks)
    for frame, people in frames.items():
        order = np.argsort(np.prod(people.xyxy[:, 2:] - people.xyxy[:, :2], axis=1), kind="stable")
        truth += [f"{frame + 1},{n},{x1},{y1},{x2 - x1},{y2 - y1},1,1,-1,-1" for n, (x1, y1, x2, y2) in
                  zip(people.tracker_id, people.xyxy, strict=True)]  # fmt: skip
        people = replace(people[order], tracker_id=None)
        lines += [mot_line(*seen) for seen in tracker.update(people, frame, frame / fps)]
    lines += [mot_line(*seen) for seen in tracker.close()]
    with tempfile.TemporaryDirectory() as folder:
        true, made = Path(folder, "true.txt"), Path(folder, "made.txt")
        true.write_text("\n".join(truth) + "\n")  # of class 1, without which a scorer counts nothing
        made.write_text("\n".join(lines) + "\n")
        return int(evaluate_mot_sequence(true, made, metrics=["CLEAR"]).CLEAR.IDSW)


def durations(episodes: pd.DataFrame) -> pd.DataFrame:
    """How long each person did each activity: span_s, from first beginning to last end; seen_s, sum of its episodes."""
    lasted = episodes.assign(seen_s=episodes.end_s - episodes.start_s)
    by = lasted.groupby(["person", "activity"])
    return pd.DataFrame({"span_s": by.end_s.max() - by.start_s.min(), "seen_s": by.seen_s.sum()}).reset_index()


def row(scene: Scene) -> dict[str, object]:
    """The figures of a scene, `COLUMNS`; span_s and seen_s are means over persons and activities."""
    frames = read_boxes(scene.tracks)
    if not frames:
        raise AuditError(f"{scene.tracks} holds no boxes: give the truth of the recording")
    people = {int(n) for boxes in frames.values() for n in boxes.tracker_id}
    by_order, tracked = (switches(scene.tracks, scene.fps, kind) for kind in ("published", "ocsort"))
    found = {
        "version": VERSION,
        "data": scene.name,
        "frames": len(frames),
        "people": len(people),
        "boxes": sum(map(len, frames.values())),
        "by_order": by_order,
        "tracked": tracked,
        "activities": 0,
        "span_s": np.nan,
        "seen_s": np.nan,
    }
    if scene.episodes is not None:
        lasted = durations(scene.episodes)
        found |= {"activities": len(lasted), "span_s": lasted.span_s.mean(), "seen_s": lasted.seen_s.mean()}
    return found


def home(folder: Path) -> Scene:
    """The miniature home."""
    episodes = pd.read_csv(folder / "truth" / "episodes.csv")
    return Scene("miniature home", folder / "truth" / "tracks.txt", 15, episodes)


def real_scenes(recordings: Path) -> list[Scene]:
    """The real recordings with boxes: PETS, three of CAVIAR's with movements, a street; those that are there."""
    scenes = [Scene("PETS09-S2L1", recordings / "pedestrians/PETS09-S2L1/gt/gt.txt", 7)]
    for folder in sorted((recordings / "lobby").glob("*/gt")):
        acts = pd.read_csv(folder / "activity.csv")
        scenes.append(Scene(f"CAVIAR {folder.parent.name}", folder / "gt.txt", 25, _episodes(acts, 25)))
    scenes.append(Scene("PRW street", recordings / "street/block1/gt/gt.txt", 25))
    return [scene for scene in scenes if scene.tracks.is_file()]


def _episodes(acts: pd.DataFrame, fps: float) -> pd.DataFrame:
    """Episodes of a table of frame, id and movement: frames in a row with one movement."""
    rows = []
    for person, seen in acts.sort_values("frame").groupby("id"):
        new = (seen.movement != seen.movement.shift()) | (seen.frame.diff() != 1)
        for _, part in seen.groupby(new.cumsum()):
            rows.append((person, part.movement.iloc[0], part.frame.iloc[0] / fps, (part.frame.iloc[-1] + 1) / fps))
    return pd.DataFrame(rows, columns=["person", "activity", "start_s", "end_s"])


def make(folder: Path, recordings: Path) -> pd.DataFrame:
    """Write the figures of the real recordings into `folder`; raises `AuditError` where none are there."""
    rows = [row(scene) for scene in real_scenes(recordings)]
    if not rows:
        raise AuditError(f"{recordings} holds none of the recordings with boxes: give the folder that holds them")
    table = pd.DataFrame(rows, columns=COLUMNS).round(3)
    tables.save(table, folder / FILE)
    return table


def read(folder: Path) -> pd.DataFrame:
    """The kept figures of real recordings; raises `RunError` where they are absent or of another version."""
    table = read_table(folder / FILE, tuple(COLUMNS), COMMAND)
    if others := set(table.version) - {VERSION}:
        raise RunError(
            f"{folder / FILE} is of version {min(others)}, this is {VERSION}: make it again with `{COMMAND}`"
        )
    return table


def persons_by_order(scenes: Iterable[Scene], kept: Path | None = None) -> Finding:
    """Finding 13: what comes of taking the n-th box for person n, and the time from first to last for a duration?

    Args:
        scenes: recordings whose truth is known, at least one
        kept: folder of the kept figures of real recordings; None for none
    """
    table = pd.DataFrame([row(scene) for scene in scenes], columns=COLUMNS)
    if table.empty:
        raise AuditError("there is no recording to follow people in: give one whose truth is known")
    if kept is not None:
        table = pd.concat([table, read(kept)], ignore_index=True)
    order, tracked, boxes = (int(table[column].sum()) for column in ("by_order", "tracked", "boxes"))
    timed = table[table.activities > 0]
    too_long = timed.span_s / timed.seen_s - 1
    drawn = timed.data.str.startswith("miniature")
    lasted = [
        f"{1 + some.max():.1f} times {where}"
        for where, some in (("in the miniature", too_long[drawn]), ("at most in real recordings", too_long[~drawn]))
        if len(some)
    ]
    wrong = order > tracked or bool((too_long > 0.01).any())
    return Finding(
        13,
        "There are no tracks",
        "a person's log: count, first and last time, duration and key frames of each action",
        "How often does a person become another one, and how far are durations off?",
        "true boxes in the order of their size, which stands in for the order in which a Haar cascade gives them, so "
        "that only identity is judged, in the miniature home and in real recordings (kept); true episodes from first "
        "to last against their sum",
        f"in {boxes:,} boxes of {len(table)} recordings, {int((~table.data.str.startswith('miniature')).sum())} of "
        f"them real, persons are exchanged {order} times by order, {tracked} times when they are tracked; on average "
        f"an activity takes from first to last, against what it was done, {' and '.join(lasted) or 'unknown'}",
        NOT_REPRODUCED if wrong else REPRODUCED,
        "a log of persons needs tracks, and durations that leave gaps out (06_activity_tracking does both)",
        table.drop(columns="version"),
    )
