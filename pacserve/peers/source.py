"""Other pacservers as a place where packages come from."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.interfaces import Candidate, LocalAddresses, PackageSource
from pacserve.model import Answer, Endpoint, FileKind, IPAddress, Rank, RedirectAnswer, Wanted
from pacserve.network.addresses import parse_address
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.urls import package_url

# Seconds that a peer has to say whether it has a file: what a request may lose by asking before it goes to a mirror.
CONFIRM_BUDGET = 0.15
# Seconds for which a yes holds, so that a burst of requests for one file asks once.
YES_LIFETIME = 1.0
# A request asks so many holders one after the other before it goes on: with the budget above it loses half a second at most.
HOLDERS_PER_REQUEST = 3
# Peers without a known inventory that one request asks at the same time.
UNKNOWN_PER_REQUEST = 32
# Bytes.  pacman takes no larger signature.
LARGEST_SIGNATURE = 16 << 10
_YESES_LIMIT = 4096


class PeerSource(PackageSource):
    """
    Finds holders by a look into the inventories, and makes sure with one question.

    @param suspect: Called with a peer that did not answer a question, so that it is looked at.
    """

    def __init__(  # noqa: PLR0917
        self,
        peers: Sequence[Peer],
        holdings: Holdings,
        client: HTTPClient,
        clock: IReactorTime,
        local: LocalAddresses,
        suspect: Callable[[Peer], None],
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._clock = clock
        self._local = local
        self._suspect = suspect
        self._yeses: dict[tuple[Endpoint, str], tuple[float, RedirectAnswer]] = {}
        self._uses = 0

    @property
    def best(self) -> Rank:
        return Rank.PEER

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if wanted.request.kind is FileKind.DATABASE or not self._peers:
            return ()
        now = self._clock.seconds()
        holders = [
            (peer, size)
            for peer, size in ((self._peers[slot], size) for slot, size in self._holdings.holders(wanted.request.name))
            if peer.state is PeerState.KNOWN and _fits(wanted, size) and self._usable(peer, wanted, now)
        ]
        holders.sort(key=lambda holder: holder[0].last_used)
        found: list[Candidate] = [_Holder(self, wanted, peer, size) for peer, size in holders[:HOLDERS_PER_REQUEST]]
        unknown = [peer for peer in self._peers if peer.state is PeerState.UNKNOWN and self._usable(peer, wanted, now)]
        if unknown:
            found.append(_Unknown(self, wanted, unknown[:UNKNOWN_PER_REQUEST]))
        return found

    def is_peer(self, address: IPAddress) -> bool:
        """Whether this is an address of one of the peers, as last resolved."""
        return any(parse_address(text) == address for peer in self._peers for text in peer.addresses)

    async def confirm(self, wanted: Wanted, peer: Peer, size: int | None, deadline: float) -> Answer:
        """
        Asks a peer whether it has the file.

        @param size: The only size that will do, in bytes; None for any that the file may have.
        @raise AbsentError: It has not, or another one.
        @raise FetchError: It did not say so in time.
        """
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            raise FetchError(f"peer {peer.configured}: no address")
        known = self.remembered(wanted, peer, size)
        if known is not None:
            return known
        if deadline - self._clock.seconds() < CONFIRM_BUDGET:  # the peer would be blamed for what it had no time to do
            raise FetchError(f"peer {endpoint}: no time left to ask it")
        try:
            answer = await self._client.head(package_url(endpoint, name), timeout=CONFIRM_BUDGET)
            if answer.status not in (200, 404, 410):
                raise RemoteProtocolError(f"it answers {answer.status}")
        except FetchError as error:
            if peer.failed(self._clock.seconds()) and not isinstance(error, RemoteProtocolError):
                peer.silent(str(error))
                self._suspect(peer)
            raise FetchError(f"peer {endpoint}: {error}") from error
        peer.confirmed()
        length = answer.length
        if answer.status != 200 or length is None or not _fits(wanted, length) or (size is not None and length != size):
            self._holdings.remove(peer.slot, name)
            raise AbsentError(f"peer {endpoint}: " + (f"{answer.status}" if answer.status != 200 else f"another size ({length})"))
        if len(self._yeses) >= _YESES_LIMIT:
            self._yeses.clear()
        redirect = RedirectAnswer(package_url(endpoint, name), f"peer {endpoint}", length, str(endpoint))
        self._yeses[endpoint, name] = (self._clock.seconds() + YES_LIFETIME, redirect)
        return self._chosen(peer, redirect)

    def remembered(self, wanted: Wanted, peer: Peer, size: int | None) -> Answer | None:
        """What L{confirm} would give without asking, since the peer said yes a moment ago."""
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            return None
        until, redirect = self._yeses.get((endpoint, name), (0.0, None))
        if redirect is None or redirect.size is None or self._clock.seconds() >= until:
            return None
        if not _fits(wanted, redirect.size) or size not in (None, redirect.size):
            return None
        return self._chosen(peer, redirect)

    def _usable(self, peer: Peer, wanted: Wanted, now: float) -> bool:
        return (
            peer.may_be_asked(now)
            and peer.endpoint is not None
            and (not wanted.avoid or str(peer.endpoint) not in wanted.avoid)
            and (_reachable_for_others(peer.endpoint.host) or self._local.owns(wanted.client))
        )

    def _chosen(self, peer: Peer, redirect: RedirectAnswer) -> Answer:
        self._uses += 1
        peer.last_used = self._uses
        return redirect


@dataclass(frozen=True, slots=True)
class _Holder(Candidate):
    """A peer whose inventory lists the file."""

    source: PeerSource
    wanted: Wanted
    peer: Peer
    size: int

    @property
    def rank(self) -> Rank:
        return Rank.PEER

    async def settle(self, deadline: float) -> Answer:
        return await self.source.confirm(self.wanted, self.peer, self.size, deadline)


@dataclass(frozen=True, slots=True)
class _Unknown(Candidate):
    """All peers whose inventories are not known; they are asked at once, and the first yes wins."""

    source: PeerSource
    wanted: Wanted
    peers: Sequence[Peer]

    @property
    def rank(self) -> Rank:
        return Rank.PEERS_UNKNOWN

    async def settle(self, deadline: float) -> Answer:
        for peer in self.peers:
            known = self.source.remembered(self.wanted, peer, self.wanted.size)
            if known is not None:
                return known
        return await first_yes([self.source.confirm(self.wanted, peer, self.wanted.size, deadline) for peer in self.peers])


async def first_yes(questions: Sequence[Coroutine[Any, Any, Answer]]) -> Answer:
    """
    Runs all at once and gives what the first to succeed gives; the others are cancelled.

    @raise AbsentError: Every one said no.
    @raise FetchError: Nobody said yes, and some could not say.
    """
    running = [Deferred.fromCoroutine(question) for question in questions]
    outcomes: Any = DeferredList(running, fireOnOneCallback=True, consumeErrors=True)
    try:
        result = await outcomes
    finally:
        for question in running:
            question.cancel()
    if isinstance(result, tuple):  # DeferredList gives (answer, index) for the first success
        answer: Answer = result[0]
        return answer
    reasons = [failure.value for _, failure in result]
    for reason in reasons:
        if not isinstance(reason, FetchError):
            raise reason
    text = "; ".join(str(reason) for reason in reasons)
    raise (AbsentError if all(isinstance(reason, AbsentError) for reason in reasons) else FetchError)(text)


def _fits(wanted: Wanted, size: int) -> bool:
    """Whether a file of this size can be the one that is wanted."""
    if wanted.request.kind is FileKind.SIGNATURE:
        return 1 <= size <= LARGEST_SIGNATURE
    return size > 0 if wanted.size is None else size == wanted.size


@lru_cache(maxsize=1024)
def _reachable_for_others(host: str) -> bool:
    """Whether an address means the same host to a client elsewhere: loopback and link-local addresses don't."""
    address = parse_address(host)
    return not (address.is_loopback or address.is_link_local)
