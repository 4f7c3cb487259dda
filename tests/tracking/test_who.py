"""From a video to names: people who leave and come back, in one video and in the next, and what a hand puts right."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import supervision as sv
from jsonschema import Draft202012Validator

from tests.tracking.test_appearance import BLUE, GREEN, GREY, RED
from wtmr_core.__main__ import main
from wtmr_core.tracking import detectors
from wtmr_core.tracking.boxes import detections
from wtmr_core.tracking.gallery import Gallery
from wtmr_core.tracking.log import SCHEMA
from wtmr_core.tracking.table import COLUMNS

ALICE, BOB = (RED, BLUE), (GREEN, GREY)
#: number -> clothes, place, first and last frame: alice leaves and comes back as 3, bob is there all the time
VISIT = {1: (ALICE, 40, 1, 25), 2: (BOB, 200, 1, 80), 3: (ALICE, 60, 50, 80)}


@pytest.fixture(autouse=True)
def _without_joints(monkeypatch):
    def poses(picture: np.ndarray) -> sv.Detections:
        return detections([], [], picture.shape[:2], np.zeros((0, 17, 3)))

    monkeypatch.setattr(detectors, "poses", lambda: poses)


def write(folder, people=VISIT, frames=80):
    """A video of 8 s of people who sway, and the file of their boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(folder / "home.avi"), cv2.VideoWriter.fourcc(*"XVID"), 10, (320, 240))
    rows = []
    for frame in range(1, frames + 1):
        picture = np.full((240, 320, 3), 230, np.uint8)
        for number, ((upper, lower), x, first, last) in people.items():
            if first <= frame <= last:
                x += frame % 5
                picture[60:130, x : x + 50], picture[130:200, x : x + 50] = upper, lower
                rows.append(f"{frame},{number},{x},60,50,140,1,-1,-1,-1\n")
        video.write(picture)
    video.release()
    (folder / "boxes.txt").write_text("".join(rows))
    return folder


def track(home, out, *arguments) -> int:
    return main(["track", f"{home}/home.avi", "--boxes", f"{home}/boxes.txt", "--out", str(out), *map(str, arguments)])


def log_of(folder) -> dict:
    """log.json, which follows the schema."""
    value = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(value)
    return value


def names(folder) -> dict[int, str]:
    return {person["person"]: person["name"] for person in log_of(folder)["people"] if "name" in person}


def test_who_comes_back_keeps_the_number_everywhere(tmp_path, capsys):
    home = write(tmp_path / "home")
    assert track(home, tmp_path / "log", "--gallery", tmp_path, "--json", "--video") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["people"], summary["names"], summary["warnings"]) == (2, {}, [])
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv", keep_default_na=False)
    assert tuple(episodes.columns) == COLUMNS
    assert set(episodes.person) == {1, 2}
    assert (episodes.person == 1).sum() == 2  # before and after
    assert all((tmp_path / "log" / name).is_file() for name in episodes.keyframe_best)
    kept = {p.name for p in (tmp_path / "log" / "keyframes").iterdir()}
    assert kept == {name.split("/")[1] for row in episodes.filter(like="keyframe").to_numpy() for name in row}
    tracks = (tmp_path / "log" / "tracks.txt").read_bytes()
    assert {len(row) for row in tracks.splitlines()} == {63}
    rows = np.loadtxt(tmp_path / "log" / "tracks.txt", delimiter=",")
    assert set(rows[:, 1]) == {1, 2}
    assert rows[rows[:, 1] == 1][[0, -1], 0].tolist() == [1, 80]
    assert names(tmp_path / "log") == {}


def test_two_whom_the_tracker_exchanged_keep_their_numbers_and_their_names(tmp_path):
    home = write(tmp_path / "home", {1: (ALICE, 40, 1, 80), 2: (BOB, 200, 1, 80)})
    rows = [line.split(",") for line in (home / "boxes.txt").read_text().splitlines()]
    rows = [[row[0], str(3 - int(row[1])) if int(row[0]) > 40 else row[1], *row[2:]] for row in rows]
    (home / "boxes.txt").write_text("".join(",".join(row) + "\n" for row in rows))
    assert track(home, tmp_path / "log", "--who", "alice=1", "--who", "bob=2") == 0
    tracks = np.loadtxt(tmp_path / "log" / "tracks.txt", delimiter=",")
    assert (tracks[tracks[:, 1] == 1, 2] < 100).mean() > 0.95
    assert (tracks[tracks[:, 1] == 2, 2] > 100).mean() > 0.95
    assert names(tmp_path / "log") == {1: "alice", 2: "bob"}
    assert all(s.looks.sightings > 12 for s in Gallery.read(tmp_path).seen)


def test_without_a_gallery_nothing_is_joined_named_or_kept(tmp_path, capsys):
    home = write(tmp_path / "home")
    assert track(home, tmp_path / "logs" / "one", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["people"] == 3
    assert "names" not in summary
    assert [p.name for p in (tmp_path / "logs").iterdir()] == ["one"]


def test_a_name_given_once_is_known_in_the_next_video_and_a_stranger_is_unknown(tmp_path, capsys):
    home = write(tmp_path / "home")
    stranger = (BLUE, BLUE)
    later = write(tmp_path / "later", {4: (ALICE, 200, 1, 60), 5: (stranger, 30, 1, 60)}, frames=60)
    logs = tmp_path / "logs"
    assert track(home, logs / "one", "--who", "alice=1", "--day", "2026-11-28") == 0
    assert names(logs / "one") == {1: "alice"}
    assert track(later, logs / "two", "--gallery", logs, "--day", "2026-11-29", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["names"] == {"4": "alice"}
    assert names(logs / "two") == {4: "alice"}
    rows = {s.key: (s.identity, s.day, s.sure) for s in Gallery.read(logs).seen}
    assert rows == {
        "one:1": (1, "2026-11-28", True), "one:2": (2, "2026-11-28", True),
        "two:4": (1, "2026-11-29", False), "two:5": (3, "2026-11-29", True),
    }  # fmt: skip
    assert main(["who", "list", str(logs)]) == 0
    assert "two:4 ?" in capsys.readouterr().out


def test_tracked_again_everybody_is_who_they_were(tmp_path):
    home = write(tmp_path / "home")
    assert track(home, tmp_path / "log", "--who", "alice=1") == 0
    before = [(s.identity, s.key, s.sure) for s in Gallery.read(tmp_path).seen]
    assert track(home, tmp_path / "log", "--gallery", tmp_path) == 0
    assert [(s.identity, s.key, s.sure) for s in Gallery.read(tmp_path).seen] == before
    assert names(tmp_path / "log") == {1: "alice"}


def test_two_in_the_same_clothes_are_unknown(tmp_path):
    twins = write(tmp_path / "twins", {1: (ALICE, 40, 1, 60), 2: (ALICE, 200, 1, 60)}, frames=60)
    one = write(tmp_path / "one", {1: (ALICE, 40, 1, 60)}, frames=60)
    assert track(twins, tmp_path / "logs/a", "--who", "alice=1", "--who", "her twin=2") == 0
    assert track(one, tmp_path / "logs/b", "--gallery", tmp_path / "logs") == 0
    assert names(tmp_path / "logs/b") == {}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--who", "alice=9"], "person 9"),
        (["--who", "alice=1", "--who", "bob=1"], "two names"),
        (["--who", "12=1"], "no name"),
        (["--day", "tomorrow", "--gallery", "."], "tomorrow"),
        (["--gallery", "home/boxes.txt"], "boxes.txt is no gallery"),
    ],
    ids=["nobody", "two names", "digits", "day", "another file"],
)
def test_what_cannot_be_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, why):
    monkeypatch.chdir(tmp_path)
    home = write(tmp_path / "home")
    assert track(home, "logs/one", *arguments) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1
    if "alice=9" in arguments:  # the log is whole, and everybody else is known
        assert log_of(tmp_path / "logs/one")["complete"]
        assert len(Gallery.read("logs").seen) == 2
    else:
        assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("text", ["alice", "alice=", "=3", "alice=three", "alice=-1", "alice=²"])
def test_who_takes_a_name_and_a_number(tmp_path, text):
    with pytest.raises(SystemExit):
        main(["track", "home.avi", "--out", str(tmp_path / "log"), "--who", text])


def test_one_name_for_two_numbers_is_one_person(tmp_path):
    home = write(tmp_path / "home", {1: (ALICE, 40, 1, 25), 3: ((RED, GREEN), 60, 50, 80)})
    assert track(home, tmp_path / "log", "--who", "alice=1", "--who", "alice=3") == 0
    assert names(tmp_path / "log") == {1: "alice", 3: "alice"}
    assert len(Gallery.read(tmp_path).identities) == 1


def test_a_hand_joins_parts_names_and_forgets_and_the_logs_follow(tmp_path, capsys):
    home = write(tmp_path / "home")
    logs = tmp_path / "logs"
    assert track(home, logs / "one", "--who", "alice=1") == 0
    assert track(home, logs / "two", "--gallery", logs) == 0
    assert names(logs / "two") == {1: "alice"}

    def who(*arguments) -> str:
        assert main(["who", arguments[0], str(logs), *arguments[1:]]) == 0
        return capsys.readouterr().out

    who("part", "two:1")
    assert (names(logs / "one"), names(logs / "two")) == ({1: "alice"}, {})
    who("join", "alice", "two:1")
    assert names(logs / "two") == {1: "alice"}
    who("name", "alice", "Alice B.")
    who("name", "one:2", "bob")
    assert names(logs / "one") == names(logs / "two") == {1: "Alice B.", 2: "bob"}
    listed = json.loads(who("list", "--json"))
    assert [(row["name"], [f"{s['log']}:{s['person']}" for s in row["seen"]]) for row in listed] == [
        ("Alice B.", ["one:1", "two:1"]),
        ("bob", ["one:2", "two:2"]),
    ]
    (logs / "two").rename(tmp_path / "elsewhere")
    assert "not found, so not updated: two" in who("forget", "Alice B.")
    assert names(logs / "one") == {2: "bob"}
    for path in logs.rglob("*"):
        assert not path.is_file() or b"Alice" not in path.read_bytes(), path
    assert main(["who", "forget", str(logs), "Alice B."]) == 2
    assert "nobody called 'Alice B.'" in capsys.readouterr().err


def test_there_must_be_a_gallery_to_change(tmp_path, capsys):
    assert main(["who", "name", str(tmp_path / "no"), "1", "alice"]) == 2
    assert "no gallery" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
