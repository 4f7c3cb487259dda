"""Damage to the bytes of a file, drawn from a seeded generator."""

import re
from random import Random

NUMBERS = (
    *b"0 1 2 24 26 -1 -0 +5 007 1_0 0x10 1. .5 . - 1e 1e400 -1e-400 3.5e38 nan -inf Infinity 1.#IND 1,5 true".split(),
    *(b"%d" % n for n in (2**63, 2**64 - 1, 2**64, 10**30)),
    *(b"9" * 19, b"9" * 5000, "٣".encode(), "①".encode(), "1".encode("utf-16"), b""),
)
SIGNS = (
    *(b"\x00", b"\t", b"\v", b"\f", b"\r", b"\n", b"\r\n", b"\n\n", b" ", b" " * 300, b"\xa0", b"\x1c"),
    *("\N{LINE SEPARATOR}é\N{ZERO WIDTH SPACE}".encode(), "\N{BYTE ORDER MARK}".encode(), b"\xff\xfe"),
    *b", ; : \" ' \\ / ../ { } [ ] [[[[ &a *a <<: !!python/none - # % null ---".split(),
)


def mutated(data: bytes, random: Random) -> bytes:
    """`data` with one to three changes: bytes, numbers and lines changed, lost, put in or repeated, or the end cut."""
    for _ in range(random.choice((1, 1, 2, 3))):
        data = random.choice(CHANGES)(data, random)
    return data


def _place(data: bytes, random: Random, longest: int) -> tuple[int, int]:
    at = random.randint(0, len(data))
    return at, min(at + random.randint(0, longest), len(data))


def _flip(data: bytes, random: Random) -> bytes:
    at = random.randint(0, max(len(data) - 1, 0))
    return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]


def _delete(data: bytes, random: Random) -> bytes:
    at, end = _place(data, random, random.choice((1, 30, 3000)))
    return data[:at] + data[end:]


def _insert(data: bytes, random: Random) -> bytes:
    at, end = _place(data, random, 1)
    return data[:at] + random.choice(SIGNS) + data[end:]


def _line(data: bytes, random: Random) -> bytes:
    """A line lost, repeated, or put elsewhere."""
    lines = data.split(b"\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    line = lines.pop(i)
    lines[j:j] = [line] * random.randrange(3)
    return b"\n".join(lines)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randint(0, len(data)) if random.random() < 0.5 else max(len(data) - random.randint(0, 40), 0)]


def _number(data: bytes, random: Random) -> bytes:
    spans = [match.span() for match in re.finditer(rb"[-+.\w]+", data)]
    if not spans:
        return data
    start, end = random.choice(spans[:6] if random.random() < 0.3 else spans)
    return data[:start] + random.choice(NUMBERS) + data[end:]


CHANGES = (_flip, _delete, _insert, _line, _cut, _number, _number)
