"""Tests for `pacserve.apt.archives`."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt import archive_folder, archives
from pacserve.apt.archives import FOLDER_LIFETIME, KEPT_TIME, LOOK_INTERVAL, RESCAN_INTERVAL, REST_RATIO, UNREAD_TIME, Archives, StatedDigests
from pacserve.apt.content import StatedFile
from pacserve.packages.children import ChildOutcome, NotInstalledError
from pacserve.transfer.spool import SpooledFile
from tests.fakes.children import Children

DATA = b"the bytes of a package"


class Lists(StatedDigests):
    """States the files that a test has it state."""

    revision: int = 0

    def __init__(self) -> None:
        self.files: dict[bytes, StatedFile] = {}

    def stated(self, sha256: bytes) -> StatedFile | None:
        return self.files.get(sha256)

    def state(self, data: bytes, label: str = "zlib1g_1.2.13-1_amd64", size: int | None = None) -> str:
        """States a file from now on; returns the name by which hosts share it."""
        digest = sha256(data).digest()
        self.files[digest] = file = StatedFile(len(data) if size is None else size, digest, label)
        self.revision += 1
        return file.name


class ArchivesCase(SynchronousTestCase):
    """A folder of apt's, two minutes after its files were put there."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "archives"
        self.path.mkdir()
        self.digests = f"{folder.name}/state/apt/archives"
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.now = self.path.stat().st_ctime + 2 * UNREAD_TIME
        self.lists = Lists()
        self.apt = Children(self.answer(self.path))
        self.work: list[Any] = []
        self.archives = self.make()

    @staticmethod
    def answer(folder: Path) -> ChildOutcome:
        """What apt says of its folder."""
        return ChildOutcome(0, f"FOLDER='{folder}/'\n".encode(), "")

    def make(self) -> Archives:
        """A daemon's, which looks when a test says so."""
        return Archives(self.apt, self.lists, self.digests, self.in_thread, self.clock, lambda: self.now)

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Does work at once."""
        self.work.append(getattr(work, "func", work))
        return work()

    def put(self, name: str = "zlib1g_1%3a1.2.13-1_amd64.deb", data: bytes = DATA) -> Path:
        """Puts a file into apt's folder, whose mtime shows it."""
        file = self.path / name
        file.write_bytes(data)
        os.utime(self.path, ns=(0, self.path.stat().st_mtime_ns + 1))
        return file

    def start(self) -> None:
        """Starts, and lets all files be read."""
        self.archives.start()
        self.addCleanup(self.archives.stop)
        self.settle()

    def settle(self, seconds: float = 2 * LOOK_INTERVAL) -> None:
        """Lets time pass, on the wall as well."""
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            self.clock.advance(0.05)

    def read(self, name: str, size: int | None = None) -> bytes | None:
        """The content of a file that is offered."""
        held = self.archives.open(name, size)
        if held is None:
            return None
        with held.file as file:
            self.assertEqual((held.name, held.etag), (name, f'"{name.partition("@")[2].removesuffix(".blob")}"'))
            return file.read()

    def hashed(self) -> int:
        """How many parts of files were read."""
        return self.work.count(archive_folder.hash_part)


class ArchivesTests(ArchivesCase):
    def test_offered(self) -> None:
        """A file whose digest the lists state is offered by its content, whatever it is called; others are not."""
        name = self.lists.state(DATA)
        self.put()
        self.put("other_1_all.deb", b"stated nowhere")
        self.start()
        self.assertEqual((dict(self.archives.files()), self.archives.holds(name)), ({name: len(DATA)}, True))
        self.assertEqual((self.read(name), self.read(name, len(DATA)), self.read(name, 1)), (DATA, DATA, None))
        self.assertEqual((self.hashed(), self.archives.revision), (2, 1))

    def test_wrong_size(self) -> None:
        """A list that states another size than the file has is not believed."""
        self.lists.state(DATA, size=5)
        self.put()
        self.start()
        self.assertEqual(self.archives.files(), {})

    def test_twice(self) -> None:
        """Two files of the same content are one."""
        name = self.lists.state(DATA)
        for number in range(2):
            self.put(f"a_{number}_all.deb")
        self.start()
        self.assertEqual((dict(self.archives.files()), self.read(name), self.archives.revision), ({name: len(DATA)}, DATA, 1))

    def test_not_at_once(self) -> None:
        """A file that apt has just put there is left alone for a minute, in which dpkg has work and `apt` removes most of them."""
        name = self.lists.state(DATA)
        self.put()
        self.now -= 1.5 * UNREAD_TIME
        self.start()
        self.assertEqual((self.hashed(), self.archives.files()), (0, {}))
        self.settle(UNREAD_TIME)
        self.assertEqual((self.hashed(), list(self.archives.files())), (1, [name]))

    def test_slowly(self) -> None:
        """Files are read one after the other, in parts with rests between them, and only once."""
        self.patch(archive_folder, "PART_BYTES", 10)
        for number in range(3):
            self.put(f"a_{number}_all.deb", bytes([number]) * 25)
        self.archives.start()
        self.addCleanup(self.archives.stop)
        counts = []
        for _ in range(12):
            counts.append(self.hashed())
            self.settle(0.05)
        self.assertEqual(counts[:10], [*range(1, 10), 9])
        self.settle(3 * RESCAN_INTERVAL)
        self.assertEqual(self.hashed(), 9)

    def test_rests(self) -> None:
        """The longer a part takes, the longer nothing is read: the machine has other work."""
        self.patch(archive_folder, "PART_BYTES", 10)
        self.put()
        taken = 1.0

        async def in_thread(work: Callable[[], Any]) -> Any:
            if getattr(work, "func", None) is archive_folder.hash_part:
                self.work.append(archive_folder.hash_part)
                await deferLater(self.clock, taken)
            return work()

        self.archives = Archives(self.apt, self.lists, self.digests, in_thread, self.clock, lambda: self.now)
        self.start()
        self.assertEqual(self.hashed(), 1)
        self.settle(taken + REST_RATIO * taken - 2 * LOOK_INTERVAL + 0.3)
        self.assertEqual(self.hashed(), 2)

    def test_new_lists(self) -> None:
        """What is offered follows the lists, and no file is read again for that."""
        self.put()
        self.start()
        self.assertEqual(self.archives.files(), {})
        name = self.lists.state(DATA)
        self.settle()
        self.assertEqual((list(self.archives.files()), self.archives.revision), ([name], 1))
        self.lists.files.clear()
        self.lists.revision += 1
        self.settle()
        self.assertEqual((self.archives.files(), self.archives.revision, self.hashed()), ({}, 2, 1))

    def test_lists_being_read(self) -> None:
        """While lists are read, which makes them unknown for a moment, what is offered stays."""
        name = self.lists.state(DATA)
        self.put()
        self.start()
        known = self.lists.files.copy()
        for files in ({}, known):
            self.lists.files = files
            self.lists.revision += 1
            self.settle(LOOK_INTERVAL)
            self.assertEqual((list(self.archives.files()), self.archives.revision), ([name], 1))

    def test_many(self) -> None:
        """Many files are looked up some at a time, and offered so while they are read."""
        names = set()
        for number in range(250):
            names.add(self.lists.state(str(number).encode(), f"a_{number}_all"))
            self.put(f"a_{number}_all.deb", str(number).encode())
        self.start()
        counts = set()
        for _ in range(15):
            self.settle(1)
            counts.add(len(self.archives.files()))
        self.assertEqual((len(counts), max(counts), self.archives.revision), (4, 250, 3))
        self.lists.files.popitem()
        self.lists.revision += 1
        revision = self.archives.revision
        self.settle()
        self.assertEqual((len(self.archives.files()), self.archives.revision), (249, revision + 1))
        self.assertLess(set(self.archives.files()), names)

    def test_removed(self) -> None:
        """A file that apt removes is not opened any more at once, and soon not offered; nor is one that took its name."""
        name = self.lists.state(DATA)
        file = self.put()
        self.start()
        file.unlink()
        self.assertIsNone(self.read(name))
        self.assertEqual(list(self.archives.files()), [name])
        self.put(data=b"another build of it...")
        self.assertIsNone(self.read(name))
        self.settle()
        self.assertEqual((self.archives.files(), self.archives.holds(name)), ({}, False))

    def test_overwritten_in_place(self) -> None:
        """A file that is overwritten in place, which its folder does not show, is noticed within a minute."""
        self.lists.state(DATA)
        file = self.put()
        self.start()
        with file.open("r+b") as opened:
            opened.write(b"x")
        os.utime(file, ns=(0, 1))
        other = self.lists.state(b"x" + DATA[1:], "other_1_all")
        self.lists.files.pop(sha256(DATA).digest())
        self.now += UNREAD_TIME
        self.settle(RESCAN_INTERVAL + 2 * LOOK_INTERVAL)
        self.assertEqual((list(self.archives.files()), self.read(other)), ([other], b"x" + DATA[1:]))

    def test_folder_unchanged(self) -> None:
        """A folder that did not change is not read again, but for once a minute."""
        self.start()
        before = self.work.count(archive_folder.list_archives)
        self.settle(RESCAN_INTERVAL * 2)
        self.assertLessEqual(self.work.count(archive_folder.list_archives) - before, 2)
        self.put()
        self.settle()
        self.assertLessEqual(self.work.count(archive_folder.list_archives) - before, 3)

    def test_folder_changed_lately(self) -> None:
        """A folder that changed a moment ago is read again: the clock of its mtime is coarse."""
        self.now = self.path.stat().st_mtime
        self.start()
        self.assertEqual(self.work.count(archive_folder.list_archives), 2)
        self.settle(2 * LOOK_INTERVAL)
        self.assertEqual(self.work.count(archive_folder.list_archives), 2)

    def test_forgotten(self) -> None:
        """The digest of a file that is gone is not kept."""
        file = self.put()
        self.start()
        file.unlink()
        self.put("a_1_all.deb", b"other")
        self.settle()
        (known,) = archive_folder.read_digests(self.digests).values()
        self.assertEqual(known, sha256(b"other").digest())

    def test_unreadable(self) -> None:
        """A file that can't be read is tried once."""
        self.put()
        calls = []

        def hash_part(*arguments: object) -> None:
            calls.append(arguments)

        self.patch(archives, "hash_part", hash_part)
        self.start()
        self.settle(2 * RESCAN_INTERVAL)
        self.assertEqual((len(calls), self.archives.files()), (1, {}))

    def test_restart(self) -> None:
        """After a restart no file is read that is as it was; where the digests are damaged all are."""
        name = self.lists.state(DATA)
        self.put()
        self.start()
        self.archives.stop()
        for damaged, parts in ((False, 1), (True, 2)):
            if damaged:
                Path(self.digests).write_bytes(b"damaged")
            self.archives = self.make()
            self.start()
            self.assertEqual((self.read(name), self.hashed()), (DATA, parts))
            self.archives.stop()

    def test_stopped(self) -> None:
        """While a file is read the daemon may stop: nothing goes on, and what is known is kept."""
        self.patch(archive_folder, "PART_BYTES", 10)
        self.put("a_1_all.deb", b"short")
        self.put()
        self.archives.start()
        self.settle(0.05)
        self.archives.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(archive_folder.read_digests(self.digests)), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_no_apt(self) -> None:
        """Without apt, or without a word of it, there is nothing, and apt is asked again some time later."""
        name = self.lists.state(DATA)
        self.put()
        self.apt.answer = NotInstalledError("apt-config")
        self.start()
        self.assertEqual((self.archives.files(), self.read(name), len(self.apt.commands)), ({}, None, 1))
        self.apt.answer = self.answer(self.path)
        self.settle(FOLDER_LIFETIME)
        self.assertEqual((list(self.archives.files()), len(self.apt.commands)), ([name], 2))
        self.apt.answer = NotInstalledError("apt-config")
        self.settle(FOLDER_LIFETIME)
        self.assertEqual(list(self.archives.files()), [name])

    def test_another_folder(self) -> None:
        """When apt's configuration names another folder, that one counts."""
        name = self.lists.state(DATA)
        self.put()
        self.start()
        self.apt.answer = self.answer(self.path.parent / "empty")
        self.settle(FOLDER_LIFETIME)
        self.assertEqual((self.archives.files(), self.read(name)), ({}, None))
        self.apt.answer = self.answer(self.path)
        self.settle(FOLDER_LIFETIME)
        self.assertEqual(list(self.archives.files()), [name])
        self.apt.answer = ChildOutcome(0, b"", "")
        self.settle(FOLDER_LIFETIME)
        self.assertEqual((self.archives.files(), self.read(name)), ({}, None))


class KeptTests(ArchivesCase):
    def setUp(self) -> None:
        super().setUp()
        self.name = self.lists.state(DATA)
        self.file = self.put()
        self.start()
        self.now = self.file.stat().st_ctime + KEPT_TIME + 1

    def kept(self, size: int = len(DATA), identity: tuple[int, int] = (0, 0)) -> float | None:
        """When apt put a file of the spool into its folder."""
        return self.archives.kept(SpooledFile(self.name, size, 0.0, identity))

    def test_kept(self) -> None:
        """A file that has been there for an hour is kept by apt."""
        self.assertEqual(self.kept(), self.file.stat().st_ctime)
        self.now -= 2
        self.assertIsNone(self.kept())

    def test_clock_set_back(self) -> None:
        """A time far ahead counts as old: a file must not be stored twice until the clock has caught up."""
        self.now = self.file.stat().st_ctime - KEPT_TIME - 1
        self.assertIsNotNone(self.kept())

    def test_another_file(self) -> None:
        """A file of another size or name, one that is gone, and the file of the spool itself by a hard link store nothing twice."""
        found = self.file.stat()
        self.assertIsNone(self.kept(size=1))
        self.assertIsNone(self.kept(identity=(found.st_dev, found.st_ino)))
        self.assertIsNone(self.archives.kept(SpooledFile("other", len(DATA), 0.0, (0, 0))))
        self.file.unlink()
        self.assertIsNone(self.kept())


class ThreadTests(ArchivesCase):
    def test_slow_disk(self) -> None:
        """While a disk does not answer nothing else is begun, and the daemon stops all the same."""
        waiting: Deferred[None] = Deferred()

        async def hang(work: Callable[[], Any]) -> Any:
            self.work.append(work)
            await waiting

        self.archives = Archives(self.apt, self.lists, self.digests, hang, self.clock, lambda: self.now)
        self.start()
        self.settle(RESCAN_INTERVAL)
        self.assertEqual(len(self.work), 1)
        self.archives.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
