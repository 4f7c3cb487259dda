"""The gallery: a file read strictly and written whole, in which people are named, joined, parted and forgotten."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.tracking.test_appearance import BLUE, GREEN, RED, looks
from wtmr_core import files
from wtmr_core.tracking.appearance import Appearance
from wtmr_core.tracking.gallery import Gallery, GalleryError, Seen, checked

ALICE = Seen(1, "monday", 3, looks(RED, BLUE), "2026-11-23")
AGAIN = Seen(1, "tuesday", 1, looks(RED, GREEN), "2026-11-24")
GUEST = Seen(2, "monday", 4, looks(GREEN, GREEN, sightings=8), "2026-11-23", sure=False)


def gallery(folder, *seen, **names) -> Gallery:
    """A gallery with some people, of whom those given as `n1="alice"` have names."""
    return Gallery(Path(folder) / "who.safetensors", list(seen), {int(k[1:]): name for k, name in names.items()})


def content(one: Gallery) -> tuple:
    """All that a gallery holds, comparable."""
    rows = [
        (s.identity, s.key, s.day, s.sure, s.looks.sightings, s.looks.upper.tolist(), s.looks.lower.tolist())
        for s in one.seen
    ]
    return rows, one.names


def test_a_gallery_is_read_as_it_was_written(tmp_path):
    one = gallery(tmp_path, ALICE, AGAIN, GUEST, n1="Zoë 李", n7="bob")
    one.save()
    assert content(Gallery.read(tmp_path)) == content(one)
    assert content(Gallery.at(tmp_path / "who.safetensors")) == content(one)
    assert os.listdir(tmp_path) == ["who.safetensors"]
    gallery(tmp_path).save()
    assert content(Gallery.read(tmp_path)) == ([], {})


def test_there_is_an_empty_one_where_none_was_made_yet(tmp_path):
    assert Gallery.at(tmp_path).seen == []
    with pytest.raises(GalleryError, match="no gallery at"):
        Gallery.read(tmp_path)
    assert not os.listdir(tmp_path)


def test_it_holds_numbers_and_names_and_no_picture(tmp_path):
    """Some 4 kB a person of a log: sums of histograms and features alone."""
    gallery(tmp_path, ALICE, AGAIN).save()
    assert (tmp_path / "who.safetensors").stat().st_size < 2 * 4096 + 700


def damaged(path: Path, change) -> None:
    """A file that differs in its head or tensors from a right one."""
    head = {"version": 1, "names": [[1, "alice"]], "seen": [[1, "monday", 3, "", True, 5]]}
    tensors = {name: np.ones((1, size), np.float32) for name, size in (("upper", 512), ("lower", 512))}
    head, tensors = change(head, tensors)
    save_file(tensors, path, metadata={"gallery": head if isinstance(head, str) else json.dumps(head)})


@pytest.mark.parametrize(
    "change",
    [
        lambda h, t: (h | {"version": 2}, t),
        lambda h, t: (h | {"version": "1"}, t),
        lambda h, t: ("[]", t),
        lambda h, t: ("{", t),
        lambda h, t: ({k: v for k, v in h.items() if k != "names"}, t),
        lambda h, t: (h | {"names": [[1, "alice"], [1, "bob"]]}, t),
        lambda h, t: (h | {"names": [[1, "alice"], [2, "alice"]]}, t),
        lambda h, t: (h | {"names": [[1, "3"]]}, t),
        lambda h, t: (h | {"names": [["1", "alice"]]}, t),
        lambda h, t: (h | {"seen": []}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3, "", True]]}, t),
        lambda h, t: (h | {"seen": [[0, "monday", 3, "", True, 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "", 3, "", True, 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3.5, "", True, 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3, "23.11.2026", True, 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3, 7, True, 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3, "", "yes", 5]]}, t),
        lambda h, t: (h | {"seen": [[1, "monday", 3, "", True, -1]]}, t),
        lambda h, t: (h, t | {"upper": np.ones((1, 9), np.float32)}),
        lambda h, t: (h, t | {"upper": np.ones((1, 512), np.float64)}),
        lambda h, t: (h, t | {"upper": np.full((1, 512), np.nan, np.float32)}),
        lambda h, t: (h, t | {"lower": np.full((1, 512), -1, np.float32)}),
        lambda h, t: (h, {k: v for k, v in t.items() if k != "lower"}),
        lambda h, t: (
            h | {"seen": 2 * h["seen"]}, {k: np.repeat(v, 2, axis=0) for k, v in t.items()}),
    ],
)  # fmt: skip
def test_another_version_and_damage_are_named_and_nothing_is_read(tmp_path, change):
    path = tmp_path / "who.safetensors"
    damaged(path, lambda h, t: (h, t))
    assert Gallery.read(path).names == {1: "alice"}
    damaged(path, change)
    with pytest.raises(GalleryError, match=r"who\.safetensors is"):
        Gallery.read(path)


@pytest.mark.parametrize("cut", [0, 5, 100, 3000, -1])
def test_a_cut_file_and_one_of_another_kind_are_refused(tmp_path, cut):
    gallery(tmp_path, ALICE).save()
    path = tmp_path / "who.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(GalleryError, match="damaged"):
        Gallery.read(path)
    path.write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(GalleryError, match="damaged"):
        Gallery.read(path)


def test_where_it_cannot_be_written_the_old_one_stays(tmp_path, monkeypatch):
    one = gallery(tmp_path, ALICE)
    one.save()
    before = (tmp_path / "who.safetensors").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    one.forget(1)
    with pytest.raises(files.RunError, match="disk space"):
        one.save()
    assert (tmp_path / "who.safetensors").read_bytes() == before
    assert os.listdir(tmp_path) == ["who.safetensors"]


def test_somebody_is_compared_in_the_clothes_of_the_day_where_these_are_known(tmp_path):
    one = gallery(tmp_path, ALICE, AGAIN, GUEST, Seen(3, "monday", 9, Appearance.none()))
    assert one.looks("2026-11-24") == {1: [AGAIN.looks], 2: [], 3: []}
    assert one.looks("2026-11-25")[1] == [ALICE.looks, AGAIN.looks]
    assert one.looks()[1] == [ALICE.looks, AGAIN.looks]


def test_people_are_found_by_name_number_and_log(tmp_path):
    one = gallery(tmp_path, ALICE, GUEST, n9="away")
    one.rename(1, "Zoe\u0308")
    assert [one.find(who) for who in ("Zoë", " 2", "monday:3", "monday:4", "away", "9")] == [1, 2, 1, 2, 9, 9]
    for nobody in ("alice", "3", "monday:5", "", "²"):
        with pytest.raises(GalleryError, match="nobody called"):
            one.find(nobody)


@pytest.mark.parametrize("name", ["", "  ", "12", "a\nb", "monday:3", "alice=3", "x" * 101, "\u200b"])
def test_what_is_no_name(name):
    with pytest.raises(GalleryError, match="no name"):
        checked(name)


def test_a_name_is_of_one_person(tmp_path):
    one = gallery(tmp_path, ALICE, GUEST)
    one.rename(1, " Alice B. ")
    assert one.names == {1: "Alice B."}
    one.rename(1, "Alice B.")
    with pytest.raises(GalleryError, match="number 1"):
        one.rename(2, "Alice B.")
    one.rename(1, "Alice C.")
    assert one.names == {1: "Alice C."}


def test_joined_people_are_one_with_the_name_of_either(tmp_path):
    one = gallery(tmp_path, ALICE, GUEST, n2="guest")
    assert one.join(1, 2) == 2
    assert {(s.key, s.identity, s.sure) for s in one.seen} == {("monday:3", 2, True), ("monday:4", 2, False)}
    with pytest.raises(GalleryError, match="one person already"):
        one.join(2, 2)
    two = gallery(tmp_path, ALICE, GUEST, n1="alice", n2="guest")
    assert two.join(2, 1) == 2
    assert two.names == {2: "guest"}


def test_parted_people_are_somebody_new_and_impossible_partings_are_refused(tmp_path):
    one = gallery(tmp_path, ALICE, AGAIN, GUEST, n1="alice")
    for keys, why in (
        (["sunday:1"], "sunday:1"),
        (["monday:3", "monday:4"], "2 people"),
        (["monday:4"], "all there is"),
    ):
        with pytest.raises(GalleryError, match=why):
            one.part(keys)
    assert one.part(["tuesday:1"]) == 3
    assert [s.identity for s in one.seen] == [1, 3, 2]
    assert one.names == {1: "alice"}


def test_somebody_always_has_looks_to_be_compared_with(tmp_path):
    """Whoever is parted is sure, and so is the rest where it was only recognised; a name confirms."""
    one = gallery(tmp_path, ALICE, replace(GUEST, identity=1), replace(GUEST, identity=1, person=5))
    one.confirm(["monday:5", "no such"])
    assert [s.sure for s in one.seen] == [True, False, True]
    one = gallery(tmp_path, ALICE, replace(GUEST, identity=1), replace(GUEST, identity=1, person=5))
    one.part(["monday:3"])
    assert [s.sure for s in one.seen] == [True, True, True]


ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 3)), max_size=12)


def drawn(rows) -> Gallery:
    """A gallery of random rows: identity, log, person; the second and later of one person of a log are left out."""
    seen = {(log, person): Seen(who, f"log-{log}", person, looks(sightings=3)) for who, log, person in rows}
    return gallery(Path(), *seen.values())


def partition(one: Gallery) -> set:
    """Who is one person with whom, whatever the numbers."""
    return {frozenset(s.key for s in one.of(n)) for n in one.identities}


@given(ROWS, st.randoms(use_true_random=False))
def test_parting_undoes_joining_and_joining_undoes_parting(rows, random):
    one = drawn(rows)
    if len(one.identities) < 2:
        return
    before = partition(one)
    first, second = random.sample(one.identities, 2)
    keys = [s.key for s in one.of(second)]
    one.join(first, second)
    assert len(partition(one)) == len(before) - 1
    number = one.part(keys)
    assert partition(one) == before
    assert one.join(first, number) == first
    assert len(partition(one)) == len(before) - 1


@given(ROWS, st.integers(1, 4), st.sampled_from(["", "alice"]))
def test_forgetting_leaves_no_trace_and_nobody_else_is_touched(rows, who, name):
    one = drawn(rows)
    if name and who in one.identities:
        one.rename(who, name)
    others = [s for s in one.seen if s.identity != who]
    one.forget(who)
    assert one.seen == others
    assert who not in one.identities
    assert name == "" or name not in one.names.values()


def test_a_forgotten_name_is_not_in_the_file_any_more(tmp_path):
    one = gallery(tmp_path, ALICE, GUEST, n1="alice")
    one.save()
    assert b"alice" in one.path.read_bytes()
    one.forget(1)
    one.save()
    assert b"alice" not in one.path.read_bytes()
