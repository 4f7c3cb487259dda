"""Zones: who is in which, and what is refused of a file of them."""

import math
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from wtmr_core.tracking.zones import ZoneError, Zones, emptied, write_template

BED = [[10, 10], [50, 10], [50, 40], [10, 40]]
L_SHAPE = [[0, 0], [60, 0], [60, 20], [20, 20], [20, 60], [0, 60]]


def zones(size=(100, 80), rest=None, **polygons) -> Zones:
    value = {"size": list(size), "zones": polygons or {"bed": BED}}
    return Zones.of(value if rest is None else value | {"rest": rest})


def test_a_point_inside_and_on_the_border_of_a_zone_is_in_it():
    one = zones(hall=L_SHAPE)
    assert [one.at(p) for p in [(10, 50), (50, 10), (40, 40), (60, 20), (0, 0), (61, 10)]] == [
        "hall", "hall", "", "hall", "hall", "",
    ]  # fmt: skip


def test_of_overlapping_zones_the_smallest_is_meant():
    assert zones(room=[[0, 0], [100, 0], [100, 80], [0, 80]], bed=BED).at((20, 20)) == "bed"


def test_people_are_where_their_feet_are_and_those_who_sit_or_lie_on_what_bears_them():
    one = zones(bed=BED, floor=[[0, 41], [100, 41], [100, 80], [0, 80]])
    box = [15, 5, 35, 49]
    assert one.at_box(box) == one.at_box(box, "walking") == one.at_box(box, "unknown") == "floor"
    assert {one.at_box(box, activity) for activity in ("lying", "sitting", "sitting down")} == {"bed"}


def test_feet_below_the_picture_count_at_its_edge():
    assert zones(door=[[0, 70], [30, 70], [30, 80], [0, 80]]).at_box([-20, 20, 40, 130]) == "door"


def test_zones_follow_the_size_of_the_picture_but_not_its_shape():
    double = zones().scaled((200, 160))
    np.testing.assert_array_equal(double.polygons["bed"], 2.0 * np.array(BED))
    assert double.at((99, 79)) == "bed"
    assert double.rest == {"bed"}
    with pytest.raises(ZoneError, match="100×80; this one has 100×100"):
        zones().scaled((100, 100))


def test_zones_of_rest_are_told_by_name_or_by_the_file():
    assert zones(**{"bed 2": BED, "sofa": BED, "door": BED}).rest == {"bed 2", "sofa"}
    assert zones(Bett=BED, door=BED, rest=["Bett"]).rest == {"Bett"}
    assert zones(bed=BED, rest=[]).rest == frozenset()


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([[10, 10], [101, 10], [50, 40]], r"the corner \[101, 10\] lies outside the picture of 100×80"),
        ([[10, 10], [50, -1], [50, 40]], "outside the picture"),
        ([[10, 10], [50, 10]], "has 2 corners"),
        ([[10, 10], [50, 10], [10, 10]], "has 2 corners"),  # the last closes the ring
        ([[i % 100, i // 100] for i in range(120)], "has 120 corners"),
        ([[10, 10], [50, 40], [50, 10], [10, 40]], "crosses or touches itself"),
        ([[10, 10], [50, 10], [30, 10]], "crosses or touches itself"),  # no area
        ([[10, 10], [50, 10], [50, 10], [10, 40]], "crosses or touches itself"),
        ([[0, 0], [40, 0], [40, 40], [20, 0], [0, 40]], "crosses or touches itself"),
        ([[10, 10], [50, "x"], [50, 40]], r"a list of \[x, y\]"),
        ([[10, 10], [50, float("nan")], [50, 40]], r"a list of \[x, y\]"),
        ([[10, 10, 10], [50, 10], [50, 40]], r"a list of \[x, y\]"),
        ([10, 10, 50, 10, 50, 40], r"a list of \[x, y\]"),
        ([], r"a list of \[x, y\]"),
        (None, r"a list of \[x, y\]"),
    ],
)
def test_a_zone_that_cannot_be_is_refused(corners, message):
    with pytest.raises(ZoneError, match=message) as error:
        zones(shelf=corners)
    assert "shelf" in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the keys size, zones and perhaps rest"),
        ({"size": [9, 9]}, "the keys size, zones"),
        ({"size": [9, 9], "zones": {"a": BED}, "color": "red"}, "not size, zones, color"),
        ({"size": [9], "zones": {"a": BED}}, "size is"),
        ({"size": [9.5, 9], "zones": {"a": BED}}, "size is"),
        ({"size": [0, 9], "zones": {"a": BED}}, "size is"),
        ({"size": [True, 9], "zones": {"a": BED}}, "size is"),
        ({"size": [99, 99], "zones": None}, "zones is empty"),
        ({"size": [99, 99], "zones": {1: BED}}, "a zone's name is text"),
        ({"size": [99, 99], "zones": {"a;b": BED}}, "a zone's name is text"),
        ({"size": [99, 99], "zones": {"a": BED}, "rest": "a"}, "rest is a list"),
        ({"size": [99, 99], "zones": {"a": BED}, "rest": ["b"]}, "rest is a list"),
        ({"size": [99, 99], "zones": {"a": BED}, "rest": [["b"]]}, "rest is a list"),
    ],
)
def test_a_mapping_that_is_no_zones_is_refused(value, message):
    with pytest.raises(ZoneError, match=message):
        Zones.of(value)


def test_what_is_wrong_with_a_file_is_told_with_its_name(tmp_path):
    path = tmp_path / "zones.yaml"
    with pytest.raises(ZoneError, match=r"zones\.yaml cannot be read \(No such file"):
        Zones.read(path)
    path.write_text("size: [9, 9]\nzones:\n  a: [[0, 0], [9, 0], [9, 9]]\n  a: [[0, 0], [9, 0], [9, 9]]\n")
    with pytest.raises(ZoneError, match=r"zones\.yaml: line 4: a is given twice"):
        Zones.read(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(ZoneError, match=r"zones\.yaml"):
        Zones.read(path)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=6, unique=True))
def test_a_polygon_is_refused_exactly_where_its_edges_meet_other_than_at_a_corner_of_both(corners):
    """Parity with matplotlib's crossing of lines; edges with a common corner meet where the angle between them is 0."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
    crossing = False
    for (a, b), (c, d) in combinations(edges, 2):
        if common := {a, b} & {c, d}:
            (corner,) = common
            angles = [math.atan2(y - corner[1], x - corner[0]) for x, y in ({a, b} | {c, d}) - common]
            crossing |= math.isclose(*angles, abs_tol=1e-9)
        else:
            crossing |= bool(Path([a, b]).intersects_path(Path([c, d]), filled=False))
    try:
        zones(size=(9, 9), a=[list(corner) for corner in corners])
        refused = False
    except ZoneError:
        refused = True
    assert refused == crossing


def test_the_template_reads_once_a_zone_is_drawn_and_its_picture_shows_the_grid(tmp_path):
    picture = np.full((480, 640, 3), 90, np.uint8)
    image, text = write_template(picture, tmp_path / "new", "home.mp4")
    with pytest.raises(ZoneError, match="take the # off a line"):
        Zones.read(text)
    lines = text.read_text().splitlines()
    text.write_text("\n".join(line.replace("  # ", "  ", 1) if line.startswith("  # ") else line for line in lines))
    drawn = Zones.read(text)
    assert drawn.size == (640, 480)
    assert set(drawn.polygons) == {"bed", "sofa", "kitchen"}
    assert cv2.imread(str(image)).shape[1] > 960
    with pytest.raises(ZoneError, match="is there already"):
        write_template(picture, tmp_path / "new")


def test_who_moves_is_gone_from_an_emptied_picture():
    pictures = [np.full((20, 50, 3), 70, np.uint8) for _ in range(5)]
    for t, picture in enumerate(pictures):
        picture[5:15, 10 * t : 10 * t + 10] = 200
    np.testing.assert_array_equal(emptied(pictures), np.full((20, 50, 3), 70))
