"""Tests for `pacserve.cache.listing`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache import folders, listing
from pacserve.cache.folders import SETTLING_TIME, FolderListing, FoundFile
from pacserve.cache.listing import NAMES_LIMIT, RESCAN_INTERVAL, Listing, Reading
from pacserve.packages.inventory import Delta, Inventory
from tests.fakes.interfaces import Databases

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BASH = "bash-5.2-1-x86_64.pkg.tar.zst"


class Thread:
    """
    Does its work at once, or when it is told to.

    Attributes:
        error: Raised instead of working.
        count: How often there was work.
        held: Work that waits for `go_on`, None as long as none has to.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.count = 0
        self.held: Deferred[None] | None = None

    async def __call__(self, work: Callable[[], Reading]) -> Reading:
        self.count += 1
        if self.held is not None:
            await self.held
        if self.error is not None:
            raise self.error
        return work()

    def go_on(self) -> None:
        """Lets the work be done, and all that comes after."""
        held, self.held = self.held, None
        if held is not None:
            held.callback(None)


class ListingCase(SynchronousTestCase):
    """One cache folder, an hour after its files were written."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.folders = [self.folder]
        self.now = self.folder.stat().st_ctime + 3600
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.thread = Thread()
        self.state({})

    def state(self, sizes: dict[str, int]) -> None:
        """Begins anew, with databases that state these sizes."""
        self.databases = Databases({("core", name): size for name, size in sizes.items()})
        self.listing = Listing(lambda: [str(folder) for folder in self.folders], self.databases, self.thread, self.clock, lambda: self.now)

    def write(self, name: str = ZLIB, data: bytes = b"data", *, mtime: int = 1) -> Path:
        """Writes a file, and gives its folder an mtime: two changes may fall into one tick of the kernel's clock."""
        path = self.folder / name
        path.write_bytes(data)
        os.utime(self.folder, (mtime, mtime))
        return path

    def advance(self, seconds: float) -> None:
        """Lets time pass, on the wall as well."""
        self.clock.advance(seconds)
        self.now += seconds

    def ask(self) -> Deferred[Inventory]:
        return Deferred.fromCoroutine(self.listing.inventory())

    def inventory(self) -> Inventory:
        return self.successResultOf(self.ask())

    def warnings(self) -> list[str]:
        """What is warned of when the inventory is asked for."""
        with capturedLogs() as events:
            self.inventory()
        return [str(event["trouble"]) for event in events if event["log_level"] is LogLevel.warn]


class ReadingTests(ListingCase):
    def test_unchanged(self) -> None:
        """While nothing changes the inventory is the same object, and the folders are not read."""
        self.write()
        first = self.inventory()
        self.assertEqual(first.files, {ZLIB: 4})
        for _ in range(5):
            self.advance(RESCAN_INTERVAL / 6)
            self.assertIs(self.inventory(), first)
        self.assertEqual(self.thread.count, 1)

    def test_names_change(self) -> None:
        """A file that comes or goes changes the mtime of its folder: it is read again, and the generation grows."""
        generations = [self.inventory().generation]
        self.write(mtime=2)
        for mtime, change, expected in (
            (3, lambda: self.write(BASH), {ZLIB: 4, BASH: 4}),
            (4, (self.folder / ZLIB).unlink, {BASH: 4}),
            (5, (self.folder / BASH).unlink, {}),
        ):
            change()
            os.utime(self.folder, (mtime, mtime))
            inventory = self.inventory()
            self.assertEqual(inventory.files, expected)
            generations.append(inventory.generation)
        self.assertEqual(generations, sorted(set(generations)))

    def test_other_names(self) -> None:
        """A change that concerns no package leaves the inventory the same object with the same generation."""
        self.write()
        first = self.inventory()
        self.write(f"{ZLIB}.part", mtime=2)
        self.assertIs(self.inventory(), first)
        self.assertEqual(self.thread.count, 2)

    def test_databases(self) -> None:
        """Whenever the inventory is asked for, databases that changed are read first, though the folders have not changed."""
        self.inventory()
        self.inventory()
        self.assertEqual(self.databases.refreshed, ["*", "*"])

    def test_databases_changed(self) -> None:
        """When the databases state something else, the files are judged again, once."""
        self.write()
        first = self.inventory()
        self.assertEqual(first.files, {ZLIB: 4})
        self.databases.state("core", ZLIB, 5)
        self.assertEqual(self.inventory().files, {})
        self.inventory()
        self.assertEqual(self.thread.count, 2)

    def test_only_what_is_new(self) -> None:
        """Of a large cache only the new files are looked at, and only of these the databases are asked, however often the folder changes."""
        for number in range(50):
            self.write(f"p{number}-1-1-any.pkg.tar.zst")
        self.inventory()
        looked, asked = self.looks(), self.questions()
        for number in range(50, 60):
            self.write(f"p{number}-1-1-any.pkg.tar.zst", mtime=number)
            self.assertEqual(len(self.inventory().files), number + 1)
        self.assertEqual((len(looked), len(asked)), (10, 10))

    def test_all_again(self) -> None:
        """Once a minute each file is looked at: one that was overwritten in place changes nothing in its folder; also while others come and go."""
        self.write()
        self.inventory()
        for number in range(6):
            self.advance(RESCAN_INTERVAL / 6)
            (self.folder / ZLIB).write_bytes(b"in place")
            self.write(BASH, mtime=100 + number)
            self.assertEqual(self.inventory().files, {ZLIB: 8 if number == 5 else 4, BASH: 4})

    def test_replaced(self) -> None:
        """A file that takes the name of another is looked at when the folder changes."""
        self.write()
        self.inventory()
        (self.folder / "new").write_bytes(b"another")
        (self.folder / "new").rename(self.folder / ZLIB)
        os.utime(self.folder, (2, 2))
        self.assertEqual(self.inventory().files, {ZLIB: 7})

    def test_growing(self) -> None:
        """A file that was being written when it was looked at is looked at again."""
        self.now = (self.folder / self.write().name).stat().st_ctime
        self.assertEqual(self.inventory().files, {})
        self.write(data=b"longer now", mtime=1)
        self.advance(SETTLING_TIME + 0.1)
        self.assertEqual(self.inventory().files, {ZLIB: 10})

    def looks(self) -> list[str]:
        """The names of the files that are looked at from now on."""
        looked: list[str] = []
        look_at = folders._look_at

        def noted(entry: os.DirEntry[str]) -> FoundFile | None:
            looked.append(entry.name)
            return look_at(entry)

        self.patch(folders, "_look_at", noted)
        return looked

    def questions(self) -> list[str]:
        """The names of the files that the databases are asked for from now on."""
        asked: list[str] = []
        sizes = self.databases.sizes

        def noted(name: str) -> Sequence[int]:
            asked.append(name)
            return sizes(name)

        self.patch(self.databases, "sizes", noted)
        return asked

    def test_same_tick(self) -> None:
        """A file that comes right after the reading, within the tick of the clock that gave the folder its mtime, is listed two seconds later."""
        self.now = 1_000_000.0
        self.write(mtime=1_000_000)
        self.inventory()
        self.write(BASH, mtime=1_000_000)
        self.advance(SETTLING_TIME - 0.1)
        self.assertNotIn(BASH, self.inventory().files)
        self.advance(0.1)
        self.assertEqual(self.inventory().files, {ZLIB: 4, BASH: 4})
        self.advance(SETTLING_TIME)
        self.inventory()
        self.assertEqual(self.thread.count, 2)

    def test_changes(self) -> None:
        """What changed is known since each inventory that was given, and nothing is read for it."""
        empty = self.inventory()
        self.write(mtime=2)
        first = self.inventory()
        self.write(BASH, b"other", mtime=3)
        (self.folder / ZLIB).unlink()
        second = self.inventory()
        count = self.thread.count
        for since, files, removed in ((empty, {BASH: 5}, (ZLIB,)), (first, {BASH: 5}, (ZLIB,)), (second, {}, ())):
            self.assertEqual(self.listing.changes(since.generation), Delta(since.generation, second.generation, files, removed))
        self.assertIsNone(self.listing.changes(second.generation + 1))
        self.assertEqual(self.thread.count, count)

    def test_rescan(self) -> None:
        """A file that is written anew in place leaves no trace in its folder; it is noticed after a minute."""
        path = self.write()
        first = self.inventory()
        path.write_bytes(b"longer data")
        self.advance(RESCAN_INTERVAL - 0.1)
        self.assertIs(self.inventory(), first)
        self.advance(0.1)
        second = self.inventory()
        self.assertEqual((second.files, second.generation > first.generation), ({ZLIB: 11}, True))

    def test_changed_meanwhile(self) -> None:
        """A file that comes while the folders are read is listed by the next answer."""
        self.thread.held = Deferred()
        waiting = self.ask()
        self.write()
        self.thread.go_on()
        self.successResultOf(waiting)
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.assertEqual(self.thread.count, 2)

    def test_other_folders(self) -> None:
        """When pacman.conf names other folders, these are read."""
        self.write()
        self.inventory()
        self.folders.clear()
        self.assertEqual(self.inventory().files, {})
        self.folders.append(self.folder)
        self.assertEqual(self.inventory().files, {ZLIB: 4})

    def test_defect(self) -> None:
        """When reading fails because of a defect, what was known stays known, and the next one who asks tries again."""
        self.write()
        first = self.inventory()
        self.write(BASH, mtime=2)
        self.thread.error = ZeroDivisionError()
        self.assertIs(self.inventory(), first)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.thread.error = None
        self.assertEqual(set(self.inventory().files), {ZLIB, BASH})


class CompleteTests(ListingCase):
    def test_settling(self) -> None:
        """A file that may still be written is listed as soon as it has not changed for two seconds, and no minute later."""
        self.now = self.write().stat().st_ctime
        self.assertEqual(self.inventory().files, {})
        self.advance(SETTLING_TIME - 0.1)
        self.assertEqual(self.inventory().files, {})
        self.advance(0.2)
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.assertEqual(self.thread.count, 2)
        self.advance(SETTLING_TIME)
        self.inventory()
        self.assertEqual(self.thread.count, 2)

    def test_stated(self) -> None:
        """A file of the size that a database states is listed at once, another size never; settled ones are not looked at again and again."""
        self.state({ZLIB: 4, BASH: 5})
        self.write()
        self.now = self.write(BASH).stat().st_ctime
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.advance(SETTLING_TIME)
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.advance(SETTLING_TIME)
        self.inventory()
        self.assertEqual(self.thread.count, 2)

    def test_hopeless(self) -> None:
        """An empty file and a signature that is too large do not make every question read the folders."""
        self.write(data=b"")
        self.write(f"{BASH}.sig", b"s" * 20_000)
        self.assertEqual(self.inventory().files, {})
        self.advance(SETTLING_TIME + 1)
        self.inventory()
        self.assertEqual(self.thread.count, 1)

    def test_second_folder(self) -> None:
        """Where two folders hold a name, the first one that has it complete gives the size."""
        self.state({BASH: 6})
        other = TemporaryDirectory()
        self.addCleanup(other.cleanup)
        self.folders.append(Path(other.name))
        for name in (ZLIB, BASH):
            self.write(name, b"one")
            (Path(other.name) / name).write_bytes(b"second")
        self.assertEqual(self.inventory().files, {ZLIB: 3, BASH: 6})


class SharingTests(ListingCase):
    def test_shared(self) -> None:
        """All who ask while the folders are read share one reading, and get the same object."""
        self.write()
        self.thread.held = Deferred()
        waiting = [self.ask() for _ in range(4)]
        for each in waiting:
            self.assertNoResult(each)
        self.thread.go_on()
        inventories = [self.successResultOf(each) for each in waiting]
        self.assertEqual((len({id(each) for each in inventories}), self.thread.count), (1, 1))
        self.assertEqual(inventories[0].files, {ZLIB: 4})

    def test_cancelled(self) -> None:
        """Who goes away, the first one too, does not end the reading for the others."""
        self.write()
        self.thread.held = Deferred()
        first, second, third = (self.ask() for _ in range(3))
        first.cancel()
        third.cancel()
        for gone in (first, third):
            self.failureResultOf(gone, CancelledError)
        self.assertNoResult(second)
        self.thread.go_on()
        self.assertEqual(self.successResultOf(second).files, {ZLIB: 4})
        self.assertEqual(self.thread.count, 1)

    def test_all_cancelled(self) -> None:
        """A reading that nobody waits for any more is there for who asks next."""
        self.write()
        self.thread.held = Deferred()
        gone = self.ask()
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.thread.go_on()
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.assertEqual(self.thread.count, 1)

    def test_again_from_a_callback(self) -> None:
        """Who asks again the moment that a reading ends gets the same answer without another reading."""
        self.thread.held = Deferred()
        again: list[Deferred[Inventory]] = []
        first = self.ask()
        first.addCallback(lambda _: again.append(self.ask()))
        self.thread.go_on()
        self.assertEqual(self.successResultOf(again[0]).files, {})
        self.assertEqual(self.thread.count, 1)


class TroubleTests(ListingCase):
    def hold(self, count: int) -> None:
        """Makes the folder one with so many packages."""
        files = [FoundFile(f"a{number}-1-1-any.pkg.tar", False, 1, 0.0, number) for number in range(count)]
        self.patch(listing, "list_folder", lambda folder, limit, known: FolderListing(folder, "", files))

    def test_limit(self) -> None:
        """Of too many files as many are listed as peers take, and it is told once."""
        self.hold(NAMES_LIMIT)
        self.assertEqual(self.warnings(), [])
        self.advance(RESCAN_INTERVAL)
        self.hold(NAMES_LIMIT + 1)
        self.assertRegex("".join(self.warnings()), "more than 100,000 files")
        self.assertEqual(len(self.inventory().files), NAMES_LIMIT)
        self.advance(RESCAN_INTERVAL)
        self.assertEqual(self.warnings(), [])

    def test_missing_folder(self) -> None:
        """A missing folder is told once with what to do, hurts no other folder, is used once it is there, and told again when it has gone again."""
        missing = self.folder / "later"
        self.folders.insert(0, missing)
        self.write()
        self.assertRegex("".join(self.warnings()), f"{missing} can't be read: no such file or directory; .* --cache-dir")
        self.assertEqual(self.inventory().files, {ZLIB: 4})
        self.advance(RESCAN_INTERVAL)
        self.assertEqual(self.warnings(), [])
        missing.mkdir()
        (missing / BASH).write_bytes(b"later")
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.inventory().files, {ZLIB: 4, BASH: 5})
        (missing / BASH).unlink()
        missing.rmdir()
        self.assertEqual(len(self.warnings()), 1)
        self.assertEqual(self.inventory().files, {ZLIB: 4})
