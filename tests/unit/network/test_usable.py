"""Tests for `pacserve.network.usable`."""

from ipaddress import ip_address, ip_interface

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.usable import TUNNELS, Interface, sources, usable


def interface(name: str, *addresses: str, broadcast: bool = True) -> Interface:
    """An interface, its index made from its name."""
    return Interface(name, sum(name.encode()), tuple(map(ip_interface, addresses)), broadcast)


LOOPBACK = interface("lo", "127.0.0.1/8", "10.5.0.9/24", "::1/128", broadcast=False)
CABLE = interface("eth0", "10.0.0.3/24", "fe80::3/64")
RADIO = interface("wlan0", "fe80::4/64", broadcast=False)
POINT_TO_POINT = interface("sl0", "10.8.0.3/24", broadcast=False)
VPN = interface("wg0", "10.9.0.3/24", "fd99::3/64", broadcast=False)


class UsableTests(SynchronousTestCase):
    def test_broadcast_or_ipv6(self) -> None:
        """Without names, all that have a broadcast or an IPv6 address are used, and nothing else."""
        down = interface("eth1", broadcast=False)
        self.assertEqual(usable([LOOPBACK, CABLE, RADIO, POINT_TO_POINT, down]), [CABLE, RADIO])

    def test_loopback_by_any_name(self) -> None:
        """Loopback is never used, whatever it is called, and not even when it is named."""
        renamed = interface("eth9", "10.5.0.9/24", "127.0.0.1/8")
        self.assertEqual(usable([LOOPBACK, renamed]), [])
        self.assertEqual(usable([LOOPBACK, renamed], ["lo", "eth9"]), [])

    def test_tunnels_only_by_name(self) -> None:
        """A tunnel is used when it is named, though it has an IPv6 address."""
        for prefix in TUNNELS:
            tunnel = interface(f"{prefix}0", "10.9.0.3/24", "fd99::3/64")
            self.assertEqual(usable([tunnel]), [], prefix)
            self.assertEqual(usable([tunnel], [tunnel.name]), [tunnel])

    def test_names_restrict(self) -> None:
        """Given names are exactly what is used: one that is not there is nothing, and one that only begins so is another."""
        self.assertEqual(usable([CABLE, RADIO, VPN, POINT_TO_POINT], ["wg0", "sl0", "eth", "eth7"]), [VPN, POINT_TO_POINT])

    def test_name_without_address(self) -> None:
        """An interface that is named is not used before it has an address."""
        self.assertEqual(usable([interface("eth1")], ["eth1"]), [])


class SourcesTests(SynchronousTestCase):
    def check(self, version: int, addresses: list[str], expected: list[str]) -> None:
        """Asserts which of the addresses announcements come from."""
        self.assertEqual(list(sources(interface("eth0", *addresses), version)), list(map(ip_address, expected)))

    def test_every_ipv4_network(self) -> None:
        """IPv4 announcements come from each network of an interface, and from one address of each."""
        self.check(4, ["10.0.0.3/24", "10.0.0.4/24", "192.168.1.3/24", "fd77::3/64"], ["10.0.0.3", "192.168.1.3"])

    def test_address_that_moves_between_hosts(self) -> None:
        """An address within another network of the interface, as redundant servers hand around, is not announced from."""
        self.check(4, ["10.0.0.99/32", "10.0.0.3/24"], ["10.0.0.3"])

    def test_single_ipv4(self) -> None:
        """An address that is alone in its network is used where there is no other."""
        self.check(4, ["10.0.0.3/32"], ["10.0.0.3"])

    def test_ipv6_order(self) -> None:
        """IPv6 announcements come from one address: unique local, else global, link-local only where there is neither."""
        self.check(6, ["2001:db8::3/64", "fd77::3/64", "fe80::3/64", "10.0.0.3/24"], ["fd77::3"])
        self.check(6, ["2001:db8::3/64", "fe80::3/64"], ["2001:db8::3"])
        self.check(6, ["fe80::3/64"], ["fe80::3"])

    def test_oldest(self) -> None:
        """Temporary addresses, which the kernel lists first, do not take the place of the lasting one."""
        self.check(6, ["2001:db8::cafe/64", "2001:db8::beef/64", "2001:db8::3/64", "fe80::3/64"], ["2001:db8::3"])

    def test_nobody_is_attached(self) -> None:
        """A /128 is used only where there is nothing else: receivers trust what comes from a network that they are in."""
        self.check(6, ["2001:db8::3/128", "fe80::3/64"], ["fe80::3"])
        self.check(6, ["2001:db8::3/128"], ["2001:db8::3"])

    def test_family_without_address(self) -> None:
        """An interface without addresses of a version sends nothing of that version."""
        self.check(4, ["fe80::3/64"], [])
        self.check(6, ["10.0.0.3/24"], [])
