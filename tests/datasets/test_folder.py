"""Videos and folders of frames of the user's own: classes, parts, groups and splits; no file is lost without a word."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.conftest import write_frames, write_video
from wtmr_core.datasets import DataError, check, folder, groups, own_set
from wtmr_core.datasets.clips import ClipFormat, verify
from wtmr_core.datasets.index import NotThisSet, Unreadable
from wtmr_core.datasets.splits import official_parts

HEADER = "class,clip,similarity_group,split"
ALONE = (own_set.OWN_GROUP, "nothing tells which clips it belongs with")


def touch(root: Path, *paths: str) -> Path:
    """Empty files: their names alone make an index."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def people(root: Path, classes=("sit", "walk"), count: int = 10, takes: int = 2) -> Path:
    """Each person does everything, `takes` times."""
    return touch(root, *(f"{c}/p{p:02}_{t}.mp4" for c in classes for p in range(count) for t in range(takes)))


def split_of(index) -> dict[str, str]:
    return dict(zip(index.samples.name, index.samples.split, strict=True))


# -- classes and parts


def test_videos_and_frame_folders_in_class_folders(tmp_path):
    write_video(tmp_path / "walk" / "a.avi")
    write_frames(tmp_path / "walk" / "clip-3", [0, 40, 80])
    write_video(tmp_path / "sit" / "a.avi")
    index = folder.index(tmp_path, "-")
    rows = index.samples[["name", "path", "label", "files"]].to_numpy().tolist()
    assert rows == [["sit/a", "sit/a.avi", 0, 1], ["walk/a", "walk/a.avi", 1, 1], ["walk/clip-3", "walk/clip-3", 1, 3]]
    assert (index.classes, index.problems(), index.expected) == (("sit", "walk"), [], None)
    assert folder.read(tmp_path / "walk" / "clip-3", ClipFormat(2, size=8))[:, 0, 0, 0].tolist() == [0, 80]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "VALID", "Testing"), ("TRAIN", "", "test")])
def test_part_folders(tmp_path, names):
    train, val, test = names
    touch(tmp_path, f"{train}/walk/a.mp4", f"{train}/sit/b.mp4", f"{test}/walk/c.mp4", f"{test}/sit/d.mp4")
    touch(tmp_path, *([f"{val}/walk/e.mp4", f"{val}/sit/f.mp4"] if val else []))
    assert folder.splits(tmp_path)[0] == "folders"
    index = folder.index(tmp_path, "folders")
    expected = {"walk/a": "train", "sit/b": "train", "walk/c": "test", "sit/d": "test"}
    assert split_of(index) == expected | ({"walk/e": "val", "sit/f": "val"} if val else {})
    assert (index.classes, index.problems()) == (("sit", "walk"), [])


def test_one_name_in_train_and_test_is_two_recordings(tmp_path):
    touch(tmp_path, "train/walk/a.mp4", "train/walk/b.mp4", "test/walk/a.mp4", "test/sit/a.mp4", "train/sit/c.mp4")
    index = folder.index(tmp_path, "folders")
    assert split_of(index) == {
        "train/walk/a": "train", "walk/b": "train", "test/walk/a": "test", "sit/a": "test", "sit/c": "train",
    }  # fmt: skip
    assert index.problems() == []


def test_two_recordings_of_one_name_in_a_part_are_skipped_and_named(tmp_path):
    touch(tmp_path, "walk/a.mp4", "walk/a.avi", "walk/b.mp4")
    index = folder.index(tmp_path, "-")
    assert list(index.samples.name) == ["walk/b"]
    assert sorted(index.skipped.name) == ["walk/a.avi", "walk/a.mp4"]


def test_deeper_folders_are_of_the_class_at_the_top(tmp_path):
    touch(tmp_path, "walk/morning/a.mp4", "walk/evening/late/a.mp4", "sit/walk/a.mp4")
    write_frames(tmp_path / "sit" / "noon" / "clip", [1, 2])
    index = folder.index(tmp_path, "-")
    assert dict(zip(index.samples.name, index.samples.label, strict=True)) == {
        "sit/noon/clip": 0, "sit/walk/a": 0, "walk/evening/late/a": 1, "walk/morning/a": 1,
    }  # fmt: skip


def test_classes_may_be_named_in_another_order_and_as_parts_are(tmp_path):
    touch(tmp_path, "train/a.mp4", "walk/b.mp4")
    (tmp_path / "classes.txt").write_text("walk\ntrain\n")
    index = folder.index(tmp_path, "-")
    assert (index.classes, index.class_counts(), index.used) == (("walk", "train"), {"walk": 1, "train": 1}, 1)
    (tmp_path / "classes.txt").write_text("train\n")
    with pytest.raises(DataError, match=r"classes.txt does not name the class folder walk \(of walk/b.mp4\): add it"):
        folder.index(tmp_path, "-")


# -- what does not serve


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ([], NotThisSet, "no class folders with videos or folders of frames at or below it; there are no files"),
        (["walk/notes.txt"], NotThisSet, "no class folders .* its files: 1 .txt"),
        (["a.mp4"], NotThisSet, "in no class folder; put those of each class into a folder of its name"),
        (["train/a.mp4", "test/b.mp4"], NotThisSet, "in no class folder"),
        (["train/walk/a.mp4"], DataError, "recordings in its folder train, but none in a folder test: add them, or, if "
                                          "train is a class, name the classes in a classes.txt"),
        (["Test/walk/a.mp4", "train/note.txt"], DataError, "in its folder Test, but none in a folder train"),
        (["val/walk/a.mp4"], DataError, "none in a folder test or train"),
    ],
)  # fmt: skip
def test_a_root_that_does_not_serve(tmp_path, files, error, says):
    touch(tmp_path, *files)
    with pytest.raises(error, match=says):
        folder.recognise(tmp_path)


def test_what_lies_elsewhere_is_skipped_with_its_reason(tmp_path):
    touch(tmp_path, "walk/a.mp4", "sit/b.mp4", "loose.mp4", "docs/readme.txt", ".hidden/x.mp4")
    write_frames(tmp_path / "run", [1, 2])
    (tmp_path / "wave").mkdir()
    (tmp_path / "sit" / "empty").mkdir()
    index = folder.index(tmp_path, "-")
    assert dict(zip(index.skipped.name, index.skipped.reason, strict=True)) == {
        "loose.mp4": "not in a class folder", "run": "not in a class folder", "wave/": "empty class folder",
        "sit/empty/": "a clip's folder without frames",
    }  # fmt: skip
    assert index.classes == ("run", "sit", "walk")
    assert index.foreign == {".mp4": 1, ".txt": 1}
    assert any("the folder docs holds no recordings" in note for note in index.notes)


def test_what_lies_beside_train_and_test_is_skipped(tmp_path):
    touch(tmp_path, "train/walk/a.mp4", "test/walk/b.mp4", "test/c.mp4", "more/walk/d.mp4", "e.mp4")
    index = folder.index(tmp_path, "folders")
    assert index.skips() == {own_set.BESIDE: 2, "not in a class folder": 1}
    assert (index.classes, len(index)) == (("walk",), 2)


def test_pictures_beside_and_above_recordings_are_told_of(tmp_path):
    touch(tmp_path, "walk/a.mp4", "sit/b.mp4")
    write_frames(tmp_path / "walk", [1, 2])
    write_frames(tmp_path / "sit" / "c", [1, 2, 3])
    write_frames(tmp_path / "sit" / "c" / "flow", [1, 2])
    index = folder.index(tmp_path, "-")
    assert list(index.samples.name) == ["sit/b", "sit/c/flow", "walk/a"]
    assert index.foreign == {".png": 5}
    assert any(note.startswith("5 pictures beside recordings") for note in index.notes)


def test_one_class_is_a_problem_and_so_is_one_that_is_only_in_test(tmp_path):
    touch(tmp_path, "train/walk/a.mp4", "test/walk/b.mp4")
    assert [p.partition(",")[0] for p in folder.index(tmp_path, "folders").problems()] == ["there is only one class"]
    touch(tmp_path, "test/wave/c.mp4")
    assert folder.index(tmp_path, "folders").problems() == ["split folders: 1 class has no train clip, the first: wave"]


def test_files_that_hold_nothing_leave_nothing_kept(tmp_path):
    touch(tmp_path, "walk/a.mp4", "sit/b.mp4")
    index = verify(folder.index(tmp_path, "-"), folder.read, ClipFormat(2, size=8), workers=1)
    assert (len(index), index.skips()) == (0, {"zero bytes": 2})
    assert "no clip is kept" in index.problems()
    with pytest.raises(Unreadable):
        folder.read(tmp_path / "walk" / "a.mp4", ClipFormat(2, size=8))


# -- manifest


def test_a_manifest_has_parts_and_groups(tmp_path):
    touch(tmp_path, "walk/a.mp4", "walk/b.mp4", "sit/x/c.mp4", "sit/d.mp4")
    rows = ["walk,a,g1,train", "walk,b,g2,val", "sit,x/c,g3,test", "sit,gone,g3,test"]
    (tmp_path / "manifest.csv").write_text("\n".join([HEADER, *rows]))
    assert folder.splits(tmp_path) == ("manifest",)
    index = folder.index(tmp_path, "manifest")
    assert split_of(index) == {"walk/a": "train", "walk/b": "val", "sit/x/c": "test"}
    assert list(index.samples.group) == ["g3", "g1", "g2"]
    assert (index.expected, index.used) == (4, 1)
    assert index.skips() == {own_set.ABSENT: 1, own_set.UNLISTED: 1}


def test_a_manifest_of_other_clips_is_refused(tmp_path):
    touch(tmp_path, "frames/walk/a.mp4", "frames/sit/b.mp4")
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\nwalk,a,g,train\n")
    with pytest.raises(DataError, match=r"names none of its clips; the first of them has the class frames .* sit/b"):
        folder.index(tmp_path, "manifest")
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\nwalk,a,g,training\n")
    with pytest.raises(DataError, match=r"line 2: split is 'training', not train, val, test or unused"):
        folder.splits(tmp_path)


def test_what_the_manifest_calls_unused_is_so_in_every_cut(tmp_path):
    people(tmp_path)
    rows = [
        f"{c},p{p:02}_{t},{p},{'train' if t else 'unused'}" for c in ("sit", "walk") for p in range(10) for t in (0, 1)
    ]
    (tmp_path / "manifest.csv").write_text("\n".join([HEADER, *rows]))
    assert folder.index(tmp_path, "cut").parts() == {"test": 4, "train": 16, "unused": 20}
    assert folder.index(tmp_path, "fold-2").parts() == {"test": 4, "train": 16, "unused": 20}


# -- groups and cuts


def test_a_clip_without_a_group_is_one_of_its_own_and_a_note_says_so(tmp_path):
    index = folder.index(people(tmp_path), "cut")
    assert list(index.samples.group) == list(index.samples.name)
    assert own_set.NO_GROUPS in index.notes


def test_groups_by_an_expression_go_through_all_classes(tmp_path):
    people(tmp_path)
    touch(tmp_path, "walk/stranger.mp4")
    (tmp_path / "groups.txt").write_text("/(p[0-9]+)_\n")
    index = folder.index(tmp_path, "cut")
    assert (
        index.samples.set_index("name").group["sit/p03_1"]
        == "p03"
        == index.samples.set_index("name").group["walk/p03_0"]
    )
    assert index.remarks.to_numpy().tolist() == [["walk/stranger", *ALONE]]
    assert (index.crossing(), index.used, own_set.NO_GROUPS in index.notes) == ([], 1, False)
    (tmp_path / "groups.txt").write_text("p0[0-4]|p0[5-9]")  # no parentheses: the whole match
    assert set(folder.index(tmp_path, "-").samples.group) == {*(f"p{n:02}" for n in range(10)), "walk/stranger"}


def test_groups_show_a_person_on_both_sides_of_the_folders(tmp_path):
    touch(tmp_path, "train/walk/p1_a.mp4", "test/walk/p1_b.mp4", "val/walk/p2_a.mp4", "test/walk/p3_a.mp4")
    touch(tmp_path, "train/walk/p2_b.mp4", "train/sit/p4.mp4", "test/sit/p5.mp4")
    (tmp_path / "groups.txt").write_text("p[0-9]")
    assert folder.index(tmp_path, "folders").crossing() == ["p1", "p2"]


def test_the_manifest_says_more_than_the_expression(tmp_path):
    people(tmp_path, count=2, takes=1)
    (tmp_path / "groups.txt").write_text("p[0-9]+")
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\nwalk,p00_0,film,train\n")
    assert list(folder.index(tmp_path, "-").samples.group) == ["p00", "p01", "film", "p01"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: it is empty"),
        ("p[0-9]+\n\nq\n", "line 3: a second line"),
        ("\n(p", r"line 2: '\(p' is not a regular expression: missing \)"),
        ("a{99999999999}", "line 1: .* is not a regular expression"),
        ("nobody", "line 1: 'nobody' matches the name of no clip, the first being 'sit/p00_0'"),
    ],
)
def test_groups_that_do_not_serve(tmp_path, text, says):
    people(tmp_path, count=2)
    (tmp_path / "groups.txt").write_text(text)
    with pytest.raises(DataError, match=rf"groups\.txt, {says}"):
        folder.index(tmp_path, "-")


def test_an_expression_that_never_ends_is_stopped(tmp_path, monkeypatch):
    touch(tmp_path, f"walk/{'a' * 60}b.mp4", "sit/b.mp4")
    (tmp_path / "groups.txt").write_text("(a+)+$")
    monkeypatch.setattr(groups, "SECONDS", 0.5)
    with pytest.raises(DataError, match=r"groups\.txt, line 1: '\(a\+\)\+\$' takes more than 0.5 seconds"):
        folder.index(tmp_path, "-")


def test_a_fifth_is_cut_and_other_draws_are_others(tmp_path):
    people(tmp_path)
    (tmp_path / "groups.txt").write_text("p[0-9]+")
    assert folder.splits(tmp_path) == ("cut",)
    found = [folder.index(tmp_path, split) for split in ("cut", "cut-1", "cut-2", "cut-9999")]
    assert all(index.parts() == {"test": 8, "train": 32} for index in found)
    assert all(index.crossing() == index.problems() == [] for index in found)
    assert len({tuple(index.samples.split) for index in found}) > 1
    assert split_of(folder.index(tmp_path, "cut-7")) == split_of(folder.index(tmp_path, "cut-7"))


def test_each_clip_is_tested_in_one_fold(tmp_path):
    people(tmp_path)
    (tmp_path / "groups.txt").write_text("p[0-9]+")
    found = [folder.index(tmp_path, split) for split in own_set.FOLDS]
    tested = [name for index in found for name in index.samples.name[index.samples.split == "test"]]
    assert sorted(tested) == list(found[0].samples.name)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("cut", "a fifth is cut from 5 groups of clips or more, and there are 4; add recordings, or say"),
        ("fold-1", "a fifth is cut from 5 groups"),
        ("folders", "no train and test folders"),
        ("manifest", r"no manifest\.csv \(columns class, clip, similarity_group, split\)"),
        *((split, "folder has no split .* there are here cut, cut-1 to cut-9999 and fold-1 to fold-5")
          for split in ("cut-0", "cut-10000", "cut-01", "fold-6", "1", "", "cross-subject")),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_had(tmp_path, split, says):
    people(tmp_path, count=2, takes=1)
    with pytest.raises(DataError, match=says):
        folder.index(tmp_path, split)


def test_folds_take_a_class_of_as_many_clips(tmp_path):
    people(tmp_path, classes=("a", "b", "c"), count=2, takes=2)
    with pytest.raises(DataError, match="the largest class has 4 clips; add recordings, or take the split cut"):
        folder.index(tmp_path, "fold-1")
    assert folder.index(tmp_path, "cut").parts() == {"test": 3, "train": 9}


def test_a_validation_part_of_its_own_is_kept(tmp_path):
    touch(tmp_path, *(f"{part}/{c}/{part}{n}.mp4" for part in ("train", "val", "test") for c in "ab" for n in range(6)))
    samples = folder.index(tmp_path, "folders").samples
    parts, words = official_parts(samples, 0.2, seed=0)
    assert words == "the set's own: 12 clips"
    assert all((samples.split.to_numpy()[rows] == part).all() and len(rows) == 12 for part, rows in parts.items())


def test_the_check_tells_of_all_this(tmp_path, capsys):
    for n, part in enumerate(("train", "train", "val", "test")):
        for name in ("sit", "walk"):
            write_video(tmp_path / part / name / f"p{n}.avi", shade=20 * n)
    (tmp_path / "groups.txt").write_text("p[0-9]")
    findings = check.report("folder", tmp_path, workers=1)
    assert findings["splits"] == {"folders": {"test": 2, "train": 4, "val": 2}}
    assert (findings["problems"], findings["kept"], findings["used"]) == ([], 8, 1)
    assert check.show(findings) == 0
    assert "split folders: 2 test, 4 train, 2 val; no group on both sides" in capsys.readouterr().out
    touch(tmp_path, "test/walk/broken.mp4", "test/walk/loose/p0.avi")
    findings = check.report("folder", tmp_path, workers=1)
    assert findings["skipped"] == {"zero bytes": 2}


# -- properties

NAMES = ("a.mp4", "b.mp4", "a.avi", "frame_1.png", "frame_2.png", "cover.jpg", "notes.txt", "classes.txt", "groups.txt",
         os.fsdecode(b"caf\xe9.mp4"), "._a.mp4")  # fmt: skip
PLACES = ("walk", "sit", "train", "Test", "val", "clip", ".hidden")


@settings(max_examples=60)
@given(
    st.sets(st.tuples(st.lists(st.sampled_from(PLACES), max_size=4), st.sampled_from(NAMES)).map(
        lambda place: "/".join([*place[0], place[1]])), max_size=25),
    st.booleans(),
)  # fmt: skip
def test_every_file_is_counted_once(files, has_parts):
    """Any tree of files: kept, skipped by name, used, or foreign by suffix; and no two samples of one name."""
    sure = ["train/walk/sure.mp4", "test/walk/sure.mp4"] if has_parts else ["walk/sure.mp4"]
    with tempfile.TemporaryDirectory() as place:
        root = touch(Path(place), *files, *sure)
        for name, text in (("classes.txt", "walk\nsit\nclip\n"), ("groups.txt", "/.")):
            for file in root.rglob(name):
                file.write_text(text)
        try:
            index = folder.index(root, "-")
        except DataError:  # train without test, classes.txt that lacks a class or lies too deep
            reject()
        total = sum(len(names) for _, _, names in os.walk(root))
        kept = sum(map(len, index.recordings()))
        assert kept == index.samples.files.sum()
        assert kept + index.skipped.files.sum() + sum(index.foreign.values()) + index.used == total
        assert index.samples.name.is_unique
        json.dumps([index.foreign, index.skipped.to_dict("records")]).encode()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8)), min_size=6, max_size=40),
    st.sampled_from(("cut", "cut-1", "cut-77", *own_set.FOLDS)),
)
def test_no_group_stands_on_both_sides_of_a_cut(clips, split):
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        rows = [
            (label, f"{n}", f"g{group}", "unused" if n % 9 == 8 else "train") for n, (label, group) in enumerate(clips)
        ]
        touch(root, *(f"{label}/{clip}.mp4" for label, clip, *_ in rows))
        (root / "manifest.csv").write_text("\n".join([HEADER, *map(",".join, rows)]))
        try:
            index = folder.index(root, split)
        except DataError:  # too few groups or clips
            reject()
        assert index.crossing() == []
        assert {"train", "test"} <= set(index.parts())
        assert sum(index.parts().values()) == len(clips)
        assert index.parts().get("unused", 0) == sum(part == "unused" for *_, part in rows)


# -- real recordings


def test_real_frames(recordings):
    root = recordings / "hmdb51_frames" / "frames"
    index = folder.index(root, "cut")
    assert (len(index), len(index.classes), index.parts()) == (600, 12, {"test": 120, "train": 480})
    assert index.problems() == []
    clip = folder.read(next(index.paths()), ClipFormat(4, size=32, channels=3))
    assert (clip.shape, clip.dtype) == ((4, 32, 32, 3), np.uint8)


def test_real_videos(recordings):
    index = folder.index(recordings / "hmdb51" / "clips", "-")
    assert len(index) == len(index.classes) == 5
    assert len(verify(index, folder.read, ClipFormat(2, size=16), workers=1)) == 5
