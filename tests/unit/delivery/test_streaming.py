"""Tests for `pacserve.delivery.streaming` and `pacserve.peers.upstream`."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pacserve.delivery.streaming import Running, Streaming, Whole
from pacserve.errors import FetchError
from pacserve.fetch.stream import StreamingClient
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.peers.upstream import MUTE_TIMEOUT, PeerUpstream, Relaying
from pacserve.sources.upstreams import Upstream, Upstreams
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import Claim, Claiming
from pacserve.transfer.spool import Spool
from pacserve.transfer.stores import MemoryStore, TemporaryStore
from pacserve.transfer.terms import Terms
from pacserve.web.answers import StreamAnswer
from pacserve.web.origins import source_text
from tests.fakes.interfaces import Databases
from tests.fakes.network import Line, Network, Page
from tests.fakes.upstreams import Mirror

DATA = bytes(range(256)) * 40
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", f"{NAME}.sig", FileKind.SIGNATURE)
SIGNED = b"\x88\x75\x04\x00" + bytes(115)
HOLDER = "10.0.0.3:15678"
ENDPOINT = Endpoint("10.0.0.3", 15678)


class Nobody(Claiming):
    """Is not asked: what a peer has is claimed by nobody."""

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
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
        return ExpectedFile(len(DATA), self._sha256) if name == NAME else None


class Stalling(Resource):
    """Begins to give the file, and goes no further."""

    isLeaf = True  # noqa: N815

    def render(self, request: Request) -> int:
        """Answers."""
        request.setHeader(b"Content-Length", str(len(DATA)).encode())
        request.setHeader(b"Last-Modified", b"Thu, 01 Jan 2026 00:00:00 GMT")
        request.write(DATA[:100])
        return NOT_DONE_YET


class FillableSpool(Spool):
    """A spool on a disk that may be full."""

    is_full: Callable[[], bool]

    def has_room(self, size: int, sha256: bytes | None = None) -> bool:
        return not self.is_full() and super().has_room(size, sha256)


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.clock = Clock()
        self.network = Network()
        self.mirror = Mirror(self.clock, "mirror", DATA)
        self.folder = Path(folder.name)
        self.full = False
        spool = FillableSpool(folder.name, 1 << 30)
        spool.is_full = lambda: self.full
        spool.open()
        self.addCleanup(spool.close)
        self.downloads = Downloads(spool, self.clock, Terms(), Nobody())
        self.addCleanup(self.downloads.stop)
        self.failed: list[Endpoint] = []
        self.lied: list[Endpoint] = []
        self.streaming = self.make()

    def make(self, sha256: bytes | None = hashlib.sha256(DATA).digest()) -> Streaming:
        """What passes files on, under databases that state this digest."""
        passing = Downloads(TemporaryStore(), self.clock, Terms(), Nobody())
        self.small = Downloads(MemoryStore(), self.clock, Terms(), Nobody())
        self.addCleanup(passing.stop)
        self.addCleanup(self.small.stop)
        return Streaming(Running(self.downloads, passing, self.small), Mirrors(self.mirror), Known(sha256), self.clock)

    def peer(self) -> PeerUpstream:
        """The peer, as what files are fetched from."""
        relaying = Relaying(StreamingClient(self.network, self.clock), self.clock, self.failed.append, self.lied.append)
        return PeerUpstream(ENDPOINT, relaying)

    def start(self) -> Deferred[StreamAnswer]:
        """Begins to relay the file of the peer."""
        return Deferred.fromCoroutine(self.streaming.relay(REQUEST, self.peer()))

    def relay(self) -> bytes:
        """What pacman gets in the end."""
        starting = self.start()
        for _ in range(20):
            if starting.called:
                break
            self.clock.advance(0.5)
        return self.content(self.successResultOf(starting))

    def content(self, answer: StreamAnswer) -> bytes:
        """All that a client is sent."""
        reader, data = answer.file.reader(), b""
        self.addCleanup(reader.close)
        while len(data) < len(DATA):
            more = Deferred.fromCoroutine(reader.more(len(data)))
            self.clock.pump([0.5] * 20)
            self.assertTrue(self.successResultOf(more))
            data += reader.read(len(data), 1 << 30)
        self.assertTrue(reader.whole)
        return data


class RelayTests(Setup):
    def test_failing(self) -> None:
        """A peer that refuses, is mute, stalls, is short or has no such file after all breaks nothing, and its failure is told of."""
        faults = (Line.REFUSES, Line.SILENT, Stalling(), Page(DATA[:-1]), Page(DATA + b"x"), Page(b"", 404), Page(b"", 503),
                  Page(DATA, 200, {"Content-Encoding": "gzip"}))  # fmt: skip
        for fault in faults:
            self.setUp()
            self.network.hosts[HOLDER] = fault
            self.assertEqual(self.relay(), DATA, fault)
            self.assertEqual((set(self.failed), len(self.mirror.asked), self.lied), ({ENDPOINT}, 1, []), fault)

    def test_good(self) -> None:
        """A peer that gives what it said is not held against, no mirror is asked, and the file is kept."""
        self.network.hosts[HOLDER] = Page(DATA)
        answer = self.successResultOf(self.start())
        self.assertEqual(self.content(answer), DATA)
        self.assertEqual((self.failed, self.lied, self.mirror.asked), ([], [], []))
        self.assertEqual(f"{source_text(answer.file.shares)}, {answer.origin}", f"peer {HOLDER}, relayed")
        self.assertEqual((self.folder / "pkg" / NAME).read_bytes(), DATA)

    def test_lying(self) -> None:
        """A peer that gives wrong bytes is told of, and none of them reaches pacman."""
        self.network.hosts[HOLDER] = Page(DATA[::-1])
        self.assertEqual((self.relay(), self.lied), (DATA, [ENDPOINT]))

    def test_overtaken_at_once(self) -> None:
        """A peer that nobody waited for is not to blame."""
        self.network.hosts[HOLDER] = Line.SILENT
        starting = self.start()
        self.clock.advance(MUTE_TIMEOUT / 2)
        self.downloads.stop()
        self.failureResultOf(starting, FetchError)
        self.assertEqual(self.failed, [])

    def test_nobody_gives_it(self) -> None:
        """Where neither the peer nor a mirror gives the file the next candidate is tried."""
        self.mirror = Mirror(self.clock, "mirror", DATA, status=404)
        self.streaming = self.make()
        self.failureResultOf(self.start(), FetchError)


class SendThroughTests(Setup):
    def test_sent_through(self) -> None:
        """A file of one mirror is passed on and not kept, whether or not a database states its digest."""
        for sha256 in (hashlib.sha256(DATA).digest(), None):
            self.streaming = self.make(sha256)
            answer = self.successResultOf(Deferred.fromCoroutine(self.streaming.send_through(REQUEST, self.mirror)))
            self.assertEqual(self.content(answer), DATA)
            self.assertEqual(answer.origin, "sent through")
            self.assertEqual(list((self.folder / "pkg").iterdir()), [])

    def test_wrong(self) -> None:
        """Wrong bytes are not handed on to their end."""
        self.mirror = Mirror(self.clock, "mirror", DATA[::-1])
        self.failureResultOf(Deferred.fromCoroutine(self.streaming.send_through(REQUEST, self.mirror)), FetchError)

    def test_next_mirror(self) -> None:
        """Where that mirror does not give what it said to have the next one does, and where no one does the next candidate is tried."""
        failing = Mirror(self.clock, "failing", DATA, status=503)
        answer = self.successResultOf(Deferred.fromCoroutine(self.streaming.send_through(REQUEST, failing)))
        self.assertEqual((self.content(answer), source_text(answer.file.shares)), (DATA, "mirror"))
        self.mirror = Mirror(self.clock, "failing", DATA)  # the list names the one again that has failed
        self.streaming = self.make()
        self.failureResultOf(Deferred.fromCoroutine(self.streaming.send_through(REQUEST, failing)), FetchError)
        self.assertEqual(self.mirror.asked, [])


class SmallTests(Setup):
    """Small files are held whole."""

    def fetch(self, first: Upstream | None = None) -> Deferred[Whole]:
        """Begins to fetch the signature, and lets 20 seconds pass."""
        fetching = Deferred.fromCoroutine(self.streaming.fetch_whole(SIGNATURE, first, "relayed"))
        for _ in range(40):
            if not fetching.called:
                self.clock.advance(0.5)
        return fetching

    def test_failover(self) -> None:
        """However a host fails for a signature, the next one gives it, and the failure is told of."""
        self.mirror.data = SIGNED
        faults = (Line.REFUSES, Line.SILENT, Stalling(), Page(b"<html>", 200), Page(b"", 404),
                  Page(b"", 500), Page(b"", 302, {"Location": "http://10.0.0.9/"}))  # fmt: skip
        for fault in faults:
            self.failed.clear()
            self.lied.clear()
            self.network.hosts[HOLDER] = fault
            whole = self.successResultOf(self.fetch(self.peer()))
            self.assertEqual((whole.authoritative, self.failed + self.lied), (True, [ENDPOINT]), fault)
            self.assertEqual(self.read(whole), SIGNED)

    def test_peer(self) -> None:
        """What a peer gave is said to be a peer's."""
        self.network.hosts[HOLDER] = Page(SIGNED)
        whole = self.successResultOf(self.fetch(self.peer()))
        self.assertEqual((self.read(whole), whole.authoritative, whole.answer.origin), (SIGNED, False, "relayed"))
        self.assertEqual(list((self.folder / "pkg").iterdir()), [])

    def test_nobody(self) -> None:
        """Where nobody gives it the next candidate is tried."""
        self.mirror.faults["status"] = 404
        self.failureResultOf(self.fetch(), FetchError)

    def test_full_disk(self) -> None:
        """A spool that has no room is no obstacle: a small file is held in memory."""
        self.mirror.data = SIGNED
        self.full = True
        whole = self.successResultOf(Deferred.fromCoroutine(self.streaming.download_whole(SIGNATURE, alone=False)))
        self.assertEqual((self.read(whole), whole.answer.origin), (SIGNED, "sent through"))

    def read(self, whole: Whole) -> bytes:
        """All of it, which is here."""
        reader = whole.answer.file.reader()
        self.addCleanup(reader.close)
        self.assertTrue(reader.whole)
        return reader.read(0, 1 << 20)
