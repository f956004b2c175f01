"""From a request to an answer: the resolver finds where the file is, and the table of deliveries says how it is handed over."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from pacserve.delivery.streaming import Streaming
from pacserve.delivery.table import Circumstances, Decision, Delivery, Hits, Misses, checks, decide
from pacserve.errors import AbsentError, FetchError, RequestError
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.resolver.history import History
from pacserve.resolver.policy import all_considered, by_best, in_order
from pacserve.resolver.resolver import Resolver, Search
from pacserve.sources.candidates import Considered, PackageSource, Wanted
from pacserve.sources.locations import LocalFile, Location, Offer, RemoteFile, RunningDownload
from pacserve.web.answers import Answer, FileAnswer, RedirectAnswer, SizeAnswer, StreamAnswer

# Seconds.  pacman gives up after 10 and counts that against this daemon; the rest is for a busy machine.
ANSWER_DEADLINE = 7.5
# Seconds of these in which a mirror has to state the size of a file that no catalogue knows: the rest is for the mirrors that answer later.
STATED_SIZE_TIMEOUT = 3.0
# Characters of an error's one line.
_MESSAGE_LIMIT = 1000
_THIS_HOST = IPv4Address("127.0.0.1")


class FileDelivery(Protocol):
    """Answers requests for files, as the fronts see it."""

    @abstractmethod
    async def deliver(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0) -> Answer:
        """
        Answers within 8 seconds.

        Args:
            local_only: Only the local caches are looked at: the question came from another pacserve, and must not travel on.
            head_only: The client does not want the file now, so that the host that it is sent to has not disappointed it when it comes back.
            offset: The first byte that the client wants.

        Raises:
            RequestError: 404 when every mirror said that it has no such file, 504 when some could not say.
        """


class StatedSizes(Protocol):
    """Knows the sizes of files that no catalogue states."""

    @abstractmethod
    async def stated_size(self, request: FileRequest, deadline: float) -> int | None:
        """Returns the bytes that a mirror states for a file; None where no mirror does until the deadline.  Never raises."""


@dataclass(frozen=True, slots=True)
class Policy:
    """
    The part of the circumstances that is the same for all files.

    Attributes:
        has_peers: Says whether at least one peer can be used now.
        has_spool: Says whether downloads can be kept now.
    """

    misses: Misses
    hits: Hits
    has_peers: Callable[[], bool]
    has_spool: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Sources:
    """
    Where files come from.

    Attributes:
        caches: The local caches: the only source for a question that came from another pacserve.
        others: Peers, downloads, mirrors and everything else.
        sizes: Knows the sizes of files that no catalogue states.
        catalogue: Knows what is stated of files.
    """

    caches: PackageSource
    others: Sequence[PackageSource]
    sizes: StatedSizes
    catalogue: Catalogue


class Deliverer(FileDelivery):
    """
    Answers requests for files.

    Args:
        streaming: Downloads what is to be passed on.
    """

    def __init__(
        self, sources: Sources, local: LocalAddresses, resolver: Resolver, streaming: Streaming, policy: Policy, clock: IReactorTime
    ) -> None:
        self._caches = sources.caches
        self._others = by_best(sources.others)
        self._sizes = sources.sizes
        self._catalogue = sources.catalogue
        self._local = local
        self._resolver = resolver
        self._streaming = streaming
        self._policy = policy
        self._clock = clock
        self._history = History()

    async def deliver(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0) -> Answer:
        wanted = await self._wanted(request, client, head_only=head_only, offset=offset)
        search = Search(_anything, self._local_answer, self._clock.seconds() + ANSWER_DEADLINE)
        local = self._caches.candidates(wanted)
        answer = await self._resolver.find(local, search) if local else None
        if answer is None and not local_only:
            answer = await self._elsewhere(wanted, search)
        if answer is None:
            raise _refusal(request, search, local_only=local_only)
        found: Answer = answer
        return found

    async def consider(self, request: FileRequest) -> list[tuple[Considered, Decision | None]]:
        """
        Returns everything that is considered for a file that this host asks for, in the order in which it is tried, with what the table says.

        The first whose decision is not NEXT is where the next request goes; a candidate without a decision is none.
        """
        wanted = await self._wanted(request, _THIS_HOST)
        circumstances = self._circumstances(wanted)
        found = all_considered((self._caches, *self._others), wanted)
        return [(each, None if each.offer is None else decide(each.offer, circumstances)) for each in found]

    async def _wanted(self, request: FileRequest, client: IPAddress, *, head_only: bool = False, offset: int = 0) -> Wanted:
        """Returns a request with what is known of the file and of the client."""
        expected = None
        if request.kind is FileKind.PACKAGE:
            await self._catalogue.refresh(request.repo)
            expected = self._catalogue.expected(request.repo, request.name)
        if self._local.owns(client):
            client = _THIS_HOST  # pacman may come back by another of this host's addresses
        visited = self._history.holders(client, request.name, self._clock.seconds())
        checked = checks(self._policy.hits, digest=_has_digest(expected), spool=self._policy.has_spool())
        return Wanted(request, None if expected is None else expected.size, client, expected, visited, checked, offset, head_only)

    async def _elsewhere(self, wanted: Wanted, search: Search) -> Answer | None:
        """Returns the answer of anyone but the local caches; None where nobody has one."""
        if wanted.size is None and wanted.request.kind is FileKind.PACKAGE and self._policy.has_peers():
            wanted = await self._sized(wanted, search.deadline)
        circumstances = self._circumstances(wanted)
        search.accepts = lambda offer: decide(offer, circumstances).delivery is not Delivery.NEXT
        search.hand_over = partial(self._hand_over, wanted, circumstances)
        return await self._resolver.find(in_order(self._others, wanted), search)

    async def _sized(self, wanted: Wanted, deadline: float) -> Wanted:
        """Returns what is wanted with the size that a mirror states: a peer may have anything under a name that no catalogue knows."""
        deadline = min(deadline, self._clock.seconds() + STATED_SIZE_TIMEOUT)
        return replace(wanted, size=await self._sizes.stated_size(wanted.request, deadline))

    def _circumstances(self, wanted: Wanted) -> Circumstances:
        policy, request = self._policy, wanted.request
        peers = policy.misses is not Misses.AUTO or policy.has_peers()
        digest, signature, returned = _has_digest(wanted.expected), request.name.endswith(".sig"), bool(wanted.visited)
        spool = wanted.checked or policy.has_spool()  # without a spool nothing is checked
        far_ahead = bool(wanted.offset) and self._streaming.is_far_ahead(request, wanted.offset)
        return Circumstances(policy.misses, policy.hits, request.kind, peers, spool, digest, signature, returned, wanted.head_only, far_ahead)

    async def _local_answer(self, location: Location) -> Answer:
        if not isinstance(location, LocalFile):
            raise FetchError("no local file")
        return FileAnswer(location.held, location.origin)

    async def _hand_over(self, wanted: Wanted, circumstances: Circumstances, location: Location) -> Answer:  # noqa: PLR0911 - a case for each delivery
        """
        Makes an answer of a location.

        Raises:
            FetchError: It can't be handed over: the next candidate is tried.
        """
        decision = decide(location.offer, circumstances)
        if isinstance(location, LocalFile):
            return FileAnswer(location.held, location.origin)
        if isinstance(location, RunningDownload):
            return StreamAnswer(location.file, location.origin)
        if not isinstance(location, RemoteFile):
            return await self._streaming.download(wanted.request, location.upstreams)
        if wanted.head_only and decision.delivery in (Delivery.RELAY, Delivery.SEND_THROUGH):
            return SizeAnswer(location.origin, location.size)
        if decision.delivery is Delivery.RELAY:
            return await self._streaming.relay(wanted.request, location.upstream)
        if decision.delivery is Delivery.SEND_THROUGH:
            return await self._streaming.send_through(wanted.request, location.upstream)
        if decision.delivery is Delivery.NEXT:
            raise AbsentError(f"{location.origin}: {decision.reason}")
        if location.holder and not wanted.head_only:
            self._history.sent(wanted.client, wanted.request.name, location.holder, self._clock.seconds())
        return RedirectAnswer(location.url, location.origin, location.size)


def _has_digest(expected: ExpectedFile | None) -> bool:
    return expected is not None and expected.sha256 is not None


def _anything(_: Offer) -> bool:
    return True


def _refusal(request: FileRequest, search: Search, *, local_only: bool) -> RequestError:
    if local_only:
        return RequestError(404, f"{request} is not in a local cache, and a question from another pacserve goes no further")
    asked = _one_line("; ".join(search.tried))
    if search.undecided:
        return RequestError(504, f"{request}: no mirror could say that it has it. Tried: {asked}", asked)
    if not search.tried:
        return RequestError(404, f"{request} is not in a local cache, and repository {request.repo} has no other http or https Server in pacman.conf")
    return RequestError(404, f"{request} is nowhere. Tried: local caches; {asked}", asked)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LIMIT else line[: _MESSAGE_LIMIT - 4] + " ..."
