"""Other pacservers as a place where packages come from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache, partial
from heapq import nlargest
from itertools import islice
from random import Random

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.hedging import first_yes
from pacserve.fetch.stream import StreamingClient
from pacserve.network.addresses import Endpoint, IPAddress, LocalAddresses, parse_address
from pacserve.packages.files import SIGNATURE_LIMIT, FileKind
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.reputation import Failure, identity_of
from pacserve.peers.roster import Roster
from pacserve.peers.upstream import PeerUpstream, Relaying, package_url
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, Location, Offer, RemoteFile

# Seconds that a holder has to say whether it has a file: what a request may lose by asking before it goes to a mirror.
CONFIRM_BUDGET = 0.15
# Seconds after which the next holder is asked as well: some ten times what an idle one needs.
HEDGE_DELAY = 0.01
# Seconds that peers have which probably have not got the file.  A wrong "no" costs bytes of the WAN, waiting costs each miss.
MISS_BUDGET = 0.05
# Seconds for which a peer that was slow to say something is taken to be alive after it was looked at.
DOUBT_INTERVAL = 2.0
# Seconds for which a yes holds, so that a burst of requests for one file asks once.
YES_LIFETIME = 1.0
# Seconds for which it holds that no peer has a file which nobody is known to have, likewise.
MISS_LIFETIME = 1.0
# Holders that one request asks.
HOLDERS_PER_REQUEST = 3
# Holders among which those are chosen.
HOLDERS_COMPARED = 16
# Peers that are asked before the WAN is used, all at the same time.
PEERS_PER_MISS = 32
_HOLDS, _UNSIGNED = "it holds the file", "it holds the file, but no signature of it, which would come from elsewhere"
_ANSWERS_LIMIT = 4096


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


class PeerSource(PackageSource):
    """
    Finds holders by a look into the inventories, and makes sure with one question.

    Args:
        suspect: Called with a peer that did not answer a question and with the reason, which is empty for one that was slow.
    """

    def __init__(
        self,
        peers: Roster,
        holdings: Holdings,
        client: StreamingClient,
        local: LocalAddresses,
        suspect: Callable[[Peer, str], object],
        clock: IReactorTime,
        *,
        random: Random,
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._clock = clock
        self._local = local
        self._suspect = suspect
        self._random = random
        # Settles which of many holders are asked next; it is drawn anew for each request, and not by `consider`, which tells of the next one.
        self._draw = random.getrandbits(32)
        self._relaying = Relaying(client, clock, self._failed_to_give, self._lied)
        self._yeses: ExpiringMemory[tuple[Endpoint, str], int] = ExpiringMemory(_ANSWERS_LIMIT, YES_LIFETIME)
        self._misses: ExpiringMemory[tuple[str, int | None], bool] = ExpiringMemory(_ANSWERS_LIMIT, MISS_LIFETIME)

    @property
    def best(self) -> Rank:
        return Rank.PEERS

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if not self._peers or not _comes_from_peers(wanted):
            return ()
        groups = self._groups(wanted)
        if groups:
            self._draw = self._random.getrandbits(32)
        found = [
            Candidate(rank, Offer(Holder.PEER, sendable), partial(self._confirm_one, wanted, tuple(holders)))
            for (rank, sendable), holders in groups.items()
        ]
        asked = frozenset(peer.slot for holders in groups.values() for peer, _ in holders)
        if self._misses.get(_miss_key(wanted), self._clock.seconds()) is None:
            rank = _rank(wanted, Rank.PEERS_UNKNOWN, disappointed=False)
            found += [
                Candidate(rank, Offer(Holder.PEER, sendable), partial(self._ask_around, wanted, asked, sendable))
                for sendable in ((True,) if self._local.owns(wanted.client) else (True, False))
                if any(self._may_have(peer, wanted, asked) and self._sendable(peer, wanted) is sendable for peer in self._peers)
            ]
        return sorted(found, key=lambda candidate: (candidate.rank, not candidate.offer.sendable))

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is FileKind.DATABASE:
            return ()
        groups = self._groups(wanted) if _comes_from_peers(wanted) else {}
        signed = {slot for slot, _ in self._holdings.holders(f"{wanted.request.name}.sig")}
        found: list[tuple[Rank, Peer, str, bool]] = []
        for (rank, _), holders in sorted(groups.items(), key=lambda group: (group[0][0], not group[0][1])):
            found += [(rank, peer, _HOLDS if peer.slot in signed else _UNSIGNED, True) for peer, _ in holders]
        asked = {peer.slot for _, peer, _, _ in found}
        sizes = dict(self._holdings.holders(wanted.request.name))
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
            Considered(f"peer {peer.endpoint or peer.configured}", rank, reason, Offer(Holder.PEER, self._sendable(peer, wanted)) if offers else None)
            for rank, peer, reason, offers in found
        ]

    def has_usable(self) -> bool:
        """Returns whether at least one peer can be asked for pacman's files now."""
        now = self._clock.seconds()
        return any(peer.may_be_asked(now) and peer.offers_packages and peer.endpoint is not None for peer in self._peers)

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
        for peer, size in self._by_cost(islice(fits, HOLDERS_COMPARED), now):
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
        if peer.state is PeerState.DEAD:
            return Obstacle.DEAD
        if peer.state is PeerState.REFUSED:
            return Obstacle.REFUSED
        if peer.state is PeerState.NEW:
            return Obstacle.NEW
        if peer.endpoint is None:
            return Obstacle.NO_ADDRESS
        if peer.leaving:
            return Obstacle.LEAVING
        if not peer.may_be_asked(now):
            return Obstacle.FAILED_LATELY
        if peer.state is PeerState.UNKNOWN:
            return Obstacle.UNKNOWN
        if size is None:
            return Obstacle.NOT_HELD
        return None if _fits(wanted, size) else Obstacle.OTHER_SIZE

    def _words(self, obstacle: Obstacle, peer: Peer, sizes: dict[int, int], wanted: Wanted) -> str:
        """Returns an obstacle in words, with what is known of this peer."""
        now, text = self._clock.seconds(), obstacle.value
        if obstacle is Obstacle.DEAD:
            return f"{text}: {peer.trouble}" + (f", last heard {now - peer.alive_at:.0f} s ago" if peer.alive_at else "")
        if obstacle is Obstacle.REFUSED:
            return f"{text}: {peer.trouble}"
        if obstacle is Obstacle.FAILED_LATELY:
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
        return str(peer.endpoint) in wanted.visited or peer.reputation.comes_last(now)

    async def _confirm_one(self, wanted: Wanted, holders: Sequence[tuple[Peer, int]], deadline: float) -> Location:
        """Returns the first of some holders to say that it has the file; the next one is asked as well after `HEDGE_DELAY`."""
        for peer, size in holders:
            known = self._remembered(wanted, peer, size)
            if known is not None:
                return known
        questions = [partial(self._confirm, wanted, peer, size, deadline) for peer, size in holders]
        return await first_yes(questions, self._clock, HEDGE_DELAY)

    async def _ask_around(self, wanted: Wanted, asked: Collection[int], sendable: bool, deadline: float) -> Location:
        """
        Returns the first to say that it has the file, of the peers that may have it although nobody knows; all are asked at once.

        Args:
            asked: The slots of the peers that were asked before.
            sendable: Which of them are meant: those that the client can be sent to, or the others.
        """
        peers = [peer for peer in self._unsure(wanted, asked) if self._sendable(peer, wanted) is sendable]
        for peer in peers:
            known = self._remembered(wanted, peer, wanted.size)
            if known is not None:
                return known
        if not peers:
            raise AbsentError("peers: gone")
        try:
            return await first_yes([partial(self._look_in, wanted, peer, deadline) for peer in peers], self._clock)
        except AbsentError:
            if self._local.owns(wanted.client):  # another client may not be sent to all of them
                self._misses.remember(_miss_key(wanted), True, self._clock.seconds())
            raise

    async def _confirm(self, wanted: Wanted, peer: Peer, size: int | None, deadline: float) -> Location:
        """
        Asks a peer whether it has the file.  One that does not say so is not asked again for a while.

        Args:
            size: The only size that will do, in bytes; None for any that the file may have.

        Raises:
            AbsentError: It has not, or another one.
            FetchError: It did not say so in time.
        """
        now = self._clock.seconds()
        if deadline - now < CONFIRM_BUDGET:  # the peer would be blamed for what it had no time to do
            raise FetchError(f"peer {peer.endpoint}: no time left to ask it")
        try:
            location = await self._ask(wanted, peer, size, CONFIRM_BUDGET)
        except AbsentError:
            if self._peers.at(peer.slot) is peer:  # it may have been dropped meanwhile, and its slot be another one's
                self._holdings.remove(peer.slot, wanted.request.name)
            self._answered(peer, now)
            raise
        except FetchError as error:
            if peer.reputation.failed(Failure.SILENT, self._clock.seconds()) and not isinstance(error, RemoteProtocolError):
                self._suspect(peer, str(error))
            raise FetchError(f"peer {peer.endpoint}: {error}") from error
        except CancelledError:  # another one was faster
            passed = self._clock.seconds() - now
            if passed >= HEDGE_DELAY:
                peer.reputation.slow(passed, now + passed)
                self._doubt(peer)
            raise
        self._answered(peer, now)
        return location

    async def _look_in(self, wanted: Wanted, peer: Peer, deadline: float) -> Location:
        """
        Asks a peer which probably has not got the file.  One that is too slow for that is looked at, but not blamed.

        Raises:
            AbsentError: It has not, or one that will not do.
            FetchError: It did not say so in time.
        """
        if peer.state is PeerState.UNKNOWN and not peer.discovered:
            return await self._confirm(wanted, peer, wanted.size, deadline)
        try:
            return await self._ask(wanted, peer, wanted.size, MISS_BUDGET)
        except AbsentError:
            raise
        except FetchError as error:
            self._doubt(peer)
            raise FetchError(f"peer {peer.endpoint}: {error}") from error

    def _remembered(self, wanted: Wanted, peer: Peer, size: int | None) -> Location | None:
        """Returns what `_confirm` would give without asking, since the peer said yes a moment ago."""
        if peer.endpoint is None:
            return None
        held = self._yeses.get((peer.endpoint, wanted.request.name), self._clock.seconds())
        if held is None or not _fits(wanted, held) or size not in (None, held):
            return None
        return self._location(wanted, peer, peer.endpoint, held)

    async def _ask(self, wanted: Wanted, peer: Peer, size: int | None, budget: float) -> Location:
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            raise FetchError("no address")
        answer = await self._client.head(package_url(endpoint, name), timeout=budget)
        if answer.status not in (200, 404, 410):
            raise RemoteProtocolError(f"it answers {answer.status}")
        length = answer.length
        if answer.status != 200 or length is None or not _fits(wanted, length) or (size is not None and length != size):
            raise AbsentError(f"peer {endpoint}: " + (f"{answer.status}" if answer.status != 200 else f"another size ({length})"))
        self._yeses.remember((endpoint, name), length, self._clock.seconds())
        return self._location(wanted, peer, endpoint, length)

    def _location(self, wanted: Wanted, peer: Peer, endpoint: Endpoint, size: int) -> Location:
        """Returns a file at a peer, to which a client is about to be sent."""
        peer.reputation.chosen(size, self._clock.seconds())
        offer = Offer(Holder.PEER, self._sendable(peer, wanted))
        url = package_url(endpoint, wanted.request.name)
        return RemoteFile(url, f"peer {endpoint}", size, PeerUpstream(endpoint, self._relaying), offer, str(endpoint))

    def _doubt(self, peer: Peer) -> None:
        """Looks at a peer that was slow, which a busy host may be, unless it has shown a moment ago that it is alive."""
        if self._clock.seconds() - peer.alive_at >= DOUBT_INTERVAL:
            self._suspect(peer, "")

    def _answered(self, peer: Peer, asked_at: float) -> None:
        now = self._clock.seconds()
        peer.reputation.answered(now - asked_at, now)

    def _failed_to_give(self, endpoint: Endpoint) -> None:
        """Has a peer come last for a while that said to have a file and did not give it."""
        self._peers.reputations.of(identity_of(endpoint)).failed(Failure.WITHHELD, self._clock.seconds())

    def _lied(self, endpoint: Endpoint) -> None:
        """Has nobody ask a peer for an hour that served wrong bytes."""
        self._peers.reputations.of(identity_of(endpoint)).lied(self._clock.seconds())


def _comes_from_peers(wanted: Wanted) -> bool:
    """Returns whether peers may be asked for a file at all: not for databases, nor for a package of which nobody has stated the size."""
    if wanted.request.kind is FileKind.PACKAGE:
        return wanted.size is not None
    return wanted.request.kind is FileKind.SIGNATURE


def _rank(wanted: Wanted, rank: Rank, *, disappointed: bool) -> Rank:
    """Returns the place of a peer in the order: a client that comes back is not sent to one more peer whose bytes nobody checks."""
    if wanted.visited and not wanted.checked:
        return Rank.PEERS_LAST
    return Rank.PEERS_AGAIN if disappointed else rank


def _miss_key(wanted: Wanted) -> tuple[str, int | None]:
    return wanted.request.name, wanted.size


def _fits(wanted: Wanted, size: int) -> bool:
    """Returns whether a file of this size can be the one that is wanted."""
    if wanted.request.kind is FileKind.SIGNATURE:
        return 1 <= size <= SIGNATURE_LIMIT
    return size > 0 if wanted.size is None else size == wanted.size


@lru_cache(maxsize=1024)
def _reachable_for_others(host: str) -> bool:
    """Returns whether an address means the same host to a client elsewhere: loopback and link-local addresses don't."""
    address = parse_address(host)
    return not (address.is_loopback or address.is_link_local)
