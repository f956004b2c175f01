"""Files that are passed on while they arrive: downloads for the LAN, files of peers that are checked, files of mirrors with a password."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.download import Download
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.reading import DownloadedFile
from pacserve.web.answers import StreamAnswer

# Bytes that a client may be ahead of a download, and seconds where it is known how fast a mirror is: the client waits for them, and pacman gives up
# after 10.
AHEAD_LIMIT = 1 << 20
AHEAD_SECONDS = 3.0


class Streaming:
    """
    Has files downloaded, and answers with them while they arrive.

    Args:
        downloads: Those into the spool.
        passing: Those of files that are not kept.
    """

    def __init__(self, downloads: Downloads, passing: Downloads, upstreams: Upstreams, catalogue: Catalogue, clock: IReactorTime) -> None:
        self._downloads = downloads
        self._passing = passing
        self._upstreams = upstreams
        self._catalogue = catalogue
        self._clock = clock

    def is_far_ahead(self, request: FileRequest, offset: int) -> bool:
        """Returns whether a client would have to wait for long for the first byte that it wants, should the file be downloaded."""
        running = self._downloads.get((request.repo, request.arch, request.name))
        missing = offset - (0 if running is None else running.file.written)
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
        download = await self._begun(self._downloads, request, upstreams, claimed=True)
        checked = request.kind is not FileKind.PACKAGE or (download.expected is not None and download.expected.sha256 is not None)
        return StreamAnswer(DownloadedFile(download, self._clock), "downloaded" if checked else "downloaded, unverified")

    async def relay(self, request: FileRequest, peer: Upstream) -> StreamAnswer:
        """
        Fetches a file that a peer has from there, or from a mirror where the peer does not give it, and checks it.

        Raises:
            FetchError: Nothing came.
        """
        download = await self._begun(self._downloads, request, [peer, *self._upstreams.upstreams(request)], claimed=False)
        return StreamAnswer(DownloadedFile(download, self._clock), "relayed")

    async def send_through(self, request: FileRequest, mirror: Upstream) -> StreamAnswer:
        """
        Fetches a file from a mirror, or from the next one where that does not give it, and keeps nothing.

        Raises:
            FetchError: Nothing came.
        """
        others = [other for other in self._upstreams.upstreams(request) if other.label != mirror.label]
        download = await self._begun(self._passing, request, [mirror, *others], claimed=False)
        return StreamAnswer(DownloadedFile(download, self._clock), "sent through")

    async def _begun(self, downloads: Downloads, request: FileRequest, upstreams: Sequence[Upstream], *, claimed: bool) -> Download:
        look = partial(self._catalogue.expected, request.repo, request.name)
        download = downloads.join(request, look, upstreams, claimed=claimed)
        if not await download.begun():
            raise FetchError("it could not be downloaded")
        return download
