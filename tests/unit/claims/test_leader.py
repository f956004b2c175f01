"""Tests for `pacserve.claims.leader`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.leader import Leader, fetch_url, stated_digest
from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.fetch.urls import parse_url
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileKind, FileRequest
from pacserve.peers.reputation import LEADER_FAILURES_LIMIT, Reputations
from tests.fakes.network import Network, Page

REQUEST = FileRequest("core", "x86_64", "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", FileKind.PACKAGE)
DIGEST = bytes(range(32))


class LeaderTests(SynchronousTestCase):
    def open(self, page: Page, sha256: bytes = DIGEST) -> Deferred[BodyStream]:
        """Asks a peer for the file."""
        clock, self.reputations = Clock(), Reputations()
        network = Network({"10.0.0.3:15678": page})
        endpoint = Endpoint("10.0.0.3", 15678)
        self.leader = leader = Leader(endpoint, StreamingClient(network, clock), REQUEST, sha256, self.reputations, clock)
        self.assertFalse(leader.wan)
        return Deferred.fromCoroutine(leader.open(REQUEST.name, {"Range": "bytes=2-"}, 2.0))

    def test_same(self) -> None:
        """A peer that downloads the very file is followed, from the byte that is wanted."""
        page = Page(b"12345", 206, {"ETag": f'"{DIGEST.hex()}"'})
        stream = self.successResultOf(self.open(page))
        self.assertEqual((stream.answer.status, page.asked[0].getRawHeaders("range")), (206, ["bytes=2-"]))
        stream.drop()

    def test_begun_again(self) -> None:
        """A download that was begun again has another tag, and is the same file."""
        page = Page(b"12345", 200, {"ETag": f'"{DIGEST.hex()}-3"'})
        self.successResultOf(self.open(page)).drop()

    def test_other(self) -> None:
        """Not a byte is taken of another file, nor where it does not say which file it is; that is no lie."""
        digest = f'"{DIGEST.hex()}"'
        for etag, sha256 in ((f'"{bytes(32).hex()}"', DIGEST), ('"17-5-3"', DIGEST), (f"W/{digest}", DIGEST), (None, DIGEST)):
            page = Page(b"12345", 200, {} if etag is None else {"ETag": etag})
            self.failureResultOf(self.open(page, sha256), FetchError)
            self.assertIsNone(self.reputations.find("10.0.0.3"))

    def test_encoded(self) -> None:
        """Nor of some encoding of it."""
        self.failureResultOf(self.open(Page(b"12345", 200, {"ETag": f'"{DIGEST.hex()}"', "Content-Encoding": "gzip"})), FetchError)

    def test_absent(self) -> None:
        """A peer that has no such file says so."""
        self.assertEqual(self.successResultOf(self.open(Page(b"no", 404))).answer.status, 404)

    def test_outcomes(self) -> None:
        """The deeds of the peer count for the reputation of its host, also when it is no peer any more."""
        self.open(Page(b"no", 404))
        self.leader.succeeded()
        self.assertIsNone(self.reputations.find("10.0.0.3"), "nothing is held against it")
        for _ in range(LEADER_FAILURES_LIMIT - 1):
            self.leader.failed()
        host = self.reputations.of("10.0.0.3")
        self.leader.succeeded()
        self.leader.failed()
        self.assertTrue(host.may_be_followed(0.0))
        for _ in range(LEADER_FAILURES_LIMIT - 1):
            self.leader.failed()
        self.assertFalse(host.may_be_followed(0.0))
        self.assertFalse(host.is_liar(0.0))
        self.leader.lied()
        self.assertTrue(host.is_liar(0.0))

    def test_url(self) -> None:
        """A file that is downloaded is asked for by repository, architecture and name."""
        url = fetch_url(Endpoint("10.0.0.3", 15678), REQUEST)
        self.assertEqual(url, f"http://10.0.0.3:15678/fetch/core/x86_64/{REQUEST.name}")
        self.assertEqual(str(parse_url(url)), url)

    @given(st.none() | st.text() | st.binary(min_size=30, max_size=34).map(lambda data: f'"{data.hex()}"'))
    def test_anything(self, etag: str | None) -> None:
        """Whatever an entity tag is, it states 32 bytes or nothing."""
        digest = stated_digest(etag)
        self.assertTrue(digest is None or (len(digest) == 32 and f'"{digest.hex()}"' == (etag or "").strip()))
