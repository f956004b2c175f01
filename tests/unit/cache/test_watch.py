"""Tests for `pacserve.cache.watch`."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.folders import SETTLING_TIME
from pacserve.cache.listing import RESCAN_INTERVAL, Reading
from pacserve.cache.packages import CachedPackages
from pacserve.cache.watch import LONGEST_LOOK_INTERVAL, LOOK_INTERVAL, REST_RATIO, CacheWatch
from pacserve.packages.inventory import Inventory
from tests.fakes.interfaces import Databases, Packages

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BASH = "bash-5.2-1-x86_64.pkg.tar.zst"


class SlowPackages(Packages):
    """
    Packages whose inventory may take a while, or fail.

    Attributes:
        asked: How often it was asked for.
        trouble: What is raised instead, None for nothing.
        reading: What is waited for, None for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.trouble: Exception | None = None
        self.reading: Deferred[None] | None = None

    async def inventory(self) -> Inventory:
        self.asked += 1
        if self.reading is not None:
            await self.reading
        if self.trouble is not None:
            raise self.trouble
        return self.listed


class LoopTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.packages = SlowPackages()
        self.told: list[int] = []
        self.watch = CacheWatch(self.packages, self.clock, lambda inventory: self.told.append(inventory.generation))

    def test_told_once(self) -> None:
        """The first inventory is told at once, each other one after a quarter of a second, and none twice."""
        self.watch.start()
        self.assertEqual(self.told, [1])
        self.clock.pump([LOOK_INTERVAL] * 3)
        self.packages.listed = Inventory(5, {})
        self.assertEqual(self.told, [1])
        self.clock.pump([LOOK_INTERVAL] * 3)
        self.assertEqual((self.told, self.packages.asked), ([1, 5], 7))

    def test_one_at_a_time(self) -> None:
        """While a look takes its time there is no other one, and there is one timer after it."""
        self.packages.reading = Deferred()
        self.watch.start()
        self.clock.pump([LOOK_INTERVAL] * 8)
        self.assertEqual((self.packages.asked, self.clock.getDelayedCalls()), (1, []))
        self.packages.reading.callback(None)
        self.packages.reading = None
        self.assertEqual((self.told, len(self.clock.getDelayedCalls())), ([1], 1))
        self.clock.advance(LONGEST_LOOK_INTERVAL)
        self.assertEqual((self.packages.asked, len(self.clock.getDelayedCalls())), (2, 1))

    def test_rest(self) -> None:
        """After a look at a large cache the next one waits in proportion, but never for long."""
        self.packages.reading = Deferred()
        self.watch.start()
        for took, rest in ((0.0, LOOK_INTERVAL), (1 / 32, REST_RATIO / 32), (8.0, LONGEST_LOOK_INTERVAL)):
            self.clock.advance(took)
            reading, self.packages.reading = self.packages.reading, Deferred()
            reading.callback(None)
            asked = self.packages.asked
            self.clock.advance(rest - 1 / 32)
            self.assertEqual(self.packages.asked, asked)
            self.clock.advance(1 / 32)
            self.assertEqual(self.packages.asked, asked + 1)

    def test_failures(self) -> None:
        """No exception ends the looking, neither one of reading nor one of who is told, and one that comes four times a second is logged once."""
        self.packages.trouble = ZeroDivisionError()
        self.watch.start()
        self.clock.pump([LOOK_INTERVAL] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.packages.trouble = None
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(self.told, [1])

        def fail(inventory: Inventory) -> None:
            self.told.append(inventory.generation)
            raise KeyError

        watch = CacheWatch(self.packages, self.clock, fail)
        watch.start()
        self.packages.listed = Inventory(2, {})
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(sorted(self.told), [1, 1, 2, 2])

    def test_stop(self) -> None:
        """After the stop nobody looks, though a look was under way, and nobody is told."""
        for reading in (None, Deferred[None]()):
            self.packages.reading = reading
            self.watch.start()
            told = list(self.told)
            self.watch.stop()
            self.packages.listed = Inventory(9, {})
            if reading is not None and not reading.called:
                reading.callback(None)
            self.clock.pump([LOOK_INTERVAL] * 4)
            self.assertEqual((self.told, self.clock.getDelayedCalls()), (told, []))

    def test_stop_from_within(self) -> None:
        """Who is told may stop the watch."""
        for reading in (None, Deferred[None]()):
            self.packages.reading = reading
            watch = CacheWatch(self.packages, self.clock, lambda _: watch.stop())  # noqa: B023
            watch.start()
            if reading is not None:
                reading.callback(None)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_before(self) -> None:
        """A watch that was never started can be stopped."""
        self.watch.stop()
        self.assertEqual((self.packages.asked, self.clock.getDelayedCalls()), (0, []))


class FolderTests(SynchronousTestCase):
    """A watch over a real folder, an hour after its files were written."""

    def setUp(self) -> None:
        parent = TemporaryDirectory()
        self.addCleanup(parent.cleanup)
        self.folder = Path(parent.name) / "pkg"
        self.folder.mkdir()
        self.now = self.folder.stat().st_ctime + 3600
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.databases = Databases()
        self.readings = 0
        self.told: list[dict[str, int]] = []
        packages = CachedPackages(lambda: [str(self.folder)], self.databases, self.in_thread, self.clock, lambda: self.now)
        self.watch = CacheWatch(packages, self.clock, lambda inventory: self.told.append(dict(inventory.files)))

    async def in_thread(self, work: Callable[[], Reading]) -> Reading:
        self.readings += 1
        return work()

    def write(self, name: str, mtime: int) -> None:
        (self.folder / name).write_bytes(b"data")
        os.utime(self.folder, (mtime, mtime))

    def passes(self, seconds: float) -> list[dict[str, int]]:
        """What is told while so much time passes, on the wall as well."""
        self.told.clear()
        for _ in range(round(seconds / LOOK_INTERVAL)):
            self.now += LOOK_INTERVAL
            self.clock.advance(LOOK_INTERVAL)
        return self.told

    def test_comes_and_goes(self) -> None:
        """A file that comes is told of within a quarter of a second, and so are those that pacman -Sc deletes."""
        self.watch.start()
        self.write(ZLIB, 2)
        self.write(BASH, 3)
        self.assertEqual(self.passes(LOOK_INTERVAL), [{ZLIB: 4, BASH: 4}])
        (self.folder / ZLIB).unlink()
        os.utime(self.folder, (4, 4))
        self.assertEqual(self.passes(LOOK_INTERVAL), [{BASH: 4}])

    def test_idle(self) -> None:
        """As long as nothing changes the folder is read once a minute, and nobody is told."""
        self.write(ZLIB, 2)
        self.watch.start()
        self.assertEqual(self.passes(3 * RESCAN_INTERVAL), [])
        self.assertEqual(self.readings, 4)

    def test_settles(self) -> None:
        """A file that was being written is told of when it has settled."""
        self.watch.start()
        self.write(ZLIB, 2)
        self.now = (self.folder / ZLIB).stat().st_ctime
        self.assertEqual(self.passes(SETTLING_TIME - LOOK_INTERVAL), [])
        self.assertEqual(self.passes(2 * LOOK_INTERVAL), [{ZLIB: 4}])

    def test_database(self) -> None:
        """What the databases state is looked at each time, and a file that turns out to be cut short is told of no more."""
        self.write(ZLIB, 2)
        self.watch.start()
        self.databases.state("core", ZLIB, 5)
        self.assertEqual(self.passes(LOOK_INTERVAL), [{}])
        self.assertEqual(self.databases.refreshed, ["*", "*"])

    def test_folder_goes_and_comes_back(self) -> None:
        """A folder that disappears takes its files with it, and brings them when it comes back."""
        self.write(ZLIB, 2)
        self.watch.start()
        shutil.rmtree(self.folder)
        self.assertEqual(self.passes(1.0), [{}])
        self.folder.mkdir()
        self.write(BASH, 2)
        self.assertEqual(self.passes(1.0), [{BASH: 4}])
