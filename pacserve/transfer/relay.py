"""What a peer has is fetched here, checked, and handed to pacman, so that no peer can break a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.packages.catalogue import Catalogue
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.reading import DownloadedFile
from pacserve.web.answers import Answer, RedirectAnswer, StreamAnswer

# Seconds for which a peer comes last that began to give a file and did not end, or said that it has one and did not give it.
AVOIDED = 60.0
_AVOIDED_LIMIT = 1024
# Seconds without an answer after which that is so, though others were asked by then: a peer is near, and has just confirmed that it has the file.
MUTE = 1.0


class RelaySource(PackageSource):
    """
    Takes the place of the peers: where they would have pacman sent to a peer, the file is fetched from there.

    What no database knows can't be checked, and comes from elsewhere.  A peer that fails to give what it said to have is left alone for a while.

    Args:
        distrust: Called with the holder of a wrong file.
    """

    def __init__(  # noqa: PLR0917
        self,
        peers: PackageSource,
        downloads: Downloads,
        upstreams: Upstreams,
        databases: Catalogue,
        client: StreamingClient,
        clock: IReactorTime,
        distrust: Callable[[str], object],
    ) -> None:
        self._peers = peers
        self._downloads = downloads
        self._upstreams = upstreams
        self._databases = databases
        self._client = client
        self._clock = clock
        self._distrust = distrust
        self._avoided: dict[str, float] = {}

    @property
    def best(self) -> Rank:
        return self._peers.best

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        expected = self._databases.expected(wanted.request.repo, wanted.request.name)
        if expected is None or expected.sha256 is None:
            return ()
        now = self._clock.seconds()
        avoided = {holder for holder, until in self._avoided.items() if now < until}
        others = replace(wanted, avoid=wanted.avoid | avoided)
        return [_Relayed(self, wanted, candidate) for candidate in self._peers.candidates(others)]

    def relay(self, wanted: Wanted, redirect: RedirectAnswer) -> StreamAnswer:
        """
        Returns the file that a peer has, from there or from a mirror.

        Raises:
            FetchError: It can't be fetched here.
        """
        request = wanted.request
        holder = _Holder(redirect, self._client, self._clock, self._avoid, self._distrust)
        look = partial(self._databases.expected, request.repo, request.name)
        download = self._downloads.join(request, look, [holder, *self._upstreams.upstreams(request)], claimed=False)
        return StreamAnswer(DownloadedFile(download, self._clock), "relayed")

    def _avoid(self, holder: str) -> None:
        """A peer is asked for nothing for a while."""
        self._avoided.pop(holder, None)
        self._avoided[holder] = self._clock.seconds() + AVOIDED
        if len(self._avoided) > _AVOIDED_LIMIT:
            del self._avoided[next(iter(self._avoided))]


@dataclass(frozen=True, slots=True)
class _Relayed(Candidate):
    source: RelaySource
    wanted: Wanted
    peer: Candidate

    @property
    def rank(self) -> Rank:
        return self.peer.rank

    async def settle(self, deadline: float) -> Answer:
        answer = await self.peer.settle(deadline)
        if not isinstance(answer, RedirectAnswer):
            raise FetchError("no peer")
        return self.source.relay(self.wanted, answer)


class _Holder(Upstream):
    """A peer that said that it has the file."""

    trusted = False
    wan = False

    def __init__(
        self,
        redirect: RedirectAnswer,
        client: StreamingClient,
        clock: IReactorTime,
        avoid: Callable[[str], object],
        distrust: Callable[[str], object],
    ) -> None:
        self._redirect = redirect
        self._client = client
        self._clock = clock
        self._avoid = avoid
        self._distrust = distrust

    @property
    def label(self) -> str:
        return self._redirect.origin

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> BodyStream:
        began = self._clock.seconds()
        try:
            stream = await self._client.stream(self._redirect.url, timeout=timeout, headers=headers)
        except FetchError:
            self.failed()
            raise
        except CancelledError:  # another one was faster
            if self._clock.seconds() - began >= MUTE:
                self.failed()
            raise
        if stream.encoded:
            stream.drop()
            self.failed()
            raise FetchError("it gives some encoding of the file")
        if stream.answer.status not in (200, 206):
            self.failed()
        return stream

    def succeeded(self) -> None:
        """It did what it said."""

    def failed(self) -> None:
        self._avoid(self._redirect.holder)

    def lied(self) -> None:
        self._distrust(self._redirect.holder)
