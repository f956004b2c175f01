"""Tests for `pacserve.fetch.guard`."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError
from pacserve.fetch.connections import tcp_endpoint
from pacserve.fetch.guard import AddressGuard, GuardedReactor
from pacserve.network.addresses import IPAddress, LocalAddresses


class Local(LocalAddresses):
    """A host with the address 10.0.0.3."""

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback or address == ip_address("10.0.0.3")

    def attached(self, address: IPAddress) -> bool:
        return False


class Names:
    """A resolver that gives what the test wants."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def resolveHostName(self, receiver: IResolutionReceiver, hostName: str, portNumber: int = 0) -> IHostResolution:  # noqa: N802, N803
        """Resolves at once."""
        for text in self.addresses:
            kind = IPv6Address if ":" in text else IPv4Address
            receiver.addressResolved(kind("TCP", text, portNumber))
        receiver.resolutionComplete()
        resolution: IHostResolution | None = None
        return resolution  # type: ignore[return-value]


class GuardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.guard = AddressGuard(Local())
        self.reactor = MemoryReactorClock()
        self.guarded = GuardedReactor(self.reactor, self.guard)

    def connects_to(self, host: str, *addresses: str) -> list[str]:
        """The addresses that are connected to for a host of a URL, which resolves to the given ones."""
        self.reactor.tcpClients.clear()
        self.reactor.nameResolver = Names(*addresses)  # type: ignore[assignment]
        connecting = tcp_endpoint(self.guarded, host, 80).connect(Factory())
        self.reactor.pump([0.3] * 5)
        if not self.reactor.tcpClients:
            self.failureResultOf(connecting, FetchError)
        else:
            connecting.addErrback(lambda _: None)
            connecting.cancel()
        return [client[0] for client in self.reactor.tcpClients]

    def test_addresses(self) -> None:
        """Loopback, link-local, unspecified, multicast and own addresses are not permitted, embedded ones neither; a LAN is."""
        for text in (
            *("127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "10.0.0.3"),
            *("::1", "::", "fe80::1", "ff02::1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:3"),
        ):
            self.assertFalse(self.guard.permits(ip_address(text)), text)
        for text in ("10.0.0.4", "192.168.1.1", "203.0.113.7", "fd77::1", "2001:db8::1", "64:ff9b::cb00:7107"):
            self.assertTrue(self.guard.permits(ip_address(text)), text)

    @given(st.ip_addresses(v=4))
    def test_embedding_changes_nothing(self, address: IPAddress) -> None:
        """What is permitted as an IPv4 address is permitted behind a translator, and nothing else."""
        self.assertEqual(self.guard.permits(ip_address(f"64:ff9b::{address}")), self.guard.permits(address))

    def test_literals(self) -> None:
        """An address in a URL is not connected to, however it is written."""
        for host in ("127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "::ffff:127.0.0.1", "fe80::1%eth0", "10.0.0.3"):
            self.assertEqual(self.connects_to(host), [], host)
        self.assertEqual(self.connects_to("10.0.0.4"), ["10.0.0.4"])
        self.assertEqual(self.connects_to("fd77::1"), ["fd77::1"])

    def test_names(self) -> None:
        """What counts is what a name resolves to at the moment of connecting."""
        self.assertEqual(self.connects_to("evil.example", "127.0.0.1"), [])
        self.assertEqual(self.connects_to("evil.example", "::1", "10.0.0.3", "::ffff:127.0.0.1", "fe80::1"), [])
        self.assertEqual(self.connects_to("a.example", "203.0.113.7"), ["203.0.113.7"])

    def test_some_of_a_name(self) -> None:
        """Of a name that has both, only the permitted addresses are connected to."""
        self.assertEqual(self.connects_to("both.example", "127.0.0.1", "203.0.113.7", "::1"), ["203.0.113.7"])

    def test_without_the_guard(self) -> None:
        """The same endpoint without the guard does connect, so that these tests mean something."""
        self.reactor.nameResolver = Names("127.0.0.1")  # type: ignore[assignment]
        HostnameEndpoint(self.reactor, "evil.example", 80).connect(Factory())
        self.assertEqual([client[0] for client in self.reactor.tcpClients], ["127.0.0.1"])

    def test_by_way_of_a_proxy(self) -> None:
        """Where a proxy looks names up, addresses in any form and localhost are refused, other names can't be judged."""
        for host in ("127.0.0.1", "2130706433", "::1", "localhost", "a.localhost", "10.0.0.3"):
            self.assertFalse(self.guard.permits_host(host), host)
        for host in ("10.0.0.4", "a.example"):
            self.assertTrue(self.guard.permits_host(host), host)
