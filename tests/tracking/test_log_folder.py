"""From frames to a finished folder: every file of a log made as a pipeline makes it."""

import json

import av
import cv2
import numpy as np

from wtmr_core.tracking.context import describe
from wtmr_core.tracking.keyframes import KeyFrames
from wtmr_core.tracking.log import LogWriter, Row, read_log
from wtmr_core.tracking.page import write_page
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.privacy import Anonymizer
from wtmr_core.tracking.render import VideoWriter, annotated, contact_sheet, save, timeline
from wtmr_core.tracking.score import score
from wtmr_core.tracking.zones import Zones

EPISODES = [Episode("standing", 0.0, 2.0, 2.0, 0.9), Episode("falling", 2.0, 2.6, 0.6, 0.8),
            Episode("lying", 2.6, 6.0, 3.4, 0.9)]  # fmt: skip


def frames():
    """Six seconds at ten frames a second of somebody who stands and then lies on the floor."""
    pattern = np.kron(np.random.default_rng(0).choice([60, 200], (30, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    for t in range(60):
        box = np.array([100, 40, 150, 200] if t < 23 else [60, 170, 220, 220], dtype=float)
        yield t, t / 10, pattern, {1: Sighting(t, t / 10, box, 0.8)}


def test_frames_become_a_log_with_pictures_a_video_and_a_page(tmp_path):
    zones = Zones.of({"size": [320, 240], "zones": {"bed": [[250, 0], [320, 0], [320, 240], [250, 240]]}})
    keyframes, anonymizer = KeyFrames(tmp_path), Anonymizer()
    with (
        LogWriter(tmp_path, video="fall.mp4", size=(320, 240), detector="movenet", model="home", fps=10) as log,
        VideoWriter(tmp_path / "annotated.mp4") as video,
    ):

        def row(episode: Episode) -> Row:
            middle = round((episode.start + episode.end) / 2 * 10)
            boxes = {person: sighting.box for person, sighting in list(frames())[middle][3].items()}
            return Row(1, episode, *describe(1, episode.activity, boxes, zones), keyframes.save(1, episode))

        running = list(EPISODES)
        for frame, seconds, picture, people in frames():
            log.processed(frame, seconds, people)
            keyframes.add(picture, seconds, people)
            anonymizer.see(seconds, people)
            video.write(annotated(anonymizer.blur(picture), people, {1: running[0].activity}), seconds)
            if running[0].end <= seconds:
                log.episode(row(running.pop(0)))
        rows = [row(episode) for episode in EPISODES]  # after smoothing over the whole video
        log.finish(rows, frames=60, seconds=6.0)
    keyframes.finish(name for row in rows for name in row.keyframes)
    save(timeline(rows, 6.0), tmp_path / "timeline.svg")
    save(contact_sheet(rows, tmp_path), tmp_path / "contact_sheet.jpg")
    write_page(tmp_path, "annotated.mp4")

    table = read_log(tmp_path)
    assert table["activity"].tolist() == ["standing", "falling", "lying"]
    assert table["context"].tolist() == ["", "", "on the floor"]
    names = {name for column in ("start", "middle", "best") for name in table[f"keyframe_{column}"]}
    assert {f"keyframes/{path.name}" for path in (tmp_path / "keyframes").iterdir()} == names
    assert {path.name for path in tmp_path.iterdir()} == {
        "annotated.mp4", "contact_sheet.jpg", "episodes.csv", "episodes.parquet", "keyframes", "log.json", "page.html",
        "timeline.svg", "tracks.txt",
    }  # fmt: skip
    assert len((tmp_path / "tracks.txt").read_text().splitlines()) == 60
    assert json.loads((tmp_path / "log.json").read_text())["people"][0]["longest"]["activity"] == "lying"
    with av.open(str(tmp_path / "annotated.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60
    head = cv2.imread(str(tmp_path / table["keyframe_start"][0]))[45:75, 45:85]
    assert head.std() < 40  # the pattern's own is 70
    truth = tmp_path / "truth.csv"
    table.to_csv(truth, index=False)
    assert score(tmp_path, truth).described()["share"] == 1.0
