"""Files that are passed on: downloads for the LAN, files of peers that are checked, files of mirrors with a password, and small files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.packages.names import signed_file
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.download import Download
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.reading import DownloadedFile
from pacserve.web.answers import StreamAnswer

# Bytes that a client may be ahead of a download, and seconds where it is known how fast a mirror is: the client waits for them, and pacman gives up
# after 10.
AHEAD_LIMIT = 1 << 20
AHEAD_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Running:
    """
    The downloads that run, by what becomes of the files.

    Attributes:
        kept: Those into the spool.
        passing: Those of files that are not kept.
        small: Those of files that are held in memory, and are not kept either.
    """

    kept: Downloads
    passing: Downloads
    small: Downloads


@dataclass(frozen=True, slots=True)
class Whole:
    """
    A small file, all of which is here.

    Attributes:
        authoritative: True if it came from a mirror.
    """

    answer: StreamAnswer
    authoritative: bool


class Streaming:
    """Has files downloaded, and answers with them: with large ones while they arrive, with small ones when they are whole."""

    def __init__(self, running: Running, upstreams: Upstreams, catalogue: Catalogue, clock: IReactorTime) -> None:
        self._running = running
        self._upstreams = upstreams
        self._catalogue = catalogue
        self._clock = clock

    def is_far_ahead(self, request: FileRequest, offset: int) -> bool:
        """Returns whether a client would have to wait for long for the first byte that it wants, should the file be downloaded."""
        missing = offset - self._running.kept.beginning(request, self._look(request))
        if missing <= AHEAD_LIMIT:
            return False
        rates = [upstream.rate for upstream in self._upstreams.upstreams(request)]
        return missing > AHEAD_SECONDS * max((rate for rate in rates if rate is not None), default=0.0)

    async def download(self, request: FileRequest, upstreams: Sequence[Upstream]) -> StreamAnswer:
        """
        Downloads a file for the whole LAN.

        Raises:
            FetchError: Nothing came.
        """
        expected = self._look(request)
        download = await self._begun(self._running.kept, request, upstreams, expected)
        checked = request.kind is not FileKind.PACKAGE or (download.expected is not None and download.expected.sha256 is not None)
        return StreamAnswer(DownloadedFile(download, self._clock), "downloaded" if checked else "downloaded, unverified")

    async def relay(self, request: FileRequest, peer: Upstream) -> StreamAnswer:
        """
        Fetches a file that a peer has from there, or from a mirror where the peer does not give it, and checks it.

        Raises:
            FetchError: Nothing came.
        """
        download = await self._begun(self._running.kept, request, self._beginning_with(peer, request))
        return StreamAnswer(DownloadedFile(download, self._clock), "relayed")

    async def send_through(self, request: FileRequest, mirror: Upstream) -> StreamAnswer:
        """
        Fetches a file from a mirror, or from the next one where that does not give it, and keeps nothing.

        Raises:
            FetchError: Nothing came.
        """
        download = await self._begun(self._running.passing, request, self._beginning_with(mirror, request))
        return StreamAnswer(DownloadedFile(download, self._clock), "sent through")

    async def download_whole(self, request: FileRequest, *, alone: bool) -> Whole:
        """
        Downloads a small file for the whole LAN, and waits until it is here.

        Args:
            alone: True if no other host of the LAN is asked whether it has downloaded the file, since what that gave was of no use.

        Raises:
            FetchError: It did not come.
        """
        claimed = None if alone else self._claimed(request)
        try:
            download = self._running.kept.join(request, partial(self._look, request), self._upstreams.upstreams(request), claimed)
        except FetchError:  # the spool is full, say; memory is not
            return await self.fetch_whole(request, None, "sent through")
        return await self._whole(download, "downloaded")

    async def fetch_whole(self, request: FileRequest, first: Upstream | None, origin: str) -> Whole:
        """
        Fetches a small file, keeps nothing, and waits until it is here.

        Args:
            first: Where it is fetched from; what this does not give comes from the mirrors, but for databases and their signatures, which must
                be of one mirror.  None for the mirrors.
            origin: How it arrives, for the access log.

        Raises:
            FetchError: It did not come.
        """
        if first is None:
            upstreams = self._upstreams.upstreams(request)
        else:
            upstreams = [first] if request.kind is FileKind.DATABASE else self._beginning_with(first, request)
        return await self._whole(self._running.small.join(request, partial(self._look, request), upstreams), origin)

    def _beginning_with(self, first: Upstream, request: FileRequest) -> Sequence[Upstream]:
        """Returns a source, and behind it the other mirrors."""
        return [first, *(mirror for mirror in self._upstreams.upstreams(request) if mirror.label != first.label)]

    def _look(self, request: FileRequest) -> ExpectedFile | None:
        return self._catalogue.expected(request.repo, request.name)

    def _claimed(self, request: FileRequest) -> ExpectedFile | None:
        """Returns what the LAN knows a file by: a signature by the package that it signs."""
        name = signed_file(request.name) if request.kind is FileKind.SIGNATURE else request.name
        return self._catalogue.expected(request.repo, name)

    async def _whole(self, download: Download, origin: str) -> Whole:
        if not await download.ended():
            raise FetchError("it could not be downloaded")
        return Whole(StreamAnswer(DownloadedFile(download, self._clock), origin), download.authoritative)

    async def _begun(
        self, downloads: Downloads, request: FileRequest, upstreams: Sequence[Upstream], claimed: ExpectedFile | None = None
    ) -> Download:
        download = downloads.join(request, partial(self._look, request), upstreams, claimed)
        if not await download.begun():
            raise FetchError("it could not be downloaded")
        return download
