"""Where log lines go, and how they look."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, formatTime, globalLogBeginner
from zope.interface import implementer

_ORDER = {level: place for place, level in enumerate(LogLevel.iterconstants())}


@implementer(ILogObserver)
class LineObserver:
    """
    Writes an event as one line, and a traceback behind it when the fault is ours.

    What libraries say at info is left out: it is nothing that a user wants to know, such as each factory that starts.

    Args:
        least: The name of the least important level that is written.
    """

    def __init__(self, write: Callable[[str], object], least: str) -> None:
        self._write = write
        self._least = _ORDER[LogLevel.lookupByName(least)]

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        own = str(event.get("log_namespace", "")).startswith("pacserve")
        if _ORDER[level] < self._least or (not own and level is LogLevel.info):
            return
        text = " ".join(formatEvent(event).split())
        if event.get("log_failure") is not None:
            text += "\n" + event["log_failure"].getTraceback().rstrip()
        self._write(f"{formatTime(event['log_time'])} [{level.name}] {text}\n")


def line_writer(stream: TextIO | None) -> Callable[[str], None]:
    """
    Returns a function that writes whole lines, and loses them when they can't be written: a full disk or a closed terminal must not stop the daemon.

    Args:
        stream: None, as `sys.stderr` is where it was closed at the start, loses everything.
    """

    def write(text: str) -> None:
        if stream is None:
            return
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            return

    return write


def begin_logging(write: Callable[[str], object], least: str) -> None:
    """Sends every event from now on to `write`."""
    globalLogBeginner.beginLoggingTo([LineObserver(write, least)], redirectStandardIO=False, discardBuffer=True)
