"""The commands of `wtmr`: each module states the options of its own and what they do.

A module has `add(commands)`, which adds its commands to the parser. Each sets `run`, a function that takes the parsed
options and returns the exit status. What is slow to import is imported there, so that `wtmr --help` is quick.
"""

from __future__ import annotations

import argparse
import difflib
from typing import Any

import wtmr_core
from wtmr_core.commands import completion, data, paper, person, tracking, training


class Parser(argparse.ArgumentParser):
    """A parser that says which word was probably meant in the place of one that it does not know."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices and value not in action.choices:
            known = list(map(str, action.choices))
            near = difflib.get_close_matches(str(value), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise argparse.ArgumentError(action, f"there is no {value!r}; {hint}")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; what it parses has `command` and, unless that is None, `run`."""
    parser = Parser("wtmr", description=wtmr_core.__doc__, epilog="wtmr COMMAND --help tells the options of a command.")
    parser.add_argument("--version", action="version", version=f"wtmr {wtmr_core.__version__}", help="tell the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for module in (paper, data, training, tracking, person, completion):
        module.add(commands)
    return parser
