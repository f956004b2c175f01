"""This machine's own addresses and networks, from its interfaces; the only module that knows netifaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import netifaces
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.interfaces import LocalAddresses
from pacserve.model import IPAddress
from pacserve.network.addresses import IPNetwork, parse_address

# Seconds for which a look at the interfaces is good: a laptop that roams is known by its new address soon, and a request costs no system call.
REFRESH_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class InterfaceAddresses:
    """The addresses of all interfaces at one moment, and the networks that they are directly attached to."""

    addresses: frozenset[IPAddress]
    networks: tuple[IPNetwork, ...]


def read_interfaces() -> InterfaceAddresses:
    """Asks the kernel (getifaddrs).  An interface that goes away meanwhile is left out."""
    addresses: set[IPAddress] = set()
    networks: dict[IPNetwork, None] = {}
    for interface in netifaces.interfaces():
        try:
            families: dict[int, list[dict[str, Any]]] = netifaces.ifaddresses(interface)
        except (ValueError, OSError):
            continue
        for entry in (*families.get(netifaces.AF_INET, ()), *families.get(netifaces.AF_INET6, ())):
            try:
                address = parse_address(entry["addr"])
                network = _network(address, entry.get("netmask") or entry.get("mask"))
            except (KeyError, ValueError):
                continue
            addresses.add(address)
            if network is not None:
                networks[network] = None
    return InterfaceAddresses(frozenset(addresses), tuple(networks))


def _network(address: IPAddress, netmask: str | None) -> IPNetwork | None:
    """The network of an interface address; netmasks come as C{255.255.255.0}, as C{ffff:ffff::} and as C{ffff:ffff::/32}."""
    if netmask is None:
        return None
    _, slash, length = netmask.partition("/")
    if not slash:
        length = netmask if address.version == 4 else str(int(parse_address(netmask)).bit_count())
    return ip_network(f"{address}/{length}", strict=False)


class Machine(LocalAddresses):
    """This machine's addresses, looked up again when the last look is older than L{REFRESH_INTERVAL}."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, read: Callable[[], InterfaceAddresses] = read_interfaces) -> None:
        self._clock = clock
        self._read = read
        self._state = read()
        self._read_at = clock.seconds()

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback or address in self._current().addresses

    def attached(self, address: IPAddress) -> bool:
        return any(address in network for network in self._current().networks if network.version == address.version)

    def addresses(self) -> Iterable[IPAddress]:
        """All addresses of this machine."""
        return self._current().addresses

    def _current(self) -> InterfaceAddresses:
        now = self._clock.seconds()
        if not 0 <= now - self._read_at < REFRESH_INTERVAL:  # a clock that was set back must not freeze the view
            self._read_at = now
            try:
                self._state = self._read()
            except OSError:  # no file descriptor is left, say: what was known a moment ago is better than nothing
                self._log.debug("the interfaces can't be read now")
        return self._state
