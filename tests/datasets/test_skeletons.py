"""Skeletons of the user's own: class folders or NTU's names, parts by folder, table, performer or cut."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.conftest import skeleton_text
from wtmr_core.datasets import DataError, check, ntu60, own_set, skeletons
from wtmr_core.datasets.clips import ClipFormat, verify
from wtmr_core.datasets.index import NotThisSet

BODY = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
HEADER = "class,clip,similarity_group,split"


def touch(root: Path, *paths: str) -> Path:
    """Empty files: their names alone make an index."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def ntu(performer: int, action: int, camera: int = 1) -> str:
    return f"S001C{camera:03}P{performer:03}R001A{action:03}"


def named(root: Path, performers=(1, 2, 3, 6), actions=(1, 2), classes=("walk", "sit"), place: str = "files") -> Path:
    """Files of NTU's names in one folder, and the names of the actions."""
    touch(root, *(f"{place}/{ntu(p, a)}.skeleton" for p in performers for a in actions))
    (root / "classes.txt").write_text("\n".join(classes))
    return root


def test_any_name_will_do_in_class_folders(tmp_path):
    touch(
        tmp_path,
        "walk/monday.skeleton",
        "walk/late/x.SKELETON",
        "sit/1.2.skeleton",
        "sit/picture.jpg",
        "loose.skeleton",
    )
    index = skeletons.index(tmp_path, "-")
    assert dict(zip(index.samples.name, index.samples.label, strict=True)) == {
        "sit/1.2": 0, "walk/late/x": 1, "walk/monday": 1,
    }  # fmt: skip
    assert (index.classes, index.foreign) == (("sit", "walk"), {".jpg": 1})
    assert index.skips() == {"not in a class folder": 1}
    assert own_set.NO_GROUPS in index.notes


def test_ntus_names_and_the_names_of_the_actions(tmp_path):
    index = skeletons.index(named(tmp_path, actions=(1, 2, 3)), "cross-subject")
    assert index.classes == ("walk", "sit")
    row = index.samples.set_index("name").loc[f"sit/{ntu(6, 2)}"]
    assert (row.path, row.label, row.group, row.split) == (f"files/{ntu(6, 2)}.skeleton", 1, "P006", "test")
    assert index.parts() == {"test": 4, "train": 4}
    assert index.skips() == {skeletons.NO_ACTION: 4}
    assert set(index.skipped.detail) == {"A003, and classes.txt names 2"}
    assert (index.used, index.crossing()) == (1, [])


def test_a_class_folder_counts_for_more_than_the_name(tmp_path):
    named(tmp_path, performers=(1,), actions=(1,))
    touch(tmp_path, f"sit/{ntu(2, 1)}.skeleton", f"{ntu(3, 1)}.skeleton")
    assert list(skeletons.index(tmp_path, "-").samples.name) == [
        f"sit/{ntu(2, 1)}",
        f"walk/{ntu(1, 1)}",
        f"walk/{ntu(3, 1)}",
    ]
    touch(tmp_path, "files/strange.skeleton")
    with pytest.raises(DataError, match=r"classes\.txt does not name the class folder files \(of files/strange"):
        skeletons.index(tmp_path, "-")


def test_names_alone_without_the_actions_names_are_refused_in_words(tmp_path):
    touch(tmp_path, f"{ntu(1, 1)}.skeleton")
    with pytest.raises(NotThisSet, match="in no class folder"):
        skeletons.recognise(tmp_path)
    touch(tmp_path, "walk/a.skeleton")
    assert (
        skeletons.index(tmp_path, "-").skipped.detail[0].endswith("or name the actions in a classes.txt, a line each")
    )
    with pytest.raises(NotThisSet, match=r"no class folders with \.skeleton files"):
        skeletons.recognise(touch(tmp_path / "other", "walk/a.mp4"))


@pytest.mark.parametrize(
    ("performers", "splits"),
    [
        ((1, 2, 3, 6), ("cross-subject",)),
        ((1, 2, 4, 5), ("cut",)),  # all of them train
        ((1, 2, 3, 6, 7), ("cross-subject", "cut")),
    ],
)
def test_the_default_split_leaves_no_part_empty(tmp_path, performers, splits):
    assert skeletons.splits(named(tmp_path, performers)) == splits


def test_part_folders_and_a_manifest_come_first(tmp_path):
    named(tmp_path, (1, 2), place="train")
    named(tmp_path, (3, 6), place="test")
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\nwalk,{ntu(1, 1)},film,val\n")
    assert skeletons.splits(tmp_path) == ("folders", "manifest", "cross-subject", "cut")
    index = skeletons.index(tmp_path, "folders")
    assert index.parts() == {"test": 4, "train": 4}
    assert sorted(set(index.samples.group)) == ["P001", "P002", "P003", "P006", "film"]
    assert skeletons.index(tmp_path, "manifest").parts() == {"val": 1}


def test_groups_by_an_expression_before_performers(tmp_path):
    named(tmp_path)
    (tmp_path / "groups.txt").write_text("R([0-9]{3})")
    assert set(skeletons.index(tmp_path, "-").samples.group) == {"001"}
    assert len(skeletons.index(tmp_path, "cross-subject").crossing()) == 1


def test_cross_subject_takes_ntus_names_alone(tmp_path):
    touch(tmp_path, f"walk/{ntu(1, 1)}.skeleton", f"sit/{ntu(3, 1)}.skeleton")
    assert skeletons.index(tmp_path, "cross-subject").parts() == {"test": 1, "train": 1}
    touch(tmp_path, "sit/other.skeleton")
    with pytest.raises(DataError, match="not all files are named SsssCcccPpppRrrrAaaa"):
        skeletons.index(tmp_path, "cross-subject")
    assert skeletons.index(tmp_path, "-").remark_counts() == {own_set.OWN_GROUP: 1}


def test_reading_is_the_corrected_one_whatever_is_asked(tmp_path):
    file = tmp_path / "walk" / "a.skeleton"
    file.parent.mkdir()
    file.write_text(skeleton_text([{}, {5: BODY}, {5: BODY + 1, 6: BODY}]))
    clip = skeletons.read(file, ClipFormat(2, bodies=2, reader="published"))
    np.testing.assert_array_equal(clip, ntu60.read(file, ClipFormat(2, bodies=2)))
    assert clip.shape == (2, 2, 25, 3)


def test_the_check_reads_skeletons(tmp_path):
    (tmp_path / "sit").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "sit" / f"{name}.skeleton").write_text(skeleton_text([{5: BODY}]))
    touch(tmp_path, "walk/empty.skeleton")
    findings = check.report("skeletons", tmp_path, split="-", workers=1)
    assert (findings["kept"], findings["skipped"]) == (2, {"malformed": 1})
    assert findings["problems"] == ["1 skipped: malformed", "class walk has no clip"]


@settings(max_examples=60)
@given(
    st.sets(
        st.tuples(
            st.lists(st.sampled_from(("walk", "sit", "train", "test", "pack", ".hidden")), max_size=3),
            st.sampled_from(
                (f"{ntu(1, 1)}.skeleton", f"{ntu(3, 2)}.skeleton", f"{ntu(2, 9)}.SKELETON", "x.skeleton", "x.jpg",
                 "classes.txt", os.fsdecode(b"caf\xe9.skeleton"))
            ),
        ).map(lambda place: "/".join([*place[0], place[1]])),
        max_size=20,
    ),
    st.booleans(),
)  # fmt: skip
def test_every_file_is_counted_once(files, has_names):
    with tempfile.TemporaryDirectory() as place:
        root = touch(Path(place), *files, "walk/sure.skeleton", *(["classes.txt"] if has_names else []))
        for file in root.rglob("classes.txt"):
            file.write_text("walk\nsit\ntrain\ntest\npack\n")
        try:
            index = skeletons.index(root, "-")
        except DataError:  # train without test, classes.txt above a part of the files only
            reject()
        total = sum(len(names) for _, _, names in os.walk(root))
        assert len(index) == index.samples.files.sum()
        assert len(index) + index.skipped.files.sum() + sum(index.foreign.values()) + index.used == total
        assert index.samples.name.is_unique


@settings(max_examples=25)
@given(
    st.sets(st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 3)), min_size=6, max_size=40),
    st.sampled_from(("cut", "cut-1", "cut-77", "cross-subject", *own_set.FOLDS)),
)
def test_no_performer_stands_on_both_sides(clips, split):
    with tempfile.TemporaryDirectory() as place:
        root = touch(Path(place), *(f"{ntu(*clip)}.skeleton" for clip in clips))
        (root / "classes.txt").write_text("a\nb\nc\n")
        try:
            index = skeletons.index(root, split)
        except DataError:  # too few performers or clips
            reject()
        assert (index.crossing(), sum(index.parts().values())) == ([], len(clips))
        assert split == "cross-subject" or set(index.parts()) == {"train", "test"}


# -- real recordings


@pytest.mark.parametrize(
    ("name", "clips", "classes", "split", "parts", "groups"),
    [
        ("jhmdb_skeletons", 609, 14, "cross-subject", {"test": 176, "train": 433}, ["P001", "P003"]),
        ("utkinect", 100, 10, "cut", {"test": 20, "train": 80}, ["P001", "P002", "P004", "P005", "P008"]),
    ],
)
def test_real_sets(recordings, name, clips, classes, split, parts, groups):
    """As their readme counts them, and as ntu60 reads them; every file is read to its end."""
    root = recordings / name
    assert skeletons.splits(root)[0] == split
    index, other = skeletons.index(root, split), ntu60.index(root, "-")
    assert (len(index), len(index.classes), index.parts()) == (clips, classes, parts)
    assert sorted(set(index.samples.group)) == groups
    assert (index.problems(), index.crossing(), index.foreign, index.used) == ([], [], {}, 1)
    columns = ["path", "label", "files"]
    ours, theirs = (table.samples[columns].sort_values("path", ignore_index=True) for table in (index, other))
    assert (ours.equals(theirs), index.classes) == (True, other.classes)
    assert len(verify(index, skeletons.read, ClipFormat(2, bodies=2), workers=1)) == clips
