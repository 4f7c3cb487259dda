"""Tracks: one person, one number, through crossings, falls, gaps and any rate of pictures."""

from itertools import islice

import numpy as np
import pytest
import supervision as sv

from wtmr_core.datasets.video import decoded
from wtmr_core.tracking import detectors
from wtmr_core.tracking.boxes import JOINTS, read_boxes
from wtmr_core.tracking.people import NotInstalled, Sighting
from wtmr_core.tracking.tracks import KINDS, Nearness, Tracker

FOLLOWING = KINDS[:-1]  # all but `published`


def people(boxes, scores=0.8) -> sv.Detections:
    """Detections of `boxes`, each centre x y, width and height, with joints that tell which one it is."""
    boxes = np.reshape(boxes, (-1, 4)).astype(np.float32)
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    scores = np.broadcast_to(np.float32(scores), len(boxes)).copy()
    joints = np.tile(boxes[:, :1, None], (1, 17, 3))
    return sv.Detections(corners, confidence=scores, class_id=np.zeros(len(boxes), int), data={JOINTS: joints})


def tracked(tracker: Tracker, pictures, rate: float = 10.0) -> dict[int, dict[int, Sighting]]:
    """frame -> person -> sighting, of one picture after another; nobody twice, and nothing handed on twice."""
    rows = []
    for frame, detections in enumerate(pictures):
        rows += tracker.update(detections, frame, frame / rate)
    frames: dict[int, dict[int, Sighting]] = {}
    for person, sighting in rows + tracker.close():
        assert person not in frames.setdefault(sighting.frame, {})
        frames[sighting.frame][person] = sighting
    return frames


def persons(frames: dict[int, dict[int, Sighting]]) -> set[int]:
    return {person for sightings in frames.values() for person in sightings}


# -- one person ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOLLOWING)
@pytest.mark.parametrize("rate", [30, 10, 5, 1])
def test_somebody_who_walks_is_one_person_from_the_first_picture_on(kind, rate):
    """A body of 100 pixels walks 80 pixels a second: at one picture a second its boxes do not overlap."""
    pictures = [people([50 + 80 * t / rate, 100, 30, 100]) for t in range(4 * rate)]
    frames = tracked(Tracker(kind), pictures, rate)
    assert persons(frames) == {1}
    assert sorted(frames) == list(range(4 * rate))
    assert frames[0][1].seconds == 0
    np.testing.assert_allclose(frames[3][1].joints[:, 0], 50 + 240 / rate)  # joints stay with their box


@pytest.mark.parametrize("kind", FOLLOWING)
def test_rates_may_change_within_a_video(kind):
    seconds = np.cumsum([0.03] * 20 + [0.5, 1.0, 0.2, 0.03, 1.0] * 3)
    tracker, rows = Tracker(kind), []
    for frame, second in enumerate(seconds):
        rows += tracker.update(people([50 + 60 * second, 100, 30, 100]), frame, second)
    assert {person for person, _ in rows} == {1}
    assert [sighting.frame for _, sighting in rows] == list(range(len(seconds)))


@pytest.mark.parametrize("kind", FOLLOWING)
@pytest.mark.parametrize("rate", [10, 5])
def test_somebody_who_falls_and_lies_keeps_the_number(kind, rate):
    """From 40×160 upright to 160×40 flat within 0.4 s: the boxes overlap by 0.12 at the end of it."""
    boxes = []
    for t in np.arange(0, 4, 1 / rate):
        fallen = np.clip((t - 1.5) / 0.4, 0, 1)
        boxes.append([200 + 60 * fallen, 100 + 60 * fallen, 40 + 120 * fallen, 160 - 120 * fallen])
    assert persons(tracked(Tracker(kind), [people(box) for box in boxes], rate)) == {1}


@pytest.mark.parametrize("kind", FOLLOWING)
@pytest.mark.parametrize("rate", [30, 10, 5])
def test_a_number_survives_a_short_occlusion_but_not_a_long_absence(kind, rate):
    """A second and a half behind a door is short, six seconds are not; gaps hold no sightings."""
    gaps = [(2.0, 3.5), (5.5, 11.5)]
    pictures = []
    for t in np.arange(0, 14, 1 / rate):
        hidden = any(start <= t < end for start, end in gaps)
        pictures.append(people([]) if hidden else people([100 + 10 * t, 100, 30, 100]))
    frames = tracked(Tracker(kind), pictures, rate)
    assert set(frames[0]) == set(frames[int(4 * rate)]) == {1}
    assert set(frames[13 * rate]) == {2}
    assert not any(gap[0] <= frame / rate < gap[1] for frame in frames for gap in gaps)


@pytest.mark.parametrize("kind", FOLLOWING)
def test_low_scores_go_on_with_a_person_and_begin_none(kind):
    scores = [0.6] * 10 + [0.12] * 40 + [0.6] * 10
    frames = tracked(Tracker(kind), [people([100, 100, 30, 100], score) for score in scores])
    assert persons(frames) == {1}
    assert len(frames) == 60
    assert not tracked(Tracker(kind), [people([100, 100, 30, 100], 0.2)] * 30)
    assert not tracked(Tracker(kind, keep=0.3, start=0.5), [people([100, 100, 30, 100], 0.4)] * 30)


@pytest.mark.parametrize("kind", FOLLOWING)
def test_what_flickers_is_nobody(kind):
    """One picture, another much later, somewhere else, and the last."""
    pictures = [people([])] * 60
    pictures[10] = pictures[-1] = people([100, 100, 30, 100])
    pictures[40] = people([300, 100, 30, 100])
    assert not tracked(Tracker(kind), pictures)


@pytest.mark.parametrize("kind", FOLLOWING)
def test_sightings_are_late_by_half_a_second_at_most(kind):
    tracker, late = Tracker(kind), []
    for frame in range(30):
        rows = tracker.update(people([[50 + 8 * frame, 100, 30, 100]] if frame > 5 else []), frame, frame / 10)
        late += [frame / 10 - sighting.seconds for _, sighting in rows]
    assert len(late) == 24
    assert not tracker.close()
    assert max(late) == pytest.approx(0.3)
    assert late[-20:] == [0] * 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pictures", [1, 2])
def test_a_still_picture_has_people(kind, pictures):
    """Nothing can confirm them, nothing speaks against them."""
    frames = tracked(Tracker(kind), [people([[50, 100, 30, 100], [200, 100, 30, 100]])] * pictures)
    assert [sorted(frames[t]) for t in range(pictures)] == [[1, 2]] * pictures
    assert not tracked(Tracker(kind), [])
    assert not tracked(Tracker(kind), [people([])])


# -- several ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOLLOWING)
@pytest.mark.parametrize("hidden", [0, 30])
def test_two_who_cross_keep_their_numbers(kind, hidden):
    """They walk towards each other; within `hidden` pixels of each other only the nearer one is seen."""
    pictures, left = [], []
    for t in range(60):
        a, b = 50 + 5 * t, 350 - 5 * t
        both = [[a, 100, 30, 100], [b, 108, 32, 108]]
        pictures.append(people(both[1:] if abs(a - b) < hidden else both))
        left.append(a)
    frames = tracked(Tracker(kind), pictures)
    assert persons(frames) == {1, 2}
    (first,) = (n for n, s in frames[0].items() if s.joints[0, 0] == 50)
    (last,) = (n for n, s in frames[59].items() if s.joints[0, 0] == left[-1])
    assert first == last


@pytest.mark.parametrize("kind", FOLLOWING)
def test_forty_people_are_forty(kind):
    places = np.stack(np.meshgrid(np.arange(10) * 60, np.arange(4) * 120), axis=-1).reshape(-1, 2) + 60.0
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(15):
        places += rng.normal(0, 1.5, places.shape)
        order = rng.permutation(40)
        pictures.append(people(np.concatenate([places, np.full((40, 2), [25, 100])], axis=1)[order]))
    frames = tracked(Tracker(kind), pictures)
    assert persons(frames) == set(range(1, 41))
    assert all(len(frames[t]) == 40 for t in range(15))


@pytest.mark.parametrize("kind", FOLLOWING)
def test_a_track_is_taken_up_by_one_that_soon_begins_near_its_end(kind):
    """Somebody walks behind a pillar, stops there for 2.5 s and comes out again where they went in.

    The tracker has lost them by then, and foresaw them elsewhere.
    """
    way = [people([50 + 8 * t, 100, 30, 100]) for t in range(20)]
    pictures = [*way, *[people([])] * 25, *way[::-1]]
    assert persons(tracked(Tracker(kind), pictures)) == {1}
    assert persons(tracked(Tracker(kind, stitch=0), pictures)) == {1, 2}
    elsewhere = [people([400 + 8 * t, 100, 30, 100]) for t in range(20)]
    assert persons(tracked(Tracker(kind), [*way, *[people([])] * 25, *elsewhere])) == {1, 2}


def test_two_who_appear_at_one_picture_a_second_keep_their_first_sightings():
    """One goes on where somebody ended, which must not keep the other from the picture before, a length away."""
    pictures = [people([100, 100, 30, 100])] * 2 + [people([])] * 3
    pictures += [people([[100, 100, 30, 100], [300 + 80 * t, 100, 30, 100]]) for t in range(5)]
    frames = tracked(Tracker(), pictures, rate=1)
    assert [len(frames.get(t, {})) for t in range(10)] == [1, 1, 0, 0, 0, 2, 2, 2, 2, 2]


def test_two_who_appear_near_one_who_left_are_not_both_that_one():
    both = [people([[90, 100, 30, 100], [120, 100, 30, 100]])] * 10
    frames = tracked(Tracker(), [*[people([100, 100, 30, 100])] * 10, *[people([])] * 24, *both])
    assert persons(frames) == {1, 2}
    assert all(len(frames[t]) == 2 for t in range(34, 44))


def test_no_number_is_twice_in_a_picture_whatever_the_boxes():
    """Boxes at random: each sighting is one of them, of the picture it says, and handed on once."""
    rng = np.random.default_rng(1)
    for kind in FOLLOWING:
        pictures = []
        for _ in range(200):
            count = rng.integers(0, 6)
            boxes = np.concatenate([rng.uniform(50, 300, (count, 2)), rng.uniform(20, 120, (count, 2))], axis=1)
            pictures.append(people(boxes, rng.uniform(0, 1, count)))
        for frame, sightings in tracked(Tracker(kind), pictures).items():
            given = pictures[frame].xyxy.tolist()
            boxes = [sighting.box.tolist() for sighting in sightings.values()]
            assert all(box in given for box in boxes)
            assert len({tuple(box) for box in boxes}) == len(boxes)
            assert min(sightings) >= 1


def test_what_is_gone_is_forgotten():
    """An hour of passers-by leaves no more behind than a minute."""
    tracker = Tracker()
    for frame in range(3000):
        tracker.update(people([[20 * (frame % 30), 100, 30, 100]] if frame % 90 < 30 else []), frame, frame / 10)
        assert len(tracker._tracks) <= 3
        assert len(tracker._tracker.tracks) <= 3


def test_the_sightings_of_somebody_long_doubtful_wait_for_ten_seconds():
    """Two minutes of scores that never begin a person leave no more behind than ten seconds; once there is a person,
    those ten seconds are handed on."""
    tracker, doubtful = Tracker(), people([100, 100, 30, 100], 0.2)
    for frame in range(1200):
        assert tracker.update(doubtful, frame, frame / 10) == []
        assert sum(len(track.pending) for track in tracker._tracks.values()) <= 101
    news = tracker.update(people([100, 100, 30, 100]), 1200, 120.0)
    assert [(person, sighting.frame) for person, sighting in news] == [(1, frame) for frame in range(1100, 1201)]


# -- the published way --------------------------------------------------------------------------------------------


def test_published_numbers_boxes_by_their_place_in_the_list():
    frames = tracked(
        Tracker("published"),
        [people([[50, 100, 30, 100], [200, 100, 30, 100]]), people([200, 100, 30, 100]), people([])],
    )
    assert {frame: {n: s.joints[0, 0] for n, s in row.items()} for frame, row in frames.items()} == {
        0: {1: 50, 2: 200},
        1: {1: 200},  # the same body, another person
    }


# -- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [1.0, 0.5, np.nan])
def test_times_that_do_not_rise_are_refused(kind, seconds):
    tracker = Tracker(kind)
    tracker.update(people([50, 100, 30, 100]), 0, 1.0)
    with pytest.raises(ValueError, match=r"frame 1 is at .* times must rise"):
        tracker.update(people([50, 100, 30, 100]), 1, seconds)


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_that_is_none_is_refused(kind):
    with pytest.raises(ValueError, match="frame 4, box 1"):
        Tracker(kind).update(people([[50, 100, 30, 100], [50, 100, -30, 100]]), 4, 0.0)


def test_an_unknown_tracker_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no tracker called 'deepsort': take one of ocsort, bytetrack, sort"):
        Tracker("deepsort")


# -- the measure --------------------------------------------------------------------------------------------------


def test_nearness_by_hand():
    """Bodies 100 long: half a length apart is the end at rest, and half the way after half a second."""
    boxes = np.array([[0, 0, 30, 100], [25, 0, 55, 100], [50, 0, 80, 100], [0, 0, 15, 49]], np.float32)
    nearness = Nearness()
    assert nearness.compute(boxes[:1], boxes)[0].tolist() == pytest.approx([1, 0.5, 0, 0])
    nearness.after(0.5)
    assert nearness.compute(boxes[:1], boxes)[0].tolist() == pytest.approx([1, 0.75, 0.5, 0])
    assert nearness.compute(boxes[:0], boxes).shape == (0, 4)


# -- real people --------------------------------------------------------------------------------------------------


def test_true_boxes_of_a_lobby_are_as_many_persons_as_there_are(recordings):
    """Somebody falls and lies (25 pictures a second, and five); three in another recording, one of them half hidden."""
    for name, rate, count in (("Rest_FallOnFloor", 25, 1), ("Rest_FallOnFloor", 5, 1), ("Walk1", 25, 3)):
        true = read_boxes(recordings / f"lobby/{name}/gt/gt.txt")
        tracker, rows = Tracker(), []
        for frame in range(min(true), max(true) + 1, 25 // rate):
            rows += tracker.update(true.get(frame, people([])), frame, frame / 25)
        assert len({person for person, _ in rows}) == count
        assert len(rows) == sum(len(true.get(frame, [])) for frame in range(min(true), max(true) + 1, 25 // rate))


@pytest.mark.parametrize("clip", ["subject-1/adl-16", "subject-1/fall-13", "subject-4/fall-02"])
def test_one_person_at_home_is_one_track(recordings, clip):
    """Sitting, falling from standing and from the bed; every sixth frame."""
    try:
        detector = detectors.load("movenet")
    except NotInstalled as error:
        pytest.skip(str(error))
    tracker, rows, frames = Tracker(), [], 0
    for frame, (seconds, picture) in islice(enumerate(decoded(recordings / f"homes/{clip}.mp4")), 0, None, 6):
        rows += tracker.update(detector(picture), frame, seconds)
        frames += 1
    rows += tracker.close()
    assert {person for person, _ in rows} == {1}
    assert len(rows) >= 0.9 * frames
    assert rows[0][1].frame == 0
