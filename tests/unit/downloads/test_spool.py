"""Tests for L{pacserve.downloads.spool}."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from pacserve.downloads.spool import Spool
from pacserve.errors import ConfigurationError
from pacserve.model import ExpectedFile

ZLIB, XZ = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst"


class SpoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.spooled = Path(folder.name) / "spool"
        self.folder = self.spooled / "pkg"

    def spool(self, limit: int = 1 << 30) -> Spool:
        """A spool that is open."""
        spool = Spool(str(self.spooled), limit)
        spool.open()
        self.addCleanup(spool.close)
        return spool

    def put(self, spool: Spool, name: str, data: bytes = b"data", modified: int | None = None) -> None:
        """Writes and publishes a file."""
        with spool.create() as file:
            file.write(data)
            spool.publish(file, name, modified)

    def names(self) -> set[str]:
        """What is in the folder and not hidden."""
        return {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}

    def test_published(self) -> None:
        """A file has its name when it is complete, and is hidden before that."""
        spool = self.spool()
        with spool.create() as file:
            self.assertEqual(self.names(), set())
            file.write(b"data")
            spool.publish(file, ZLIB, 1_000_000)
        self.assertEqual(self.names(), {ZLIB})
        self.assertEqual(((self.folder / ZLIB).read_bytes(), (self.folder / ZLIB).stat().st_mtime), (b"data", 1_000_000))

    def test_names(self) -> None:
        """Nothing but a package file is published."""
        spool = self.spool()
        with spool.create() as file:
            for name in ("../evil", "core.db", ".hidden", "a/b", ""):
                self.assertRaises(ValueError, spool.publish, file, name, None)
            spool.discard(file)
            spool.discard(file)
        self.assertEqual((sorted(path.name for path in self.spooled.iterdir()), self.names()), ([".lock", "pkg"], set()))

    def test_locked(self) -> None:
        """A second daemon on the same spool is told so, until the first has ended."""
        first = self.spool()
        error = self.assertRaises(ConfigurationError, Spool(str(self.spooled), 1).open)
        self.assertIn("--spool", str(error))
        first.close()
        self.spool()

    def test_no_folder(self) -> None:
        """A folder that can't be made is named."""
        self.spooled.parent.joinpath("file").touch()
        error = self.assertRaises(ConfigurationError, Spool(str(self.spooled.parent / "file" / "spool"), 1).open)
        self.assertIn("file/spool", str(error))

    def test_removed_while_running(self) -> None:
        """A folder that somebody removes is made again."""
        spool = self.spool()
        (self.spooled / ".lock").unlink()
        self.folder.rmdir()
        self.spooled.rmdir()
        self.assertTrue(spool.has_room(1))
        self.assertRaises(ConfigurationError, Spool(str(self.spooled), 1).open)
        self.put(spool, ZLIB)
        self.assertEqual(self.names(), {ZLIB})

    def test_taken_while_running(self) -> None:
        """When another daemon has made the removed folder anew it is that one's, and this one keeps nothing there."""
        spool = self.spool()
        (self.spooled / ".lock").unlink()
        self.folder.rmdir()
        self.spooled.rmdir()
        self.spool()
        self.assertFalse(spool.has_room(1))
        self.assertRaises(OSError, spool.create)

    def test_clean_end(self) -> None:
        """What a daemon has left that ended well is there at once; what had not arrived wholly is removed."""
        spool = self.spool()
        self.put(spool, ZLIB)
        spool.create().close()
        spool.close()
        self.spool()
        self.assertEqual(({path.name for path in self.spooled.iterdir()}, self.names()), ({"pkg", ".lock"}, {ZLIB}))

    def test_crash(self) -> None:
        """After a crash only files are trusted that are what the databases state, and no other is offered meanwhile."""
        spool = self.spool()
        for name, data in ((ZLIB, b"good"), (XZ, b"torn"), ("old-1-1-any.pkg.tar.zst", b"unknown")):
            self.put(spool, name, data)
        spool.close()
        (self.spooled / ".clean").unlink()  # as after a crash
        again = self.spool()
        self.assertEqual(self.names(), set())

        def expected(name: str) -> Collection[ExpectedFile]:
            return [ExpectedFile(4, hashlib.sha256(b"good").digest())] if name in (ZLIB, XZ) else ()

        again.verify(expected)
        self.assertEqual(self.names(), {ZLIB})
        self.assertEqual(list(self.spooled.glob(".unverified*")), [])

    def test_trim(self) -> None:
        """Beyond the limit the least recently used go, and before them those that a package cache holds as well."""
        spool = self.spool(limit=25)
        for number, name in enumerate("abcd"):
            self.put(spool, f"{name}-1-1-any.pkg.tar.zst", bytes(10))
            os.utime(self.folder / f"{name}-1-1-any.pkg.tar.zst", (1000 + number, 1000 + number))
        removed = spool.trim(lambda name, size: name.startswith("d") and size == 10)
        self.assertEqual([name[0] for name in removed], ["d", "a"])
        self.assertEqual({name[0] for name in self.names()}, {"b", "c"})
        self.assertEqual(spool.trim(lambda name, size: True), [])

    def test_others_files(self) -> None:
        """What is not the spool's is not counted, and stays."""
        spool = self.spool(limit=0)
        (self.folder / "README").write_text("mine")
        spool.trim(lambda name, size: False)
        self.assertEqual(self.names(), {"README"})

    def test_room(self) -> None:
        """A file that the disk does not take is known before it is fetched."""
        spool = self.spool()
        self.assertTrue(spool.has_room(1))
        self.assertFalse(spool.has_room(1 << 60))
