"""Hosts as people name them: `this host`, or the name that a peer tells of itself with its address beside it."""

from __future__ import annotations

from collections.abc import Sequence

from pacserve.page.table import Cell
from pacserve.page.text import share
from pacserve.report.status import PeerStatus, Record
from pacserve.web.origins import OTHERS, Share

THIS_HOST = "this host"


def peer_cell(peer: PeerStatus) -> Cell:
    """Returns a peer's name with its address beside it, since a name is no more than a claim; the address alone where it has no name."""
    name = name_of(peer)
    return Cell(name, note=peer.address) if name else Cell(peer.address)


def name_of(peer: PeerStatus) -> str:
    """Returns the name that a peer tells, or else the one that the user wrote; empty where there is none but its address."""
    return next((name for name in (peer.host_name, peer.name) if name and name != peer.address), "")


class HostNames:
    """
    Knows the peers' names by their addresses.

    Args:
        peers: Where several have one address, the first counts.
    """

    def __init__(self, peers: Sequence[PeerStatus]) -> None:
        self._by_endpoint = {peer.address: name_of(peer) for peer in reversed(peers)}
        self._by_host = {_host(peer.address): name_of(peer) for peer in reversed(peers)}

    def endpoint(self, address: str) -> tuple[str, str]:
        """Returns the name and the address and port of a peer; of one without a name the address in the place of the name, and no more."""
        name = self._by_endpoint.get(address)
        return (name, address) if name else (address, "")

    def client(self, record: Record) -> Cell:
        """Returns the host that asked."""
        if record.own:
            return Cell(THIS_HOST)
        name = self._by_host.get(record.client)
        return Cell(name, note=record.client) if name else Cell(record.client)


def source_cell(source: str, names: HostNames) -> Cell:
    """Returns the host that a download comes from, `peer 10.0.0.3:15678` or `mirror https://example.org`."""
    kind, _, rest = source.partition(" ")
    if kind == "peer":
        name, address = names.endpoint(rest)
        return Cell(name, note=address)
    return Cell(host_of_url(rest if kind == "mirror" else source))


def shares_cell(shares: Sequence[Share], names: HostNames, how: str = "") -> Cell:
    """
    Returns the hosts that gave a file together, with the share of each.  Beside them stands which kinds of hosts they are, where that is not obvious.

    Args:
        how: How the file arrived, `downloaded`; empty while it arrives.
    """
    whole = sum([one.size for one in shares])
    kinds = dict.fromkeys([f"{one.kind}s" for one in shares if one.source != OTHERS])
    told = [f"{source_cell(one.source, names).text} {share(one.size, whole)}".rstrip() for one in shares]
    return Cell(", ".join(told), note=", ".join([*kinds, *([how] if how else [])]) if how or len(kinds) > 1 else "")


def host_of_url(url: str) -> str:
    """Returns the host of a mirror's URL, with its port; a text that is no URL as it is."""
    return url.partition("://")[2].partition("/")[0] or url


def _host(address: str) -> str:
    """Returns the host of an address with port, as the log names it."""
    return address.rpartition(":")[0].strip("[]")
