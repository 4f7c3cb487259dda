"""Incomplete recordings: refused, or read as far as possible with a `Remark`.

How many frames there should be is stated by a container that counts them, or by the numbers in the names of a folder's
frames. In both cases a recording with at least nine tenths of them is kept, with a `Remark`, and one with fewer is
`Unreadable`. A data set refuses `Unreadable` recordings; a stream yields what can be read of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from wtmr_core.datasets.index import Unreadable

WHOLE = 0.9  # share of the stated frames that must be there
PIXELS = 40_000_000  # most of a picture: with its copy in RGB it takes 240 MB. 7680×4320 has 33 million


class Remark(UserWarning):
    """Something odd about a clip that was read all the same.

    Readers issue it with `warnings.warn`; `clips.attempts` writes it into the index.

    Attributes:
        reason: a short phrase, the same for every clip
        detail: what it is in this clip
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


#: what to do about a fault that does not prevent reading: `refuse` or `remark`
Verdict = Callable[[Unreadable], None]


def refuse(fault: Unreadable) -> None:
    """Raise the fault."""
    raise fault


def remark(fault: Unreadable) -> None:
    """Issue a `Remark` with the reason and detail of the fault, and go on reading."""
    warnings.warn(Remark(fault.reason, fault.detail), stacklevel=4)


def small_enough(name: object, width: float, height: float) -> None:
    """Raise `Unreadable` for a picture of more than `PIXELS`, before memory is allocated for it."""
    if width * height > PIXELS:
        raise Unreadable("too large", f"{name}: {width:.0f}×{height:.0f}, more than {PIXELS:,} pixels")


def complete(count: int, stated: float, short: str, odd: str, detail: str, verdict: Verdict) -> None:
    """Apply the rule of this module to a recording.

    Args:
        count: frames that there are
        stated: frames that there should be
        short: reason, where fewer than nine tenths are there, of the fault passed to `verdict`
        odd: reason, where more are there but not all, of the remark
        detail: detail of both
        verdict: what to do about the fault
    """
    if count < WHOLE * stated:
        verdict(Unreadable(short, detail))
    elif count < stated:
        remark(Unreadable(odd, detail))
