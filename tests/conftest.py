"""What the tests share: small recordings in the real layouts, and the real ones where they lie beside the project."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side

import av
import cv2
import hypothesis
import numpy as np
import pytest

from wtmr_core import runs
from wtmr_core.paper import comparison

# the same cases each time, and no verdict on the speed of a busy machine
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.load_profile("seeded")

PROJECT = Path(__file__).resolve().parents[1]
RECORDINGS = PROJECT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_places(tmp_path_factory, monkeypatch):
    """No test reads or leaves a cache, a data root or results of the project."""
    monkeypatch.setenv("WTMR_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr("wtmr_core.datasets.roots.CHECKOUT", tmp_path_factory.mktemp("elsewhere"))
    for name in ("WTMR_DATA", "WTMR_RESULTS", "WTMR_TRACEBACK", "WTMR_AGENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; skips where it is absent."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"real recordings are not at {os.path.relpath(RECORDINGS, PROJECT)}")
    return RECORDINGS


@pytest.fixture(scope="session")
def committed_results(tmp_path_factory) -> Path:
    """`results/` as the last commit holds it, whatever was reproduced since; where there is no git, as it lies here."""
    try:
        return comparison.committed(PROJECT, "results", tmp_path_factory.mktemp("committed"))
    except runs.RunError:
        return PROJECT / "results"


def write_video(path: Path, frames: int = 6, shade: int = 0, size: tuple[int, int] = (48, 36)) -> Path:
    """A small MPEG-4 .avi whose brightness rises from frame to frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), 10, size)
    for t in range(frames):
        video.write(np.full((size[1], size[0], 3), min(shade + 20 * t, 255), np.uint8))
    video.release()
    return path


def write_packets(path: Path, packets: list[tuple[int, bytes | np.ndarray]], rate: int = 10) -> Path:
    """A video of pictures shown at the given milliseconds, each coded as it stands there: bytes are no picture."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuvj420p", Fraction(1, 1000)
        for n, (milliseconds, picture) in enumerate(packets):
            coded = picture if isinstance(picture, bytes) else cv2.imencode(".jpg", picture)[1].tobytes()
            packet = av.Packet(coded)
            packet.stream, packet.pts, packet.dts = (
                stream,
                milliseconds,
                n,
            )  # decoded in this order
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
            file.mux(packet)
    return path


def write_frames(folder: Path, shades: list[int], prefix: str = "frame_", size: tuple[int, int] = (24, 32)) -> Path:
    """A folder of numbered PNG frames, one shade each, numbered without leading zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, shade in enumerate(shades, 1):
        cv2.imwrite(str(folder / f"{prefix}{n}.png"), np.full((*size, 3), shade, np.uint8))
    return folder


def skeleton_text(frames: list[dict[int, np.ndarray]]) -> str:
    """A `.skeleton` file: a dict of body id -> joints (25, 3) for each frame."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.02 0.05 2", str(len(joints))]
            lines += [f"{x:.7g} {y:.7g} {z:.7g} 277.4 191.8 1036.2 519.1 -0.2 0.05 0.9 -0.1 2" for x, y, z in joints]
    return "\r\n".join(lines) + "\r\n"


def write_hmdb51(root: Path, classes=("sit", "walk"), films: int = 8, takes: int = 2) -> Path:
    """Class folders of small videos, `takes` of each film, and the three split lists: films 1-2 test, last unused."""
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for k, name in enumerate(classes):
        clips = [f"Film{f}_{name}_f_nm_np1_fr_goo_{take}" for f in range(films) for take in range(takes)]
        for n, clip in enumerate(clips):
            write_video(root / name / f"{clip}.avi", 5 + n % 3, shade=40 * k + n)
        for split in (1, 2, 3):
            part = ["2" if clip[4] in f"{split}{split + 1}" else "0" if clip[4] == "0" else "1" for clip in clips]
            text = "".join(f"{clip}.avi {p} \n" for clip, p in zip(clips, part, strict=True))
            (lists / f"{name}_test_split{split}.txt").write_text(text)
    return root


def write_ntu60(root: Path, performers=(1, 2, 3, 4, 5, 6, 8, 9), actions=(1, 8, 58), frames: int = 18) -> Path:
    """Skeleton files by several performers and two cameras; action 58 has two bodies."""
    folder = root / "nturgb+d_skeletons"
    folder.mkdir(parents=True)
    for p in performers:
        for a in actions:
            for c in (1, 2):
                rng = np.random.default_rng([p, a, c])
                rest = rng.normal((0, 0, 3), 0.3, (25, 3))
                swing = np.sin(np.arange(frames) * a / 4)[:, None, None] * [
                    0.2 * (a == 1),
                    0.2 * (a == 8),
                    0.1,
                ]
                motion = rest + swing
                bodies = [{7205: m} | ({7206: m + 1} if a == 58 else {}) for m in motion]
                (folder / f"S001C{c:03}P{p:03}R001A{a:03}.skeleton").write_text(skeleton_text(bodies))
    return root


def write_svideoqa(root: Path, sequences: int = 6) -> Path:
    """Sequences with one subject before two cameras; .csv tables, one sequence with .xls."""
    import xlwt

    for s in range(1, sequences + 1):
        word = ("walking", "sitting")[s % 2]
        for camera in ("Camera01", "Camera02"):
            folder = root / f"videosequence-{s:03}" / "subject1" / camera
            write_frames(folder, [10 * s + 9 * i for i in range(5)])
            rows = [("What is the person doing?", word), ("How many people are there?", "one")]
            if s == sequences:
                book = xlwt.Workbook()
                sheet = book.add_sheet("qa")
                for r, row in enumerate([("Question", "Answer"), *rows]):
                    for c, cell in enumerate(row):
                        sheet.write(r, c, cell)
                book.save(str(folder / "qa.xls"))
            else:
                text = "question,answer\n" + "".join(f"{q},{a}\n" for q, a in rows)
                (folder / "qa.csv").write_text(text)
    return root
