"""The text of NTU RGB+D's `.skeleton` files: who was seen in each frame, and where their 25 joints were.

Source of the format: Shahroudy et al., "NTU RGB+D: a large scale dataset for 3D human activity analysis", CVPR 2016,
and the MATLAB reader that comes with the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from wtmr_core.datasets.index import Unreadable
from wtmr_core.skeleton import JOINTS

NO_BODY = "no body in any frame"
MAX_BYTES, MAX_LINES, MAX_POSES = 32_000_000, 500_000, 200_000


@dataclass(frozen=True)
class Skeletons:
    """The content of a `.skeleton` file.

    Attributes:
        joints: (m, t, j, 3) in metres, camera space, NaN where a body is not seen
        bodies: (m,) their 64-bit ids in order of appearance
        seen: (t,) number of bodies in each frame
    """

    joints: np.ndarray
    bodies: np.ndarray
    seen: np.ndarray


def load(path: Path) -> Skeletons:
    """Read the `.skeleton` file at `path`; raises `Unreadable` as `parse`, and `OSError` where it cannot be opened."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise Unreadable("too large", f"{size:,} bytes, at most {MAX_BYTES:,}")
    return parse(path.read_bytes())


def parse(data: bytes) -> Skeletons:
    """Parse the text of a `.skeleton` file.

    The text consists of these lines and nothing else:

    - the number of frames; for each frame the number of its bodies, 0 or more; for each body
    - ten values, the first its id, which occurs once in a frame;
    - the number of joints, 25; and for each joint twelve values, the first three x, y and z.

    A line ends with LF or CRLF; the last may lack it or its LF, or be followed by blank lines. Blanks or tabs separate
    values, and may stand at both ends of a line. An id is a number of 1 to 20 decimal digits below 2^64; a number of
    frames, bodies or joints is one below 2^63. Any other value is a decimal number, with or without sign, point and
    exponent, or `nan` or `inf`, in small letters or capitals, as C prints what a sensor cannot tell, such as the pixel
    of a joint outside the picture. x, y and z are finite as float32.

    A cut inside the very last value cannot be detected where a number remains of it. It loses no x, y or z.

    Raises:
        Unreadable: for anything else, with one of these reasons: `cut short`, where the text ends before its counts are
            met; `its header lies`, where it continues afterwards; `not 25 joints`; `x, y or z is not finite`;
            `malformed`, for any other violation; `no body in any frame`; `too large`, for more than 32 MB, 500,000
            lines (ten minutes of one person at 30 frames a second), or 200,000 for the frames times the distinct ids,
            each of which takes a place in `joints`. NTU's own files last some ten seconds. Within these bounds no text
            takes more than about 300 MB and two seconds.
    """
    if len(data) > MAX_BYTES:
        raise Unreadable("too large", f"{len(data):,} bytes, at most {MAX_BYTES:,}")
    if b"\r" in data:
        data = data.removesuffix(b"\r").replace(b"\r\n", b"\n")
    data = data.rstrip(b" \t\n")
    lines = data.split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise Unreadable("too large", f"more than {MAX_LINES:,} lines")
    widths = _widths(data)
    seen, rows = [], {}  # bodies in each frame; id -> m
    starts, places = [], []  # of each pose: the line of its first joint, its (m, t)
    at = 0
    try:
        frames = _whole(lines[at])
        for t in range(frames):
            at += 1
            seen.append(_whole(lines[at]))
            present = set()
            for _ in range(seen[t]):
                at += 1
                _check(widths, at, 10)
                body = _whole(lines[at].split(None, 1)[0], 2**64)
                if body in present:
                    raise ValueError(f"body {body} stands twice in frame {t}")
                present.add(body)
                at += 1
                if (joints := _whole(lines[at])) != JOINTS and at + 1 < len(lines):
                    raise Unreadable("not 25 joints", f"line {at + 1}: {joints} in frame {t}")
                starts.append(at + 1)
                places.append((rows.setdefault(body, len(rows)), t))
                if widths[at + 1 : at + 1 + JOINTS] == _WORDS:
                    at += JOINTS
                else:  # which line is it?
                    for _ in range(JOINTS):
                        at += 1
                        _check(widths, at, 12)
    except IndexError:
        raise Unreadable("cut short", f"{len(lines):,} lines do not hold what the counts tell") from None
    except ValueError as error:
        raise Unreadable("malformed", f"line {at + 1}: {error}") from None
    if at + 1 < len(lines):
        raise Unreadable("its header lies", f"{frames} frames told, more follow in line {at + 2}")
    if not rows:
        raise Unreadable(NO_BODY, f"{frames} frames")
    if len(rows) * frames > MAX_POSES:
        raise Unreadable("too large", f"{len(rows):,} ids times {frames:,} frames, at most {MAX_POSES:,}")
    words = []
    for start in starts:
        for line in lines[start : start + JOINTS]:
            words += line.split(None, 3)[:3]
    with np.errstate(over="ignore"):
        poses = np.fromiter(map(float, words), np.float64, len(words)).astype(np.float32).reshape(-1, JOINTS, 3)
    if not np.isfinite(poses).all():
        pose, joint, _ = np.argwhere(~np.isfinite(poses))[0]
        raise Unreadable("x, y or z is not finite", f"line {starts[pose] + joint + 1}: joint {joint}")
    joints = np.full((len(rows), frames, JOINTS, 3), np.nan, np.float32)
    joints[tuple(np.transpose(places))] = poses
    return Skeletons(joints, np.array(list(rows), np.uint64), np.array(seen))


_WORDS = [12] * JOINTS
# every form of a number in small letters, with 0 for its digits, however many, and - for its sign
_DECIMALS = map("".join, product(("0", "0.", ".0", "0.0"), ("", "e0", "e-0")))
_NUMBERS = frozenset((sign + value).encode() for sign, value in product(("", "-"), ("nan", "inf", *_DECIMALS)))
_FORM = bytes.maketrans(b"123456789+AEFIN\r\v\f", b"000000000-aefin???")  # only blanks and tabs part values


def _widths(data: bytes) -> list[int]:
    """The number of values in each line, at most 13; negative where one of them is not a number.

    The lines of a file have few different forms, and each form is examined once.
    """
    forms = np.frombuffer(b"\n" + data.translate(_FORM), np.uint8)
    digits = forms == ord("0")
    lines = forms[1:][~(digits[1:] & digits[:-1])].tobytes().split(b"\n")
    width = {}
    for line in set(lines):
        words = line.split(None, 12)
        width[line] = len(words) if _NUMBERS.issuperset(words) else -len(words)
    return [width[line] for line in lines]


def _check(widths: list[int], at: int, due: int) -> None:
    """Raise `ValueError` where line `at` is not one of `due` numbers, `IndexError` where the text ends before it is."""
    if widths[at] != due:
        if at + 1 == len(widths) and abs(widths[at]) < due:
            raise IndexError
        raise ValueError("a value is not a number" if widths[at] == -due else f"{due} values are due")


def _whole(word: bytes, above: int = 2**63) -> int:
    """The whole number that `word` spells, below `above`; raises `ValueError`."""
    word = word.strip(b" \t")
    if not (word.isdigit() and len(word) <= 20 and int(word) < above):
        raise ValueError(f"{word[:20]!r} is not a number from 0 to {above - 1}")
    return int(word)
