"""Tables as a reader sees them, in HTML, as text and in LaTeX."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from wtmr_core.paper import readable
from wtmr_core.paper.readable import Column

FRAME = pd.DataFrame(
    {
        "dataset": ["hmdb51", "hmdb51", "ntu60"],
        "label": ["wtmr", "wtmr depth=0", "released-wmrc"],
        "top1": [0.728, 0.5, np.nan],
        "top1_low": [0.682, 0.4, np.nan],
        "top1_high": [0.771, 0.6, np.nan],
        "difference": [np.nan, -0.2284, 0.0041],
        "seconds": [61.4, 7.0, 1234.0],
    }
)


def rows(table):
    """The text of the cells of the HTML, headings first."""
    return [
        ["".join(cell.itertext()) for cell in row] for row in ElementTree.fromstring(table._repr_html_()).iter("tr")
    ]


def test_a_table_has_words_per_cent_intervals_and_dashes():
    assert rows(readable.table(FRAME, "What each part is worth")) == [
        ["data set", "network", "right, %", "difference, points", "training, s"],
        ["HMDB51", "WTMR-Net, described", "72.8 (68.2–77.1)", "–", "61"],
        ["", "WTMR-Net, described: CNN alone", "50.0 (40.0–60.0)", "−22.8", "7"],
        ["NTU RGB+D", "WMRC-Net", "–", "+0.4", "1234"],
    ]


def test_columns_are_chosen_ordered_and_headed():
    columns = {"seconds": Column("time", "s", 2, group="cost"), "label": None, "top1": "test"}
    groups, headings, first, *_ = rows(readable.table(FRAME, "Chosen", columns))
    assert groups[0] == "cost"
    assert headings == ["time, s", "network", "test, %"]
    assert first == ["61.40", "WTMR-Net, described", "72.8 (68.2–77.1)"]
    with pytest.raises(ValueError, match=r"the table 'Chosen' has no column 'f1'; there are dataset, label"):
        readable.table(FRAME, "Chosen", ["f1"])


@pytest.mark.parametrize(("column", "value", "said"), [
    (Column("any"), None, "–"), (Column("any"), "", "–"), (Column("any"), float("nan"), "–"),
    (Column("any"), True, "yes"), (Column("any"), 1234, "1234"), (Column("any"), 0.012345, "0.0123"),
    (Column("any"), pd.NA, "–"), (Column("any"), 1500.0, "1500"), (Column("any"), 999.6, "1000"),
    (Column("any"), -123456.7, "−123457"),
    (Column("any"), np.int64(3), "3"), (Column("any", digits=2), np.float32(1.5), "1.50"),
    (Column("share", "%"), 1, "100.0"), (Column("share", "%", 0), 0.123, "12"),
    (Column("change", "points"), 0.0, "+0.0"), (Column("change", "points"), -0.0001, "−0.0"),
    (Column("p", digits=3), 0.0004, "<0.001"), (Column("p", digits=3), 0.0005, "0.001"),
    (Column("p", digits=3), 0, "0.000"), (Column("share", "%"), 0.6345, "63.5"),
    (Column("loud", words=str.upper), "a", "A"),
])  # fmt: skip
def test_one_value(column, value, said):
    assert column.value(value) == said


def test_an_interval_needs_two_ends_that_are_not_the_value():
    share = Column("share", "%")
    assert share.interval(0.5, 0.4, 0.6) == "50.0 (40.0–60.0)"
    assert share.interval(0.5, 0.5, 0.5) == share.interval(0.5, np.nan, 0.6) == "50.0"
    assert share.interval(np.nan, 0.4, 0.6) == "–"


def test_two_ends_without_a_value_are_a_range():
    frame = pd.DataFrame({"seeds_low": [0.4, np.nan], "seeds_high": [0.6, np.nan]})
    assert rows(readable.table(frame, "Ranges", {"seeds": Column("seeds", "%")})) == [
        ["seeds, %"], ["40.0–60.0"], ["–"],
    ]  # fmt: skip
    assert Column("change", "points").range(-0.1, 0.1) == "−10.0 to +10.0"


def test_the_same_table_is_the_same_text_and_two_tables_have_two_ids():
    one, again, other = (readable.table(FRAME, caption)._repr_html_() for caption in ("A", "A", "B"))
    assert one == again
    assert len({re.search(r'<table id="(\w+)"', text)[1] for text in (one, other)}) == 2


def test_what_html_and_latex_read_as_commands_is_shown_as_it_is():
    table = readable.table(pd.DataFrame({"a&b": ["x_<y>"], "c": [-1.5]}), "50 % & more")
    assert rows(table) == [["a&b", "c"], ["x_<y>", "−1.5"]]
    assert "<caption>50 % &amp; more</caption>" in table._repr_html_()
    latex = table.latex()
    assert all(text in latex for text in (r"\toprule", r"50 \% \& more", r"a\&b & c", r"x\_<y> & $-$1.5", "{lr}"))


def test_a_table_is_text_in_a_terminal():
    lines = repr(readable.table(FRAME, "In a terminal", {"label": None, "top1": Column("test", "%", group="ours")}))
    assert lines.splitlines()[0] == "In a terminal"
    assert lines.splitlines()[1].split() == ["network", "ours:", "test,", "%"]


def test_figures_in_a_sentence():
    assert readable.percent(0.34) == "34.0 %"
    assert readable.percent(0.34, 0.296, 0.384) == "34.0 % (29.6–38.4)"
    assert readable.percent(np.nan) == readable.points(np.nan) == "–"
    assert readable.points(-0.063, -0.105, -0.021) == "−6.3 points (−10.5 to −2.1)"
    assert [readable.listed(words) for words in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
