"""Text as people save it: lists and tables in a few encodings, never guessed from a shifted column."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wtmr_core.datasets.index import DataError, Unreadable
from wtmr_core.datasets.tree import Tree, depth, join, printable, within

CLASSES = "classes.txt"
SEPARATORS = (",", ";", "\t")
DOES_NOT_READ = "table does not read"
ODD_ROW = "table with a row of another number of fields"


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding, the first that serves of: UTF-8 or UTF-16 by its byte order mark, UTF-8,
    Windows-1252.

    Raises `DataError`, naming the file, where none does or the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    marked = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding.removesuffix("-sig")
    raise DataError(f"{path} is not text in UTF-8, UTF-16 with its mark, or Windows-1252: save it as UTF-8")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of `text` that are not blank, without white space at their ends, each with its number from 1."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if line.strip():
            yield number, line.strip()


def nfc(name: str) -> str:
    """A name in one Unicode form: disks of Macs and lists differ in theirs."""
    return unicodedata.normalize("NFC", name)


def remark(path: Path, encoding: str) -> list[str]:
    """What there is to say of a file's encoding: nothing where it is UTF-8."""
    return [] if encoding == "utf-8" else [f"{path} was read as {encoding}"]


def the_one(tree: Tree, kind: str, folders: list[str], content: Callable[[str], object]) -> str | None:
    """The folder to read `kind` in, of those that hold one: the nearest to the root, or None where there is none.

    Deeper ones are named in the notes of `tree`. Raises `DataError` where several as near differ in their `content`:
    which one is meant cannot be told.
    """
    near = [f for f in folders if depth(f) == min(map(depth, folders))]
    for other in near[1:]:
        if content(other) != content(near[0]):
            first, other = (tree.root / printable(f) for f in (near[0], other))
            raise DataError(f"{kind} lies in {first} and another in {other}: keep one, or give one folder as root")
    if deeper := [str(tree.root / printable(f)) for f in folders if f not in near]:
        tree.notes.append(f"{kind} is read in {tree.root / printable(near[0])}; not read: {', '.join(deeper)}")
    return near[0] if near else None


def class_names(tree: Tree, recordings: Iterable[str]) -> tuple[tuple[str, ...] | None, set[str], list[str]]:
    """The names in `classes.txt`, a line each, its path below the root, and notes; None where none lies above the
    `recordings`.

    `recordings` are paths below the root. Raises `DataError` where the file names no class or one twice, where it lies
    above a part of the recordings only, and where two that lie above them differ.
    """
    recordings, above = list(recordings), []
    for folder in tree.readable():
        if CLASSES in folder.files and (inside := sum(within(r, folder.path) for r in recordings)):
            if inside < len(recordings):
                file = tree.root / join(folder.path, CLASSES)
                raise DataError(
                    f"{file} names the classes of {inside:,} of {len(recordings):,} recordings: give "
                    f"{file.parent} as root, or put it into {tree.root}"
                )
            above.append(folder.path)
    texts = {}
    for folder in above:
        file = tree.root / join(folder, CLASSES)
        text, encoding = read_text(file)
        names = tuple(nfc(line) for _, line in lines(text))
        if not names or len(set(names)) != len(names):
            raise DataError(f"{file} must name each class once, a line each")
        texts[names] = remark(file, encoding)
    files = {join(folder, CLASSES) for folder in above}
    if len(texts) > 1:
        raise DataError(f"{' and '.join(str(tree.root / file) for file in sorted(files))} differ: keep one")
    return next(((names, files, notes) for names, notes in texts.items()), (None, files, []))


def read_csv(path: Path, columns: tuple[str, ...]) -> tuple[list[tuple[int, dict[str, str]]], str]:
    """The rows of a table, (line number, {column: cell}) for the `columns` asked for, and its encoding.

    The separator is the first of `SEPARATORS` with which the header has all columns; see `rows`. Raises `DataError` as
    `read_text` does, and `Unreadable` as `rows` does.
    """
    text, encoding = read_text(path)
    header = next((line for _, line in lines(text)), "")
    separator = next((s for s in SEPARATORS if set(columns) <= set(_names(_first_row(header, s)))), SEPARATORS[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    return rows(path, _numbered(path, reader), columns), encoding


def rows(path: Path | str, table: Iterable[tuple[int, list[str]]], columns: tuple[str, ...]) -> list:
    """(line, {column: cell}) of the rows of a `table` of (line, cells) whose first row is its header; `path` is its
    file.

    Case and white space around a header's names, and white space around cells, do not count; rows without any text
    are left out. Raises `Unreadable` where a column is missing or there twice, and where a row has another number of
    cells than the header, or text in a column behind the last name.
    """
    filled = ((n, [cell.strip() for cell in cells]) for n, cells in table if any(cell.strip() for cell in cells))
    first, header = next(filled, (1, []))
    if not header:
        raise Unreadable(DOES_NOT_READ, f"{path} is empty")
    names = _names(header)
    if missing := [c for c in columns if c not in names]:
        reason = f"table without the columns {' and '.join(columns)}"
        raise Unreadable(reason, f"{path}, line {first}: no column {', '.join(missing)}")
    if twice := [c for c in columns if names.count(c) > 1]:
        raise Unreadable("table with a column twice", f"{path}, line {first}: {', '.join(twice)} is there twice")
    width = max(i for i, name in enumerate(names) if name) + 1  # behind it a comma too many on each line, if any
    place = [names.index(c) for c in columns]
    result = []
    for n, cells in filled:
        if len(cells) != len(header) or any(cells[width:]):
            raise Unreadable(
                ODD_ROW,
                f"{path}, line {n}: {len(cells)} fields, {width} in its header; "
                'put text that holds the separator in quotes ("…")',
            )
        result.append((n, {c: cells[p] for c, p in zip(columns, place, strict=True)}))
    return result


def _names(header: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in header]


def _first_row(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _numbered(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    number = 1  # of the line a row begins in: a cell in quotes may hold line ends
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Unreadable(DOES_NOT_READ, f"{path}, line {number}: {error}") from None
        if cells is None:
            return
        yield number, cells
        number = reader.line_num + 1
