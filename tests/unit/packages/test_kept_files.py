"""Tests for `pacserve.packages.kept_files`; what a folder of tables does otherwise is tested with those of databases."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError
from pacserve.packages.kept_files import KeptFiles, Stamp, Stamped, stamp_of

STAMP = (1, 2, 3)


class Number(Stamped):
    """A table that is its stamp: one byte."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        content = os.pread(file.fileno(), 2, 0)
        if len(content) != 1:
            file.close()
            raise ValueError("no number")
        self._stamp = (content[0], 2, 3)

    @property
    def stamp(self) -> Stamp:
        return self._stamp

    def close(self) -> None:
        self._file.close()


class KeptFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name, "kept")
        self.kept = KeptFiles(str(self.folder), ".number", Number)

    def keep(self, name: str, content: bytes = b"\1") -> None:
        """Keeps a table."""
        self.successResultOf(self.made(name, content)).close()

    def made(self, name: str, content: bytes, error: Exception | None = None) -> Deferred[Number]:
        """Has a table written."""

        async def write(descriptor: int) -> None:
            os.write(descriptor, content)
            if error is not None:
                raise error

        making: Deferred[Number] = Deferred.fromCoroutine(self.kept.made(name, write))
        return making

    def known(self, name: str) -> bool:
        """Returns whether a table is known."""
        table = self.kept.find(name, STAMP)
        if table is not None:
            table.close()
        return table is not None

    def test_kept(self) -> None:
        """A table is found by its name, whatever characters that has, unless it is of another version or none at all."""
        self.keep("/a/b")
        self.keep("old", b"\7")
        self.keep("damaged")
        (self.folder / "damaged.number").write_bytes(b"text")
        self.assertEqual([self.known(name) for name in ("/a/b", "old", "damaged", "other")], [True, False, False, False])

    def test_not_made(self) -> None:
        """What is no table, and what could not be written, leaves the former table, and no file."""
        self.keep("a")
        for content, error in ((b"text", None), (b"\1", FetchError("no")), (b"\1", OSError(28, "full")), (b"\1", CancelledError())):
            self.failureResultOf(self.made("a", content, error), CancelledError if isinstance(error, CancelledError) else FetchError)
        self.assertEqual(([path.name for path in self.folder.iterdir()], self.known("a")), (["a.number"], True))

    def test_versions(self) -> None:
        """A file has another version when it was written again; what is no file has none, and is not waited for."""
        self.keep("a")
        path = self.folder / "a.number"
        before = stamp_of(str(path))
        path.write_bytes(b"\1\1")
        self.assertNotIn(stamp_of(str(path)), (None, before))
        os.mkfifo(self.folder / "fifo")
        self.assertEqual([stamp_of(str(self.folder / name)) for name in ("fifo", "none", ".")], [None] * 3)

    def test_others_forgotten(self) -> None:
        """The tables of indexes that are gone are removed, and no other file."""
        for name in ("a", "b", "c"):
            self.keep(name)
        (self.folder / "other").touch()
        self.kept.forget_others(["a", "c"])
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["a.number", "c.number", "other"])

    def test_nothing_to_forget(self) -> None:
        """A folder that is not there has nothing to be removed."""
        self.kept.forget_others([])
