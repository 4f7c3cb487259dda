"""`wtmr predict`: the table, JSON and CSV of files, and files that do not read."""

import json

import pandas as pd
import pytest

from tests.conftest import write_frames, write_hmdb51, write_ntu60, write_video
from tests.test_training import small
from wtmr_core import runs, training
from wtmr_core.__main__ import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Finished runs on frames and on joints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WTMR_CACHE", str(tmp_path_factory.mktemp("cache")))
        roots = {
            "frames": write_hmdb51(tmp_path_factory.mktemp("a")),
            "joints": write_ntu60(tmp_path_factory.mktemp("b")),
        }
        results = tmp_path_factory.mktemp("results")
        datasets = {"frames": "hmdb51", "joints": "ntu60"}
        return {kind: training.run(small(datasets[kind], epochs=1), results, roots[kind]) for kind in roots}


def predict(capsys, *arguments):
    code = main(["predict", *map(str, arguments), "--device", "cpu"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_predict_prints_a_table_json_and_csv(capsys, tmp_path, trained):
    video = write_video(tmp_path / "long.avi", 20)
    folder = write_frames(tmp_path / "frames", list(range(0, 200, 20)))
    code, out, err = predict(capsys, trained["frames"], video, folder, "--stride", 0.6, "--csv", tmp_path / "t.csv")
    assert code == 0
    header, *rows = out.splitlines()
    assert header.split() == ["file", "start_s", "end_s", "label", "score", "file_label", "file_score"]
    assert [row.split()[1:3] for row in rows] == [
        ["0.00", "0.60"],
        ["0.60", "1.20"],
        ["1.20", "1.80"],
        ["1.40", "2.00"],
        ["-", "-"],
    ]
    assert err == f"wtmr: {folder}: one window: the recording has no times, so all of it is one\n"
    table = pd.read_csv(tmp_path / "t.csv")
    assert table.file.tolist() == [str(video)] * 4 + [str(folder)]
    assert table.start_s.isna().tolist() == [False] * 4 + [True]
    assert table.score.between(0.5, 1).all()
    code, out, _ = predict(capsys, trained["frames"], video, folder, "--stride", 0.6, "--json")
    told = json.loads(out)
    assert code == 0
    assert [list(file) for file in told] == [["file", "windows", "label", "score"]] * 2
    assert [list(window) for window in told[0]["windows"]] == [["start_s", "end_s", "label", "score"]] * 4
    assert told[1]["windows"][0]["start_s"] is None
    assert [file["label"] for file in told] == [table.file_label[0], table.file_label[4]]
    code, out, _ = predict(capsys, trained["frames"], folder, "--fps", 10, "--seconds", 0.3, "--json")
    assert (code, len(json.loads(out)[0]["windows"])) == (0, 6)


def test_predict_reads_skeleton_files(capsys, tmp_path, trained):
    root = write_ntu60(tmp_path / "set", performers=(1,), actions=(8,), frames=30)
    files = sorted(root.rglob("*.skeleton"))
    code, out, err = predict(capsys, trained["joints"], *files, "--json")
    assert (code, err) == (0, "")
    ends = [[window["end_s"] for window in file["windows"]] for file in json.loads(out)]
    assert ends == [[0.6, 0.9, 1.0]] * 2


def test_files_that_do_not_read_are_named_and_the_others_done(capsys, tmp_path, trained):
    (tmp_path / "empty.avi").touch()
    (tmp_path / "folder").mkdir()
    bad = [tmp_path / "empty.avi", tmp_path / "folder", tmp_path / "none.avi"]
    good = write_video(tmp_path / "good.avi", 6)
    code, out, err = predict(capsys, trained["frames"], bad[0], good, *bad[1:], "--json")
    assert code == 1
    assert [file["file"] for file in json.loads(out)] == [str(good)]
    said = (
        "zero bytes",
        "no frames",
        "No such file or directory; check the name; one that does not begin with / is looked for in the current folder",
    )
    assert err.splitlines() == [f"wtmr: {path}: {why}" for path, why in zip(bad, said, strict=True)]
    code, out, _ = predict(capsys, trained["frames"], *bad, "--json")
    assert (code, json.loads(out)) == (2, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["FRAMES", "VIDEO", "--fps", "0"], "wtmr: fps is 0.0; it must be a number above 0\n"),
        (["FRAMES", "VIDEO", "--stride", "nan"], "wtmr: stride is nan; it must be a number above 0\n"),
        (["FRAMES", "SKELETON"], "holds joints, but the run was trained on frames"),
        (["JOINTS", "VIDEO"], "is no .skeleton file, but the run was trained on joints"),
        (["NOWHERE", "VIDEO"], "wtmr: there is no run folder"),
        (["WEIGHTLESS", "VIDEO"], "has no weights"),
        (["FRAMES", "VIDEO", "--csv", "none/t.csv"], "t.csv cannot be written (No such file or directory)"),
    ],
)
def test_a_prediction_that_cannot_be_exits_2(capsys, tmp_path, trained, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    weightless = tmp_path / "run"
    weightless.mkdir()
    for file in trained["frames"].iterdir():
        if file.name not in (runs.WEIGHTS, runs.LOCK):
            (weightless / file.name).write_bytes(file.read_bytes())
    video, skeleton = write_video(tmp_path / "a.avi"), tmp_path / "a.skeleton"
    names = {"FRAMES": trained["frames"], "JOINTS": trained["joints"], "NOWHERE": tmp_path / "x"}
    names |= {"WEIGHTLESS": weightless, "VIDEO": video, "SKELETON": skeleton}
    code, _, err = predict(capsys, *(names.get(argument, argument) for argument in arguments))
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1
