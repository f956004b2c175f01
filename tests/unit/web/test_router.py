"""Tests for `pacserve.web.router`."""

from __future__ import annotations

import contextlib
import errno
import gc
import pathlib
from collections.abc import Awaitable, Callable
from io import FileIO
from tempfile import TemporaryDirectory

from treq import content
from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, RequestError
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.packages.files import HeldFile
from pacserve.web.access_log import AccessLog
from pacserve.web.admission import AccessRules, Admission
from pacserve.web.answers import Answer, DocumentAnswer, EventsAnswer, FileAnswer, PassedAnswer, RedirectAnswer, SizeAnswer, StreamAnswer
from pacserve.web.bodies.events import Events
from pacserve.web.front import Ask, Front
from pacserve.web.hosts import Hosts
from pacserve.web.origins import Share
from pacserve.web.router import Router
from pacserve.web.routes import Audience, HostHeader, Methods, Route
from pacserve.web.witness import Answered, ClientLeft, Witness
from tests.fakes.arriving import Arriving, Opened
from tests.fakes.browser import Browser, router_of, site_of
from tests.fakes.interfaces import Addresses, Everyone

URL = "http://10.0.0.3:15678/package/zlib-1:1.3.1-2-x86_64.pkg.tar.zst/data"
REDIRECT = RedirectAnswer(URL, "peer 10.0.0.3:15678", 95872)


class ThisMachine(Admission):
    """Admits loopback."""

    def admits(self, client: IPAddress) -> bool:
        return client.is_loopback


class TestFront(Front):
    """
    Answers what it is told to.

    Attributes:
        asks: What it was asked.
    """

    __test__ = False

    def __init__(self, answer: Answer | Exception | Callable[[], Awaitable[Answer]]) -> None:
        self.next = answer
        self.asks: list[Ask] = []

    async def answer(self, ask: Ask) -> Answer:
        self.asks.append(ask)
        if isinstance(self.next, Exception):
            raise self.next
        return await self.next() if callable(self.next) else self.next


class RouterTestCase(SynchronousTestCase):
    """Has a router with one front, a site in front of it, and one connection to that."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.log = AccessLog(self.lines.append, self.clock)
        self.front = TestFront(REDIRECT)
        self.router = router_of(
            {"request": self.front, "": TestFront(DocumentAnswer(b"home"))}, self.clock, clients=ThisMachine(), witnesses=[self.log]
        )
        self.site = site_of(self.router, self.clock)
        self.browser = Browser(self.site)

    def logged(self) -> str:
        """The only line of the access log, without its time of day; nothing is under way any more."""
        self.assertEqual(self.router.running, 0)
        self.log.flush()
        (line,) = self.lines
        self.lines.clear()
        return line.partition("] ")[2].rstrip("\n")

    def waiting(self) -> Deferred[Answer]:
        """Lets the front wait for this."""
        result: Deferred[Answer] = Deferred()

        async def wait() -> Answer:
            return await result

        self.front.next = wait
        return result

    def held(self, content: bytes = b"content") -> HeldFile:
        """An open file."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "name"
        path.write_bytes(content)
        held = HeldFile("name", FileIO(str(path)), len(content), 784111777, '"tag"')
        self.addCleanup(held.file.close)
        return held


class RoutingTests(RouterTestCase):
    def test_ask(self) -> None:
        """The front is asked with the decoded parts behind its own, the query as it was sent, the method, the client and the headers."""
        self.browser.get("/request/core/x86_64/a%2B%2B-1:2?x=%2B?/&z", "Via: 1.1 a", "Via: 1.1 b")
        (ask,) = self.front.asks
        self.assertEqual(ask.query, "x=%2B?/&z")
        self.assertEqual((ask.method, ask.parts, ask.client), ("GET", ("core", "x86_64", "a++-1:2"), parse_address("127.0.0.1")))
        self.assertEqual((ask.header("via"), ask.header("Range")), ("1.1 a, 1.1 b", None))

    def test_root(self) -> None:
        """The front with the empty name answers the root."""
        self.assertEqual(self.browser.get("/").body, b"home")

    def test_empty_part(self) -> None:
        """A path whose first part is empty is not that of another front."""
        self.browser.get("//request/a")
        self.assertEqual(self.front.asks, [])

    def test_nowhere(self) -> None:
        """Paths of no front, and targets that are no paths, get 404, and nobody is asked."""
        for target in ("/nothing", "/Request/a", "/%72equest%2Fa", "*", "request/a", "/..%2frequest/a", "/%00", "/%ff"):
            self.assertEqual(self.browser.get(target).status, 404, target)
        self.assertEqual(self.front.asks, [])

    def test_methods(self) -> None:
        """Other methods than GET and HEAD get 405 with those two, and nobody is asked."""
        for method in ("PUT", "DELETE", "OPTIONS", "get", "PROPFIND"):
            response = self.browser.get("/request/a", method=method)
            self.assertEqual((response.status, response.headers["allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.front.asks, [])

    def test_changing(self) -> None:
        """A route that changes something is asked by POST alone; other methods get 405 with that one, and nobody is asked."""
        route = Route("claim", Methods.CHANGE, Audience.PEERS, HostHeader.ANY, self.front)
        browser = Browser(site_of(Router([route], AccessRules(ThisMachine(), Everyone(), Hosts(Addresses(), ())), self.clock), self.clock))
        for method in ("GET", "HEAD", "PUT"):
            browser.ask("/claim/a", method=method)
            (response,) = browser.responses(method)
            self.assertEqual((response.status, response.headers["allow"]), (405, "POST"))
        self.assertEqual(self.front.asks, [])
        browser.get("/claim/a", "Content-Length: 0", method="POST")
        self.assertEqual([ask.method for ask in self.front.asks], ["POST"])

    def test_audiences(self) -> None:
        """Each route has its own audience and its own rule for names."""
        rules = AccessRules(ThisMachine(), Everyone(), Hosts(Addresses(), ()))
        routes = [
            Route("request", Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, self.front),
            Route("package", Methods.READ, Audience.PEERS, HostHeader.ANY, self.front),
        ]
        site = site_of(Router(routes, rules, self.clock), self.clock)
        for host, target, status in (
            ("127.0.0.1", "/request/a", 307),
            ("127.0.0.1", "http://evil.example/request/a", 421),
            ("10.0.0.7", "/request/a", 403),
            ("10.0.0.7", "/package/a", 307),
            ("10.0.0.7", "http://evil.example/package/a", 307),
        ):
            self.assertEqual(Browser(site, host).get(target).status, status, (host, target))

    def test_audience(self) -> None:
        """A client that is not of the route's audience gets 403, and nobody is asked; an IPv4-mapped address is the IPv4 address."""
        self.assertEqual(Browser(self.site, "10.0.0.7").get("/request/a").status, 403)
        self.assertEqual(self.front.asks, [])
        self.assertEqual(Browser(self.site, "::ffff:127.0.0.1").get("/request/a").status, 307)

    def test_in_any_resource_tree(self) -> None:
        """The router is a resource like others, for tests of clients that speak to it."""
        client = HTTPClient(RequestTraversalAgent(self.router))

        def body() -> bytes:
            return self.successResultOf(content(self.successResultOf(client.get("http://localhost/request/a", allow_redirects=False))))

        self.assertEqual(body(), b"")
        self.front.next = DocumentAnswer(b"document")
        self.assertEqual(body(), b"document")
        self.front.next = FileAnswer(self.held(b"x" * 1_000_000))
        self.assertEqual(len(body()), 1_000_000)


class AnswerTests(RouterTestCase):
    def test_redirect(self) -> None:
        """A redirect is a 307 without a body, logged with the size of what is behind it."""
        response = self.browser.get("/request/a")
        self.assertEqual((response.status, response.headers["location"], response.body), (307, URL, b""))
        self.assertIn("307 from peer 10.0.0.3:15678 (redirected), 95872 bytes", self.logged())

    def test_hostile_location(self) -> None:
        """A URL can't add headers of its own, or be anything but ASCII."""
        self.front.next = RedirectAnswer("http://a/\r\nX: y\u20ac", "mirror http://a")
        self.assertEqual(self.browser.get("/request/a").headers["location"], "http://a/??X: y?")

    def test_size(self) -> None:
        """A client that only looks is told of a file that is elsewhere, with its size where that is known."""
        for size, length in ((95872, "95872"), (None, None)):
            self.front.next = SizeAnswer("mirror http://a", size)
            self.browser.ask("/request/a", method="HEAD")
            (response,) = self.browser.responses("HEAD")
            self.assertEqual((response.status, response.headers.get("content-length"), response.body), (200, length, b""))
        self.assertIn("200 from mirror http://a, 0 bytes", self.logged())

    def test_document(self) -> None:
        """A document has its status, its headers and its length."""
        self.front.next = DocumentAnswer(b"{}", (("Content-Type", "application/json"), ("ETag", '"x"')), status=200)
        response = self.browser.get("/request/a")
        self.assertEqual((response.status, response.body), (200, b"{}"))
        self.assertEqual((response.headers["content-type"], response.headers["etag"]), ("application/json", '"x"'))
        self.assertIn("200, 2 bytes", self.logged())

    def test_document_for_head(self) -> None:
        """A HEAD is told the length of a document and gets none of it."""
        self.front.next = DocumentAnswer(b"document")
        self.browser.ask("/request/a", method="HEAD")
        (response,) = self.browser.responses("HEAD")
        self.assertEqual((response.headers["content-length"], response.body), ("8", b""))
        self.assertIn("200, 0 bytes", self.logged())

    def test_document_not_modified(self) -> None:
        """A 304 has neither a body nor a length."""
        self.front.next = DocumentAnswer(b"", (("ETag", '"x"'),), status=304)
        response = self.browser.get("/request/a")
        self.assertEqual((response.status, response.headers.get("content-length")), (304, None))

    def test_quiet(self) -> None:
        """A quiet document is not logged."""
        self.front.next = DocumentAnswer(b"", quiet=True)
        self.browser.get("/request/a")
        self.log.flush()
        self.assertEqual(self.lines, [])

    def test_file(self) -> None:
        """A file is sent, closed and logged with its origin."""
        held = self.held()
        self.front.next = FileAnswer(held, "cache")
        self.assertEqual(self.browser.get("/request/a").body, b"content")
        self.assertTrue(held.file.closed)
        self.assertIn("200 from cache, 7 bytes", self.logged())

    def test_no_ranges(self) -> None:
        """A front may have ranges of its file ignored."""
        for ranges, status in ((True, 206), (False, 200)):
            self.front.next = FileAnswer(self.held(), ranges=ranges)
            self.assertEqual(self.browser.get("/request/a", "Range: bytes=2-").status, status)
        for ranges, status in ((True, 416), (False, 200)):
            self.front.next = StreamAnswer(Arriving(), "downloaded", ranges=ranges).opened()
            self.assertEqual(self.browser.get("/request/a", "Range: bytes=2-").status, status)

    def test_stream(self) -> None:
        """A file that is downloaded is logged with the hosts that it came from, and how; where nothing has come yet with the latter."""
        mirrors = Share("mirror https://a", 5), Share("mirror https://b", 7)
        for shares, source in (
            ((), "downloaded"),
            (mirrors[:1], "mirror https://a, downloaded"),
            (mirrors, "mirrors https://b 7 bytes, https://a 5 bytes, downloaded"),
        ):
            self.front.next = StreamAnswer(Arriving(*shares), "downloaded").opened()
            self.browser.ask("/request/a", method="HEAD")
            self.browser.responses("HEAD")
            self.assertTrue(self.logged().startswith(f"HEAD /request/a: 200 from {source}, 0 bytes, "))

    def test_later(self) -> None:
        """An answer that takes its time is sent when it is there."""
        result = self.waiting()
        self.browser.ask("/request/a")
        self.assertEqual((self.browser.responses(), self.router.running), ([], 1))
        self.clock.advance(1.5)
        result.callback(REDIRECT)
        self.assertEqual([response.status for response in self.browser.responses()], [307])
        self.assertTrue(self.logged().endswith(", 1500.0 ms"))

    def test_waiting_twice(self) -> None:
        """A front may wait as often as it wants, for things that are there and things that are not."""
        first: Deferred[str] = Deferred()
        second: Deferred[str] = Deferred()

        async def wait() -> Answer:
            return DocumentAnswer(f"{await first}{await second}".encode())

        self.front.next = wait
        self.browser.ask("/request/a")
        first.callback("a")
        self.assertEqual(self.browser.responses(), [])
        second.callback("b")
        self.assertEqual([response.body for response in self.browser.responses()], [b"ab"])


class ErrorTests(RouterTestCase):
    def test_request_error(self) -> None:
        """An error on purpose is its status and one line of text, and the log says who was asked."""
        self.front.next = RequestError(504, "mirror.example.org did not answer in time", "mirror https://example.org")
        response = self.browser.get("/request/a")
        self.assertEqual((response.status, response.body), (504, b"mirror.example.org did not answer in time\n"))
        self.assertIn("504 after mirror https://example.org, 42 bytes", self.logged())

    def test_silent(self) -> None:
        """An error that must not be told by its status ends the connection, and the log and the witnesses know it."""
        self.front.next = RequestError(504, "/srv can't be read", "/srv can't be read", silent=True)
        self.browser.ask("/request/a")
        self.assertEqual(self.browser.wire.value(), b"")
        self.assertTrue(self.browser.closed)
        self.assertIn("504 after /srv can't be read, cut short", self.logged())
        self.assertEqual(self.router.running, 0)

    def test_later(self) -> None:
        """The same after waiting."""
        result = self.waiting()
        self.browser.ask("/request/a")
        result.errback(RequestError(404, "nowhere"))
        self.assertEqual([response.status for response in self.browser.responses()], [404])
        self.assertIn("404", self.logged())

    def test_defects(self) -> None:
        """Any other exception is logged with its traceback and answered with 500, of which the client learns nothing more."""
        for error in (ZeroDivisionError("secret"), FetchError("secret"), CancelledError("secret"), StopAsyncIteration("secret")):
            self.front.next = error
            response = self.browser.get("/request/a")
            self.assertEqual(response.status, 500)
            self.assertNotIn(b"secret", response.body)
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)
            self.assertIn("500", self.logged())

    def test_environment(self) -> None:
        """An error of the system is answered with 500 as well, and told once, without a traceback, however many requests meet it."""
        self.front.next = OSError(errno.EIO, "Input/output error")
        with capturedLogs() as events:
            for _ in range(3):
                self.assertEqual(self.browser.get("/request/a").status, 500)
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_defect_of_a_witness(self) -> None:
        """A defect of one who is told of answers is heard where the front waited, too."""
        result = self.waiting()
        self.patch(self.router, "_finished", lambda *_, **__: 1 / 0)
        with capturedLogs() as events:
            self.browser.ask("/request/a")
            result.callback(REDIRECT)
            gc.collect()
        self.assertIn("answering a request", [event.get("doing") for event in events])
        self.assertFalse([event for event in events if "Unhandled" in str(event.get("log_format"))])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_defect_later(self) -> None:
        """The same after waiting."""
        result = self.waiting()
        self.browser.ask("/request/a")
        result.errback(ZeroDivisionError())
        self.assertEqual([response.status for response in self.browser.responses()], [500])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("500", self.logged())

    def test_answer_that_can_not_be_sent(self) -> None:
        """An answer that can't be written, now or later, is a defect like others, and leaves nothing waiting."""
        wrong = DocumentAnswer(b"", (("\u20ac", "x"),))
        self.front.next = wrong
        self.assertEqual(self.browser.get("/request/a").status, 500)
        self.assertIn("500", self.logged())
        result = self.waiting()
        self.browser.ask("/request/a")
        result.callback(wrong)
        self.assertEqual([response.status for response in self.browser.responses()], [500])
        self.assertIn("500", self.logged())
        self.assertEqual(len(self.flushLoggedErrors(UnicodeEncodeError)), 2)


class LeavingTests(RouterTestCase):
    def test_cancelled(self) -> None:
        """A client that leaves cancels what it asked for, and the log says so."""
        cancelled: list[Deferred[Answer]] = []

        async def wait() -> Answer:
            return await Deferred(cancelled.append)

        self.front.next = wait
        self.browser.ask("/request/a")
        self.assertEqual(cancelled, [])
        self.browser.close(cleanly=False)
        self.assertEqual(len(cancelled), 1)
        self.assertIn("GET /request/a: the client has left", self.logged())

    def test_late_file(self) -> None:
        """A file that arrives although its client has left is closed."""
        held = self.held()
        cancelled: Deferred[None] = Deferred()
        result: Deferred[None] = Deferred()

        async def wait() -> Answer:
            try:
                await cancelled
            except CancelledError:
                await result
            return FileAnswer(held)

        self.front.next = wait
        self.browser.ask("/request/a")
        self.browser.close()
        self.assertEqual((held.file.closed, self.router.running), (False, 1))
        result.callback(None)
        self.assertTrue(held.file.closed)
        self.assertIn("the client has left", self.logged())

    def test_late_stream(self) -> None:
        """So is the reader of a file that is still downloaded; one that is sent is closed afterwards."""
        file = Arriving()
        cancelled: Deferred[None] = Deferred()

        async def wait() -> Answer:
            with contextlib.suppress(CancelledError):
                await cancelled
            return StreamAnswer(file, "downloaded").opened()

        self.front.next = wait
        self.browser.ask("/request/a")
        self.browser.close()
        for method in ("GET", "HEAD"):
            self.front.next = StreamAnswer(file, "downloaded").opened()
            Browser(self.site).ask("/request/a", method=method)
        self.assertEqual([reader.closed for reader in file.readers], [True] * 3)

    def test_defect_after_leaving(self) -> None:
        """A defect is logged also where nobody waits for the answer any more; an error on purpose is not."""
        for error, logged in ((ZeroDivisionError(), 1), (RequestError(404, "nowhere"), 0)):
            self.browser = Browser(self.site)
            cancelled: Deferred[None] = Deferred()

            async def wait(cancelled: Deferred[None] = cancelled, error: Exception = error) -> Answer:
                try:
                    await cancelled
                except CancelledError:
                    raise error from None
                return REDIRECT

            self.front.next = wait
            self.browser.ask("/request/a")
            self.browser.close()
            self.assertEqual(len(self.flushLoggedErrors()), logged)
            self.assertIn("the client has left", self.logged())


class Told(Witness):
    """
    Notes what it is told.

    Attributes:
        all: The answered requests, in order.
        left: The requests whose clients left before their answers began, in order.
    """

    def __init__(self) -> None:
        self.all: list[Answered] = []
        self.left: list[ClientLeft] = []

    def answered(self, answered: Answered) -> None:
        self.all.append(answered)

    def client_left(self, left: ClientLeft) -> None:
        self.left.append(left)


class WitnessTests(RouterTestCase):
    """There are two witnesses, and a limit to the names that this host is asked by."""

    def setUp(self) -> None:
        super().setUp()
        self.told = Told(), Told()
        home = TestFront(DocumentAnswer(b"home", quiet=True))
        self.router = Router(
            [Route(path, Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, front) for path, front in (("request", self.front), ("", home))],
            AccessRules(ThisMachine(), Everyone(), Hosts(Addresses(), ())),
            self.clock,
            witnesses=self.told,
        )
        self.site = site_of(self.router, self.clock)
        self.browser = Browser(self.site)

    def witnessed(self) -> Answered:
        """Returns the one request that both were told of since the last time; nothing is under way any more."""
        self.assertEqual(self.router.running, 0)
        (answered,) = self.told[0].all
        self.assertEqual(self.told[1].all, [answered])
        for told in self.told:
            told.all.clear()
        return answered

    def test_redirect(self) -> None:
        """All that is known of a redirect is told, the size of what is behind it and how long it took included."""
        result = self.waiting()
        self.browser.ask("/request/a%20b?c")
        self.assertEqual(self.told[0].all, [])
        self.clock.advance(1.5)
        result.callback(REDIRECT)
        self.assertEqual(
            self.witnessed(),
            Answered("request", "GET", b"/request/a%20b?c", parse_address("127.0.0.1"), 307, "peer 10.0.0.3:15678", 95872, 1.5, redirected=True),
        )

    def test_documents(self) -> None:
        """A document is told with its size, a HEAD with none, a quiet one as such; an empty name is the front of the root."""
        self.browser.get("/")
        self.assertEqual(self.witnessed(), Answered("", "GET", b"/", parse_address("127.0.0.1"), 200, "", 4, 0.0, quiet=True))
        self.browser.ask("/", method="HEAD")
        answered = self.witnessed()
        self.assertEqual((answered.method, answered.status, answered.size, answered.complete), ("HEAD", 200, 0, True))

    def test_files(self) -> None:
        """A file is told with its origin, and the bytes that were sent of it: all, a range, or none where nothing has changed."""
        for headers, status, size in (
            ((), 200, 7),
            (("Range: bytes=2-4",), 206, 3),
            (('If-None-Match: "tag"',), 304, 0),
            (("Range: bytes=9-",), 416, 0),
        ):
            self.front.next = FileAnswer(self.held(), "cache")
            self.browser.get("/request/a", *headers)
            answered = self.witnessed()
            self.assertEqual((answered.status, answered.origin, answered.size, answered.complete), (status, "cache", size, True))

    def test_errors(self) -> None:
        """Errors are told with who was asked, defects as 500."""
        self.front.next = RequestError(504, "late", "mirror https://a")
        self.browser.get("/request/a")
        answered = self.witnessed()
        self.assertEqual((answered.front, answered.status, answered.origin, answered.size), ("request", 504, "mirror https://a", 5))
        self.front.next = ZeroDivisionError()
        self.browser.get("/request/a")
        self.assertEqual(self.witnessed().status, 500)
        self.front.next = DocumentAnswer(b"", (("\u20ac", "x"),))
        self.browser.get("/request/a")
        self.assertEqual(self.witnessed().status, 500)
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_refused(self) -> None:
        """A request that is refused before a front is asked is told of too, with the front that it was for, if there is one."""
        stranger = Browser(self.site, "10.0.0.7")
        for browser, target, method, status, front in (
            (self.browser, "/nowhere", "GET", 404, ""),
            (self.browser, "*", "GET", 404, ""),
            (self.browser, "/request/a", "PUT", 405, "request"),
            (self.browser, "http://evil.example/request/a", "GET", 421, "request"),
            (stranger, "/request/a", "GET", 403, "request"),
        ):
            browser.get(target, method=method)
            answered = self.witnessed()
            self.assertEqual((answered.status, answered.front, answered.method, answered.target), (status, front, method, target.encode()))
        self.assertEqual(answered.client, parse_address("10.0.0.7"))

    def test_cut(self) -> None:
        """A client that leaves within a body is told of when it has left, with what it was sent until then."""
        self.front.next = FileAnswer(self.held(b"x" * 1_000_000), "cache")
        self.browser.wire.limit = 1000
        self.browser.ask("/request/a")
        self.assertEqual(self.told[0].all, [])
        self.clock.advance(2)
        self.browser.close(cleanly=False)
        answered = self.witnessed()
        self.assertEqual((answered.status, answered.origin, answered.complete, answered.seconds), (200, "cache", False, 2.0))
        sent = len(self.browser.wire.value().partition(b"\r\n\r\n")[2])
        self.assertTrue(0 < sent < 1_000_000)
        self.assertEqual(answered.size, sent)

    def test_cut_after_waiting(self) -> None:
        """So it is where the answer took its time."""
        result = self.waiting()
        self.browser.wire.limit = 1000
        self.browser.ask("/request/a")
        result.callback(FileAnswer(self.held(b"x" * 1_000_000), "cache"))
        self.browser.close(cleanly=False)
        answered = self.witnessed()
        self.assertEqual((answered.status, answered.origin, answered.complete), (200, "cache", False))

    def test_aborted(self) -> None:
        """A file that turns out shorter than its head promised was not sent whole."""
        held = self.held(b"x" * 100_000)
        self.front.next = FileAnswer(HeldFile("name", held.file, 1_000_000, 784111777, '"tag"'), "cache")
        self.browser.ask("/request/a")
        self.browser.close(cleanly=False)
        answered = self.witnessed()
        self.assertFalse(answered.complete)
        self.flushLoggedErrors()

    def test_events(self) -> None:
        """Events are told of when they have ended, quietly."""

        async def look() -> dict[str, str]:
            return {"a": "1"}

        events = Events(look, self.clock)
        self.front.next = EventsAnswer(events)
        self.browser.ask("/request/a")
        self.assertEqual(self.told[0].all, [])
        events.stop()
        answered = self.witnessed()
        self.assertEqual((answered.status, answered.complete, answered.quiet), (200, True, True))
        self.assertGreater(answered.size or 0, 0)

    def test_left_early(self) -> None:
        """A client that leaves before its answer begins was not answered; the witnesses are told that it has left, and after how long."""
        for late in (True, False):
            browser = Browser(self.site)
            result = self.waiting()
            browser.ask("/request/a%20b", method="HEAD")
            self.clock.advance(1.5)
            browser.close(cleanly=late)
            self.assertTrue(result.called)
            self.assertEqual((self.router.running, self.told[0].all), (0, []))
            for told in self.told:
                self.assertEqual(told.left, [ClientLeft("request", "HEAD", b"/request/a%20b", parse_address("127.0.0.1"), 1.5)])
                told.left.clear()

    def test_pipeline(self) -> None:
        """Each request of a connection is told of, in the order of the answers."""
        self.browser.send(b"".join([b"GET /request/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(20)]))
        self.clock.advance(0)
        for told in self.told:
            self.assertEqual([answered.target for answered in told.all], [b"/request/%d" % number for number in range(20)])


class AnsweredTests(RouterTestCase):
    def test_idle(self) -> None:
        """Where nobody asks there is nothing to wait for."""
        self.successResultOf(Deferred.fromCoroutine(self.router.answered()))

    def test_waits(self) -> None:
        """Every client that waits for its answer is waited for, until it has one or leaves."""
        results = []
        browsers = [Browser(self.site), Browser(self.site)]
        for browser in browsers:
            results.append(self.waiting())
            browser.ask("/request/a")
        answered = Deferred.fromCoroutine(self.router.answered())
        results[0].callback(REDIRECT)
        self.assertNoResult(answered)
        browsers[1].close()
        self.successResultOf(answered)

    def test_given_up(self) -> None:
        """A caller that gives up waiting breaks nothing."""
        result = self.waiting()
        self.browser.ask("/request/a")
        answered = Deferred.fromCoroutine(self.router.answered())
        answered.cancel()
        self.failureResultOf(answered, CancelledError)
        result.callback(REDIRECT)
        self.assertEqual(self.router.running, 0)


class Text(Opened):
    """Reads a text that is here."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def read(self, offset: int, size: int) -> bytes:
        return self._text[offset : offset + size]

    async def more(self, offset: int) -> bool:
        return offset < len(self._text)


class PassedTests(RouterTestCase):
    """The answers of other hosts that are passed on."""

    def pass_on(self, status: int, length: int | None, text: bytes | None, *headers: tuple[str, str]) -> Opened | None:
        """Has the front pass an answer on, and returns the reader of its body."""
        reader = None if text is None else Text(text)
        self.front.next = PassedAnswer(status, headers, length, reader, "mirror http://a, sent through")
        return reader

    def test_whole(self) -> None:
        """Status, headers and body are passed on, and the body is closed."""
        reader = self.pass_on(206, 4, b"file", ("Content-Range", "bytes 5-8/9"), ("ETag", '"x\r\n"'))
        response = self.browser.get("/request/x")
        self.assertEqual((response.status, response.body, response.headers["content-length"]), (206, b"file", "4"))
        self.assertEqual((response.headers["content-range"], response.headers["etag"]), ("bytes 5-8/9", '"x??"'))
        self.assertTrue(reader is not None and reader.closed)
        self.assertIn("206 from mirror http://a, sent through, 4 bytes", self.logged())

    def test_without_body(self) -> None:
        """A 304 has no body; a HEAD gets none, and its reader is closed all the same."""
        self.pass_on(304, None, None)
        self.assertEqual(self.browser.get("/request/x").status, 304)
        reader = self.pass_on(200, 4, b"file")
        self.assertEqual(self.browser.get("/request/x", method="HEAD").headers["content-length"], "4")
        self.assertTrue(reader is not None and reader.closed)

    def test_unknown_length(self) -> None:
        """A body of unknown length goes in chunks; to HTTP/1.0, which knows none, it does not go: what is cut off would seem whole."""
        self.pass_on(200, None, b"file")
        self.browser.ask("/request/x")
        self.assertIn(b"Transfer-Encoding: chunked\r\n\r\n4\r\nfile\r\n0\r\n\r\n", self.browser.wire.value())
        self.browser.wire.clear()
        reader = self.pass_on(200, None, b"file")
        self.assertEqual(self.browser.get("/request/x", version="HTTP/1.0").status, 505)
        self.assertTrue(reader is not None and reader.closed)

    def test_document_of_another_host(self) -> None:
        """The log says where a document is from that was not made here."""
        self.front.next = DocumentAnswer(b"text", origin="copy of mirror http://a")
        self.browser.get("/request/x")
        self.assertIn("200 from copy of mirror http://a, 4 bytes", self.logged())

    def test_cut_off(self) -> None:
        """A body that ends early ends the connection."""
        self.pass_on(200, 9, b"file")
        self.browser.ask("/request/x")
        self.assertTrue(self.browser.closed)


class RestTests(SynchronousTestCase):
    """The route of everything that is below no other path."""

    def setUp(self) -> None:
        self.front, self.home = TestFront(DocumentAnswer(b"file")), TestFront(DocumentAnswer(b"home"))
        rest = Route("apt", Methods.READ, Audience.CLIENTS, HostHeader.ORIGIN, self.front, rest=True, refusal="there is no tunnel")
        home = Route("", Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, self.home)
        self.clock = Clock()
        router = Router([home, rest], AccessRules(ThisMachine(), Everyone(), Hosts(Addresses(), ())), self.clock)
        self.browser = Browser(site_of(router, self.clock))

    def test_parts(self) -> None:
        """The front gets all parts of a path, and the path as it was sent; what has a route of its own goes there."""
        self.assertEqual(self.browser.get("/mirror.example/debian/a%7eb.deb").status, 200)
        (ask,) = self.front.asks
        self.assertEqual((ask.parts, ask.authority, ask.path), (("mirror.example", "debian", "a~b.deb"), None, "/mirror.example/debian/a%7eb.deb"))
        self.assertEqual(self.browser.get("/").body, b"home")

    def test_absolute_form(self) -> None:
        """A target in absolute form may name any host, which the front is told."""
        self.assertEqual(self.browser.get("http://mirror.example:8080/debian/x").status, 200)
        (ask,) = self.front.asks
        self.assertEqual((ask.parts, ask.authority, ask.path), (("debian", "x"), "mirror.example:8080", "/debian/x"))

    def test_foreign_host(self) -> None:
        """A target in origin form must be asked of this host."""
        self.browser.send(b"GET /debian/x HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertEqual([response.status for response in self.browser.responses()], [421])
        self.assertEqual(self.front.asks, [])

    def test_other_methods(self) -> None:
        """Any other method is refused with what the route says of it, whatever its target."""
        for method, target in (("CONNECT", "mirror.example:443"), ("POST", "/debian/x"), ("DELETE", "*")):
            answer = self.browser.get(target, method=method)
            self.assertEqual((answer.status, answer.body), (405, b"there is no tunnel\n"))
        self.assertEqual(self.browser.get("*").status, 404)
        self.assertEqual(self.front.asks, [])

    def test_errors_in_a_pipeline(self) -> None:
        """An error is the answer to its own request, with a line that says why: those that wait behind it are answered as ever."""
        lines = {
            "GET http://m.example/a": 200,
            "GET http://m.example/foreign": 403,
            "CONNECT m.example:443": 405,
            "GET http://m.example/b": 200,
            "GET *": 404,
            "GET https://m.example/a": 404,
            "TRACE http://m.example/a": 405,
            "GET http://m.example/c?d": 200,
        }

        async def answer() -> Answer:
            if self.front.asks[-1].parts == ("foreign",):
                raise RequestError(403, "below no source")
            return DocumentAnswer(b"file\n")

        self.front.next = answer
        self.browser.send("".join([f"{line} HTTP/1.1\r\nHost: m.example\r\n\r\n" for line in lines]).encode("ascii"))
        self.clock.pump([0] * 2 * len(lines))
        responses = self.browser.responses()
        self.assertEqual([response.status for response in responses], list(lines.values()))
        self.assertTrue(all(response.body.endswith(b"\n") for response in responses))
        self.assertFalse(self.browser.closed)


class Eager(TestFront):
    """
    A front that starts on requests that wait.

    Attributes:
        waiting: Those that it was told of.
    """

    def __init__(self, answer: Answer | Exception | Callable[[], Awaitable[Answer]]) -> None:
        super().__init__(answer)
        self.waiting: list[Ask] = []

    def ahead(self, ask: Ask) -> None:
        self.waiting.append(ask)
        if ask.parts[-1] == "defect":
            raise ZeroDivisionError


class AheadTests(RouterTestCase):
    """There is a front that starts on requests that wait, and one that does not."""

    def setUp(self) -> None:
        super().setUp()
        self.front = self.eager = Eager(REDIRECT)
        self.idle = TestFront(REDIRECT)
        rest = Route("apt", Methods.READ, Audience.CLIENTS, HostHeader.ORIGIN, self.eager, rest=True)
        routes = [rest, Route("request", Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, self.idle)]
        self.router = Router(routes, AccessRules(ThisMachine(), Everyone(), Hosts(Addresses(), ())), self.clock)
        self.site = site_of(self.router, self.clock)
        self.browser = Browser(self.site)

    def send(self, *requests: str, host: str = "localhost") -> None:
        """Sends requests at once."""
        self.browser.send("".join([f"{request} HTTP/1.1\r\nHost: {host}\r\nRange: bytes=5-\r\n\r\n" for request in requests]).encode("ascii"))

    def test_told(self) -> None:
        """The front is told all of a request that waits, and asked the same in its turn; no front is told of a request that is not its own."""
        result = self.waiting()
        self.send("GET http://a.example/first", "GET /request/x", "GET http://b.example:80/x/a%7eb.deb?c", "HEAD /x")
        (told,) = self.eager.waiting
        self.assertEqual((told.method, told.parts, told.client), ("GET", ("x", "a~b.deb"), parse_address("127.0.0.1")))
        self.assertEqual((told.authority, told.path, told.query), ("b.example:80", "/x/a%7eb.deb", "c"))
        self.assertEqual((told.header("host"), told.header("Range"), told.header("Via")), ("localhost", "bytes=5-", None))
        self.assertEqual((len(self.eager.asks), self.router.running), (1, 1))
        result.callback(REDIRECT)
        self.eager.next = REDIRECT
        self.clock.pump([0] * 5)
        for name in ("method", "parts", "client", "query", "authority", "path"):
            self.assertEqual(getattr(self.eager.asks[1], name), getattr(told, name))
        self.assertEqual((len(self.eager.asks), len(self.idle.asks), self.router.running), (3, 1, 0))

    def test_not_allowed(self) -> None:
        """What is refused when its turn comes is not told of before: other hosts, foreign names, other methods, targets that are no path."""
        self.waiting()
        self.send("GET http://a.example/first")
        self.send("GET /a", host="evil.example")
        self.send("DELETE /a", "CONNECT a.example:443", "GET *")
        self.assertEqual(self.eager.waiting, [])
        self.browser = Browser(self.site, "10.0.0.9")
        self.send("GET /a", "GET /b")
        self.clock.pump([0] * 5)
        self.assertEqual((self.eager.waiting, [response.status for response in self.browser.responses()]), ([], [403, 403]))

    def test_defect(self) -> None:
        """A defect of the front is logged, and harms neither the request nor its connection."""
        result = self.waiting()
        self.send("GET /first", "GET /defect", "GET /last")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([ask.parts for ask in self.eager.waiting], [("defect",), ("last",)])
        result.callback(REDIRECT)
        self.eager.next = REDIRECT
        self.clock.pump([0] * 5)
        self.assertEqual([response.status for response in self.browser.responses()], [307] * 3)

    def test_no_interest(self) -> None:
        """Where no front has a use for it, nothing is looked at."""
        self.assertIsNone(router_of({"request": self.idle}, self.clock).ahead)
        self.idle.ahead(Ask("GET", (), parse_address("127.0.0.1"), lambda _: None))
