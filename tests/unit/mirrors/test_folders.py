"""Tests for `pacserve.mirrors.folders`."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import AbsentError, FetchError, RequestError
from pacserve.mirrors.folders import OPEN_TIMEOUT, FolderList, Folders, RepositoryFolders, open_in
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileRequest, HeldFile
from pacserve.packages.names import kind_of
from pacserve.sources.candidates import Considered, Rank, Wanted
from pacserve.sources.locations import LocalFile, Location

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
LATER = 1_700_000_000


class Listed(FolderList):
    """Knows one repository."""

    def __init__(self) -> None:
        self.found = Folders()

    def folders(self, repo: str, arch: str) -> Folders:
        return self.found if (repo, arch) == ("custom", "x86_64") else Folders()


class FoldersTests(SynchronousTestCase):
    """Two folders, opened by a thread that takes no time unless it is held up."""

    def setUp(self) -> None:
        self.clock = Clock()
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.one, self.two = Path(temporary.name) / "one", Path(temporary.name) / "two"
        for folder in (self.one, self.two):
            folder.mkdir()
        self.held_up: list[tuple[Deferred[Any], Callable[[], Any]]] | None = None
        self.listed = Listed()
        self.listed.found = Folders((str(self.one), str(self.two)))
        self.source = RepositoryFolders(self.listed, self.in_thread, self.clock)
        self.warnings: list[str] = []
        warnings = self.warnings

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            if event["log_level"] is LogLevel.warn:
                warnings.append(str(event["trouble"]))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def in_thread(self, work: Callable[[], Any]) -> Awaitable[Any]:
        """The thread."""
        if self.held_up is None:
            return maybeDeferred(work)
        ended: Deferred[Any] = Deferred()
        self.held_up.append((ended, work))
        return ended

    def let_go(self) -> None:
        """The thread goes on."""
        held_up, self.held_up = self.held_up or [], None
        for ended, work in held_up:
            maybeDeferred(work).chainDeferred(ended)

    def settle(self, name: str = ZLIB, size: int | None = None, place: int = 0) -> Deferred[Location]:
        """Begins to settle a candidate for a file."""
        return Deferred.fromCoroutine(self.source.candidates(self.wanted(name, size))[place].settle(7.5))

    def wanted(self, name: str = ZLIB, size: int | None = None) -> Wanted:
        """A file that this host wants."""
        return Wanted(FileRequest("custom", "x86_64", name, kind_of(name)), size, parse_address("127.0.0.1"))

    def got(self, name: str = ZLIB, size: int | None = None, place: int = 0) -> tuple[bytes, HeldFile, str]:
        """A file, what is known of it, and where it is from."""
        location = self.successResultOf(self.settle(name, size, place))
        assert isinstance(location, LocalFile)
        with location.held.file as file:
            return file.read(), location.held, location.origin

    def test_every_kind(self) -> None:
        """Packages, signatures and databases come from the first folder that has them, with the mtime that conditional requests are compared with."""
        for name in (ZLIB, f"{ZLIB}.sig", "custom.db.sig", "custom.db", "custom.files"):
            (self.two / name).write_bytes(b"2")
            os.utime(self.two / name, (LATER, LATER))
            data, held, origin = self.got(name)
            self.assertEqual((data, held.modified, held.size, origin), (b"2", LATER, 1, f"folder {self.two}"))
            (self.one / name).write_bytes(b"1")
            self.assertEqual(self.got(name)[0], b"1")

    def test_links(self) -> None:
        """Links are followed, since mirrors have many; folders, devices, FIFOs and dead links are no files."""
        (self.one / "pool").mkdir()
        (self.one / "pool" / ZLIB).write_bytes(b"pool")
        (self.one / ZLIB).symlink_to(f"pool/{ZLIB}")
        self.assertEqual(self.got()[0], b"pool")
        (self.one / "custom.db").symlink_to("absent")
        (self.one / "custom.files").symlink_to("/dev/zero")
        (self.one / "null-1-1-any.pkg.tar").mkdir()
        os.mkfifo(self.one / "fifo-1-1-any.pkg.tar")
        for name in ("custom.db", "custom.files", "null-1-1-any.pkg.tar", "fifo-1-1-any.pkg.tar"):
            self.failureResultOf(self.settle(name), AbsentError)

    def test_one_path_part(self) -> None:
        """No name leads out of the folder, whatever grammar it has passed."""
        (self.two / "x").write_bytes(b"x")
        for name in ("../two/x", "..", ".", f"{self.two}/x"):
            self.assertRaises(FileNotFoundError, open_in, str(self.one), name)

    def test_size(self) -> None:
        """A package of another size than the database states is none, and the next folder is tried; a signature has no stated size."""
        (self.one / ZLIB).write_bytes(b"old")
        (self.two / ZLIB).write_bytes(b"new one")
        (self.one / f"{ZLIB}.sig").write_bytes(b"sig")
        self.assertEqual(self.got(size=7)[0], b"new one")
        self.assertEqual(self.got(f"{ZLIB}.sig", size=7)[0], b"sig")
        self.assertIn("another size", str(self.failureResultOf(self.settle(size=5), AbsentError).value))

    def test_signature_of_a_database(self) -> None:
        """A database without a signature is unsigned: that of another place would be of another version."""
        (self.one / "custom.db").write_bytes(b"1")
        (self.two / "custom.db.sig").write_bytes(b"2")
        self.assertEqual(self.failureResultOf(self.settle("custom.db.sig"), RequestError).value.status, 404)
        (self.one / "custom.db").unlink()
        self.assertEqual(self.got("custom.db.sig")[0], b"2")

    def test_order(self) -> None:
        """Folders before the mirrors come first of all, those behind come after the mirrors; other repositories have none."""
        self.listed.found = Folders((str(self.one),), (str(self.two),))
        self.assertEqual([each.rank for each in self.source.candidates(self.wanted())], [Rank.FOLDERS, Rank.FOLDERS_LAST])
        self.assertLess(Rank.CACHE, Rank.FOLDERS)
        self.assertLess(Rank.FOLDERS, Rank.PEERS)
        self.assertLess(Rank.MIRRORS, Rank.FOLDERS_LAST)
        (self.two / ZLIB).write_bytes(b"2")
        self.failureResultOf(self.settle(), AbsentError)
        self.assertEqual(self.got(place=1)[0], b"2")
        self.assertEqual(self.source.candidates(Wanted(FileRequest("core", "x86_64", ZLIB, kind_of(ZLIB)), None, parse_address("::1"))), [])

    def test_alone(self) -> None:
        """Where pacman.conf names no other mirror nobody else is asked: what the folder lacks is 404, what it can't give has no answer."""
        self.listed.found = Folders((str(self.one),), alone=True)
        error = self.failureResultOf(self.settle(), RequestError).value
        self.assertEqual((error.status, error.silent), (404, False))
        self.one.rmdir()
        error = self.failureResultOf(self.settle(), RequestError).value
        self.assertEqual((error.status, error.silent), (504, True))

    def test_unreadable(self) -> None:
        """A folder that can't be read is not one without the file; the log is told once, and again when it has been well meanwhile."""
        self.listed.found = Folders((str(self.one),))
        aside = self.one.with_name("aside")
        for _ in range(2):
            self.one.rename(aside)
            for _ in range(2):
                error = self.failureResultOf(self.settle(), FetchError).value
                self.assertNotIsInstance(error, AbsentError)
                self.assertIn("can't be read: no such file or directory", str(error))
            self.assertIn("can't be read", self.successResultOf(Deferred.fromCoroutine(self.source.trouble(str(self.one), "custom.db"))))
            aside.rename(self.one)
            (self.one / ZLIB).write_bytes(b"1")
            self.got()
        self.assertEqual(self.warnings, [f"{self.one} can't be read: no such file or directory"] * 2)

    def test_trouble(self) -> None:
        """A folder without the database that is looked for is told from one that has it."""
        self.assertIn("has no custom.db", self.successResultOf(Deferred.fromCoroutine(self.source.trouble(str(self.one), "custom.db"))))
        (self.one / "custom.db").write_bytes(b"1")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.source.trouble(str(self.one), "custom.db"))), "")
        self.assertEqual(self.warnings, [])

    def test_file_system_that_does_not_answer(self) -> None:
        """It costs two seconds once; until it answers nothing more is begun there, and what comes late is closed."""
        (self.one / ZLIB).write_bytes(b"1")
        self.held_up = []
        waiting = self.settle()
        self.clock.advance(OPEN_TIMEOUT)
        self.assertIn("does not answer", str(self.failureResultOf(waiting, FetchError).value))
        self.failureResultOf(self.settle(), FetchError)
        self.assertIn("does not answer", self.considered(self.wanted())[0].reason)
        self.assertEqual(len(self.held_up), 1)
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        self.let_go()
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)  # noqa: PTH208
        self.assertEqual(self.got()[0], b"1")

    def test_client_that_leaves(self) -> None:
        """A file that is opened for a client that has left is closed."""
        (self.one / ZLIB).write_bytes(b"1")
        self.held_up = []
        waiting = self.settle()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        self.let_go()
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)  # noqa: PTH208
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def considered(self, wanted: Wanted) -> Sequence[Considered]:
        """What is told of a file, once the folders were looked into."""
        self.successResultOf(Deferred.fromCoroutine(self.source.look(wanted)))
        return self.source.consider(wanted)

    def test_looked_into_in_a_thread(self) -> None:
        """The folders are looked into in the thread, and nothing is promised before that: a file system may not answer."""
        (self.one / ZLIB).write_bytes(b"1")
        self.held_up = []
        looking = Deferred.fromCoroutine(self.source.look(self.wanted()))
        self.assertNoResult(looking)
        self.assertEqual(self.source.consider(self.wanted())[0].reason, "this host may have it")
        looking.cancel()
        self.failureResultOf(looking, CancelledError)
        self.let_go()

    def test_considered(self) -> None:
        """Each folder is told with its reason; one that answers for all is what the request comes to, with the file or without."""
        (self.two / ZLIB).write_bytes(b"new one")
        (self.one / ZLIB).write_bytes(b"old")
        first, second = self.considered(self.wanted(size=7))
        self.assertEqual((first.who, first.offer, second.reason), (f"folder {self.one}", None, "this host has it"))
        self.assertIn("another size", first.reason)
        self.assertIsNotNone(second.offer)
        self.listed.found = Folders((str(self.one),), alone=True)
        (only,) = self.considered(self.wanted(size=7))
        self.assertIsNotNone(only.offer)
        self.assertIn("no other mirror", only.reason)
