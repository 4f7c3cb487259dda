"""The `wtmr` command: data sets, training and prediction, logs of videos, suites and their results."""

from __future__ import annotations

import io
import os
import sys
import warnings

from wtmr_core import commands, environment, errors


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0 for success, 1 where data or results are not as expected, 2 for an error."""
    parser = commands.parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal lacks is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def work() -> int:
        if os.environ.get("PYTHONWARNINGS"):  # which must not turn warnings into errors here
            warnings.simplefilter("default")
        with environment.cleaned():
            return options.run(options)

    return errors.ended(work, f"wtmr {options.command}")


if __name__ == "__main__":
    sys.exit(main())
