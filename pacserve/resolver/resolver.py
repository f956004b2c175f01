"""From a request to an answer: candidates are asked for, ranked, and made good one after the other until one holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, RequestError
from pacserve.network.addresses import IPAddress, LocalAddresses
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest
from pacserve.resolver.history import History
from pacserve.resolver.policy import in_order
from pacserve.resolver.resolving import FileResolver
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.web.answers import Answer, RedirectAnswer

# Seconds.  pacman gives up after 10 and counts that against this daemon; the rest is for a busy machine.
ANSWER_DEADLINE = 7.5
# Characters of an error's one line.
_MESSAGE_LIMIT = 1000
_THIS_HOST = IPv4Address("127.0.0.1")


class Resolver(FileResolver):
    """
    Asks the sources in the order of `in_order`.

    Args:
        caches: The local caches: the only source for a question that came from another pacserve.
        others: Peers, mirrors and whatever else there is.
        noted: Told of each error of a candidate.
    """

    def __init__(  # noqa: PLR0917
        self,
        caches: PackageSource,
        others: Sequence[PackageSource],
        databases: Catalogue,
        local: LocalAddresses,
        clock: IReactorTime,
        noted: Callable[[FetchError], object] = lambda _: None,
    ) -> None:
        self._caches = caches
        self._everywhere = (caches, *others)
        self._databases = databases
        self._local = local
        self._clock = clock
        self._noted = noted
        self._history = History()

    async def resolve(self, request: FileRequest, client: IPAddress, *, local_only: bool = False, looking: bool = False, offset: int = 0) -> Answer:
        now = self._clock.seconds()
        deadline = now + ANSWER_DEADLINE
        size = None
        if request.kind is FileKind.PACKAGE:
            await self._databases.refresh(request.repo)
            size = self._databases.size(request.repo, request.name)
        if self._local.owns(client):
            client = _THIS_HOST  # pacman may come back by another of this host's addresses
        wanted = Wanted(request, size, client, self._history.holders(client, request.name, now), offset, looking)
        tried: list[str] = []
        absent: set[Rank] = set()
        failed: set[Rank] = set()
        for candidate in in_order((self._caches,) if local_only else self._everywhere, wanted):
            try:
                answer = await self._settled(candidate, deadline)
            except AbsentError as error:
                self._noted(error)
                tried.append(str(error))
                absent.add(candidate.rank)
            except FetchError as error:
                self._noted(error)
                tried.append(str(error))
                failed.add(candidate.rank)
            else:
                if isinstance(answer, RedirectAnswer) and answer.holder and not looking:
                    self._history.sent(client, request.name, answer.holder, self._clock.seconds())
                return answer
        # What the mirrors say decides; without mirrors, what the others say.
        unsure = Rank.MIRRORS in failed or (bool(failed) and Rank.MIRRORS not in absent)
        raise _refusal(request, tried, unsure, local_only)

    async def _settled(self, candidate: Candidate, deadline: float) -> Answer:
        """
        Lets a candidate answer, but no longer than there is time.

        Raises:
            FetchError: As the candidate does, and when the time is up.
        """
        remaining = deadline - self._clock.seconds()
        if remaining <= 0:
            raise FetchError("no time left")
        settling = candidate.settle(deadline)
        try:
            settling.send(None)  # what is answered from memory needs no Deferred and no timer, which would cost more than the answer
        except StopIteration as end:
            settled: Answer = end.value
            return settled
        answered = Deferred.fromCoroutine(settling)  # a Deferred that it waits for is yielded again as long as it has no result
        answered.addTimeout(remaining, self._clock)
        try:
            return await answered
        except DeferredTimeoutError:  # a CancelledError means that the client has gone, and the whole resolution with it
            raise FetchError("no answer in time") from None


def _refusal(request: FileRequest, tried: Sequence[str], unsure: bool, local_only: bool) -> RequestError:
    if local_only:
        return RequestError(404, f"{request} is not in a local cache, and a question from another pacserve goes no further")
    asked = _one_line("; ".join(tried))
    if unsure:
        return RequestError(504, f"{request}: no mirror could say that it has it. Tried: {asked}", asked)
    if not tried:
        return RequestError(404, f"{request} is not in a local cache, and repository {request.repo} has no other http or https Server in pacman.conf")
    return RequestError(404, f"{request} is nowhere. Tried: local caches; {asked}", asked)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 4] + " ..."
