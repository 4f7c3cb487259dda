"""The truth of videos, in either of its two tables."""

import pytest

from wtmr_core.tracking.truth import Course, Span, read_truth, segments

HOMES = "clip,activity,start_s,end_s,fps,frames,duration_s,light\n"
PERSONS = "clip,person,activity,start_s,end_s\n"


def written(tmp_path, text):
    path = tmp_path / "episodes.csv"
    path.write_text(text)
    return path


def test_a_fall_of_the_homes_is_falling_for_1_2_s_and_lying_to_the_end_of_the_clip(tmp_path):
    path = written(
        tmp_path,
        HOMES + "s/a.mp4,Falling (BW),0.4,4.0,30,128,4.32,Day\n"
        "s/a.mp4,Standing,0.0,0.3,30,128,4.32,Day\n"
        "s/b.mp4,Falling (FW),2.0,2.5,30,90,3.0,Day\n"
        "s/b.mp4,Sleeping,0.0,1.9,30,90,3.0,Day\n"
        "s/b.mp4,Reading,0.0,1.9,30,90,3.0,Day\n",
    )
    clips = read_truth(path)
    assert clips["s/a.mp4"].seconds == 4.32
    assert clips["s/a.mp4"].people[""] == Course(
        [Span("falling", 0.4, 1.6), Span("lying", 1.6, 4.32), Span("standing", 0.0, 0.3)],
        [Span("fall", 0.4, 4.32), Span("standing", 0.0, 0.3)],
    )
    assert clips["s/b.mp4"].people[""].spans == [
        Span("falling", 2.0, 3.0),
        Span("lying", 3.0, 3.0),
        Span("lying", 0.0, 1.9),
    ]


def test_a_table_with_persons_is_read_clip_by_clip(tmp_path):
    path = written(tmp_path, PERSONS + "a,Anna,Sitting_Down,0,1\na,2,walking,0,3\nb,2,walking,1,5\n")
    clips = read_truth(path)
    assert {name: clip.seconds for name, clip in clips.items()} == {"a": 3, "b": 5}
    assert clips["a"].people["Anna"].spans == [Span("sitting down", 0, 1)]
    assert set(clips["a"].people) == {"Anna", "2"}


def test_a_log_may_be_the_truth_of_one_video(tmp_path):
    path = written(tmp_path, "person,activity,start_s,end_s\n1,sitting,0,4\n")
    assert read_truth(path)[""].people["1"].segments == [Span("sitting", 0, 4)]


def test_falling_and_the_lying_after_it_are_one_segment_but_not_after_a_gap():
    spans = [Span("lying", 2, 5), Span("falling", 1, 2), Span("falling", 7, 8), Span("lying", 8.5, 9)]
    assert segments(spans) == [Span("fall", 1, 5), Span("fall", 7, 8), Span("lying", 8.5, 9)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("activity,start_s\n", "has no column end_s"),
        ("activity,start_s,end_s\nsitting,0,1\n", "a table without it needs clip"),
        ("clip,activity,start_s,end_s\na,sitting,0,1\n", "a table without it needs duration_s"),
        (HOMES + "a,sitting,0,1,30,90,long,Day\n", "line 2: duration_s is 'long'"),
    ],
)
def test_a_table_that_is_neither_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=r"episodes\.csv") as error:
        read_truth(written(tmp_path, text))
    assert message in str(error.value)


def test_the_truth_of_the_homes_at_hand(recordings):
    clips = read_truth(recordings / "homes")
    assert len(clips) == 9
    assert sum(span.activity == "fall" for clip in clips.values() for span in clip.people[""].segments) == 6
    assert clips["subject-4/adl-19.mp4"].people[""].spans == [
        Span("sitting", 6.9, 9.0),
        Span("standing", 3.0, 6.4),
        Span("walking", 0.0, 1.7),
    ]
