"""One download for each file, however many ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.errors import FetchError
from pacserve.http.validators import parse_date
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.claiming import Claiming
from pacserve.transfer.download import Download
from pacserve.transfer.growing import Progress
from pacserve.transfer.leading import Leading
from pacserve.transfer.limits import Limits
from pacserve.transfer.spool import Spool

# Downloads at the same time; pacman asks for five, and a LAN of many for some more.
FLIGHTS_LIMIT = 64
# Seconds for which an ended download may still be opened: its end and the beginning of an answer may be one moment.
LINGER = 10.0

Key = tuple[str, str, str]
Look = Callable[[], ExpectedFile | None]


class Flights:
    """
    Shares the downloads that run.

    Nobody owns one: whoever asked first may leave, and the file is fetched to its end, since the LAN wants it.

    Args:
        claiming: Knows whether another host of the LAN downloads the file already.
        published: Called with the name of each file that has become complete.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Spool,
        clock: IReactorTime,
        limits: Limits,
        claiming: Claiming,
        published: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._limits = limits
        self._published = published
        self._claiming = claiming
        self._lingering: dict[Download, IDelayedCall] = {}
        self._running: dict[Key, tuple[Download, Deferred[None]]] = {}

    def get(self, key: Key) -> Download | None:
        """Returns the download that runs for a file."""
        flight = self._running.get(key)
        return None if flight is None else flight[0]

    def running(self) -> Sequence[tuple[Key, Download]]:
        """Returns the downloads that run, with repository, architecture and name of each."""
        return [(key, download) for key, (download, _) in self._running.items()]

    def join(self, request: FileRequest, look: Look, upstreams: Sequence[Upstream], *, claimed: bool = True) -> Download:
        """
        Returns the download of a file: the one that runs, or a new one.

        Args:
            look: Gives what the sync database states of the file.
            claimed: True if the LAN is asked who else downloads the file.

        Raises:
            FetchError: Too many run already, or the spool can't be written.
        """
        key = (request.repo, request.arch, request.name)
        known = self.get(key)
        if known is not None and known.file.progress is not Progress.FAILED:
            if _other(known.expected, look()):
                raise FetchError("another file of that name is downloaded")
            return known
        if len(self._running) >= FLIGHTS_LIMIT:
            raise FetchError("too many downloads run already")
        expected = look()
        if not self._spool.has_room(0 if expected is None else expected.size):
            raise FetchError("the spool's disk is full")
        try:
            download = Download(request.name, expected, upstreams, self._spool.create, self._clock, self._limits, look, self._spool.has_room)
        except OSError as error:
            raise FetchError(f"the spool can't be written: {error.strerror}") from error
        running = Deferred.fromCoroutine(self._run(request, download, claimed=claimed))
        if not running.called:
            self._running[key] = download, running
            running.addBoth(lambda _: self._ended(key, download))
        return download

    def stop(self) -> None:
        """Ends all downloads."""
        for _, running in list(self._running.values()):
            running.cancel()
        for download, timer in list(self._lingering.items()):
            timer.cancel()
            self._close(download)

    async def _run(self, request: FileRequest, download: Download, *, claimed: bool) -> None:
        leading = Leading(self._claiming, request, download.expected, self._clock)
        kept = False
        try:
            await (download.run(leading.leader) if claimed else download.run())
            kept = self._keep(download)
        except FetchError as error:
            self._log.debug("{name} could not be downloaded: {error}", name=download.name, error=error)
        except OSError as error:
            self._log.warn("{name} could not be kept: {error}", name=download.name, error=error.strerror)
        except CancelledError:
            self._log.debug("{name} is not downloaded any more", name=download.name)
        except Exception:
            self._log.failure("downloading {name}", name=download.name)
        finally:
            download.file.end(Progress.FAILED)
            leading.end(kept=kept)
            for file in download.files:
                if not (file is download.file and file.progress is Progress.COMPLETE):
                    self._spool.discard(file.file)
            self._linger(download)

    def _ended(self, key: Key, download: Download) -> None:
        """A download has ended; another one may have taken its place already."""
        if self.get(key) is download:
            del self._running[key]

    def _linger(self, download: Download) -> None:
        """Keeps the files open for whoever is just about to read them."""
        timer = self._clock.callLater(LINGER, self._close, download)
        self._lingering[download] = timer

    def _close(self, download: Download) -> None:
        del self._lingering[download]
        for file in download.files:
            file.close()

    def _keep(self, download: Download) -> bool:
        """A file that no database knows is not kept: nobody could tell whether it is the right one."""
        if download.expected is None or download.expected.sha256 is None:
            self._spool.discard(download.file.file)
            return False
        modified = None if download.version is None else parse_date(download.version.modified)
        self._spool.publish(download.file.file, download.name, modified)
        self._published(download.name)
        return True


def _other(running: ExpectedFile | None, wanted: ExpectedFile | None) -> bool:
    """Returns whether the database states another file than when the download began."""
    return running is not None and wanted is not None and running != wanted
