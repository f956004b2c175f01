"""The order of package versions, as vercmp(8) has it.  Pure: hosts without libalpm compare versions, too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cmp_to_key

# What separates two segments, and the segment behind it: digits or letters, or nothing at the end.
_SEGMENT = re.compile(r"(?P<between>[^0-9A-Za-z]*)(?P<segment>[0-9]+|[A-Za-z]+|)")
_EPOCH = re.compile(r"(?:(?P<epoch>[0-9]*):)?(?P<rest>.*)\Z", re.DOTALL)


def compare_versions(one: str, two: str) -> int:
    """Returns -1, 0 or 1 where `one` is older than `two`, as old, or newer; each is `EPOCH:VERSION-RELEASE`, epoch and release may be missing."""
    if one == two:
        return 0
    epoch, version, release = _parts(one)
    other_epoch, other_version, other_release = _parts(two)
    order = _compare(epoch, other_epoch) or _compare(version, other_version)
    if order or release is None or other_release is None:
        return order  # a version without a release stands for all of its releases
    return _compare(release, other_release)


def newest(versions: Iterable[str]) -> str:
    """Returns the newest of some versions, of which there is one at least."""
    return max(versions, key=cmp_to_key(compare_versions))


def _parts(text: str) -> tuple[str, str, str | None]:
    """Returns epoch, version and release; None for a release that is missing."""
    match = _EPOCH.match(text)
    epoch, rest = (match["epoch"], match["rest"]) if match else ("", text)
    version, dash, release = rest.rpartition("-")
    return (epoch or "0", version, release) if dash else (epoch or "0", rest, None)


def _compare(one: str, two: str) -> int:
    """Compares segment by segment: numbers by their value, letters by the alphabet; a number is newer than letters."""
    at = other_at = 0
    while at < len(one) and other_at < len(two):
        mine, other = next(_SEGMENT.finditer(one, at)), next(_SEGMENT.finditer(two, other_at))
        if not mine["segment"] or not other["segment"]:
            at, other_at = mine.start("segment"), other.start("segment")
            break
        order = _sign(len(mine["between"]), len(other["between"])) or _compare_segments(mine["segment"], other["segment"])
        if order:
            return order
        at, other_at = mine.end(), other.end()
    return _compare_rests(one[at:], two[other_at:])


def _compare_segments(one: str, two: str) -> int:
    if one.isdigit() and two.isdigit():
        one, two = one.lstrip("0"), two.lstrip("0")
        return _sign(len(one), len(two)) or _sign(one, two)
    if one.isdigit() or two.isdigit():
        return 1 if one.isdigit() else -1
    return _sign(one, two)


def _compare_rests(one: str, two: str) -> int:
    """Compares what is left where all segments of one of them were the same: 1.0 is newer than 1.0rc and older than 1.0.1."""
    if not one and not two:
        return 0
    if one[:1].isalpha() or (not one and not two[:1].isalpha()):
        return -1
    return 1


def _sign(one: int | str, two: int | str) -> int:
    return (one > two) - (one < two)  # type: ignore[operator]
