"""The HTTP server: makes a `Channel` of each connection that there is room for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.tcp import Port
from twisted.web.resource import IResource
from zope.interface import implementer

from pacserve.network.addresses import parse_address
from pacserve.web.server.channel import Channel
from pacserve.web.server.connections import Connections
from pacserve.web.server.sockets import Flusher, Outgoing, outgoing
from pacserve.web.server.turns import Turns
from pacserve.web.server.twisted_internals import accept_by, accept_some

ACCEPT_SECONDS = 0.0005
"""Seconds of a turn in which a port accepts connections: some 30 that are refused, more than a flood brings in a turn without other work."""

_ACCEPTS_AT_ONCE = 4
"""Connections that are accepted without a look at the time: 0.4 ms where there is room for them."""


@implementer(IProtocolFactory)
class Site:
    """
    Serves one leaf resource by HTTP/1.

    It is no `twisted.web.server.Site`, whose sessions, traversal, log and timers have no use here and would cost each request time.

    Attributes:
        connections: The open ones.
    """

    def __init__(
        self,
        resource: IResource,
        clock: IReactorTime,
        *,
        connections: Connections | None = None,
        measure: Callable[[object], Outgoing | None] = outgoing,
    ) -> None:
        """
        Takes the resource and the registry of connections.

        Args:
            resource: Its `render` answers every request, and finishes it itself, now or later.
            measure: Returns how many of a transport's bytes the client has taken.
        """
        self.connections = Connections(clock) if connections is None else connections
        self._resource = resource
        self._flusher = Flusher(clock)
        self._turns = Turns(clock)
        self._measure = measure

    def buildProtocol(self, addr: IAddress) -> Channel | None:  # noqa: N802
        """Returns a channel for the connection; None, upon which Twisted closes it, where there is no room for one more of its client."""
        address: Any = addr
        visitor = self.connections.admit(parse_address(address.host))
        if visitor is None:
            return None
        return Channel(self._resource, visitor, self.connections, self._flusher, self._turns, self._measure)

    def take(self, port: IListeningPort) -> None:
        """Bounds how much of a turn a port accepts connections, which comes before they are known to be of other hosts."""
        listening: Any = port
        accept_by(listening, self._accept)

    def _accept(self, port: Port) -> None:
        until = self._turns.seconds() + ACCEPT_SECONDS
        while accept_some(port, _ACCEPTS_AT_ONCE) and self._turns.seconds() < until:
            pass

    def doStart(self) -> None:  # noqa: N802
        """Does nothing: the first connection needs nothing to be there."""

    def doStop(self) -> None:  # noqa: N802
        """Does nothing: connections outlive the ports that accepted them, and `Connections.retire` and `Connections.abort` end them."""
