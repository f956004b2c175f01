"""Tests for `pacserve.web.server.channel`."""

import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.web.fairness import REQUEST_BURST
from pacserve.web.server import channel
from pacserve.web.server.channel import CLOSE_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, STALL_TIMEOUT
from pacserve.web.server.pipeline import MOST_PIPELINED
from pacserve.web.server.responses import Responder
from pacserve.web.server.sockets import Outgoing
from pacserve.web.server.twisted_internals import write_body
from tests.fakes.browser import Browser, Response, site_of

SWEEP = 2


class Echo(Resource):
    """
    Answers with the target, at once or, below `/later`, when it is told to.

    Attributes:
        waiting: The requests that wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Request] = []
        self.count = 0
        self._responder = Responder(lambda: 0.0)

    def render(self, request: Request) -> int:
        self.count += 1
        if request.uri.startswith(b"/later"):
            self.waiting.append(request)
        else:
            self.answer(request)
        return NOT_DONE_YET

    def answer(self, request: Request) -> None:
        """Answers a request that waits."""
        self._responder.send(request, 200, f"Content-Length: {len(request.uri)}\r\n", request.uri)


class ChannelTestCase(SynchronousTestCase):
    """Has one connection to a site that echoes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.echo = Echo()
        self.site = site_of(self.echo, self.clock)
        self.browser = Browser(self.site)

    def pass_time(self, seconds: float) -> None:
        """Lets so much time pass, and the sweep that follows."""
        self.clock.pump([SWEEP] * (int(seconds / SWEEP) + 1))

    def refusal(self) -> Response:
        """The response by which the connection ends, after which nothing is answered any more."""
        (response,) = self.browser.responses()
        self.assertEqual(response.headers["connection"], "close")
        self.assertTrue(self.browser.wire.half_closed)
        self.browser.ask("/again")
        self.assertEqual(self.browser.wire.value(), b"")
        return response


class RequestTests(ChannelTestCase):
    def test_keep_alive(self) -> None:
        """One request after the other is answered on one connection."""
        for target in ("/a", "/b", "/c"):
            self.assertEqual(self.browser.get(target).body, target.encode())
        self.assertFalse(self.browser.closed)

    def test_pipelining(self) -> None:
        """Requests that are sent without waiting are answered in their order, each in a turn of its own, also where one of them waits."""
        self.browser.send(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target for target in (b"/a", b"/later", b"/b", b"/c")))
        self.assertEqual([response.body for response in self.browser.responses()], [b"/a"])
        self.clock.advance(0)
        self.echo.answer(self.echo.waiting[0])
        self.assertEqual([response.body for response in self.browser.responses()], [b"/later"])
        self.clock.advance(0)
        self.assertEqual([response.body for response in self.browser.responses()], [b"/b", b"/c"])
        self.assertEqual(self.browser.get("/d").body, b"/d")

    def test_as_many_as_apt(self) -> None:
        """Ten requests at once, as apt sends them, are all answered."""
        self.browser.send(b"GET /a HTTP/1.1\r\n\r\n" * 10)
        self.clock.pump([0] * 10)
        self.assertEqual([response.body for response in self.browser.responses()], [b"/a"] * 10)
        self.assertFalse(self.browser.closed)

    def test_too_many_at_once(self) -> None:
        """More than some twenty requests at once end the connection after the first answer, in which the client is told why."""
        self.browser.send(b"GET /a HTTP/1.1\r\n\r\n" * (MOST_PIPELINED + 1))
        self.clock.pump([0] * 50)
        self.assertEqual(len(self.browser.responses()), MOST_PIPELINED + 1)
        self.browser.send(b"GET /a HTTP/1.1\r\n\r\n" * (MOST_PIPELINED + 2))
        self.clock.pump([0] * 50)
        self.assertEqual([response.status for response in self.browser.responses()], [200, 429])
        self.assertEqual(self.echo.count, MOST_PIPELINED + 2)
        self.assertEqual(self.browser.channel.waiting_bytes, [])
        self.assertTrue(self.browser.wire.half_closed)
        self.pass_time(CLOSE_TIMEOUT + SWEEP)
        self.assertTrue(self.browser.closed)

    def test_too_much_at_once(self) -> None:
        """So do fewer, but long ones; nothing of them is kept while the answer takes its time."""
        self.browser.send(b"GET /later HTTP/1.1\r\n\r\n" + b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 4000) * 3)
        self.browser.send(b"GET /a HTTP/1.1\r\n\r\n" * 100)
        self.assertEqual((self.browser.responses(), self.browser.channel.waiting_bytes), ([], []))
        self.echo.answer(self.echo.waiting[0])
        self.clock.advance(0)
        self.assertEqual([response.status for response in self.browser.responses()], [200, 429])

    def test_gone_before_its_turn(self) -> None:
        """A client that leaves while its next request waits for a turn has none of it answered."""
        self.browser.send(b"GET /a HTTP/1.1\r\n\r\n" * 3)
        self.browser.close()
        self.clock.pump([0] * 5)
        self.assertEqual(self.echo.count, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_byte_by_byte(self) -> None:
        """A request may come in as many pieces as it has bytes."""
        for byte in b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n":
            self.browser.send(bytes([byte]))
        self.assertEqual([response.body for response in self.browser.responses()], [b"/a"])

    def test_old_http(self) -> None:
        """HTTP/1.0 is answered, and the connection closed."""
        self.assertEqual(self.browser.get("/a", version="HTTP/1.0").body, b"/a")
        self.assertTrue(self.browser.closed)

    def test_close(self) -> None:
        """A client that says so in any way has its connection closed after the answer, and nothing behind it is answered; nobody else has."""
        for fields, closed in (
            ("Connection: close", True),
            ("Connection: Close, x", True),
            ("Connection: keep-alive,close", True),
            ("Connection: keep-alive\r\nConnection: close", True),
            ("Connection: keep-alive", False),
            ("Connection: Upgrade\r\nUpgrade: websocket", False),
            ("Proxy-Connection: close", False),
        ):
            self.browser = Browser(self.site)
            self.browser.send(f"GET /a HTTP/1.1\r\n{fields}\r\n\r\nGET /b HTTP/1.1\r\n\r\n".encode("ascii"))
            self.clock.advance(0)
            responses = self.browser.responses()
            self.assertEqual([response.body for response in responses], [b"/a"] if closed else [b"/a", b"/b"], fields)
            self.assertEqual((responses[0].headers.get("connection"), self.browser.closed), ("close", True) if closed else (None, False), fields)

    def test_no_interim_answer(self) -> None:
        """Nobody is told to go on: a client that takes that for its answer, as apt does, would take each answer for that of the next request."""
        self.browser.send(b"GET /a HTTP/1.1\r\nExpect: 100-continue\r\n\r\nGET /b HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
        self.clock.advance(0)
        self.assertEqual([(response.status, response.body) for response in self.browser.responses()], [(200, b"/a"), (200, b"/b")])

    def test_no_reading_ahead(self) -> None:
        """A client that does not take its answers gets no more of them made: a pipeline does not fill the memory."""
        self.browser.wire.limit = 1_000
        request = b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 300)
        self.browser.send(request * 20)
        self.clock.pump([0] * 30)
        self.assertLess(self.echo.count, 8)
        while self.echo.count < 20:
            before = self.echo.count
            self.browser.wire.take()
            self.clock.pump([0] * 30)
            self.assertGreater(self.echo.count, before)
            self.assertLess(self.echo.count, before + 8)
        self.assertEqual(len(self.browser.responses()), 20)

    def test_no_reading_ahead_to_the_end(self) -> None:
        """The last request of a pipeline, too, whose connection is to be closed, waits for its client."""
        self.browser.wire.limit = 100
        self.browser.send(b"GET /%s HTTP/1.1\r\n\r\nGET /z HTTP/1.1\r\nConnection: close\r\n\r\n" % (b"x" * 1000))
        self.clock.advance(0)
        self.assertEqual(self.echo.count, 1)
        self.browser.wire.take()
        self.clock.advance(0)
        self.assertEqual([response.body[-1:] for response in self.browser.responses()], [b"x", b"z"])
        self.assertTrue(self.browser.closed)


class AllowanceTests(ChannelTestCase):
    def test_too_much_used(self) -> None:
        """A host that has used too much of this one is answered as its allowance grows, whatever the number of its connections."""
        browsers = [Browser(self.site, "10.0.0.7") for _ in range(4)]
        allowance = browsers[0].channel.visitor.allowance
        assert allowance is not None
        allowance.use(int(REQUEST_BURST), 0)
        for browser in browsers:
            browser.ask("/a")
            self.assertEqual(len(browser.responses()), 1)  # those that were let in; what follows waits
            browser.ask("/b")
        self.assertEqual(sum(len(browser.responses()) for browser in browsers), 0)
        self.clock.pump([0] * 10)
        self.assertEqual(sum(len(browser.responses()) for browser in browsers), 0)
        self.assertEqual(self.browser.get("/own").body, b"/own")
        self.assertEqual(Browser(self.site, "10.0.0.8").get("/other").body, b"/other")
        self.clock.pump([0.02] * 5)
        self.assertEqual(sum(len(browser.responses()) for browser in browsers), 4)

    def test_retired_while_it_waits(self) -> None:
        """A connection that waits for its allowance is closed at once when the daemon stops: nothing more is answered on it."""
        browser = Browser(self.site, "10.0.0.7")
        allowance = browser.channel.visitor.allowance
        assert allowance is not None
        allowance.use(2 * int(REQUEST_BURST), 0)
        browser.ask("/a")
        browser.ask("/b")
        self.assertTrue(browser.channel.idle)
        browser.channel.retire()
        self.assertTrue(browser.closed)
        self.assertEqual(len(browser.responses()), 1)
        browser.close()
        self.clock.pump([1] * 5)

    def test_idle(self) -> None:
        """A connection is idle unless a request is being answered."""
        self.assertTrue(self.browser.channel.idle)
        self.browser.send(b"GET /later HTTP/1.1\r\n")
        self.assertTrue(self.browser.channel.idle)
        self.browser.send(b"\r\n")
        self.assertFalse(self.browser.channel.idle)
        self.echo.answer(self.echo.waiting[0])
        self.assertTrue(self.browser.channel.idle)


class RefusalTests(ChannelTestCase):
    def test_long_target(self) -> None:
        """A target of 100,000 bytes is refused before its line has come to an end."""
        self.browser.send(b"GET /" + b"a" * 100_000)
        self.assertEqual(self.refusal().status, 414)

    def test_long_target_in_pieces(self) -> None:
        """A target that grows piece by piece is refused as soon as it is too long, and what follows is not kept."""
        self.browser.send(b"GET /")
        for _ in range(1000):
            self.browser.send(b"a" * 100)
        self.assertEqual(self.refusal().status, 414)
        self.assertEqual(len(self.browser.channel.clearLineBuffer()), 0)

    def test_long_header(self) -> None:
        """A header that is too long is refused, also one in many folded lines."""
        for head, status in ((b"X: " + b"a" * 10_000 + b"\r\n", 431), (b"X: a\r\n" + b" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 1000, 400)):
            self.browser = Browser(self.site)
            self.browser.send(b"GET / HTTP/1.1\r\n" + head + b"\r\n")
            self.assertEqual(self.refusal().status, status)

    def test_many_headers(self) -> None:
        """A flood of headers is refused, by number and by size."""
        for flood in (b"X: y\r\n" * 101, (b"X: " + b"a" * 8000 + b"\r\n") * 3):
            self.browser = Browser(self.site)
            self.browser.send(b"GET / HTTP/1.1\r\n" + flood + b"\r\n")
            self.assertEqual(self.refusal().status, 431)

    def test_headers_are_counted_by_request(self) -> None:
        """Headers of earlier requests do not count."""
        for _ in range(5):
            self.assertEqual(self.browser.get("/a", *(f"X: {'y' * 200}" for _ in range(60))).status, 200)

    def test_bodies(self) -> None:
        """A request with a body is refused as soon as its head says so, and no file is made for it."""
        self.patch(tempfile, "TemporaryFile", None)
        for header in ("Content-Length: 1", "Content-Length: 999999999999", "Transfer-Encoding: chunked"):
            self.browser = Browser(self.site)
            self.browser.ask("/", header, "Expect: 100-continue", method="POST")
            self.assertEqual(self.refusal().status, 413, header)
        self.assertEqual(self.echo.count, 0)

    def test_empty_body(self) -> None:
        """A request that says that its body is empty is answered."""
        self.assertEqual(self.browser.get("/a", "Content-Length: 0").body, b"/a")

    def test_malformed(self) -> None:
        """Bytes that are no HTTP are refused."""
        for data in (
            b"\r\n\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1 x y\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nna me: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ):
            self.browser = Browser(self.site)
            self.browser.send(data)
            self.assertEqual(self.refusal().status, 400, data[:60])
        self.assertEqual(self.echo.count, 0)

    def test_after_refusal(self) -> None:
        """A refused client has a while to see its answer and close, and may send no end of bytes neither in time nor in number."""
        self.browser.send(b"nonsense\r\n")
        self.pass_time(10)
        self.assertTrue(self.browser.closed)
        self.browser = Browser(self.site)
        self.browser.send(b"nonsense\r\n")
        for _ in range(20):
            self.browser.send(b"x" * 65536)
        self.assertTrue(self.browser.closed)

    @given(st.lists(st.one_of(st.binary(), st.sampled_from((b"GET / HTTP/1.1\r\n", b"\r\n", b"Content-Length:", b"X: y\r\n"))), max_size=20))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Whatever bytes come, nothing is raised, and the next client is served."""
        browser = Browser(self.site)
        for piece in pieces:
            browser.send(piece)
        browser.close(cleanly=False)
        self.assertEqual(Browser(self.site).get("/a").body, b"/a")


class TimeTests(ChannelTestCase):
    def test_silent(self) -> None:
        """A connection on which nothing comes is closed soon."""
        self.pass_time(HEAD_TIMEOUT - 4)
        self.assertFalse(self.browser.closed)
        self.pass_time(8)
        self.assertTrue(self.browser.closed)
        self.assertEqual(self.browser.wire.value(), b"")

    def test_dripping(self) -> None:
        """Half a request that gets longer by a byte each second is ended no later than one that does not."""
        self.browser.send(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(int(HEAD_TIMEOUT) + 4):
            self.browser.send(b"y")
            self.clock.advance(1)
        self.assertEqual(self.refusal().status, 408)

    def test_dripping_late(self) -> None:
        """A client that begins late has only the rest of the time."""
        self.pass_time(HEAD_TIMEOUT - 4)
        self.browser.send(b"GET / HTTP/1.1\r\n")
        self.pass_time(8)
        self.assertEqual(self.refusal().status, 408)

    def test_dripping_later(self) -> None:
        """The same holds for a further request on a connection."""
        self.browser.get("/a")
        self.pass_time(IDLE_TIMEOUT - 10)
        self.browser.send(b"GET / HTTP/1.1\r\nX: ")
        self.pass_time(HEAD_TIMEOUT - 4)
        self.assertFalse(self.browser.wire.half_closed)
        self.pass_time(8)
        self.assertEqual(self.refusal().status, 408)

    def test_idle(self) -> None:
        """A connection is kept for a while between two requests, and then closed."""
        for _ in range(3):
            self.browser.get("/a")
            self.pass_time(IDLE_TIMEOUT - 4)
        self.assertFalse(self.browser.closed)
        self.pass_time(8)
        self.assertTrue(self.browser.closed)

    def test_stays_open(self) -> None:
        """A client that lets the closing of its connection go unanswered is cut off."""
        self.pass_time(HEAD_TIMEOUT + 4)
        self.assertFalse(self.browser.wire.disconnected)
        self.pass_time(10)
        self.assertTrue(self.browser.wire.disconnected)

    def test_long_answer(self) -> None:
        """A client that waits for an answer is not timed out: the answer is not up to the client."""
        self.browser.ask("/later")
        self.pass_time(STALL_TIMEOUT * 2)
        self.assertFalse(self.browser.closed)

    def test_stalled(self) -> None:
        """A client that takes nothing of what waits for it is cut off."""
        self.browser.ask("/later")
        self.browser.wire.outgoing = Outgoing(5000, 100)
        self.pass_time(STALL_TIMEOUT - 4)
        self.assertFalse(self.browser.closed)
        self.pass_time(10)
        self.assertTrue(self.browser.wire.disconnected)

    def test_slow(self) -> None:
        """A client that takes a little now and then is not cut off, however long it needs."""
        self.browser.ask("/later")
        for taken in range(10):
            self.browser.wire.outgoing = Outgoing(5000, taken)
            self.pass_time(STALL_TIMEOUT - 10)
        self.assertFalse(self.browser.closed)

    def test_waiting_for_us(self) -> None:
        """A client that has taken everything is not blamed for what is not there yet."""
        self.browser.ask("/later")
        self.browser.wire.outgoing = Outgoing(0, 100)
        self.pass_time(STALL_TIMEOUT * 3)
        self.assertFalse(self.browser.closed)


class EndTests(ChannelTestCase):
    def retire(self, seconds: float = 0.0) -> None:
        """Lets the daemon be about to end, for so many seconds."""
        self.site.connections.retire()
        self.clock.pump([0.1] * round(seconds * 10))

    def test_retire_idle(self) -> None:
        """When the daemon stops, connections are closed as soon as it is certain that no request is on its way."""
        self.browser.get("/a")
        self.pass_time(SWEEP * 2)
        fresh = Browser(self.site)
        self.retire()
        self.assertEqual((self.browser.closed, fresh.closed), (True, False))
        self.clock.pump([0.1] * 7)
        self.assertTrue(fresh.closed)

    def test_retire_between_requests(self) -> None:
        """A request that follows at once on a connection, as a signature follows its package, is answered, and told that it is the last."""
        self.browser.get("/a")
        fresh = Browser(self.site)
        self.retire(0.3)
        for browser in (self.browser, fresh):
            response = browser.get("/b")
            self.assertEqual((response.body, response.headers["connection"]), (b"/b", "close"))
            self.assertTrue(browser.closed)

    def test_retire_unread(self) -> None:
        """A connection whose request the kernel has, and nobody has read yet, is not closed: that would reset it."""
        unread = True
        self.patch(channel, "has_unread", lambda _: unread)
        self.retire(2.0)
        self.assertFalse(self.browser.closed)
        unread = False
        self.clock.advance(0.1)
        self.assertTrue(self.browser.closed)

    def test_retire_busy(self) -> None:
        """A response that has not begun says that it is the last, and then its connection is closed."""
        self.browser.ask("/later")
        self.retire(2.0)
        self.assertFalse(self.browser.closed)
        self.echo.answer(self.echo.waiting[0])
        (response,) = self.browser.responses()
        self.assertEqual((response.body, response.headers["connection"]), (b"/later", "close"))
        self.assertTrue(self.browser.closed)

    def test_retire_body(self) -> None:
        """After a body that was under way the client may ask once more, as it was told; otherwise the connection is closed."""
        for asks in (True, False):
            self.site = site_of(self.echo, self.clock)
            browser = Browser(self.site)
            browser.ask("/later")
            request = self.echo.waiting.pop()
            Responder(lambda: 0.0).begin(request, 200, "Content-Length: 2\r\n", b"a")
            self.retire(2.0)
            self.assertFalse(browser.closed)
            write_body(request, b"b")
            request.finish()
            (response,) = browser.responses()
            self.assertEqual((response.body, "connection" in response.headers), (b"ab", False))
            self.assertFalse(browser.closed)
            if asks:
                self.assertEqual(browser.get("/a.sig").headers["connection"], "close")
            else:
                self.clock.pump([0.1] * 7)
            self.assertTrue(browser.closed)

    def test_late(self) -> None:
        """A connection that comes when the daemon is about to end is answered once."""
        self.retire()
        late = Browser(self.site)
        self.assertEqual(late.get("/a").headers["connection"], "close")
        self.assertTrue(late.closed)

    def test_retire_half(self) -> None:
        """A request that is half there is answered, and then its connection is closed."""
        self.browser.send(b"GET /a HTTP/1.1\r\n")
        self.site.connections.retire()
        self.browser.send(b"\r\n")
        (response,) = self.browser.responses()
        self.assertEqual(response.headers["connection"], "close")
        self.assertTrue(self.browser.closed)

    def test_abort(self) -> None:
        """Every connection can be ended at once."""
        self.browser.ask("/later")
        self.site.connections.abort()
        self.assertTrue(self.browser.wire.disconnected)

    def test_forgotten(self) -> None:
        """A connection that has ended leaves nothing behind, whatever it was doing."""
        for data in (b"", b"GET", b"GET /later HTTP/1.1\r\n\r\n", b"GET /a HTTP/1.1\r\n\r\n", b"nonsense\r\n"):
            browser = Browser(self.site)
            browser.send(data)
            browser.close()
        self.browser.close()
        self.assertEqual(len(self.site.connections), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
