"""
Turns: this host's own connections are served first in each turn of the reactor, those of other hosts share a short part of it.

Whatever other hosts send, and on however many connections, a request of this host waits no longer than that part and one answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import thread_time

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.logger import Logger

from pacserve.errors import plain_reason
from pacserve.web.fairness import Allowance
from pacserve.web.server.twisted_internals import NestedReactor, move

TURN_SECONDS = 0.0005
"""
Seconds of a turn that other hosts' sockets get, and as many for those of their requests that waited for a turn: together some ten redirects.

An own request on a new connection takes three turns.  A turn in which nothing else happens takes 0.03 ms: little time is lost by their number.
"""

SHORTEST_WAIT = 0.01
"""Seconds that a host waits at least that has used too much, so that a timer is worth several requests."""

_EVENTS_AT_ONCE = 2
"""Sockets that are served without a look at the time."""


class Turns:
    """Lets connections go on in turns."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, cpu_seconds: Callable[[], float] = thread_time) -> None:
        """
        Begins without connections.

        Args:
            clock: A reactor; where it watches no sockets itself, as in tests, no connection is taken from it.
            cpu_seconds: Gives the CPU time of the reactor's thread.
        """
        self._clock = clock
        self._cpu_seconds = cpu_seconds
        self._nested: NestedReactor | None = None
        self._waiting: dict[Allowance, deque[Callable[[], None]]] = {}
        self._turns: deque[Allowance] = deque()  # those of the sources that need not wait for a timer
        self._planned = False

    def seconds(self) -> float:
        """Returns the time."""
        return self._clock.seconds()

    def cpu_seconds(self) -> float:
        """Returns the CPU time of the reactor's thread: a host that asks is not charged for time that this one had not got."""
        return self._cpu_seconds()

    def share(self, descriptor: FileDescriptor) -> None:
        """Has the socket of another host's connection watched together with all others of its kind."""
        reactor: object = self._clock
        if self._nested is None and IReactorFDSet.providedBy(reactor):
            try:
                self._nested = NestedReactor(reactor, self._serve)
            except OSError as error:  # no file descriptor is left: this one is served as if it were of this host
                self._log.debug("connections can't be told apart: {error}", error=plain_reason(error))
        if self._nested is not None:
            move(descriptor, self._nested)

    def next(self, allowance: Allowance | None, go_on: Callable[[], None]) -> None:
        """
        Lets a connection go on in a later turn: when its source may use more of this host, and the other sources that wait had a turn.

        Args:
            allowance: What its source may use; None for this host, whose connections go on in the next turn.
        """
        if allowance is None:
            self._clock.callLater(0, go_on)
        elif allowance in self._waiting:
            self._waiting[allowance].append(go_on)
        else:
            self._waiting[allowance] = deque([go_on])
            self._line_up(allowance)

    def _line_up(self, allowance: Allowance) -> None:
        """Gives a source its next turn: behind the others, or after a while where it has used too much."""
        wait = allowance.wait(self._clock.seconds())
        if wait > 0:
            self._clock.callLater(max(wait, SHORTEST_WAIT), self._line_up, allowance)
        else:
            self._turns.append(allowance)
            self._plan()

    def _plan(self) -> None:
        if self._turns and not self._planned:
            self._planned = True
            self._clock.callLater(0, self._go_on)

    def _go_on(self) -> None:
        """Lets one connection of each source go on, as far as the time is enough."""
        self._planned = False
        until = self._clock.seconds() + TURN_SECONDS
        try:
            for _ in range(len(self._turns)):  # a source that waits again meanwhile has the next turn
                self._let_go_on(self._turns.popleft())
                if self._clock.seconds() >= until:
                    break
        finally:
            self._plan()

    def _let_go_on(self, allowance: Allowance) -> None:
        waiting = self._waiting[allowance]
        go_on = waiting.popleft()
        if not waiting:
            del self._waiting[allowance]
        try:
            go_on()
        finally:
            if waiting:
                self._line_up(allowance)

    def _serve(self, nested: NestedReactor) -> None:
        """Serves sockets of other hosts, as far as the time is enough."""
        until = self._clock.seconds() + TURN_SECONDS
        while nested.serve(_EVENTS_AT_ONCE) == _EVENTS_AT_ONCE and self._clock.seconds() < until:
            pass
