"""Tests for `pacserve.packages.kept_files`; what a folder of tables does otherwise is tested with those of databases."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.kept_files import KeptFiles, Stamp, Stamped

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
        with self.kept.create(name) as file:
            file.write(content)
            self.kept.keep(name, file)

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
        self.keep("none", b"text")
        self.assertEqual([self.known(name) for name in ("/a/b", "old", "none", "other")], [True, False, False, False])

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
