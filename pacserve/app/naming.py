"""The names of this host, and the addresses that people are told."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IListeningPort

from pacserve.network.addresses import Endpoint, parse_address


def own_names() -> frozenset[str]:
    """Returns the names by which this host knows itself, without asking anyone."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local", f"{short}.localdomain"} - {""})


def page_of(ports: Sequence[IListeningPort]) -> str:
    """Returns the URL of the status page: at localhost, unless the user bound the daemon to other addresses alone."""
    hosts: list[Any] = [port.getHost() for port in ports]
    addresses = [parse_address(host.host) for host in hosts]
    here = any(address.is_unspecified or address.is_loopback for address in addresses)
    return f"{Endpoint('localhost' if here else hosts[0].host, hosts[0].port).url}/"


def shown(port: IListeningPort) -> str:
    """Returns the address and the port that a port listens on."""
    address: Any = port.getHost()
    return str(Endpoint(address.host, address.port))
