"""The interfaces that announcements are sent on, and the addresses that they are sent from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network

from pacserve.network.addresses import IPAddress

InterfaceAddress = IPv4Interface | IPv6Interface

# Prefixes of the names of tunnels: users do not expect a VPN to be a LAN, and most carry no multicast.  --interface may still name one.
TUNNELS = ("tun", "utun", "wg", "ppp", "tailscale", "ipsec", "vti", "gre", "ip6gre", "sit", "ip6tnl", "tunl", "wwan")

_UNIQUE_LOCAL = IPv6Network("fc00::/7")  # RFC 4193


@dataclass(frozen=True, slots=True)
class Interface:
    """
    A network interface at one moment.

    Attributes:
        index: The kernel's number for it, which a new interface of the same name does not inherit.
        addresses: With their networks, in the kernel's order: of an IPv6 scope the newest first.
        broadcast: True if one of its IPv4 addresses has a broadcast address.
    """

    name: str
    index: int
    addresses: tuple[InterfaceAddress, ...]
    broadcast: bool = False


def usable(interfaces: Iterable[Interface], names: Collection[str] = ()) -> list[Interface]:
    """
    Returns the interfaces that announcements are sent on: never the loopback.

    Args:
        names: Uses exactly these, if they have an address.  Empty: all with a broadcast or an IPv6 address, except tunnels.
    """
    if names:
        return [interface for interface in interfaces if interface.name in names and interface.addresses and not _is_loopback(interface)]
    return [interface for interface in interfaces if _reaches_a_lan(interface) and not _is_loopback(interface)]


def _is_loopback(interface: Interface) -> bool:
    """Returns whether an interface has a loopback address; its name may be any, and its further addresses often look like all others."""
    return any(address.ip.is_loopback for address in interface.addresses)


def _reaches_a_lan(interface: Interface) -> bool:
    if interface.name.startswith(TUNNELS):
        return False
    return interface.broadcast or any(address.version == 6 for address in interface.addresses)


def sources(interface: Interface, version: int) -> Sequence[IPAddress]:
    """
    Returns the addresses that announcements of an IP version are sent from, as the addresses by which hosts in the same network know this one.

    IPv4: one address of each network.  IPv6: a single address, unique local (no provider changes it) before global before link-local.  An address
    that is alone in its network (a /128 of DHCPv6) comes last: no other host is attached to that network, so none would trust what comes from it.
    """
    if version == 4:
        return _one_of_each_network(address for address in interface.addresses if isinstance(address, IPv4Interface))
    candidates = [address for address in interface.addresses if isinstance(address, IPv6Interface)]
    # The oldest address is the last of the list: temporary addresses (RFC 8981) come and go before it.
    return [min(reversed(candidates), key=_preference).ip] if candidates else []


def _one_of_each_network(addresses: Iterable[IPv4Interface]) -> list[IPAddress]:
    """Returns the first address of each network; wide networks come first, so that a network within another one does not count."""
    chosen: list[IPv4Interface] = []
    for address in sorted(addresses, key=lambda address: address.network.prefixlen):
        if not any(address.ip in other.network for other in chosen):
            chosen.append(address)
    return [address.ip for address in chosen]


def _preference(address: IPv6Interface) -> int:
    if address.network.prefixlen == address.max_prefixlen:
        return 3
    if address.ip.is_link_local:
        return 2
    return 0 if address.ip in _UNIQUE_LOCAL else 1
