"""From a request to an answer: the resolver finds where the file is, and the table of deliveries says how it is handed over."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from itertools import chain
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

from pacserve.delivery.streaming import Streaming, Whole
from pacserve.delivery.table import Circumstances, Decision, Delivery, Hits, Misses, checks, decide, is_small
from pacserve.errors import AbsentError, FetchError, RequestError, plain_reason
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.packages.names import is_shared, signed_file
from pacserve.resolver.history import History
from pacserve.resolver.policy import all_considered, by_best, in_order
from pacserve.resolver.resolver import Resolver, Search
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer, RemoteFile, RunningDownload
from pacserve.web.answers import Answer, FileAnswer, RedirectAnswer, SizeAnswer, StreamAnswer

# Seconds.  pacman gives up after 10 and counts that against this daemon; the rest is for a busy machine.
ANSWER_DEADLINE = 7.5
# Seconds of these in which a mirror has to state the size of a file that no catalogue knows: the rest is for the mirrors that answer later.
STATED_SIZE_TIMEOUT = 3.0
# Seconds for which each signature comes from a mirror after pacman came back for one that a peer gave: a peer that lies costs one transaction.
LEADERS_DOUBTED = 3600.0
# Seconds that a download of a small file has: the rest of the time is for peers and the own cache, as far as these have it.  And seconds for which
# signatures come from the mirrors alone after one that did not come in time, since it may have been a leader that held it up.
WHOLE_TIMEOUT = 4.0
SLOW_LEADERS_DOUBTED = 60.0
# What is waited for until it is whole, where a file is small.
_WHOLE = frozenset({Delivery.JOIN, Delivery.DOWNLOAD, Delivery.RELAY, Delivery.SEND_THROUGH})
_OWN_CACHE = "cache"
# Characters of an error's one line.
_MESSAGE_LIMIT = 1000
_THIS_HOST = IPv4Address("127.0.0.1")


class FileDelivery(Protocol):
    """Answers requests for files, as the fronts see it."""

    @abstractmethod
    async def deliver(
        self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0, forced: bool = False
    ) -> Answer:
        """
        Answers within 8 seconds.

        Args:
            local_only: Only the local caches are looked at: the question came from another pacserve, and must not travel on.
            head_only: The client does not want the file now, so that the host that it is sent to has not disappointed it when it comes back.
            offset: The first byte that the client wants.
            forced: The client states no condition (`pacman -Syy`).

        Raises:
            RequestError: 404 when every mirror said that it has no such file, 504 when some could not say.
        """


class MirrorKnowledge(Protocol):
    """Knows of mirrors what no catalogue states."""

    @abstractmethod
    async def stated_size(self, request: FileRequest, deadline: float) -> int | None:
        """Returns the bytes that a mirror states for a file; None where no mirror does until the deadline.  Never raises."""

    @abstractmethod
    def all_failed(self, request: FileRequest) -> bool:
        """Returns whether each mirror of a repository failed lately, so that none is likely to answer now."""


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
        local: This host itself, best first: the only sources for a question that came from another pacserve.
        others: Folders, peers, downloads, mirrors and everything else.
        mirrors: Knows of the mirrors among the others what no catalogue states.
        catalogue: Knows what is stated of files.
        private: Returns the repositories of whose files the LAN is not told.
    """

    local: Sequence[PackageSource]
    others: Sequence[PackageSource]
    mirrors: MirrorKnowledge
    catalogue: Catalogue
    private: Callable[[], Collection[str]] = frozenset


class Deliverer(FileDelivery):
    """
    Answers requests for files.

    Args:
        streaming: Downloads what is to be passed on.
    """

    def __init__(
        self, sources: Sources, local: LocalAddresses, resolver: Resolver, streaming: Streaming, policy: Policy, clock: IReactorTime
    ) -> None:
        self._local_sources = sources.local
        self._others = by_best(sources.others)
        self._mirrors = sources.mirrors
        self._catalogue = sources.catalogue
        self._private = sources.private
        self._local = local
        self._resolver = resolver
        self._streaming = streaming
        self._policy = policy
        self._clock = clock
        self._history = History()
        self._leaders_doubted_until = 0.0

    async def deliver(
        self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0, forced: bool = False
    ) -> Answer:
        wanted = await self._wanted(request, client, head_only=head_only, offset=offset)
        if forced:
            wanted = replace(wanted, forced=True)
        search = Search(_anything, partial(self._local_answer, wanted), self._clock.seconds() + ANSWER_DEADLINE)
        local = [candidate for source in self._local_sources for candidate in source.candidates(wanted)]
        doubted = [candidate for candidate in local if candidate.rank is Rank.CACHE_LAST and not local_only]
        certain = local if not doubted else local[: -len(doubted)]
        answer = await self._resolver.find(certain, search) if certain else None
        if answer is None and not local_only:
            answer = await self._elsewhere(wanted, search, doubted)
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
        sources = (*self._local_sources, *self._others)
        for source in sources:
            await source.look(wanted)
        found = all_considered(sources, wanted)
        return [(each, None if each.offer is None else decide(each.offer, circumstances)) for each in found]

    async def _wanted(self, request: FileRequest, client: IPAddress, *, head_only: bool = False, offset: int = 0) -> Wanted:
        """Returns a request with what is known of the file and of the client."""
        expected = None
        mirrors_failed = False
        if request.kind is FileKind.SIGNATURE:
            mirrors_failed = self._mirrors.all_failed(request)
            await self._catalogue.refresh(request.repo, signed_file(request.name))  # a download claims a signature by what it signs
        if request.kind is FileKind.PACKAGE:
            await self._catalogue.refresh(request.repo, request.name)
            expected = self._catalogue.expected(request.repo, request.name)
        if self._local.owns(client):
            client = _THIS_HOST  # pacman may come back by another of this host's addresses
        visited = self._history.holders(client, request.name, self._clock.seconds())
        if request.kind is FileKind.SIGNATURE and visited - {_OWN_CACHE}:
            self._leaders_doubted_until = self._clock.seconds() + LEADERS_DOUBTED
        size = None if expected is None else expected.size
        shared = request.repo not in self._private() and is_shared(request.name)
        small = is_small(request, size)
        checked = checks(self._policy.hits, digest=_has_digest(expected), spool=self._policy.has_spool(), small=small)
        return Wanted(request, size, client, expected, visited, checked, offset, head_only, mirrors_failed, shared=shared)

    async def _elsewhere(self, wanted: Wanted, search: Search, doubted: Sequence[Candidate]) -> Answer | None:
        """
        Returns the answer of anyone but the local caches; None where nobody has one.

        Args:
            doubted: Candidates of the local caches that come last.
        """
        if wanted.size is None and wanted.shared and wanted.request.kind is FileKind.PACKAGE and self._policy.has_peers():
            wanted = await self._sized(wanted, search.deadline)
        circumstances = self._circumstances(wanted)
        search.accepts = lambda offer: decide(offer, circumstances).delivery is not Delivery.NEXT
        search.hand_over = partial(self._opened, wanted, circumstances)
        return await self._resolver.find(chain(in_order(self._others, wanted), doubted), search)

    async def _sized(self, wanted: Wanted, deadline: float) -> Wanted:
        """Returns what is wanted with the size that a mirror states: a peer may have anything under a name that no catalogue knows."""
        deadline = min(deadline, self._clock.seconds() + STATED_SIZE_TIMEOUT)
        return replace(wanted, size=await self._mirrors.stated_size(wanted.request, deadline))

    def _circumstances(self, wanted: Wanted) -> Circumstances:
        policy, request = self._policy, wanted.request
        peers = policy.misses is not Misses.AUTO or policy.has_peers()
        digest, small, returned = _has_digest(wanted.expected), is_small(request, wanted.size), bool(wanted.visited)
        spool = (wanted.checked and not small) or policy.has_spool()  # without a spool nothing large is checked
        far_ahead = bool(wanted.offset) and not small and self._streaming.is_far_ahead(request, wanted.offset)
        facts = (peers, spool, digest, small, returned, wanted.head_only, far_ahead, wanted.shared)
        return Circumstances(policy.misses, policy.hits, request.kind, *facts)

    async def _local_answer(self, wanted: Wanted, location: Location) -> Answer:
        if not isinstance(location, LocalFile):
            raise FetchError("no local file")
        if location.holder is Holder.CACHE:
            self._doubt(wanted, _OWN_CACHE)
        return FileAnswer(location.held, location.origin)

    async def _opened(self, wanted: Wanted, circumstances: Circumstances, location: Location) -> Answer:
        """
        Makes an answer of a location, with the file opened that it is sent from.

        Raises:
            FetchError: It can't be handed over, or no more files can be opened: the next candidate is tried.
        """
        answer = await self._hand_over(wanted, circumstances, location)
        if not isinstance(answer, StreamAnswer) or wanted.head_only:
            return answer
        try:
            return answer.opened()
        except OSError as error:
            raise FetchError(f"{answer.origin}: it can't be opened: {plain_reason(error)}") from error

    async def _hand_over(self, wanted: Wanted, circumstances: Circumstances, location: Location) -> Answer:  # noqa: PLR0911 - a case for each delivery
        """
        Makes an answer of a location.

        Raises:
            FetchError: It can't be handed over: the next candidate is tried.
        """
        decision = decide(location.offer, circumstances)
        if isinstance(location, LocalFile):
            return FileAnswer(location.held, location.origin)
        small = circumstances.small or location.offer.small
        if small and decision.delivery in _WHOLE and not (wanted.head_only and isinstance(location, RemoteFile)):
            return await self._whole(wanted, location, decision.delivery)
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

    async def _whole(self, wanted: Wanted, location: Location, delivery: Delivery) -> Answer:
        """
        Makes an answer of a small file, all of which is here before the client gets a byte of it.

        Raises:
            FetchError: It could not be had.
        """
        request = wanted.request
        if delivery in (Delivery.DOWNLOAD, Delivery.JOIN):
            alone = bool(wanted.visited) or self._leaders_doubted_until > self._clock.seconds()
            whole = await self._in_time(self._streaming.download_whole(request, alone=alone and request.kind is FileKind.SIGNATURE))
        elif isinstance(location, RemoteFile):
            origin = "relayed" if delivery is Delivery.RELAY else "sent through"
            whole = await self._streaming.fetch_whole(request, location.upstream, origin)
        else:
            whole = await self._in_time(self._streaming.fetch_whole(request, None, "sent through"))
        if not whole.authoritative and request.kind is FileKind.SIGNATURE:
            for share in whole.answer.file.shares:
                if share.kind == "peer":
                    self._doubt(wanted, share.name)
        return whole.answer

    async def _in_time(self, downloading: Coroutine[Any, Any, Whole]) -> Whole:
        """
        Waits for a small file, but not so long that nobody else could be asked for it.

        Raises:
            FetchError: It did not come in time.  The download goes on; should a leader have held it up, none is followed for a while.
        """
        whole = Deferred.fromCoroutine(downloading)
        whole.addTimeout(WHOLE_TIMEOUT, self._clock)
        try:
            return await whole
        except DeferredTimeoutError:
            now = self._clock.seconds()
            self._leaders_doubted_until = max(self._leaders_doubted_until, now + SLOW_LEADERS_DOUBTED)
            raise FetchError(f"it did not come within {WHOLE_TIMEOUT:.0f} s") from None

    def _doubt(self, wanted: Wanted, giver: str) -> None:
        """Remembers who gave what was not checked here: should pacman come back for it, it is checked, or comes from the mirrors."""
        if not wanted.head_only:
            self._history.sent(wanted.client, wanted.request.name, giver, self._clock.seconds())


def _has_digest(expected: ExpectedFile | None) -> bool:
    return expected is not None and expected.sha256 is not None


def _anything(_: Offer) -> bool:
    return True


def _refusal(request: FileRequest, search: Search, *, local_only: bool) -> RequestError:
    if local_only:
        return RequestError(404, f"{request} is not in a local cache, and a question from another pacserve goes no further")
    asked = _one_line("; ".join(search.tried))
    if search.failed & {Rank.FOLDERS, Rank.FOLDERS_LAST}:  # pacman may be able to read what this daemon can't
        return RequestError(504, f"{request}: a folder of this host can't be read. Tried: {asked}", asked, silent=True)
    if search.undecided:
        return RequestError(504, f"{request}: no mirror could say that it has it. Tried: {asked}", asked)
    if not search.tried:
        return RequestError(
            404, f"{request} is not in a local cache, and repository {request.repo} has no other http, https or file Server in pacman.conf"
        )
    return RequestError(404, f"{request} is nowhere. Tried: local caches; {asked}", asked)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LIMIT else line[: _MESSAGE_LIMIT - 4] + " ..."
