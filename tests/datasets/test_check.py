"""The data check: every file below a root is told of, by what it is, and nothing is called whole without a measure."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.conftest import write_frames, write_hmdb51, write_ntu60, write_svideoqa, write_video
from wtmr_core import datasets
from wtmr_core.datasets import DataError, check

FOLDERS = (
    "run",
    "walk",
    "other",
    "pack",
    ".hidden",
    "lost+found",
    "truth",
    "videosequence-001",
    "videosequence-1",
    "s1",
)
NAMES = (
    "a.avi", "a.mp4", "A.AVI", "b.avi", "._b.avi", "frame_1.png", "frame_2.png", "x_1.png", "cover.jpg", "qa.csv",
    "notes", "notes.txt", "classes.txt", "manifest.csv", "run_test_split1.txt", "S001C001P001R001A001.skeleton",
    "S001C001P003R001A001.SKELETON", "x.skeleton", "NTU_RGBD_samples_with_missing_skeletons.txt",
    "cafe\u0301.avi", "caf\u00e9.avi", os.fsdecode(b"caf\xe9.avi"), os.fsdecode(b"caf\xe9.skeleton"),
)  # fmt: skip
CONTENTS = {
    "qa.csv": "question,answer\nwhat,walking\n",
    "classes.txt": "run\nwalk\nother\n",
    "manifest.csv": "class,clip,similarity_group,split\nrun,a,g,train\n",
    "run_test_split1.txt": "a.avi 1\n",
    "NTU_RGBD_samples_with_missing_skeletons.txt": "heading\nS001C001P001R001A001\n",
}
#: a recording of each set, so that a root is recognised
SURE = (
    "run/sure.avi",
    "run/sure.skeleton",
    "S001C001P002R001A001.skeleton",
    "videosequence-9/s/c/frame_1.png",
    "videosequence-9/s/c/qa.csv",
)


def write(root: Path, path: str, broken: bool) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if broken:
        file.symlink_to("/nowhere/at/all")
    else:
        file.write_text(CONTENTS.get(file.name, "some"))


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=4), st.sampled_from(NAMES)).map(
            lambda parts: "/".join([*parts[0], parts[1]])
        ),
        st.integers(0, 9).map(lambda n: n == 0),
        max_size=25,
    ),
    st.sampled_from(datasets.NAMES),
    st.sampled_from(("published", "corrected")),
)
def test_every_file_is_counted_once(files, dataset, protocol):
    """Any tree of files: kept, skipped by name, used, or foreign by suffix; and no two samples of one name."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, broken in {**files, **dict.fromkeys(SURE, False)}.items():
            write(root, path, broken)
        try:
            index = datasets.module(dataset).index(root, "-", reader=protocol)
        except DataError:  # two lists that differ, classes.txt that lacks a class
            reject()
        there = sum(len(names) for _, _, names in os.walk(root))
        kept = sum(map(len, index.recordings()))
        assert kept == index.samples.files.sum()
        assert kept + index.skipped.files.sum() + sum(index.foreign.values()) + index.used == there
        assert index.samples.name.is_unique
        assert index.skipped.name.map(str.isprintable).all()
        json.dumps([index.foreign, index.skipped.to_dict("records")]).encode()


def test_what_was_not_kept_is_named_with_its_reason(tmp_path, capsys):
    root = write_hmdb51(tmp_path / "set")
    for n in range(12):
        write_video(root / "UCF" / "Archery" / f"v{n:02}.avi")
    (root / "notes.txt").write_text("")
    found = check.report("hmdb51", root, split="1", names_only=True)
    assert check.show(found) == 1
    out = capsys.readouterr().out
    assert "12 skipped: not a class of HMDB51" in out
    assert "UCF/Archery/v09.avi (the folder Archery)" in out
    assert "v10.avi" not in out
    assert "and 2 more (all with --json)" in out
    assert "no part of the set: 1 files (1 .txt)" in out
    assert len(found["skipped_samples"]) == 12
    assert found["kept"] == 32
    check.show(found, as_json=True)
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.parametrize(
    ("dataset", "write", "last"),
    [
        ("hmdb51", write_hmdb51, "as expected"),
        ("ntu60", write_ntu60, "nothing known to compare with: 48 clips kept"),
        ("svideoqa", write_svideoqa, "nothing known to compare with: 12 clips kept"),
    ],
)
def test_only_what_has_a_measure_is_called_whole(tmp_path, capsys, dataset, write, last):
    assert check.show(check.report(dataset, write(tmp_path / "set"), names_only=True)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{last}, by the names alone: no file was read"


def test_counts_by_class_and_part(tmp_path, capsys):
    root = write_ntu60(tmp_path / "set", performers=(1, 2, 3), actions=(1, 8))
    (root / "nturgb+d_skeletons" / "S001C001P003R001A008.skeleton").unlink()
    (root / "nturgb+d_skeletons" / "S001C002P003R001A008.skeleton").unlink()
    found = check.report("ntu60", root, split="cross-subject", names_only=True)
    assert found["class_parts"] == {
        "cross-subject": {"drink water": {"test": 2, "train": 4}, "sit down": {"test": 0, "train": 4}}
    }
    assert found["problems"] == ["split cross-subject: 1 class has no test clip, the first: sit down"]
    check.show(found)
    assert "sit down        4                   0                    4" in capsys.readouterr().out


def test_a_split_that_does_not_read_does_not_hide_the_others(tmp_path):
    root = write_hmdb51(tmp_path / "set")
    (root / "testTrainMulti_7030_splits" / "sit_test_split2.txt").write_text("x.avi 7\n")
    found = check.report("hmdb51", root, names_only=True)
    assert found["splits"].keys() == {"1", "3"}
    assert found["kept"] == 32
    assert [p for p in found["problems"] if "sit_test_split2.txt, line 1" in p]


def test_clips_of_any_split_are_read(tmp_path):
    """A clip that only the second split names is broken: the check of all splits finds it."""
    root = write_hmdb51(tmp_path / "set", films=3)
    lists, clip = root / "testTrainMulti_7030_splits", "Film1_sit_f_nm_np1_fr_goo_0"
    (root / "sit" / f"{clip}.avi").write_bytes(b"")
    for split in (1, 3):
        file = lists / f"sit_test_split{split}.txt"
        file.write_text("".join(line for line in file.read_text().splitlines(True) if clip not in line))
    found = check.report("hmdb51", root, workers=1)
    assert found["skipped"] == {"on disk, not in the split list": 1, "zero bytes": 1}


def test_remarks_are_counted_and_named(tmp_path, capsys):
    write_frames(tmp_path / "run" / "clip", [1, 2, 3])
    write_frames(tmp_path / "run" / "clip", [1], prefix="cover_")
    found = check.report("hmdb51", tmp_path, names_only=True)
    assert found["remarks"] == {"images beside its frames": 1}
    assert found["foreign"] == {".png": 1}
    check.show(found)
    assert "run/clip (1, the first: cover_1.png)" in capsys.readouterr().out


def test_any_name_is_printed(tmp_path, monkeypatch):
    """A name that is not UTF-8, and a terminal that lacks its letters."""
    import io
    import sys

    root = write_hmdb51(tmp_path / "set")
    write_video(root / "sit" / "x.avi").rename(root / "sit" / os.fsdecode(b"caf\xe9.avi"))
    (root / "sit" / "日本.avi").write_bytes(b"")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out := io.BytesIO(), encoding="ascii"))
    assert check.show(check.report("hmdb51", root, split="1", names_only=True)) == 1
    sys.stdout.flush()
    assert b"sit/caf\\udce9.avi (rename it)" in out.getvalue()
    assert rb"sit/\u65e5\u672c" in out.getvalue()
