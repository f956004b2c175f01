"""Tests for `pacserve.pacman.kept_tables`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError
from pacserve.packages.kept_files import Stamp
from pacserve.pacman.kept_tables import KeptTables
from pacserve.pacman.tables import StatedPackage, Table
from tests.fakes.tables import table

ZLIB = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
STAMP = (1, 2, 3)


class KeptTablesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "state" / "databases"
        self.kept = KeptTables(str(self.folder))

    def keep(self, repo: str, size: int = 7) -> None:
        """Keeps a table with one package."""
        self.successResultOf(self.made(repo, table(STAMP, StatedPackage(ZLIB, size)).output)).close()

    def made(self, repo: str, content: bytes) -> Deferred[Table]:
        """Has a table written."""

        async def write(descriptor: int) -> None:
            os.write(descriptor, content)

        making: Deferred[Table] = Deferred.fromCoroutine(self.kept.made(repo, write))
        return making

    def known(self, repo: str, stamp: Stamp = STAMP) -> int | None:
        """The size of the one package in the table that is kept."""
        found = self.kept.find(repo, stamp)
        if found is None:
            return None
        self.addCleanup(found.close)
        return found.size(ZLIB)

    def test_kept(self) -> None:
        """A table is found again for its repository and its version of the database, and for no other; the next one takes its place."""
        for repo in ("core", "../core", "a/b", ".."):
            self.assertIsNone(self.known(repo))
            self.keep(repo)
            self.assertEqual(self.known(repo), 7)
        self.assertEqual((self.known("extra"), self.known("core", (1, 2, 4))), (None, None))
        self.keep("core", 8)
        self.assertEqual(self.known("core"), 8)
        self.assertEqual(len(list(self.folder.parent.rglob("*.table*"))), 4)

    def test_not_finished(self) -> None:
        """A daemon that was killed while a table was written leaves nothing that is found, or stands in the way of the next one."""
        self.folder.mkdir(parents=True)
        (self.folder / "core.table.new").write_bytes(b"half of it")
        self.assertIsNone(self.known("core"))
        self.keep("core")
        self.assertEqual(self.known("core"), 7)

    def test_discarded(self) -> None:
        """A file without a table leaves nothing, and the former table stays."""
        self.keep("core")
        self.failureResultOf(self.made("core", b"no table"), FetchError)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["core.table"])
        self.assertEqual(self.known("core"), 7)

    def test_forgotten(self) -> None:
        """A table that is forgotten is removed; one that is not there may be forgotten as well."""
        self.keep("core")
        for _ in range(2):
            self.kept.forget("core")
            self.assertIsNone(self.known("core"))

    def test_written_by_others(self) -> None:
        """A table that others could have written is not believed: it says which bytes are right."""
        self.keep("core")
        path = self.folder / "core.table"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        for mode in (0o620, 0o602):
            path.chmod(mode)
            self.assertIsNone(self.known("core"))
        path.chmod(0o644)
        self.assertEqual(self.known("core"), 7)
        self.patch(os, "geteuid", lambda: path.stat().st_uid + 1)
        self.assertIsNone(self.known("core"))

    def test_no_file(self) -> None:
        """Links, pipes and folders under the name of a table are not read, and nothing waits for them."""
        self.keep("core")
        (self.folder / "link.table").symlink_to(self.folder / "core.table")
        os.mkfifo(self.folder / "pipe.table", 0o600)
        (self.folder / "folder.table").mkdir()
        (self.folder / "damaged.table").write_bytes(b"x" * 1000)
        self.assertEqual([self.known(repo) for repo in ("link", "pipe", "folder", "damaged")], [None] * 4)

    def test_no_folder(self) -> None:
        """Where the folder can't be made, a table has no name, and can be read all the same."""
        self.folder.parent.write_text("no folder")
        made = self.successResultOf(self.made("core", table(STAMP, StatedPackage(ZLIB, 7)).output))
        self.addCleanup(made.close)
        self.assertEqual(made.size(ZLIB), 7)
        self.failureResultOf(self.made("core", b"no table"), FetchError)
        self.assertIsNone(self.known("core"))
