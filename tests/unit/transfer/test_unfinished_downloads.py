"""Tests for `pacserve.transfer.downloads` with `pacserve.transfer.unfinished_store`: a download goes on where an earlier one has ended."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from pacserve.delivery.streaming import AHEAD_LIMIT
from pacserve.errors import FetchError
from pacserve.packages.files import ExpectedFile
from pacserve.transfer import unfinished, unfinished_store
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY
from pacserve.transfer.download import TAKING_UP_BYTES
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import LEADER_PROGRESS_TIMEOUT
from pacserve.transfer.lines import Lines
from pacserve.transfer.spool import Spool
from pacserve.transfer.terms import Terms
from pacserve.web.answers import StreamAnswer
from tests.fakes.upstreams import Mirror
from tests.unit.transfer import simulator
from tests.unit.transfer.simulator import SimulatedMirror
from tests.unit.transfer.test_downloads import NAME, REQUEST, Office, Setup
from tests.unit.transfer.test_striping import SIZES, STEADY

SIZE = 4 << 20
DATA = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(SIZE // 32))
EXPECTED = ExpectedFile(SIZE, hashlib.sha256(DATA).digest())
PIECE = 100_000


class UnfinishedCase(Setup):
    def setUp(self) -> None:
        super().setUp()
        self.known.known = EXPECTED

    def only(self, data: bytes = DATA, **faults: object) -> Mirror:
        """The one mirror that there is from now on."""
        self.upstreams.mirrors.clear()
        return self.mirror(data, piece=PIECE, **faults)

    def fail_at(self, at: int) -> None:
        """A download ends after so many bytes, as its only mirror gives no more."""
        self.only(dies_at=[at] * 99)
        self.begin()
        self.assertEqual(self.downloads.running(), [])

    def begin(self) -> None:
        """A download begins."""
        self.downloads.join(REQUEST, lambda: self.known.known, self.upstreams.mirrors, self.known.known)

    def pass_time(self) -> None:
        """What is done step by step gets on."""
        self.clock.advance(0)

    def kept(self) -> bytes:
        """The file that is complete."""
        return (self.folder / "pkg" / NAME).read_bytes()

    def restart(self, *, clean: bool) -> None:
        """The daemon ends, and another one begins with the same spool."""
        if clean:
            self.downloads.stop()
            self.spool.close()
        folder = self.empty_folder()
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        self.use(folder)

    def empty_folder(self) -> Path:
        """A folder in which nothing is."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def use(self, folder: Path) -> None:
        """A daemon with this spool."""
        self.folder = folder
        self.spool = Spool(str(folder), 1 << 30)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.office = Office()
        self.downloads = Downloads(self.spool, self.clock, Terms(), self.office)
        self.addCleanup(self.downloads.stop)
        self.answer_from_downloads()


class UnfinishedDownloadsTests(UnfinishedCase):
    def test_failed(self) -> None:
        """A download that failed is gone on with at the byte that is missing, by whichever mirror, and leaves nothing but the file."""
        self.fail_at(1_500_000)
        self.assertEqual(len(self.spool.unfinished.files()), 1)
        mirror = self.only(etag='"another"', modified="Fri, 02 Jan 2026 00:00:00 GMT")
        self.begin()
        self.pass_time()
        self.assertEqual((mirror.asked, mirror.verdicts), ([{"Range": "bytes=1500000-"}], ["succeeded"]))
        self.assertEqual((self.kept(), self.names()), (DATA, [NAME]))

    def test_restarted(self) -> None:
        """So is one of a daemon that has ended, as it should or not; of one that was killed less than a step is fetched again."""
        for clean in (True, False):
            self.only(dies_at=[1_500_000], dying="stalls")
            self.begin()
            self.restart(clean=clean)
            mirror = self.only()
            self.begin()
            self.pass_time()
            (asked,) = mirror.asked
            first = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
            self.assertTrue(first == 1_500_000 if clean else 1_500_000 - (256 << 10) < first <= 1_500_000, first)
            self.assertEqual((self.kept(), self.names()), (DATA, [NAME]))
            self.spool.remove(NAME)

    def test_read_while_taken_up(self) -> None:
        """A client gets the bytes that are here as they are hashed, before any mirror has answered; a host that follows waits for the version."""
        self.fail_at(3_000_000)
        mirror = self.only(silent=True)
        self.mirror(DATA, dies_at=[3_500_000], dying="stalls")
        answer = self.settle()
        response = self.successResultOf(answer)
        assert isinstance(response, StreamAnswer)
        reader = response.file.reader()
        self.addCleanup(reader.close)
        self.assertEqual(len(reader.read(0, SIZE)), TAKING_UP_BYTES - 512)
        self.assertEqual(mirror.asked, [])
        self.pass_time()
        self.assertEqual(reader.read(0, SIZE), DATA[: 3_000_000 - 512])
        following = Deferred.fromCoroutine(self.source.running(REQUEST))
        self.assertNoResult(following)
        self.clock.advance(SECOND_SOURCE_DELAY)
        file = self.successResultOf(following)
        assert file is not None
        self.assertIsNotNone(file.modified)

    def test_stopped_while_taken_up(self) -> None:
        """A daemon that stops in the middle of that loses nothing of it."""
        self.fail_at(3_000_000)
        self.only()
        self.begin()
        self.downloads.stop()
        self.assertEqual([file.journal.spans for file in self.spool.unfinished.files()], [((0, 3_000_000),)])

    def test_all_here(self) -> None:
        """A file of which all is here needs no mirror; where it is wrong it is fetched from nothing."""
        for data in (DATA, DATA[:-1] + b"X"):
            file = self.spool.keep(NAME, EXPECTED)
            assert file is not None
            file.file.write(data)
            file.record.add(0, SIZE)
            self.spool.leave(file.file)
            file.file.close()
            mirror = self.only()
            self.begin()
            self.pass_time()
            self.assertEqual((self.kept(), self.names(), mirror.asked), (DATA, [NAME], [] if data == DATA else [{}]))
            self.spool.remove(NAME)

    def test_wrong_beginning(self) -> None:
        """Where what was here turns out to be wrong in the end, the file is begun again from nothing, and no mirror is taken for a liar."""
        self.only(b"X" + DATA[1:], dies_at=[1_500_000] * 99)
        self.begin()
        mirror = self.only()
        with capturedLogs() as events:
            self.begin()
            self.pass_time()
        self.assertEqual((mirror.asked, mirror.verdicts), ([{"Range": "bytes=1500000-"}, {}], ["succeeded"]))
        self.assertEqual((self.kept(), self.names()), (DATA, [NAME]))
        warnings = [formatEvent(event) for event in events if event["log_level"].name == "warn"]
        self.assertEqual(warnings, [f"{NAME}: {mirror.label} or a source before it gave a wrong file: its SHA-256 is not the one of the database"])

    def test_wrong_and_killed(self) -> None:
        """What was found wrong is not here when the daemon is killed while it fetches it again."""
        self.only(b"X" + DATA[1:], dies_at=[1_500_000] * 99)
        self.begin()
        self.only(dies_at=[None, 1_000_000], dying="stalls")
        self.begin()
        self.pass_time()
        self.restart(clean=False)
        mirror = self.only()
        self.begin()
        self.pass_time()
        self.assertEqual((["Range" in asked for asked in mirror.asked], self.kept(), self.names()), ([True], DATA, [NAME]))

    def test_no_ranges(self) -> None:
        """A mirror that gives nothing but whole files gives the whole file."""
        self.fail_at(1_500_000)
        mirror = self.only(ignores_range=True)
        self.begin()
        self.pass_time()
        self.assertEqual((len(mirror.asked), self.kept(), self.names()), (1, DATA, [NAME]))

    def test_other_size(self) -> None:
        """An answer of another size goes on with nothing."""
        self.fail_at(1_500_000)
        self.only(DATA + b"x")
        self.failureResultOf(self.settle_slowly(), FetchError)
        self.assertEqual(self.names(), [])

    def settle_slowly(self) -> Deferred[object]:
        """Begins to answer a request, and waits for the end of the download."""

        async def ended() -> None:
            download = self.downloads.join(REQUEST, lambda: EXPECTED, self.upstreams.mirrors)
            self.pass_time()
            if not await download.ended():
                raise FetchError("failed")

        return Deferred.fromCoroutine(ended())

    def test_database_has_changed(self) -> None:
        """A file of the same name and another digest has nothing of it."""
        self.fail_at(1_500_000)
        other = DATA[::-1]
        self.known.known = ExpectedFile(SIZE, hashlib.sha256(other).digest())
        mirror = self.only(other)
        self.begin()
        self.assertEqual((mirror.asked, self.kept()), ([{}], other))

    def test_leader(self) -> None:
        """A host of the LAN that downloads the file is followed from the byte that is missing on."""
        self.fail_at(1_500_000)
        self.office.leader = leader = Mirror(self.clock, "leader", DATA, etag='"another"', modified="Fri, 02 Jan 2026 00:00:00 GMT", piece=PIECE)
        mirror = self.only()
        self.begin()
        self.clock.advance(LEADER_PROGRESS_TIMEOUT + 1)  # a slow host: that is no fault of the leader
        self.assertEqual((leader.asked, mirror.asked, self.kept()), ([{"Range": "bytes=1500000-"}], [], DATA))

    def test_untrusted(self) -> None:
        """Bytes of an untrusted source are held back from clients also by the download that goes on."""
        peer = Mirror(self.clock, "peer", DATA, dies_at=[2_000_000] * 99, piece=PIECE)
        peer.trusted = False
        self.downloads.join(REQUEST, lambda: EXPECTED, [peer])
        self.only(dies_at=[3_000_000] * 99, dying="stalls")
        answer = self.settle()
        self.pass_time()
        response = self.successResultOf(answer)
        assert isinstance(response, StreamAnswer)
        reader = response.file.reader()
        self.addCleanup(reader.close)
        self.assertEqual(reader.read(0, SIZE), b"")

    def test_far_ahead(self) -> None:
        """A client that has what is here as well is not sent to a mirror for the rest."""
        self.assertTrue(self.streaming.is_far_ahead(REQUEST, 3_000_000))
        self.fail_at(2_500_000)
        for _ in range(2):
            self.assertEqual([self.streaming.is_far_ahead(REQUEST, 2_500_000 + AHEAD_LIMIT + more) for more in (0, 1)], [False, True])
            self.only(dies_at=[2_500_000], dying="stalls")
            self.begin()
            self.assertIn(self.downloads.running()[0][1].file.written, (TAKING_UP_BYTES, 2_500_000))

    def test_room(self) -> None:
        """What is here already needs no room of the disk, and what other downloads left goes before one is refused."""
        self.fail_at(3_000_000)
        free = [SIZE // 2]
        self.patch(os, "statvfs", lambda _: os.statvfs_result((1, 1, 0, 0, free[0] + (64 << 20), 0, 0, 0, 0, 255)))
        self.only(dies_at=[3_000_000] * 99)
        self.begin()
        self.pass_time()
        self.assertEqual([file.journal.done for file in self.spool.unfinished.files()], [3_000_000])
        self.assertFalse(self.spool.has_room(SIZE + 1, bytes(32)))
        self.assertEqual(self.names(), [])

    def test_full_while_resumed(self) -> None:
        """The one that is wanted is not given up for the room that it needs."""
        self.fail_at(3_000_000)
        self.patch(os, "statvfs", lambda _: os.statvfs_result((1, 1, 0, 0, 0, 0, 0, 0, 0, 255)))
        self.assertFalse(self.spool.has_room(SIZE, EXPECTED.sha256))
        self.assertEqual(len(self.spool.unfinished.files()), 1)


class KilledTests(UnfinishedCase):
    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=4), st.sampled_from([1024, 65_536, 1 << 20]))
    def test_at_every_point(self, points: list[int], step: int) -> None:
        """Wherever a daemon is killed, however often, no byte is fetched twice but less than a step, and the file is right in the end."""
        self.patch(unfinished, "_STEP", step)
        self.use(self.empty_folder())
        here = 0
        for point in sorted(points):
            mirror = self.only(dies_at=[point], dying="stalls")
            self.begin()
            self.pass_time()
            self.assert_asked_from(mirror, here, step)
            here = max(point, here - step)
            self.restart(clean=False)
            for file in self.spool.unfinished.files():
                for first, end in file.journal.spans:
                    self.assertEqual(Path(file.path).read_bytes()[first:end], DATA[first:end])
        mirror = self.only()
        self.begin()
        self.pass_time()
        self.assert_asked_from(mirror, here, step)
        self.assertEqual((self.kept(), self.names()), (DATA, [NAME]))

    def assert_asked_from(self, mirror: Mirror, here: int, step: int) -> None:
        """A mirror was asked once, for nothing that was here but the last bytes."""
        (asked,) = mirror.asked
        first = int(asked.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.assertTrue(here - step < first <= here or first == here == 0, (here, first))


class DividedAndKilledTests(UnfinishedCase):
    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.tuples(st.integers(1, 20), st.integers(2, 3)), min_size=1, max_size=3), st.integers(1, 3))
    def test_at_every_point(self, ends: list[tuple[int, int]], last: int) -> None:
        """A daemon that is killed while several mirrors give parts: no part that was whole is asked for again, and the file is right."""
        self.patch(unfinished_store, "SIZE_KEPT", 1000)
        self.known.known = simulator.EXPECTED
        self.use(self.empty_folder())
        whole: list[tuple[int, int]] = []
        for ticks, count in [*ends, (500, last)]:
            mirrors = [SimulatedMirror(self.clock, each, STEADY if each else replace(STEADY, piece=100)) for each in range(count)]
            self.downloads = Downloads(self.spool, self.clock, Terms(lines=Lines(3, SIZES)), self.office)
            self.addCleanup(self.downloads.stop)
            self.downloads.join(REQUEST, lambda: simulator.EXPECTED, mirrors)
            self.clock.pump([0.0, *[0.125] * ticks])
            bodies = [body for mirror in mirrors for body in mirror.bodies]
            for first, end in [body.part for body in bodies]:
                self.assertEqual([part for part in whole if part[0] < end and first < part[1]], [])
            whole += [body.part for body in bodies if body.whole]
            if NAME in self.names():
                break
            self.restart(clean=False)
        self.assertEqual((self.kept(), self.names()), (simulator.DATA, [NAME]))
