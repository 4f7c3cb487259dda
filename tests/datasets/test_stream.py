"""A stream of frames: their number and seconds, how they stand, and what becomes of broken, odd and live sources."""

import re
import struct
import threading
import tracemalloc
import warnings
import wave
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import write_frames, write_packets, write_video
from wtmr_core.datasets import container, stream
from wtmr_core.datasets.pictures import places
from wtmr_core.datasets.stream import Stream
from wtmr_core.datasets.video import decoded


def grey(shade, height=48, width=64):
    return np.full((height, width, 3), shade, np.uint8)


def read(source, **options):
    """All frames of a source, and the remarks on it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Stream(source, **options) as video:
            frames = list(video)
    return frames, [str(warning.message) for warning in caught]


def shades(frames):
    return [round(float(frame.picture.mean()), -1) for frame in frames]


# -- times


VARIABLE = [0, 33, 70, 500, 520, 533, 1500]  # milliseconds


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_seconds_of_a_variable_rate_are_those_of_the_file(tmp_path, suffix):
    frames, remarks = read(write_packets(tmp_path / f"a.{suffix}", [(at, grey(9)) for at in VARIABLE]))
    assert [frame.number for frame in frames] == list(range(7))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.array(VARIABLE) / 1000, atol=1e-6)
    assert not remarks


@pytest.mark.parametrize(
    ("milliseconds", "fps", "numbers"),
    [
        (VARIABLE, 10, [0, 3, 6]),
        (VARIABLE, 1000, [0, 1, 2, 3, 4, 5, 6]),
        ([0, 33, 67, 100, 133, 167, 200, 233, 267, 300], 10, [0, 3, 6, 9]),  # 30 a second
        ([0, 40, 80, 120, 160, 200, 240, 280, 320], 10, [0, 2, 5, 7]),  # 25 a second: 0, 0.08, 0.2, 0.28
        ([0, 99, 200, 299, 401], 10, [0, 1, 2, 3, 4]),  # rounded times
        ([0, 200, 400], 10, [0, 1, 2]),  # slower than asked
    ],
)
def test_frames_are_taken_by_their_times(tmp_path, milliseconds, fps, numbers):
    frames, _ = read(write_packets(tmp_path / "a.mkv", [(at, grey(9)) for at in milliseconds]), fps=fps)
    assert [frame.number for frame in frames] == numbers
    np.testing.assert_allclose([frame.seconds for frame in frames], [milliseconds[n] / 1000 for n in numbers])


class Told(list):
    """Seconds in the place of a video that shows them."""

    rate = duration = None

    def __iter__(self):
        return ((seconds, None) for seconds in super().__iter__())

    def picture(self, _):
        return grey(9)

    def close(self):
        pass


@given(st.lists(st.floats(0.001, 3), max_size=60), st.floats(0.5, 60))
def test_never_more_a_second_than_asked_and_none_lost_that_is_slower(steps, fps):
    times = np.cumsum([0, *steps])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "VideoFile", lambda *_: Told(times))
        with Stream("told.mp4", most=fps) as video:
            taken = [frame.number for frame in video]
    assert len(taken) <= times[-1] * fps + 1.25
    apart = np.flatnonzero(np.diff(times) >= 1 / fps + 1e-9) + 1
    assert {0, *apart} <= set(taken)


def test_seconds_begin_with_the_first_frame_and_rise(tmp_path):
    frames, _ = read(write_packets(tmp_path / "a.mkv", [(at, grey(9)) for at in (700, 800, 800, 750, 1600)]))
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.1, 0.2, 0.3, 0.9])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 2, 3, 6, 7], [0, 1, 2, 5, 6]),  # a hole
        ([9351, 9426, 9451, 9476, 9501], [0, 3, 4, 5, 6]),  # every 25th, two lost
        ([*range(1, 41), 45, 50], [*range(40), 44, 49]),  # a change of pace
        ([0, 13, 26, 40, 53], [0, 1, 2, 3, 4]),  # chosen evenly
        ([3, 10, 80, 84, 200], [0, 1, 2, 3, 4]),  # no rhythm
        ([7], [0]),
    ],
)
def test_the_places_of_numbered_frames(numbers, expected):
    assert places(numbers) == expected


# -- pictures


@pytest.mark.parametrize(
    ("degrees", "size", "corner"), [(0, (64, 48), 0), (90, (48, 64), 2), (180, (64, 48), 3), (270, (48, 64), 1)]
)
def test_pictures_stand_as_the_file_says(tmp_path, degrees, size, corner):
    """White at the upper left is, turned to the left by 90°, at the lower left, and so on."""
    picture = grey(0)
    picture[:16, :16] = 255
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        track = file.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        track.set_display_rotation(degrees)
        file.mux([*track.encode(av.VideoFrame.from_ndarray(picture, "bgr24")), *track.encode(None)])
    with Stream(tmp_path / "a.mp4") as video:
        (frame,) = video
        assert (video.width, video.height) == size == frame.picture.shape[1::-1]
    corners = [frame.picture[y, x].mean() for y in (8, -8) for x in (8, -8)]
    assert np.argmax(corners) == corner
    assert max(corners) > 200


def test_another_size_is_fitted_into_the_first(tmp_path):
    pictures = [grey(200), grey(200, 96, 96), grey(200)]
    frames, remarks = read(write_packets(tmp_path / "a.mkv", [(100 * n, p) for n, p in enumerate(pictures)]))
    assert {frame.picture.shape for frame in frames} == {(48, 64, 3)}
    bars = frames[1].picture.astype(int)[24, :, 0]  # 48×48 in the middle of 64
    assert (bars[:8] == 0).all()
    assert (bars[-8:] == 0).all()
    assert (bars[9:-9] > 180).all()
    assert [remark.split(": ")[2] for remark in remarks] == [
        "96×96 from 0.10 s on, fitted into 64×48", "64×48 from 0.20 s on, fitted into 64×48",
    ]  # fmt: skip


def test_pictures_are_writable_for_who_draws_on_them(tmp_path):
    for frame in read(write_video(tmp_path / "a.avi", size=(50, 36)))[0]:
        cv2.circle(frame.picture, (9, 9), 5, (0, 0, 255))


def test_one_picture_is_held_at_a_time(tmp_path):
    path = write_packets(tmp_path / "a.mkv", [(100 * n, grey(n % 250, 480, 640)) for n in range(200)])
    tracemalloc.start()
    with Stream(path) as video:
        pictures = []
        for frame in video:
            pictures.append(weakref.ref(frame.picture))
            assert sum(picture() is not None for picture in pictures) <= 2
    assert len(pictures) == 200
    assert tracemalloc.get_traced_memory()[1] < 5 * 480 * 640 * 3
    tracemalloc.stop()


# -- broken sources


def test_what_does_not_decode_is_left_out(tmp_path):
    packets = [(100 * n, grey(20 * n)) for n in range(10)]
    packets[4] = packets[5] = (400, b"no picture")
    frames, remarks = read(write_packets(tmp_path / "a.mkv", packets))
    assert shades(frames) == [0, 20, 40, 60, 120, 140, 160, 180]
    assert [round(frame.seconds, 3) for frame in frames] == [0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9]
    (remark,) = remarks
    assert remark == f"damaged: {tmp_path}/a.mkv: 2 of its packets cannot be read, the first of them after 0.30 s"


def test_a_file_that_is_cut_is_read_up_to_there(tmp_path):
    path = write_video(tmp_path / "a.avi", 12)
    whole, silence = read(path)
    assert not silence
    head, chunks = path.read_bytes().split(b"movi", 1)
    path.write_bytes(head + b"movi" + b"00dc".join(chunks.split(b"00dc")[:8]))  # seven of them
    frames, remarks = read(path)
    assert len(frames) == 7
    for frame, before in zip(frames, whole, strict=False):
        assert frame.seconds == before.seconds
        np.testing.assert_array_equal(frame.picture, before.picture)
    assert [remark.split(":")[0] for remark in remarks] == ["truncated", "cut short"]


def test_an_error_of_the_disk_ends_the_stream(tmp_path, monkeypatch):
    path = write_packets(tmp_path / "a.mkv", [(100 * n, grey(n, 480, 640)) for n in range(100)])
    original, calls = container._File.read, []

    def failing(file, size=-1):
        calls.append(size)
        if len(calls) == 9:
            file.error = OSError(5, "Input/output error")
        return b"" if file.error else original(file, size)

    monkeypatch.setattr(container._File, "read", failing)
    frames, remarks = read(path)
    assert 0 < len(frames) < 100
    assert remarks[-1] == f"broken off: {path}: Input/output error"


def test_a_folder_with_a_hole_and_a_broken_picture(tmp_path):
    folder = write_frames(tmp_path, [10 * n for n in range(1, 13)])
    for n in (4, 5):
        (folder / f"frame_{n}.png").unlink()
    (folder / "frame_7.png").write_bytes(b"no picture")
    frames, remarks = read(folder, fps=5)
    assert [frame.number for frame in frames] == [0, 1, 2, 5, 7, 8, 9, 10, 11]
    assert [frame.seconds for frame in frames] == [frame.number / 5 for frame in frames]
    assert shades(frames) == [10, 20, 30, 60, 80, 90, 100, 110, 120]
    assert [remark.split(":")[0] for remark in remarks] == ["an image does not decode", "has a hole"]


def test_one_frame_is_a_video(tmp_path):
    for path in (write_packets(tmp_path / "a.mkv", [(0, grey(9))]), write_video(tmp_path / "a.avi", 1)):
        frames, remarks = read(path)
        assert [(frame.number, frame.seconds) for frame in frames] == [(0, 0.0)]
        assert not remarks


def test_a_title_that_is_no_utf8(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        file.metadata["title"] = "Cafe"
        track = file.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        file.mux([*track.encode(av.VideoFrame.from_ndarray(grey(9), "bgr24")), *track.encode(None)])
    (tmp_path / "a.mkv").write_bytes((tmp_path / "a.mkv").read_bytes().replace(b"Cafe", b"Caf\xe9"))
    assert len(read(tmp_path / "a.mkv")[0]) == 1


def no_rate(path):
    """An .avi that tells 0/0 frames a second, as cameras write it that are switched off."""
    data = bytearray(write_video(path, 3).read_bytes())
    header, track = data.index(b"avih") + 8, data.index(b"strh") + 8
    data[header : header + 4] = data[track + 20 : track + 24] = data[track + 24 : track + 28] = struct.pack("<I", 0)
    path.write_bytes(data)


def test_without_a_rate_frames_have_seconds_all_the_same(tmp_path):
    no_rate(tmp_path / "a.avi")
    frames, _ = read(tmp_path / "a.avi")
    np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.04, 0.08])


# -- nothing to read


def sound(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(16000))


def no_frames(path):
    with av.open(str(path), "w", format="avi") as file:
        track = file.add_stream("mpeg4", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        file.start_encoding()


def unknown_codec(path):
    path.write_bytes(write_video(path.with_suffix(".avi")).read_bytes().replace(b"XVID", b"ZZZ9"))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "zero bytes"),
        (lambda path: path.write_bytes(b"no video" * 99), "no frame decodes"),
        (lambda path: path.write_text("#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n"), "no frame decodes"),
        (lambda path: path.write_text(f"ffconcat version 1.0\nfile {path.parent}/real.avi\n"), "no frame decodes"),
        (sound, "no frame decodes (there are no pictures in it)"),
        (no_frames, "no frame decodes"),
        (unknown_codec, "no frame decodes (FFmpeg does not know what its pictures are coded with; convert it"),
        (lambda path: path.mkdir(), "no frames"),
    ],
    ids=["empty", "text", "a list on the network", "a list of files", "sound", "no frames", "codec", "folder"],
)
def test_one_sentence_where_nothing_can_be_read(tmp_path, write, message):
    path = tmp_path / "a.mp4"
    write_video(tmp_path / "real.avi")
    write(path)
    with pytest.raises(ValueError, match=r"a\.mp4: ") as error:
        Stream(path, fps=5)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Stream(tmp_path / "a.mp4")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_cannot_be(tmp_path, fps):
    with pytest.raises(ValueError, match=r"fps is .*; it must be a number above 0"):
        Stream(write_video(tmp_path / "a.avi"), fps=fps)


def test_a_folder_needs_its_rate(tmp_path):
    with pytest.raises(ValueError, match="a folder of frames has no times; give how many it has a second, fps"):
        Stream(write_frames(tmp_path, [1, 2, 3]))


# -- cameras and streams


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A stream on this machine: /whole is sent whole, /gone breaks off, /still says no more, /mute says nothing."""
    monkeypatch.setattr(container, "PATIENCE", 0.5)
    data = write_packets(tmp_path / "a.mkv", [(100 * n, grey(n, 480, 640)) for n in range(200)]).read_bytes()
    done = threading.Event()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/mute":
                done.wait(20)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data if self.path == "/whole" else data[: len(data) // 2])
            if self.path == "/still":
                done.wait(20)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://me:secret@127.0.0.1:{server.server_port}"
        done.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "least", "most", "message"),
    [
        ("/whole", 200, 200, None),
        ("/gone", 50, 150, "broken off: http://127.0.0.1:.*/gone: Input/output error"),
        ("/still", 50, 150, r"broken off: http://127.0.0.1:.*/still: nothing came for 0\.5 s"),
    ],
)
def test_a_stream_is_read_until_it_breaks_off(address, path, least, most, message):
    frames, remarks = read(address + path)
    assert least <= len(frames) <= most
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(len(frames)) / 10)
    assert len(remarks) == (message is not None)
    assert not message or re.fullmatch(message, remarks[0])


def test_a_stream_that_does_not_open_and_no_password_is_shown(address):
    with pytest.raises(ValueError, match=r"^http://127\.0\.0\.1:\d+/mute: cannot be opened \(nothing came for 0\.5 s"):
        Stream(address + "/mute")


def test_a_camera_by_its_number(monkeypatch):
    """FFmpeg's test picture in the place of a device."""
    monkeypatch.setattr(container, "CAMERAS", {container.sys.platform: ("lavfi", "testsrc=size=64x48:rate=10:n={}")})
    with Stream("0", fps=5) as camera:
        assert [(frame.number, round(frame.seconds, 6)) for frame in islice(camera, 3)] == [(0, 0), (2, 0.2), (4, 0.4)]


@pytest.mark.skipif(Path("/dev/video0").exists(), reason="there is a camera")
def test_a_camera_that_is_not_there():
    with pytest.raises(ValueError, match=r"^0: "):
        Stream(0)


# -- real files


#: OpenCV, whose word the table of the odd files is, stops at the first packet that does not decode, of 50
CORRECTED = {"decord/corrupted.mp4": {"read": 49, "last_ms": 4900, "max_step_ms": 200}}


def test_odd_real_videos(recordings):
    table = pd.read_csv(recordings / "odd_videos" / "truth.csv", index_col="file").astype({"last_ms": float})
    for file, truth in table.iterrows():
        truth = {**truth, **CORRECTED.get(file, {})}
        frames, remarks = read(recordings / "odd_videos" / file)
        milliseconds = 1000 * np.array([frame.seconds for frame in frames])
        assert len(frames) == truth["read"], file
        assert milliseconds[0] == 0
        assert milliseconds[-1] == pytest.approx(truth["last_ms"], abs=0.1)
        steps = np.diff(milliseconds)
        assert (steps.min(), steps.max()) == pytest.approx((truth["min_step_ms"], truth["max_step_ms"]), abs=0.1)
        assert {frame.picture.shape for frame in frames} == {(truth["h"], truth["w"], 3)}
        assert len(remarks) == (file in CORRECTED), remarks


def test_pictures_are_those_that_opencv_reads(recordings):
    """Turned too, of 8 and 10 bits, full range, H.264, HEVC and AV1."""
    for path in sorted((recordings / "odd_videos").rglob("*.m*")):
        capture = cv2.VideoCapture(str(path))
        for _, picture in islice(decoded(path), 3):
            assert np.abs(picture.astype(float) - capture.read()[1]).mean() < 0.5, path


def test_a_real_clip_of_a_variable_rate(recordings):
    """Ten frames a second of a telephone's 21 to 48: one for each tenth, within a frame of it."""
    frames, remarks = read(next((recordings / "homes/subject-1").glob("adl-10.mp4")), fps=10)
    seconds = np.array([frame.seconds for frame in frames])
    assert not remarks
    assert np.abs(seconds - np.arange(len(seconds)) / 10).max() < 0.1
    assert [frame.number for frame in frames] != list(range(0, 3 * len(frames), 3))


def test_a_real_folder_that_leaves_out_frames(recordings):
    """About a frame a second, named by its number at 25 a second; those without anybody are not there."""
    frames, _ = read(recordings / "street/block1/img1", fps=1)
    assert len(frames) == 140
    assert (frames[1].seconds, frames[-1].seconds) == ((9426 - 9351) / 25, (18101 - 9351) / 25)
