"""Tables and lists as people save them: no cell is taken from another column, no line is lost to an encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.datasets import DataError, Unreadable
from wtmr_core.datasets.text import class_names, lines, read_csv, read_text
from wtmr_core.datasets.tree import Tree


@pytest.fixture
def file(tmp_path):
    return tmp_path / "table.csv"


def rows(file, text, encoding="utf-8"):
    file.write_bytes(text.encode(encoding))
    return read_csv(file, ("a", "b"))[0]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_encodings_in_a_stated_order(file, encoding, name):
    file.write_text("Müller\n", encoding=encoding)
    assert read_text(file) == ("Müller\n", name)


@pytest.mark.parametrize("data", [b"a\x81b", b"\xff\xfea", b"a\0b\0", b"\xff\xfe\0\0a\0\0\0"])
def test_what_is_no_text_is_named(file, data):
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"table\.csv is not text"):
        read_text(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"x\.csv cannot be read: No such file"):
        read_text(tmp_path / "x.csv")


def test_lines_end_in_any_way_and_keep_their_numbers():
    assert list(lines("a\r\n\r\nb \rc\n\n")) == [(1, "a"), (3, "b"), (4, "c")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", [(2, "1", "2")]),
        ("B ; A\n1;2,5\n", [(2, "2,5", "1")]),
        ("a\tb\n1\t2\n", [(2, "1", "2")]),
        ("a,b,\n1,2,\n3,4,\n", [(2, "1", "2"), (3, "3", "4")]),  # as Excel saves an empty column
        (",a,b\n0,1,2\n", [(2, "1", "2")]),  # as pandas saves its index
        ('a,b\n"1\n1",2\n3,4\n', [(2, "1\n1", "2"), (4, "3", "4")]),  # a line end in quotes
        ("\na,b\n\n,\n1,2\n", [(5, "1", "2")]),
        ("a,b,more\n1,2,x\n", [(2, "1", "2")]),
    ],
)
def test_rows_with_their_lines(file, text, expected):
    assert [(n, row["a"], row["b"]) for n, row in rows(file, text)] == expected


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("a,b\n1,x,2\n1,2\n", "another number of fields", "line 2: 3 fields, 2 in its header"),
        ("a,b\n1,2\n1\n", "another number of fields", "line 3: 1 fields"),
        ("a,b\n1,2,\n1,2,\n", "another number of fields", "line 2: 3 fields"),
        ("a,b,\n1,2,\n1,2,3\n", "another number of fields", "line 3"),
        ("a,c\n1,2\n", "without the columns", "line 1: no column b"),
        ("a,b,b\n1,2,3\n", "a column twice", "line 1: b is there twice"),
        ('a,b\n1,"2\n3,4\n', "does not read", "line 2"),
        ("", "does not read", "is empty"),
    ],
)
def test_a_table_that_does_not_serve_is_named_with_the_line(file, text, reason, says):
    with pytest.raises(Unreadable) as error:
        rows(file, text)
    assert reason in error.value.reason
    assert says in error.value.detail
    assert str(file) in error.value.detail


CELL = st.text(st.sampled_from('ab ,;\t"\né'), max_size=6)


@given(table=st.lists(st.tuples(CELL, CELL), max_size=6), separator=st.sampled_from(",;\t"))
def test_what_a_program_writes_is_read_back(tmp_path_factory, table, separator):
    """Any cells, quoted as csv quotes them: the same cells, but for white space at their ends and empty rows."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([("a", "b"), *table])
    cells = [(row["a"], row["b"]) for _, row in rows(tmp_path_factory.getbasetemp() / "any.csv", out.getvalue())]
    assert cells == [(a.strip(), b.strip()) for a, b in table if a.strip() or b.strip()]


# -- classes.txt


def classes(root, *recordings):
    return class_names(Tree(root), recordings)


def test_classes_of_all_recordings(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "classes.txt").write_text("\ufeffrun\r\nwalk\r\n", encoding="utf-8")
    assert classes(tmp_path, "set/a", "set/b") == (("run", "walk"), {"set/classes.txt"}, [])
    assert classes(tmp_path, "other/a")[0] is None
    with pytest.raises(DataError, match=r"names the classes of 1 of 2 recordings: give .*set as root"):
        classes(tmp_path, "set/a", "other/b")


@pytest.mark.parametrize("text", ["", "run\nrun\n"])
def test_classes_that_do_not_serve(tmp_path, text):
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=r"classes\.txt must name each class once"):
        classes(tmp_path, "a")


def test_two_lists_of_classes_must_agree(tmp_path):
    (tmp_path / "set").mkdir()
    for folder, text in ((tmp_path, "run\nwalk\n"), (tmp_path / "set", "walk\nrun\n")):
        (folder / "classes.txt").write_text(text)
    with pytest.raises(DataError, match="differ: keep one"):
        classes(tmp_path, "set/a")
    (tmp_path / "classes.txt").write_text("walk\r\nrun")
    assert classes(tmp_path, "set/a")[0] == ("walk", "run")
