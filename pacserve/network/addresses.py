"""
Rules about addresses.

IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`, RFC 4291, 2.5.5.2) are unmapped here, at the edge, and never travel further.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

PRIVATE_NETWORKS: tuple[IPNetwork, ...] = (
    IPv4Network("10.0.0.0/8"),  # RFC 1918
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("fc00::/7"),  # RFC 4193
    IPv6Network("fe80::/10"),  # RFC 4291, 2.5.6
)

# RFC 1123, 2.1, and RFC 952: letters, digits and hyphens; underscores as well, since people use them in /etc/hosts.
_HOST_NAME = re.compile(
    r"(?=.{1,253}\.?\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?\Z"
)
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}\Z")  # an interface name, at most IFNAMSIZ - 1 bytes
_ENDPOINT = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?\Z")
_LOOKS_LIKE_IPV4 = re.compile(r"[0-9.]+\Z")


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """
    The host and port at which a peer listens.

    Attributes:
        host: An IPv4 address, an IPv6 address without brackets (link-local ones with `%zone`), or a host name that is not resolved yet.
        port: A TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://HOST:PORT`, the zone of a link-local address written as in RFC 6874."""
        return f"http://{self}".replace("%", "%25")


class LocalAddresses(Protocol):
    """Knows this machine's present addresses."""

    @abstractmethod
    def owns(self, address: IPAddress) -> bool:
        """Returns whether the address is loopback or one of this machine's own."""

    @abstractmethod
    def attached(self, address: IPAddress) -> bool:
        """Returns whether the address is in a network that one of this machine's interfaces is directly attached to."""


@lru_cache(maxsize=1024)
def parse_address(text: str) -> IPAddress:
    """
    Parses an address; IPv4-mapped ones become IPv4, and the zone of a link-local one is dropped.

    Raises:
        ValueError: `text` is no address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_host_name(text: str) -> bool:
    """Returns whether a text is a host name, with or without a dot at its end."""
    return _HOST_NAME.match(text) is not None


def parse_network(text: str) -> IPNetwork:
    """
    Parses a network in CIDR notation, or a single address.

    Raises:
        ValueError: The text is no such value; the message says what would be right.
    """
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network: write an address or CIDR such as 10.0.0.0/24 or fd77::/64") from None
    raise ValueError(f"{text!r} has bits set behind its prefix: {meant} is the network that contains it")


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """
    Parses `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT` or a bare IPv6 address, HOST being a name or an IPv4 address.

    Raises:
        ValueError: The text is no such value; the message says what would be right.
    """
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    match = _ENDPOINT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no HOST:PORT: write for example 10.0.0.3:15678, server.lan or [fd77::b]:15678")
    port = int(match["port"]) if match["port"] is not None else default_port
    if not 1 <= port <= 65535:
        raise ValueError(f"{text!r}: the port must be from 1 to 65535")
    if match["bracketed"] is not None:
        return Endpoint(_ipv6(match["bracketed"]), port)
    host = match["plain"]
    if _LOOKS_LIKE_IPV4.match(host):
        try:
            return Endpoint(str(ip_address(host)), port)
        except ValueError:
            raise ValueError(f"{host!r} is no IPv4 address") from None
    if not is_host_name(host):
        raise ValueError(f"{host!r} is no host name and no address: write for example 10.0.0.3:15678, server.lan or [fd77::b]:15678")
    return Endpoint(host.rstrip(".").lower(), port)


def _ipv6(text: str) -> str:
    bare, _, zone = text.partition("%")
    try:
        address = IPv6Address(bare)
    except ValueError:
        raise ValueError(f"{text!r} is no IPv6 address") from None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if not zone:
        return str(address)
    if not _ZONE.match(zone):
        raise ValueError(f"{zone!r} is no interface name")
    return f"{address}%{zone}"


def is_loopback(address: IPAddress) -> bool:
    """Returns what `address.is_loopback` does (127.0.0.0/8 and ::1), in a fifth of its time: each request asks several times."""
    return int(address) >> 24 == 127 if isinstance(address, IPv4Address) else int(address) == 1


def in_private_range(address: IPAddress) -> bool:
    """Returns whether the address is in RFC 1918, fc00::/7 or fe80::/10: ranges that the Internet does not route."""
    return any(address in network for network in PRIVATE_NETWORKS if network.version == address.version)


@lru_cache(maxsize=1024)
def network_of(host: str) -> str | None:
    """
    Returns the /64 network of an IPv6 address, in which a host can take addresses at will; None for an IPv4 address or a name.

    All link-local addresses are in one network.
    """
    try:
        address = parse_address(host)
    except ValueError:
        return None
    return None if address.version == 4 else str(IPv6Network((int(address), 64), strict=False))
