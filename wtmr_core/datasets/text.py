"""Text files as people save them: lists and tables in a few encodings, never guessed from a shifted column."""

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
    """Read a text file; returns the text and its encoding.

    The encoding is UTF-8 or UTF-16 where a byte order mark says so, else UTF-8, else Windows-1252. Raises `DataError`,
    naming the file, where none of these applies or the file cannot be read.
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
    """The lines of `text` that are not blank, stripped of white space, each with its number from 1."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if line.strip():
            yield number, line.strip()


def nfc(name: str) -> str:
    """A name in one Unicode form: disks of Macs and lists use different ones."""
    return unicodedata.normalize("NFC", name)


def remark(path: Path, encoding: str) -> list[str]:
    """A note on a file's encoding, unless it is UTF-8."""
    return [] if encoding == "utf-8" else [f"{path} was read as {encoding}"]


def the_one(tree: Tree, kind: str, folders: list[str], content: Callable[[str], object]) -> str | None:
    """Choose the folder in which to read `kind`: the nearest to the root of `folders`, each of which holds one.

    Returns None for no folders. Deeper ones are named in the notes of `tree`. Raises `DataError` where several as near
    differ in their `content`: which one is meant cannot be known.
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
    """Read `classes.txt`, one name per line, from above the `recordings`, which are paths below the root.

    Returns:
        The names, or None where there is no such file; its paths below the root; and notes.

    Raises:
        DataError: where the file names no class or one twice, where it lies above some of the recordings only, and
            where two that lie above them differ.
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
    """Read the `columns` of a table: its rows, (line number, {column: cell}), and its encoding.

    The separator is the first of `SEPARATORS` with which the header has all columns. Raises `DataError` as `read_text`,
    and `Unreadable` as `rows`.
    """
    text, encoding = read_text(path)
    header = next((line for _, line in lines(text)), "")
    separator = next((s for s in SEPARATORS if set(columns) <= set(_names(_first_row(header, s)))), SEPARATORS[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    return rows(path, _numbered(path, reader), columns), encoding


def rows(path: Path | str, table: Iterable[tuple[int, list[str]]], columns: tuple[str, ...]) -> list:
    """Pick the `columns` from a `table` of (line, cells) whose first row is its header: (line, {column: cell}).

    Case and white space around the header's names, and white space around cells, do not count; rows without any text
    are left out. `path` is the file, for messages.

    Raises:
        Unreadable: where a column is missing or occurs twice, and where a row has another number of cells than the
            header, or text in a column after the last name.
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
