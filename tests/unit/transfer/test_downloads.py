"""Tests for `pacserve.transfer.downloads` and `pacserve.transfer.source`, with `pacserve.delivery.streaming`."""

import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.delivery.streaming import AHEAD_LIMIT, AHEAD_SECONDS, Running, Streaming, Whole
from pacserve.errors import AbsentError, FetchError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.packages.marks import marked
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.locations import Holder, Offer, RunningDownload, UnaskedMirrors
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer import leader_search
from pacserve.transfer.choosing import HEAD_TIMEOUT
from pacserve.transfer.download import LEADER_STALL_TIMEOUT
from pacserve.transfer.downloads import CLOSE_DELAY, DOWNLOADS_LIMIT, ENDED_LIMIT, Downloads
from pacserve.transfer.leader_search import Claim, Claiming
from pacserve.transfer.reading import TRICKLE_RESERVE_BYTES, DownloadedFile
from pacserve.transfer.source import DownloadSource
from pacserve.transfer.spool import Spool
from pacserve.transfer.stores import TemporaryStore
from pacserve.transfer.terms import Terms
from pacserve.web.answers import Answer, StreamAnswer
from pacserve.web.bodies.arriving import ArrivingFile
from tests.fakes.claims import AnsweredClaim
from tests.fakes.interfaces import Databases
from tests.fakes.lateness import LateBy
from tests.fakes.upstreams import Mirror

DATA = bytes(range(256)) * 40
EXPECTED = ExpectedFile(len(DATA), hashlib.sha256(DATA).digest())
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
SIGNATURE_DATA = b"\x88\x75\x04\x00" + bytes(115)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)


class Office(Claiming):
    """Grants every claim."""

    def __init__(self) -> None:
        self.leader: Upstream | None = None
        self.claims: list[AnsweredClaim] = []
        self.delay: Deferred[None] | None = None
        self.written: Callable[[], int] = int
        self.asked: list[tuple[FileRequest, ExpectedFile | None]] = []

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        if self.delay is not None:
            await self.delay
        self.asked.append((request, expected))
        self.written = written
        self.claims.append(AnsweredClaim(self.leader))
        return self.claims[-1]


class Mirrors(Upstreams):
    """These mirrors, for every file."""

    def __init__(self) -> None:
        self.mirrors: list[Mirror] = []

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return self.mirrors


class Known(Databases):
    """Databases that know the package."""

    def __init__(self, expected: ExpectedFile | None = EXPECTED) -> None:
        super().__init__()
        self.known = expected

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        return self.known if (repo, name) == ("core", NAME) else None


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        self.office = Office()
        self.upstreams = Mirrors()
        self.known = Known()
        self.published: list[str] = []
        self.troubles: list[str] = []
        self.spool = Spool(str(self.folder), 1 << 30, self.troubles.append)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.downloads = Downloads(self.spool, self.clock, Terms(), self.office, self.published.append)
        self.addCleanup(self.downloads.stop)
        self.answer_from_downloads()

    def answer_from_downloads(self) -> None:
        """Requests are answered from these downloads."""
        self.source = DownloadSource(self.downloads, self.upstreams, self.known, self.clock)
        self.streaming = Streaming(Running(self.downloads, self.downloads, self.downloads), self.upstreams, self.known, self.clock)

    def mirror(self, data: bytes = DATA, **faults: object) -> Mirror:
        """One more mirror."""
        self.upstreams.mirrors.append(Mirror(self.clock, f"mirror {len(self.upstreams.mirrors)}", data, **faults))
        return self.upstreams.mirrors[-1]

    def settle(self, request: FileRequest = REQUEST) -> Deferred[Answer]:
        """Begins to answer a request, as the default does while there are peers."""
        return Deferred.fromCoroutine(self.answer(request))

    async def answer(self, request: FileRequest) -> Answer:
        """Joins the download that runs, or begins one."""
        (candidate,) = self.source.candidates(Wanted(request, None, parse_address("127.0.0.1")))
        location = await candidate.settle(self.clock.seconds() + 7)
        if isinstance(location, RunningDownload):
            return StreamAnswer(location.file, location.origin)
        assert isinstance(location, UnaskedMirrors)
        return await self.streaming.download(request, location.upstreams)

    def content(self, answer: Answer) -> bytes:
        """All that a client is sent."""
        assert isinstance(answer, StreamAnswer)
        reader = answer.file.reader()
        data = b""
        self.addCleanup(reader.close)
        while self.successResultOf(Deferred.fromCoroutine(reader.more(len(data)))):
            data += reader.read(len(data), 1000)
        return data

    def running(self) -> ArrivingFile | None:
        """Returns what a peer is told that asks for the download."""
        return self.successResultOf(Deferred.fromCoroutine(self.source.running(REQUEST)))

    def names(self) -> list[str]:
        """Returns the names in the spool, those of hidden files included."""
        return sorted({*os.listdir(self.folder), *os.listdir(self.folder / "pkg")} - {".pacserve-spool", "pkg"})  # noqa: PTH208


class DownloadsTests(Setup):
    def test_published(self) -> None:
        """A file that is what the database states is kept under its name, with the time of the mirror, and the LAN is told."""
        self.mirror()
        self.assertEqual(self.content(self.successResultOf(self.settle())), DATA)
        self.assertEqual((self.names(), self.published), ([NAME], [NAME]))
        self.assertEqual((self.folder / "pkg" / NAME).stat().st_mtime, 1767225600)
        self.assertEqual([claim.ended for claim in self.office.claims], [[True]])

    def test_shared(self) -> None:
        """All who ask while a download runs share it, and the first may go."""
        mirror = self.mirror(dies_at=[3000], dying="stalls")
        first, second = self.settle(), self.settle()
        self.assertEqual((len(mirror.asked), len(self.office.claims)), (1, 1))
        for one in (first, second):
            answer = self.successResultOf(one)
            assert isinstance(answer, StreamAnswer)
        self.assertIsNotNone(self.running())
        self.clock.pump([1.0] * 5)
        self.assertEqual((self.content(answer), self.running()), (DATA, None))

    def test_many_readers(self) -> None:
        """However many read a file while it arrives, it is asked for once, and each gets all of it at the pace that it reads at."""
        mirror = self.mirror(dies_at=[3000], dying="stalls")
        answers = [self.successResultOf(self.settle()) for _ in range(16)]
        gone, *readers = [answer.file.reader() for answer in answers if isinstance(answer, StreamAnswer)]
        gone.close()
        fast = [reader.read(0, 10_000) for reader in readers]
        self.assertEqual(fast, [DATA[: 3000 - TRICKLE_RESERVE_BYTES]] * 15)
        mirror.bodies[0].go_on(DATA[3000:])
        self.assertEqual([data + reader.read(len(data), 10_000) for data, reader in zip(fast, readers, strict=True)], [DATA] * 15)
        for reader in readers:
            reader.close()
        self.assertEqual((len(mirror.asked), self.names()), (1, [NAME]))

    def test_nobody_left(self) -> None:
        """The last reader to leave does not stop what the LAN wants."""
        mirror = self.mirror(dies_at=[3000], dying="stalls")
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, StreamAnswer)
        reader = answer.file.reader()
        waiting = Deferred.fromCoroutine(reader.more(3000))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        reader.close()
        mirror.bodies[0].go_on(DATA[3000:])
        self.assertEqual((self.names(), self.published), ([NAME], [NAME]))

    def test_impatient(self) -> None:
        """A client that leaves before the first byte takes no other client down."""
        mirror = self.mirror(silent=True)
        first, second = self.settle(), self.settle()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        mirror.faults.clear()
        self.clock.advance(HEAD_TIMEOUT)
        self.failureResultOf(second, FetchError)
        self.assertEqual(self.content(self.successResultOf(self.settle())), DATA)

    def test_asked_from_the_end(self) -> None:
        """A client that asks at the very moment at which a download fails begins a new one."""
        self.mirror(status=404)
        again: list[Deferred[Answer]] = []

        def failed(_: object) -> None:
            self.upstreams.mirrors.clear()
            self.mirror()
            again.append(self.settle())

        self.office.delay = Deferred()
        self.settle().addErrback(failed)
        self.office.delay.callback(None)
        (second,) = again
        self.assertEqual(self.content(self.successResultOf(second)), DATA)

    def test_unknown(self) -> None:
        """A file that no database knows is handed on and not kept, and the LAN is not asked: it can't be told whether it is right."""
        self.known.known = None
        self.mirror()
        self.assertEqual(self.content(self.successResultOf(self.settle())), DATA)
        self.assertEqual((self.names(), self.office.claims), ([], []))

    def whole(self, *, alone: bool = False) -> Whole:
        """The signature, downloaded for all."""
        return self.successResultOf(Deferred.fromCoroutine(self.streaming.download_whole(SIGNATURE, alone=alone)))

    def test_signature(self) -> None:
        """A signature that a mirror gave is claimed by its package, kept beside it, and marked with what it signs."""
        self.mirror(SIGNATURE_DATA)
        whole = self.whole()
        self.assertEqual((self.content(whole.answer), whole.authoritative), (SIGNATURE_DATA, True))
        self.assertEqual((self.names(), self.office.asked), ([SIGNATURE.name], [(SIGNATURE, EXPECTED)]))
        with (self.folder / "pkg" / SIGNATURE.name).open("rb") as file:
            self.assertEqual(marked(file.fileno()), EXPECTED.sha256)
        tag = DownloadedFile(self.downloads.join(SIGNATURE, lambda: None, []), self.clock, EXPECTED).etag
        self.assertEqual(tag, f'"{hashlib.sha256(DATA).hexdigest()}-0"')

    def test_signature_of_a_leader(self) -> None:
        """One that another host downloads is taken from there and not kept: nobody but pacman can tell whether it is right."""
        leader = self.office.leader = Mirror(self.clock, "peer", SIGNATURE_DATA)
        leader.authoritative = False
        whole = self.whole()
        self.assertEqual((self.content(whole.answer), whole.authoritative, self.names()), (SIGNATURE_DATA, False, []))
        self.mirror(SIGNATURE_DATA)
        self.clock.advance(CLOSE_DELAY)
        self.assertTrue(self.whole(alone=True).authoritative)
        self.assertEqual(len(self.office.asked), 1)

    def test_signature_of_nobody(self) -> None:
        """A page in the place of the signature is not taken for one, and the next mirror is asked; where there is none, that is an error."""
        self.mirror(b"<html>please pay</html>")
        asking = Deferred.fromCoroutine(self.streaming.download_whole(SIGNATURE, alone=True))
        self.failureResultOf(asking, FetchError)
        self.mirror(SIGNATURE_DATA)
        self.clock.advance(CLOSE_DELAY)
        self.assertEqual(self.content(self.whole().answer), SIGNATURE_DATA)

    def test_signature_of_a_new_build(self) -> None:
        """A package that is downloaded anew takes the signature of the former one away."""
        self.mirror(SIGNATURE_DATA)
        self.whole()
        self.upstreams.mirrors.clear()
        self.mirror()
        self.successResultOf(self.settle())
        self.assertEqual(self.names(), [NAME])

    def test_wrong(self) -> None:
        """A file that is not the one that the database states is not kept, and the next client is served from elsewhere."""
        self.mirror(DATA[::-1])
        self.failureResultOf(self.settle(), FetchError)
        self.assertEqual((self.names(), self.office.claims[0].ended), ([], [False]))
        self.upstreams.mirrors.clear()
        self.mirror()
        self.successResultOf(self.settle())

    def test_failed(self) -> None:
        """A download that fails before its first byte leaves the request to others, and nothing behind."""
        self.mirror(status=404)
        self.failureResultOf(self.settle(), FetchError)
        self.clock.advance(CLOSE_DELAY)
        self.assertEqual((self.names(), self.running(), self.clock.getDelayedCalls()), ([], None, []))

    def test_leader(self) -> None:
        """A host that is told to follow a leader asks that one alone, and the keeper again when the leader breaks off."""
        leader = Mirror(self.clock, "leader", DATA, dies_at=[4000], etag='"another"')
        self.office.leader = leader
        mirror = self.mirror()
        answer = self.successResultOf(self.settle())
        self.clock.advance(leader_search.CLAIM_AGAIN_DELAY)
        self.assertEqual(self.content(answer), DATA)
        self.assertEqual((leader.asked, mirror.asked), ([{}, {"Range": "bytes=4000-", "If-Range": '"another"'}], []))
        self.assertEqual([claim.ended for claim in self.office.claims], [[False], [True]])

    def test_leader_gone(self) -> None:
        """When the leader has gone and the claim becomes this host's, what is missing comes from a mirror, from that byte on."""
        leader = Mirror(self.clock, "leader", DATA, dies_at=[4000] * 99, etag='"another"')
        self.office.leader = leader
        mirror = self.mirror()
        answer = self.successResultOf(self.settle())
        self.clock.advance(leader_search.CLAIM_AGAIN_DELAY)
        self.office.leader = None
        self.clock.advance(leader_search.CLAIM_AGAIN_DELAY)
        self.assertEqual(self.content(answer), DATA)
        self.assertEqual((len(leader.asked), mirror.asked), (2, [{"Range": "bytes=4000-"}]))

    def test_ended_meanwhile(self) -> None:
        """A client that looked for a file before its download ended, and asks for it after that, gets it without another one, unless it is gone."""
        for gone, asked in ((lambda: None, 1), (lambda: self.spool.remove(NAME), 2), (lambda: self.clock.advance(CLOSE_DELAY), 2)):
            self.upstreams.mirrors.clear()
            mirror = self.mirror()
            self.assertEqual(self.content(self.successResultOf(self.settle())), DATA)
            gone()
            self.assertEqual(self.content(self.successResultOf(self.settle())), DATA)
            self.assertEqual(len(mirror.asked), asked)
            self.clock.advance(CLOSE_DELAY)
            self.spool.remove(NAME)

    def test_leader_of_no_use(self) -> None:
        """A leader that gives nothing any more is followed for some seconds, whatever the keeper says; then a mirror is asked."""
        for dying in ("breaks", "stalls"):
            leader = Mirror(self.clock, "leader", DATA, dies_at=[4000] * 99, dying=dying)
            self.office.leader = leader
            self.upstreams.mirrors.clear()
            mirror = self.mirror()
            answer = self.successResultOf(self.settle())
            self.clock.pump([0.1] * int(10 * (LEADER_STALL_TIMEOUT + leader_search.LEADER_PROGRESS_TIMEOUT + leader_search.CLAIM_AGAIN_DELAY + 1)))
            self.assertEqual(self.content(answer), DATA)
            self.assertEqual(mirror.asked, [{"Range": "bytes=4000-"}])
            self.spool.remove(NAME)

    def test_drip(self) -> None:
        """Leaders that give a little and no more are followed only so often, and each is blamed."""
        leader = Mirror(self.clock, "leader", DATA, dies_at=[number * 100 for number in range(1, 99)])
        self.office.leader = leader
        mirror = self.mirror()
        self.settle()
        self.clock.pump([0.1] * 100)
        self.assertEqual(
            (len(leader.asked), mirror.asked),
            (leader_search.USELESS_LEADERS_LIMIT, [{"Range": f"bytes={100 * leader_search.USELESS_LEADERS_LIMIT}-"}]),
        )
        self.assertEqual(leader.verdicts, ["failed"] * leader_search.USELESS_LEADERS_LIMIT)

    def join_late(self, data: bytes, leader: Mirror) -> tuple[Mirror, StreamAnswer]:
        """A download from a mirror, which gives 4,000 bytes and then no more, learns that another host downloads the file."""
        self.known.known = ExpectedFile(len(data), hashlib.sha256(data).digest())
        mirror = self.mirror(data, dies_at=[4000], dying="stalls")
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, StreamAnswer)
        self.office.claims[-1].lose(leader)
        return mirror, answer

    def test_second_download(self) -> None:
        """A download that began by mistake drops its mirror as soon as it learns of the first, and goes on there at the very byte."""
        data = DATA * 20
        leader = Mirror(self.clock, "leader", data, etag='"another"')
        mirror, answer = self.join_late(data, leader)
        self.assertEqual((len(mirror.asked), leader.asked), (1, [{"Range": "bytes=4000-"}]))
        mirror.bodies[0].go_on(data[4000:])
        self.assertEqual((self.content(answer), mirror.verdicts, leader.verdicts), (data, [], ["succeeded"]))
        self.assertEqual((self.office.claims[-1].ended, len(self.office.claims)), ([True], 1))

    def test_better_leader(self) -> None:
        """A follower that is sent to another leader drops the first, which is not to blame, and goes on at the very byte; twice if it must."""
        data = DATA * 20
        self.known.known = ExpectedFile(len(data), hashlib.sha256(data).digest())
        leaders = [Mirror(self.clock, f"leader {number}", data, dies_at=[4000 * number], dying="stalls") for number in (1, 2)]
        leaders.append(Mirror(self.clock, "leader 3", data))
        self.office.leader = leaders[0]
        self.mirror()
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, StreamAnswer)
        for before, leader in pairwise(leaders):
            self.office.claims[-1].lose(leader)
            before.bodies[0].go_on(data)
        self.assertEqual([leader.asked for leader in leaders], [[{}], [{"Range": "bytes=4000-"}], [{"Range": "bytes=8000-"}]])
        self.assertEqual([leader.verdicts for leader in leaders], [[], [], ["succeeded"]])
        self.assertEqual((self.content(answer), len(self.office.claims), self.office.claims[0].ended), (data, 1, [True]))

    def test_better_leader_too_late(self) -> None:
        """A leader that gives the last bytes already is left for no other one."""
        first, second = (Mirror(self.clock, f"leader {number}", DATA, dies_at=[4000], dying="stalls") for number in (1, 2))
        self.office.leader = first
        self.mirror()
        answer = self.successResultOf(self.settle())
        assert isinstance(answer, StreamAnswer)
        self.office.claims[-1].lose(second)
        self.assertEqual(second.asked, [])
        first.bodies[0].go_on(DATA[4000:])
        self.assertEqual((self.content(answer), first.verdicts), (DATA, ["succeeded"]))

    def test_written(self) -> None:
        """The keeper of the claim can be told how much has arrived."""
        self.mirror(dies_at=[4000], dying="stalls")
        self.successResultOf(self.settle())
        self.assertEqual(self.office.written(), 4000)
        self.downloads.stop()

    def test_second_download_of_a_dead_one(self) -> None:
        """Where the first download gives nothing, the second goes on with the mirror at the byte that is missing."""
        data = DATA * 20
        leader = Mirror(self.clock, "leader", data, refuses=True)
        mirror, answer = self.join_late(data, leader)
        self.clock.advance(leader_search.CLAIM_AGAIN_DELAY)
        self.assertEqual([asked.get("Range") for asked in mirror.asked], [None, "bytes=4000-"])
        self.assertEqual((self.content(answer), self.office.claims[0].ended), (data, [False]))

    def test_second_download_that_is_nearly_done(self) -> None:
        """Few missing bytes are not worth a change, and a mirror goes on to give them."""
        leader = Mirror(self.clock, "leader", DATA)
        mirror, answer = self.join_late(DATA, leader)
        mirror.bodies[0].go_on(DATA[4000:])
        self.assertEqual((self.content(answer), leader.asked, len(mirror.asked)), (DATA, [], 1))

    def test_stopped_while_it_downloads(self) -> None:
        """A daemon that stops ends its downloads, whoever else downloads the file."""
        self.mirror(dies_at=[4000], dying="stalls")
        self.settle()
        self.downloads.stop()
        self.assertEqual((self.downloads.running(), self.office.claims[0].ended), ([], [False]))

    def test_late_host(self) -> None:
        """A leader is given up later on a host that is late itself."""
        self.downloads = Downloads(self.spool, self.clock, Terms(lateness=LateBy(0.5)), self.office, self.published.append)
        self.addCleanup(self.downloads.stop)
        self.answer_from_downloads()
        self.office.leader = leader = Mirror(self.clock, "leader", DATA, dies_at=[4000], dying="stalls")
        mirror = self.mirror()
        self.settle()
        self.clock.pump([0.1] * int(10 * (LEADER_STALL_TIMEOUT + 1)))
        self.assertEqual((len(leader.asked), mirror.asked), (1, []))
        leader.bodies[0].go_on(DATA[4000:])
        self.assertEqual(((self.folder / "pkg" / NAME).read_bytes(), mirror.asked), (DATA, []))

    def test_lying_leader(self) -> None:
        """A leader whose bytes are wrong is told of, and the file comes from a mirror."""
        leader = Mirror(self.clock, "leader", DATA[::-1])
        self.office.leader = leader
        self.mirror()
        answer = self.settle()
        self.office.leader = None
        self.clock.advance(leader_search.CLAIM_AGAIN_DELAY)
        self.successResultOf(answer)
        self.assertEqual((leader.verdicts, (self.folder / "pkg" / NAME).read_bytes()), (["lied", "failed"], DATA))

    def test_before_the_first_byte(self) -> None:
        """A peer that follows is told of a download once something has arrived, or nothing will: before, it could not know of which version it is."""
        mirror = self.mirror(dies_at=[0], dying="stalls")
        self.settle()
        for answer in (asked := [Deferred.fromCoroutine(self.source.running(REQUEST)) for _ in range(2)]):
            self.assertNoResult(answer)
        mirror.bodies[0].go_on(DATA)
        for answer in asked:
            file = self.successResultOf(answer)
            assert file is not None
            self.assertIsNotNone(file.modified)

    def test_another_file(self) -> None:
        """A client that expects other bytes than those that are downloaded does not get these."""
        self.mirror(dies_at=[3000], dying="stalls")
        self.successResultOf(self.settle())
        self.known.known = ExpectedFile(len(DATA), bytes(32))
        self.failureResultOf(self.settle(), FetchError)

    def test_offers(self) -> None:
        """A download that runs is offered as such, otherwise the mirrors, which nobody has asked yet."""
        self.mirror(dies_at=[3000], dying="stalls")
        wanted = Wanted(REQUEST, None, parse_address("127.0.0.1"))
        offers = [[candidate.offer for candidate in self.source.candidates(wanted)]]
        considered = [[one.offer for one in self.source.consider(wanted)]]
        self.settle()
        offers.append([candidate.offer for candidate in self.source.candidates(wanted)])
        considered.append([one.offer for one in self.source.consider(wanted)])
        self.assertEqual(offers, [[Offer(Holder.UNASKED)], [Offer(Holder.RUNNING)]])
        self.assertEqual(considered, offers)

    def test_place(self) -> None:
        """A download that runs comes before peers where clients are sent nowhere else, and one that would have to be begun after them."""
        self.mirror(dies_at=[3000], dying="stalls")
        source = DownloadSource(self.downloads, self.upstreams, self.known, self.clock, Rank.RUNNING)
        wanted = Wanted(REQUEST, None, parse_address("127.0.0.1"))
        ranks = [(source.candidates(wanted)[0].rank, source.consider(wanted)[0].rank)]
        self.settle()
        ranks.append((source.candidates(wanted)[0].rank, source.consider(wanted)[0].rank))
        self.assertEqual(ranks, [(Rank.DOWNLOAD,) * 2, (Rank.RUNNING,) * 2])
        self.assertLess(source.best, Rank.PEERS)
        self.assertGreater(self.source.best, Rank.PEERS)

    def test_no_mirror(self) -> None:
        """A repository without a mirror has nothing to download from, which is no reason to think that the file might exist."""
        wanted = Wanted(REQUEST, None, parse_address("127.0.0.1"))
        self.assertEqual([(one.offer, one.reason) for one in self.source.consider(wanted)], [(None, "there is no mirror to download it from")])
        self.failureResultOf(self.settle(), AbsentError)
        self.assertEqual(self.names(), [])

    def test_far_ahead(self) -> None:
        """A client that has more of a file than has arrived would wait for long for the rest."""
        self.mirror(dies_at=[3000], dying="stalls")
        self.assertEqual([self.streaming.is_far_ahead(REQUEST, AHEAD_LIMIT + more) for more in (0, 1)], [False, True])
        self.settle()
        self.assertEqual([self.streaming.is_far_ahead(REQUEST, AHEAD_LIMIT + more) for more in (3000, 3001)], [False, True])

    def test_fast_mirror(self) -> None:
        """Where a mirror is known to be fast the client may be further ahead."""
        self.mirror().known = AHEAD_LIMIT
        most = int(AHEAD_SECONDS * AHEAD_LIMIT)
        self.assertEqual([self.streaming.is_far_ahead(REQUEST, most + more) for more in (0, 1)], [False, True])

    def test_databases(self) -> None:
        """Databases are not downloaded here."""
        self.assertEqual(self.source.candidates(Wanted(DATABASE, None, parse_address("127.0.0.1"))), ())

    def test_not_shared(self) -> None:
        """A file of which the LAN is not told is not downloaded for it, and `why` says so."""
        self.mirror()
        wanted = Wanted(REQUEST, None, parse_address("127.0.0.1"), shared=False)
        self.assertEqual(self.source.candidates(wanted), ())
        (considered,) = self.source.consider(wanted)
        self.assertEqual((considered.offer, "LAN" in considered.reason), (None, True))

    def test_full(self) -> None:
        """A file that the disk has no room for is not begun."""
        self.mirror()
        self.known.known = ExpectedFile(1 << 60, bytes(32))
        error = self.failureResultOf(self.settle(), FetchError).value
        self.assertIn("full", str(error))

    def break_disk(self, number: int) -> None:
        """Lets every write from now on end with this error."""

        def refuse(*_: object) -> int:
            raise OSError(number, os.strerror(number))

        self.patch(os, "pwrite", refuse)

    def test_broken_while_written(self) -> None:
        """An error of the disk while bytes are written ends the download, and the spool is told of it, which nothing else would notice."""
        self.mirror()
        self.break_disk(errno.EIO)
        self.failureResultOf(self.settle(), FetchError)
        self.assertEqual((len(self.troubles), self.names(), self.flushLoggedErrors()), (1, [], []))
        self.assertIn("can't be used: input/output error; let pacserve write there, or choose another folder with --spool", self.troubles[0])

    def test_full_while_written(self) -> None:
        """A disk that becomes full while bytes are written leaves the spool usable, and is one warning however many downloads it ends."""
        self.mirror()
        with capturedLogs() as events:
            self.break_disk(errno.ENOSPC)
            for _ in range(3):
                self.failureResultOf(self.settle(), FetchError)
        (warning,) = [event["trouble"] for event in events if event["log_level"].name == "warn"]
        self.assertIn(f"the disk of the spool {self.folder} is full: no space left on device; make room there", warning)
        self.assertEqual((self.troubles, self.names()), ([], []))

    def test_nameless_while_written(self) -> None:
        """The same holds of files that are not kept."""
        self.downloads = Downloads(TemporaryStore(), self.clock, Terms(), self.office)
        self.mirror()
        with capturedLogs() as events:
            self.break_disk(errno.ENOSPC)
            for number in range(3):
                self.downloads.join(
                    FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE), lambda: None, self.upstreams.mirrors
                )
        (warning,) = [event["trouble"] for event in events if event["log_level"].name == "warn"]
        self.assertIn("name another folder with TMPDIR", warning)
        self.downloads.stop()

    def test_defect_in_the_end(self) -> None:
        """A defect while a download is cleaned up is heard, and the download does not stay for ever."""
        self.mirror(dies_at=[0] * 9)
        self.patch(self.spool, "leave", lambda _: 1 / 0)
        self.failureResultOf(self.settle(), FetchError)
        self.clock.pump([HEAD_TIMEOUT] * 9)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.downloads.running(), [])

    def test_many_end(self) -> None:
        """Only so many ended downloads keep their files open."""
        self.mirror(status=404)
        for number in range(ENDED_LIMIT + 5):
            self.failureResultOf(self.settle(FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)), FetchError)
        self.assertEqual(len(self.clock.getDelayedCalls()), ENDED_LIMIT)
        self.clock.advance(CLOSE_DELAY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """Only so many downloads run at a time; who is one too many is served from elsewhere."""
        self.mirror(dies_at=[10] * 1000, dying="stalls")
        for number in range(DOWNLOADS_LIMIT):
            self.downloads.join(
                FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE), lambda: None, self.upstreams.mirrors
            )
        self.assertRaises(FetchError, self.downloads.join, REQUEST, lambda: None, self.upstreams.mirrors)
        self.downloads.stop()
        self.assertEqual((self.names(), self.clock.getDelayedCalls()), ([], []))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_defect(self) -> None:
        """A defect ends the download for all who read it, and is logged."""

        async def broken(request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
            raise ZeroDivisionError

        self.office.claim = broken  # type: ignore[method-assign]
        self.mirror()
        self.failureResultOf(self.settle(), FetchError)
        self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), self.names()), (1, []))
