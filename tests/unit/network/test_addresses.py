"""Tests for `pacserve.network.addresses`."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import Endpoint, in_private_range, is_loopback, parse_address, parse_endpoint, parse_network


class AddressTests(SynchronousTestCase):
    def test_mapped_address_is_unmapped(self) -> None:
        """An IPv4 client of a dual stack socket is known by its IPv4 address."""
        self.assertEqual(parse_address("::ffff:10.0.0.3"), IPv4Address("10.0.0.3"))

    def test_zone_is_dropped(self) -> None:
        """A link-local client is known by its address without the interface."""
        self.assertEqual(parse_address("fe80::1%eth0"), IPv6Address("fe80::1"))

    @given(st.ip_addresses())
    def test_round_trip(self, address: object) -> None:
        """Every address is read back from its own text, mapped ones as IPv4."""
        read = parse_address(str(address))
        self.assertIn(address, (read, ip_address(f"::ffff:{read}") if read.version == 4 else read))

    def test_private_ranges(self) -> None:
        """The ranges that the Internet does not route are private, their neighbours are not."""
        for text in ("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.9.9", "fd77::1", "fe80::1"):
            self.assertTrue(in_private_range(ip_address(text)), text)
        for text in ("11.0.0.1", "172.32.0.0", "192.169.0.1", "198.51.100.2", "2001:db8::1", "fec0::1"):
            self.assertFalse(in_private_range(ip_address(text)), text)

    @given(st.one_of(st.ip_addresses(), st.ip_addresses(network="127.0.0.0/8"), st.sampled_from([ip_address("::1"), ip_address("::")])))
    def test_loopback(self, address: IPv4Address | IPv6Address) -> None:
        """The fast test for loopback says what the standard library says."""
        self.assertEqual(is_loopback(address), parse_address(str(address)).is_loopback)


class NetworkTests(SynchronousTestCase):
    def test_cidr_and_single_address(self) -> None:
        """A network is read from CIDR notation, and from an address alone."""
        self.assertEqual(parse_network("10.0.0.0/24"), IPv4Network("10.0.0.0/24"))
        self.assertEqual(parse_network("10.0.0.7"), IPv4Network("10.0.0.7/32"))

    def test_host_bits(self) -> None:
        """An address with a prefix is refused, and the network that it is in is named."""
        with self.assertRaisesRegex(ValueError, r"10\.0\.0\.0/24 is the network"):
            parse_network("10.0.0.7/24")

    def test_garbage(self) -> None:
        """What is no network at all is refused with an example."""
        with self.assertRaisesRegex(ValueError, "such as"):
            parse_network("lan")


class EndpointTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Names, IPv4 and IPv6 addresses are read with and without a port."""
        for text, host, port in (
            ("10.0.0.3", "10.0.0.3", 15678),
            ("10.0.0.3:80", "10.0.0.3", 80),
            ("Server.LAN", "server.lan", 15678),
            ("server.lan.:1024", "server.lan", 1024),
            ("[fd77::b]", "fd77::b", 15678),
            ("[fd77::b]:81", "fd77::b", 81),
            ("fd77:0::b", "fd77::b", 15678),
            ("[fe80::1%eth0]:82", "fe80::1%eth0", 82),
            ("[::ffff:10.0.0.3]:83", "10.0.0.3", 83),
        ):
            self.assertEqual(parse_endpoint(text, 15678), Endpoint(host, port), text)

    def test_wrong_forms(self) -> None:
        """Everything else is refused with a message that quotes it."""
        for text in (
            "",
            ":80",
            "a b",
            "10.0.0.3:0",
            "10.0.0.3:65536",
            "10.0.0.256",
            "[10.0.0.3]:80",
            "[fd77::g]",
            "http://a/",
            "a/b",
            "-a",
            "a:b",
            "[fe80::1%a b]",
        ):
            with self.assertRaisesRegex(ValueError, "is no|must be", msg=text):
                parse_endpoint(text, 15678)

    @given(st.text())
    def test_nothing_else_escapes(self, text: str) -> None:
        """Any text gives an endpoint or a ValueError, and an endpoint's text is read back as the same."""
        try:
            endpoint = parse_endpoint(text, 15678)
        except ValueError:
            return
        self.assertEqual(parse_endpoint(str(endpoint), 15678), endpoint)
