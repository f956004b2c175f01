"""Tests for `pacserve.mirrors.repositories`."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from pacserve.errors import FetchError
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.mirrors.health import MirrorHealth
from pacserve.mirrors.repositories import LIE_LIFETIME, REFUSAL_LIFETIME, Lies, RepositoryUpstreams
from pacserve.mirrors.upstream import Means
from pacserve.packages.files import FileKind, FileRequest
from pacserve.sources.upstreams import Upstream
from tests.fakes.network import Network, Page

NAME = f"zlib1g_1_amd64@{'0' * 64}.blob"
URL = "http://deb.example/debian/pool/z/zlib1g_1_amd64.deb"
BY_HASH = "http://deb.example/debian/dists/a/by-hash/SHA256/00"
PLAIN = "http://deb.example/debian/dists/a/Packages"
HOSTS = ("deb.example", "cdn.example", "127.0.0.1", "localhost", "192.0.2.9", "169.254.3.4")


class Paths(Resource):
    """Answers by the last part of the path."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        super().__init__()
        self._pages = pages

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: N802
        rest: list[bytes] = request.postpath or []
        name = [path, *rest][-1].decode()
        request.postpath = []
        return self._pages.get(name, Page(status=404))


class RepositoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network, self.guarded = Network(), Network()
        self.health = MirrorHealth()
        clients = StreamingClient(self.network, self.clock), StreamingClient(self.guarded, self.clock)
        self.upstreams = RepositoryUpstreams(Means(*clients, self.health, self.clock))

    def opened(self, upstream: Upstream, **headers: str) -> BodyStream:
        """Asks for the file, and returns the answer that must come at once."""
        asked: Deferred[BodyStream] = Deferred.fromCoroutine(upstream.open(NAME, headers, 5.0))  # type: ignore[arg-type]
        return self.successResultOf(asked)

    def test_one_mirror(self) -> None:
        """A request has the mirror that it names, and none where it names none; it may not be asked for parts."""
        request = FileRequest("apt", "any", NAME, FileKind.PACKAGE, (URL,))
        (upstream,) = self.upstreams.upstreams(request)
        self.assertEqual((upstream.label, upstream.machine, upstream.divisible), ("mirror http://deb.example", "deb.example", False))
        self.assertEqual(self.upstreams.upstreams(FileRequest("apt", "any", NAME, FileKind.PACKAGE)), ())

    def answer(self, network: Network, **pages: Page) -> None:
        """Has hosts answer, by the last part of the path; what is not named is not there."""
        root = Paths(pages)
        for host in HOSTS:
            network.hosts[host] = root

    def test_the_url(self) -> None:
        """The mirror is asked by the URL, not by the name under which hosts share the file."""
        self.answer(self.network)
        self.opened(self.upstreams.of((URL,)))
        self.assertEqual(self.network.asked, [f"GET {URL}"])

    def test_the_next_url(self) -> None:
        """Where the mirror refuses the first URL, the next is asked for; only the refusal of the last is one of the file."""
        self.answer(self.network, Packages=Page(b"text"))
        self.assertEqual(self.opened(self.upstreams.of((BY_HASH, PLAIN))).answer.status, 200)
        self.assertIsNone(self.upstreams.refusal((BY_HASH, PLAIN)))
        self.answer(self.network)
        self.assertEqual(self.opened(self.upstreams.of((BY_HASH, PLAIN))).answer.status, 404)
        self.assertEqual(self.upstreams.refusal((BY_HASH, PLAIN)), 404)
        self.clock.advance(REFUSAL_LIFETIME)
        self.assertIsNone(self.upstreams.refusal((BY_HASH, PLAIN)))

    def test_password(self) -> None:
        """A password goes to the mirror, and to no host that this redirects to."""
        self.answer(self.network, Packages=Page(status=302, headers={"Location": "http://cdn.example/moved"}))
        moved = Page(b"text")
        self.answer(self.guarded, moved=moved)
        self.opened(self.upstreams.of((PLAIN,)), Authorization="Basic x", Range="bytes=5-")
        (asked,) = moved.asked
        self.assertFalse(asked.hasHeader("Authorization"))
        self.assertEqual(asked.getRawHeaders("Range"), ["bytes=5-"])

    def test_redirects_to_another_port(self) -> None:
        """A mirror whose name leads to this host leads to no other port of it."""
        for location, guarded in (("http://deb.example:15678/y", True), ("http://deb.example/y", False)):
            self.setUp()
            self.answer(self.network, **{"zlib1g_1_amd64.deb": Page(status=302, headers={"Location": location})})
            self.answer(self.guarded)
            self.guarded.hosts["deb.example:15678"] = Page(b"deb")
            self.opened(self.upstreams.of((URL,)))
            self.assertEqual(len(self.guarded.asked), int(guarded), location)

    def test_redirects_of_a_local_mirror(self) -> None:
        """A mirror on this host or its link leads by redirects to itself, and to no other port or address there."""
        for host in HOSTS[2:]:
            there = f"http://{host}/there"
            self.answer(self.network, here=Page(status=302, headers={"Location": there}), there=Page(b"deb"))
            self.assertEqual(self.opened(self.upstreams.of((f"http://{host}/here",))).answer.status, 200)
        self.assertEqual(self.guarded.asked, [])
        for elsewhere in ("http://127.0.0.1:15678/status", "http://169.254.169.254/there"):
            self.answer(self.network, here=Page(status=302, headers={"Location": elsewhere}))
            self.failureResultOf(Deferred.fromCoroutine(self.upstreams.of(("http://127.0.0.1/here",)).open(NAME, {}, 5.0)), FetchError)
            self.assertEqual(self.guarded.asked.pop(), f"GET {elsewhere}")

    def test_lies(self) -> None:
        """It is remembered for an hour how often a mirror gave wrong bytes of a file."""
        upstream = self.upstreams.of((BY_HASH, PLAIN))
        self.assertIsNone(self.upstreams.lies((BY_HASH, PLAIN)))
        upstream.lied()
        self.clock.advance(5.0)
        upstream.lied()
        self.assertEqual(self.upstreams.lies((BY_HASH, PLAIN)), Lies(2, 5.0))
        self.assertIsNone(self.upstreams.lies((URL,)))
        self.clock.advance(LIE_LIFETIME)
        self.assertIsNone(self.upstreams.lies((BY_HASH, PLAIN)))

    def test_spoilt(self) -> None:
        """Of which file a mirror gave wrong bytes is remembered for an hour, whichever mirror is asked for it then."""
        self.answer(self.network)
        upstream = self.upstreams.of((URL,))
        upstream.lied()
        self.assertFalse(self.upstreams.is_spoilt(""))
        self.opened(upstream)
        self.assertFalse(self.upstreams.is_spoilt(NAME))
        upstream.lied()
        self.assertTrue(self.upstreams.is_spoilt(NAME))
        self.clock.advance(LIE_LIFETIME)
        self.assertFalse(self.upstreams.is_spoilt(NAME))
