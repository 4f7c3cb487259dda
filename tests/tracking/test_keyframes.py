"""Key frames: the right moments, few candidates, no picture but those that are named."""

import cv2
import numpy as np
import pytest

from wtmr_core import files
from wtmr_core.tracking import keyframes
from wtmr_core.tracking.keyframes import KeyFrames
from wtmr_core.tracking.people import Episode, Sighting


def frame(seconds: float) -> np.ndarray:
    """A picture whose shade is its time."""
    return np.full((90, 120, 3), int(seconds * 4) % 256, np.uint8)


def sighting(seconds: float, score=0.5, box=(40, 20, 60, 80)) -> Sighting:
    return Sighting(round(seconds * 10), seconds, np.array(box, dtype=float), score)


def fed(folder, until: float, people=(1,), best=None, start=0.0, **given) -> KeyFrames:
    one = KeyFrames(folder, **given)
    feed(one, start, until, people, best)
    return one


def feed(one: KeyFrames, start: float, until: float, people=(1,), best=None) -> None:
    for t in range(round(start * 10), round(until * 10)):
        seen = {p: sighting(t / 10, 0.9 if best == t / 10 else 0.5) for p in people}
        one.add(frame(t / 10), t / 10, seen)


def seconds(name: str) -> float:
    return float(name.split("-")[-1].removesuffix("s.jpg"))


def test_start_middle_and_best_are_saved_as_what_was_seen_then(tmp_path):
    one = fed(tmp_path, 10, best=6.5)
    names = one.save(1, Episode("sitting", 2.1, 8.0, 5.9, 0.9))
    assert [seconds(name) for name in names] == [2.5, 5.0, 6.5]
    for name in names:
        picture = cv2.imread(str(tmp_path / name))
        assert picture.shape == (85, 50, 3)  # the box and a margin of 15, as far as the picture reaches
        assert abs(int(picture[-1, 0, 0]) - seconds(name) * 4) <= 2
    assert len(list((tmp_path / "keyframes").iterdir())) == 3


def test_an_episode_shorter_than_the_step_takes_the_nearest_and_one_never_seen_none(tmp_path):
    one = fed(tmp_path, 4)
    assert [seconds(name) for name in one.save(1, Episode("falling", 1.2, 1.3, 0.1, 0.9))] == [1.0] * 3
    assert one.save(1, Episode("lying", 30, 40, 10, 0.9)) == ("", "", "")
    assert one.save(2, Episode("lying", 0, 4, 4, 0.9)) == ("", "", "")


def test_an_episode_whose_bounds_were_corrected_is_served_from_what_was_saved(tmp_path):
    one = fed(tmp_path, 6)
    first = one.save(1, Episode("sitting", 0, 5.5, 5.5, 0.9))
    feed(one, 6, 12)
    second = one.save(1, Episode("walking", 5.5, 11.5, 6, 0.9))
    final = one.save(1, Episode("sitting", 0.3, 5.8, 5.5, 0.9)), one.save(1, Episode("walking", 5.8, 11.5, 5.7, 0.9))
    assert seconds(final[0][1]) == seconds(first[1])
    assert seconds(final[1][2]) >= 5.8
    assert all((tmp_path / name).is_file() for names in final for name in names)
    one.finish(name for names in final for name in names)
    left = {f"keyframes/{path.name}" for path in (tmp_path / "keyframes").iterdir()}
    assert left == {name for names in final for name in names}
    assert left <= {*first, *second, *final[0], *final[1]}


def test_an_hour_of_one_episode_leaves_few_candidates_and_its_start_and_best(tmp_path):
    one = KeyFrames(tmp_path)
    for t in range(0, 3600, 1):
        one.add(frame(t), float(t), {1: sighting(t, 0.9 if t == 1234 else 0.5)})
        assert sum(map(len, one._candidates.values())) <= keyframes.MOST
    names = one.save(1, Episode("lying", 0, 3599, 3599, 0.9))
    assert seconds(names[0]) == 0
    assert seconds(names[2]) == 1234
    assert abs(seconds(names[1]) - 1800) < 600
    assert len(one._candidates[1]) <= 2  # what came before the end is let go


def test_all_candidates_together_stay_within_their_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(keyframes, "LARGEST", 20_000)
    one = KeyFrames(tmp_path)
    for person in range(200):  # tracks of somebody who is gone at once
        one.add(frame(person), float(person), {person: sighting(person)})
    assert sum(len(c.jpeg) for pictures in one._candidates.values() for c in pictures) <= 20_000
    assert 199 in one._candidates
    assert 0 not in one._candidates


@pytest.mark.parametrize("anonymous", [True, False])
def test_heads_of_all_are_blurred_unless_asked_otherwise(tmp_path, anonymous):
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 2, (45, 60, 1)), np.full((4, 4, 3), 255)).astype(np.uint8)
    one = KeyFrames(tmp_path, anonymous=anonymous)
    one.add(picture, 0.0, {1: sighting(0, box=(80, 40, 120, 160)), 2: sighting(0, box=(122, 40, 140, 160))})
    name, *_ = one.save(1, Episode("standing", 0, 1, 1, 0.9))
    saved = cv2.imread(str(tmp_path / name))  # from x = 50, y = 10
    contrast = [saved[40 - 10 : 65 - 10, a - 50 : b - 50].std() for a, b in ((85, 115), (124, 138))]
    body = saved[90:140, 30:70].std()
    assert body > 100
    assert (max(contrast) < 60) == anonymous


def test_people_at_and_beyond_the_edge_have_a_picture_too(tmp_path):
    one = KeyFrames(tmp_path)
    one.add(frame(0), 0.0, {1: sighting(0, box=(-50, -20, 4, 300)), 2: sighting(0, box=(200, 200, 260, 300))})
    for person in (1, 2):
        name, *_ = one.save(person, Episode("standing", 0, 1, 1, 0.9))
        assert cv2.imread(str(tmp_path / name)) is not None


def test_pictures_of_an_earlier_log_are_deleted_and_no_others(tmp_path):
    one = fed(tmp_path, 2)
    one.save(1, Episode("sitting", 0, 2, 2, 0.9))
    (tmp_path / "keyframes" / "holiday.jpg").write_bytes(b"")
    KeyFrames(tmp_path)
    assert [path.name for path in (tmp_path / "keyframes").iterdir()] == ["holiday.jpg"]


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    one = fed(tmp_path, 2)
    (tmp_path / "keyframes").write_text("")
    with pytest.raises((files.RunError, OSError), match="keyframes"):
        one.save(1, Episode("sitting", 0, 1, 1, 0.9))
