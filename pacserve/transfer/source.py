"""What nobody on the LAN has is downloaded here once, and passed on while it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import FetchError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.sources.upstreams import Upstreams
from pacserve.transfer.download import Download
from pacserve.transfer.downloads import Downloads, RunningDownloads
from pacserve.transfer.reading import DownloadedFile
from pacserve.web.answers import Answer, StreamAnswer
from pacserve.web.bodies.arriving import ArrivingFile

# Bytes that a client may be ahead of a download, and seconds where it is known how fast a mirror is: it waits for them, and pacman gives up after 10.
AHEAD = 1 << 20
AHEAD_SECONDS = 3.0


class DownloadSource(PackageSource, RunningDownloads):
    """
    Downloads packages and their signatures.

    Who only wants to know of a file starts no download, and who wants the end of one that has not come that far is not let wait.
    """

    def __init__(self, downloads: Downloads, upstreams: Upstreams, databases: Catalogue, clock: IReactorTime) -> None:
        self.clock = clock
        self._downloads = downloads
        self._upstreams = upstreams
        self._databases = databases

    @property
    def best(self) -> Rank:
        return Rank.DOWNLOAD

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        request = wanted.request
        if request.kind is FileKind.DATABASE:
            return ()
        running = self._downloads.get((request.repo, request.arch, request.name))
        if (wanted.looking and running is None) or self._is_far_ahead(wanted, 0 if running is None else running.file.written):
            return ()
        return (_Download(self, wanted),)

    def _is_far_ahead(self, wanted: Wanted, arrived: int) -> bool:
        """Returns whether a client would have to wait for long for the first byte that it wants."""
        missing = wanted.offset - arrived
        if missing <= AHEAD:
            return False
        rates = [upstream.rate for upstream in self._upstreams.upstreams(wanted.request)]
        return missing > AHEAD_SECONDS * max((rate for rate in rates if rate is not None), default=0.0)

    async def running(self, request: FileRequest) -> ArrivingFile | None:
        download = self._downloads.get((request.repo, request.arch, request.name))
        return DownloadedFile(download, self.clock) if download is not None and await download.begun() else None

    def join(self, wanted: Wanted) -> Download:
        """
        Returns the download of a file.

        Raises:
            FetchError: There is no mirror, or it can't be started.
        """
        request = wanted.request
        upstreams = self._upstreams.upstreams(request)
        if not upstreams:
            raise FetchError("no mirror")
        return self._downloads.join(request, partial(self._databases.expected, request.repo, request.name), upstreams)


@dataclass(frozen=True, slots=True)
class _Download(Candidate):
    source: DownloadSource
    wanted: Wanted

    @property
    def rank(self) -> Rank:
        return Rank.DOWNLOAD

    async def settle(self, deadline: float) -> Answer:
        download = self.source.join(self.wanted)
        if not await download.begun():
            raise FetchError("it could not be downloaded")
        expected = download.expected
        checked = self.wanted.request.kind is not FileKind.PACKAGE or (expected is not None and expected.sha256 is not None)
        return StreamAnswer(DownloadedFile(download, self.source.clock), "downloaded" if checked else "downloaded, unverified")
