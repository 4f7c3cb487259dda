"""Which recordings belong together, so that no two of them stand on different sides of a split: `groups.txt`.

The file holds one line, a regular expression. It is searched in the name of each clip, `class/clip`; the match of its
first parenthesised group, or without one the whole match, is the clip's group, whatever the class. With `_(p[0-9]+)_`
the clips `walk/kitchen_p03_1` and `sit/hall_p03_2` are both in the group `p03`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from wtmr_core.datasets.index import DataError
from wtmr_core.datasets.text import lines, read_text, remark

GROUPS = "groups.txt"
SECONDS = 20  # for the names of all clips; a sensible expression takes some microseconds a name
# in a process of its own: some expressions take for ever on some names, and nothing else stops them everywhere
_SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
matches = [re.search(pattern, name) for name in names]
json.dump([match and match[min(match.re.groups, 1)] for match in matches], sys.stdout)
"""


def read_groups(file: Path, names: list[str]) -> tuple[list[str], list[str]]:
    """Find the group of each of the clips `names` by the expression in `file`.

    Returns:
        The groups, "" where the expression does not match, and notes.

    Raises:
        DataError: naming file and line, for a file without exactly one valid expression, and for an expression that
            matches no name or takes longer than `SECONDS`.
    """
    text, encoding = read_text(file)
    number, pattern = next(written := lines(text), (1, ""))
    if not pattern:
        raise DataError(f"{file}, line 1: it is empty; write one regular expression there, or delete the file")
    if another := next(written, None):
        raise DataError(f"{file}, line {another[0]}: a second line; write one regular expression, a | between two")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"{file}, line {number}: {pattern!r} is not a regular expression: {error}") from None
    try:
        search = subprocess.run(
            [sys.executable, "-I", "-c", _SEARCH],
            input=json.dumps([pattern, names]),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{file}, line {number}: {pattern!r} takes more than {SECONDS} seconds on the names of {len(names):,} "
            "clips; do without repetitions of repetitions, such as (a+)+"
        ) from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        raise DataError(f"{file}, line {number}: {pattern!r} cannot be searched: {reason}") from None
    groups = [group or "" for group in json.loads(search.stdout)]
    if names and not any(groups):
        raise DataError(f"{file}, line {number}: {pattern!r} matches the name of no clip, the first being {names[0]!r}")
    return groups, remark(file, encoding)
