"""Connections through an HTTP proxy."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.proxy import Proxy
from pacserve.fetch.reasons import translate

# Bytes of a proxy's answer to CONNECT: some proxies explain a refusal by a page.
_ANSWER_LIMIT = 16 << 10


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """Connects to the proxy itself.  Error messages say that they are about the connection to the proxy."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        return self._endpoint.connect(protocolFactory).addErrback(_blame_proxy)


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    A tunnel to a host and port, opened with CONNECT (RFC 9110, 9.3.6).

    Args:
        endpoint: Connects to the proxy.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, proxy: Proxy, host: str, port: int) -> None:
        self._endpoint = endpoint
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        authorization = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
        self._request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n".encode("ascii")

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """
        Opens the tunnel.

        Returns:
            Fires when the tunnel is open, with the protocol inside.  Cancelling drops the connection to the proxy.
        """

        def connected(protocol: Any) -> Deferred[IProtocol]:
            opened: Deferred[IProtocol] = protocol.opened
            return opened

        return self._endpoint.connect(_TunnelFactory(protocolFactory, self._request)).addCallback(connected)


class _TunnelFactory(Factory):
    noisy = False

    def __init__(self, inside: IProtocolFactory, request: bytes) -> None:
        self._inside = inside
        self._request = request

    def buildProtocol(self, addr: Any) -> Protocol:  # noqa: N802
        return _Tunnel(self._inside, addr, self._request)


class _Tunnel(Protocol):
    """Opens the tunnel by CONNECT, and then passes all bytes on to the protocol inside, which has the transport for itself."""

    transport: Any

    def __init__(self, factory: IProtocolFactory, address: Any, request: bytes) -> None:
        self.opened: Deferred[IProtocol] = Deferred(self._cancelled)
        self._factory = factory
        self._address = address
        self._request = request
        self._answer = b""
        self._inside: IProtocol | None = None

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._inside is not None:
            self._inside.dataReceived(data)
            return
        if self.opened.called:
            return
        self._answer += data
        head, found, _ = self._answer.partition(b"\r\n\r\n")
        if found:
            self._answered(head, len(self._answer) > len(head) + 4)
        elif len(self._answer) > _ANSWER_LIMIT:
            self._fail(RemoteProtocolError("proxy: the answer is not HTTP"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._inside is not None:
            self._inside.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(FetchError("proxy: connection closed"))

    def _answered(self, head: bytes, more: bool) -> None:
        parts = head.split(b"\r\n", 1)[0].split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1]) != 3 or not parts[1].isdigit():
            self._fail(RemoteProtocolError("proxy: the answer is not HTTP"))
        elif not parts[1].startswith(b"2"):
            self._fail(FetchError(f"proxy: {parts[1].decode('ascii')}"))
        elif more:  # in TLS the client speaks first
            self._fail(RemoteProtocolError("proxy: sent data before the client did"))
        else:
            self._open()

    def _open(self) -> None:
        inside = self._factory.buildProtocol(self._address)
        if inside is None:
            self._fail(FetchError("connection closed"))
            return
        self._inside = inside
        inside.makeConnection(self.transport)
        self.opened.callback(inside)

    def _fail(self, error: Exception) -> None:
        self.opened.errback(error)
        self.transport.abortConnection()

    def _cancelled(self, opened: Deferred[IProtocol]) -> None:
        self._fail(CancelledError())


def _blame_proxy(failure: Failure) -> Failure:
    known = None if failure.value is None or failure.check(CancelledError) else translate(failure.value)
    if known is None:
        return failure
    return Failure(type(known)(f"proxy: {known}"))
