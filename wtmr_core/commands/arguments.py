"""Types of arguments: each parses text, and raises `argparse.ArgumentTypeError`, saying what is wrong with it."""

from __future__ import annotations

import argparse
import datetime as dt
import json


def json_object(text: str) -> dict:
    """Parse a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text[:80]!r} is no JSON object, such as {{"epochs": 3}}')
    return value


def date(text: str) -> dt.date:
    """Parse a date."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, such as 2026-03-01") from error


def named(text: str) -> tuple[int, str]:
    """Parse NAME=N as the number and the name."""
    name, _, number = text.rpartition("=")
    if not name or not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no NAME=N, such as alice=3")
    return int(number), name
