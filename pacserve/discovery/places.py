"""The peers that announced themselves, and how many of them an address may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pacserve.network.addresses import Endpoint, network_of
from pacserve.peers.peer import Peer, PeerState

# Peers that announced themselves.
PEERS_LIMIT = 1024
# Peers at one address: a machine that runs more daemons than that runs tests.
PEERS_PER_ADDRESS = 16
# Those of an address for which all places may be used; a host with more can't take the second half of them.
USUAL_PER_ADDRESS = 2
# Peers that have been contacted and have not shown who they are.
CONTACTS_LIMIT = 32
# Those of one address, so that a host that never answers can't keep the others waiting by its ports.
CONTACTS_PER_ADDRESS = 2
# The part of all places that one network of IPv6 may use: there a host can take any number of addresses, and must leave some to the others.
_NETWORK_SHARE = 3 / 4


class Places:
    """Knows the peers that announced themselves by their endpoints and by their addresses, of which a host may have many and few."""

    def __init__(self) -> None:
        self._peers: dict[Endpoint, Peer] = {}
        self._at: dict[str, list[Peer]] = {}
        self._in_network: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Peer]:
        """Yields all peers; they may change meanwhile."""
        return iter(list(self._peers.values()))

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._peers

    def get(self, endpoint: Endpoint) -> Peer | None:
        """Returns the peer at an endpoint."""
        return self._peers.get(endpoint)

    def has_place(self, endpoint: Endpoint) -> bool:
        """Returns whether a peer at an endpoint may be added."""
        there = len(self._at.get(endpoint.host, ()))
        most = PEERS_LIMIT if there < USUAL_PER_ADDRESS else PEERS_LIMIT // 2
        network = network_of(endpoint.host)
        if network is not None:
            most = min(most, len(self._peers) + int(PEERS_LIMIT * _NETWORK_SHARE) - self._in_network[network])
        return there < PEERS_PER_ADDRESS and len(self._peers) < most

    def add(self, peer: Peer) -> None:
        """Adds a peer."""
        self._peers[peer.configured] = peer
        self._at.setdefault(peer.configured.host, []).append(peer)
        self._count(peer, 1)

    def remove(self, peer: Peer) -> None:
        """Removes a peer, if it is there."""
        if self._peers.get(peer.configured) is not peer:
            return
        del self._peers[peer.configured]
        self._count(peer, -1)
        there = self._at[peer.configured.host]
        there.remove(peer)
        if not there:
            del self._at[peer.configured.host]

    def room(self) -> int:
        """Returns how many more peers may be contacted now."""
        return CONTACTS_LIMIT - sum(map(_is_new, self._peers.values()))

    def may_contact(self, endpoint: Endpoint) -> bool:
        """Returns whether one more peer at an address may be contacted now."""
        if sum(map(_is_new, self._at.get(endpoint.host, ()))) >= CONTACTS_PER_ADDRESS:
            return False
        network = network_of(endpoint.host)
        if network is None:
            return True
        new = sum(_is_new(peer) and network_of(peer.configured.host) == network for peer in self._peers.values())
        return new < CONTACTS_LIMIT * _NETWORK_SHARE

    def _count(self, peer: Peer, more: int) -> None:
        network = network_of(peer.configured.host)
        if network is not None:
            self._in_network[network] += more
            if not self._in_network[network]:
                del self._in_network[network]


def _is_new(peer: Peer) -> bool:
    return peer.state is PeerState.NEW
