"""What becomes of a recording that is not whole: it is refused, or read as far as it goes and remarked on.

A container that counts its frames, and the numbers in the names of a folder's frames, tell how many there should be.
One rule for both: where at least nine tenths of them are there the recording is kept, with a `Remark`; where fewer
are, it is `Unreadable`. A data set refuses what is `Unreadable`; a stream gives what there is of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from wtmr_core.datasets.index import Unreadable

WHOLE = 0.9  # of the frames told must be there
PIXELS = 40_000_000  # of one picture: it and its copy in RGB take 240 MB. 7680×4320 has 33 million


class Remark(UserWarning):
    """What is odd about a clip that was read all the same: a short `reason`, always in the same words, and a `detail`.

    Readers give it with `warnings.warn`; `clips.attempts` carries it to the index.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


#: what becomes of a fault that lets something be read: `refuse` or `remark`
Verdict = Callable[[Unreadable], None]


def refuse(fault: Unreadable) -> None:
    """Raise the fault."""
    raise fault


def remark(fault: Unreadable) -> None:
    """Warn of the fault with a `Remark` in its words; what can be read is read."""
    warnings.warn(Remark(fault.reason, fault.detail), stacklevel=4)


def small_enough(name: object, width: float, height: float) -> None:
    """Raise `Unreadable` for a picture of more than `PIXELS`, before it takes memory."""
    if width * height > PIXELS:
        raise Unreadable("too large", f"{name}: {width:.0f}×{height:.0f}, more than {PIXELS:,} pixels")


def complete(count: int, told: float, short: str, odd: str, detail: str, verdict: Verdict) -> None:
    """The rule at the head of this file, for `count` frames of `told`: `verdict` on `Unreadable(short)`, or a
    `Remark(odd)`."""
    if count < WHOLE * told:
        verdict(Unreadable(short, detail))
    elif count < told:
        remark(Unreadable(odd, detail))
