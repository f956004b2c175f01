"""Tests for `pacserve.fetch.agents`."""

from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent

from pacserve.errors import FetchError
from pacserve.fetch.agents import mirror_agent, peer_agent
from pacserve.fetch.client import HTTPClient
from pacserve.fetch.guard import AddressGuard
from pacserve.fetch.proxy import Proxies
from pacserve.network.addresses import IPAddress, LocalAddresses

PROXIES = Proxies({"http_proxy": "http://u:p@10.9.9.9:3128", "https_proxy": "10.9.9.9:3128", "no_proxy": "10.0.0.5"})


class Local(LocalAddresses):
    """A host that has but loopback."""

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback

    def attached(self, address: IPAddress) -> bool:
        return address == ip_address("192.0.2.1")


class Wire(StringTransport):
    """A connection as TCP has it."""

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        """Small packets are sent at once."""


class AgentsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def head(self, agent: IAgent, url: str) -> Deferred[Any]:
        """Asks by HEAD."""
        return Deferred.fromCoroutine(HTTPClient(agent, self.reactor).head(url, timeout=5))

    def connected(self, number: int = -1) -> tuple[tuple[str, int], Any, Wire]:
        """Where a connection goes, what speaks on it and what was said."""
        host, port, factory, *_ = self.reactor.tcpClients[number]
        protocol: Any = factory.buildProtocol(None)
        wire = Wire()
        protocol.makeConnection(wire)
        return (host, port), protocol, wire

    def test_kept_alive(self) -> None:
        """The second question to a peer goes over the connection of the first, and the pool lets idle ones go before our server does."""
        agent = peer_agent(self.reactor)
        first = self.head(agent, "http://10.0.0.4:15678/x")
        _, peer, wire = self.connected()
        peer.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        self.assertEqual(self.successResultOf(first).length, 3)
        second = self.head(agent, "http://10.0.0.4:15678/y")
        peer.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        self.assertEqual(self.successResultOf(second).length, 4)
        self.assertEqual(len(self.reactor.tcpClients), 1)
        self.assertFalse(wire.disconnecting)
        self.reactor.advance(59)
        self.assertTrue(wire.disconnecting)

    def test_http_through_proxy(self) -> None:
        """An http mirror is asked by its absolute URL at the proxy, with the proxy's password."""
        asked = self.head(mirror_agent(self.reactor, PROXIES), "http://a.example/x")
        place, protocol, wire = self.connected()
        self.assertEqual(place, ("10.9.9.9", 3128))
        self.assertTrue(wire.value().startswith(b"HEAD http://a.example/x HTTP/1.1\r\n"))
        self.assertIn(b"\r\nProxy-Authorization: Basic dTpw\r\n", wire.value())
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.successResultOf(asked)

    def test_https_through_proxy(self) -> None:
        """An https mirror is asked through a tunnel, in which TLS begins when it is open."""
        self.head(mirror_agent(self.reactor, PROXIES), "https://a.example/x")
        place, protocol, wire = self.connected()
        self.assertEqual(place, ("10.9.9.9", 3128))
        self.assertTrue(wire.value().startswith(b"CONNECT a.example:443 HTTP/1.1\r\n"))
        wire.clear()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(wire.value()[:2], b"\x16\x03")  # a TLS handshake record

    def test_no_proxy(self) -> None:
        """A mirror that no_proxy names is asked straight."""
        self.head(mirror_agent(self.reactor, PROXIES), "http://10.0.0.5/x")
        self.assertEqual(self.connected()[0], ("10.0.0.5", 80))

    def test_guarded(self) -> None:
        """With a guard this host is not reached, neither straight nor by way of a proxy, and others are."""
        guard = AddressGuard(Local())
        for proxies in (PROXIES, Proxies({})):
            agent = mirror_agent(self.reactor, proxies, guard)
            for url in ("http://127.0.0.1/", "https://127.0.0.1/", "http://2130706433/", "http://[::1]:8080/", "https://[::ffff:127.0.0.1]/"):
                self.failureResultOf(self.head(agent, url), FetchError)
            self.assertEqual(self.reactor.tcpClients, [])
        self.head(agent, "http://10.0.0.4/")
        self.assertEqual(self.connected()[0], ("10.0.0.4", 80))

    def test_connections_are_not_shared(self) -> None:
        """A connection that was made without the guard is never used with it."""
        asked = self.head(mirror_agent(self.reactor, Proxies({})), "http://127.0.0.1/")
        self.connected()[1].dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.successResultOf(asked)
        self.failureResultOf(self.head(mirror_agent(self.reactor, Proxies({}), AddressGuard(Local())), "http://127.0.0.1/"), FetchError)
