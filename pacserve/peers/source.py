"""Other pacservers as a place where packages come from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from heapq import nlargest
from itertools import islice
from random import Random

from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.hedging import first_yes
from pacserve.fetch.stream import StreamingClient
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.network.addresses import Endpoint, IPAddress, LocalAddresses, parse_address
from pacserve.packages.files import FileKind
from pacserve.packages.names import is_content, signature_of
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.questions import HEDGE_DELAY, PeerQuestions, fits
from pacserve.peers.reputation import Failure, identity_of
from pacserve.peers.roster import Roster
from pacserve.peers.upstream import PeerUpstream, Relaying, redirect_url
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, Location, Offer, RemoteFile

# Seconds for which it holds that no peer has a file which nobody is known to have, likewise.
MISS_LIFETIME = 1.0
# Holders that one request asks.
HOLDERS_PER_REQUEST = 3
# Holders among which those are chosen.
HOLDERS_COMPARED = 16
# Peers that are asked before the WAN is used, all at the same time.
PEERS_PER_MISS = 32
_HOLDS, _UNSIGNED = "it holds the file", "it holds the file, but no signature of it, which would come from elsewhere"
_MISSES_LIMIT = 4096
_OFFERS = {sendable: Offer(Holder.PEER, sendable) for sendable in (False, True)}


class Obstacle(enum.Enum):
    """Why a peer is not asked for a file."""

    NEW = "it has announced itself, and was not looked at yet"
    DEAD = "dead"
    REFUSED = "not used"
    LEAVING = "it said goodbye"
    FAILED_LATELY = "it failed lately"
    NO_ADDRESS = "its address is not known"
    NOT_HELD = "not held"
    UNKNOWN = "what it holds is not known"
    """It is asked all the same, before a file comes from a mirror."""
    OTHER_SIZE = "stale"
    NO_SIZE = "no database and no mirror states the size of the file, so that a peer could give anything"


_NOT_ASKED = {PeerState.DEAD: Obstacle.DEAD, PeerState.REFUSED: Obstacle.REFUSED, PeerState.NEW: Obstacle.NEW}


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """
    The surroundings in which peers are chosen.

    Attributes:
        local: The addresses of this host.
        suspect: Called with a peer that did not answer a question and with the reason, which is empty for one that was slow.
        random: Spreads the load over several holders.
        lateness: How late this host is, which is no fault of a peer.
    """

    local: LocalAddresses
    suspect: Callable[[Peer, str], object]
    random: Random
    lateness: Lateness = PUNCTUAL


class PeerSource(PackageSource):
    """Finds holders by a look into the inventories, and makes sure with one question."""

    def __init__(self, peers: Roster, holdings: Holdings, client: StreamingClient, around: Neighbourhood, clock: IReactorTime) -> None:
        self._peers = peers
        self._holdings = holdings
        self._clock = clock
        self._local = around.local
        self._random = around.random
        # Settles which of many holders are asked next; it is drawn anew for each request, and not by `consider`, which tells of the next one.
        self._draw = around.random.getrandbits(32)
        self._questions = PeerQuestions(peers, holdings, client, around.suspect, clock, around.lateness)
        self._relaying = Relaying(client, clock, self._withheld, self._lied)
        self._usable: Peer | None = None
        self._misses: ExpiringMemory[tuple[str, int | None], bool] = ExpiringMemory(_MISSES_LIMIT, MISS_LIFETIME)

    @property
    def best(self) -> Rank:
        return Rank.PEERS

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if not self._peers or not wanted.shared or not _comes_from_peers(wanted):
            return ()
        groups = self._groups(wanted)
        if groups:
            self._draw = self._random.getrandbits(32)
        found = [
            Candidate(rank, _OFFERS[sendable], partial(self._confirm_one, wanted, tuple(holders))) for (rank, sendable), holders in groups.items()
        ]
        asked = frozenset([peer.slot for holders in groups.values() for peer, _ in holders])
        if len(asked) < len(self._peers) and self._misses.get(_miss_key(wanted), self._clock.seconds()) is None:
            rank = _rank(wanted, Rank.PEERS_UNKNOWN, disappointed=False)
            found += [
                Candidate(rank, _OFFERS[sendable], partial(self._ask_around, wanted, asked, sendable))
                for sendable in ((True,) if self._local.owns(wanted.client) else (True, False))
                if any(self._may_have(peer, wanted, asked) and self._sendable(peer, wanted) is sendable for peer in self._peers)
            ]
        if len(found) > 1:
            found.sort(key=lambda candidate: (candidate.rank, not candidate.offer.sendable))
        return found

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is FileKind.DATABASE or not wanted.shared:
            return ()
        groups = self._groups(wanted) if _comes_from_peers(wanted) else {}
        name = wanted.request.name  # content has no signature, and the digest in its name says what it is
        signed = {slot for slot, _ in self._holdings.holders(name if is_content(name) else signature_of(name))}
        found: list[tuple[Rank, Peer, str, bool]] = []
        for (rank, _), holders in sorted(groups.items(), key=lambda group: (group[0][0], not group[0][1])):
            found += [(rank, peer, _HOLDS if peer.slot in signed else _UNSIGNED, True) for peer, _ in holders]
        asked = {peer.slot for _, peer, _, _ in found}
        sizes = dict(self._holdings.holders(name))
        now = self._clock.seconds()
        for peer in self._peers:
            if peer.slot in asked:
                continue
            obstacle = Obstacle.NO_SIZE if not _comes_from_peers(wanted) else self._obstacle(peer, sizes.get(peer.slot), wanted, now)
            if obstacle is None:
                rank = _rank(wanted, Rank.PEERS, disappointed=self._disappointed(peer, wanted, now))
                found.append((rank, peer, _HOLDS if peer.slot in signed else _UNSIGNED, True))
            else:  # a peer of which nothing is known is asked all the same, but nobody can tell what it will say
                found.append((_rank(wanted, Rank.PEERS_UNKNOWN, disappointed=False), peer, self._words(obstacle, peer, sizes, wanted), False))
        return [
            Considered(f"peer {peer.endpoint or peer.configured}", rank, reason, _OFFERS[self._sendable(peer, wanted)] if offers else None)
            for rank, peer, reason, offers in found
        ]

    def has_usable(self) -> bool:
        """Returns whether at least one peer that was reached or heard can be asked for pacman's files now."""
        now, last = self._clock.seconds(), self._usable
        if last is not None and self._peers.at(last.slot) is last and _is_usable(last, now):
            return True  # each request asks, and a LAN may have a thousand peers
        self._usable = next((peer for peer in self._peers if _is_usable(peer, now)), None)
        return self._usable is not None

    def is_peer(self, address: IPAddress) -> bool:
        """Returns whether this is an address of one of the peers that the user named, as last resolved."""
        return any(parse_address(text) == address for peer in self._peers if not peer.discovered for text in peer.observed.addresses)

    def _groups(self, wanted: Wanted) -> dict[tuple[Rank, bool], list[tuple[Peer, int]]]:
        """
        Returns the holders that are asked with the sizes that they state, best first, by rank and by whether the client can be sent there.

        Of many holders a few are asked, so that the load is spread.
        """
        now = self._clock.seconds()
        start = self._draw % max(1, self._peers.slots)
        fits = (
            (peer, size)
            for slot, size in self._holdings.holders(wanted.request.name, start)
            if (peer := self._peers.at(slot)) is not None and self._obstacle(peer, size, wanted, now) is None
        )
        groups: dict[tuple[Rank, bool], list[tuple[Peer, int]]] = {}
        compared = self._by_cost(islice(fits, HOLDERS_COMPARED), now)
        compared.sort(key=lambda holder: self._disappointed(holder[0], wanted, now))  # those of one rank that disappointed nobody come first
        for peer, size in compared:
            rank = _rank(wanted, Rank.PEERS, disappointed=self._disappointed(peer, wanted, now))
            group = groups.setdefault((rank, self._sendable(peer, wanted)), [])
            if len(group) < HOLDERS_PER_REQUEST:
                group.append((peer, size))
        return groups

    def _by_cost(self, holders: Iterator[tuple[Peer, int]], now: float) -> list[tuple[Peer, int]]:
        """Returns holders by what they cost.  The best one in the eyes of one host is the best one to all, and would soon be the worst."""
        compared = list(holders)
        if len(compared) > 1:
            random = Random(self._draw)  # noqa: S311 - it only spreads the load
            compared.sort(key=lambda holder: holder[0].reputation.cost(now) * random.uniform(0.5, 1.5))
        return compared

    def _unsure(self, wanted: Wanted, asked: Collection[int]) -> Sequence[Peer]:
        """
        Returns the peers that may have the file although nobody is known to have it.

        These are the ones of which nothing is known, and those whose inventory changed last.

        Args:
            asked: The slots of peers that are asked anyway.
        """
        usable = [peer for peer in self._peers if self._may_have(peer, wanted, asked)]
        unknown = [peer for peer in usable if peer.state is PeerState.UNKNOWN]
        known = nlargest(PEERS_PER_MISS, (peer for peer in usable if peer.state is PeerState.KNOWN), key=lambda peer: peer.changed_at)
        room = max(PEERS_PER_MISS // 2, PEERS_PER_MISS - len(known))
        if len(unknown) > room:
            unknown = self._random.sample(unknown, room)  # otherwise some would never be asked
        return [*unknown, *known[: PEERS_PER_MISS - len(unknown)]]

    def _may_have(self, peer: Peer, wanted: Wanted, asked: Collection[int]) -> bool:
        if peer.slot in asked or peer.endpoint is None:
            return False
        return peer.offers(wanted.request.name) and peer.may_be_asked(self._clock.seconds())

    def _obstacle(self, peer: Peer, size: int | None, wanted: Wanted, now: float) -> Obstacle | None:  # noqa: PLR0911
        """
        Returns why a peer is not asked for a file; None where it is.

        Args:
            size: Of the file in the peer's inventory; None where it is not there.
        """
        state = peer.observed.state
        if state in _NOT_ASKED:
            return _NOT_ASKED[state]
        if peer.observed.endpoint is None:
            return Obstacle.NO_ADDRESS
        if peer.leaving:
            return Obstacle.LEAVING
        if not peer.reputation.may_be_asked(now):
            return Obstacle.FAILED_LATELY
        if state is PeerState.UNKNOWN:
            return Obstacle.UNKNOWN
        if size is None:
            return Obstacle.NOT_HELD
        return None if fits(wanted, size) else Obstacle.OTHER_SIZE

    def _words(self, obstacle: Obstacle, peer: Peer, sizes: dict[int, int], wanted: Wanted) -> str:
        """Returns an obstacle in words, with what is known of this peer."""
        now, text = self._clock.seconds(), obstacle.value
        if obstacle is Obstacle.DEAD:
            return f"{text}: {peer.trouble}" + (f", last heard {now - peer.alive_at:.0f} s ago" if peer.alive_at else "")
        if obstacle is Obstacle.REFUSED:
            return f"{text}: {peer.trouble}"
        if obstacle is Obstacle.FAILED_LATELY:
            text = "it gave a wrong file" if peer.reputation.is_liar(now) else text
            return f"{text}, and is asked again in {peer.reputation.asked_again_at - now:.0f} s"
        if obstacle is Obstacle.UNKNOWN:
            return f"{text} ({peer.trouble or 'it was not asked yet'}): it would be asked"
        if obstacle is Obstacle.OTHER_SIZE:
            return f"{text}: its file of that name has {sizes[peer.slot]} bytes instead of {wanted.size}"
        return text

    def _sendable(self, peer: Peer, wanted: Wanted) -> bool:
        """Returns whether the client can be sent to a peer by its address."""
        return peer.endpoint is not None and (_reachable_for_others(peer.endpoint.host) or self._local.owns(wanted.client))

    def _disappointed(self, peer: Peer, wanted: Wanted, now: float) -> bool:
        """Returns whether a peer comes last: this client was sent there for the file before, or it did not give a file that it has."""
        return peer.reputation.comes_last(now) or (bool(wanted.visited) and str(peer.endpoint) in wanted.visited)

    async def _confirm_one(self, wanted: Wanted, holders: Sequence[tuple[Peer, int]], deadline: float) -> Location:
        """Returns the file at the first holder to confirm it; the next one is asked as well after `HEDGE_DELAY`."""
        for peer, size in holders:
            known = self._questions.remembered(wanted, peer, size)
            if known is not None:
                return self._location(wanted, peer, known)
        asking = [partial(self._confirm, wanted, peer, size, deadline) for peer, size in holders]
        return await first_yes(asking, self._clock, HEDGE_DELAY)

    async def _ask_around(self, wanted: Wanted, asked: Collection[int], sendable: bool, deadline: float) -> Location:
        """
        Returns the file at the first peer to confirm it, of those that may have the file although nobody knows; all are asked at once.

        Args:
            asked: The slots of the peers that were asked before.
            sendable: True to ask the peers that the client can be sent to, False to ask the others.
        """
        peers = [peer for peer in self._unsure(wanted, asked) if self._sendable(peer, wanted) is sendable]
        for peer in peers:
            known = self._questions.remembered(wanted, peer, wanted.size)
            if known is not None:
                return self._location(wanted, peer, known)
        if not peers:
            raise AbsentError("peers: gone")
        asking = [partial(self._look_in, wanted, peer, deadline) for peer in peers]
        try:
            return await first_yes(asking, self._clock)
        except AbsentError:
            if self._local.owns(wanted.client):  # another client may not be sent to all of them
                self._misses.remember(_miss_key(wanted), True, self._clock.seconds())
            raise

    async def _confirm(self, wanted: Wanted, peer: Peer, size: int, deadline: float) -> Location:
        return self._location(wanted, peer, await self._questions.confirm(wanted, peer, size, deadline))

    async def _look_in(self, wanted: Wanted, peer: Peer, deadline: float) -> Location:
        return self._location(wanted, peer, await self._questions.look_in(wanted, peer, deadline))

    def _location(self, wanted: Wanted, peer: Peer, size: int) -> Location:
        """Returns a file at a peer, to which a client is about to be sent."""
        endpoint = peer.endpoint
        if endpoint is None:
            raise FetchError("no address")
        peer.reputation.chosen(size, self._clock.seconds())
        offer, holder = _OFFERS[self._sendable(peer, wanted)], str(endpoint)
        url = redirect_url(endpoint, wanted.request.name)
        return RemoteFile(url, f"peer {holder}", size, PeerUpstream(endpoint, self._relaying), offer, holder)

    def _withheld(self, endpoint: Endpoint) -> None:
        """Has a peer come last for a while that said to have a file and did not give it."""
        self._peers.reputations.of(identity_of(endpoint)).failed(Failure.WITHHELD, self._clock.seconds())

    def _lied(self, endpoint: Endpoint) -> None:
        """Has nobody ask a peer for an hour that served wrong bytes."""
        self._peers.reputations.of(identity_of(endpoint)).lied(self._clock.seconds())


def _is_usable(peer: Peer, now: float) -> bool:
    """Returns whether a peer that was reached or heard can be asked for pacman's files now."""
    return peer.may_be_asked(now) and peer.offers_packages and peer.alive_at > 0


def _comes_from_peers(wanted: Wanted) -> bool:
    """Returns whether peers may be asked for a file at all: not for databases, nor for a package of which nobody has stated the size."""
    if wanted.request.kind is FileKind.PACKAGE:
        return wanted.size is not None
    return wanted.request.kind is FileKind.SIGNATURE


def _rank(wanted: Wanted, rank: Rank, *, disappointed: bool) -> Rank:
    """
    Returns the place of a peer in the order.

    A client that comes back is not sent to one more peer whose bytes nobody checks.  A signature can be checked by nobody but pacman, which fails
    on a wrong one: it comes from the mirrors as long as these answer.
    """
    if wanted.request.kind is FileKind.SIGNATURE and wanted.mirrors_failed:
        return Rank.PEERS_AGAIN if disappointed else rank
    if wanted.request.kind is FileKind.SIGNATURE or (wanted.visited and not wanted.checked):
        return Rank.PEERS_LAST
    return Rank.PEERS_AGAIN if disappointed else rank


def _miss_key(wanted: Wanted) -> tuple[str, int | None]:
    return wanted.request.name, wanted.size


@lru_cache(maxsize=1024)
def _reachable_for_others(host: str) -> bool:
    """Returns whether an address means the same host to a client elsewhere: loopback and link-local addresses don't."""
    address = parse_address(host)
    return not (address.is_loopback or address.is_link_local)
