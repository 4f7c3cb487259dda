"""What a notebook puts out beside what is committed: words as words, numbers within what the cell allows.

nbval runs each cell again and compares all that it prints, shows as a table or says of a figure's data (`text/plain`).
Neither the pictures themselves nor the style of a table is compared. A cell whose numbers depend on the processor says
in its metadata by how much they may differ:

* `"tolerance": {"points": 0.5}`: by this much, in the number's own unit
* `"tolerance": {"relative": 0.02}`: by this share of the committed number
* `"tolerance": {"spread": "hmdb51-wtmr"}`: a percentage within the stated spread of that run's accuracy, in training or
  on test clips, may be any other within the same bounds (`results/mini/spread.csv`)

Of several, one must allow it. A cell with the tag `nbval-ignore-output` is not compared; its metadata say why:
`"ignored": "the times of one machine"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from wtmr_core.paper import comparison

RESULTS = Path(__file__).resolve().parents[1] / "results" / "mini"
_NUMBER = r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)"
_STYLE = r"<style[^>]*>[^<]*</style>"  # how a table looks, which is not compared
_PIECES = re.compile(rf"({_STYLE}|<[^>]*>|{_NUMBER})")  # between words; HTML tags are compared as words


def tolerance(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The tolerance that the metadata of a cell state, empty where they state none.

    Raises:
        ValueError: for one that is none of those above.
    """
    stated = dict(metadata.get("tolerance", {}))
    if wrong := stated.keys() - {"points", "relative", "spread"}:
        raise ValueError(f"a tolerance has points, relative or spread, not {', '.join(sorted(wrong))}")
    if "spread" in stated and stated["spread"] not in _bounds():
        raise ValueError(f"no spread is stated for {stated['spread']} in {comparison.SPREAD}")
    return stated


def settled(fresh: str, committed: str, stated: Mapping[str, Any]) -> str:
    """`fresh` with each number that is as good as its counterpart in `committed` written as it is there.

    Where the two have not as many numbers, a row more or less, `fresh` is returned as it is.
    """
    new, old = _PIECES.split(fresh), _PIECES.split(committed)
    if len(new) != len(old):
        return fresh
    return "".join(b if _as_good(a, b, stated) else a for a, b in zip(new, old, strict=True))


def outputs(fresh: Sequence[NotebookNode], committed: Sequence[NotebookNode], stated: Mapping[str, Any]) -> list:
    """The outputs of a cell, each of them settled."""
    if len(fresh) != len(committed):
        return list(fresh)
    made = []
    for new, old in zip(fresh, committed, strict=True):
        one = NotebookNode(new)
        if "text" in new:
            one["text"] = settled(new["text"], old.get("text", ""), stated)
        if "data" in new:
            texts = {kind: value for kind, value in new["data"].items() if kind.startswith("text/")}
            before = old.get("data", {})
            texts = {kind: settled(value, before.get(kind, ""), stated) for kind, value in texts.items()}
            one["data"] = NotebookNode(new["data"] | texts)
        made.append(one)
    return made


def _as_good(fresh: str, committed: str, stated: Mapping[str, Any]) -> bool:
    if re.fullmatch(_STYLE, fresh) and re.fullmatch(_STYLE, committed):
        return True
    if not stated:
        return False
    if fresh.split() == committed.split():  # columns are as wide as their longest number
        return True
    if not (re.fullmatch(_NUMBER, fresh) and re.fullmatch(_NUMBER, committed)):
        return False
    new, old = (float(text.replace("−", "-").replace(",", "")) for text in (fresh, committed))
    allowed = max(stated.get("points", 0), stated.get("relative", 0) * abs(old))
    spread = _bounds()[stated["spread"]] if "spread" in stated else ()
    within = [low <= min(new, old) and max(new, old) <= high for low, high in spread]
    return abs(new - old) <= allowed + 1e-9 or any(within)


@cache
def _bounds() -> dict[str, list[tuple[float, float]]]:
    """Of each run whose spread is stated, the bounds of both accuracies in per cent."""
    table = 100 * comparison.spread(RESULTS)
    return {
        name: [(row[f"{figure}_low"], row[f"{figure}_high"]) for figure in comparison.ACCURACIES]
        for name, row in table.iterrows()
    }
