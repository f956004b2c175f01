"""Memory and open files of the daemons, and the lines of their logs.  Rules only."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MEGABYTE = 1_000_000
# The part of a daemon's life, and at least so many seconds, in which its memory grows because it fills its tables and buffers.
_WARM_UP_PART, _WARM_UP_SECONDS = 0.25, 90.0
# Bytes between two thirds of the rest that an allocator's fragments do not explain: growth must be so steady and so large to count.
_STEADY_GROWTH = 4_000_000
_LARGE_GROWTH = 12_000_000
# Files that are open at one moment and not at another, with six hosts that upgrade.
_MORE_FILES = 60
# Readings that a daemon must have lived for until its growth is judged.
_FEWEST = 12

_LINE = re.compile(r"^\S+ \[(warn|error|critical)\] (.*)$")
_VARIABLE = (
    (re.compile(r"\S+\.pkg\.tar\.\S+"), "FILE"),
    (re.compile(r"/\S*/"), "FOLDER/"),
    (re.compile(r"\[?fe80::\S+|\[?fd77::[0-9a-f:]*\]?(:\d+)?|\d+\.\d+\.\d+\.\d+(:\d+)?"), "ADDRESS"),
    (re.compile(r"\d+(\.\d+)?"), "N"),
)
_DEFECTS = ("Traceback (most recent call last)", "Unhandled error in Deferred")


@dataclass(frozen=True, slots=True)
class Reading:
    """
    The state of a daemon at a moment.

    Attributes:
        process: Its process id.
        resident: Bytes of its memory.
        files: Its open file descriptors.
    """

    at: float
    process: int
    resident: int
    files: int


@dataclass(frozen=True, slots=True)
class Course:
    """
    The course of a figure: at the start, after a warm-up, at the end, and its highest value.

    Attributes:
        grows: True if it grows without an end in sight.
    """

    start: float
    warm: float
    end: float
    highest: float
    grows: bool


def memory(readings: Sequence[Reading]) -> Course | None:
    """Returns the course of a host's memory in MB; None without readings.  Growth is judged within the life of its last daemon."""
    if not readings:
        return None
    values = [reading.resident for reading in readings]
    first, second, third = _thirds([reading.resident for reading in _settled(readings)])
    grows = second - first > _STEADY_GROWTH and third - second > _STEADY_GROWTH and third - first > _LARGE_GROWTH
    warm, end = _ends(readings, [float(value) for value in values])
    return Course(values[0] / _MEGABYTE, warm / _MEGABYTE, end / _MEGABYTE, max(values) / _MEGABYTE, grows)


def descriptors(readings: Sequence[Reading]) -> Course | None:
    """Returns the course of a host's open files; None without readings."""
    if not readings:
        return None
    values = [reading.files for reading in readings]
    first, _, third = _thirds([reading.files for reading in _settled(readings)])
    warm, end = _ends(readings, [float(value) for value in values])
    return Course(values[0], warm, end, max(values), third - first > _MORE_FILES)


def _settled(readings: Sequence[Reading]) -> list[Reading]:
    """Returns the readings of the last daemon after its warm-up."""
    last = [reading for reading in readings if reading.process == readings[-1].process]
    warm_up = max(_WARM_UP_SECONDS, (last[-1].at - last[0].at) * _WARM_UP_PART)
    return [reading for reading in last if reading.at - last[0].at >= warm_up]


def _ends(readings: Sequence[Reading], values: Sequence[float]) -> tuple[float, float]:
    """Returns the median of a few values after the warm-up of the whole soak, and of the last few."""
    warm_up = readings[0].at + max(_WARM_UP_SECONDS, (readings[-1].at - readings[0].at) * _WARM_UP_PART)
    after = [value for reading, value in zip(readings, values, strict=True) if reading.at >= warm_up] or list(values[-1:])
    return statistics.median(after[:5]), statistics.median(after[-5:])


def _thirds(values: Sequence[int]) -> tuple[float, float, float]:
    if len(values) < _FEWEST:
        return 0.0, 0.0, 0.0
    size = len(values) // 3
    return tuple(statistics.median(values[begin : begin + size]) for begin in (0, size, len(values) - size))  # type: ignore[return-value]


def unusual_lines(log: Iterable[str]) -> Counter[str]:
    """Returns the number of lines above info, by their text without names and numbers."""
    found: Counter[str] = Counter()
    for line in log:
        if match := _LINE.match(line.rstrip()):
            found[f"[{match[1]}] {_general(match[2])}"] += 1
    return found


def defects(log: Iterable[str]) -> int:
    """Returns the number of tracebacks and unheard errors in a log."""
    return sum(any(text in line for text in _DEFECTS) for line in log)


def _general(text: str) -> str:
    for pattern, name in _VARIABLE:
        text = pattern.sub(name, text)
    return text
