"""Tests for `pacserve.transfer.arrival`."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead
from pacserve.http.partial import Version
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.arrival import Arrival, OtherVersionError, Storage, storage_of
from pacserve.transfer.stores import KeptFile
from tests.fakes.notes import Notes
from tests.unit.transfer.simulator import MODIFIED, Behaviour, SimulatedMirror

DATA = b"x" * 1000
MOST = 2000
ROOM = 1500


@dataclass(frozen=True)
class Head(AnswerHead):
    """The head of an answer."""

    status: int = 200
    length: int | None = len(DATA)
    headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


class ArrivalTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.source = SimulatedMirror(Clock(), 1, Behaviour())
        self.other = SimulatedMirror(Clock(), 2, Behaviour())

    def create(self) -> FileIO:
        """A new file."""
        file = FileIO(self.folder / str(len(list(self.folder.iterdir()))), "x+b")
        self.addCleanup(file.close)
        return file

    def arrival(self, expected: ExpectedFile | None = None) -> Arrival:
        """Nothing has arrived yet."""
        return Arrival(expected, Storage(self.create, lambda size: size <= ROOM, MOST))

    def test_kept(self) -> None:
        """Of bytes that an earlier download brought no validator is known: the size has to do, and they are nobody's."""
        kept = KeptFile(self.create(), ((0, 3),), False, Notes())
        kept.file.write(DATA[:3])
        arrival = Arrival(ExpectedFile(len(DATA), sha256(DATA).digest()), Storage(self.create, keep=lambda: kept))
        arrival.file.take_in(3)
        size = len(DATA)
        fields = {"Content-Range": f"bytes 3-{size - 1}/{size}", "ETag": '"new"'}
        self.assertFalse(arrival.is_continued_by(self.source, Head(206, None, {"Content-Range": f"bytes 3-{size}/{size + 1}"})))
        self.assertFalse(arrival.is_continued_by(self.source, Head(206, None, {"Content-Range": f"bytes 2-{size - 1}/{size}"})))
        self.assertTrue(arrival.is_continued_by(self.source, Head(206, None, fields)))
        arrival.begin(self.source, Head(206, None, fields))
        self.assertEqual(arrival.version, Version(size, '"new"', ""))
        self.assertEqual(arrival.request_headers(self.source), {"Range": "bytes=3-", "If-Range": '"new"'})
        arrival.add(self.source, DATA[3:])
        self.assertFalse(arrival.is_all_from(self.source))
        arrival.finish()

    def test_beginning(self) -> None:
        """A file that can't be what it is taken for is a lie, however well its size fits."""
        arrival = Arrival(None, storage_of("a.pkg.tar.zst.sig", self.create, lambda _: True))
        arrival.begin(self.source, Head(length=6))
        arrival.add(self.source, b"<html>")
        with self.assertRaises(IntegrityError):
            arrival.finish()
        arrival.restart()
        arrival.begin(self.source, Head(length=6))
        arrival.add(self.source, b"\x88\x75\x04\0\0\0")
        arrival.finish()

    def test_authoritative(self) -> None:
        """A file is a mirror's as long as every byte of it came from one."""
        arrival = self.arrival()
        self.other.authoritative = False
        arrival.begin(self.source, Head())
        arrival.add(self.source, DATA[:500])
        self.assertTrue(arrival.authoritative)
        arrival.add(self.other, DATA[500:600])
        arrival.add(self.source, DATA[600:])
        self.assertFalse(arrival.authoritative)
        arrival.restart()
        self.assertTrue(arrival.authoritative)

    def room(self) -> int:
        """The bytes that the files take of the disk, as far as they are not full of nothing."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def test_too_large(self) -> None:
        """A source that states a size for which there is no room, or that nothing of the kind has, is not believed, and takes no room."""
        for length in (ROOM + 1, MOST + 1, 10**15):
            self.assertRaises(FetchError, self.arrival().begin, self.source, Head(length=length))
        self.assertEqual(self.room(), 0)

    def test_too_much(self) -> None:
        """Of a file whose size nobody states no more is taken than there may be."""
        arrival = self.arrival()
        arrival.begin(self.source, Head(length=None))
        arrival.add(self.source, bytes(MOST))
        self.assertRaises(IntegrityError, arrival.add, self.source, b"x")

    def test_begun_again(self) -> None:
        """However often a file is begun again, no more of the disk is taken than two files need."""
        arrival = self.arrival(ExpectedFile(len(DATA), None))
        for _ in range(5):
            arrival.begin(self.source, Head())
            arrival.file.reserve()
            arrival.add(self.source, DATA[:10])
            arrival.restart()
        self.assertEqual(len(arrival.files), 6)
        self.assertLessEqual(self.room(), 2 * len(DATA))

    def test_other_version(self) -> None:
        """An answer that can't be shown to be the same file is no continuation; its source may be asked for the whole file."""
        arrival = self.arrival()
        arrival.begin(self.source, Head(headers={"ETag": '"a"'}))
        arrival.add(self.source, DATA[:10])
        head = Head(206, 990, {"Content-Range": "bytes 10-999/1000", "ETag": '"b"'})
        self.assertRaises(OtherVersionError, arrival.begin, self.other, head)
        self.assertEqual((arrival.file.written, arrival.request_headers(self.other)), (0, {}))
        arrival.begin(self.other, Head(headers={"ETag": '"b"'}))
        arrival.add(self.other, DATA[:10])
        self.assertEqual(arrival.request_headers(self.source), {"Range": "bytes=10-"})  # what it gave is not here any more

    def test_changed(self) -> None:
        """A source that states another strong entity tag than before has another file now, whatever else is equal, and gives the whole one."""
        dated = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        for tag, goes_on in (('"a"', True), ('W/"b"', True), ("", True), ('"b"', False)):
            arrival = self.arrival()
            arrival.begin(self.source, Head(headers={**dated, "ETag": '"a"'}))
            arrival.add(self.source, DATA[:10])
            head = Head(206, 990, {**dated, "Content-Range": "bytes 10-999/1000", **({"ETag": tag} if tag else {})})
            self.assertIs(arrival.is_continued_by(self.source, head), goes_on)
            self.assertTrue(arrival.is_continued_by(self.other, head))  # the tags of two hosts may differ
            if not goes_on:
                self.assertRaises(OtherVersionError, arrival.begin, self.source, head)
                self.assertEqual((arrival.file.written, arrival.request_headers(self.source)), (0, {}))
                arrival.begin(self.source, Head(headers={**dated, "ETag": tag}))
                arrival.add(self.source, DATA[:10])
                self.assertEqual(arrival.request_headers(self.source), {"Range": "bytes=10-", "If-Range": tag})

    def test_changed_after_another(self) -> None:
        """The tag of a source counts as well when another one went on in between, and that one's does from then on."""
        dated = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        arrival = self.arrival()
        arrival.begin(self.source, Head(headers={**dated, "ETag": '"a"'}))
        arrival.add(self.source, DATA[:10])
        arrival.begin(self.other, Head(206, 990, {**dated, "Content-Range": "bytes 10-999/1000", "ETag": '"x"'}))
        arrival.add(self.other, DATA[10:20])
        for source, tag in ((self.source, '"a"'), (self.other, '"x"')):
            self.assertEqual(arrival.request_headers(source), {"Range": "bytes=20-", "If-Range": tag})
            changed = Head(206, 980, {**dated, "Content-Range": "bytes 20-999/1000", "ETag": '"b"'})
            self.assertFalse(arrival.is_continued_by(source, changed))

    def test_goes_on(self) -> None:
        """An equal validator and size go on; of what came from several nobody knows who was wrong."""
        arrival = self.arrival(ExpectedFile(len(DATA), sha256(DATA).digest()))
        arrival.begin(self.source, Head(headers={"ETag": '"a"'}))
        arrival.add(self.source, DATA[:10])
        self.assertEqual((arrival.request_headers(self.other), arrival.missing), ({"Range": "bytes=10-"}, 990))
        self.assertTrue(arrival.is_all_from(self.source))
        arrival.begin(self.other, Head(206, 990, {"Content-Range": "bytes 10-999/1000", "ETag": '"a"'}))
        arrival.add(self.other, DATA[10:])
        arrival.finish()
        self.assertEqual((arrival.giver, arrival.is_all_from(self.source), arrival.all_here), (self.other.label, False, True))

    def part(self, status: int = 206, stated: str = "bytes 300-599/1000", etag: str = "", modified: str = MODIFIED) -> Head:
        """An answer that holds a part of the file."""
        return Head(status, 300, {"Content-Range": stated, "Last-Modified": modified, "ETag": etag})

    def test_parts(self) -> None:
        """Parts of several sources may come in any order; each byte is that of its source."""
        arrival = self.arrival(ExpectedFile(1000, sha256(DATA).digest()))
        arrival.begin_part(self.source, self.part(etag='"a"'), 300, 600)
        arrival.begin_part(self.other, self.part(stated="bytes 0-299/1000", etag='"b"'), 0, 300)
        self.assertEqual(arrival.part_headers(self.source, 600, 1000), {"Range": "bytes=600-999", "If-Range": '"a"'})
        arrival.place(self.source, 300, DATA[300:600])
        self.assertEqual((arrival.missing, arrival.total), (1000, 300))
        arrival.place(self.other, 0, DATA[:300])
        self.assertEqual(arrival.file.take_in(1000), 300)
        self.assertEqual((arrival.missing, arrival.total, arrival.giver), (400, 600, self.other.label))
        self.assertEqual(arrival.givers.shares, {self.other.label: 300, self.source.label: 300})
        self.assertFalse(arrival.is_all_from(self.other))
        arrival.place(self.source, 600, DATA[600:])
        arrival.finish()

    def test_other_parts(self) -> None:
        """Of another part, another size, another version, and of no part at all nothing is taken."""
        arrival = self.arrival(ExpectedFile(1000, sha256(DATA).digest()))
        arrival.begin_part(self.source, self.part(etag='"a"'), 300, 600)
        for answer in (
            self.part(200),
            self.part(stated="bytes 300-598/1000"),
            self.part(stated="bytes 299-599/1000"),
            self.part(stated="bytes 300-599/1001"),
            self.part(stated="bytes 300-599/*"),
            self.part(stated=""),
        ):
            with self.assertRaises(FetchError):
                arrival.begin_part(self.other, answer, 300, 600)
        later = "Fri, 02 Jan 2026 00:00:00 GMT"
        for source, answer in (
            (self.other, self.part(modified=later)),
            (self.other, self.part(modified="")),
            (self.source, self.part(etag='"changed"')),
        ):
            with self.assertRaises(OtherVersionError):
                arrival.begin_part(source, answer, 300, 600)

    def test_no_validators(self) -> None:
        """Mirrors that state no validator at all are told apart by the size only: the digest decides in the end."""
        arrival = self.arrival(ExpectedFile(1000, sha256(DATA).digest()))
        for source in (self.source, self.other):
            arrival.begin_part(source, Head(206, 300, {"Content-Range": "bytes 300-599/1000"}), 300, 600)
