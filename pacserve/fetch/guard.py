"""
Keeps redirects of mirrors from leading to this host or its link.

A mirror is a stranger.  Services on loopback trust every client that can reach them, so a redirect must not make this daemon connect to them.  The
address that is connected to counts, after every lookup: an attacker can make a name resolve to any address, and to another one a second later.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

from twisted.internet.interfaces import IConnector, IReactorPluggableNameResolver, IReactorTCP, IReactorTime
from zope.interface import implementer

from pacserve.errors import FetchError
from pacserve.fetch.urls import is_localhost, literal_address
from pacserve.network.addresses import IPAddress, LocalAddresses, parse_address

# IPv6 addresses that carry an IPv4 address in their last 32 bits: RFC 4291, 2.5.5.1 and RFC 6052, 2.1.
_CARRIERS = (IPv6Network("::/96"), IPv6Network("64:ff9b::/96"))


class AddressGuard:
    """Says which addresses a redirect may lead to."""

    def __init__(self, local: LocalAddresses) -> None:
        self._local = local

    def permits(self, address: IPAddress) -> bool:
        """Returns whether an address is another host's, and not link-local, unspecified or multicast; the same goes for an embedded IPv4 address."""
        if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast or self._local.owns(address):
            return False
        embedded = _embedded(address)
        return embedded is None or self.permits(embedded)

    def permits_host(self, host: str) -> bool:
        """
        Returns whether the host of a URL may be asked through a proxy, which looks names up itself.

        Only addresses and localhost can be judged.
        """
        address = literal_address(host)
        return self.permits(address) if address is not None else not is_localhost(host)


def _embedded(address: IPAddress) -> IPv4Address | None:
    if isinstance(address, IPv6Address) and any(address in carrier for carrier in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@implementer(IReactorTCP, IReactorTime, IReactorPluggableNameResolver)
class GuardedReactor:
    """
    A reactor through which only permitted addresses can be connected to.

    The check sits in `connectTCP`, which endpoints call with the addresses that names were resolved to.  Where a name has permitted and other
    addresses, the permitted ones are used.
    """

    def __init__(self, reactor: Any, guard: AddressGuard) -> None:
        self._reactor = reactor
        self._guard = guard

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> IConnector:  # noqa: N802, N803
        """
        Connects to a permitted address.

        Raises:
            FetchError: It is none.
        """
        if not self._guard.permits(parse_address(host)):
            raise FetchError("leads back to this host or its link")
        connector: IConnector = self._reactor.connectTCP(host, port, factory, timeout, bindAddress)
        return connector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
