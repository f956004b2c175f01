"""Tests for `pacserve.mirrors.upstreams`."""

from collections.abc import Mapping
from dataclasses import replace

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent

from pacserve.errors import FetchError
from pacserve.fetch.agents import mirror_agent
from pacserve.fetch.guard import AddressGuard
from pacserve.fetch.proxy import Proxies
from pacserve.fetch.stream import BodyStream, StreamingClient
from pacserve.mirrors.health import ABSENCE_LIFETIME, Absences, MirrorHealth
from pacserve.mirrors.inquiry import REDIRECTS_LIMIT
from pacserve.mirrors.upstream import RATE_LIFETIME, SLOW_ANSWER
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.packages.files import FileKind, FileRequest
from pacserve.pacman.configuration import PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.sources.upstreams import Upstream
from tests.fakes.interfaces import Addresses, Configuration
from tests.fakes.network import Line, Network, Page
from tests.fakes.wires import Wires

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
VIA = {"Via": "1.1 pacserve-00"}


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network, self.guarded = Network(), Network()
        self.health = MirrorHealth()
        self.absences = Absences()

    def make(self, *servers: str, agent: IAgent | None = None, guarded: IAgent | None = None) -> MirrorUpstreams:
        """The mirrors of a pacman.conf."""
        configuration = Configuration()
        configuration.value = PacmanConfiguration(("x86_64",), (), "/nowhere", {"core": Repository("core", servers)})
        return MirrorUpstreams(
            Servers(configuration, Addresses("192.0.2.9"), ["me"], 15678),
            StreamingClient(agent or self.network, self.clock, VIA),
            StreamingClient(guarded or self.guarded, self.clock, VIA),
            self.health,
            self.absences,
            self.clock,
        )

    def labels(self, upstreams: MirrorUpstreams) -> str:
        """The order of mirrors with one-letter names."""
        return "".join(upstream.label.removeprefix("mirror http://") for upstream in upstreams.upstreams(REQUEST))

    def open(self, upstream: Upstream, name: str = NAME, timeout: float = 7.0, headers: Mapping[str, str] = {}) -> Deferred[BodyStream]:
        """Asks a mirror for the file."""
        stream: Deferred[BodyStream] = Deferred.fromCoroutine(upstream.open(name, headers, timeout))  # type: ignore[arg-type]
        return stream


class AbsenceTests(Setup):
    def test_absent(self) -> None:
        """There is no mirror for a package that none had a moment ago; databases are not concerned."""
        upstreams = self.make("http://a")
        database = replace(REQUEST, name="core.db", kind=FileKind.DATABASE)
        for request in (REQUEST, database):
            self.absences.remember(request, "404", 0.0)
        self.assertEqual((len(upstreams.upstreams(REQUEST)), len(upstreams.upstreams(database))), (0, 1))
        self.clock.advance(ABSENCE_LIFETIME)
        self.assertEqual(len(upstreams.upstreams(REQUEST)), 1)


class MachineTests(Setup):
    def test_one_machine(self) -> None:
        """Whatever the scheme and folder, it is the same machine; another port may be another one."""
        servers = ("http://a/arch", "https://a/", "https://u:p@A.:443", "http://b", "http://a:81", "https://[2001:db8::1]")
        machines = [upstream.machine for upstream in self.make(*servers).upstreams(REQUEST)]
        self.assertEqual(machines, ["a", "a", "a", "b", "a:81", "[2001:db8::1]"])


class RedirectTests(Setup):
    def ask(self, location: str, server: str = "http://a") -> Deferred[BodyStream]:
        """Asks a mirror that redirects."""
        self.network.hosts["a"] = Page(b"", 302, {"Location": location})
        (upstream,) = self.make(server).upstreams(REQUEST)
        return self.open(upstream)

    def test_elsewhere(self) -> None:
        """Where a mirror sends to another host that is asked instead, under guard."""
        self.guarded.hosts["b"] = Page(b"12345")
        stream = self.successResultOf(self.ask("http://b/pool/x"))
        self.assertEqual((stream.answer.status, stream.answer.length, self.guarded.asked), (200, 5, ["GET http://b/pool/x"]))
        stream.drop()

    def test_loop(self) -> None:
        """A loop ends after a few redirects."""
        self.failureResultOf(self.ask(f"/{NAME}"), FetchError)
        self.assertEqual(len(self.network.asked), 1 + REDIRECTS_LIMIT)

    def test_nowhere(self) -> None:
        """Only http and https are followed."""
        for location in ("file:///etc/passwd", "ftp://b/x", "", "http://", "gopher://b", "http://b:0/"):
            self.network.asked.clear()
            self.failureResultOf(self.ask(location), FetchError)
            self.assertEqual((len(self.network.asked), self.guarded.asked), (1, []), location)

    def test_guard(self) -> None:
        """A redirect to this host or its link connects to nobody, whatever its address looks like."""
        guard = AddressGuard(Addresses("192.0.2.9"))
        for host in ("127.0.0.1", "[::1]", "127.1", "0", "192.0.2.9", "169.254.1.1", "[fe80::1]", "[::ffff:127.0.0.1]", "224.0.0.1"):
            self.setUp()
            self.network.hosts["a"] = Page(b"", 302, {"Location": f"http://{host}/x"})
            guarded = mirror_agent(self.clock, Proxies({}), guard)
            (upstream,) = self.make("http://a", guarded=guarded).upstreams(REQUEST)
            failure = self.failureResultOf(self.open(upstream), FetchError)
            self.assertIn("leads back", str(failure.value), host)

    def test_time(self) -> None:
        """All redirects together have the time of one answer."""
        self.network.hosts["a"] = Page(b"", 302, {"Location": "http://b/x"})
        self.guarded.hosts["b"] = Line.SILENT
        (upstream,) = self.make("http://a").upstreams(REQUEST)
        opened = self.open(upstream, timeout=2.0)
        self.clock.advance(2.0)
        self.failureResultOf(opened, FetchError)
        self.assertEqual((len(self.guarded.cancelled), self.clock.getDelayedCalls()), (1, []))
        self.network.asked.clear()
        self.failureResultOf(self.open(upstream, timeout=0.0), FetchError)
        self.assertEqual(self.network.asked, [])

    def test_connections(self) -> None:
        """The connection of a redirect is freed, and so is each that is being waited for when nobody wants the file any more."""
        first, second = Wires(self.clock), Wires(self.clock)
        (upstream,) = self.make("http://a", agent=first.agent, guarded=second.agent).upstreams(REQUEST)
        opened = self.open(upstream)
        first.made[0].give(b"HTTP/1.1 302 x\r\nContent-Length: 100\r\nLocation: http://b/x\r\n\r\nmoved")
        self.clock.advance(0)
        self.assertEqual((first.made[0].closed, len(second.made)), (True, 1))
        opened.cancel()
        self.clock.advance(0)
        self.failureResultOf(opened, CancelledError)
        self.assertEqual((second.made[0].closed, self.clock.getDelayedCalls()), (True, []))
        opened = self.open(upstream)
        opened.cancel()
        self.clock.advance(0)
        self.failureResultOf(opened, CancelledError)
        self.assertEqual((first.made[1].closed, self.clock.getDelayedCalls()), (True, []))


class AnswerTests(Setup):
    def test_sent(self) -> None:
        """A mirror that is a pacserve sees by Via that it must ask nobody, and every host that is redirected to gets the same headers."""
        pages = {"a": Page(b"", 302, {"Location": "http://a/there"}), "b": Page(b"12345")}
        self.network.hosts |= {"a": pages["a"]}
        pages["a"].headers["Location"] = "http://b/there"
        self.guarded.hosts |= {"b": pages["b"]}
        (upstream,) = self.make("http://a").upstreams(REQUEST)
        self.successResultOf(self.open(upstream, headers={"Range": "bytes=5-", "If-Range": '"x"'})).drop()
        for page in pages.values():
            for name, value in (("via", VIA["Via"]), ("range", "bytes=5-"), ("if-range", '"x"'), ("accept-encoding", "identity")):
                self.assertEqual(page.asked[0].getRawHeaders(name), [value])

    def test_encoded(self) -> None:
        """What is encoded though nobody asked for it has other bytes, and is refused; the name of the file's own compression changes nothing."""
        for name, encoding, fine in (
            (NAME, "gzip", False),
            (NAME, "zstd", True),
            ("a-1-1-any.pkg.tar.gz", "x-gzip", True),
            ("a-1-1-any.pkg.tar.gz", "br", False),
            ("a-1-1-any.pkg.tar.gz", "gzip, gzip", False),
            ("core.db", "x-gzip", False),
            ("name", "gzip", False),
            (NAME, "identity", True),
        ):
            self.setUp()
            self.network.hosts["a"] = Page(b"12345", 200, {"Content-Encoding": encoding})
            (upstream,) = self.make("http://a").upstreams(REQUEST)
            opened = self.open(upstream, name)
            if fine:
                self.successResultOf(opened).drop()
            else:
                self.failureResultOf(opened, FetchError)

    def test_password(self) -> None:
        """A password in a Server line is for that mirror alone, and for no log."""
        self.network.hosts["user:secret@a"] = page = Page(b"", 302, {"Location": "http://b/x"})
        agent = RequestTraversalAgent(page)
        self.guarded.hosts["b"] = other = Page(b"12345")
        (upstream,) = self.make("http://user:secret@a", agent=agent).upstreams(REQUEST)
        self.successResultOf(self.open(upstream)).drop()
        self.assertEqual((len(page.asked), page.asked[0].hasHeader("authorization")), (1, True))
        self.assertFalse(other.asked[0].hasHeader("authorization"))
        self.assertNotIn("secret", upstream.label)


class HealthTests(Setup):
    def test_order(self) -> None:
        """A mirror that does not answer, answers that it can't, fails or lies comes last; one that has no such file keeps its place."""
        upstreams = self.make("http://a", "http://b")
        for answer, order in (
            (Line.REFUSES, "ba"),
            (Page(b"", 503), "ba"),
            (Page(b"", 403), "ab"),
            (Page(b"", 401), "ab"),
            (Page(b"", 404), "ab"),
            (Page(b"1"), "ab"),
        ):
            self.network.hosts["a"] = answer
            self.open(upstreams.upstreams(REQUEST)[0]).addCallbacks(lambda stream: stream.drop(), lambda _: None)
            self.assertEqual(self.labels(upstreams), order)
            self.health.succeeded("http://a")
        for verdict, forgiven in ((Upstream.failed, True), (Upstream.lied, False)):
            getattr(upstreams.upstreams(REQUEST)[0], verdict.__name__)()
            self.assertEqual(self.labels(upstreams), "ba")
            upstreams.upstreams(REQUEST)[1].succeeded()
            self.assertEqual(self.labels(upstreams), "ab" if forgiven else "ba")

    def test_slow(self) -> None:
        """One that was not faster than another though it had its time comes later; one that had none does not."""
        upstreams = self.make("http://a", "http://b")
        self.network.hosts["a"] = Line.SILENT
        for seconds, order in ((SLOW_ANSWER / 2, "ab"), (SLOW_ANSWER, "ba")):
            opened = self.open(upstreams.upstreams(REQUEST)[0])
            self.clock.advance(seconds)
            opened.cancel()
            self.failureResultOf(opened, CancelledError)
            self.assertEqual(self.labels(upstreams), order)

    def test_outrun(self) -> None:
        """One that another one outran though it was asked no later comes later at once, however little time it had."""
        upstreams = self.make("http://a", "http://b")
        upstreams.upstreams(REQUEST)[0].outrun()
        self.assertEqual(self.labels(upstreams), "ba")

    def test_rest(self) -> None:
        """A mirror that asked to be left alone says so until its time is over, and comes last."""
        upstreams = self.make("http://a", "http://b")
        self.health.rest("http://a", 5, 0)
        b, a = upstreams.upstreams(REQUEST)
        self.assertEqual((a.label, a.resting, b.resting), ("mirror http://a", True, False))
        self.clock.advance(5)
        self.assertEqual((a.resting, self.labels(upstreams)), (False, "ab"))

    def test_asks_for_a_rest(self) -> None:
        """A mirror that answers 429 or 503 rests for as long as it says, by a number or a date; other answers ask for nothing."""
        for status, headers, rests in (
            (503, {"Retry-After": "120"}, True),
            (429, {"Retry-After": "120"}, True),
            (503, {"Retry-After": "Thu, 01 Jan 2026 12:02:00 GMT", "Date": "Thu, 01 Jan 2026 12:00:00 GMT"}, True),
            (503, {}, False),
            (503, {"Retry-After": "soon"}, False),
            (500, {"Retry-After": "120"}, False),
            (200, {"Retry-After": "120"}, False),
        ):
            self.setUp()
            upstreams = self.make("http://a", "http://b")
            self.network.hosts["a"] = Page(b"", status, headers)
            a, b = upstreams.upstreams(REQUEST)
            self.successResultOf(self.open(a)).drop()
            self.assertEqual((a.resting, b.resting), (rests, False), (status, headers))
            self.clock.advance(120)
            self.assertFalse(a.resting)

    def test_rate(self) -> None:
        """How fast a mirror was is remembered for a while, for all files, and of so many mirrors only."""
        upstreams = self.make("http://a", "http://b")
        a, b = upstreams.upstreams(REQUEST)
        a.measured(1000.0)
        again, _ = upstreams.upstreams(REQUEST)
        self.assertEqual((again.rate, b.rate), (1000.0, None))
        self.clock.advance(RATE_LIFETIME)
        self.assertIsNone(a.rate)
        many = self.make(*(f"http://a{number}" for number in range(300))).upstreams(REQUEST)
        for upstream in many:
            upstream.measured(5.0)
        self.assertEqual(sum(upstream.rate is not None for upstream in many), 256)
