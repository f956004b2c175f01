"""Files that no host of the LAN has: those that are being downloaded here, and those that a download would bring."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest
from pacserve.packages.names import signed_file
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, Location, Offer, RunningDownload, UnaskedMirrors
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.downloads import Downloads, RunningDownloads
from pacserve.transfer.growing import Progress
from pacserve.transfer.reading import DownloadedFile
from pacserve.web.bodies.arriving import ArrivingFile

_RUNNING, _UNASKED = Offer(Holder.RUNNING), Offer(Holder.UNASKED)
_NOT_SHARED = "the LAN is not told of this file, so that nothing is downloaded for it"
_NO_MIRROR = "there is no mirror to download it from"


class DownloadSource(PackageSource, RunningDownloads):
    """
    Offers packages and their signatures: those that are being downloaded, and those that could be.

    Args:
        running: The place of those that are being downloaded.
    """

    def __init__(self, downloads: Downloads, upstreams: Upstreams, catalogue: Catalogue, clock: IReactorTime, running: Rank = Rank.DOWNLOAD) -> None:
        self._downloads = downloads
        self._upstreams = upstreams
        self._catalogue = catalogue
        self._clock = clock
        self._rank = running

    @property
    def best(self) -> Rank:
        return min(self._rank, Rank.DOWNLOAD)

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        request = wanted.request
        if request.kind is FileKind.DATABASE or not wanted.shared:
            return ()
        if self._runs(request):
            return (Candidate(self._rank, _RUNNING, partial(self._join, request)),)
        return (Candidate(Rank.DOWNLOAD, _UNASKED, partial(self._mirrors, request)),)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is FileKind.DATABASE:
            return ()
        if not wanted.shared:
            return (Considered("download", Rank.DOWNLOAD, _NOT_SHARED, None),)
        if self._runs(wanted.request):
            return (Considered("download", self._rank, "it arrives", _RUNNING),)
        upstreams = self._upstreams.upstreams(wanted.request)
        if not upstreams:
            return (Considered("download", Rank.DOWNLOAD, _NO_MIRROR, None),)
        mirrors = self._downloads.terms.lines.taken_from(wanted.expected, upstreams, self._clock.seconds())
        return (Considered("download", Rank.DOWNLOAD, "", _UNASKED, _at_once(mirrors)),)

    async def running(self, request: FileRequest) -> ArrivingFile | None:
        download = self._downloads.get((request.repo, request.arch, request.name))
        if download is None or not await download.identified():
            return None
        signed = self._catalogue.expected(request.repo, signed_file(request.name)) if request.kind is FileKind.SIGNATURE else None
        return DownloadedFile(download, self._clock, signed)

    def _runs(self, request: FileRequest) -> bool:
        download = self._downloads.get((request.repo, request.arch, request.name))
        return download is not None and download.file.progress is not Progress.FAILED

    async def _join(self, request: FileRequest, deadline: float) -> Location:
        download = self._downloads.get((request.repo, request.arch, request.name))
        if download is None or not await download.begun():
            raise FetchError("it could not be downloaded")
        expected = self._catalogue.expected(request.repo, request.name)
        if None not in (download.expected, expected) and download.expected != expected:
            raise FetchError("another file of that name is downloaded")
        return RunningDownload(DownloadedFile(download, self._clock), "downloaded")

    async def _mirrors(self, request: FileRequest, deadline: float) -> Location:
        upstreams = self._upstreams.upstreams(request)
        if not upstreams:
            raise AbsentError(_NO_MIRROR)
        return UnaskedMirrors(upstreams)


def _at_once(mirrors: Sequence[Upstream]) -> str:
    """Returns in words that a file comes from several mirrors; nothing where it comes from one at a time."""
    if not mirrors:
        return ""
    return f"from up to {len(mirrors)} mirrors at once: {', '.join([mirror.label.removeprefix('mirror ') for mirror in mirrors])}"
