"""Summary of a person's episodes: most and least frequent activity, longest and shortest episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtmr_core.tracking.people import UNKNOWN, Episode


def summary(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Summarise a person's episodes as the paper does, ready for JSON.

    Returns:
        `first_s` and `last_s`: start of the first episode and end of the last;
        `seen_s`: sum of the durations, gaps not counted;
        `activities`: activity -> number of `episodes` and `seconds`, the longest first;
        `most_frequent` and `least_frequent`: by number of episodes, then by seconds;
        `longest` and `shortest`: `activity`, `start_s` and `duration_s` of an episode, the earliest of equals.
        The last four ignore unknown activities, and are None where there are no others.

    >>> summary([Episode("sitting", 0, 4, 4, 0.9), Episode("walking", 4, 6, 2, 0.8)])["longest"]
    {'activity': 'sitting', 'start_s': 0.0, 'duration_s': 4.0}
    """
    activities: dict[str, dict[str, Any]] = {}
    for episode in episodes:
        total = activities.setdefault(episode.activity, {"episodes": 0, "seconds": 0.0})
        total["episodes"] += 1
        total["seconds"] += episode.duration
    order = sorted(activities, key=lambda name: (-activities[name]["seconds"], name))
    known = [name for name in order if name != UNKNOWN]
    named = sorted((e for e in episodes if e.activity != UNKNOWN), key=lambda e: e.start)

    def frequency(name: str) -> tuple[int, float]:
        return activities[name]["episodes"], activities[name]["seconds"]

    return {
        "first_s": _rounded(min((e.start for e in episodes), default=None)),
        "last_s": _rounded(max((e.end for e in episodes), default=None)),
        "seen_s": _rounded(sum(e.duration for e in episodes)),
        "activities": {name: activities[name] | {"seconds": _rounded(activities[name]["seconds"])} for name in order},
        "most_frequent": max(known, key=frequency, default=None),
        "least_frequent": min(known, key=frequency, default=None),
        "longest": _brief(max(named, key=lambda e: e.duration, default=None)),
        "shortest": _brief(min(named, key=lambda e: e.duration, default=None)),
    }


def _brief(episode: Episode | None) -> dict[str, Any] | None:
    if episode is None:
        return None
    return {
        "activity": episode.activity,
        "start_s": _rounded(episode.start),
        "duration_s": _rounded(episode.duration),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 3)
