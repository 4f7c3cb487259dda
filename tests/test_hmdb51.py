"""HMDB51 is read as it lies on disk: videos or frames, official lists or a manifest."""

import shutil

import pytest

from tests.conftest import write_frames, write_hmdb51, write_video
from wtmr_core.datasets import DataError, hmdb51


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
