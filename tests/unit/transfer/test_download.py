"""Tests for `pacserve.transfer.download`."""

import hashlib
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.rate import Limits
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.arrival import Arrival, Storage
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY, STALL_TIMEOUT
from pacserve.transfer.download import Download
from pacserve.transfer.growing import GrowingFile
from pacserve.transfer.reading import TRICKLE_RESERVE_BYTES, DownloadReader
from pacserve.transfer.terms import Terms
from tests.fakes.lateness import LateBy
from tests.fakes.upstreams import Mirror

DATA = bytes(range(256)) * 40
OTHER = DATA[:5000] + bytes(len(DATA) - 5000)
EXPECTED = ExpectedFile(len(DATA), hashlib.sha256(DATA).digest())
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"


class Reader:
    """
    Reads what arrives, as a client would be sent it.

    Attributes:
        got: What it was sent.
        ended: Whether that was all; None while more may come.
    """

    def __init__(self, file: GrowingFile, clock: Clock) -> None:
        self.got = b""
        self.ended: bool | None = None
        Deferred.fromCoroutine(self._read(DownloadReader(file, clock)))

    async def _read(self, reader: DownloadReader) -> None:
        while await reader.more(len(self.got)):
            self.got += reader.read(len(self.got), 3000)
        self.ended = reader.whole
        reader.close()


class DownloadCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = self.top = Path(folder.name)
        self.clock = Clock()
        self.files: list[FileIO] = []

    def create(self) -> FileIO:
        """A new file of the spool."""
        self.files.append(FileIO(self.folder / f"{len(self.files)}", "x+b"))
        self.addCleanup(self.files[-1].close)
        return self.files[-1]

    def mirror(self, data: bytes = DATA, label: str = "mirror", **faults: object) -> Mirror:
        """A mirror."""
        return Mirror(self.clock, label, data, **faults)

    def download(self, *mirrors: Mirror, expected: ExpectedFile | None = EXPECTED) -> Download:
        """A download that has not begun."""
        return Download(NAME, Arrival(expected, Storage(self.create)), mirrors, self.clock, Terms())

    def fetch(self, *mirrors: Mirror, expected: ExpectedFile | None = EXPECTED) -> tuple[Reader, Deferred[None], Download]:
        """Fetches with a reader that was there from the start, to the end."""
        download = self.download(*mirrors, expected=expected)
        reader = Reader(download.file, self.clock)
        running = Deferred.fromCoroutine(download.run())
        self.clock.pump([0.5] * 100)
        return reader, running, download


class GoodTests(DownloadCase):
    def test_whole(self) -> None:
        """A file is fetched once, for those who were there first and those who come late."""
        mirror = self.mirror()
        reader, running, download = self.fetch(mirror)
        self.successResultOf(running)
        late = Reader(download.file, self.clock)
        for one in (reader, late):
            self.assertEqual((one.got, one.ended), (DATA, True))
        self.assertEqual((mirror.asked, mirror.verdicts), ([{}], ["succeeded"]))

    def test_no_length(self) -> None:
        """A file whose size the mirror does not state is fetched, whether a database knows it or not."""
        for expected in (EXPECTED, None):
            reader, running, download = self.fetch(self.mirror(unstated=True), expected=expected)
            self.successResultOf(running)
            self.assertEqual((reader.got, reader.ended, download.file.size), (DATA, True, len(DATA)))

    def test_unknown(self) -> None:
        """A file that no database knows is fetched as the mirror has it."""
        reader, running, _ = self.fetch(self.mirror(OTHER), expected=None)
        self.successResultOf(running)
        self.assertEqual((reader.got, reader.ended), (OTHER, True))


class FailoverTests(DownloadCase):
    def test_continued(self) -> None:
        """Where one mirror breaks off the next one continues at the exact byte."""
        first, second = self.mirror(dies_at=[3000]), self.mirror(etag='"another"')
        reader, running, _ = self.fetch(first, second)
        self.successResultOf(running)
        self.assertEqual((reader.got, reader.ended, second.asked, len(self.files)), (DATA, True, [{"Range": "bytes=3000-"}], 1))
        self.assertEqual((first.verdicts, second.verdicts), (["failed"], ["succeeded"]))

    def test_shares(self) -> None:
        """What each mirror gave is known, also of one that was left; of a file that is begun again only that of the new one counts."""
        for mirrors, shares in (
            ((self.mirror(label="a", dies_at=[3000]), self.mirror(label="b")), [("a", 3000), ("b", len(DATA) - 3000)]),
            ((self.mirror(OTHER, label="a"), self.mirror(label="b")), [("b", len(DATA))]),
        ):
            _, running, download = self.fetch(*mirrors)
            self.successResultOf(running)
            self.assertEqual([(share.source, share.size) for share in download.shares], shares)

    def test_same_mirror(self) -> None:
        """The only mirror is asked again."""
        reader, running, _ = self.fetch(self.mirror(dies_at=[3000, 7000]))
        self.successResultOf(running)
        self.assertEqual((reader.got, reader.ended), (DATA, True))

    def test_stall(self) -> None:
        """A mirror from which nothing comes is left after three seconds."""
        download = self.download(self.mirror(dies_at=[3000], dying="stalls"), self.mirror())
        running = Deferred.fromCoroutine(download.run())
        self.clock.advance(STALL_TIMEOUT - 0.1)
        self.assertNoResult(running)
        self.clock.advance(0.1)
        self.successResultOf(running)

    def test_silent(self) -> None:
        """While nothing has come a second mirror is asked after two seconds, and the first is let go when that answers."""
        silent, good = self.mirror(silent=True), self.mirror()
        download = self.download(silent, good)
        running = Deferred.fromCoroutine(download.run())
        self.clock.advance(SECOND_SOURCE_DELAY - 0.1)
        self.assertEqual(good.asked, [])
        self.clock.advance(0.1)
        self.successResultOf(running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_other_version(self) -> None:
        """A file that can't be shown to be the same is not spliced: it is fetched again, and a reader of the common bytes goes on."""
        first, second = self.mirror(dies_at=[3000]), self.mirror(etag='"another"', modified="Fri, 02 Jan 2026 00:00:00 GMT")
        reader, running, _ = self.fetch(first, second)
        self.successResultOf(running)
        self.assertEqual((reader.got, reader.ended, len(self.files)), (DATA, True, 2))

    def test_different_bytes(self) -> None:
        """A reader that was sent what turns out to be wrong is ended, and never sent a splice; who comes later gets the right file."""
        wrong, good = self.mirror(OTHER), self.mirror()
        reader, running, download = self.fetch(wrong, good)
        self.successResultOf(running)
        self.assertEqual((reader.ended, reader.got), (False, OTHER[:-TRICKLE_RESERVE_BYTES]))
        self.assertEqual(wrong.verdicts, ["lied"])
        late = Reader(download.file, self.clock)
        self.assertEqual((late.got, late.ended), (DATA, True))

    def test_absent(self) -> None:
        """A file that one mirror has not is fetched from another one; one that none has is absent."""
        reader, running, _ = self.fetch(self.mirror(status=404), self.mirror(refuses=True), self.mirror())
        self.successResultOf(running)
        self.assertEqual((reader.got, reader.ended), (DATA, True))
        reader, running, _ = self.fetch(self.mirror(status=404), self.mirror(status=410))
        self.failureResultOf(running, AbsentError)
        self.assertEqual((reader.got, reader.ended), (b"", False))

    def test_wrong_length(self) -> None:
        """A mirror with another length than the database states is left before a byte of it is taken, one that sends more when it does."""
        short, long = self.mirror(DATA[:-1]), self.mirror(DATA + b"x", unstated=True)
        reader, running, _ = self.fetch(short, long, self.mirror())
        self.successResultOf(running)
        self.assertEqual(short.bodies[0].dropped, True)
        self.assertIn("lied", long.verdicts)
        self.assertTrue(DATA.startswith(reader.got))

    def test_nobody(self) -> None:
        """When nobody gives the file the download fails in the end, and says who was asked."""
        reader, running, _ = self.fetch(self.mirror(label="one", refuses=True), self.mirror(label="two", dies_at=[10] * 100))
        error = self.failureResultOf(running, FetchError).value
        self.assertNotIsInstance(error, AbsentError)
        self.assertIn("two", str(error))
        self.assertEqual((reader.ended, reader.got), (False, b""))


class SlowTests(DownloadCase):
    def test_overtaken(self) -> None:
        """A mirror that stalls in the middle may still win: the other is asked after three seconds, and the first to give something goes on."""
        stalled = self.mirror(dies_at=[3000], dying="stalls")
        download = self.download(stalled, self.mirror(silent=True))
        running = Deferred.fromCoroutine(download.run())
        self.clock.advance(STALL_TIMEOUT)
        self.assertEqual(download.file.written, 3000)
        self.clock.advance(0.5)
        stalled.bodies[0].go_on(DATA[3000:])
        self.successResultOf(running)
        self.assertEqual((len(self.files), stalled.verdicts), (1, ["succeeded"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """A mirror that stalls is asked again where there is no other."""
        mirror = self.mirror(dies_at=[3000], dying="stalls")
        download = self.download(mirror)
        running = Deferred.fromCoroutine(download.run())
        self.clock.advance(STALL_TIMEOUT)
        self.successResultOf(running)
        self.assertEqual(mirror.asked[1:], [{"Range": "bytes=3000-", "If-Range": '"same"'}])

    def test_other_file(self) -> None:
        """A mirror that stalls is not given up for one that has another file: it is asked again itself."""
        stalled = self.mirror(dies_at=[3000], dying="stalls")
        reader, running, _ = self.fetch(stalled, self.mirror(etag='"other"', modified="Fri, 02 Jan 2026 00:00:00 GMT"))
        self.successResultOf(running)
        self.assertEqual((reader.got, len(self.files), stalled.asked), (DATA, 1, [{}, {"Range": "bytes=3000-", "If-Range": '"same"'}]))

    def test_late_host(self) -> None:
        """A host that is late itself bears the silence of a mirror for longer."""
        mirror, other = self.mirror(dies_at=[3000], dying="stalls"), self.mirror()
        download = Download(NAME, Arrival(EXPECTED, Storage(self.create)), [mirror, other], self.clock, Terms(lateness=LateBy(0.25)))
        running = Deferred.fromCoroutine(download.run())
        self.clock.advance(STALL_TIMEOUT + 0.9)
        self.assertEqual(other.asked, [])
        self.clock.advance(0.2)
        self.successResultOf(running)

    def test_changed(self) -> None:
        """The only mirror has another file of that size and date when it is asked for the rest: it is fetched anew, and a reader gets no splice."""
        changed = DATA[::-1]
        for careless in (False, True):
            mirror = self.mirror(dies_at=[3000], changes=changed, ignores_if_range=careless)
            reader, running, download = self.fetch(mirror, expected=None)
            self.successResultOf(running)
            self.assertEqual((reader.got, reader.ended), (DATA[: 3000 - TRICKLE_RESERVE_BYTES], False))
            self.assertEqual(mirror.asked[1], {"Range": "bytes=3000-", "If-Range": '"same"'})
            late = Reader(download.file, self.clock)
            self.assertEqual((late.got, late.ended), (changed, True))

    def test_slow(self) -> None:
        """A mirror that drips is left for another one, from the byte that is here."""
        slow, good = self.mirror(dies_at=[3000], dying="stalls"), self.mirror()
        download = self.download(slow, good, expected=None)
        running = Deferred.fromCoroutine(download.run())
        for number in range(3000, 3600, 100):
            self.clock.advance(1)
            slow.bodies[0].go_on(DATA[number : number + 100], last=False)
        self.successResultOf(running)
        self.assertEqual((good.asked, len(self.files)), ([{"Range": "bytes=3500-"}], 1))

    def test_limited(self) -> None:
        """A mirror is not left for being as slow as a limit wants it to be."""
        slow, good = self.mirror(dies_at=[3000], dying="stalls"), self.mirror()
        download = Download(NAME, Arrival(EXPECTED, Storage(self.create)), [slow, good], self.clock, Terms(Limits(wan=lambda _: 1.0)))
        running = Deferred.fromCoroutine(download.run())
        for number in range(3000, 4000, 100):
            self.clock.advance(1)
            slow.bodies[0].go_on(DATA[number : number + 100], last=False)
        self.assertNoResult(running)
        self.assertEqual(good.asked, [])
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late_judgement(self) -> None:
        """A file that the database knows when it has arrived is checked against it, though it was not known before."""
        for data, verdict in ((DATA, "succeeded"), (OTHER, "lied")):
            mirror = self.mirror(data)
            download = Download(NAME, Arrival(None, Storage(self.create), lambda: EXPECTED), [mirror], self.clock, Terms())
            Deferred.fromCoroutine(download.run()).addErrback(lambda failure: failure.trap(FetchError))
            self.assertEqual((mirror.verdicts, download.expected), ([verdict], EXPECTED))

    def test_no_room(self) -> None:
        """A disk that is full is known before a byte is handed on."""
        mirror = self.mirror()
        full = [FileIO("/dev/full", "r+b")]
        self.addCleanup(full[0].close)
        download = Download(NAME, Arrival(None, Storage(lambda: full[0])), [mirror], self.clock, Terms())
        reader = Reader(download.file, self.clock)
        self.failureResultOf(Deferred.fromCoroutine(download.run()), OSError)
        self.assertEqual((reader.got, reader.ended), (b"", False))


FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "dies_at": st.lists(st.none() | st.integers(0, len(DATA)), max_size=4),
        "dying": st.sampled_from(["breaks", "stalls"]),
        "ignores_range": st.booleans(),
        "unstated": st.booleans(),
        "states": st.integers(0, 2 * len(DATA)),
        "etag": st.sampled_from(['"same"', '"other"', 'W/"weak"', ""]),
        "modified": st.sampled_from(["Thu, 01 Jan 2026 00:00:00 GMT", ""]),
        "silent": st.booleans(),
        "refuses": st.booleans(),
        "vanishes": st.booleans(),
        "status": st.sampled_from([404, 500, 204, 206, 416]),
        "piece": st.integers(1, 20_000),
    },
)
# Turns are used up while another source takes over: its answer was neither read nor dropped.
_TAKEN_OVER_AT_THE_END: list[tuple[bytes, dict[str, object]]] = [
    (DATA[:-1], {}),
    (OTHER, {"dying": "stalls", "piece": 1000, "dies_at": [1337, None, 2977, None]}),
    (DATA, {"dying": "stalls", "piece": 1000, "dies_at": [0, 0, 2977]}),
]
CONTENTS = st.sampled_from([DATA, OTHER, DATA[:-1], DATA + b"x", b"", DATA[::-1]])


class PropertyTests(DownloadCase):
    @settings(max_examples=300)
    @given(st.lists(st.tuples(CONTENTS, FAULTS), min_size=1, max_size=3))
    @example(_TAKEN_OVER_AT_THE_END)
    def test_never_wrong(self, mirrors: list[tuple[bytes, dict[str, object]]]) -> None:
        """Whatever the mirrors do, a reader that is told that it has the whole file has the right one, and every answer was taken or dropped."""
        self.files, self.folder = [], Path(mkdtemp(dir=self.top))
        self.clock = Clock()
        upstreams = [Mirror(self.clock, f"mirror {number}", data, **faults) for number, (data, faults) in enumerate(mirrors)]
        reader, running, _ = self.fetch(*upstreams)
        if reader.ended or len(reader.got) >= len(DATA):  # a client that was promised so many bytes takes them for the whole
            self.assertEqual(reader.got, DATA)
        self.assertIsNotNone(reader.ended)
        running.addErrback(lambda failure: failure.trap(FetchError) and None)
        self.successResultOf(running)
        for upstream in upstreams:
            self.assertTrue(all(body.consumed or body.dropped for body in upstream.bodies))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for file in self.files:
            file.close()
