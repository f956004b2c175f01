"""Connections of HTTP clients that are under the test's hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

from pacserve.fetch.connections import BoundedEndpoint


class Wire(StringTransport):
    """
    One connection.

    Attributes:
        protocol: What is connected.
        closed: Whether the client has let go of it.
    """

    protocol: Protocol

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__()
        self.closed = False
        self._clock = clock

    def loseConnection(self) -> None:  # noqa: N802
        """The client closes it, and hears so in the next turn, as of a real one."""
        self._clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:  # noqa: N802
        """The client drops it, and hears so in the next turn."""
        self._clock.callLater(0, self.lose, ConnectionLost())

    def give(self, data: bytes) -> None:
        """The server sends something."""
        self.protocol.dataReceived(data)

    def lose(self, reason: Exception) -> None:
        """The connection ends."""
        if not self.closed:
            self.closed = True
            self.protocol.connectionLost(Failure(reason))


@implementer(IAgentEndpointFactory)
class Wires:
    """
    Connects every request at once.

    Attributes:
        made: The connections, in order.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.made: list[Wire] = []
        self.pool = HTTPConnectionPool(clock)
        self.agent: IAgent = Agent.usingEndpointFactory(clock, self, pool=self.pool)
        self._clock = clock

    def endpointForURI(self, uri: object) -> BoundedEndpoint:  # noqa: N802
        """Every place is the same."""
        endpoint: Any = self
        return BoundedEndpoint(endpoint, self._clock)

    def connect(self, factory: Factory) -> Deferred[Any]:
        """Connects."""
        address: IAddress | None = None
        protocol: Any = factory.buildProtocol(address)
        wire = Wire(self._clock)
        wire.protocol = protocol
        protocol.makeConnection(wire)
        self.made.append(wire)
        connected: Deferred[Any] = Deferred()
        connected.callback(protocol)
        return connected
