"""This machine's own addresses and networks, from its interfaces; the only module that knows netifaces."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

import netifaces
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import reason_of
from pacserve.network.addresses import IPAddress, IPNetwork, LocalAddresses, is_loopback, parse_address
from pacserve.network.usable import Interface, InterfaceAddress

# Seconds for which the list of addresses is kept: short enough for a laptop that roams, and most requests need no system call.
REFRESH_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class InterfaceAddresses:
    """The addresses of all interfaces at one moment, and the networks that they are directly attached to."""

    addresses: frozenset[IPAddress]
    networks: tuple[IPNetwork, ...]


def interfaces() -> tuple[Interface, ...]:
    """
    Asks the kernel (getifaddrs) for the interfaces that have addresses.  An interface that disappears meanwhile is left out.

    netifaces states a broadcast address for all IPv4 addresses of an interface that supports broadcasts, even for those that were added without one.
    """
    found = []
    for name in netifaces.interfaces():
        try:
            families: dict[int, list[dict[str, Any]]] = netifaces.ifaddresses(name)
            index = socket.if_nametoindex(name)
        except (ValueError, OSError):
            continue
        version4, version6 = families.get(netifaces.AF_INET, ()), families.get(netifaces.AF_INET6, ())
        addresses = tuple(address for entry in (*version4, *version6) if (address := _address(entry)) is not None)
        found.append(Interface(name, index, addresses, any("broadcast" in entry for entry in version4)))
    return tuple(found)


def read_interfaces() -> InterfaceAddresses:
    """Returns the addresses and networks of all interfaces, as `interfaces` finds them."""
    addresses = [address for interface in interfaces() for address in interface.addresses]
    return InterfaceAddresses(frozenset(address.ip for address in addresses), tuple({address.network: None for address in addresses}))


def _address(entry: Mapping[str, Any]) -> InterfaceAddress | None:
    """
    Returns the address in one of netifaces' entries; None where it is not understood.

    Netmasks come as `255.255.255.0`, as `ffff:ffff::` and as `ffff:ffff::/32`.
    """
    try:
        address = parse_address(entry["addr"])
        netmask = entry.get("netmask") or entry.get("mask")
        if netmask is None:
            return ip_interface(address)
        _, slash, length = netmask.partition("/")
        if not slash:
            length = netmask if address.version == 4 else str(int(parse_address(netmask)).bit_count())
        return ip_interface(f"{address}/{length}")
    except (KeyError, ValueError):
        return None


def suspended() -> float:
    """Returns the seconds that this machine has slept since its boot (clock_gettime(2): CLOCK_BOOTTIME counts them, CLOCK_MONOTONIC does not)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Machine(LocalAddresses):
    """This machine's addresses, read again when they are older than `REFRESH_INTERVAL`."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, read: Callable[[], InterfaceAddresses] = read_interfaces) -> None:
        self._clock = clock
        self._read = read
        self._complaints = Complaints(self._log)
        self._state = InterfaceAddresses(frozenset(), ())
        self._read_at = clock.seconds()
        self._look()

    def owns(self, address: IPAddress) -> bool:
        return is_loopback(address) or address in self._current().addresses

    def attached(self, address: IPAddress) -> bool:
        return any(address in network for network in self._current().networks if network.version == address.version)

    def addresses(self) -> Iterable[IPAddress]:
        """Returns all addresses of this machine."""
        return self._current().addresses

    def _current(self) -> InterfaceAddresses:
        now = self._clock.seconds()
        if not 0 <= now - self._read_at < REFRESH_INTERVAL:  # a clock that was set back must not freeze the list
            self._read_at = now
            self._look()
        return self._state

    def _look(self) -> None:
        try:
            self._state = self._read()
        except OSError as error:  # for example, no file descriptor is left: the last addresses are better than none
            self._complaints.about(
                "interfaces",
                f"the addresses of this host can't be read: {reason_of(error)}; those that were known stay in use, and without any only loopback is "
                "answered; a service needs AF_NETLINK in RestrictAddressFamilies=",
            )
        else:
            self._complaints.about("interfaces", "")
