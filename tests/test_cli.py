"""The `wtmr` command as a person or a script calls it."""

import csv
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from tests.conftest import PROJECT, write_hmdb51, write_ntu60, write_svideoqa
from wtmr_core.__main__ import main
from wtmr_core.paper import published


def check(capsys, *arguments):
    code = main(["data", "check", *map(str, arguments), "--workers", "1"])
    return code, capsys.readouterr().out


KEYS = {"kept", "skipped", "classes", "splits", "groups_crossing"}


@pytest.mark.parametrize(
    ("dataset", "write", "kept", "splits", "last"),
    [
        ("hmdb51", write_hmdb51, 32, {"1", "2", "3"}, "as expected"),
        # no list says how many there should be
        ("ntu60", write_ntu60, 48, {"cross-subject", "cross-view"}, "nothing known to compare with: 48 clips kept"),
        ("svideoqa", write_svideoqa, 12, {"sequence"}, "nothing known to compare with: 12 clips kept"),
    ],
)
def test_a_whole_set_is_as_expected(capsys, tmp_path, dataset, write, kept, splits, last):
    write(tmp_path / "set")
    code, out = check(capsys, dataset, "--root", tmp_path / "set", "--json")
    found = json.loads(out)
    assert code == 0
    assert found.keys() >= KEYS
    assert (found["kept"], found["skipped"], found["groups_crossing"]) == (kept, {}, 0)
    assert found["splits"].keys() == splits
    assert all(sum(parts.values()) == kept for parts in found["splits"].values())
    assert sum(found["classes"].values()) == kept
    code, out = check(capsys, dataset, "--root", tmp_path / "set")
    assert code == 0
    assert out.strip().splitlines()[-1] == last


def test_broken_files_are_counted_and_exit_1(capsys, tmp_path):
    root = write_hmdb51(tmp_path)
    (root / "sit" / "Film3_sit_f_nm_np1_fr_goo_0.avi").write_bytes(b"")
    code, out = check(capsys, "hmdb51", "--root", root, "--split", "2", "--json")
    found = json.loads(out)
    assert (code, found["kept"], found["skipped"]) == (1, 31, {"zero bytes": 1})
    assert found["splits"].keys() == {"2"}
    assert found["skipped_samples"][0]["name"] == "sit/Film3_sit_f_nm_np1_fr_goo_0"
    code, _ = check(capsys, "hmdb51", "--root", root, "--names-only")
    assert code == 0


@pytest.mark.parametrize("arguments", [("--root", "/nowhere/at/all"), ()])
def test_a_set_that_is_not_there(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, out = check(capsys, "hmdb51", *arguments, "--json")
    found = json.loads(out)
    assert code == 1
    assert found.keys() >= KEYS
    assert "give" in found["problems"][0]


def test_missing_lists_are_said(capsys, tmp_path):
    root = write_hmdb51(tmp_path)
    for file in (root / "testTrainMulti_7030_splits").iterdir():
        file.unlink()
    code, out = check(capsys, "hmdb51", "--root", root)
    assert code == 1
    assert "They come with HMDB51 as testTrainMulti_7030_splits" in out


def test_roots_are_found(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ntu60(tmp_path / "somewhere" / "ntu60")
    for base in ("somewhere", "somewhere/ntu60"):
        monkeypatch.setenv("WTMR_DATA", str(tmp_path / base))
        assert check(capsys, "ntu60", "--json")[0] == 0
    monkeypatch.delenv("WTMR_DATA")
    write_svideoqa(tmp_path / "data" / "svideoqa")
    assert check(capsys, "svideoqa", "--json")[0] == 0
    monkeypatch.setattr("wtmr_core.datasets.roots.KAGGLE", tmp_path / "input")
    write_hmdb51(tmp_path / "input" / "some-upload" / "hmdb")
    assert check(capsys, "hmdb51", "--json")[0] == 0
    (tmp_path / "input" / "datasets").mkdir()
    (tmp_path / "input" / "some-upload").rename(tmp_path / "input" / "datasets" / "somebody")
    assert check(capsys, "hmdb51", "--json")[0] == 0


def test_profile_as_published_is_the_papers_table(capsys):
    assert main(["profile", "--as", "published", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["dataset", "model", "params_m", "gmacs"]
    paper = published.profile().set_index(["dataset", "model"])
    rows = [row for row in rows if row["model"] != "wtmr"]  # the described network is none of the paper's
    assert len(rows) == len(paper) == 9
    for row in rows:
        expected = paper.loc[(row["dataset"], row["model"])]
        assert (row["params_m"], row["gmacs"]) == (f"{expected.params_m:.2f}", f"{expected.gmacs:.2f}")


def test_profile_complete_counts_more(capsys):
    tables = []
    for counting in ("published", "complete"):
        main(["profile", "--as", counting, "--csv"])
        tables.append(pd.read_csv(io.StringIO(capsys.readouterr().out)))
    assert (tables[1].params_m >= tables[0].params_m).all()
    assert (tables[1].gmacs > tables[0].gmacs - 0.1).all()


def test_train_and_table(capsys, tmp_path):
    root = write_ntu60(tmp_path / "set")
    given = [
        "dataset=ntu60",
        "scale=mini",
        "epochs=1",
        "width=16",
        "depth=1",
        "heads=2",
        "conv_channels=[4, 8]",
        "lr=1e-3",
        "val_fraction=0",
    ]
    (root / "nturgb+d_skeletons" / "S001C001P001R001A002.skeleton").touch()
    code = main(["train", *given, "--root", str(root), "--results", str(tmp_path / "results")])
    out = capsys.readouterr().out
    assert code == 0
    assert "test_accuracy" in out
    assert "val_accuracy -" in out
    assert re.search(r"^1 skipped: .+, the first: S001C001P001R001A002$", out, re.MULTILINE)
    assert main(["table", str(tmp_path / "results")]) == 0
    assert "ntu60  wtmr" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (TypeError("no len()"), 2, "wtmr: unexpected TypeError while running wtmr table: no len() (set WTMR_TRACEB"),
        (KeyError("x"), 2, "wtmr: unexpected KeyError while running wtmr table: 'x' (set WTMR_TRACEBACK=1"),
        (RuntimeError(), 2, "wtmr: unexpected RuntimeError"),
        (ValueError("seed is 'x'"), 2, "wtmr: seed is 'x'\n"),
        (KeyboardInterrupt(), 130, "wtmr: stopped"),
        (BrokenPipeError(), 141, ""),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), 2, "wtmr: a.csv: No space left on device; free"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"), 2, "directory; check the name; one"),
        (OSError(errno.EISDIR, "Is a directory", "a.csv"), 2, "wtmr: a.csv: Is a directory\n"),
        (PermissionError(errno.EACCES, "Permission denied", "results/x"), 2, "with --results or WTMR_RESULTS\n"),
        (PermissionError(errno.EACCES, "Permission denied", "CACHE/x"), 2, "a folder of your own with WTMR_CACHE\n"),
        (OSError(errno.EROFS, "Read-only file system", "/elsewhere"), 2, "ask its owner, or name a folder of your own"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_every_error_is_a_sentence(capsys, monkeypatch, tmp_path, error, status, said):
    """What is raised, whatever it is, ends the command with words and a number, never a page of Python."""
    monkeypatch.chdir(tmp_path)
    if getattr(error, "filename", None):
        error.filename = error.filename.replace("CACHE", os.environ["WTMR_CACHE"])

    def raising(_):
        raise error

    monkeypatch.setattr("wtmr_core.runs.table", raising)
    assert main(["table", "results"]) == status
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    monkeypatch.setenv("WTMR_TRACEBACK", "1")
    main(["table", "results"])
    assert ("Traceback" in capsys.readouterr().err) == (status == 2)


def test_nobody_reads_on_or_a_terminal_lacks_a_sign():
    """`wtmr ... | head` ends without a word, and a sign that ASCII lacks is written in another way."""
    code = "import sys; from wtmr_core.__main__ import main; from wtmr_core import runs; "
    code += "runs.table = lambda _: (print('\\xb7', flush=True), print('x' * 10**6)); sys.exit(main(['table', 'x']))"
    variables = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=PROJECT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"\\xb7\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("epoch=3", "did you mean epochs"),
        ("epochs", "not KEY=VALUE"),
        ("lr=fast", "lr is 'fast'"),
        ("frames=abc", "frames is 'abc'; it must be a whole number"),
        ("epochs=010", "epochs is '010'"),
    ],
)
def test_a_wrong_call_says_why_and_exits_2(capsys, given, says):
    assert main(["train", "dataset=ntu60", given]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_without_runs_is_named(tmp_path, capsys):
    assert main(["table", str(tmp_path)]) == 1
    assert f"no runs in {tmp_path / 'runs'}: give a folder of results" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_parameters_that_are_no_object_are_said(tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        main(["notebook", "a.ipynb", "b.ipynb", "--log", "c.log", "--parameters", text])
    assert "is no JSON" in capsys.readouterr().err


SMALL = ["scale=mini", "width=16", "depth=1", "heads=2", "conv_channels=[4, 8]", "epochs=1", "size=32", "frames=4",
         "device=cpu", "workers=1", "batch_size=8"]  # fmt: skip


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """A run on videos of one's own, in class folders, and those videos."""
    folder = tmp_path_factory.mktemp("own")
    write_hmdb51(folder / "set")
    for path in (folder / "set").glob("*splits*"):
        shutil.rmtree(path)
    assert main(["train", "dataset=folder", *SMALL, "--root", str(folder / "set"), "--results", str(folder)]) == 0
    (run,) = (folder / "runs").glob("folder-*/")
    return run, sorted((folder / "set").rglob("*.avi"))


def test_a_strangers_way(own_run, capsys, tmp_path):
    """Videos in class folders, checked and trained on; then what is done in them, as a table, JSON and CSV."""
    run, videos = own_run
    assert main(["data", "check", "folder", "--root", str(videos[0].parents[1]), "--json", "--workers", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kept"] == len(videos)
    assert len(found["classes"]) == 2
    assert "wtmr predict" in (run / "README.md").read_text()

    table = tmp_path / "table.csv"
    assert main(["predict", str(run), *map(str, videos[:3]), "--json", "--csv", str(table)]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in entries] == list(map(str, videos[:3]))
    for entry in entries:
        assert entry["label"] in found["classes"]
        assert 0.5 <= entry["score"] <= 1
        (window,) = entry["windows"]
        assert window.keys() == {"start_s", "end_s", "label", "score"}
    rows = pd.read_csv(table)
    assert rows.label.tolist() == [entry["label"] for entry in entries]
    assert main(["predict", str(run), str(videos[0])]) == 0
    assert str(videos[0]) in capsys.readouterr().out


def test_a_network_is_exported(own_run, capsys, tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    run, _ = own_run
    assert main(["export", str(run), "--onnx", str(tmp_path / "network.onnx")]) == 0
    model = onnx.load(tmp_path / "network.onnx")
    told = json.loads({row.key: row.value for row in model.metadata_props}["wtmr"])
    assert told["dataset"] == "folder"
    assert main(["export", str(run), "--onnx", str(tmp_path / "no" / "network.onnx")]) == 2
