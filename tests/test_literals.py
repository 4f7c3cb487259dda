"""YAML is read by the core schema of YAML 1.2 and no further; any value is shown in short."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtmr_core.literals import DEPTH, DIGITS, NODES, LiteralError, read, shown

TEXT = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="<"))
SCALARS = st.none() | st.booleans() | st.integers(-(10**29), 10**29) | st.floats(allow_nan=False) | TEXT


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10).filter(
        lambda value: not math.isinf(value) if isinstance(value, float) else "Infinity" not in json.dumps(value)
    )
)
def test_json_is_read_as_json_reads_it(value):
    assert read(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False),
        ("0", 0), ("-3", -3), ("+3", 3), ("9" * DIGITS, int("9" * DIGITS)),
        ("1e-3", 0.001), (".5", 0.5), ("2.", 2.0), ("-1.5E+3", -1500.0), ("1e999", math.inf), ("-.inf", -math.inf),
        ("[16, 32]", [16, 32]), ("{a: }", {"a": None}), ("{1: 2, x: 3}", {1: 2, "x": 3}),
        ("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}", {"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}),
        ("[&x {a: 1}, &y {a: 2, b: 2}, {<<: [*x, *y]}]", [{"a": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}]),
    ],
)  # fmt: skip
def test_what_is_read(text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    "text",
    ["010", "1_6", "1:30", "2024-13-45", "2024-01-02", "yes", "No", "on", "off", "0x10", "0o7", "0b1", "1e", ".", "nan",
     "inf", "1.5.2", "=", "9" * (DIGITS + 1), "٣", "cuda:1"],
    ids=shown,
)  # fmt: skip
def test_all_else_is_text(text):
    assert read(text) == text
    assert read(f"[{text}, '3']") == [text, "3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "line 1: expected the node content, but found '<stream end>'"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: 1\nb: 2\na: 3", "line 3: a is given twice"),
        ("{[1]: 2}", r"line 1: \[1\] is a key"),
        ("{{a: 1}: 2}", "line 1: {'a': 1} is a key"),
        ("a: !!python/object:os.system x", "line 1: there is the tag tag:yaml.org,2002:python"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary"),
        ("a: !!set {b}", "the tag tag:yaml.org,2002:set"),
        ("a: !!timestamp 2024-13-45", "the tag tag:yaml.org,2002:timestamp"),
        ("a: !!int x", "the tag tag:yaml.org,2002:int"),
        ("a: *b", r"line 1: before \*b there is no &b"),
        ("a: &a [*a]", r"line 1: before \*a there is no &a"),
        ("a: &a 1\nb: &a 2", "line 2: &a is given twice"),
        ("a: {<<: 3}", "line 1: << takes settings over, such as <<: .*, not 3"),
        ("[" * (DEPTH + 2), f"line 1: lists and mappings lie in each other deeper than {DEPTH}"),
        ("[" * 10**5, "deeper than"),
        (f"[{'1, ' * NODES}]", f"line 1: there are more than {NODES:,} values"),
        ("- &x {a: 1, b: 2, c: 3}\n- <<: [" + "*x, " * (NODES // 3) + "]", "more than"),
        ("a\x00b", r"line 1: text has the character '\\x00'"),
        ('"\\0"', r"line 1: text has the character '\\x00'"),
        ('"\\ud800"', r"line 1: text has the character '\\ud800'"),
        ('\n"\\UFFFFFFFF"', "line 2: an escape or directive has a number that cannot be"),
        (f"%YAML 1.{'1' * 5000}\n--- a", "line 1: an escape or directive"),
        (f"*{'x' * 10**5}", "line 1: before"),
    ],
    ids=shown,
)
def test_what_is_not_read_is_named_with_its_line(text, says):
    with pytest.raises(LiteralError, match=says) as error:
        read(text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("three", "'three'"),
        (None, "None"),
        ((1, 2), "(1, 2)"),
        (10**5000, "a number of about 5000 digits"),
        ([10**5000], "[a number of about 5000 digits]"),
        ("a\nb", r"'a\nb'"),
    ],
    ids=shown,
)
def test_a_value_is_shown_as_python_writes_it(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, [0] * 10**6, {i: "y" * 100 for i in range(1000)}, np.zeros((100, 100)), [[["z" * 99] * 99] * 9]],
    ids=shown,
)
def test_a_long_value_is_cut(value):
    assert len(shown(value)) <= 80
    assert "\n" not in shown(value)


def test_text_may_stand_without_quotes():
    assert shown("a'b", quotes=False) == "a'b"
    assert shown("x\0", quotes=False) == r"x\x00"
    assert shown(3, quotes=False) == "3"
