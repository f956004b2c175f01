"""
Admission: which addresses belong to which audience.

Addresses are compared as they are: a host that can spoof a TCP connection from an address of the LAN is taken for one of the LAN.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pacserve.network.addresses import IPAddress, IPNetwork, LocalAddresses, in_private_range
from pacserve.web.fairness import Rank, Ranking
from pacserve.web.hosts import Hosts
from pacserve.web.routes import Audience


class Admission(Protocol):
    """Knows which addresses belong to one audience."""

    @abstractmethod
    def admits(self, client: IPAddress) -> bool:
        """Returns whether this client is answered; others get 403."""


class ClientAdmission(Admission):
    """Admits this host, and the networks that `--clients` names."""

    def __init__(self, local: LocalAddresses, networks: Iterable[IPNetwork]) -> None:
        self._local = local
        self._networks = tuple(networks)

    def admits(self, client: IPAddress) -> bool:
        return self._local.owns(client) or _within(client, self._networks)


class PeerAdmission(Admission):
    """
    Admits the machines around: loopback, directly attached networks, private ranges, the static peers, and the networks that `--peers` names.

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


def ranked(local: LocalAddresses, networks: Iterable[IPNetwork]) -> Ranking:
    """Returns the ranking of clients: this host, then the networks that `--clients` names, then all others."""
    named = tuple(networks)

    def rank(client: IPAddress) -> Rank:
        if local.owns(client):
            return Rank.OWN
        return Rank.CLIENT if _within(client, named) else Rank.OTHER

    return rank


@dataclass(frozen=True, slots=True)
class AccessRules:
    """
    The rules that the routes of a daemon refer to.

    Attributes:
        hosts: The names by which this host may be asked, where a route has that checked.
    """

    clients: Admission
    peers: Admission
    hosts: Hosts

    def admission(self, audience: Audience) -> Admission:
        """Returns the rule of one audience."""
        return self.clients if audience is Audience.CLIENTS else self.peers


def _within(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
