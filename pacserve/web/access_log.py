"""The access log: one line for each answered request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import formatTime

from pacserve.bounded import ExpiringMemory
from pacserve.network.addresses import IPAddress, is_loopback
from pacserve.web.fairness import Bucket, Rank, Ranking, Source, loopback_first, source_of
from pacserve.web.witness import Answered, ClientLeft, Witness

FLUSH_DELAY = 0.1
"""Seconds that a line may wait for others to be written together with it."""

_MOST_WAITING_LINES = 1000
"""Lines that may wait; more are written at once, so that a flood of requests is not kept in memory."""

LINES_PER_SECOND = 20.0
"""Lines about one other host: a journal that gets more than some 300 a second of a service drops lines, also those about this host."""

LINE_BURST = 3000.0
"""Lines about one other host that may come at once: an upgrade of 1,500 packages makes 3,000."""

SUMMARY_INTERVAL = 10.0
"""Seconds after which it is said how many requests were left out."""

_MOST_SOURCES = 1024
"""Hosts whose lines are counted."""

_FULL_AGAIN = LINE_BURST / LINES_PER_SECOND
"""Seconds after which a host may have the whole burst again."""

_LONGEST_TEXT = 300
"""Characters of a request or an origin that a line shows."""


class AccessLog(Witness):
    """
    Writes one line for each request: method and target, the status, the source of the answer, its bytes and seconds, and the client unless that was
    this machine.

    The lines look like the daemon's other ones, but are formatted here: an event of `twisted.logger` takes nearly as long as a whole redirect.
    Several are written together, soon after.  Other hosts may fill so many lines each; of what is beyond only the number is written.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        clock: IReactorTime,
        *,
        wall: Callable[[], float] | None = None,
        ranking: Ranking = loopback_first,
        debug: bool = False,
    ) -> None:
        """
        Begins with no line to write.

        Args:
            write: Takes whole lines, each ended by a newline.
            clock: Says when to write.
            wall: Gives the seconds since the epoch; without it the clock does, as Twisted's reactors can.
            ranking: Tells this host from others.
            debug: True if quiet answers are logged too.
        """
        self._write = write
        self._clock = clock
        self._wall = clock.seconds if wall is None else wall
        self._ranking = ranking
        self._debug = debug
        self._shares: ExpiringMemory[Source, tuple[Bucket, float]] = ExpiringMemory(_MOST_SOURCES, _FULL_AGAIN)
        self._left_out: dict[Source, tuple[IPAddress, int]] = {}
        self._lines: list[str] = []
        self._flushing: IDelayedCall | None = None
        self._second = -1
        self._stamp = ""

    def answered(self, answered: Answered) -> None:
        if (answered.quiet and not self._debug) or not self._has_share(answered.client):
            return
        second = int(self._wall())
        if second != self._second:  # formatting a time costs as much as the rest of the line
            self._second = second
            self._stamp = formatTime(second)
        level = "debug" if answered.quiet else "info"
        source = f" {'from' if answered.status < 400 else 'after'} {printable(answered.origin)}" if answered.origin else ""
        how = " (redirected)" if answered.redirected else ""
        amount = "" if answered.size is None else f", {answered.size} bytes"
        ending = "" if answered.complete else ", cut short"
        self._add(f"{self._stamp} [{level}] {request_text(answered)}: {answered.status}{source}{how}{amount}{ending}, {_rest(answered)}\n")

    def client_left(self, left: ClientLeft) -> None:
        if not self._has_share(left.client):
            return
        self._add(f"{formatTime(self._wall())} [info] {request_text(left)}: the client has left, {_rest(left)}\n")

    def flush(self) -> None:
        """Writes the lines that wait, for example when the daemon stops.  Lines that can't be written are lost: there is nowhere to say so."""
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        lines, self._lines = self._lines, []
        if lines:
            with suppress(OSError):
                self._write("".join(lines))

    def _has_share(self, client: IPAddress) -> bool:
        """Returns whether there is a line for one more request of a client, which is counted then."""
        if is_loopback(client):
            return True
        source = source_of(client, self._ranking(client))
        if source.rank is Rank.OWN:
            return True
        now = self._clock.seconds()
        bucket, as_of = self._shares.get(source, now) or (Bucket(LINES_PER_SECOND, LINE_BURST), now)
        bucket.refill(now - as_of)
        self._shares.remember(source, (bucket, now), now)
        if bucket.left >= 1:
            bucket.use(1)
            return True
        if not self._left_out:
            self._clock.callLater(SUMMARY_INTERVAL, self._sum_up)
        self._left_out[source] = client, self._left_out.get(source, (client, 0))[1] + 1
        return False

    def _sum_up(self) -> None:
        """Writes how many requests were left out."""
        left_out, self._left_out = self._left_out, {}
        for client, count in left_out.values():
            self._add(f"{formatTime(self._wall())} [info] {count} more requests of {client} are not listed: it sends too many\n")

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if self._flushing is None:
            self._flushing = self._clock.callLater(FLUSH_DELAY, self.flush)
        elif len(self._lines) >= _MOST_WAITING_LINES:
            self.flush()


def request_text(request: Answered | ClientLeft) -> str:
    """Returns the method and the target of a request, safe to be logged."""
    return printable(f"{request.method} {request.target.decode('latin-1')}")


def printable(text: str) -> str:
    """Returns a text of bounded length with everything but printable ASCII escaped: nothing that a client sends can end or forge a line."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "..."
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _rest(request: Answered | ClientLeft) -> str:
    """Returns how long a request took, and the client unless it was this machine."""
    client = "" if is_loopback(request.client) else f", for {request.client}"
    return f"{request.seconds * 1000:.1f} ms{client}"
