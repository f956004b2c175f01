"""A client of a web server, in memory, that sees the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pacserve.web.admission import AccessRules, Admission
from pacserve.web.front import Front
from pacserve.web.hosts import Hosts
from pacserve.web.router import Router
from pacserve.web.routes import Audience, HostHeader, Methods, Route
from pacserve.web.server.site import Site
from pacserve.web.server.sockets import Outgoing
from tests.fakes.interfaces import Addresses, Everyone


@dataclass(frozen=True)
class Response:
    """
    What came back.

    Attributes:
        headers: By their names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(StringTransport):
    """
    The server's end of a connection.

    Attributes:
        half_closed: The server has said all that it will.
        outgoing: What the kernel would say of it.
        limit: Bytes after which the buffer is full, as the real transports have it; None for a client that takes all at once.
    """

    def __init__(self, host: str) -> None:
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, 40000)
        super().__init__(IPv4Address("TCP", "127.0.0.1", 15678), address, lenient=True)
        self.half_closed = False
        self.outgoing = Outgoing(0, 0)
        self.limit: int | None = None
        self.waiting = 0

    def write(self, data: bytes) -> None:
        super().write(data)
        self.waiting += len(data)
        if self.limit is not None and self.waiting > self.limit and self.producer is not None:
            self.producer.pauseProducing()

    def take(self) -> None:
        """The client takes what waits for it."""
        self.waiting = 0
        if self.producer is not None:
            self.producer.resumeProducing()

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.half_closed = True

    def unregisterProducer(self) -> None:  # noqa: N802
        self.producer = None


class Browser:
    """
    One connection to a site.

    Attributes:
        wire: The server's end.
    """

    def __init__(self, site: Site, host: str = "127.0.0.1") -> None:
        self.wire = Wire(host)
        channel = site.buildProtocol(self.wire.getPeer())
        self.admitted = channel is not None
        if channel is not None:
            self.channel = channel
            channel.makeConnection(self.wire)

    def send(self, data: bytes) -> None:
        """Sends some bytes, unless the server has closed."""
        if not self.wire.disconnecting:
            self.channel.dataReceived(data)

    def ask(self, target: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> None:
        """Sends a whole request."""
        lines = [f"{method} {target} {version}", "Host: localhost", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))

    def get(self, target: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> Response:
        """Asks, and takes the response that must come at once, and alone."""
        self.ask(target, *headers, method=method, version=version)
        (response,) = self.responses(method)
        return response

    def responses(self, *methods: str) -> list[Response]:
        """
        Takes the complete responses that have come.

        Args:
            methods: Those of the requests that they answer, as far as they are not GET.
        """
        data = self.wire.value()
        self.wire.clear()
        found: list[Response] = []
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
            status = int(line.split(" ")[1])
            method = methods[len(found)] if len(found) < len(methods) else "GET"
            length = 0 if method == "HEAD" or status == 304 else int(headers["content-length"])
            if len(data) < length:
                raise AssertionError(f"{length} bytes were promised, {len(data)} came")
            found.append(Response(status, headers, data[:length]))
            data = data[length:]
        return found

    def close(self, *, cleanly: bool = True) -> None:
        """The client goes away."""
        self.channel.connectionLost(Failure(ConnectionDone() if cleanly else ConnectionLost()))

    @property
    def closed(self) -> bool:
        """True if the server has closed or aborted the connection."""
        return bool(self.wire.disconnecting)


def site_of(resource: Any, clock: IReactorTime, **more: Any) -> Site:
    """A site whose kernel is the `Wire`."""
    return Site(resource, clock, measure=lambda wire: wire.outgoing if isinstance(wire, Wire) else None, **more)


def router_of(fronts: Mapping[str, Front], clock: IReactorTime, *, clients: Admission | None = None, **more: Any) -> Router:
    """A router with these fronts, by the first part of the path: clients may read them, by any name; without an admission all are clients."""
    rules = AccessRules(clients or Everyone(), Everyone(), Hosts(Addresses(), ()))
    return Router([Route(path, Methods.READ, Audience.CLIENTS, HostHeader.ANY, front) for path, front in fronts.items()], rules, clock, **more)
