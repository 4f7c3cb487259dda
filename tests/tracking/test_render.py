"""A log as pictures: a video with true times, a timeline and a contact sheet that show every episode."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core import files
from wtmr_core.tracking import render
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.render import VideoWriter, annotated, contact_sheet, save, timeline
from wtmr_core.tracking.table import Row


def decoded(path) -> tuple[list[Fraction], list[np.ndarray], object]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        context = stream.codec_context
        return (
            [frame.pts * frame.time_base for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
            (context.name, context.pix_fmt, context.width, context.height),
        )


def test_a_video_has_the_frames_at_their_true_times_in_a_form_that_browsers_play(tmp_path):
    seconds = [0.0, 0.04, 0.11, 0.5, 0.533, 2.25]
    with VideoWriter(tmp_path / "annotated.mp4") as video:
        for t, s in enumerate(seconds):
            video.write(np.full((36, 48, 3), 40 * t, np.uint8), s)
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mp4"]
    times, pictures, form = decoded(tmp_path / "annotated.mp4")
    np.testing.assert_allclose([float(t) for t in times], seconds, atol=1e-4)
    assert form == ("h264", "yuv420p", 48, 36)
    for t, picture in enumerate(pictures):
        assert abs(picture.mean() - 40 * t) < 4
    data = (tmp_path / "annotated.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index comes first: it plays while it loads


@pytest.mark.parametrize("size", [(35, 47), (36, 47), (2, 2), (1, 1)])
def test_an_odd_side_gets_a_pixel_more(tmp_path, size):
    with VideoWriter(tmp_path / "v.mp4") as video:
        video.write(np.full((*size, 3), 99, np.uint8), 0.0)
    _, (picture,), _ = decoded(tmp_path / "v.mp4")
    assert picture.shape[:2] == tuple(s + s % 2 for s in size)
    assert abs(picture.astype(int) - 99).max() < 8


def test_a_frame_of_another_size_is_fitted_into_that_of_the_first(tmp_path):
    with VideoWriter(tmp_path / "v.mp4") as video:
        video.write(np.full((40, 80, 3), 200, np.uint8), 0.0)
        video.write(np.full((80, 40, 3), 200, np.uint8), 0.1)
    _, pictures, _ = decoded(tmp_path / "v.mp4")
    assert pictures[1].shape == (40, 80, 3)
    assert pictures[1][:, 34:46].min() > 180
    assert pictures[1][:, :24].max() < 20


def test_frames_out_of_order_are_refused(tmp_path):
    with VideoWriter(tmp_path / "v.mp4") as video:
        video.write(np.zeros((4, 4, 3), np.uint8), 1.0)
        with pytest.raises(ValueError, match=r"a frame at 1 s follows one at 1 s"):
            video.write(np.zeros((4, 4, 3), np.uint8), 1.0)


def test_a_video_whose_making_is_stopped_is_whole_up_to_then(tmp_path):
    def stopped():
        with VideoWriter(tmp_path / "v.mp4") as video:
            for t in range(5):
                video.write(np.zeros((20, 20, 3), np.uint8), t / 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(decoded(tmp_path / "v.mp4")[0]) == 5


def test_no_frame_makes_no_file_and_a_folder_that_is_not_there_is_told(tmp_path):
    with VideoWriter(tmp_path / "v.mp4"):
        pass
    assert not list(tmp_path.iterdir())
    with VideoWriter(tmp_path / "none" / "v.mp4") as video, pytest.raises(files.RunError, match=r"v\.mp4 cannot be"):
        video.write(np.zeros((4, 4, 3), np.uint8), 0.0)


def test_a_person_is_framed_and_named_and_the_rest_of_the_picture_is_as_it_was():
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    before = picture.copy()
    people = {3: Sighting(0, 0.0, np.array([100.0, 60, 160, 200]), 0.9)}
    bare, named = annotated(picture, people), annotated(picture, people, {3: "sitzt – да"})
    np.testing.assert_array_equal(picture, before)
    assert (bare[60:200, 100] != picture[60:200, 100]).any(-1).mean() > 0.95
    np.testing.assert_array_equal(bare[210:], picture[210:])
    np.testing.assert_array_equal(named[70:190, 110:150], picture[70:190, 110:150])
    assert (named != picture).any(-1).sum() > (bare != picture).any(-1).sum()  # the longer label
    np.testing.assert_array_equal(annotated(picture, {}), picture)
    blue = annotated(np.zeros((50, 50, 3), np.uint8), {1: Sighting(0, 0.0, np.array([5.0, 25, 45, 45]), 1)})[45, 25]
    assert tuple(blue) == (0x56, 0xB4, 0xE9)  # RGB as the picture is, not BGR


def row(person, activity, start, end, keyframes=("", "", "")) -> Row:
    return Row(person, Episode(activity, start, end, end - start, 0.9), keyframes=keyframes)


DAY = [row(1, "sitting", 0, 60), row(1, "falling", 60, 61), row(2, "walking", 5, 50), row(2, "lying", 50, 55)]


def texts(figure) -> list[str]:
    import matplotlib.text

    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_the_timeline_has_a_lane_a_person_a_bar_an_episode_and_a_name_an_activity():
    figure = timeline(DAY, 70)
    (axes,) = figure.axes
    bars = sorted((bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axes.patches)
    assert bars == [(0, 60, 0), (5, 45, 1), (50, 5, 1), (60, 1, 0)]
    assert axes.get_xlim() == (0, 70)
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend == ["falling", "lying", "sitting", "walking"]
    assert {"person 1", "person 2", "sitting", "walking"} <= set(texts(figure))
    assert texts(figure).count("falling") == 1  # no room in its bar: in the legend alone


def test_names_with_signs_of_formulas_are_shown_as_they_are_and_the_same_figure_is_the_same_file(tmp_path):
    figure = timeline([row(1, r"$\frac{a$ <b>", 0, 5)], 5)
    assert r"$\frac{a$ <b>" in texts(figure)
    save(figure, tmp_path / "a.svg")
    save(timeline([row(1, r"$\frac{a$ <b>", 0, 5)], 5), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"<b>" not in (tmp_path / "a.svg").read_bytes()


def test_nobody_seen_is_a_timeline_that_says_so(tmp_path):
    assert "nobody was seen" in texts(timeline([], 0))
    save(timeline([], 0), tmp_path / "empty.png")


@given(st.lists(st.text(st.characters(categories=("L",)), min_size=1), min_size=1, max_size=20, unique=True))
def test_no_two_activities_look_the_same(activities):
    looks = render._looks([*activities, *render.COLOURS])
    assert len(set(looks.values())) == len({*activities, *render.COLOURS})


@pytest.mark.parametrize(("colour", "ink"), [("#0072B2", "white"), ("#F0E442", "black"), ("#000000", "white")])
def test_the_names_in_the_bars_are_read_on_their_colour(colour, ink):
    assert render._ink(colour) == ink


def test_a_contact_sheet_shows_the_best_key_frame_of_each_episode(tmp_path):
    for t in range(50):
        cv2.imwrite(str(tmp_path / f"{t}.jpg"), np.full((30, 20, 3), t, np.uint8))
    rows = [row(1, "sitting", t, t + 1 + t / 100, ("", "", f"{t}.jpg")) for t in range(3)] + [row(2, "lying", 0, 9)]
    figure = contact_sheet(rows, tmp_path)
    assert [axes.images[0].get_array().mean() for axes in figure.axes if axes.images] == [0, 1, 2]
    assert "person 1, sitting\n2.0–3.0 s" in texts(figure)
    many = contact_sheet([row(1, "sitting", t, t + 1 + t / 100, ("", "", f"{t}.jpg")) for t in range(50)], tmp_path)
    assert len([axes for axes in many.axes if axes.images]) == 48
    assert "the 48 longest of 50 episodes" in texts(many)
    assert "no key frames" in texts(contact_sheet([], tmp_path))
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"1\.jpg is no picture"):
        contact_sheet(rows, tmp_path)
