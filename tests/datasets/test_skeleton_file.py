"""`.skeleton` files, whatever stands in them: hand-worked ones, damaged ones, and a slow reader that says the same."""

import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import reference_skeleton
from tests.conftest import skeleton_text
from tests.mutation import mutated
from wtmr_core.datasets import Unreadable
from wtmr_core.datasets.skeleton_file import MAX_BYTES, MAX_LINES, MAX_POSES, load, parse

RNG = np.random.default_rng(0)
BODY = RNG.normal(size=(25, 3)).astype(np.float32)
POSE = "0 1 1 1 1 0 0 0 2\n25\n" + "1 2 3 0 0 0 0 0 0 0 0 2\n" * 25  # what follows an id


def assert_equal(data: bytes) -> None:
    """Assert that the parser gives bit for bit what the slow reader gives, or that both refuse."""
    try:
        expected = reference_skeleton.read(data)
    except reference_skeleton.Refused:
        with pytest.raises(Unreadable):
            parse(data)
        return
    skeletons = parse(data)
    for array, same in zip((skeletons.joints, skeletons.bodies, skeletons.seen), expected, strict=True):
        assert (array.dtype, array.shape, array.tobytes()) == (same.dtype, same.shape, same.tobytes())


def good(frames: int = 4, bodies: tuple[int, ...] = (7,)) -> str:
    return skeleton_text([{b: BODY + t + b for b in bodies} for t in range(frames)])


def changed(line: int, to: str) -> str:
    lines = good().split("\r\n")
    lines[line] = to
    return "\r\n".join(lines)


def refusal(text: str | bytes) -> Unreadable:
    with pytest.raises(Unreadable) as error:
        parse(text if isinstance(text, bytes) else text.encode())
    return error.value


# -- what is read


def test_a_file_worked_by_hand():
    """Two frames, the largest id in the first, a smaller one after it in the second."""
    pose = POSE.replace("1 2 3", "\t-.5  1e1 +2. ", 1)
    skeletons = parse(f"2\n1\n{2**64 - 1} {pose}2 \n 5\t{POSE}{2**64 - 1} {POSE}\n \t\n".encode())
    assert skeletons.joints.shape == (2, 2, 25, 3)
    assert skeletons.joints[0, 0, :2].tolist() == [[-0.5, 10, 2], [1, 2, 3]]
    assert np.isnan(skeletons.joints[1, 0]).all()
    assert (skeletons.joints[:, 1] == [1, 2, 3]).all()
    assert skeletons.bodies.tolist() == [2**64 - 1, 5]
    assert skeletons.seen.tolist() == [1, 2]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([72057594037931101, 72057594037931102, 3]), unique=True), min_size=1, max_size=5)
    .filter(lambda frames: any(frames)),
    st.integers(0, 2**32),
)  # fmt: skip
def test_parsing_equals_reading_line_by_line(frames, seed):
    """Any bodies in any frames; ids beyond 2^53, one apart; numbers in every notation that C++ prints."""

    random = Random(seed)

    def number() -> str:
        value = random.choice([0.0, 3.0]) + random.uniform(-1, 1) * random.choice([0, 1e-5, 1, 1e6])
        return random.choice(["{:.7g}", "{:f}", "{:.15g}", "{:e}", "{:.0f}", "{!r}"]).format(value)

    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body in bodies:
            lines += [f"{body} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [" ".join(number() for _ in range(3)) + " 1 -inf 3 4 nan 6 7 8 2" for _ in range(25)]
    data = (random.choice(["\n", "\r\n"]).join(lines) + random.choice(["\n", "", "\r", "\r\n", "\n\n"])).encode()
    reference_skeleton.read(data)  # refuses none of them
    assert_equal(data)


@pytest.mark.parametrize("before", ["", " ", "\t \t", " " * 5000])
def test_blanks_change_nothing(before):
    lines = [before + line.replace(" ", "\t ") + before for line in good().split("\r\n")]
    assert parse("\n".join(lines).encode()).joints.tobytes() == parse(good().encode()).joints.tobytes()


def test_bodies_are_followed_by_their_id():
    """Two bodies that swap places in the file stay themselves."""
    still, mover = BODY, BODY + 5
    frames = [{1: still, 2: mover}, {2: mover + 0.5, 1: still}, {2: mover + 1, 1: still}]
    skeletons = parse(skeleton_text(frames).encode())
    np.testing.assert_allclose(skeletons.joints[1, :, 0, 0], mover[0, 0] + np.array([0, 0.5, 1]), rtol=1e-6)
    assert skeletons.bodies.tolist() == [1, 2]


# -- what is refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (good()[: len(good()) // 2], "cut short"),
        ("\r\n".join(good().split("\r\n")[:-10]), "cut short"),
        ("\r\n".join(good().split("\r\n")[:56]), "cut short"),
        (good().removesuffix(" 2\r\n"), "cut short"),
        (good().removesuffix("0.9 -0.1 2\r\n"), "cut short"),
        (good().removesuffix("0.1 2\r\n"), "cut short"),
        (changed(0, "9"), "cut short"),
        (changed(0, "2"), "its header lies"),
        (good() + "0", "its header lies"),
        (changed(0, "999999999999999"), "cut short"),
        (changed(0, ""), "malformed"),
        (changed(0, "many"), "malformed"),
        (changed(1, "-1"), "malformed"),
        (changed(1, f"{2**64 - 1}"), "malformed"),
        (changed(1, "1_0"), "malformed"),
        (changed(1, "+1"), "malformed"),
        (changed(1, "١"), "malformed"),
        (changed(1, "1 0"), "malformed"),
        (changed(1, "9" * 5000), "malformed"),
        (changed(2, ""), "malformed"),
        (changed(2, "7 0 1 1 1 1 0 0 0"), "malformed"),
        (changed(2, "7 0 1 1 1 1 0 0 0 2 2"), "malformed"),
        (changed(2, "7 0 1 1 1 1 0 0 - 2"), "malformed"),
        (changed(2, "-1 0 1 1 1 1 0 0 0 2"), "malformed"),
        (changed(2, "1.0 0 1 1 1 1 0 0 0 2"), "malformed"),
        (changed(2, f"{2**64} 0 1 1 1 1 0 0 0 2"), "malformed"),
        (changed(3, "24"), "not 25 joints"),
        (changed(3, "25.0"), "malformed"),
        (changed(4, "nan 1 2 0 0 0 0 0 0 0 0 2"), "x, y or z is not finite"),
        (changed(4, "1 INF 2 0 0 0 0 0 0 0 0 2"), "x, y or z is not finite"),
        (changed(4, "1 2 3.5e38 0 0 0 0 0 0 0 0 2"), "x, y or z is not finite"),
        (changed(4, "1 2 1e400 0 0 0 0 0 0 0 0 2"), "x, y or z is not finite"),
        (changed(4, "1 two 3 0 0 0 0 0 0 0 0 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 0 1.#IND 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 1.2.3 0 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 1e 0 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 1_0 0 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 0 2"), "malformed"),
        (changed(4, "1 2 3 0 0 0 0 0 0 0 0 2 2"), "malformed"),
        (changed(4, "1\x002 3 0 0 0 0 0 0 0 0 2"), "malformed"),
        (changed(4, "1\v2 3 0 0 0 0 0 0 0 0 2"), "malformed"),
        (changed(4, "1\r2 3 0 0 0 0 0 0 0 0 2"), "malformed"),
        (changed(4, "1 2"), "malformed"),
        (f"1\n2\n7 {POSE}7 {POSE}", "malformed"),
        (skeleton_text([{}, {}]), "no body in any frame"),
        ("0\r\n", "no body in any frame"),
        ("", "malformed"),
        ("\ufeff" + good(), "malformed"),
        ("\x00\x01binary", "malformed"),
        (good().encode("utf-16"), "malformed"),
    ],
)
def test_broken_files_have_a_reason(text, reason):
    assert refusal(text).reason == reason


def test_a_refusal_names_the_line():
    assert refusal(changed(7, "1 two 3 0 0 0 0 0 0 0 0 2")).detail == "line 8: a value is not a number"
    assert refusal(changed(7, "1 2 3")).detail == "line 8: 12 values are due"
    assert refusal(changed(7, "1 nan 3 0 0 0 0 0 0 0 0 2")).detail == "line 8: joint 3"
    assert refusal(f"1\n2\n7 {POSE}7 {POSE}").detail == "line 30: body 7 stands twice in frame 0"


@pytest.mark.parametrize("end", [b"", b" 0.1234"])
def test_a_file_cut_anywhere_is_refused_or_lost_nothing(end):
    """Cut at any byte; what is still read had lost no more than digits of its last value, or the end of its line."""
    whole = good(2).encode().removesuffix(b" 2\r\n") + (end or b" 2\r\n")
    joints = parse(whole).joints.tobytes()
    for cut in range(len(whole)):
        try:
            assert parse(whole[:cut]).joints.tobytes() == joints
        except Unreadable:
            continue
        assert cut >= len(whole) - 5


# -- what is too large


#: 400 ids, and frames enough that a place for each of them is too much
CROWD = b"%d\n400\n" % (MAX_POSES // 400 + 1) + b"".join(b"%d %s" % (i, POSE.encode()) for i in range(400))


@pytest.mark.parametrize(
    "data",
    [b" " * (MAX_BYTES + 1), b"00\n" * (MAX_BYTES // 3), CROWD + b"0\n" * (MAX_POSES // 400)],
    ids=["bytes", "lines", "ids × frames"],
)
def test_too_large_a_file_is_refused_at_once(data):
    tracemalloc.start()
    assert refusal(data).reason == "too large"
    assert tracemalloc.get_traced_memory()[1] < 1.5e8
    tracemalloc.stop()


def test_ten_minutes_of_one_person_are_not_too_large():
    frames = MAX_LINES // 28
    assert parse(b"%d\n" % frames + (b"1\n7 " + POSE.encode()) * frames).joints.shape == (1, frames, 25, 3)


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "large.skeleton"
    with file.open("wb") as sparse:
        sparse.truncate(10**12)
    with pytest.raises(Unreadable) as error:
        load(file)
    assert error.value.reason == "too large"


# -- damaged files, and real ones


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_read_as_line_by_line(seed):
    """A hundred files with bytes, numbers and lines changed: the slow reader's verdict and its arrays; no other error.

    `benchmarks/fuzz.py` does the same with thousands.
    """
    random = Random(seed)
    texts = [good(2, (7, 2**64 - 1)), skeleton_text([{}, {5: BODY}]), good(1, (3, 4)).replace("\r", "")]
    for _ in range(100):
        assert_equal(mutated(random.choice(texts).encode(), random))


def test_real_files_read_as_line_by_line(recordings):
    files = sorted(recordings.glob("*/nturgb+d_skeletons/*.skeleton"))[::20]
    for file in [*files, *(recordings / "ntu60").rglob("*.skeleton")]:
        reference_skeleton.read(file.read_bytes())  # refuses none of them
        assert_equal(file.read_bytes())


def test_a_real_file(recordings):
    [file] = (recordings / "ntu60" / "nturgb+d_skeletons").glob("*.skeleton")
    assert load(file).joints.shape == (1, 103, 25, 3)
