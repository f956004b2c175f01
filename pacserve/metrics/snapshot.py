"""The state of the daemon, in metrics.  Rules only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pacserve.metrics import definitions as defined
from pacserve.metrics.definitions import Definition, Family
from pacserve.report.status import PeerStatus, Status

PEER_STATES = ("new", "unknown", "known", "refused", "dead")
MIRROR_STATES = ("well", "slow", "failed", "lied", "resting")

MOST_PEERS = 256
"""Peers with metrics of their own, the used ones first: without a limit, a large LAN would have series for each pair of hosts."""


def families_of(status: Status, *, peers: bool = False) -> Iterator[Family]:
    """
    Yields the state of a daemon as metrics.

    Args:
        peers: True to include metrics of each peer, by its address.
    """
    host = status.host
    mirrors = status.mirrors if status.apt is None else (*status.mirrors, *status.apt.mirrors)
    yield Family(defined.BUILD, {(host.version, host.misses, host.hits): 1})
    yield _one(defined.STARTED, host.started)
    yield _by_state(defined.PEERS, PEER_STATES, (peer.state for peer in status.peers))
    yield _by_state(defined.MIRRORS, MIRROR_STATES, (mirror.state for mirror in mirrors))
    yield _one(defined.GENERATION, host.generation)
    yield _one(defined.FILES, host.files)
    yield _one(defined.SIZE, host.size)
    yield _one(defined.DOWNLOADS, len(status.transfers))
    yield _one(defined.CLAIMS, status.claims)
    if status.spool is not None:
        yield _one(defined.SPOOL_FILES, status.spool.files)
        yield _one(defined.SPOOL_SIZE, status.spool.size)
        yield _one(defined.SPOOL_LIMIT, status.spool.limit)
    if peers:
        yield from _each(status.peers)


def _one(definition: Definition, value: float) -> Family:
    return Family(definition, {(): value})


def _by_state(definition: Definition, states: Sequence[str], found: Iterable[str]) -> Family:
    counts = Counter(found)
    return Family(definition, {(state,): counts[state] for state in states})


def _each(peers: Iterable[PeerStatus]) -> Iterator[Family]:
    """
    Yields the metrics of each peer.

    Where several entries have one address, since a list names a host twice, the one that is used counts: no two series may have the same labels.
    """
    chosen: dict[tuple[str, ...], PeerStatus] = {}
    for peer in sorted(peers, key=lambda peer: (bool(peer.reason), peer.address)):
        if len(chosen) < MOST_PEERS:
            chosen.setdefault((peer.address,), peer)
    yield Family(defined.PEER_USED, {labels: int(not peer.reason) for labels, peer in chosen.items()})
    yield Family(defined.PEER_FILES, {labels: peer.files for labels, peer in chosen.items()})
    yield Family(defined.PEER_DELAY, {labels: peer.delay for labels, peer in chosen.items()})
    yield Family(defined.PEER_FAILURES, {labels: peer.failures for labels, peer in chosen.items()})
    yield Family(defined.PEER_GIVEN, {labels: peer.given for labels, peer in chosen.items()})
