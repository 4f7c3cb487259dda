"""HMDB51 is read as it lies on disk: videos or frames, official lists or a manifest."""

import os
import shutil

import pytest

from tests.conftest import write_frames, write_hmdb51, write_svideoqa, write_video
from wtmr_core.datasets import DataError, hmdb51
from wtmr_core.datasets.index import NotThisSet


@pytest.fixture
def root(tmp_path):
    return write_hmdb51(tmp_path / "set")


def test_every_clip_with_its_label_film_and_part(root):
    index = hmdb51.index(root, "1")
    assert index.classes == ("sit", "walk")
    assert len(index) == index.expected == 32
    assert index.parts() == {"test": 8, "train": 20, "unused": 4}
    row = index.samples.set_index("name").loc["walk/Film3_walk_f_nm_np1_fr_goo_1"]
    assert (row.label, row.group, row.split) == (1, "walk/Film3", "train")
    assert index.problems() == []


def test_three_splits_differ_and_no_film_crosses(root):
    assert hmdb51.splits(root) == ("1", "2", "3")
    parts = [tuple(hmdb51.index(root, s).samples.split) for s in hmdb51.SPLITS]
    assert len(set(parts)) == 3
    assert all(hmdb51.index(root, s).crossing() == [] for s in hmdb51.SPLITS)


def test_a_crossing_film_is_a_problem(root):
    file = root / "testTrainMulti_7030_splits" / "sit_test_split1.txt"
    file.write_text(file.read_text().replace("goo_0.avi 2", "goo_0.avi 1"))
    index = hmdb51.index(root, "1")
    assert index.crossing() == ["sit/Film1", "sit/Film2"]
    assert any("cross" in p for p in index.problems())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("April_09_brush_hair_u_nm_np1_ba_goo_0", "brush_hair/April_09"),
        ("(HQ)_Rock_Climbing_-_Free_Solo_Speed_Climb_-_Dan_Osman_climb_f_cm_np1_le_med_2",
         "climb/(HQ)_Rock_Climbing_-_Free_Solo_Speed_Climb_-_Dan_Osman"),
        ("02C4D694", "cartwheel/02C4D694"),
    ],
)  # fmt: skip
def test_film_of_real_names(name, expected):
    assert hmdb51.film(expected.split("/")[0], name) == expected


def test_folders_of_frames_with_a_manifest(tmp_path):
    for name in ("a1", "a2", "b1", "b2"):
        write_frames(tmp_path / "frames" / name[0] / name, [0, 10, 20])
    text = "class,clip,similarity_group,split\na,a1,g1,train\na,a2,g2,test\nb,b1,g3,train\nb,b2,g4,test\n"
    (tmp_path / "manifest.csv").write_text(text)
    assert hmdb51.splits(tmp_path) == ("manifest",)
    index = hmdb51.index(tmp_path, "manifest")
    assert index.parts() == {"test": 2, "train": 2}
    assert list(index.samples.group) == ["g1", "g2", "g3", "g4"]
    assert all(p.is_dir() for p in index.paths())
    with pytest.raises(DataError, match="5 folds need as many groups"):
        hmdb51.index(tmp_path, "fold-1")


def test_each_clip_of_a_manifest_is_tested_in_one_fold(tmp_path):
    """Two classes of six pairs of alike clips: no pair is parted, what is unused stays out, all else is test once."""
    rows = [(name, f"{name}{i}", f"{name}-{i // 2}", "train" if i < 8 else "test") for name in "ab" for i in range(12)]
    rows.append(("a", "spare", "a-0", "unused"))
    for name, clip, *_ in rows:
        write_frames(tmp_path / name / clip, [0, 10])
    text = "\n".join(",".join(row) for row in [("class", "clip", "similarity_group", "split"), *rows])
    (tmp_path / "manifest.csv").write_text(text)
    found = [hmdb51.index(tmp_path, split) for split in hmdb51.FOLDS]
    assert all(index.crossing() == [] for index in found)
    assert all(set(index.samples.name[index.samples.split == "unused"]) == {"a/spare"} for index in found)
    tested = [name for index in found for name in index.samples.name[index.samples.split == "test"]]
    assert sorted(tested) == sorted(f"{name}/{clip}" for name, clip, _, part in rows if part != "unused")
    assert all(index.samples[index.samples.split == "test"].label.nunique() == 2 for index in found)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("class,clip\n", "no column"),
        ("class,clip,similarity_group,split\na,a1,g,train\na,a1,g,test\n", "line 3: a/a1 stands twice"),
        ("class,clip,similarity_group,split\na,a1,g,training\n", "line 2: split is 'training'"),
    ],
)
def test_a_manifest_that_does_not_serve(tmp_path, manifest, says):
    write_frames(tmp_path / "a" / "a1", [0, 1])
    (tmp_path / "manifest.csv").write_text(manifest)
    with pytest.raises(DataError, match=says):
        hmdb51.index(tmp_path, "manifest")


def test_no_lists_says_what_to_do(tmp_path):
    write_video(tmp_path / "sit" / "x.avi")
    with pytest.raises(DataError, match="testTrainMulti_7030_splits"):
        hmdb51.index(tmp_path, "1")
    assert hmdb51.splits(tmp_path) == ()


def test_lists_may_be_given(root, tmp_path):
    lists = shutil.move(root / "testTrainMulti_7030_splits", tmp_path / "elsewhere")
    assert hmdb51.index(root, "2", lists=tmp_path / "elsewhere").parts() == {
        "test": 8,
        "train": 20,
        "unused": 4,
    }
    assert lists


def test_absent_and_unlisted_files_are_counted(root):
    (root / "sit" / "Film3_sit_f_nm_np1_fr_goo_0.avi").unlink()
    write_video(root / "sit" / "stranger.avi")
    index = hmdb51.index(root, "1")
    assert index.skips() == {"in the split list, not on disk": 1, "on disk, not in the split list": 1}
    assert len(index) == 31
    assert len(index.problems()) == 3


def test_an_empty_class_folder_is_counted(root):
    (root / "wave").mkdir()
    assert hmdb51.index(root, "1").skips() == {"empty class folder": 1}


def test_a_name_in_two_parts_is_refused(root):
    file = root / "testTrainMulti_7030_splits" / "sit_test_split1.txt"
    with file.open("a") as lines:
        lines.write("Film3_sit_f_nm_np1_fr_goo_0.avi 2\n")
    with pytest.raises(DataError, match=r"line 17: Film3_sit_f_nm_np1_fr_goo_0\.avi stands in two parts"):
        hmdb51.index(root, "1")


def test_a_broken_line_is_named(root):
    (root / "testTrainMulti_7030_splits" / "sit_test_split1.txt").write_text("x.avi 7\n")
    with pytest.raises(DataError, match=r"sit_test_split1\.txt, line 1"):
        hmdb51.index(root, "1")


def test_a_root_without_recordings(tmp_path):
    with pytest.raises(DataError, match="no class folders"):
        hmdb51.index(tmp_path, "1")


def test_unknown_split(root):
    with pytest.raises(DataError, match="no split '4'"):
        hmdb51.index(root, "4")


def test_classes_may_be_named_in_another_order(root):
    (root / "classes.txt").write_text("walk\nsit\n")
    assert hmdb51.index(root, "1").classes == ("walk", "sit")
    (root / "classes.txt").write_text("walk\n")
    with pytest.raises(DataError, match="does not name the class folder sit"):
        hmdb51.index(root, "1")


# -- wherever the recordings lie


@pytest.mark.parametrize(
    "place",
    [
        lambda name, n: f"{('pack1', 'pack2')[n % 2]}/{name}",
        lambda name, n: f"{('train', 'test')[n % 2]}/{name}",
        lambda name, n: f"{name}/{name}",
        lambda name, n: f"a/b/c/d/{name}" if n % 2 else name,
    ],
)
def test_all_folders_of_a_class_are_read(tmp_path, place):
    """A set in packs, in train and test, in folders of its classes' own, or deep below the root."""
    for name in ("run", "walk"):
        for n in range(6):
            write_video(tmp_path / place(name, n) / f"{name}{n}.avi")
    index = hmdb51.index(tmp_path, "-")
    assert index.class_counts() == {"run": 6, "walk": 6}
    assert index.problems() == []


def test_the_official_classes_are_those_of_the_lists(recordings):
    files = (recordings / "hmdb51" / hmdb51.LISTS).glob("*_test_split1.txt")
    assert sorted(f.name.removesuffix("_test_split1.txt") for f in files) == sorted(hmdb51.OFFICIAL_CLASSES)


def test_another_set_is_refused_in_words(tmp_path):
    for name in ("ApplyEyeMakeup", "Archery"):
        write_video(tmp_path / name / "v.avi")
    with pytest.raises(
        NotThisSet, match=r"2 folders \(ApplyEyeMakeup, Archery\), none .* classes\.txt .* manifest\.csv"
    ):
        hmdb51.index(tmp_path, "-")
    (tmp_path / "classes.txt").write_text("Archery\nApplyEyeMakeup\n")
    assert hmdb51.index(tmp_path, "-").class_counts() == {"Archery": 1, "ApplyEyeMakeup": 1}


def test_svideoqa_is_refused_in_words(tmp_path):
    with pytest.raises(NotThisSet, match="read as svideoqa"):
        hmdb51.index(write_svideoqa(tmp_path, sequences=1), "-")


def test_folders_beside_the_classes_are_skipped_by_name(root):
    write_video(root / "samples" / "demo.avi")
    write_video(root / "loose.avi")
    index = hmdb51.index(root, "1")
    assert index.skips() == {hmdb51.NOT_A_CLASS: 1, hmdb51.NO_CLASS: 1}
    assert set(index.skipped.name) == {"samples/demo.avi", "loose.avi"}
    assert (len(index), index.classes) == (32, ("sit", "walk"))


def test_pictures_beside_recordings_are_foreign(root):
    write_frames(root / "sit", [1, 2])
    write_frames(root, [1])
    index = hmdb51.index(root, "1")
    assert (index.problems(), index.foreign) == ([], {".png": 3})


def test_a_folder_of_frames_above_another_is_still_a_clip(tmp_path):
    """What lies below it is named: it is neither the clip nor lost."""
    write_frames(tmp_path / "run" / "clip", [1, 2])
    write_frames(tmp_path / "run" / "clip" / "flow", [1, 2])
    index = hmdb51.index(tmp_path, "-")
    assert list(index.samples.name) == ["run/clip"]
    assert list(index.skipped.name) == ["run/clip/flow"]


@pytest.mark.parametrize(
    ("shades", "more", "reason"),
    [
        ([1, 2], {"other_": [1, 2]}, "two sequences of frames in one folder"),
        ([], {"": []}, "a clip's folder without frames"),
        ([1, 2, 3], {"other_": [1, 2]}, None),
    ],
)
def test_frames_are_of_one_sequence(tmp_path, shades, more, reason):
    write_frames(tmp_path / "run" / "sure", [1])
    write_frames(tmp_path / "run" / "clip", shades)
    for prefix, others in more.items():
        write_frames(tmp_path / "run" / "clip", others, prefix)
    index = hmdb51.index(tmp_path, "-")
    assert index.skips() == ({reason: 1} if reason else {})
    if reason is None:
        assert index.remark_counts() == {"images beside its frames": 1}
        clip = dict(zip(index.samples.name, index.recordings(), strict=True))["run/clip"]
        assert [frame.name for frame in clip] == ["frame_1.png", "frame_2.png", "frame_3.png"]


@pytest.mark.parametrize("twin", ["x.mp4", "X/x.avi", "x", "x.AVI"])
def test_two_recordings_of_one_name_are_both_named(tmp_path, twin):
    write_video(tmp_path / "run" / "y.avi")
    write_video(tmp_path / "run" / "x.avi")
    other = tmp_path / "run" / twin if "/" not in twin else tmp_path / "pack" / "run" / "x.avi"
    if other.suffix:
        write_video(other)
    else:
        write_frames(other, [1, 2])
    index = hmdb51.index(tmp_path, "-")
    assert list(index.samples.name) == ["run/y"]
    names = [other.relative_to(tmp_path).as_posix(), "run/x.avi"]
    assert sorted(index.skipped.name) == sorted(names)
    details = dict(zip(index.skipped.name, index.skipped.detail, strict=True))
    assert all(one in details[two] for one, two in (names, names[::-1]))


def test_a_name_is_one_in_either_unicode_form(root):
    """The disk of a Mac and the list spell é in two ways; two files that differ in that alone are one name."""
    clip = "Caf\u00e9_sit_f_nm_np1_fr_goo_0"
    with (root / "testTrainMulti_7030_splits" / "sit_test_split1.txt").open("a", encoding="utf-8") as lines:
        lines.write(f"{clip}.avi 1\n")
    write_video(root / "sit" / "Cafe\u0301_sit_f_nm_np1_fr_goo_0.avi")
    index = hmdb51.index(root, "1")
    assert index.problems() == []
    assert f"sit/{clip}" in set(index.samples.name)
    write_video(root / "sit" / f"{clip}.avi")
    assert hmdb51.index(root, "1").skips() == {"more than one recording of one name": 2}


def test_what_cannot_be_read_is_named_and_no_list_misses_it(root):
    for take, name in enumerate((os.fsdecode(b"caf\xe9.avi"), "Film3_sit_f_nm_np1_fr_goo_0.avi")):
        file = root / "sit" / name
        file.unlink(missing_ok=True)
        if take:
            file.symlink_to("/nowhere/at/all")
        else:
            file.write_text("")
    index = hmdb51.index(root, "1")
    assert index.skips() == {"cannot be read": 1, "its name is not UTF-8": 1}
    assert set(index.skipped.name) == {"sit/Film3_sit_f_nm_np1_fr_goo_0.avi", "sit/caf\\udce9.avi"}


# -- lists, manifests and names of classes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_in_another_encoding_lose_no_clip(root, encoding):
    for file in (root / "testTrainMulti_7030_splits").iterdir():
        file.write_text(file.read_text(), encoding=encoding, newline="\r\n")
    index = hmdb51.index(root, "1")
    assert (len(index), index.problems()) == (32, [])
    assert any("utf-16" in note for note in index.notes) == (encoding == "utf-16")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_official_lists_are_official_in_any_encoding(recordings, tmp_path, encoding):
    for file in (recordings / "hmdb51" / hmdb51.LISTS).glob("*_test_split*.txt"):
        (tmp_path / file.name).write_text(file.read_text(), encoding=encoding, newline="\r\n")
    assert hmdb51.checksum(tmp_path) == hmdb51.OFFICIAL_SHA256


def test_two_folders_of_lists_that_differ_are_refused(root):
    other = shutil.copytree(root / "testTrainMulti_7030_splits", root / "lists")
    assert len(hmdb51.index(root, "1")) == 32
    (other / "sit_test_split1.txt").write_text("x.avi 1\n")
    with pytest.raises(DataError, match=r"a folder of split lists lies in .*lists and another in .*keep one"):
        hmdb51.index(root, "1")


HEADER = "class,clip,similarity_group,split"


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (f"{HEADER}\na,a1,g,train,\n", "line 2: 5 fields, 4 in its header"),
        (f"{HEADER}\na,a1,g\n", "line 2: 3 fields"),
        (f'{HEADER}\n"a\na",a1,g,train\na,a1,g\n', "line 4: 3 fields"),
        (f"{HEADER},split\na,a1,g,train,test\n", "split is there twice"),
        (f"{HEADER}\na,,g,train\n", "line 2: no clip"),
    ],
)
def test_a_row_of_a_manifest_is_never_shifted(tmp_path, manifest, says):
    write_frames(tmp_path / "a" / "a1", [0, 1])
    (tmp_path / "manifest.csv").write_text(manifest)
    with pytest.raises(DataError, match=says):
        hmdb51.index(tmp_path, "manifest")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["", ","])
def test_a_manifest_as_people_save_it(tmp_path, encoding, separator, end):
    write_frames(tmp_path / "küssen" / "a1", [0, 1])
    text = "".join(f"{line}{end}\n".replace(",", separator) for line in (HEADER, "küssen,a1,Müller,train"))
    (tmp_path / "manifest.csv").write_text(text, encoding=encoding)
    index = hmdb51.index(tmp_path, "manifest")
    assert index.samples[["name", "group", "split"]].to_numpy().tolist() == [["küssen/a1", "Müller", "train"]]
    assert len(index.notes) == (encoding != "utf-8-sig")


def test_a_manifest_of_something_else_does_not_stop_the_lists(root):
    (root / "manifest.csv").write_text("a,b\n1,2\n")
    index = hmdb51.index(root, "1")
    assert len(index) == 32
    assert any("manifest.csv, line 1: no column class" in note for note in index.notes)


def test_the_fingerprint_is_of_what_is_trained_on(root):
    index = hmdb51.index(root, "1")
    contents = [str(n) for n in range(32)]
    same = hmdb51.index(root, "1").fingerprint(contents)
    others = [index.fingerprint(contents[::-1]), hmdb51.index(root, "2").fingerprint(contents)]
    assert index.fingerprint(contents) == same
    assert len({same, *others}) == 3
    with pytest.raises(ValueError, match="shorter"):
        index.fingerprint(contents[1:])


# -- real files


@pytest.mark.parametrize("split", hmdb51.SPLITS)
def test_the_official_lists(recordings, tmp_path, split):
    """All names of the official lists, as empty files: the counts the set is known for, and no crossing film."""
    lists = recordings / "hmdb51" / hmdb51.LISTS
    assert hmdb51.checksum(lists) == hmdb51.OFFICIAL_SHA256
    for file in lists.glob(f"*_test_split{split}.txt"):
        folder = tmp_path / file.name.split("_test_split")[0]
        folder.mkdir()
        for line in file.read_text().splitlines():
            (folder / line.rsplit(maxsplit=1)[0]).touch()
    index = hmdb51.index(tmp_path, split, lists=lists)
    assert (len(index), len(index.classes)) == (6766, 51)
    assert index.parts() == {"test": 1530, "train": 3570, "unused": 1666}
    assert index.problems() == []


def test_changed_lists_are_not_the_official_ones(recordings, tmp_path):
    copy = shutil.copytree(recordings / "hmdb51" / hmdb51.LISTS, tmp_path / "lists")
    file = copy / "wave_test_split2.txt"
    file.chmod(0o644)
    file.write_text(file.read_text().replace(" 1", " 2", 1))
    assert hmdb51.checksum(copy) != hmdb51.OFFICIAL_SHA256


def test_the_frames_with_their_manifest(recordings):
    index = hmdb51.index(recordings / "hmdb51_frames", "manifest")
    assert (len(index), index.parts(), index.crossing()) == (600, {"test": 180, "train": 420}, [])


def test_the_folds_of_the_frames_test_each_clip_once(recordings):
    found = [hmdb51.index(recordings / "hmdb51_frames", split) for split in hmdb51.FOLDS]
    tested = [index.samples.name[index.samples.split == "test"] for index in found]
    assert [len(names) for names in tested] == [121, 120, 119, 120, 120]
    assert len(set().union(*tested)) == 600
    assert all(index.crossing() == [] for index in found)


def test_lists_in_capitals_count_and_hidden_ones_do_not(tmp_path):
    """Such as the `._` files of a Mac, and one of no class."""
    root = write_hmdb51(tmp_path / "set")
    expected = hmdb51.index(root, "1").parts()
    lists = root / "testTrainMulti_7030_splits"
    (lists / "._sit_test_split1.txt").write_bytes(b"\0\5\026\7")
    (lists / "_test_split1.txt").write_text("")
    (lists / "sit_test_split1.txt").rename(lists / "sit_test_split1.TXT")
    assert hmdb51.index(root, "1").parts() == expected


def test_a_video_under_a_rare_suffix_is_one(tmp_path):
    root = write_hmdb51(tmp_path / "set")
    for file, suffix in zip(sorted((root / "sit").iterdir()), (".f4v", ".MPE", ".ogg", ".qt"), strict=False):
        file.rename(file.with_suffix(suffix))
    whole = write_hmdb51(tmp_path / "whole")
    assert hmdb51.index(root, "1").samples.name.tolist() == hmdb51.index(whole, "1").samples.name.tolist()


def test_lists_that_lie_deeper_are_named(tmp_path):
    root = write_hmdb51(tmp_path / "set")
    deeper = root / "old" / "lists"
    shutil.copytree(root / "testTrainMulti_7030_splits", deeper)
    assert hmdb51.index(root, "1").notes[-1].endswith(f"testTrainMulti_7030_splits; not read: {deeper}")
