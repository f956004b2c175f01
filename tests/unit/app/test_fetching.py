"""Tests for `pacserve.app.fetching`."""

import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.fetching import SPOOL_RETRY, Fetching, Surroundings
from pacserve.config.settings import Settings
from pacserve.delivery.table import Hits, Misses
from pacserve.errors import ConfigurationError
from pacserve.fetch.rate import UNLIMITED
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer import partial
from pacserve.transfer.leader_search import Claim, Claiming
from pacserve.transfer.spool import UNUSED_TIME
from pacserve.transfer.trimming import TRIM_INTERVAL
from tests.fakes.interfaces import Databases

ZLIB, XZ = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst"


class Slow(Databases):
    """Databases that state one file, and are read when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reading: Deferred[bool] = Deferred()
        self.read = False

    async def read_all(self) -> bool:
        self.read = await self.reading
        return self.read

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        return [ExpectedFile(4, hashlib.sha256(b"good").digest())] if self.read and name == ZLIB else ()


class Nobody(Claiming, Upstreams):
    """A LAN and a WAN without anybody."""

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        raise NotImplementedError

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return ()


class FetchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.spool = Path(folder.name) / "spool"
        self.databases = Slow()
        self.cache_dirs: tuple[str, ...] = ()
        self.clock = Clock()
        self.now = 1_800_000_000.0
        self.logged: list[LogEvent] = []
        observer: Any = self.note
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def note(self, event: LogEvent) -> None:
        """Notes what the downloads log."""
        if event["log_namespace"] == Fetching.__module__ + ".Fetching":
            self.logged.append(event)

    def started(self, size: int = 1000, misses: Misses = Misses.FETCH, hits: Hits = Hits.AUTO) -> Fetching:
        """A daemon's downloads, which have begun."""
        fetching = self.fetching(Settings(spool=str(self.spool), spool_size=size, misses=misses, hits=hits))
        fetching.start()
        self.addCleanup(fetching.stop)
        return fetching

    def fetching(self, settings: Settings) -> Fetching:
        """A daemon's downloads."""

        async def in_thread(work: Callable[[], Any]) -> Any:
            return work()

        around = Surroundings(Nobody(), self.databases, Nobody(), UNLIMITED, lambda: self.cache_dirs, in_thread, self.clock, lambda: self.now)
        return Fetching(settings, around)

    def files(self) -> set[str]:
        """The complete files."""
        return {path.name for path in (self.spool / "pkg").iterdir()}

    def crashed(self) -> Fetching:
        """Starts again after a crash that left two files."""
        self.started().stop()
        for name in (ZLIB, XZ):
            (self.spool / "pkg" / name).write_bytes(b"good")
        (self.spool / ".clean").unlink()
        return self.started()

    def test_mirrors_at_once(self) -> None:
        """A file is taken from as many mirrors at once as the user says, one that is kept as well as one that is sent through."""
        fetching = self.fetching(Settings(spool=str(self.spool), mirrors_at_once=7))
        self.assertEqual([downloads.terms.lines.at_once for downloads in (fetching.downloads, fetching.passing)], [7, 7])

    def test_slow_databases(self) -> None:
        """After a crash nothing is removed before all databases were read, however long that takes, and then what none of them states."""
        verifying = Deferred.fromCoroutine(self.crashed().verify())
        self.assertNoResult(verifying)
        self.assertEqual((self.files(), len(list(self.spool.glob(".unverified-*")))), (set(), 2))
        self.databases.reading.callback(True)
        self.successResultOf(verifying)
        self.assertEqual((self.files(), list(self.spool.glob(".unverified-*"))), ({ZLIB}, []))

    def test_unreadable_databases(self) -> None:
        """After a crash nothing is removed, nor offered, when a database can't be read."""
        verifying = Deferred.fromCoroutine(self.crashed().verify())
        self.databases.reading.callback(False)
        self.successResultOf(verifying)
        self.assertEqual((self.files(), len(list(self.spool.glob(".unverified-*")))), (set(), 2))

    def test_limit_at_start(self) -> None:
        """A lower limit applies when the daemon starts, and no database is waited for."""
        self.started().stop()
        for name in (ZLIB, XZ):
            (self.spool / "pkg" / name).write_bytes(b"good")
        self.successResultOf(Deferred.fromCoroutine(self.started(7).verify()))
        self.assertEqual(len(self.files()), 1)

    def test_stored_once(self) -> None:
        """What pacman has as well leaves the spool within two minutes of the last use, also one that is a CacheDir itself, and nothing else does."""
        pacman = self.spool.parent / "pacman"
        pacman.mkdir()
        self.cache_dirs = (str(pacman), f"{self.spool}/pkg")
        self.started()
        for name in (ZLIB, XZ):
            (self.spool / "pkg" / name).write_bytes(b"good")
        (pacman / ZLIB).write_bytes(b"good")
        self.now = (pacman / ZLIB).stat().st_ctime
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual(self.files(), {ZLIB, XZ})
        self.now += UNUSED_TIME + 1
        self.clock.advance(TRIM_INTERVAL)
        self.assertEqual((self.files(), (pacman / ZLIB).exists()), ({XZ}, True))

    def test_stopped(self) -> None:
        """A daemon that has stopped looks at the spool no more."""
        self.started().stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_folder_of_pacman(self) -> None:
        """The first CacheDir is no spool, for pacman fills it; a second one may be."""
        self.cache_dirs = (f"{self.spool}/pkg/", "/nowhere")
        self.assertRaises(ConfigurationError, self.started)
        self.cache_dirs = ("/nowhere", f"{self.spool}/pkg/")
        self.started()

    def test_spool_that_cannot_be_used(self) -> None:
        """By default a spool that can't be used is one warning, and pacman is redirected; it is taken up when it can be used."""
        self.spool.write_text("a file in its place")
        fetching = self.started(misses=Misses.AUTO)
        self.assertFalse(fetching.usable())
        self.assertEqual((fetching.folders, self.clock.getDelayedCalls()), ((), []))
        self.spool.unlink()
        self.assertFalse(fetching.usable())
        self.clock.advance(SPOOL_RETRY)
        self.assertTrue(fetching.usable())
        self.assertEqual(fetching.folders, (f"{self.spool}/pkg",))
        self.assertEqual([event["log_level"].name for event in self.logged], ["warn", "info"])

    def test_spool_that_breaks(self) -> None:
        """A spool that breaks later is one warning, whatever the options say; it is tried once a minute, and one line tells that it works again."""
        fetching = self.started()
        away = self.spool.rename(self.spool.parent / "away")
        self.spool.write_text("a file in its place")
        for _ in range(3):
            self.assertRaises(OSError, fetching.spool.has_room, 1)
            self.assertFalse(fetching.usable())
        self.clock.advance(SPOOL_RETRY)
        self.assertFalse(fetching.usable())
        self.spool.unlink()
        away.rename(self.spool)
        self.assertFalse(fetching.usable())
        self.clock.advance(SPOOL_RETRY)
        self.assertTrue(fetching.usable())
        self.assertEqual([event["log_level"].name for event in self.logged], ["warn", "info"])
        self.assertIn("let pacserve write there", self.logged[0]["error"])
        self.assertEqual(list(self.spool.glob(".partial-*")), [])

    def test_disk_that_breaks(self) -> None:
        """An error of the disk while bytes are written is one as well; the spool is used again when a byte could be written."""
        fetching = self.started()
        pwrite = os.pwrite

        def refuse(*_: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

        self.patch(os, "pwrite", refuse)
        for _ in range(3):
            fetching.spool.failed(OSError(errno.EIO, "Input/output error"))
            self.assertFalse(fetching.usable())
        self.clock.advance(SPOOL_RETRY)
        self.assertFalse(fetching.usable())
        self.patch(os, "pwrite", pwrite)
        self.clock.advance(SPOOL_RETRY)
        self.assertTrue(fetching.usable())
        self.assertEqual([event["log_level"].name for event in self.logged], ["warn", "info"])

    def test_full_disk(self) -> None:
        """A full disk leaves the spool usable, for that may pass with the next file that is removed."""
        fetching = self.started()

        def full(_: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(partial, "create", full)
        self.assertRaises(OSError, fetching.spool.create)
        self.assertEqual((fetching.usable(), self.logged), (True, []))

    def test_spool_that_is_demanded(self) -> None:
        """A daemon that is told to fetch or relay does not start without a spool."""
        self.spool.write_text("a file in its place")
        for misses, hits in ((Misses.FETCH, Hits.AUTO), (Misses.AUTO, Hits.RELAY)):
            self.assertRaises(ConfigurationError, self.started, misses=misses, hits=hits)

    def test_nothing_is_fetched(self) -> None:
        """A daemon that redirects whatever happens touches no spool."""
        fetching = self.started(misses=Misses.REDIRECT, hits=Hits.REDIRECT)
        self.assertEqual((fetching.wanted, fetching.usable(), self.spool.exists()), (False, False, False))
