"""Spans of time: what several cover together, and what they leave free. Arrays are (m, 2), begin and end in seconds."""

from __future__ import annotations

import datetime as dt

import numpy as np

HOUR = 3600
Span = tuple[float, float]  # seconds since 1970 in local time


def union(start: np.ndarray, end: np.ndarray, apart: float = 0) -> np.ndarray:
    """The spans (m, 2) that rows cover together, those at most `apart` seconds from each other joined."""
    if not len(start):
        return np.zeros((0, 2))
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    new = np.r_[True, start[1:] > end[:-1] + apart]
    return np.stack([start[new], end[np.r_[new[1:], True]]], 1)


def covered(spans: np.ndarray, begin: float, end: float) -> float:
    """Hours of [begin, end) that lie in `spans`, which do not overlap."""
    return float(np.clip(np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], begin), 0, None).sum() / HOUR)


def midnight(date: dt.date) -> float:
    """Seconds since 1970, in local time, at the beginning of a date."""
    return (date - dt.date(1970, 1, 1)).days * 86400.0


def longest_gap(spans: np.ndarray, begin: float, end: float) -> Span:
    """The longest stretch of [begin, end) that no span covers."""
    inside = spans[(spans[:, 1] >= begin) & (spans[:, 0] <= end)]
    starts = np.r_[begin, np.clip(inside[:, 1], begin, end)]
    ends = np.r_[np.clip(inside[:, 0], begin, end), end]
    longest = int(np.argmax(ends - starts))
    return (float(starts[longest]), float(max(ends[longest], starts[longest])))
