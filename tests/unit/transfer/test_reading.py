"""Tests for `pacserve.transfer.reading` and `pacserve.transfer.growing`."""

from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer import reading
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.transfer.reading import FIRST_TRICKLE_DELAY, TRICKLE_BYTES, TRICKLE_INTERVAL, DownloadReader


class ReaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        self.count = 0
        self.file = self.growing()
        self.patch(reading, "TRICKLE_RESERVE_BYTES", 0)
        self.reader = DownloadReader(self.file, self.clock)
        self.addCleanup(self.reader.close)

    def growing(self, predecessor: GrowingFile | None = None) -> GrowingFile:
        """A file that is empty yet."""
        self.count += 1
        file = FileIO(self.folder / f"{self.count}", "x+b")
        self.addCleanup(file.close)
        growing = GrowingFile(file, None, predecessor)
        self.addCleanup(growing.close)
        return growing

    def more(self, offset: int) -> Deferred[bool]:
        """Waits for something to read."""
        return Deferred.fromCoroutine(self.reader.more(offset))

    def test_follows(self) -> None:
        """Bytes that have arrived can be read, and the end is known as such."""
        waiting = self.more(0)
        self.assertNoResult(waiting)
        self.file.write(b"abc")
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual((self.reader.read(0, 2), self.reader.read(1, 100), self.reader.read(3, 100)), (b"ab", b"bc", b""))
        waiting = self.more(3)
        self.file.end(Progress.COMPLETE)
        self.assertFalse(self.successResultOf(waiting))
        self.assertTrue(self.successResultOf(self.more(2)))

    def test_failed(self) -> None:
        """A file that failed is read no further, not even what had arrived."""
        self.file.write(b"abc")
        self.file.end(Progress.FAILED)
        self.assertFalse(self.successResultOf(self.more(0)))
        self.assertEqual(self.reader.read(0, 3), b"")

    def test_removed(self) -> None:
        """A file may lose its name, and its writer may be done with it, while it is read."""
        self.file.write(b"abc")
        (self.folder / "1").unlink()
        self.file.end(Progress.COMPLETE)
        self.file.close()
        self.assertEqual(self.reader.read(0, 3), b"abc")

    def test_successor(self) -> None:
        """A reader goes on in the successor once that is known to be the same up to there."""
        self.file.write(b"abcdef")
        successor = self.growing(self.file)
        self.file.replace(successor)
        waiting = self.more(4)
        successor.write(b"abc")
        self.assertNoResult(waiting)
        successor.write(b"defgh")
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(self.reader.read(4, 100), b"efgh")

    def test_other_successor(self) -> None:
        """A reader that was sent something else than the successor has goes no further; one that was not goes on."""
        self.file.write(b"abcdef")
        successor = self.growing(self.file)
        early = DownloadReader(self.file, self.clock)
        self.file.replace(successor)
        late = self.more(4)
        successor.write(b"abXdef")
        self.assertFalse(self.successResultOf(late))
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(early.more(2))))
        self.assertEqual(early.read(2, 10), b"Xdef")
        early.close()

    def test_shorter_successor(self) -> None:
        """A successor that ends before the place where the reader is does not continue it."""
        self.file.write(b"abcdef")
        successor = self.growing(self.file)
        self.file.replace(successor)
        waiting = self.more(6)
        successor.write(b"abcd")
        successor.end(Progress.COMPLETE)
        self.assertFalse(self.successResultOf(waiting))

    def test_held(self) -> None:
        """Bytes that must be checked first are held back, but for a few each second after eight, and sent when the file is complete."""
        self.file.held = True
        self.file.write(bytes(1000))
        waiting = self.more(0)
        self.clock.advance(FIRST_TRICKLE_DELAY - 0.1)
        self.assertNoResult(waiting)
        self.clock.advance(0.1)
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(len(self.reader.read(0, 1000)), TRICKLE_BYTES)
        waiting = self.more(TRICKLE_BYTES)
        self.assertNoResult(waiting)
        self.clock.advance(TRICKLE_INTERVAL)
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(len(self.reader.read(TRICKLE_BYTES, 1000)), TRICKLE_BYTES)
        waiting = self.more(2 * TRICKLE_BYTES)
        self.file.end(Progress.COMPLETE)
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(len(self.reader.read(2 * TRICKLE_BYTES, 2000)), 1000 - 2 * TRICKLE_BYTES)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reserve(self) -> None:
        """While more is to come the end is kept back, and keeps the client waiting when nothing comes; with the next bytes it flows again."""
        self.patch(reading, "TRICKLE_RESERVE_BYTES", 100)
        self.file.write(bytes(1000))
        self.assertTrue(self.successResultOf(self.more(0)))
        self.assertEqual(len(self.reader.read(0, 2000)), 900)
        offset = 900
        for seconds in (FIRST_TRICKLE_DELAY, TRICKLE_INTERVAL, TRICKLE_INTERVAL):
            waiting = self.more(offset)
            self.clock.advance(seconds - 0.1)
            self.assertNoResult(waiting)
            self.clock.advance(0.1)
            self.assertTrue(self.successResultOf(waiting))
            offset += len(self.reader.read(offset, 2000))
        self.assertEqual(offset, 900 + 3 * TRICKLE_BYTES)
        waiting = self.more(offset)
        self.file.write(bytes(1000))
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(len(self.reader.read(offset, 2000)), 1900 - offset)
        waiting = self.more(1900)
        self.clock.advance(FIRST_TRICKLE_DELAY - 0.1)
        self.assertNoResult(waiting)
        self.file.end(Progress.COMPLETE)
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(len(self.reader.read(1900, 2000)), 100)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_catching_up(self) -> None:
        """A client that waits for a successor to get to where it is is kept waiting with the end of what was there, and then goes on."""
        self.patch(reading, "TRICKLE_RESERVE_BYTES", 100)
        data = bytes(range(250)) * 4
        self.file.write(data)
        got = self.reader.read(0, 2000)
        successor = self.growing(self.file)
        self.file.replace(successor)
        for silence in (FIRST_TRICKLE_DELAY, TRICKLE_INTERVAL, TRICKLE_INTERVAL):
            waiting = self.more(len(got))
            self.clock.advance(silence / 2)
            self.assertNoResult(waiting)
            self.clock.advance(silence / 2)
            self.assertTrue(self.successResultOf(waiting))
            got += self.reader.read(len(got), 2000)
        self.assertEqual(len(got), 900 + 3 * TRICKLE_BYTES)
        successor.write(data[:901])
        waiting = self.more(len(got))
        successor.write(data[901:])
        self.assertNoResult(waiting)
        self.file.close()
        successor.end(Progress.COMPLETE)
        self.assertTrue(self.successResultOf(waiting))
        got += self.reader.read(len(got), 2000)
        self.assertEqual(got, data)

    def test_no_more_lies(self) -> None:
        """A client that waits for the successor of a file that was held back gets no more of that."""
        self.file.held = True
        self.file.write(bytes(1000))
        waiting = self.more(0)
        self.clock.advance(FIRST_TRICKLE_DELAY)
        self.reader.read(0, 1000)
        self.file.replace(self.growing(self.file))
        waiting = self.more(TRICKLE_BYTES)
        self.clock.pump([1.0] * 20)
        self.assertNoResult(waiting)
        waiting.cancel()
        self.failureResultOf(waiting)

    def test_held_and_nothing_there(self) -> None:
        """Of what has not arrived nothing is let go, however long that takes."""
        self.file.held = True
        waiting = self.more(0)
        self.clock.pump([1.0] * 30)
        self.assertNoResult(waiting)
        self.file.end(Progress.FAILED)
        self.assertFalse(self.successResultOf(waiting))
