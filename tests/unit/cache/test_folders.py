"""Tests for `pacserve.cache.folders`."""

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipUnless

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.folders import SETTLING_TIME, FolderListing, changed_lately, complete, list_folder, open_file, settled, stamp
from pacserve.packages.files import SIGNATURE_LIMIT
from pacserve.packages.names import parse_package_file

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
BASH = "bash-5.2-1-x86_64.pkg.tar.zst"
NOBODY = 65534


class FolderCase(SynchronousTestCase):
    """A package cache, and a count of the descriptors that are open."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        before = self.descriptors()
        self.addCleanup(lambda: self.assertEqual(self.descriptors(), before, "a descriptor was lost"))

    def descriptors(self) -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def write(self, name: str, data: bytes = b"data") -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def make_odd(self) -> None:
        """Everything under a package's name that is no regular file."""
        outside = self.folder / "outside"
        outside.write_bytes(b"secret")
        (self.folder / "link-1-1-any.pkg.tar.zst").symlink_to(outside)
        (self.folder / "dangling-1-1-any.pkg.tar.zst").symlink_to(self.folder / "nowhere")
        (self.folder / "folder-1-1-any.pkg.tar.zst").mkdir()
        os.mkfifo(self.folder / "fifo-1-1-any.pkg.tar.zst")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "socket-1-1-any.pkg.tar.zst"))


class OpenTests(FolderCase):
    def test_regular(self) -> None:
        """A regular file is opened for reading, and what is known of it belongs to what was opened."""
        path = self.write(ZLIB, b"package")
        opened = open_file(str(self.folder), ZLIB)
        assert opened is not None
        file, found = opened
        path.write_bytes(b"another one")
        with file:
            self.assertEqual((file.mode, found.st_size, found.st_ino), ("rb", 7, os.fstat(file.fileno()).st_ino))
            self.assertFalse(os.get_inheritable(file.fileno()))

    def test_missing(self) -> None:
        """There is nothing to open where there is no file, no folder, or a file in the folder's place."""
        path = self.write(BASH)
        for folder in (self.folder, self.folder / "none", path):
            self.assertIsNone(open_file(str(folder), ZLIB))

    def test_odd(self) -> None:
        """Links, folders, FIFOs that nobody writes to, and sockets are not opened, and nothing waits for them."""
        self.make_odd()
        for kind in ("link", "dangling", "folder", "fifo", "socket"):
            self.assertIsNone(open_file(str(self.folder), f"{kind}-1-1-any.pkg.tar.zst"), kind)

    def test_too_long(self) -> None:
        """A name that no file system takes is a file that is not there."""
        self.assertIsNone(open_file(str(self.folder), "a" * 300))


class ListTests(FolderCase):
    def names(self, limit: int = 100) -> list[str]:
        return sorted(found.name for found in list_folder(str(self.folder), limit, {}).files)

    def test_packages(self) -> None:
        """Package files and signatures are listed with size and ctime, complete or not."""
        self.write(f"{ZLIB}.sig", b"")
        path = self.write(ZLIB, b"package")
        listing = list_folder(str(self.folder), 100, {})
        self.assertEqual((listing.folder, listing.trouble), (str(self.folder), ""))
        package, signature = sorted(listing.files, key=lambda found: found.name)
        self.assertEqual((package.name, package.signature, package.size, package.changed), (ZLIB, False, 7, path.stat().st_ctime))
        self.assertEqual((signature.name, signature.signature, signature.size), (f"{ZLIB}.sig", True, 0))

    def test_others(self) -> None:
        """Hidden and partial files, downloads under way, databases and names with odd bytes are left out."""
        for name in (f".{ZLIB}", f"{ZLIB}.part", f"{ZLIB}.sig.part", "core.db", "README", f" {ZLIB}", f"{ZLIB}\n", "z\udcff-1-1-any.pkg.tar.zst"):
            self.write(name)
        (self.folder / "download-a1B2c3").mkdir()
        self.write(f"download-a1B2c3/{ZLIB}")
        self.assertEqual(self.names(), [])

    def test_odd(self) -> None:
        """Links, folders, FIFOs and sockets under a package's name are left out."""
        self.make_odd()
        self.assertEqual(self.names(), [])

    def test_limit(self) -> None:
        """No more files are listed than were asked for."""
        for number in range(5):
            self.write(f"a{number}-1-1-any.pkg.tar.zst")
        self.assertEqual([len(self.names(limit)) for limit in (1, 4, 5, 6)], [1, 4, 5, 5])

    def test_missing(self) -> None:
        """A folder that can't be read is empty, and the listing says why."""
        missing = str(self.folder / "none")
        self.assertEqual(list_folder(missing, 100, {}), FolderListing(missing, "no such file or directory", ()))
        self.assertEqual(list_folder(str(self.write(ZLIB)), 100, {}).trouble, "not a directory")

    @skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_unreadable(self) -> None:
        """What this user may not read is neither opened nor listed, a folder that is closed to it is empty, and what root may read is."""
        secret, closed = self.write(ZLIB), self.folder / "closed"
        secret.chmod(0o600)
        self.write(BASH).chmod(0o644)
        closed.mkdir(mode=0o700)
        self.folder.chmod(0o755)
        self.assertEqual(self.names(), [BASH, ZLIB])

        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                openable = [name for name in (BASH, ZLIB) if open_file(str(self.folder), name) is not None]
                if self.names() == openable == [BASH] and list_folder(str(closed), 100, {}).trouble == "permission denied":
                    status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    @given(
        st.lists(
            st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40)
            | st.from_regex(r"[a.-]{1,3}-1-1-any\.pkg\.tar(\.xz)?(\.sig|\.part|\n)?", fullmatch=True),
            max_size=5,
        )
    )
    def test_any_names(self, names: list[str]) -> None:
        """Whatever names a folder holds, those that pass the grammar are listed and open, and no others."""
        with TemporaryDirectory() as folder:
            written = {name for name in names if name not in (".", "..")}
            for name in written:
                (Path(folder) / name).write_bytes(b"x")
            listed = {found.name for found in list_folder(folder, 100, {}).files}
            self.assertEqual(listed, {name for name in written if parse_package_file(name) is not None})


class StampTests(FolderCase):
    def test_changes(self) -> None:
        """The stamp changes when a name comes or goes, and there is none without a folder."""
        path = self.write(ZLIB)
        for change in (path.unlink, lambda: self.write(ZLIB)):
            os.utime(self.folder, (1, 1))
            self.assertEqual(stamp(str(self.folder)), 10**9)
            change()
            self.assertNotEqual(stamp(str(self.folder)), 10**9)
        self.assertIsNone(stamp(str(self.folder / "none")))


SIZES = st.integers(0, 1 << 50)
TIMES = st.floats(-1e10, 1e11)
OLD = 1000.0
NOW = OLD + SETTLING_TIME


class PackageTests(SynchronousTestCase):
    @given(SIZES, TIMES, TIMES, st.lists(SIZES, min_size=1, max_size=4))
    @example(7, NOW, NOW, [7])
    @example(7, OLD, NOW, [8])
    def test_stated(self, size: int, changed: float, now: float, stated: list[int]) -> None:
        """Where a database states a size, that alone decides, and neither age nor another size does."""
        self.assertEqual(complete(size, changed, now, stated, signature=False), size in stated)

    @given(SIZES, TIMES, TIMES)
    def test_not_stated(self, size: int, changed: float, now: float) -> None:
        """Where none does, a file is complete when it is not empty and has not changed for two seconds."""
        self.assertEqual(complete(size, changed, now, (), signature=False), size > 0 and abs(now - changed) >= SETTLING_TIME)

    def test_table(self) -> None:
        """Size and age count, each on its own."""
        for size, changed, expected in ((1, OLD, True), (0, OLD, False), (1, OLD + 0.01, False), (0, NOW, False), (1, NOW, False)):
            self.assertIs(complete(size, changed, NOW, (), signature=False), expected)

    def test_several(self) -> None:
        """Any of the sizes that several databases state will do."""
        self.assertTrue(complete(2, NOW, NOW, (1, 2), signature=False))
        self.assertFalse(complete(3, OLD, NOW, (1, 2), signature=False))


class SignatureTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """A signature has at least one byte and at most as many as pacman takes."""
        for size, expected in ((0, False), (1, True), (SIGNATURE_LIMIT, True), (SIGNATURE_LIMIT + 1, False)):
            self.assertIs(complete(size, OLD, NOW, (), signature=True), expected)
        self.assertEqual(SIGNATURE_LIMIT, 16384)

    def test_unsettled(self) -> None:
        """A signature that has just been written is not complete."""
        self.assertFalse(complete(100, NOW, NOW, (), signature=True))

    @given(SIZES, TIMES, TIMES, st.lists(SIZES, max_size=4))
    def test_stated(self, size: int, changed: float, now: float, stated: list[int]) -> None:
        """What databases state of a signature's name is nothing."""
        self.assertEqual(complete(size, changed, now, stated, signature=True), complete(size, changed, now, (), signature=True))


class TimeTests(SynchronousTestCase):
    @given(TIMES, TIMES)
    def test_clock(self, changed: float, now: float) -> None:
        """A file is young for at most two seconds to either side, so a clock that jumps hides it no longer than that."""
        self.assertEqual(changed_lately(changed, now), -SETTLING_TIME < now - changed < SETTLING_TIME)

    def test_set_back(self) -> None:
        """A ctime that is years ahead of the clock is no reason to hide a file."""
        self.assertTrue(settled(1, 2e9, 1e9))
        self.assertFalse(settled(1, 1e9 + 1, 1e9))
