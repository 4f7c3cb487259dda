"""SVideoQA: labels that do not depend on chance, and tables in whatever form."""

import subprocess
import sys

import pytest

from tests.conftest import PROJECT, write_frames, write_svideoqa
from wtmr_core.datasets import DataError, Unreadable, svideoqa


@pytest.fixture
def root(tmp_path):
    return write_svideoqa(tmp_path / "set")


def test_every_camera_folder_is_a_clip(root):
    index = svideoqa.index(root, "sequence")
    assert (len(index), index.classes) == (12, ("sitting", "walking"))
    assert index.samples.group.nunique() == 6
    assert index.crossing() == []
    assert set(index.parts()) == {"train", "test"}
    assert index.problems() == []


def test_the_published_reading_leaves_out_second_cameras_and_sequence_149(root):
    (root / "videosequence-003").rename(root / "videosequence-149")
    index = svideoqa.index(root, "-", reader="published")
    assert index.skips() == {svideoqa.LEFT_OUT: 7}
    assert len(index) == 5
    assert index.problems() == []


def table(folder, text, encoding="utf-8"):
    write_frames(folder, [1, 2])
    (folder / "qa.csv").write_text(text, encoding=encoding)
    return folder


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("what,walking\nwhat,sitting\nwhat,walking\n", "walking"),  # the more frequent
        ("what,sitting\nwhat,walking\n", "walking"),  # a tie: the order of WORDS
        ("is she walking?,no\nis she walking?,no\nwhat,waving\n", "waving"),  # answers before questions
        ("is she Waving?,yes\n", "waving"),  # a question, where no answer tells
        ("what,walkings\n", None),  # whole words only
        ("how many?,one\n", None),
    ],
)
def test_a_clips_own_label(tmp_path, rows, expected):
    table(tmp_path / "videosequence-001" / "s" / "Camera01", "question,answer\n" + rows)
    index = svideoqa.index(tmp_path, "-")
    assert index.classes == ((expected,) if expected else ())
    assert index.skips() == ({} if expected else {svideoqa.NO_WORD: 1})


def test_published_gives_one_label_to_all_of_a_sequence_and_corrected_does_not(tmp_path):
    for subject, word in (("s1", "waving"), ("s2", "sitting")):
        table(tmp_path / "videosequence-001" / subject / "Camera01", f"question,answer\nwhat,{word}\n")
    names = {p: svideoqa.index(tmp_path, "-", reader=p).class_counts() for p in ("published", "corrected")}
    assert names == {"published": {"sitting": 2}, "corrected": {"sitting": 1, "waving": 1}}


def test_labels_do_not_depend_on_the_hash_seed(root):
    code = f"""
from pathlib import Path
from wtmr_core.datasets import svideoqa
for protocol in ("published", "corrected"):
    print(svideoqa.index(Path({str(root)!r}), "sequence", reader=protocol).samples.to_csv())
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env={"PYTHONHASHSEED": seed, "PATH": ""}, text=True,
            stdout=subprocess.PIPE, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1] != ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_in_any_encoding(tmp_path, encoding, separator):
    file = tmp_path / "qa.csv"
    file.write_text(f"Question {separator} Answer\nWas tut José?{separator}walking\n", encoding=encoding)
    assert svideoqa.read_table(file)[0] == [{"question": "Was tut José?", "answer": "walking"}]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("qa.csv", b"frage,antwort\nwas,walking\n", "table without the columns question and answer"),
        ("qa.csv", b"", "table does not read"),
        ("qa.xls", b"no workbook", "table does not read"),
    ],
)
def test_broken_tables_have_a_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable) as error:
        svideoqa.read_table(tmp_path / name)
    assert error.value.reason == reason


def test_what_cannot_be_used_is_counted(root):
    subject = root / "videosequence-001" / "subject1"
    (subject / "Camera01" / "qa.csv").write_text("a,b\n1,2\n")
    (subject / "Camera02" / "qa.csv").unlink()
    for frame in (root / "videosequence-002" / "subject1" / "Camera01").glob("*.png"):
        frame.unlink()
    (root / "videosequence-099").mkdir()
    index = svideoqa.index(root, "sequence")
    assert index.skips() == {
        "empty sequence folder": 1,
        "no frames": 1,
        "no question/answer table": 1,
        "table without the columns question and answer": 1,
    }
    assert len(index) == 9


def test_too_few_sequences(tmp_path):
    with pytest.raises(DataError, match="too few for a split"):
        svideoqa.index(write_svideoqa(tmp_path, sequences=3), "sequence")


def test_a_root_without_sequences(tmp_path):
    with pytest.raises(DataError, match="no videosequence-NNN folders"):
        svideoqa.index(tmp_path, "sequence")


# -- wherever the recordings lie, and whatever stands in the tables


def camera(folder, word="walking"):
    return table(folder, f"question,answer\nwhat,{word}\n")


def test_sequences_in_parts_are_all_read(tmp_path):
    """A sequence in two parts is one group; one in a folder of its own name, and one deep below, are read as well."""
    camera(tmp_path / "part1" / "videosequence-001" / "s" / "Camera01")
    camera(tmp_path / "part2" / "videosequence-001" / "s" / "Camera02")
    camera(tmp_path / "videosequence-002" / "videosequence-002" / "s" / "Camera01", "sitting")
    camera(tmp_path / "a" / "b" / "c" / "videosequence-003" / "s", "waving")
    index = svideoqa.index(tmp_path, "-")
    assert dict(zip(index.samples.name, index.samples.group, strict=True)) == {
        "videosequence-001/s/Camera01": "videosequence-001",
        "videosequence-001/s/Camera02": "videosequence-001",
        "videosequence-002/s/Camera01": "videosequence-002",
        "videosequence-003/s": "videosequence-003",
    }
    assert index.problems() == []


def test_the_published_word_is_of_the_whole_sequence_in_two_parts(tmp_path):
    camera(tmp_path / "part1" / "videosequence-001" / "s1" / "Camera01", "waving")
    camera(tmp_path / "part2" / "videosequence-1" / "s2" / "Camera01", "sitting")
    assert svideoqa.index(tmp_path, "-", reader="published").class_counts() == {"sitting": 2}


def test_two_cameras_of_one_name_are_both_named(tmp_path):
    for part, word in (("part1", "walking"), ("part2", "sitting")):
        camera(tmp_path / part / "videosequence-001" / "s" / "Camera01", word)
    camera(tmp_path / "part2" / "videosequence-002" / "s" / "Camera01")
    index = svideoqa.index(tmp_path, "-")
    assert list(index.samples.group) == ["videosequence-002"]
    assert set(index.skipped.name) == {f"part{n}/videosequence-001/s/Camera01" for n in (1, 2)}


@pytest.mark.parametrize("protocol", ["published", "corrected"])
def test_a_comma_too_many_never_gives_a_label(tmp_path, protocol):
    text = "question,answer\nWhat is he doing, exactly?,walking\n" + "What is he doing?,sitting\n" * 5
    table(tmp_path / "videosequence-001" / "s" / "Camera01", text)
    index = svideoqa.index(tmp_path, "-", reader=protocol)
    assert index.skips() == {"table with a row of another number of fields": 1}
    assert "qa.csv, line 2: 3 fields" in index.skipped.detail[0]


def test_rows_without_an_answer_are_remarked(tmp_path):
    table(tmp_path / "videosequence-001" / "s" / "Camera01", "question,answer\nis he sitting?,\nwhat,walking\n")
    index = svideoqa.index(tmp_path, "-")
    assert (index.classes, index.remark_counts()) == (("walking",), {"rows without an answer": 1})


def test_all_sheets_of_a_workbook_are_read(tmp_path):
    import xlwt

    book = xlwt.Workbook()
    for name, rows in {"one": [("Question", "Answer", ""), ("what", "NA", "")], "two": [("x",)], "none": []}.items():
        sheet = book.add_sheet(name)
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                sheet.write(r, c, cell)
    book.save(str(tmp_path / "qa.xls"))
    with pytest.raises(Unreadable) as error:
        svideoqa.read_table(tmp_path / "qa.xls")
    assert "qa.xls, two, line 1: no column question" in error.value.detail


def test_what_is_no_frame_of_a_camera(tmp_path):
    """Frames outside a camera folder are skipped by name; a link that leads nowhere spoils its camera alone."""
    good, bad = (camera(tmp_path / "videosequence-001" / "s" / f"Camera0{n}") for n in (1, 2))
    (bad / "frame_3.png").symlink_to("/nowhere/at/all")
    write_frames(tmp_path / "videosequence-001", [1])
    (good / "plan.png").write_text("")
    (good / "notes.txt").write_text("")
    index = svideoqa.index(tmp_path, "-")
    assert list(index.samples.name) == ["videosequence-001/s/Camera01"]
    assert index.skips() == {"a frame cannot be read": 1, "frames outside a camera folder": 1}
    assert (index.foreign, index.remark_counts(), index.used) == (
        {".png": 1, ".txt": 1},
        {"images beside its frames": 1},
        2,
    )


@pytest.mark.parametrize("name", ["videosequence-008 (1)", "video-sequence-008", "videosequence-7b"])
def test_a_sequence_under_another_name_is_said(tmp_path, name):
    root = write_svideoqa(tmp_path)
    write_frames(root / name / "subject1" / "Camera01", [1, 2, 3])
    skipped = svideoqa.index(root, "sequence").skipped
    found = skipped[skipped.reason == "frames outside a folder named videosequence-NNN"]
    assert found.name.tolist() == [f"{name}/subject1/Camera01"]


def test_a_picture_by_itself_is_foreign(tmp_path):
    root = write_svideoqa(tmp_path)
    (write_frames(root / "docs", [1]) / "frame_1.png").rename(root / "docs" / "cover.png")
    index = svideoqa.index(root, "sequence")
    assert index.foreign[".png"] == 1
    assert not [name for name in index.skipped.name if name.startswith("docs")]
