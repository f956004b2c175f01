"""Answers requests for files whose content is known: from this host, from peers, or downloaded once for the LAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content import ARCHITECTURE, REPOSITORY
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.passing_on import PassingOn
from pacserve.complaints import Complaints
from pacserve.delivery.delivering import FileDelivery
from pacserve.errors import RequestError
from pacserve.http.ranges import resumed_at
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.network.addresses import IPAddress
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.web.answers import Answer, FileAnswer, SizeAnswer, StreamAnswer, discard
from pacserve.web.front import Ask

_THIS_HOST = IPv4Address("127.0.0.1")
# Requests that are worked on before it is their turn, and those of other hosts among them: a part is this host's own.
EARLY_LIMIT = 48
EARLY_OF_OTHERS = 32
# Seconds for which a mirror that gave a wrong file twice is not asked for it: by then apt has tried it all its times.
LIAR_REST = 30.0


class ContentDelivery:
    """
    Hands out files whose content is known.

    Args:
        delivery: Finds and downloads them.
        passing: Passes them on where they can't be kept.
        is_far_ahead: Returns whether a client would wait for long for the byte that it wants first.
    """

    _log = Logger()

    def __init__(
        self,
        delivery: FileDelivery,
        catalogue: ContentCatalogue,
        mirrors: RepositoryUpstreams,
        passing: PassingOn,
        is_far_ahead: Callable[[FileRequest, int], bool],
        clock: IReactorTime,
    ) -> None:
        self._delivery = delivery
        self._catalogue = catalogue
        self._mirrors = mirrors
        self._passing = passing
        self._is_far_ahead = is_far_ahead
        self._clock = clock
        self._early: set[str] = set()
        self._complaints = Complaints(self._log)

    def request(self, file: KnownFile) -> FileRequest:
        """Returns how the other parts of pacserve know a file, of which they know the size from now on."""
        self._catalogue.state(file.stated)
        lies = self._mirrors.lies(file.urls)
        tired = lies is not None and lies.times > 1 and self._clock.seconds() - lies.latest < LIAR_REST
        return FileRequest(REPOSITORY, ARCHITECTURE, file.stated.name, FileKind.PACKAGE, () if tired else file.urls)

    async def deliver(self, file: KnownFile, ask: Ask) -> Answer:
        """
        Answers with a file.

        Raises:
            RequestError: 404 and the like where only the mirror could have it, and says that it has not; 503 where nobody can give it now.
        """
        if ask.method == "HEAD":
            return SizeAnswer("lists", file.stated.size)
        request = self.request(file)
        try:
            answer = await self._delivery.deliver(request, ask.client)
        except RequestError as error:
            answer = await self._last_resort(file, request, error)
        return self._whole_if_need_be(answer, file, request, ask)

    def begin(self, file: KnownFile, client: IPAddress, *, own: bool) -> None:
        """
        Begins to fetch a file that a client will get in its turn.

        Args:
            own: True if the client is on this host.
        """
        name = file.stated.name
        if name in self._early or len(self._early) >= (EARLY_LIMIT if own else EARLY_OF_OTHERS):
            return
        self._early.add(name)
        early = Deferred.fromCoroutine(self._begin(self.request(file), client))
        self._complaints.hear(early, "beginning to fetch a file").addCallback(lambda _: self._early.discard(name))

    async def hold(self, file: KnownFile) -> bool:
        """Fetches a file, so that this host has it by its name; returns whether it has, as it is stated."""
        try:
            answer = await self._delivery.deliver(self.request(file), _THIS_HOST)
        except RequestError:
            return False
        if not isinstance(answer, StreamAnswer):
            discard(answer)
            return isinstance(answer, FileAnswer)
        reader = answer.reader or answer.file.reader()
        try:
            held = await reader.more(file.stated.size - 1)  # the last byte can be read when all are known to be right
        finally:
            reader.close()
        # Readers are woken before the file has its name: it has in the next turn of the reactor.
        await deferLater(self._clock, 0)
        return held

    async def _begin(self, request: FileRequest, client: IPAddress) -> None:
        discard(await self._delivery.deliver(request, client))

    async def _last_resort(self, file: KnownFile, request: FileRequest, error: RequestError) -> Answer:
        """
        Passes a file on straight from the mirror, where this host could not download it: its disk may be full.

        Raises:
            RequestError: The mirror has refused it, or can't give it either.
        """
        refused = self._mirrors.refusal(file.urls)
        if refused is not None:
            raise RequestError(refused, f"{file.urls[-1]}: the mirror answers {refused}") from error
        if not request.where or self._mirrors.lies(file.urls) is not None:
            raise RequestError(503, f"{file.urls[-1]}: the mirror has another file than apt's lists state", error.origin) from error
        return await self._passing.pass_stated(file.urls, ExpectedFile(file.stated.size, file.stated.sha256))

    def _whole_if_need_be(self, answer: Answer, file: KnownFile, request: FileRequest, ask: Ask) -> Answer:
        """
        Returns an answer that a client which resumes a file is safe with.

        apt resumes by the date of the file, and would put the right end behind a wrong beginning.  And it would wait for a byte that will not be here
        for a long time.
        """
        field = ask.header("Range")
        if field is None or not isinstance(answer, (FileAnswer, StreamAnswer)):
            return answer
        far_ahead = isinstance(answer, StreamAnswer) and self._is_far_ahead(request, resumed_at(field))
        return replace(answer, ranges=False) if far_ahead or self._mirrors.is_spoilt(file.stated.name) else answer
