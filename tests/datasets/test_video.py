"""Reading recordings: which files they are, which frames are chosen, and what becomes of damaged ones."""

import struct
import tracemalloc
import warnings

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import write_frames, write_packets, write_video
from wtmr_core.datasets import Unreadable, container, faults, video
from wtmr_core.datasets.filenames import missing
from wtmr_core.datasets.video import (
    ClipFormat,
    Remark,
    decoded,
    is_image,
    is_video,
    most_motion,
    natural,
    read_frames,
    sequence,
    uniform,
)

FORM = ClipFormat(frames=4, size=16)


def cut(path, part=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


# -- choosing frames


@given(st.integers(1, 300), st.integers(1, 64))
def test_even_steps(found, frames):
    chosen = uniform(found, frames)
    assert len(chosen) == frames
    assert chosen[0] == 0
    assert (np.diff(chosen) >= 0).all()
    assert frames == 1 or chosen[-1] == found - 1
    assert set(range(min(found, frames))) <= set(chosen) or found > frames


@pytest.mark.parametrize(
    ("found", "frames", "expected"),
    [(5, 5, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (10, 4, [0, 3, 6, 9]), (2, 5, [0, 1, 1, 1, 1]), (7, 1, [0])],
)
def test_even_steps_by_hand(found, frames, expected):
    assert uniform(found, frames).tolist() == expected


def test_most_motion_finds_the_moving_stretch():
    """A square stands still, moves in frames 10 to 13, and stands still again."""
    shown = []
    for t in range(24):
        frame = np.zeros((64, 64, 1), np.uint8)
        left = 10 + 4 * np.clip(t - 9, 0, 4)
        frame[20:40, left : left + 20] = np.random.default_rng(0).integers(60, 255, (20, 20, 1))
        shown.append(frame)
    assert most_motion(shown, 4).tolist() == [10, 11, 12, 13]


def test_natural_order(tmp_path):
    names = ["f10.png", "f9.png", "f1.png", "a2b10.png", "a2b9.png"]
    assert [p.name for p in sorted(map(tmp_path.joinpath, names), key=natural)] == [
        "a2b9.png", "a2b10.png", "f1.png", "f9.png", "f10.png",
    ]  # fmt: skip


# -- reading


def test_a_folder_of_frames_in_natural_order(tmp_path):
    folder = write_frames(tmp_path / "clip", list(range(0, 240, 20)), prefix="any-")
    clip = read_frames(folder, ClipFormat(frames=12, size=8))
    assert clip.shape == (12, 8, 8, 1)
    assert clip[:, 0, 0, 0].tolist() == list(range(0, 240, 20))


def test_colours_are_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((8, 8, 3), (0, 0, 200), np.uint8))  # OpenCV writes BGR: red
    assert read_frames(tmp_path, ClipFormat(frames=1, size=4, channels=3))[0, 0, 0].tolist() == [200, 0, 0]


def test_a_video_is_read_to_its_end(tmp_path):
    clip = read_frames(write_video(tmp_path / "clip.avi", frames=9), ClipFormat(frames=9, size=8))
    assert (np.diff(clip[:, 4, 4, 0].astype(int)) > 10).all()


def spoil(folder):
    (folder / "frame_2.png").write_bytes(b"no image")


def overreach(folder):
    """Its pixels take 755 MB, says a PNG of some hundred bytes; the decoder would ask for as much."""
    file = folder / "frame_2.png"
    data = bytearray(file.read_bytes())
    at = data.index(b"IDAT")
    data[at - 4 : at] = (755_000_000).to_bytes(4)
    file.write_bytes(data)


def resize(folder):
    cv2.imwrite(str(folder / "frame_2.png"), np.zeros((5, 7, 3), np.uint8))


@pytest.mark.parametrize(
    ("kind", "harm", "reason"),
    [
        ("video", cut, "truncated"),
        ("video", lambda p: p.write_bytes(b""), "zero bytes"),
        ("video", lambda p: p.write_bytes(b"no video at all" * 99), "no frame decodes"),
        ("frames", spoil, "an image does not decode"),
        ("frames", overreach, "an image does not decode"),
        ("frames", lambda p: cut(p / "frame_2.png"), "an image does not decode"),
        ("frames", lambda p: (p / "frame_3.png").write_bytes(b""), "an image does not decode"),
        ("frames", resize, "frames of mixed size"),
        ("frames", lambda p: [f.unlink() for f in p.iterdir()], "no frames"),
    ],
)
def test_broken_recordings_have_a_reason(tmp_path, kind, harm, reason):
    path = write_video(tmp_path / "clip.avi", 20) if kind == "video" else write_frames(tmp_path / "clip", [1, 2, 3])
    harm(path)
    with pytest.raises(Unreadable) as error:
        read_frames(path, FORM)
    assert error.value.reason == reason


def test_what_follows_a_picture_is_no_part_of_it(tmp_path):
    whole, padded = (write_frames(tmp_path / name, [1, 2, 3]) for name in ("whole", "padded"))
    for file in padded.iterdir():
        file.write_bytes(file.read_bytes() + b"appended")
    np.testing.assert_array_equal(read_frames(padded, FORM), read_frames(whole, FORM))


# -- names


@pytest.mark.parametrize(
    ("names", "frames", "others"),
    [
        (["f_2.jpg", "f_10.jpg", "f_1.JPG"], ["f_1.JPG", "f_2.jpg", "f_10.jpg"], []),
        (["1.png", "2.png", "cover.png", "Thumbs.db", ".3.png"], ["1.png", "2.png"], ["cover.png"]),
        (["1.png", "2.png", "3.jpg"], ["1.png", "2.png"], ["3.jpg"]),
        (["cam1_1.png", "cam1_2.png", "cam1_3.png", "cam2_1.png"], ["cam1_1.png", "cam1_2.png", "cam1_3.png"],
         ["cam2_1.png"]),
        (["f_1_000.jpg", "f_2_033.jpg", "f_3_066.jpg"], ["f_1_000.jpg", "f_2_033.jpg", "f_3_066.jpg"], []),
        (["f_9_0.jpg", "f_10_0.jpg", "f_11_1.jpg"], ["f_9_0.jpg", "f_10_0.jpg", "f_11_1.jpg"], []),
        (["a.jpg", "b.jpg"], [], ["a.jpg", "b.jpg"]),
        ([], [], []),
    ],
    ids=["natural order", "a cover", "another suffix", "two cameras", "number and time", "number and second",
         "no number", "nothing"],
)  # fmt: skip
def test_the_frames_of_a_folder_are_one_sequence(tmp_path, names, frames, others):
    found = sequence([tmp_path / name for name in reversed(names)])
    assert [[file.name for file in files] for files in found] == [frames, others]


def test_suffixes_in_any_case_and_nothing_hidden(tmp_path):
    assert all(is_video(tmp_path / name) for name in ("a.AVI", "b.MPEG", "c.wmv", "d.M4v", "e.m2ts"))
    assert all(is_image(tmp_path / name) for name in ("a.JPG", "b.webp", "c.TIFF", "d.pgm"))
    assert not any(is_video(tmp_path / name) or is_image(tmp_path / name) for name in (".a.avi", "._1.jpg", "c.txt"))


def test_natural_order_knows_no_other_digits(tmp_path):
    assert natural(tmp_path / "m²_1.png") == [(1, "m²_"), (0, 1), (1, ".png")]


# -- half a recording


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (range(1, 21), (0, True)),
        ([0, 1, 2, 3, 5, 6, 7], (1, False)),  # a frame is missing: as 7 chosen evenly from 8
        ([*range(1, 41), 45, 50, 55, 60, 65], (0, True)),  # every frame, then every fifth
        ([*range(0, 100, 5)], (0, True)),
        ([*range(0, 50, 5), *range(100, 150, 5)], (10, True)),
        ([*range(1, 11), *range(21, 31)], (10, True)),
        ([1, 2, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 17, 20, 21], (4, True)),
        (np.linspace(0, 92, 8).astype(int), (0, False)),  # chosen evenly: steps of 13 and 14
        (np.linspace(0, 22, 16).astype(int), (7, False)),
        ([3, 10, 80, 84, 200], None),  # no rhythm
        ([7], (0, False)),
        ([4, 4, 4], (0, False)),
    ],
)
def test_holes_in_a_numbering(numbers, expected):
    lost, sure = missing([int(n) for n in numbers])
    if expected is None:
        assert not sure
    else:
        assert lost == expected[0]
        assert sure == expected[1] or not lost


def numbered(folder, numbers):
    folder.mkdir()
    for n in numbers:
        cv2.imwrite(str(folder / f"img_{n:05}.bmp"), np.full((8, 8, 3), n, np.uint8))
    return folder


def test_a_folder_with_a_hole_is_kept_with_a_remark_or_refused(tmp_path):
    with pytest.warns(Remark, match="has a hole: .*19 of 20 frames"):
        read_frames(numbered(tmp_path / "one", [*range(1, 8), *range(9, 21)]), FORM)
    with pytest.raises(Unreadable) as error:
        read_frames(numbered(tmp_path / "many", [*range(1, 8), *range(14, 21)]), FORM)
    assert error.value.reason == "has a hole"
    assert "14 of 20 frames from img_00001.bmp to img_00020.bmp" in error.value.detail


def telling(path, frames):
    """Let an .avi tell another number of frames, in all places where it does."""
    data = bytearray(path.read_bytes())
    header, stream = data.index(b"avih"), data.index(b"strh")
    data[header + 24 : header + 28] = data[stream + 40 : stream + 44] = struct.pack("<I", frames)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("told", "outcome"), [(15, None), (20, None), (21, None), (22, "remark"), (23, "remark"), (24, "refused")]
)
def test_frames_told_and_frames_read(tmp_path, told, outcome):
    path = telling(write_video(tmp_path / "clip.avi", 20), told)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if outcome == "refused":
            with pytest.raises(Unreadable) as error:
                read_frames(path, FORM)
            assert (error.value.reason, error.value.detail) == ("cut short", f"{path}: 20 of 24 frames")
        else:
            read_frames(path, FORM)
    assert [w.message.reason for w in caught] == (["fewer frames than told"] if outcome == "remark" else [])


def write_movie(path, frames=100, fourcc="mp4v"):
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*fourcc), 25, (64, 48))
    for t in range(frames):
        writer.write(np.full((48, 64, 3), 2 * t % 256, np.uint8))
    writer.release()
    return path


@pytest.mark.filterwarnings("error")
def test_a_trimmed_movie_is_whole(tmp_path):
    """Its edit list shows one half; the frames of the other are still in the file and counted."""
    data = bytearray(write_movie(tmp_path / "clip.mp4").read_bytes())
    edits, head = data.index(b"elst"), data.index(b"mvhd")
    data[edits + 12 : edits + 16] = data[head + 20 : head + 24] = struct.pack(">I", 2000)  # of 4,000 ms
    (tmp_path / "clip.mp4").write_bytes(data)
    assert len(read_frames(tmp_path / "clip.mp4", FORM)) == 4


def test_an_estimate_refuses_nothing_but_is_told(tmp_path):
    path = write_movie(tmp_path / "clip.mkv")
    cut(path)
    with pytest.warns(Remark, match="fewer frames than told: .* of 100 frames, by its container's estimate"):
        read_frames(path, FORM)


@pytest.mark.parametrize("harm", [0.3, 0.9])
def test_a_movie_cut_off_is_refused(tmp_path, harm):
    path = write_movie(tmp_path / "clip.mov")
    cut(path, harm)
    with pytest.raises(Unreadable):
        read_frames(path, FORM)


# -- memory


def plain(path, form):
    """What `read_frames` should give, with all frames in memory."""
    frames, capture = [], cv2.VideoCapture(str(path))
    while capture.grab():
        got, frame = capture.retrieve()
        if got:
            frames.append(video.fit(frame, form))
    chosen = most_motion(frames, form.frames) if form.choice == "flow" else uniform(len(frames), form.frames)
    return np.stack([frames[i] for i in chosen])


@pytest.mark.parametrize("choice", ["uniform", "flow"])
@pytest.mark.parametrize("bound", [0, 3000, 10**9])
def test_long_recordings_are_read_alike(tmp_path, monkeypatch, choice, bound):
    monkeypatch.setattr(video, "KEPT_BYTES", bound)
    form = ClipFormat(frames=5, size=16, channels=3, choice=choice)
    path, rng = tmp_path / "clip.avi", np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 36))
    frames = [rng.integers(0, 255, (36, 48, 3), np.uint8) for _ in range(30)]
    for frame in frames:
        writer.write(frame)
    writer.release()
    np.testing.assert_array_equal(read_frames(path, form), plain(path, form))
    folder = tmp_path / "frames"
    folder.mkdir()
    for n, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{n}.png"), frame)
    fitted = [video.fit(frame, form) for frame in frames]
    chosen = most_motion(fitted, 5) if choice == "flow" else uniform(30, 5)
    np.testing.assert_array_equal(read_frames(folder, form), np.stack([fitted[i] for i in chosen]))


def test_packets_that_do_not_decode_are_left_out(tmp_path, monkeypatch):
    """Every third one: in both passes alike, and with a remark."""
    shades = [np.full((48, 64, 3), 20 * n, np.uint8) for n in range(12)]
    path = write_packets(tmp_path / "clip.mkv", [(100 * n, b"?" if n % 3 == 2 else s) for n, s in enumerate(shades)])
    readings = []
    for bound in (10**9, 0):
        monkeypatch.setattr(video, "KEPT_BYTES", bound)
        with pytest.warns(Remark, match="damaged: .*4 of its packets .* after 0.10 s"):
            readings.append(read_frames(path, ClipFormat(frames=8, size=8)))
    np.testing.assert_array_equal(*readings)
    assert len(np.unique(readings[0].mean((1, 2, 3)))) == 8


def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "KEPT_BYTES", 100_000)
    path = write_video(tmp_path / "clip.avi", 600)
    tracemalloc.start()
    read_frames(path, ClipFormat(frames=4, size=64))  # all frames: 2.4 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_pictures_that_would_fill_the_memory_are_refused_unseen(tmp_path, monkeypatch):
    assert faults.PIXELS >= 7680 * 4320
    monkeypatch.setattr(faults, "PIXELS", 1000)
    Image.new("L", (40, 30)).save(tmp_path / "1.png")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    for path in (tmp_path, write_video(tmp_path / "clip.avi")):
        with pytest.raises(Unreadable) as error:
            read_frames(path, FORM)
        assert error.value.reason == "too large"


def test_a_picture_beyond_what_pillow_opens_is_too_large(tmp_path):
    (tmp_path / "1.ppm").write_bytes(b"P6 90000 90000 255\n")
    with pytest.raises(Unreadable) as error:
        read_frames(tmp_path, FORM)
    assert error.value.reason == "too large"


# -- files


def test_a_name_that_is_no_utf8(tmp_path):
    path = write_video(tmp_path / "clip.avi")
    path.rename(odd := tmp_path / "caf\udce9_%03d.avi")
    assert len(read_frames(odd, FORM)) == 4


def test_an_error_of_the_disk_is_not_the_end_of_the_video(tmp_path, monkeypatch):
    path, read, calls = write_movie(tmp_path / "clip.mkv", 400, "MJPG"), container._File.read, []

    def failing(stream, size=-1):
        calls.append(size)
        if len(calls) == 5:
            stream.error = OSError(5, "Input/output error")
            return b""
        return read(stream, size)

    monkeypatch.setattr(container._File, "read", failing)
    with pytest.raises(OSError, match="Input/output error"):
        read_frames(path, FORM)


def test_a_stream_never_raises(tmp_path):
    """FFmpeg would make what it likes of it."""

    class Broken:
        def read(self, *_):
            raise OSError(5, "Input/output error")

        seek = read

    stream = container._File(Broken())
    assert (stream.read(9), stream.seek(9)) == (b"", -1)
    assert stream.error.errno == 5


# -- real files


def test_real_videos_tell_a_wrong_number_of_frames(recordings):
    """All five headers promise a frame more than is there, so frames are counted by reading."""
    told_and_found = []
    for path in sorted((recordings / "hmdb51" / "clips").rglob("*.avi")):
        told = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
        told_and_found.append((told, len(list(decoded(path)))))
    assert told_and_found == [(409, 408), (243, 242), (75, 74), (90, 89), (141, 140)]


def test_a_real_truncated_video(recordings, tmp_path):
    source = next((recordings / "hmdb51" / "clips").rglob("*.avi"))
    (tmp_path / "cut.avi").write_bytes(source.read_bytes()[:200_000])
    with pytest.raises(Unreadable) as error:
        read_frames(tmp_path / "cut.avi", FORM)
    assert error.value.reason == "truncated"


def test_odd_real_videos(recordings):
    """Of 17 odd files nothing is said but of the one that is damaged: OpenCV, whose word the table is, stops there."""
    table = pd.read_csv(recordings / "odd_videos" / "truth.csv")
    outcome = {}
    for file, read in zip(table.file, table.read, strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                frames = read_frames(recordings / "odd_videos" / file, ClipFormat(read, size=8))
                outcome[file] = (len(frames), [w.message.reason for w in caught])
            except Unreadable as error:
                outcome[file] = error.reason
    assert outcome.pop("decord/corrupted.mp4") == (28, ["damaged"])
    assert outcome == {f: (r, []) for f, r in zip(table.file, table.read, strict=True) if f in outcome}


def test_real_surveillance_frames_that_change_their_pace(recordings):
    read_frames(recordings / "pedestrians" / "PETS09-S2L1" / "img1", FORM)


@pytest.mark.parametrize(
    ("first", "second"), [("{}.png", "{:02}.png"), ("{:03}.png", "{}.png"), ("f{}.png", "F{}.png")]
)
def test_two_sequences_of_the_same_numbers_are_not_one(tmp_path, first, second):
    files = [tmp_path / first.format(n) for n in range(1, 12)] + [tmp_path / second.format(n) for n in range(1, 8)]
    frames, others = sequence(files)
    assert frames == [tmp_path / first.format(n) for n in range(1, 12)]
    assert set(others) == set(files) - set(frames)
