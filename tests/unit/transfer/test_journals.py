"""Tests for `pacserve.transfer.journals`; those of what is read are in `test_unfinished_store`."""

import errno
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.journals import OpenJournal


class OnFullDisk(FileIO):
    """A file that takes nothing more."""

    def write(self, data: object, /) -> int:
        raise OSError(errno.ENOSPC, "full")


class Nearly(FileIO):
    """A file that takes three bytes of each line."""

    def write(self, data: Any, /) -> int:
        return super().write(bytes(data)[:3])


class OpenJournalTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_full(self) -> None:
        """On a full disk nothing is noted, and nothing is raised."""
        file = OnFullDisk(self.folder / "journal", "xb")
        journal = OpenJournal(file, 1)
        journal.add(0, 10)
        journal.add(10, 20)
        self.assertTrue(file.closed)

    def test_half_a_line(self) -> None:
        """Behind half of a line nothing more is written: what follows could not be read."""
        journal = OpenJournal(Nearly(self.folder / "journal", "xb"), 10)
        journal.add(0, 10)
        journal.add(10, 20)
        self.assertEqual((self.folder / "journal").read_bytes(), b"0 1")
