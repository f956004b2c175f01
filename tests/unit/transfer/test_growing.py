"""Tests for `pacserve.transfer.growing`."""

from __future__ import annotations

import errno
import hashlib
import os
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.transfer.stores import KeptFile
from tests.fakes.notes import Notes


def _pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """Data in pieces of these sizes, the last one the rest."""
    pieces, offset = [], 0
    for size in sizes:
        pieces.append(data[offset : offset + size])
        offset += size
    return [*pieces, data[offset:]]


class GrowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.count = 0

    def growing(self, size: int | None = None, predecessor: GrowingFile | None = None) -> GrowingFile:
        """A file that is empty yet."""
        self.count += 1
        growing = GrowingFile(FileIO(self.folder / f"{self.count}", "x+b"), size, predecessor)
        self.addCleanup(growing.close)
        return growing


class WriteTests(GrowingCase):
    @given(st.binary(max_size=300), st.lists(st.integers(0, 100), max_size=5))
    def test_digest(self, data: bytes, sizes: list[int]) -> None:
        """The bytes that were written are there, and their digest is known, whatever pieces they came in."""
        file = self.growing()
        for piece in _pieces(data, sizes):
            file.write(piece)
        self.assertEqual((file.written, file.sha256), (len(data), hashlib.sha256(data).digest()))
        with file.open() as reader:
            self.assertEqual(reader.read(), data)
        file.close()

    def test_reserve(self) -> None:
        """Room is made for all of it, which is no part of what is written; where there is none that is known at once."""
        file = self.growing(5000)
        file.reserve()
        self.assertEqual(((self.folder / "1").stat().st_size, file.written), (5000, 0))
        file.write(b"abc")
        self.assertEqual((self.folder / "1").read_bytes()[:4], b"abc\0")
        huge = self.growing(1 << 62)
        self.assertIn(self.assertRaises(OSError, huge.reserve).errno, (errno.ENOSPC, errno.EFBIG))

    def test_full(self) -> None:
        """A failure to write is raised, and the bytes are not counted as written."""
        file = GrowingFile(FileIO("/dev/full", "r+b"))
        self.addCleanup(file.close)
        self.assertRaises(OSError, file.write, b"abc")
        self.assertEqual((file.written, file.sha256), (0, hashlib.sha256(b"").digest()))


class PlaceTests(GrowingCase):
    @given(st.binary(min_size=1, max_size=300), st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80), st.integers(1, 100)), max_size=12))
    def test_in_any_order(self, data: bytes, steps: list[tuple[int, int, int]]) -> None:
        """Bytes may be placed ahead in any order: what is written is always the beginning of the file, and so is the digest."""
        file = self.growing(len(data))
        for offset, count, limit in steps:
            before = file.written
            if offset > before:
                file.place(offset, data[offset : offset + count])
            taken = file.take_in(limit)
            self.assertEqual((taken, file.written), (min(limit, taken), before + taken))
            self.assertEqual(file.sha256, hashlib.sha256(data[: file.written]).digest())
            self.assertTrue(all(first >= file.written for first, _ in file.ahead))
        file.write(data[file.written :])
        self.assertEqual((file.written, file.sha256, list(file.ahead)), (len(data), hashlib.sha256(data).digest(), []))
        with file.open() as reader:
            self.assertEqual(reader.read(), data)
        file.close()

    def test_readers_are_told(self) -> None:
        """Readers hear of bytes that became the next ones, not of those that are placed ahead."""
        file = self.growing(9)
        told = [Deferred.fromCoroutine(file.changed())]
        file.place(3, b"def")
        self.assertEqual((file.take_in(100), told[0].called, file.written), (0, False, 0))
        file.write(b"abc")
        self.assertTrue(told[0].called)
        told.append(Deferred.fromCoroutine(file.changed()))
        self.assertEqual((file.take_in(2), told[1].called, file.written), (2, True, 5))
        self.assertEqual(list(file.ahead), [(5, 6)])

    def test_cut(self) -> None:
        """A file that somebody has cut short is an error, and no digest of nothing."""
        file = self.growing(9)
        file.place(3, b"def")
        file.write(b"abc")
        (self.folder / "1").write_bytes(b"abc")
        with self.assertRaises(OSError):
            file.take_in(100)

    def test_predecessor(self) -> None:
        """A successor knows how far it is the same also by bytes that were placed ahead."""
        before = self.growing()
        before.write(b"abcdef")
        file = self.growing(6, before)
        file.place(3, b"deX")
        file.write(b"abc")
        file.take_in(100)
        self.assertEqual(file.common, 5)


class NewsTests(GrowingCase):
    def test_all_are_told(self) -> None:
        """All who wait are told of each piece, and of the end; one who does not wait any more harms nobody."""
        file = self.growing()
        first, gone, second = (Deferred.fromCoroutine(file.changed()) for _ in range(3))
        gone.cancel()
        self.failureResultOf(gone)
        file.write(b"a")
        for waiting in (first, second):
            self.successResultOf(waiting)
        waiting = Deferred.fromCoroutine(file.changed())
        self.assertNoResult(waiting)
        file.end(Progress.COMPLETE)
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(file.changed()))

    def test_ends_once(self) -> None:
        """The end of a file is decided once."""
        file, other = self.growing(), self.growing()
        file.end(Progress.COMPLETE)
        for progress in Progress:
            file.end(progress)
        other.replace(file)
        other.end(Progress.COMPLETE)
        self.assertEqual((file.progress, other.progress, other.successor), (Progress.COMPLETE, Progress.REPLACED, file))

    def test_again_from_a_callback(self) -> None:
        """A reader that is woken may wait for the next piece at once."""
        file = self.growing()
        told: list[int] = []

        async def follow() -> None:
            while file.progress is Progress.ARRIVING:
                await file.changed()
                told.append(file.written)

        following = Deferred.fromCoroutine(follow())
        for _ in range(3):
            file.write(b"a")
        file.end(Progress.FAILED)
        self.successResultOf(following)
        self.assertEqual(told, [1, 2, 3, 3])


class SuccessorTests(GrowingCase):
    @given(st.binary(max_size=50), st.binary(max_size=50), st.integers(0, 60), st.lists(st.integers(0, 20), max_size=4))
    def test_common(self, common: bytes, before: bytes, offset: int, sizes: list[int]) -> None:
        """A reader is let go on in a successor exactly when all that it was sent is there too, and is kept waiting only while that is not known."""
        after = bytes(byte ^ 1 for byte in before[:1]) + b"rest"
        first = self.growing()
        first.write(common + before)
        successor = self.growing(None, first)
        first.replace(successor)
        for piece in _pieces(common + after, sizes):
            successor.write(piece)
            written = (common + after)[: successor.written]
            if successor.continues(offset):
                self.assertEqual(written[:offset], (common + before)[:offset])
                self.assertLessEqual(offset, len(written))
            elif successor.continues(offset) is None:
                self.assertEqual(written, (common + before)[: len(written)])
                self.assertLess(len(written), offset)
        successor.end(Progress.COMPLETE)
        self.assertEqual(successor.continues(offset), offset <= len(common))
        successor.close()

    def test_same_again(self) -> None:
        """Bytes that are the same again behind a difference are not common."""
        first = self.growing()
        first.write(b"abXdefgh")
        successor = self.growing(None, first)
        first.replace(successor)
        for piece in (b"ab", b"Y", b"def", b"gh"):
            successor.write(piece)
        self.assertEqual((successor.common, successor.continues(2), successor.continues(3), successor.continues(5)), (2, True, False, False))

    def test_room_is_no_content(self) -> None:
        """The room that was made for the predecessor is not what it had."""
        first = self.growing(10)
        first.reserve()
        first.write(b"ab")
        successor = self.growing(10, first)
        first.replace(successor)
        successor.write(b"ab\0\0\0\0\0\0\0\0")
        self.assertEqual((successor.common, successor.continues(2), successor.continues(3)), (2, True, False))

    def test_closed(self) -> None:
        """With a file its predecessors are closed, but not what readers have opened."""
        first = self.growing()
        first.write(b"abc")
        reader = first.open()
        self.addCleanup(reader.close)
        second = self.growing(None, first)
        third = self.growing(None, second)
        third.close()
        self.assertTrue(first.file.closed and second.file.closed and third.file.closed)
        self.assertEqual(reader.read(), b"abc")

    def test_noted(self) -> None:
        """All that is written is noted, once it is on the disk and not before, wherever it belongs."""
        notes = Notes()
        with TemporaryDirectory() as folder, FileIO(f"{folder}/file", "x+b") as file:
            growing = GrowingFile(KeptFile(file, ((2, 4),), False, notes), 20)
            self.assertEqual((growing.written, list(growing.ahead)), (0, [(2, 4)]))
            growing.write(b"ab")
            growing.place(10, b"klm")
            growing.take_in(10)
            growing.write_down()
            growing.hold()
            growing.hold()

            def refuse(*_: object) -> int:
                raise OSError(errno.EIO, "broken")

            self.patch(os, "pwrite", refuse)
            self.assertRaises(OSError, growing.write, b"ef")
            self.assertRaises(OSError, growing.place, 15, b"p")
        self.assertEqual(notes.taken, [(0, 2), (10, 13), "written down", "held"])
        self.assertTrue(growing.held)
