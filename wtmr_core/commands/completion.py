"""`wtmr completion`: the commands and options for a shell, so that it completes them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
HOW = """\
for this session:  bash, zsh:  eval "$(wtmr completion bash)"   fish:  wtmr completion fish | source
for all to come:   add that line to ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add `completion`."""
    one = commands.add_parser(
        "completion",
        help="complete commands and options in your shell",
        epilog=HOW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("shell", choices=SHELLS)
    one.set_defaults(run=complete)


def complete(options: argparse.Namespace) -> int:
    """`wtmr completion`."""
    import shtab

    from wtmr_core.commands import parser

    whole = parser()
    for action in _actions(whole):
        if action.type is Path or action.dest in ("video", "logs"):
            action.complete = shtab.FILE
    print(shtab.complete(whole, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument of a parser and of the commands below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
