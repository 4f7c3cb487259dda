"""The log: every row whole at any moment, the final one in its place, and read again with a word on what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.conftest import PROJECT
from wtmr_core import files
from wtmr_core.tracking import log
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.table import COLUMNS, Row, read_log

SITTING = Row(1, Episode("sitting", 0.0, 4.2, 4.0, 0.91), "sofa", "near 2", ("a.jpg", "b.jpg", "c.jpg"))
WALKING = Row(1, Episode("walking", 4.2, 6.0, 1.8, 0.8))
FALLING = Row(2, Episode("falling", 1.5, 2.5, 1.0, 0.7), "", "on the floor")


def writer(folder, **given) -> LogWriter:
    settings = {"video": "home.mp4", "size": (640, 480), "detector": "movenet", "model": "home", "fps": 30}
    return LogWriter(folder, **settings | given)


def sighting(box=(10.0, 20.0, 50.5, 120.0), score=0.5, frame=0) -> Sighting:
    return Sighting(frame, frame / 10, np.array(box), score)


def valid(folder) -> dict:
    """log.json, which follows the schema."""
    value = json.loads((folder / "log.json").read_text())
    schema = json.loads(log.SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(value)
    return value


def test_a_finished_log_says_the_same_in_csv_parquet_and_json(tmp_path):
    with writer(tmp_path) as one:
        for t in range(11):
            one.processed(t, t / 10, {1: sighting(frame=t)})
        for row in (FALLING, SITTING, WALKING):
            one.episode(row)
        one.warnings.append("the end of the file is broken")
        one.finish(frames=180, seconds=6.0)
    table = read_log(tmp_path)
    assert list(table.columns) == list(COLUMNS)
    assert table["person"].tolist() == [1, 1, 2]
    assert table.loc[0].tolist() == [1, "sitting", 0, 4.2, 4.0, 0.91, "sofa", "near 2", "a.jpg", "b.jpg", "c.jpg"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "episodes.parquet"), table)
    value = valid(tmp_path)
    pd.testing.assert_frame_equal(pd.DataFrame(value["episodes"])[list(COLUMNS)], table)
    assert value["complete"] is True
    assert value["video"] == {
        "name": "home.mp4", "width": 640, "height": 480, "fps": 30.0, "frames": 180, "seconds": 6.0,
    }  # fmt: skip
    assert value["fps_processed"] == 10.0
    assert value["warnings"] == ["the end of the file is broken"]
    assert [person["person"] for person in value["people"]] == [1, 2]


def test_the_final_rows_take_the_place_of_those_written_on_the_way(tmp_path):
    with writer(tmp_path) as one:
        one.episode(WALKING)
        one.finish([SITTING])
    assert read_log(tmp_path)["activity"].tolist() == ["sitting"]


def test_a_finished_log_takes_nothing_more(tmp_path):
    with writer(tmp_path) as one:
        one.finish()
        for more in (lambda: one.processed(0, 0.0, {1: sighting()}), lambda: one.episode(SITTING), one.finish):
            with pytest.raises(ValueError, match="is finished"):
                more()
    assert valid(tmp_path)["complete"] is True


def test_nobody_seen_is_an_empty_log(tmp_path):
    with writer(tmp_path, fps=None) as one:
        one.processed(0, 0.0, {})
        one.finish(frames=1, seconds=0.0)
    assert read_log(tmp_path).empty
    assert valid(tmp_path)["people"] == []
    assert (tmp_path / "tracks.txt").read_text() == ""
    assert len(pd.read_parquet(tmp_path / "episodes.parquet")) == 0


def test_a_log_left_by_an_error_is_whole_and_says_it_is_not_complete(tmp_path):
    def stopped():
        with writer(tmp_path) as one:
            one.processed(0, 0.0, {1: sighting()})
            one.processed(5, 0.5, {})
            one.episode(SITTING)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    value = valid(tmp_path)
    assert value["complete"] is False
    assert (value["video"]["frames"], value["video"]["seconds"]) == (6, 0.5)
    assert value["episodes"][0]["activity"] == read_log(tmp_path)["activity"][0] == "sitting"


def test_a_log_begun_again_holds_nothing_of_the_one_before(tmp_path):
    with writer(tmp_path) as one:
        one.processed(0, 0.0, {1: sighting()})
        one.episode(SITTING)
        one.finish()
    writer(tmp_path)
    assert read_log(tmp_path).empty
    assert not (tmp_path / "episodes.parquet").exists()
    assert (tmp_path / "tracks.txt").read_text() == ""
    assert valid(tmp_path)["complete"] is False


def test_tracks_are_mot_rows(tmp_path):
    with writer(tmp_path) as one:
        one.processed(0, 0.0, {7: sighting(), 2: sighting((-3, 0, 12345.6, 99999), 1.0)})
    rows = np.loadtxt(tmp_path / "tracks.txt", delimiter=",")
    np.testing.assert_array_equal(rows[0], [1, 7, 10, 20, 40.5, 100, 0.5, 1, -1, -1])
    np.testing.assert_allclose(rows[1], [1, 2, -3, 0, 12348.6, 99999, 1, 1, -1, -1])


@given(
    st.integers(0, 10**8), st.integers(0, 10**5), st.lists(st.floats(-9999, 99999), min_size=4, max_size=4),
    st.floats(0, 1),
)  # fmt: skip
def test_every_row_of_a_track_is_64_bytes_long_and_exact_to_a_pixel(frame, person, box, score):
    box = [min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])]
    row = log._track(frame, person, sighting(box, score))
    assert len(row) == log.TRACK
    assert row.endswith(b",1,-1,-1\n")
    values = [float(v) for v in row.split(b",")]
    assert values[:2] == [frame + 1, person]
    np.testing.assert_allclose(values[2:6], [box[0], box[1], box[2] - box[0], box[3] - box[1]], atol=0.51)
    assert values[6] == pytest.approx(score, abs=0.06)


@pytest.mark.parametrize("box", [(0, 0, np.nan, 5), (0, 0, np.inf, 5), (0, 0, 1e40, 5)])
def test_a_box_that_cannot_be_is_refused(tmp_path, box):
    with writer(tmp_path) as one, pytest.raises(ValueError, match="person 1"):
        one.processed(0, 0.0, {1: sighting(box)})


@pytest.mark.parametrize(
    "row",
    [
        Row(1, Episode("", 0, 1, 1, 0.5)),
        Row(1, Episode("sitting\n2,falling", 0, 1, 1, 0.5)),
        Row(1, Episode("sitting", 2, 1, 1, 0.5)),
        Row(1, Episode("sitting", 0, float("nan"), 1, 0.5)),
        Row(1, Episode("sitting", 0, 1, 1, 1.5)),
        Row(1, Episode("sitting", 0, 1, 1, 0.5), zone="so\rfa"),
    ],
)
def test_an_episode_that_cannot_be_is_refused_and_not_written(tmp_path, row):
    with writer(tmp_path) as one:
        with pytest.raises(ValueError, match="person 1"):
            one.episode(row)
        with pytest.raises(ValueError, match="person 1"):
            one.finish([row])
    assert read_log(tmp_path).empty


KILLED = """
import sys
import numpy as np
from wtmr_core.tracking import log
from wtmr_core.tracking.people import Episode, Sighting

row = log._track(0, 1, Sighting(0, 0.0, np.array([1.0, 2.0, 3.0, 4.0]), 0.5))
log._track = lambda *_: row  # most of the time goes into writing then
with log.LogWriter(sys.argv[1], video="v", size=(6, 4), detector="d", model="m") as one:
    for t in range(10**9):
        one.processed(t, t / 10, dict.fromkeys(range(50_000)))
        if t % 20 == 0:
            one.episode(log.Row(1, Episode("sitting" * 9, t, t + 1, 1, 0.5)))
            print(t, flush=True)
"""


@pytest.mark.parametrize("wait", [0.02, 0.07, 0.11])
def test_a_kill_at_any_moment_leaves_whole_rows(tmp_path, wait):
    program = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=PROJECT, env=os.environ
    )
    for _ in range(2):
        assert program.stdout.readline()
    time.sleep(wait)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    text = (tmp_path / "episodes.csv").read_text()
    assert text.endswith("\n")
    assert len(read_log(tmp_path)) >= 2
    assert valid(tmp_path)["complete"] is False
    tracks = (tmp_path / "tracks.txt").read_bytes()
    assert len(tracks) % log.TRACK == 0
    assert {line.count(b",") for line in tracks.splitlines()} == {9}


FULL = """
import resource, signal, sys
import numpy as np
from wtmr_core import files
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.table import Row

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
box = Sighting(0, 0.0, np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
try:
    with LogWriter(sys.argv[1], video="v", size=(6, 4), detector="d", model="m") as one:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        for t in range(200):
            one.processed(t, t / 10, {1: box, 2: box, 3: box} if sys.argv[2] == "tracks" else {})
            one.episode(Row(1, Episode("sitting", t, t + 1, 1, 0.5)))
except files.RunError as error:
    print(error)
"""


@pytest.mark.parametrize("file", ["tracks", "episodes"])
def test_where_a_file_can_grow_no_further_one_sentence_says_so_and_its_rows_are_whole(tmp_path, file):
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), file], capture_output=True, text=True, cwd=PROJECT, env=os.environ
    )
    assert ran.returncode == 0, ran.stderr
    assert file in ran.stdout
    assert ran.stdout.count("\n") == 1
    assert "cannot be written (File too large)" in ran.stdout
    tracks = (tmp_path / "tracks.txt").read_bytes()
    assert len(tracks) % log.TRACK == 0
    assert len(read_log(tmp_path)) > 10
    if file == "tracks":
        assert len(tracks) == 3000 // log.TRACK * log.TRACK  # what there was room for


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(files.RunError, match="file"):
        writer(tmp_path / "file" / "log")


HEAD = "person,activity,start_s,end_s\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column person"),
        ("person,activity\n", "has no column start_s"),
        ("person,activity,start_s,end_s,end_s\n", "line 1: a column is named twice"),
        (HEAD + "1,sitting,0,1\n1,sitting,0\n", "line 3 has 3 values, not 4"),
        (HEAD + "1,sitting,0,soon\n", "line 2: end_s is 'soon', not a number"),
        (HEAD + "1,sitting,0,nan\n", "line 2: end_s is 'nan'"),
        (HEAD + "\n1,sitting,2,1\n", "line 3: it ends at 1 s, before its start"),
        (HEAD.replace("end_s", "end_s,score") + "1,sitting,2,3,7\n", "line 2: score is 7"),
        (HEAD + '1,"sitting,0,1\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(tmp_path, text, message):
    path = tmp_path / "episodes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"episodes\.csv") as error:
        read_log(path, ("person", "activity", "start_s", "end_s"))
    assert message in str(error.value)


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "episodes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        read_log(tmp_path)


def test_names_of_persons_stay_text(tmp_path):
    (tmp_path / "episodes.csv").write_text(HEAD + "Anna,sitting,0,1\n2,sitting,0,1\n")
    assert read_log(tmp_path, ("activity",))["person"].tolist() == ["Anna", "2"]


def test_two_programs_do_not_write_into_one_folder(tmp_path):
    with writer(tmp_path) as one:
        one.processed(0, 0.0, {1: sighting()})
        with pytest.raises(files.RunError, match="another program is writing its log in"):
            writer(tmp_path)
        one.finish([SITTING])
    assert (tmp_path / "tracks.txt").read_text().count("\n") == 1
    with writer(tmp_path) as two:
        two.finish()
    assert (tmp_path / "tracks.txt").read_text() == ""
