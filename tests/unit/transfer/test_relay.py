"""Tests for `pacserve.transfer.relay`."""

import hashlib
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pacserve.errors import FetchError
from pacserve.fetch.rate import UNLIMITED
from pacserve.fetch.stream import StreamingClient
from pacserve.network.addresses import parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.sources.candidates import Rank, Wanted
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import Claim, Claiming
from pacserve.transfer.relay import AVOIDED, RelaySource
from pacserve.transfer.spool import Spool
from pacserve.web.answers import Answer, DocumentAnswer, RedirectAnswer, StreamAnswer
from tests.fakes.interfaces import Choice, Databases, Source
from tests.fakes.network import Line, Network, Page
from tests.fakes.upstreams import Mirror

DATA = bytes(range(256)) * 40
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
WANTED = Wanted(REQUEST, None, parse_address("127.0.0.1"))
HOLDER = "10.0.0.3:15678"
PEER = RedirectAnswer(f"http://{HOLDER}/package/{NAME}/data", f"peer {HOLDER}", len(DATA), HOLDER)


class Nobody(Claiming):
    """Is not asked: what a peer has is claimed by nobody."""

    async def claim(self, request: FileRequest, expected: ExpectedFile | None) -> Claim:
        raise NotImplementedError


class Mirrors(Upstreams):
    """One mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return [self._mirror]


class Known(Databases):
    """Databases that know the package."""

    def __init__(self, sha256: bytes | None) -> None:
        super().__init__()
        self._sha256 = sha256

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        return ExpectedFile(len(DATA), self._sha256)


class Stalling(Resource):
    """Begins to give the file, and goes no further."""

    isLeaf = True  # noqa: N815

    def render(self, request: Request) -> int:
        """Answers."""
        request.setHeader(b"Content-Length", str(len(DATA)).encode())
        request.setHeader(b"Last-Modified", b"Thu, 01 Jan 2026 00:00:00 GMT")
        request.write(DATA[:100])
        return NOT_DONE_YET


class RelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock = Clock()
        self.network = Network()
        self.mirror = Mirror(self.clock, "mirror", DATA)
        spool = Spool(folder.name, 1 << 30)
        spool.open()
        self.addCleanup(spool.close)
        self.downloads = Downloads(spool, self.clock, UNLIMITED, Nobody())
        self.addCleanup(self.downloads.stop)
        self.distrusted: list[str] = []
        self.peers = Source(avoidable={HOLDER: Choice(Rank.PEER, PEER)})
        self.source = self.make()

    def make(self, sha256: bytes | None = hashlib.sha256(DATA).digest()) -> RelaySource:
        """A source that fetches what peers have."""
        client = StreamingClient(self.network, self.clock)
        return RelaySource(self.peers, self.downloads, Mirrors(self.mirror), Known(sha256), client, self.clock, self.distrusted.append)

    def relay(self) -> bytes:
        """What pacman gets in the end."""
        (candidate,) = self.source.candidates(WANTED)
        answer: Answer = self.successResultOf(Deferred.fromCoroutine(candidate.settle(7.0)))
        assert isinstance(answer, StreamAnswer)
        reader, data = answer.file.reader(), b""
        while len(data) < len(DATA):
            more = Deferred.fromCoroutine(reader.more(len(data)))
            self.clock.pump([0.5] * 20)
            self.assertTrue(self.successResultOf(more))
            data += reader.read(len(data), 1 << 30)
        self.assertTrue(reader.whole)
        reader.close()
        return data

    def test_failing(self) -> None:
        """A peer that refuses, is mute, stalls, is short or has no such file after all breaks nothing, and is left alone for a while."""
        faults = (Line.REFUSES, Line.SILENT, Stalling(), Page(DATA[:-1]), Page(DATA + b"x"), Page(b"", 404), Page(b"", 503),
                  Page(DATA, 200, {"Content-Encoding": "gzip"}))  # fmt: skip
        for fault in faults:
            self.setUp()
            self.network.hosts[HOLDER] = fault
            self.assertEqual(self.relay(), DATA, fault)
            self.assertEqual(list(self.source.candidates(WANTED)), [], fault)
            self.assertEqual((len(self.mirror.asked), self.distrusted), (1, []))
            self.clock.advance(AVOIDED)
            self.assertEqual(len(self.source.candidates(WANTED)), 1)

    def test_good(self) -> None:
        """A peer that gives what it said is asked for the next file as well, and no mirror is."""
        self.network.hosts[HOLDER] = Page(DATA)
        self.assertEqual(self.relay(), DATA)
        self.assertEqual((len(self.source.candidates(WANTED)), self.mirror.asked), (1, []))

    def test_lying(self) -> None:
        """A peer that gives wrong bytes is told of, and none of them reaches pacman."""
        self.network.hosts[HOLDER] = Page(DATA[::-1])
        self.assertEqual((self.relay(), self.distrusted), (DATA, [HOLDER]))

    def test_overtaken_at_once(self) -> None:
        """A peer that nobody waited for is not to blame."""
        self.network.hosts[HOLDER] = Line.SILENT
        (candidate,) = self.source.candidates(WANTED)
        self.successResultOf(Deferred.fromCoroutine(candidate.settle(7.0)))
        self.clock.advance(SECOND_SOURCE_DELAY / 4)
        self.downloads.stop()
        self.assertEqual(len(self.source.candidates(WANTED)), 1)

    def test_unknown(self) -> None:
        """What can't be checked comes from elsewhere."""
        self.source = self.make(sha256=None)
        self.assertEqual(list(self.source.candidates(WANTED)), [])

    def test_not_sent_to_a_peer(self) -> None:
        """Where the peers have another answer than a peer, it is none of this."""
        self.peers = Source(Choice(Rank.PEER, DocumentAnswer(b"")))
        self.source = self.make()
        (candidate,) = self.source.candidates(WANTED)
        self.failureResultOf(Deferred.fromCoroutine(candidate.settle(7.0)), FetchError)
        self.assertEqual((candidate.rank, self.source.best), (Rank.PEER, Rank.PEER))
