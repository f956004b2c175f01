"""Other pacservers as a place where packages come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from heapq import nlargest
from itertools import islice
from random import Random

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.fetch.hedging import first_yes
from pacserve.network.addresses import Endpoint, IPAddress, LocalAddresses, parse_address
from pacserve.packages.files import SIGNATURE_LIMIT, FileKind
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.roster import Roster
from pacserve.peers.urls import package_url
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.web.answers import Answer, RedirectAnswer

# Seconds that a holder has to say whether it has a file: what a request may lose by asking before it goes to a mirror.
CONFIRM_BUDGET = 0.15
# Seconds after which the next holder is asked as well: some ten times what an idle one needs.
HEDGE_DELAY = 0.01
# Seconds that peers have which probably have not got the file.  A wrong "no" costs bytes of the WAN, waiting costs each miss.
MISS_BUDGET = 0.05
# Seconds for which a peer that was slow to say something is taken to be alive after it was looked at.
DOUBT_INTERVAL = 2.0
# Seconds for which a peer that served wrong bytes is not asked.
DISTRUST = 3600.0
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
_YESES_LIMIT = _MISSES_LIMIT = 4096


class PeerSource(PackageSource):
    """
    Finds holders by a look into the inventories, and makes sure with one question.

    Args:
        suspect: Called with a peer that did not answer a question, so that it is looked at.
    """

    def __init__(  # noqa: PLR0917
        self,
        peers: Roster,
        holdings: Holdings,
        client: HTTPClient,
        clock: IReactorTime,
        local: LocalAddresses,
        suspect: Callable[[Peer], object],
        random: Random,
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self.clock = clock
        self._local = local
        self._suspect = suspect
        self._random = random
        self._yeses: dict[tuple[Endpoint, str], tuple[float, RedirectAnswer]] = {}
        self._misses: dict[tuple[str, int | None], float] = {}

    @property
    def best(self) -> Rank:
        return Rank.PEER

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if wanted.request.kind is FileKind.DATABASE or not self._peers:
            return ()
        holders = self._holders(wanted)
        asked = frozenset(peer.slot for peer, _ in holders)
        found: list[Candidate] = [_Holders(self, wanted, holders)] if holders else []
        if not self._was_missed(wanted) and any(self._may_have(peer, wanted, asked) for peer in self._peers):
            found.append(_Miss(self, wanted, asked))
        return found

    def _holders(self, wanted: Wanted) -> Sequence[tuple[Peer, int]]:
        """Returns the peers to ask with the sizes that they state, best first: a few of those that hold the file, so that the load is spread."""
        now = self.clock.seconds()
        start = self._random.randrange(self._peers.slots)
        found = (
            (peer, size)
            for slot, size in self._holdings.holders(wanted.request.name, start)
            if (peer := self._peers.at(slot)) is not None
            and peer.state is PeerState.KNOWN
            and _fits(wanted, size)
            and self._usable(peer, wanted, now)
        )
        compared = list(islice(found, HOLDERS_COMPARED))
        if len(compared) > 1:
            # Who looks best to one host looks best to all of them, and would soon be the worst.
            compared.sort(key=lambda holder: holder[0].standing.cost(now) * self._random.uniform(0.5, 1.5))
        return compared[:HOLDERS_PER_REQUEST]

    def unsure(self, wanted: Wanted, asked: Collection[int]) -> Sequence[Peer]:
        """
        Returns the peers that may have the file although nobody is known to have it: those of which nothing is known, and those whose inventory
        changed last.

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

    def missed(self, wanted: Wanted) -> None:
        """All peers that may have had the file said that they have not."""
        if wanted.avoid or not self._local.owns(wanted.client):
            return  # others may be sent to peers that this client was not to be sent to
        if len(self._misses) >= _MISSES_LIMIT:
            self._misses.clear()
        self._misses[wanted.request.name, wanted.size] = self.clock.seconds() + MISS_LIFETIME

    def _was_missed(self, wanted: Wanted) -> bool:
        return self.clock.seconds() < self._misses.get((wanted.request.name, wanted.size), 0.0)

    def _may_have(self, peer: Peer, wanted: Wanted, asked: Collection[int]) -> bool:
        return peer.slot not in asked and self._usable(peer, wanted, self.clock.seconds())

    def is_peer(self, address: IPAddress) -> bool:
        """Returns whether this is an address of one of the peers that the user named, as last resolved."""
        return any(parse_address(text) == address for peer in self._peers if not peer.discovered for text in peer.addresses)

    def distrust(self, holder: str) -> None:
        """A peer served what it should not have: it is not asked for an hour."""
        now = self.clock.seconds()
        for peer in self._peers:
            if str(peer.endpoint) == holder:
                peer.asked_again_at = now + DISTRUST

    async def confirm(self, wanted: Wanted, peer: Peer, size: int | None, deadline: float) -> Answer:
        """
        Asks a peer whether it has the file.  One that does not say so is not asked again for a while.

        Args:
            size: The only size that will do, in bytes; None for any that the file may have.

        Raises:
            AbsentError: It has not, or another one.
            FetchError: It did not say so in time.
        """
        now = self.clock.seconds()
        if deadline - now < CONFIRM_BUDGET:  # the peer would be blamed for what it had no time to do
            raise FetchError(f"peer {peer.endpoint}: no time left to ask it")
        try:
            answer = await self._ask(wanted, peer, size, CONFIRM_BUDGET)
        except AbsentError:
            if self._peers.at(peer.slot) is peer:  # it may have been dropped meanwhile, and its slot be another one's
                self._holdings.remove(peer.slot, wanted.request.name)
            self._succeeded(peer, now)
            raise
        except FetchError as error:
            failed_at = self.clock.seconds()
            if peer.failed(failed_at):
                peer.standing.failed(failed_at)
                if not isinstance(error, RemoteProtocolError):
                    peer.silent(str(error))
                    self._suspect(peer)
            raise FetchError(f"peer {peer.endpoint}: {error}") from error
        except CancelledError:  # another one was faster
            passed = self.clock.seconds() - now
            if passed >= HEDGE_DELAY:
                peer.standing.overtaken(passed, now + passed)
                self._doubt(peer)
            raise
        self._succeeded(peer, now)
        return answer

    async def look_in(self, wanted: Wanted, peer: Peer, deadline: float) -> Answer:
        """
        Asks a peer which probably has not got the file.  One that is too slow for that is looked at, but not blamed.

        Raises:
            AbsentError: It has not, or one that will not do.
            FetchError: It did not say so in time.
        """
        if peer.state is PeerState.UNKNOWN and not peer.discovered:
            return await self.confirm(wanted, peer, wanted.size, deadline)
        try:
            return await self._ask(wanted, peer, wanted.size, MISS_BUDGET)
        except AbsentError:
            raise
        except FetchError as error:
            self._doubt(peer)
            raise FetchError(f"peer {peer.endpoint}: {error}") from error

    def remembered(self, wanted: Wanted, peer: Peer, size: int | None) -> Answer | None:
        """What `confirm` would give without asking, since the peer said yes a moment ago."""
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            return None
        until, redirect = self._yeses.get((endpoint, name), (0.0, None))
        if redirect is None or redirect.size is None or self.clock.seconds() >= until:
            return None
        if not _fits(wanted, redirect.size) or size not in (None, redirect.size):
            return None
        return self._chosen(peer, redirect)

    async def _ask(self, wanted: Wanted, peer: Peer, size: int | None, budget: float) -> Answer:
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            raise FetchError("no address")
        answer = await self._client.head(package_url(endpoint, name), timeout=budget)
        if answer.status not in (200, 404, 410):
            raise RemoteProtocolError(f"it answers {answer.status}")
        length = answer.length
        if answer.status != 200 or length is None or not _fits(wanted, length) or (size is not None and length != size):
            raise AbsentError(f"peer {endpoint}: " + (f"{answer.status}" if answer.status != 200 else f"another size ({length})"))
        if len(self._yeses) >= _YESES_LIMIT:
            self._yeses.clear()
        redirect = RedirectAnswer(package_url(endpoint, name), f"peer {endpoint}", length, str(endpoint))
        self._yeses[endpoint, name] = (self.clock.seconds() + YES_LIFETIME, redirect)
        return self._chosen(peer, redirect)

    def _doubt(self, peer: Peer) -> None:
        """It was slow, which a busy host may be: it is looked at unless it has shown a moment ago that it is alive."""
        if self.clock.seconds() - peer.alive_at >= DOUBT_INTERVAL:
            self._suspect(peer)

    def _succeeded(self, peer: Peer, asked_at: float) -> None:
        now = self.clock.seconds()
        peer.confirmed()
        peer.standing.answered(now - asked_at, now)

    def _usable(self, peer: Peer, wanted: Wanted, now: float) -> bool:
        return (
            peer.may_be_asked(now)
            and peer.endpoint is not None
            and (not wanted.avoid or str(peer.endpoint) not in wanted.avoid)
            and (_reachable_for_others(peer.endpoint.host) or self._local.owns(wanted.client))
        )

    def _chosen(self, peer: Peer, redirect: RedirectAnswer) -> Answer:
        peer.standing.chosen(redirect.size or 0, self.clock.seconds())
        return redirect


@dataclass(frozen=True, slots=True)
class _Holders(Candidate):
    """Peers whose inventories list the file; the next one is asked as well when one has not answered within `HEDGE_DELAY`."""

    source: PeerSource
    wanted: Wanted
    holders: Sequence[tuple[Peer, int]]

    @property
    def rank(self) -> Rank:
        return Rank.PEER

    async def settle(self, deadline: float) -> Answer:
        for peer, size in self.holders:
            known = self.source.remembered(self.wanted, peer, size)
            if known is not None:
                return known
        questions = [partial(self.source.confirm, self.wanted, peer, size, deadline) for peer, size in self.holders]
        return await first_yes(questions, self.source.clock, HEDGE_DELAY)


@dataclass(frozen=True, slots=True)
class _Miss(Candidate):
    """
    Nobody is known to have the file; those that may have it all the same are asked at once, and the first yes wins.

    Attributes:
        asked: The slots of the peers that have been asked already.
    """

    source: PeerSource
    wanted: Wanted
    asked: Collection[int]

    @property
    def rank(self) -> Rank:
        return Rank.PEERS_UNKNOWN

    async def settle(self, deadline: float) -> Answer:
        peers = self.source.unsure(self.wanted, self.asked)
        for peer in peers:
            known = self.source.remembered(self.wanted, peer, self.wanted.size)
            if known is not None:
                return known
        if not peers:
            raise AbsentError("peers: gone")
        try:
            return await first_yes([partial(self.source.look_in, self.wanted, peer, deadline) for peer in peers], self.source.clock)
        except AbsentError:
            self.source.missed(self.wanted)
            raise


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
