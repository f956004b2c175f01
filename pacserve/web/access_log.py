"""The access log: one line for each answered request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import formatTime

from pacserve.network.addresses import IPAddress

FLUSH_AFTER = 0.1
"""Seconds that a line may wait for others to be written together with it."""

_MOST_LINES = 1000
"""Lines that may wait; more are written at once."""

_LONGEST = 300
"""Characters of a path or an origin that a line shows."""


@dataclass(slots=True)
class Asked:
    """
    What the log tells of a request.

    Attributes:
        target: The request target as it came.
        started: When the request came, by the log's clock.
    """

    method: bytes
    target: bytes
    client: IPAddress
    started: float

    def __str__(self) -> str:
        return printable(f"{self.method.decode('latin-1')} {self.target.decode('latin-1')}")


class AccessLog:
    """
    Writes one line for each answered request: what was asked, the status, where the answer is from, how many bytes, how long it took, and who asked
    unless that was this machine.

    The lines look like the other ones of the daemon, but are formatted here, since a request for a redirect takes little longer than an event of
    `twisted.logger`.  They are written together, soon after.
    """

    def __init__(self, write: Callable[[str], object], clock: IReactorTime, *, wall: Callable[[], float] | None = None, debug: bool = False) -> None:
        """
        Begins with no line to write.

        Args:
            write: Takes whole lines, each ended by a newline.
            clock: Measures how long an answer took, and says when to write.
            wall: Gives the seconds since the epoch; without it the clock does, as Twisted's reactors can.
            debug: True if quiet answers are logged too.
        """
        self._write = write
        self._clock = clock
        self._wall = clock.seconds if wall is None else wall
        self._debug = debug
        self._lines: list[str] = []
        self._flushing: IDelayedCall | None = None
        self._second = -1
        self._stamp = ""

    def answered(
        self,
        asked: Asked,
        status: int,
        origin: str,
        size: int | None,
        *,
        redirected: bool = False,
        cut_short: bool = False,
        quiet: bool = False,
    ) -> None:
        """
        Logs an answer.

        Args:
            origin: Where the answer is from, or for an error who was asked; may be empty.
            size: The bytes of the body, for a redirect those of the file behind it; None where they are not known.
            cut_short: The connection ended before the answer did.
            quiet: For the debug level only.
        """
        if quiet and not self._debug:
            return
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._stamp = formatTime(second)
        level = "debug" if quiet else "info"
        source = f" {'from' if status < 400 else 'after'} {printable(origin)}" if origin else ""
        how = " (redirected)" if redirected else ""
        amount = "" if size is None else f", {size} bytes"
        ending = ", cut short" if cut_short else ""
        self._add(f"{self._stamp} [{level}] {asked}: {status}{source}{how}{amount}{ending}, {self._rest(asked)}\n")

    def client_left(self, asked: Asked) -> None:
        """Logs a client that went away before it was answered."""
        self._add(f"{formatTime(self._wall())} [info] {asked}: the client has left, {self._rest(asked)}\n")

    def _rest(self, asked: Asked) -> str:
        who = "" if asked.client.is_loopback else f", for {asked.client}"
        return f"{(self._clock.seconds() - asked.started) * 1000:.1f} ms{who}"

    def flush(self) -> None:
        """Writes what waits, for example when the daemon stops.  Lines that can't be written are lost: there is nowhere to say so."""
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        lines, self._lines = self._lines, []
        if lines:
            with suppress(OSError):
                self._write("".join(lines))

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if self._flushing is None:
            self._flushing = self._clock.callLater(FLUSH_AFTER, self.flush)
        elif len(self._lines) >= _MOST_LINES:
            self.flush()


def printable(text: str) -> str:
    """`text` with everything but printable ASCII escaped, and of a bounded length: nothing that a client sends can end or forge a line."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode("ascii")
