"""Tests for `pacserve.transfer.unverified`, with `pacserve.transfer.spool`."""

import hashlib
import os
from collections.abc import Collection

from pacserve.packages.files import ExpectedFile
from tests.unit.transfer.test_spool import XZ, ZLIB, SpoolCase


class UnverifiedFilesTests(SpoolCase):
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

        again.unverified.verify(expected, certain=True)
        self.assertEqual(self.names(), {ZLIB})
        self.assertEqual(list(again.unverified.files()), [])

    def test_crash_without_databases(self) -> None:
        """A file that no database states stays hidden as long as not every database was read, also over another start, and nothing is lost."""
        spool = self.spool()
        self.put(spool, ZLIB, b"good")
        spool.close()
        (self.spooled / ".clean").unlink()
        again = self.spool()
        for _ in range(2):
            again.unverified.verify(lambda _: (), certain=False)
            self.assertEqual((self.names(), len(again.unverified.files())), (set(), 1))
            again.close()
            again = self.spool()
        again.unverified.verify(lambda _: [ExpectedFile(4, hashlib.sha256(b"good").digest())], certain=False)
        self.assertEqual((self.names(), list(again.unverified.files())), ({ZLIB}, []))

    def test_crash_and_a_fifo(self) -> None:
        """What is no file is not waited for when files are verified."""
        spool = self.spool()
        odd = self.spooled / f".unverified-{ZLIB}"
        for make in (lambda: os.mkfifo(odd), lambda: odd.symlink_to("/dev/zero")):
            make()
            spool.unverified.verify(lambda _: (), certain=True)
            odd.unlink(missing_ok=True)
        self.assertEqual(self.names(), set())

    def test_closed_meanwhile(self) -> None:
        """A spool that was given free is not verified any more: it may be another daemon's."""
        spool = self.spool()
        self.put(spool, ZLIB)
        spool.close()
        (self.spooled / ".clean").unlink()
        again = self.spool()
        again.close()
        again.unverified.verify(lambda _: (), certain=True)
        self.assertEqual(len(again.unverified.files()), 1)
