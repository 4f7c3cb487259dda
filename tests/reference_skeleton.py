"""`.skeleton` files read slowly, a line and a word at a time: what the parser is compared with."""

import re

import numpy as np

DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
NO_NUMBER = re.compile(r"[+-]?(?:nan|inf)\Z", re.IGNORECASE)


class Refused(Exception):
    """The text is not that of a `.skeleton` file."""


def read(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`joints` (m, t, j, 3) float32, `bodies` (m,) uint64 and `seen` (t,); raises `Refused`."""
    lines = [line.removesuffix("\r") for line in data.decode("latin-1").split("\n")]
    while len(lines) > 1 and not lines[-1].strip(" \t"):
        lines.pop()
    left = iter(lines)
    frames = []
    for _ in range(whole(words(left, 1)[0], 2**63)):
        bodies: dict[int, list] = {}
        for _ in range(whole(words(left, 1)[0], 2**63)):
            body = whole(numbers(left, 10)[0], 2**64)
            if body in bodies or whole(words(left, 1)[0], 2**63) != 25:
                raise Refused
            bodies[body] = [[float(word) for word in numbers(left, 12)[:3]] for _ in range(25)]
        frames.append(bodies)
    if next(left, None) is not None:
        raise Refused
    ids = list(dict.fromkeys(body for bodies in frames for body in bodies))
    if not ids:
        raise Refused
    joints = np.full((len(ids), len(frames), 25, 3), np.nan, np.float32)
    for t, bodies in enumerate(frames):
        for body, values in bodies.items():
            with np.errstate(over="ignore"):
                joints[ids.index(body), t] = np.array(values)
            if not np.isfinite(joints[ids.index(body), t]).all():
                raise Refused
    return joints, np.array(ids, np.uint64), np.array([len(bodies) for bodies in frames])


def words(lines, due: int) -> list[str]:
    """The words of the next line, as many as are due."""
    found = [word for word in re.split("[ \t]+", next(lines, "").strip(" \t")) if word]
    if len(found) != due:
        raise Refused
    return found


def numbers(lines, due: int) -> list[str]:
    """The words of the next line, every one a number."""
    found = words(lines, due)
    if not all(DECIMAL.match(word) or NO_NUMBER.match(word) for word in found):
        raise Refused
    return found


def whole(word: str, above: int) -> int:
    """The number that `word` is, of at most 20 digits and below `above`."""
    if not re.fullmatch("[0-9]{1,20}", word) or int(word) >= above:
        raise Refused
    return int(word)
