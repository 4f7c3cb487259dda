"""Clips of `.skeleton` files, and the two official protocols."""

from collections import Counter

import numpy as np
import pytest

from tests.conftest import skeleton_text, write_ntu60
from wtmr_core.datasets import DataError, Unreadable, ntu60, skeleton_file
from wtmr_core.datasets.clips import ClipFormat, verify

RNG = np.random.default_rng(0)
BODY = RNG.normal(size=(25, 3)).astype(np.float32)


def read(tmp_path, recorded, **form):
    file = tmp_path / "S001C001P001R001A001.skeleton"
    file.write_text(skeleton_text(recorded))
    return ntu60.read(file, ClipFormat(**({"frames": 3, "bodies": 2} | form)))


def test_reading_a_clip(tmp_path):
    """A stray still body comes second, a frame without bodies is left out, an absent body is zero."""
    frames = [{}, {5: BODY, 9: BODY}, {5: BODY + 1}, {5: BODY + 2}]
    clip = read(tmp_path, frames)
    assert clip.shape == (3, 2, 25, 3)
    np.testing.assert_allclose(clip[:, 0], np.stack([BODY, BODY + 1, BODY + 2]), atol=1e-5)
    np.testing.assert_allclose(clip[0, 1], BODY, atol=1e-5)
    assert not clip[1:, 1].any()


def test_of_three_bodies_the_two_that_move_most_are_read(tmp_path):
    """Body 4 stands still, 9 takes steps twice as long as 6: 9 and 6 are left, in this order."""
    clip = read(tmp_path, [{4: BODY - 3, 6: BODY + t, 9: BODY + 2 * t} for t in range(3)])
    assert clip.shape == (3, 2, 25, 3)
    np.testing.assert_allclose(clip[:, 0], np.stack([BODY, BODY + 2, BODY + 4]), atol=1e-5)
    np.testing.assert_allclose(clip[:, 1], np.stack([BODY, BODY + 1, BODY + 2]), atol=1e-5)


def test_fewer_frames_than_asked_repeat_the_last(tmp_path):
    clip = read(tmp_path, [{5: BODY}, {5: BODY + 1}], frames=4)
    np.testing.assert_allclose(clip[:, 0, 0, 0] - BODY[0, 0], [0, 1, 1, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([{1: BODY, 2: BODY}] * 20, "published reader: not one body in each frame"),
        ([{1: BODY}] * 19 + [{1: BODY, 2: BODY}], "published reader: not one body in each frame"),
        ([{}] + [{1: BODY}] * 19, "published reader: not one body in each frame"),
        ([{1: BODY}] * 15, "published reader: fewer than 16 frames"),
        ([{1: BODY}] * 16, None),
    ],
)
def test_the_published_reader_loses_what_the_papers_lost(tmp_path, frames, reason):
    form = {"frames": 16, "bodies": 1, "reader": "published"}
    if reason is None:
        assert read(tmp_path, frames, **form).shape == (16, 1, 25, 3)
    else:
        with pytest.raises(Unreadable) as error:
            read(tmp_path, frames, **form)
        assert error.value.reason == reason


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(skeleton_file, "MAX_BYTES", 100)
    with pytest.raises(Unreadable) as error:
        read(tmp_path, [{5: BODY}])
    assert error.value.reason == "too large"


# -- the set


def test_protocols_follow_from_the_names(tmp_path):
    root = write_ntu60(tmp_path, performers=(1, 3), actions=(1, 8))
    by_person, by_view = (ntu60.index(root, split) for split in ntu60.SPLITS)
    assert by_person.classes == ("drink water", "sit down")
    assert {(r.name[8:12], r.split) for r in by_person.samples.itertuples()} == {
        ("P001", "train"),
        ("P003", "test"),
    }
    assert {(r.name[4:8], r.split) for r in by_view.samples.itertuples()} == {
        ("C001", "test"),
        ("C002", "train"),
    }
    assert by_person.crossing() == by_view.crossing() == []


def test_missing_skeletons_by_the_list_or_by_content(tmp_path):
    root = write_ntu60(tmp_path, performers=(1, 3), actions=(1,))
    missing = root / "nturgb+d_skeletons" / "S001C001P001R001A001.skeleton"
    missing.write_text(skeleton_text([{}] * 5))
    form = ClipFormat(2, bodies=2)
    index = verify(ntu60.index(root, "cross-subject"), ntu60.read, form)
    assert index.skips() == {ntu60.NO_BODY: 1}
    assert index.problems() == []
    (root / ntu60.MISSING_LIST).write_text(f"head\nhead\n\n{missing.stem}\n")
    index = verify(ntu60.index(root, "cross-subject"), ntu60.read, form)
    assert index.skips() == {ntu60.ON_MISSING_LIST: 1}
    assert index.problems() == []


def test_odd_names_and_empty_files_are_counted(tmp_path):
    root = write_ntu60(tmp_path, performers=(1, 3), actions=(1,))
    (root / "nturgb+d_skeletons" / "notes.skeleton").write_text("x")
    (root / "nturgb+d_skeletons" / "S001C001P001R001A061.skeleton").write_text(skeleton_text([{7: BODY}]))
    (root / "nturgb+d_skeletons" / "S001C001P001R002A001.skeleton").touch()
    index = ntu60.index(root, "cross-subject")
    assert sum(index.skips().values()) == 3
    assert len(index) == 4


def test_classes_may_be_named(tmp_path):
    root = write_ntu60(tmp_path, performers=(1, 3), actions=(1, 2))
    (root / "classes.txt").write_text("nod\nrun\n")
    assert ntu60.index(root, "cross-subject").class_counts() == {"nod": 4, "run": 4}


def test_a_root_without_skeletons(tmp_path):
    with pytest.raises(DataError, match=r"no \.skeleton files"):
        ntu60.index(tmp_path, "cross-subject")


NAMES = [f"S00{s}C001P00{p}R001A001" for s in (1, 2, 3) for p in (1, 2)]


def good() -> str:
    """A file of four frames with one body."""
    return skeleton_text([{7: np.ones((25, 3)) * t} for t in range(4)])


def scattered(root, suffix=".skeleton"):
    """Each setup's files in a folder of its own, the first two deeper."""
    for name in NAMES:
        folder = root / ("deep/below/it" if name.startswith("S001") else name[:4])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}{suffix}").write_text(good())
    return root


@pytest.mark.parametrize("suffix", [".skeleton", ".SKELETON"])
def test_files_of_all_folders_are_read(tmp_path, suffix):
    index = verify(ntu60.index(scattered(tmp_path, suffix), "cross-subject"), ntu60.read, ClipFormat(2, bodies=1))
    assert list(index.samples.name) == NAMES
    assert index.skips() == {}


def test_one_name_in_two_folders_is_named_twice(tmp_path):
    scattered(tmp_path)
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / f"{NAMES[0]}.skeleton").write_text(good())
    index = ntu60.index(tmp_path, "cross-subject")
    assert list(index.samples.name) == NAMES[1:]
    assert set(index.skipped.name) == {f"deep/below/it/{NAMES[0]}.skeleton", f"again/{NAMES[0]}.skeleton"}


@pytest.mark.parametrize(
    "name", ["S001C001P001R001A001 copy", "xS001C001P001R001A001", "s001c001p001r001a001", "S1C1P1R1A1"]
)
def test_a_name_matches_whole(tmp_path, name):
    scattered(tmp_path)
    (tmp_path / f"{name}.skeleton").write_text(good())
    index = ntu60.index(tmp_path, "cross-subject")
    assert len(index) == len(NAMES)
    assert index.skipped[["name", "reason"]].to_numpy().tolist() == [[name, "not named SsssCcccPpppRrrrAaaa"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_loses_no_name(tmp_path, encoding):
    (scattered(tmp_path) / ntu60.MISSING_LIST).write_text(f"{NAMES[0]}\n{NAMES[1]}.skeleton\n", encoding=encoding)
    assert ntu60.index(tmp_path, "cross-subject").skips() == {ntu60.ON_MISSING_LIST: 2}


@pytest.mark.parametrize(("text", "line"), [(f"{NAMES[0]}\nnone\n", 2), ("heading\nS001C001P001R001\n", 2)])
def test_a_line_that_is_no_name_is_named(tmp_path, text, line):
    (scattered(tmp_path) / ntu60.MISSING_LIST).write_text(text)
    with pytest.raises(DataError, match=rf"{ntu60.MISSING_LIST}, line {line}: not a name like"):
        ntu60.index(tmp_path, "cross-subject")


def test_two_sets_in_one_root_are_not_named_by_the_classes_of_one(tmp_path):
    (scattered(tmp_path) / "S002" / "classes.txt").write_text("nod\n")
    with pytest.raises(DataError, match=r"classes\.txt names the classes of 2 of 6 recordings: give .*S002 as root"):
        ntu60.index(tmp_path, "cross-subject")


def test_sixty_action_names():
    assert len(set(ntu60.ACTIONS)) == 60


# -- real files


def test_the_official_names(recordings):
    lists = recordings / "ntu60" / "lists"
    names = (lists / ntu60.AVAILABLE_LIST).read_text().split()
    missing = [n for n in (lists / ntu60.MISSING_LIST).read_text().splitlines() if ntu60.NAME.match(n)]
    assert (len(names), len(missing), len(set(names) | set(missing))) == (56_578, 302, 56_880)
    for split, parts in ntu60.OFFICIAL_PARTS.items():
        kept, skipped = ntu60.names(names + missing, split, missing)
        assert Counter(part for _, _, part, _ in kept) == parts
        assert Counter(reason for _, reason, _ in skipped) == {ntu60.ON_MISSING_LIST: 302}
        sides: dict[str, set] = {}
        for _, group, part, _ in kept:
            sides.setdefault(group, set()).add(part)
        assert all(len(parts) == 1 for parts in sides.values())


def test_every_real_skeleton_reads(recordings):
    index = ntu60.index(recordings / "jhmdb_skeletons", "cross-subject")
    verified = verify(index, ntu60.read, ClipFormat(16, bodies=2), workers=1)
    assert (len(verified), verified.parts()) == (609, {"test": 176, "train": 433})
    assert verified.problems() == []


@pytest.mark.parametrize("text", ["", "a heading\n", "s001c001p001r001a001\n"])
def test_a_list_that_names_nothing_is_said(tmp_path, text):
    (scattered(tmp_path) / ntu60.MISSING_LIST).write_text(text)
    with pytest.raises(DataError, match=rf"{ntu60.MISSING_LIST} names no sample.*delete it"):
        ntu60.index(tmp_path, "cross-subject")


def test_a_list_that_lies_deeper_is_named(tmp_path):
    root = scattered(tmp_path)
    for folder in (root, root / "old"):
        folder.mkdir(exist_ok=True)
        (folder / ntu60.MISSING_LIST).write_text(f"{NAMES[0]}\n")
    notes = ntu60.index(root, "cross-subject").notes
    assert f"{ntu60.MISSING_LIST} is read in {root}; not read: {root / 'old'}" in notes
