"""
Who may ask what.

Addresses are compared as they are, so whoever can spoof a TCP connection from an address of the LAN is of the LAN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pacserve.network.addresses import IPAddress, IPNetwork, LocalAddresses, in_private_range
from pacserve.web.front import Audience


class ClientAudience(Audience):
    """This host, and the networks that `--clients` names."""

    def __init__(self, local: LocalAddresses, networks: Iterable[IPNetwork]) -> None:
        self._local = local
        self._networks = tuple(networks)

    def admits(self, client: IPAddress) -> bool:
        return self._local.owns(client) or _within(client, self._networks)


class PeerAudience(Audience):
    """
    The machines around: loopback, directly attached networks, private ranges, the static peers, and the networks that `--peers` names.

    Args:
        is_peer: True if the address is one of a static peer, as last resolved.
    """

    def __init__(self, local: LocalAddresses, networks: Iterable[IPNetwork], is_peer: Callable[[IPAddress], bool]) -> None:
        self._local = local
        self._networks = tuple(networks)
        self._is_peer = is_peer

    def admits(self, client: IPAddress) -> bool:
        return (
            in_private_range(client)
            or self._local.owns(client)
            or self._local.attached(client)
            or _within(client, self._networks)
            or self._is_peer(client)
        )


def _within(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
