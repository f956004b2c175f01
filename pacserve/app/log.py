"""Where log lines go, and how they look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from zope.interface import implementer

# Priorities of sd-daemon(3), which the journal takes from the beginning of a line.
_PRIORITIES = {LogLevel.debug: "<7>", LogLevel.info: "<6>", LogLevel.warn: "<4>", LogLevel.error: "<3>", LogLevel.critical: "<2>"}
# What Twisted says at info is nothing that a user wants to know, such as each factory that starts.
_ORDER = {level: place for place, level in enumerate(LogLevel.iterconstants())}


def line_prefix(level: str, journal: bool, wall_time: float) -> str:
    """What a line begins with: its priority for the journal, which adds the time itself, else the local time and the level."""
    if journal:
        return _PRIORITIES[LogLevel.lookupByName(level)]
    return f"{datetime.fromtimestamp(wall_time, UTC).astimezone().isoformat(timespec='seconds')} {level:<5} "


@implementer(ILogObserver)
class LineObserver:
    """
    Writes an event as one line, and a traceback behind it when the fault is ours.

    @param least: The name of the least important level that is written.
    """

    def __init__(self, write: Callable[[str], object], least: str, journal: bool) -> None:
        self._write = write
        self._least = _ORDER[LogLevel.lookupByName(least)]
        self._journal = journal

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        own = str(event.get("log_namespace", "")).startswith("pacserve")
        if _ORDER[level] < self._least or (not own and level is LogLevel.info):
            return
        text = " ".join(formatEvent(event).split())
        if event.get("log_failure") is not None:
            text += "\n" + event["log_failure"].getTraceback().rstrip()
        self._write(f"{line_prefix(level.name, self._journal, event['log_time'])}{text}\n")


def begin_logging(stream: TextIO, least: str, journal: bool) -> None:
    """Sends everything that is logged from now on to C{stream}."""

    def write(text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            return  # a full disk or a closed terminal must not stop the daemon

    globalLogBeginner.beginLoggingTo([LineObserver(write, least, journal)], redirectStandardIO=False, discardBuffer=True)
