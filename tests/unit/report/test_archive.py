"""Tests for `pacserve.report.archive`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from pacserve.report.archive import Archive
from pacserve.report.ledger import DAY, DAYS, HOURS, Counts, History, no_counts
from pacserve.report.origins import Origin


def day(number: int, size: int = 10) -> Counts:
    """What was counted on a day."""
    counts = no_counts(number * DAY)
    counts.requests[Origin.CACHE], counts.sizes[Origin.CACHE], counts.served = 1, size, 2 * size
    return counts


class ArchiveTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "state" / "history.sqlite"
        self.archive = Archive(str(self.path))

    def test_there_and_back(self) -> None:
        """What was written is read again, a day that was written again in its new form."""
        self.assertEqual(self.archive.read(5.0), History(5.0, [], []))
        self.archive.write(History(1.5, [day(7)], [day(1), day(2)]))
        self.archive.write(History(1.5, [day(7, 5)], [day(2, 30), day(3)]))
        self.assertEqual(self.archive.read(5.0), History(1.5, [day(7, 5)], [day(1), day(2, 30), day(3)]))

    def test_bounded(self) -> None:
        """The oldest days go."""
        self.archive.write(History(0.0, [day(number) for number in range(HOURS + 1)], [day(number) for number in range(DAYS + 10)]))
        self.archive.write(History(0.0, [], [day(DAYS + 10)]))
        history = self.archive.read(0.0)
        days = history.days
        self.assertEqual(len(history.hours), HOURS)
        self.assertEqual((len(days), days[0].began, days[-1].began), (DAYS, 11 * DAY, (DAYS + 10) * DAY))

    def test_damaged(self) -> None:
        """A file that is no database, or one of another version, is set aside."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"not a database at all, and long enough for one" * 100)
        self.assertEqual(self.archive.read(5.0), History(5.0, [], []))
        self.assertTrue(self.path.with_name("history.sqlite.damaged").exists())
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("PRAGMA user_version = 9")
        self.assertEqual(self.archive.read(5.0), History(5.0, [], []))
        self.archive.write(History(1.0, [], [day(1)]))
        self.assertEqual(self.archive.read(5.0), History(1.0, [], [day(1)]))

    def test_strange_rows(self) -> None:
        """Rows of an origin that is not known are left out."""
        self.archive.write(History(1.0, [], [day(1)]))
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("INSERT INTO counted VALUES (?, ?, 'moon', 1, 1)", (DAY, DAY))
        self.assertEqual(self.archive.read(5.0).days, [day(1)])

    def test_no_folder(self) -> None:
        """A folder that can't be made is an OSError."""
        self.path.parent.touch()
        self.assertRaises(OSError, self.archive.read, 5.0)
        self.assertRaises(OSError, self.archive.write, History(5.0, [], [day(1)]))
