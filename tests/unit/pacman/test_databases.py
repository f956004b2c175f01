"""Tests for `pacserve.pacman.databases`."""

import gc
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import FetchError
from pacserve.packages.children import ChildOutcome
from pacserve.packages.files import ExpectedFile
from pacserve.packages.kept_files import Stamp
from pacserve.pacman.configuration import PacmanConfiguration, Repository
from pacserve.pacman.databases import (
    CHILDREN_LIMIT,
    DISTRIBUTION_SIZE,
    LONGEST_READING_TIMEOUT,
    NO_PYALPM,
    READING_TIMEOUT,
    RETRY_INTERVAL,
    Databases,
)
from pacserve.pacman.kept_tables import KeptTables
from pacserve.pacman.tables import StatedPackage
from tests.fakes.children import Children
from tests.fakes.interfaces import Configuration
from tests.fakes.lateness import LateBy
from tests.fakes.tables import table

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BASH = "bash-5.2-1-x86_64.pkg.tar.zst"


class DatabasesCase(SynchronousTestCase):
    """A machine whose repositories are core, extra and multilib."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.sync = Path(folder.name) / "sync"
        self.sync.mkdir()
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.children = Children()
        self.configuration = Configuration()
        self.configure("core", "extra", "multilib")
        self.databases = self.started()

    def started(self) -> Databases:
        """What a daemon knows that has just been started."""
        databases = Databases(self.configuration, KeptTables(str(self.sync.parent / "kept")), self.children, self.clock)
        self.addCleanup(databases.close)
        return databases

    def configure(self, *repositories: str) -> None:
        """Changes pacman.conf."""
        names = {name: Repository(name, ()) for name in repositories}
        self.configuration.value = PacmanConfiguration(("x86_64",), (), f"{self.sync.parent}/", names)

    def write(self, repo: str, text: str = "a database") -> None:
        """Writes a database as pacman does: the new one takes the place of the old one."""
        new = self.sync / f"{repo}.new"
        new.write_text(text)
        new.replace(self.sync / f"{repo}.db")

    def refresh(self, repo: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self.databases.refresh(repo))

    def stamp(self, repo: str) -> Stamp:
        found = (self.sync / f"{repo}.db").stat()
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def end(self, *packages: StatedPackage, stamp: Stamp | None = None) -> None:
        """Ends the child that has run longest, and which has read these packages."""
        repo = self.children.commands[-len(self.children.running)][-1]
        self.children.end(table(stamp or self.stamp(repo), *packages))

    def read(self, repo: str, *packages: StatedPackage) -> None:
        """Writes a database, and lets a child say that this is in it."""
        self.write(repo)
        waiting = self.refresh(repo)
        self.end(*packages)
        self.successResultOf(waiting)


class RefreshTests(DatabasesCase):
    def test_read(self) -> None:
        """A database is read by one child, which is told where it is, and the sizes of its packages are known."""
        self.write("core")
        waiting = self.refresh("core")
        self.assertNoResult(waiting)
        self.assertIsNone(self.databases.size("core", ZLIB))
        self.end(StatedPackage(ZLIB, 1234), StatedPackage(BASH, 5))
        self.successResultOf(waiting)
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.size("core", BASH)), (1234, 5))
        self.assertEqual(len(self.children.commands), 1)
        command = self.children.commands[0]
        self.assertEqual((command[0], *command[-3:]), (sys.executable, "pacserve.pacman.database_reader", f"{self.sync.parent}/", "core"))

    def test_packages(self) -> None:
        """The names of the packages are known of a database that could be read, and those of the present one."""
        self.assertIsNone(self.databases.packages("core"))
        self.write("core")
        waiting = self.refresh("core")
        self.assertIsNone(self.databases.packages("core"))
        self.end(StatedPackage(ZLIB, 1), StatedPackage(BASH, 2))
        self.successResultOf(waiting)
        self.assertEqual((self.databases.packages("core"), self.databases.packages("core")), ({"zlib", "bash"}, {"zlib", "bash"}))
        self.read("core", StatedPackage(BASH, 2))
        self.read("extra", StatedPackage(BASH, 3))
        self.assertEqual((self.databases.packages("core"), self.databases.stated(BASH)), ({"bash"}, {"core": 2, "extra": 3}))
        (self.sync / "core.db").unlink()
        self.successResultOf(self.refresh("core"))
        self.assertIsNone(self.databases.packages("core"))

    def test_no_pyalpm(self) -> None:
        """Where pyalpm is missing one warning says so, and no size is known."""
        warnings: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_level"] is LogLevel.warn:
                warnings.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        for repo in ("core", "extra"):
            self.write(repo)
            waiting = self.refresh(repo)
            self.children.end(ChildOutcome(NO_PYALPM, b"", ""))
            self.successResultOf(waiting)
        self.assertEqual(len(warnings), 1)
        self.assertIn("pyalpm is not installed", warnings[0])

    def test_unchanged(self) -> None:
        """A database that was read is not read again as long as it stays the same, however long that is."""
        self.read("core", StatedPackage(ZLIB, 1))
        for _ in range(3):
            self.clock.advance(RETRY_INTERVAL)
            self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 1)

    def test_changed(self) -> None:
        """A new database is read once; until then what the old one stated is known."""
        self.read("core", StatedPackage(ZLIB, 1))
        self.write("core")
        waiting = self.refresh("core")
        self.assertEqual(self.databases.size("core", ZLIB), 1)
        self.end(StatedPackage(BASH, 2))
        self.successResultOf(waiting)
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.size("core", BASH)), (None, 2))
        self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 2)

    def test_same_time(self) -> None:
        """A new database is noticed even if it has the mtime of the old one, which pacman takes from the mirror."""
        for _ in range(2):
            self.write("core")
            os.utime(self.sync / "core.db", (1, 1))
            waiting = self.refresh("core")
            self.end()
            self.successResultOf(waiting)
        self.assertEqual(len(self.children.commands), 2)

    def test_changed_meanwhile(self) -> None:
        """A database that changes while it is read is read once more."""
        self.write("core", "one")
        waiting = self.refresh("core")
        read = self.stamp("core")
        self.write("core", "another")
        self.end(StatedPackage(ZLIB, 1), stamp=read)
        self.successResultOf(waiting)
        self.assertNoResult(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 2)

    def test_vanished(self) -> None:
        """What a database stated is forgotten with it, and known again with the next one."""
        self.read("core", StatedPackage(ZLIB, 1))
        (self.sync / "core.db").unlink()
        self.successResultOf(self.refresh("core"))
        self.assertIsNone(self.databases.size("core", ZLIB))
        self.assertEqual(self.databases.sizes(ZLIB), [])
        self.read("core", StatedPackage(ZLIB, 2))
        self.assertEqual(self.databases.size("core", ZLIB), 2)

    def test_revision(self) -> None:
        """The revision grows when a database was read or has gone, and at no other time."""
        seen = [self.databases.revision]
        self.read("core", StatedPackage(ZLIB, 1))
        seen.append(self.databases.revision)
        self.successResultOf(self.refresh("core"))
        self.successResultOf(self.refresh("extra"))
        self.assertEqual(self.databases.revision, seen[-1])
        self.write("core")
        waiting = self.refresh("core")
        self.assertEqual(self.databases.revision, seen[-1])
        self.children.end(FetchError("took more than 30 s"))
        self.successResultOf(waiting)
        self.assertEqual(self.databases.revision, seen[-1])
        (self.sync / "core.db").unlink()
        for _ in range(2):
            self.successResultOf(self.refresh("core"))
        seen.append(self.databases.revision)
        self.assertEqual(seen, [seen[0], seen[0] + 1, seen[0] + 2])

    def test_missing(self) -> None:
        """No child is started for a database that is not there, nor for a repository that pacman.conf does not name."""
        self.write("unknown")
        for repo in ("core", "unknown", "../x"):
            self.successResultOf(self.refresh(repo))
        self.assertEqual(self.children.commands, [])
        self.assertIsNone(self.databases.size("unknown", ZLIB))

    def test_pipe(self) -> None:
        """What is no regular file is not read: a child that opens a pipe waits for whoever writes into it."""
        os.mkfifo(self.sync / "core.db")
        (self.sync / "extra.db").mkdir()
        for repo in ("core", "extra"):
            self.successResultOf(self.refresh(repo))
        self.assertEqual(self.children.commands, [])
        self.assertIsNone(self.databases.size("core", ZLIB))

    def test_all(self) -> None:
        """All databases that changed are read when all are asked for, and one that takes long does not make the others wait."""
        self.read("extra")
        for repo in ("core", "multilib"):
            self.write(repo)
        waiting = Deferred.fromCoroutine(self.databases.refresh_all())
        self.assertEqual([command[-1] for command in self.children.commands], ["extra", "core", "multilib"])
        self.end()
        self.assertNoResult(waiting)
        self.clock.advance(READING_TIMEOUT)
        self.successResultOf(waiting)


class WaitingTests(DatabasesCase):
    def read_large(self, *packages: StatedPackage) -> None:
        """Reads a database of a distribution, with these packages."""
        self.read("core", *packages, *(StatedPackage(f"p{number}-1-1-any.pkg.tar.zst", 1) for number in range(DISTRIBUTION_SIZE)))

    def test_known_before(self) -> None:
        """While the new database of a distribution is read, nobody waits for a file that the former one states."""
        self.read_large(StatedPackage(ZLIB, 7, None, b"signed"))
        self.write("core")
        self.successResultOf(Deferred.fromCoroutine(self.databases.refresh("core", ZLIB)))
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.signature("core", ZLIB)), (7, b"signed"))
        self.assertEqual(len(self.children.running), 1)
        new = Deferred.fromCoroutine(self.databases.refresh("core", BASH))
        self.assertNoResult(new)
        self.end(StatedPackage(BASH, 8))
        self.successResultOf(new)
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.size("core", BASH)), (None, 8))

    def test_small(self) -> None:
        """A package may have been built again under its old name in a small database, so the new one is waited for."""
        self.read("core", StatedPackage(ZLIB, 7))
        self.write("core")
        waiting = Deferred.fromCoroutine(self.databases.refresh("core", ZLIB))
        self.assertNoResult(waiting)
        self.end(StatedPackage(ZLIB, 8))
        self.successResultOf(waiting)
        self.assertEqual(self.databases.size("core", ZLIB), 8)

    def test_unknown(self) -> None:
        """Where what the former databases stated will do, only those are waited for of which nothing is known; all that changed are read."""
        self.read("core", StatedPackage(ZLIB, 7))
        self.write("core")
        self.successResultOf(Deferred.fromCoroutine(self.databases.refresh_unknown()))
        self.assertEqual(len(self.children.running), 1)
        self.write("extra")
        waiting = Deferred.fromCoroutine(self.databases.refresh_unknown())
        self.assertNoResult(waiting)
        self.end(StatedPackage(ZLIB, 8))
        self.assertNoResult(waiting)
        self.end(StatedPackage(BASH, 9))
        self.successResultOf(waiting)
        self.assertEqual(([8], [9]), (self.databases.sizes(ZLIB), self.databases.sizes(BASH)))

    def test_read_all(self) -> None:
        """Whoever has to know waits for all databases, also for longer than a request does."""
        self.write("core")
        self.write("extra")
        waiting = Deferred.fromCoroutine(self.databases.read_all())
        for _ in range(4):
            self.clock.advance(READING_TIMEOUT)
        self.end(StatedPackage(ZLIB, 1))
        self.assertNoResult(waiting)
        self.clock.advance(READING_TIMEOUT)
        self.assertNoResult(waiting)
        self.end(StatedPackage(BASH, 2))
        self.assertIs(self.successResultOf(waiting), True)
        self.assertEqual((self.databases.sizes(ZLIB), self.databases.sizes(BASH)), ([1], [2]))
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.databases.read_all())), True)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_all_read(self) -> None:
        """Whoever has to know is told when a database could not be read, also when that was a while ago."""
        self.write("core")
        waiting = Deferred.fromCoroutine(self.databases.read_all())
        self.children.end(FetchError("too slow"))
        self.assertIs(self.successResultOf(waiting), False)
        self.clock.advance(RETRY_INTERVAL - 1)
        self.assertIs(self.successResultOf(Deferred.fromCoroutine(self.databases.read_all())), False)

    def test_shared(self) -> None:
        """All who ask meanwhile share one child, and all are answered when it ends."""
        self.write("core")
        waiting = [self.refresh("core") for _ in range(5)]
        self.assertEqual(len(self.children.commands), 1)
        self.end(StatedPackage(ZLIB, 1))
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late_host(self) -> None:
        """On a host that is short of CPU a request waits longer: without the database each host would fetch the file for itself."""
        self.databases = Databases(self.configuration, KeptTables(str(self.sync.parent / "kept")), self.children, self.clock, LateBy(60.0))
        self.addCleanup(self.databases.close)
        self.write("core")
        waiting = self.refresh("core")
        self.clock.advance(LONGEST_READING_TIMEOUT - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.successResultOf(waiting)

    def test_patience(self) -> None:
        """A request waits two seconds for a database, the next one for the same reading as long, and its outcome is used when it comes."""
        self.write("core")
        first = self.refresh("core")
        self.clock.advance(READING_TIMEOUT - 0.1)
        second = self.refresh("core")
        self.assertNoResult(first)
        self.clock.advance(0.1)
        self.successResultOf(first)
        self.assertNoResult(second)
        self.clock.advance(READING_TIMEOUT)
        self.successResultOf(second)
        self.assertEqual((len(self.children.commands), self.children.cancelled), (1, 0))
        self.end(StatedPackage(ZLIB, 1))
        self.assertEqual(self.databases.size("core", ZLIB), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_cancelled(self) -> None:
        """A caller that goes away while all databases are read leaves no error that nobody hears."""
        self.write("core")
        self.write("extra")
        for all_of_them in (self.databases.refresh_all, self.databases.refresh_unknown):
            waiting = Deferred.fromCoroutine(all_of_them())
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual((self.children.cancelled, self.clock.getDelayedCalls()), (0, []))

    def test_cancelled(self) -> None:
        """Who goes away does not end the reading for the others."""
        self.write("core")
        gone, stays = self.refresh("core"), self.refresh("core")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.assertNoResult(stays)
        self.assertEqual(self.children.cancelled, 0)
        self.end(StatedPackage(ZLIB, 1))
        self.successResultOf(stays)
        self.assertEqual(self.databases.size("core", ZLIB), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_while_all_are_read(self) -> None:
        """A client that leaves while several databases are read leaves nothing behind: no reading ends, and no error is unheard."""
        for repo in ("core", "extra", "multilib"):
            self.write(repo)
        gone, stays = (Deferred.fromCoroutine(self.databases.refresh_all()) for _ in range(2))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.children.cancelled, 0)
        for _ in range(3):
            self.assertNoResult(stays)
            self.end(StatedPackage(ZLIB, 1))
        self.successResultOf(stays)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again_from_a_callback(self) -> None:
        """Who asks again the moment that a reading ends gets an answer, and no second child."""
        self.write("core")
        first = self.refresh("core")
        second: list[Deferred[None]] = []
        first.addCallback(lambda _: second.append(self.refresh("core")))
        self.end(StatedPackage(ZLIB, 1))
        self.successResultOf(second[0])
        self.assertEqual(len(self.children.commands), 1)

    def test_few_children(self) -> None:
        """However many databases changed, two children run at a time, and all are read in the end."""
        names = [f"repo{number}" for number in range(7)]
        self.configure(*names)
        for name in names:
            self.write(name)
        waiting = [self.refresh(name) for name in names]
        while self.children.running:
            self.end(StatedPackage(ZLIB, 1))
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual((self.children.most, len(self.children.commands)), (CHILDREN_LIMIT, len(names)))
        self.assertEqual(self.databases.sizes(ZLIB), [1] * len(names))


class FailureTests(DatabasesCase):
    def read_badly(self, outcome: ChildOutcome | Exception) -> None:
        """One reading that ends like this."""
        waiting = self.refresh("core")
        self.children.end(outcome)
        self.successResultOf(waiting)

    def test_retried(self) -> None:
        """A database that can't be read is tried again after a minute, and what was known before stays known."""
        self.read("core", StatedPackage(ZLIB, 1))
        self.write("core")
        self.read_badly(ChildOutcome(1, b"", "could not open database"))
        for _ in range(10):
            self.clock.advance(RETRY_INTERVAL / 10 - 0.01)
            self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 2)
        self.assertEqual(self.databases.size("core", ZLIB), 1)
        self.clock.advance(0.2)
        self.read_badly(FetchError("took more than 30 s"))
        self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 3)

    def test_changed(self) -> None:
        """A database that can't be read is tried again at once when it changes, and well read it is left alone."""
        self.write("core")
        self.read_badly(FetchError("is not installed"))
        self.read("core", StatedPackage(ZLIB, 1))
        self.clock.advance(2 * RETRY_INTERVAL)
        self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 2)

    def test_clock_set_back(self) -> None:
        """A clock that goes back does not put off the next try for ever."""
        self.write("core")
        self.read_badly(FetchError("failed"))
        self.clock.rightNow = 1.0
        self.assertNoResult(self.refresh("core"))

    def test_defect(self) -> None:
        """A defect of our own is logged, hurts nobody who waits, and is not repeated for each request."""
        self.write("core")
        self.read_badly(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 1)

    def test_at_once(self) -> None:
        """A child that can't even be started is a failure like others."""
        self.write("core")
        self.children.answer = FetchError("is not installed")
        for _ in range(2):
            self.successResultOf(self.refresh("core"))
        self.assertEqual(len(self.children.commands), 1)


class SizesTests(DatabasesCase):
    def test_several(self) -> None:
        """A name in several repositories has the size of each; the requested one alone decides for it."""
        self.read("core", StatedPackage(ZLIB, 1))
        self.read("extra", StatedPackage(ZLIB, 2), StatedPackage(BASH, 3))
        self.assertEqual(sorted(self.databases.sizes(ZLIB)), [1, 2])
        self.assertEqual(self.databases.sizes(BASH), [3])
        self.assertEqual(self.databases.sizes("other-1-1-any.pkg.tar.zst"), [])
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.size("extra", ZLIB), self.databases.size("core", BASH)), (1, 2, None))

    def test_removed_repository(self) -> None:
        """What the database of a repository stated that pacman.conf no longer names counts no more."""
        self.read("core", StatedPackage(ZLIB, 1))
        self.configure("extra")
        self.assertEqual(self.databases.sizes(ZLIB), [])


class StatedTests(DatabasesCase):
    def test_digest(self) -> None:
        """The digest of a package is known where the database states one."""
        digest = bytes(range(32))
        self.read("core", StatedPackage(ZLIB, 1, digest), StatedPackage(BASH, 2))
        self.assertEqual(self.databases.expected("core", ZLIB), ExpectedFile(1, digest))
        self.assertEqual(self.databases.expected("core", BASH), ExpectedFile(2, None))
        self.assertEqual(self.databases.all_expected(ZLIB), [ExpectedFile(1, digest)])

    def test_signature(self) -> None:
        """The signature of a package is known for its file in its repository, where the database carries one, and changes with the database."""
        self.read("core", StatedPackage(ZLIB, 1, None, b"signed"), StatedPackage(BASH, 2))
        self.read("extra", StatedPackage(ZLIB, 1, None, b"signed by another"))
        self.assertEqual([self.databases.signature(repo, ZLIB) for repo in ("core", "extra", "multilib")], [b"signed", b"signed by another", None])
        self.assertEqual([self.databases.signature("core", name) for name in (BASH, f"{ZLIB}.sig", "other")], [None, None, None])
        self.read("core", StatedPackage(ZLIB, 1, None, b"signed again"))
        self.assertEqual(self.databases.signature("core", ZLIB), b"signed again")
        (self.sync / "core.db").unlink()
        self.successResultOf(self.refresh("core"))
        self.assertIsNone(self.databases.signature("core", ZLIB))

    def test_find(self) -> None:
        """Names are found by a part of them: exact ones and those of the very package first, then those that begin so, all in pacman's order."""
        self.read("core", StatedPackage("libzlib-1-1-any.pkg.tar.zst", 1), StatedPackage("zlib-ng-1-1-any.pkg.tar.zst", 1), StatedPackage(ZLIB, 1))
        self.read("extra", StatedPackage(ZLIB, 2), StatedPackage(BASH, 3))
        found = [("core", ZLIB), ("extra", ZLIB), ("core", "zlib-ng-1-1-any.pkg.tar.zst"), ("core", "libzlib-1-1-any.pkg.tar.zst")]
        self.assertEqual(self.databases.find("zlib", 10), found)
        self.assertEqual(self.databases.find("zlib", 2), found[:2])
        self.assertEqual(self.databases.find("pkg.tar.zst\n", 10), [])


class KeptTests(DatabasesCase):
    def test_after_a_restart(self) -> None:
        """What was read is known at once after a restart, without a child, as long as the database is the same."""
        self.read("core", StatedPackage(ZLIB, 7, None, b"signed"))
        again = self.started()
        self.successResultOf(Deferred.fromCoroutine(again.refresh("core")))
        self.assertEqual((again.size("core", ZLIB), again.signature("core", ZLIB)), (7, b"signed"))
        self.assertEqual(len(self.children.commands), 1)

    def test_changed_meanwhile(self) -> None:
        """A database that changed while no daemon ran is read."""
        self.read("core", StatedPackage(ZLIB, 7))
        self.write("core", "another")
        again = self.started()
        waiting = Deferred.fromCoroutine(again.refresh("core"))
        self.assertNoResult(waiting)
        self.end(StatedPackage(ZLIB, 8))
        self.successResultOf(waiting)
        self.assertEqual(again.size("core", ZLIB), 8)

    def test_nowhere_to_keep(self) -> None:
        """Where the tables can't be kept, everything is known all the same."""
        (self.sync.parent / "kept").write_text("no folder")
        self.read("core", StatedPackage(ZLIB, 7, None, b"signed"))
        self.assertEqual((self.databases.size("core", ZLIB), self.databases.signature("core", ZLIB)), (7, b"signed"))

    def test_no_table(self) -> None:
        """A child that ended well and wrote something else has failed, and leaves nothing."""
        for output in (b"", b"x" * 1000, table((1, 2, 3), StatedPackage(ZLIB, 7)).output[:-5]):
            self.write("core")
            waiting = self.refresh("core")
            self.children.end(ChildOutcome(0, output, ""))
            self.successResultOf(waiting)
            self.assertIsNone(self.databases.size("core", ZLIB))
            self.assertEqual(list((self.sync.parent / "kept").iterdir()), [])
