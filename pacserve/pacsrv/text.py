"""Words and numbers for people.  Rules only."""

from __future__ import annotations

import math
import unicodedata

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Characters of a text: no honest host sends longer ones.
_TEXT_LIMIT = 500


def printable(text: str, limit: int = _TEXT_LIMIT) -> str:
    """
    Returns the text without characters that a terminal would act on: control characters, and those that change the writing direction, become `?`.

    Args:
        limit: The most characters that are kept.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:limit])


def width(text: str) -> int:
    """Returns the columns that a text takes in a terminal."""
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def fitted(text: str, columns: int) -> str:
    """Returns the text, cut to at most so many columns; an ellipsis shows that something is missing."""
    if width(text) <= columns:
        return text
    kept, used = "", 1
    for letter in text:
        used += _columns(letter)
        if used > columns:
            break
        kept += letter
    return f"{kept}…" if columns > 0 else ""


def size(count: float | None) -> str:
    """Returns a number of bytes with at most four digits; a dash where it is not known."""
    if count is None or not math.isfinite(count):
        return "-"
    place = 0
    while abs(count) >= 1000 and place < len(_UNITS) - 1:
        count /= 1024
        place += 1
    return f"{count:.0f} {_UNITS[place]}" if place == 0 or abs(count) >= 100 else f"{count:.1f} {_UNITS[place]}"


def span(seconds: float | None) -> str:
    """Returns how long something took or takes; a dash where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def ago(seconds: float | None) -> str:
    """Returns how long ago something happened; `never` where it never did."""
    return "never" if seconds is None else f"{span(seconds)} ago"


def delay(seconds: float) -> str:
    """Returns a short time in milliseconds."""
    return f"{seconds * 1000:.1f} ms" if 0 <= seconds < 10 else span(seconds)


def number(count: int, one: str, many: str) -> str:
    """Returns a number with its noun in the singular or plural."""
    return f"{count:,} {one if count == 1 else many}"
