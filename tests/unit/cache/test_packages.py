"""Tests for `pacserve.cache.packages`."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.folders import SETTLING_TIME
from pacserve.cache.packages import CachedPackages
from pacserve.errors import AbsentError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import SIGNATURE_LIMIT, ExpectedFile, FileRequest
from pacserve.packages.inventory import Delta
from pacserve.packages.marks import mark
from pacserve.packages.names import kind_of
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.locations import LocalFile
from tests.fakes.interfaces import Databases

T = TypeVar("T")
ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
SIGNATURE = f"{ZLIB}.sig"


async def at_once(work: Callable[[], T]) -> T:
    """A thread that has done its work before anyone looks."""
    return work()


def wanted(name: str = ZLIB, size: int | None = None) -> Wanted:
    """What a client asks for."""
    return Wanted(FileRequest("core", "x86_64", name, kind_of(name)), size, parse_address("127.0.0.1"))


class PackagesCase(SynchronousTestCase):
    """Two cache folders, a clock on the wall that stands still, and the sizes that databases state."""

    def setUp(self) -> None:
        self.folders: list[Path] = []
        for _ in range(2):
            folder = TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            self.folders.append(Path(folder.name))
        self.first, self.second = self.folders
        self.now = 0.0
        self.packages = self.with_stated({})
        before = self.descriptors()
        self.addCleanup(lambda: self.assertEqual(self.descriptors(), before, "a descriptor was lost"))

    def descriptors(self) -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def with_stated(self, sizes: dict[tuple[str, str], int]) -> CachedPackages:
        """The packages, seen together with databases that state these sizes."""
        return self.beside(Databases(sizes))

    def beside(self, databases: Databases) -> CachedPackages:
        """The packages, seen together with these databases."""
        return CachedPackages(lambda: [str(folder) for folder in self.folders], databases, at_once, Clock(), lambda: self.now)

    def write(self, name: str = ZLIB, data: bytes = b"data", *, folder: Path | None = None, age: float = 60.0) -> Path:
        """Writes a file, and sets the clock on the wall so that it has this age in seconds."""
        path = (folder or self.first) / name
        path.write_bytes(data)
        self.now = path.stat().st_ctime + age
        return path

    def content(self, name: str = ZLIB, size: int | None = None, packages: CachedPackages | None = None) -> bytes | None:
        """What is opened."""
        held = (packages or self.packages).open(name, size)
        if held is None:
            return None
        with held.file as file:
            data = file.read()
            self.assertEqual((held.name, held.size), (name, len(data)))
            return data


class OpenTests(PackagesCase):
    def test_signature_of_another_build(self) -> None:
        """A signature is not given where it is known to sign another file than the databases state."""
        same, other = bytes(32), b"\1" * 32
        self.write(SIGNATURE, b"signature")
        for marks, stated, given in ((False, other, True), (True, same, True), (True, None, True), (True, other, False)):
            if marks:
                with (self.first / SIGNATURE).open("rb") as file:
                    mark(file.fileno(), same)
            databases = Databases({("core", ZLIB): 4})
            databases.digest = stated
            self.assertEqual(self.content(SIGNATURE, packages=self.beside(databases)), b"signature" if given else None)

    def test_package_of_another_build(self) -> None:
        """A package of the spool, which is marked with its SHA-256, is not given where the databases state another one."""
        same, other = bytes(32), b"\1" * 32
        path = self.write()
        with path.open("rb") as file:
            mark(file.fileno(), same)
        for stated, given in ((same, True), (None, True), (other, False)):
            databases = Databases({("core", ZLIB): 4})
            databases.digest = stated
            self.assertEqual(self.content(ZLIB, 4, self.beside(databases)), b"data" if given else None)

    def test_client_that_returns(self) -> None:
        """For a client that comes back a package is read through, once, and is no candidate any more where it is another build."""
        self.write()
        reads: list[int] = []

        async def counted(work: Callable[[], T]) -> T:
            reads.append(1)
            return work()

        packages = CachedPackages(lambda: [str(self.first)], Databases(), counted, Clock(), lambda: self.now)
        for digest, right in ((hashlib.sha256(b"data").digest(), True), (bytes(32), False), (None, True)):
            returned = replace(wanted(ZLIB, 4), visited=frozenset({"cache"}), expected=ExpectedFile(4, digest))
            for _ in range(2):
                (candidate,) = packages.candidates(returned)
                settled = Deferred.fromCoroutine(candidate.settle(0.0))
                if right:
                    location = self.successResultOf(settled)
                    assert isinstance(location, LocalFile)
                    location.held.file.close()
                else:
                    self.failureResultOf(settled, AbsentError)
        self.assertEqual(len(reads), 1)

    def test_new_signature(self) -> None:
        """A signature that nobody marked may still be written; one with a mark was whole when it got its name."""
        self.write(SIGNATURE, b"signature", age=0.0)
        self.assertIsNone(self.content(SIGNATURE))
        with (self.first / SIGNATURE).open("rb") as file:
            mark(file.fileno(), bytes(32))
        self.assertEqual(self.content(SIGNATURE), b"signature")

    def test_signature_beside(self) -> None:
        """Without a mark the package beside tells: in another size than the databases state it is the one of before."""
        packages = self.with_stated({("core", ZLIB): 4})
        self.write(SIGNATURE, b"signature")
        for data, given in ((b"data", True), (b"other data", False)):
            self.write(data=data)
            self.assertEqual(self.content(SIGNATURE, packages=packages), b"signature" if given else None)

    def test_known(self) -> None:
        """An open file comes with its size, its mtime in whole seconds, and a tag that tells it from others."""
        path = self.write()
        os.utime(path, ns=(0, 1_700_000_000_900_000_000))
        tags = set()
        for _ in range(2):
            held = self.packages.open(ZLIB, None)
            assert held is not None
            held.file.close()
            self.assertEqual((held.size, held.modified), (4, 1_700_000_000))
            tags.add(held.etag)
        self.assertEqual(len(tags), 1)
        self.write(data=b"atad")
        held = self.packages.open(ZLIB, None)
        assert held is not None
        held.file.close()
        self.assertNotIn(held.etag, tags)

    def test_wanted_size(self) -> None:
        """The size that is asked for is the only one that will do, however young the file is and whatever other databases state."""
        self.write(age=0.0)
        packages = self.with_stated({("extra", ZLIB): 5})
        self.assertEqual(self.content(size=4, packages=packages), b"data")
        for size in (3, 5, 0):
            self.assertIsNone(self.content(size=size, packages=packages))

    def test_stated_size(self) -> None:
        """When no size is asked for, the file must have one that a database states; it need not be old then."""
        self.write(age=0.0)
        self.assertEqual(self.content(packages=self.with_stated({("core", ZLIB): 9, ("extra", ZLIB): 4})), b"data")
        self.now += 3600
        self.assertIsNone(self.content(packages=self.with_stated({("core", ZLIB): 5})))

    def test_unsettled(self) -> None:
        """A file whose size nobody states is refused until it has not changed for two seconds."""
        self.write(age=0.0)
        self.assertIsNone(self.content())
        self.now += SETTLING_TIME / 2
        self.assertIsNone(self.content())
        self.now += SETTLING_TIME / 2 + 0.01
        self.assertEqual(self.content(), b"data")

    def test_clock_set_back(self) -> None:
        """A clock that was set back by a year hides no file."""
        self.write(age=-365 * 86400.0)
        self.assertEqual(self.content(), b"data")

    def test_old_mtime(self) -> None:
        """A file that is being copied has its final mtime early; its ctime tells that it is young."""
        path = self.write()
        os.utime(path, (1, 1))
        self.now = path.stat().st_ctime
        self.assertIsNone(self.content())

    def test_empty(self) -> None:
        """An empty file is never complete."""
        self.write(data=b"")
        self.assertIsNone(self.content())

    def test_second_folder(self) -> None:
        """Each folder is looked into until one holds the complete file; the first one that does wins."""
        self.write(data=b"second", folder=self.second)
        self.assertEqual(self.content(), b"second")
        self.write(data=b"one")
        self.assertEqual(self.content(), b"one")
        self.assertEqual(self.content(size=6), b"second")

    def test_missing_folder(self) -> None:
        """A folder that is not there does no harm to the next one, and is used once it is there."""
        self.write(data=b"second", folder=self.second)
        missing = self.first / "later"
        self.folders.insert(0, missing)
        self.assertEqual(self.content(), b"second")
        missing.mkdir()
        self.write(data=b"later", folder=missing)
        self.assertEqual(self.content(), b"later")

    def test_deleted(self) -> None:
        """A file that has just been deleted is not held, one that is open stays readable."""
        path = self.write()
        held = self.packages.open(ZLIB, None)
        assert held is not None
        path.unlink()
        self.assertIsNone(self.content())
        with held.file as file:
            self.assertEqual(file.read(), b"data")

    def test_tricks(self) -> None:
        """Names that lead elsewhere, hidden and partial files, downloads under way and other files are never opened, though they are there."""
        download = self.first / "download-a1B2c3"
        download.mkdir()
        names = [f"download-a1B2c3/{ZLIB}", f".{ZLIB}", f"{ZLIB}.part", f"{SIGNATURE}.part", "core.db", f"{ZLIB}\n", "z\udcff-1-1-any.pkg.tar.zst"]
        for name in names:
            self.write(name)
        self.write(folder=self.second)
        self.folders.pop()
        names += [f"../{self.second.name}/{ZLIB}", str(self.second / ZLIB), f"./{ZLIB}", f"{ZLIB}\0", f"download-a1B2c3%2F{ZLIB}", "", ".", ".."]
        for name in names:
            self.assertIsNone(self.packages.open(name, None), name)
            self.assertIsNone(self.packages.open(name, 4), name)

    def test_odd(self) -> None:
        """A link or a folder in the place of a package is passed over, and the next folder is looked into."""
        elsewhere = self.write("elsewhere")
        (self.first / ZLIB).symlink_to(elsewhere)
        (self.first / "a-1-1-any.pkg.tar").mkdir()
        for name in (ZLIB, "a-1-1-any.pkg.tar"):
            self.assertIsNone(self.packages.open(name, None))
            self.write(name, b"real", folder=self.second)
            self.assertEqual(self.content(name), b"real")


class SignatureTests(PackagesCase):
    def test_sizes(self) -> None:
        """A signature has at least one byte and at most 16 KiB, and is held without its package too."""
        for size, expected in ((0, False), (1, True), (SIGNATURE_LIMIT, True), (SIGNATURE_LIMIT + 1, False)):
            self.write(SIGNATURE, b"s" * size)
            self.assertIs(self.content(SIGNATURE) is not None, expected, size)

    def test_any_size(self) -> None:
        """No size is wanted of a signature: what is stated is its package's."""
        self.write(SIGNATURE, b"signature")
        self.assertEqual(self.content(SIGNATURE, 1234), b"signature")

    def test_unsettled(self) -> None:
        """A signature that is being written is not held yet."""
        self.write(SIGNATURE, b"sig", age=0.0)
        self.assertIsNone(self.content(SIGNATURE))


class CandidateTests(PackagesCase):
    def test_held(self) -> None:
        """A file that lies in a folder is a candidate, which gives the open file."""
        self.write(folder=self.second)
        [candidate] = self.packages.candidates(wanted())
        self.assertIs(candidate.rank, Rank.CACHE)
        answer = self.successResultOf(Deferred.fromCoroutine(candidate.settle(0.0)))
        assert isinstance(answer, LocalFile)
        with answer.held.file as file:
            self.assertEqual((file.read(), answer.origin), (b"data", "cache"))

    def test_signature(self) -> None:
        """So is a signature."""
        self.write(SIGNATURE)
        [candidate] = self.packages.candidates(wanted(SIGNATURE))
        answer = self.successResultOf(Deferred.fromCoroutine(candidate.settle(0.0)))
        assert isinstance(answer, LocalFile)
        answer.held.file.close()

    def test_none(self) -> None:
        """What lies in no folder has no candidate, and neither has a database or a package that hosts do not share."""
        for name in (ZLIB, "core.db", "my a-1-1-any.pkg.tar.zst"):
            if name != ZLIB:
                self.write(name)
            self.assertEqual(self.packages.candidates(wanted(name)), ())

    def test_nothing_open(self) -> None:
        """Who only asks for candidates leaves no file open."""
        self.write()
        for _ in range(3):
            self.packages.candidates(wanted())

    def test_other_size(self) -> None:
        """A file of another size, or one that has gone meanwhile, is absent when it comes to giving it."""
        path = self.write()
        [other] = self.packages.candidates(wanted(size=5))
        [gone] = self.packages.candidates(wanted(size=4))
        path.unlink()
        for candidate in (other, gone):
            self.failureResultOf(Deferred.fromCoroutine(candidate.settle(0.0)), AbsentError)


class InventoryTests(PackagesCase):
    def test_held(self) -> None:
        """The inventory lists what can be opened, with the same sizes."""
        self.write(SIGNATURE, b"signature")
        self.write(data=b"second", folder=self.second)
        self.write("a-1-1-any.pkg.tar", b"")
        inventory = self.successResultOf(Deferred.fromCoroutine(self.packages.inventory()))
        self.assertEqual(inventory.files, {ZLIB: 6, SIGNATURE: 9})
        for name, size in inventory.files.items():
            self.assertEqual(len(self.content(name) or b""), size)

    def test_changes(self) -> None:
        """What changed is told since each inventory that was given, and since no other."""
        before = self.successResultOf(Deferred.fromCoroutine(self.packages.inventory()))
        self.write()
        os.utime(self.first, (1, 1))
        after = self.successResultOf(Deferred.fromCoroutine(self.packages.inventory()))
        self.assertEqual(self.packages.changes(before.generation), Delta(before.generation, after.generation, {ZLIB: 4}, ()))
        self.assertIsNone(self.packages.changes(after.generation + 1))
