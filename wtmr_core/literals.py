"""Values as text: YAML, read strictly, and any value shown briefly in a message."""

from __future__ import annotations

import re
import reprlib
from typing import Any

import yaml

NODES = 10_000  # values of one document, with those that aliases merge
DEPTH = 20  # of lists and mappings in each other
DIGITS = 30  # of a whole number
_WIDTH = 80  # of a value in a message

#: what is no text, of the core schema of YAML 1.2 (10.3.2): 010, 1_6, 1:30, 2024-01-02, yes and off are text
_CORE = [
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(rf"[-+]?(0|[1-9][0-9]{{0,{DIGITS - 1}}})"), int),
    (re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+"), float),
    (re.compile(r"[-+]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class LiteralError(ValueError):
    """Text that is not the YAML read here; the message names the line."""


def read(text: str) -> Any:
    """Read one YAML document: None, bool, int, float, str, and lists and dicts of them.

    Plain scalars follow the core schema of YAML 1.2. Keys are scalars, each used once; `<<` merges.

    Raises:
        LiteralError: for anything else: tags, several documents, control characters in text, nesting deeper than
            `DEPTH`, and more than `NODES` values, including those that a merge repeats.
    """
    try:
        document = _Document(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise LiteralError(f"line {line}: text has the character {shown(chr(error.character))}") from error
    try:
        return document.read()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1
        raise LiteralError(f"line {line}: {_cut(str(error.problem), 2 * _WIDTH)}") from error
    except (ValueError, OverflowError) as error:  # of PyYAML's chr and int
        line = document.loader.line + 1
        raise LiteralError(f"line {line}: an escape or directive has a number that cannot be") from error


def shown(value: Any, quotes: bool = True) -> str:
    """`repr` of a value on one line of at most 80 characters; without `quotes`, text stands bare."""
    text = _BRIEF.repr(value).replace("\n", " ")
    return _cut(text if quotes or not isinstance(value, str) else text[1:-1])


class _Document:
    """A document, read event by event. What an alias repeats is shared, not copied, so it takes no memory."""

    def __init__(self, text: str) -> None:
        self.loader = yaml.SafeLoader(text)
        self.anchors: dict[str, Any] = {}
        self.nodes = 0

    def read(self) -> Any:
        self.loader.get_event()  # the stream starts
        if isinstance(self.loader.get_event(), yaml.StreamEndEvent):
            return None
        value = self.value()
        self.loader.get_event()  # the document ends
        if not self.loader.check_event(yaml.StreamEndEvent):
            raise _error("a second document starts; one is read", self.loader.peek_event())
        return value

    def value(self, depth: int = 0) -> Any:
        event = self.loader.get_event()
        self.count(1, event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _error(f"before *{event.anchor} there is no &{event.anchor}", event)
            return self.anchors[event.anchor]
        if event.tag is not None:
            raise _error(f"there is the tag {shown(event.tag, quotes=False)}; leave tags out", event)
        if depth > DEPTH:
            raise _error(f"lists and mappings lie in each other deeper than {DEPTH}", event)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(depth + 1)
        else:
            value = self.mapping(depth + 1)
        if event.anchor and event.anchor in self.anchors:
            raise _error(f"&{event.anchor} is given twice", event)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def sequence(self, depth: int) -> list:
        values = []
        while not self.loader.check_event(yaml.SequenceEndEvent):
            values.append(self.value(depth))
        self.loader.get_event()
        return values

    def mapping(self, depth: int) -> dict:
        values: dict = {}
        while not self.loader.check_event(yaml.MappingEndEvent):
            event = self.loader.peek_event()
            key = self.value(depth)
            if isinstance(key, list | dict):
                raise _error(f"{shown(key)} is a key; a key is one word", event)
            if key in values:
                raise _error(f"{shown(key, quotes=False)} is given twice", event)
            values[key] = self.value(depth)
        end = self.loader.get_event()
        merged = values.pop("<<", [])
        for base in merged if isinstance(merged, list) else [merged]:
            if not isinstance(base, dict):
                raise _error(f"<< takes settings over, such as <<: *name, not {shown(base)}", end)
            self.count(len(base), end)
            values = base | values
        return values

    def count(self, more: int, event: yaml.Event) -> None:
        self.nodes += more
        if self.nodes > NODES:
            raise _error(f"there are more than {NODES:,} values, with those that << repeats", event)


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.style is None:
        for pattern, kind in _CORE:
            if pattern.fullmatch(event.value):
                return kind(event.value)
    if control := _CONTROL.search(event.value):
        raise _error(f"text has the character {shown(control.group())}; it is one line of printable ones", event)
    return event.value


def _error(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _WIDTH
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        """Python writes out no number of thousands of digits."""
        return repr(x) if abs(x) < 10**DIGITS else f"a number of about {round(x.bit_length() * 0.30103)} digits"


_BRIEF = _Brief()


def _cut(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
