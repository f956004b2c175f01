"""Tests for `pacserve.web.server.responses`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.web.server.responses import Responder, field_value, header_getter
from tests.fakes.browser import Browser, site_of


class Keeper(Resource):
    """Keeps the requests that come."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render(self, request: Request) -> int:
        self.requests.append(request)
        return NOT_DONE_YET


class ResponderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 784111777.0
        self.keeper = Keeper()
        self.browser = Browser(site_of(self.keeper, Clock()))
        self.responder = Responder(lambda: self.now)

    def asked(self, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> Request:
        """A request that waits for its response."""
        self.browser.ask("/", *headers, method=method, version=version)
        return self.keeper.requests[-1]

    def test_whole(self) -> None:
        """A response is the status line, Date, the given headers and the body, in one piece."""
        self.responder.send(self.asked(), 200, "Content-Length: 3\r\n", b"abc")
        expected = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\nabc"
        self.assertEqual(self.browser.wire.value(), expected)

    def test_no_headers(self) -> None:
        """A response without further headers is still well formed."""
        self.responder.send(self.asked(), 304, "")
        self.assertEqual(self.browser.wire.value(), b"HTTP/1.1 304 Not Modified\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")

    def test_date(self) -> None:
        """Date follows the time of day."""
        for _ in range(2):
            self.responder.send(self.asked(), 204, "Content-Length: 0\r\n")
            self.now += 1
        first, second = self.browser.responses()
        self.assertNotEqual(first.headers["date"], second.headers["date"])

    def test_head(self) -> None:
        """A HEAD gets the headers of a GET and no body."""
        self.responder.send(self.asked(method="HEAD"), 200, "Content-Length: 3\r\n", b"abc")
        self.assertTrue(self.browser.wire.value().endswith(b"Content-Length: 3\r\n\r\n"))

    def test_connection_close(self) -> None:
        """A client that wants the connection closed, or speaks HTTP/1.0, is told that it will be, and it is."""
        for headers, version in ((("Connection: close",), "HTTP/1.1"), ((), "HTTP/1.0")):
            self.browser = Browser(site_of(self.keeper, Clock()))
            self.responder.send(self.asked(*headers, version=version), 200, "Content-Length: 0\r\n")
            (response,) = self.browser.responses()
            self.assertEqual(response.headers["connection"], "close")
            self.assertTrue(self.browser.closed)

    def test_line(self) -> None:
        """A line of text is a whole response."""
        size = self.responder.send_line(self.asked(), 404, "nothing here: \u00e4")
        (response,) = self.browser.responses()
        self.assertEqual((response.status, response.body), (404, "nothing here: \u00e4\n".encode()))
        self.assertEqual(response.headers["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(size, len(response.body))

    def test_line_for_head(self) -> None:
        """A HEAD is told the length of the line, and gets none of it."""
        self.assertEqual(self.responder.send_line(self.asked(method="HEAD"), 404, "nothing here"), 0)
        (response,) = self.browser.responses("HEAD")
        self.assertEqual((response.headers["content-length"], response.body), ("13", b""))

    def test_unknown_status(self) -> None:
        """A status without a phrase is sent without one."""
        self.responder.send_line(self.asked(), 599, "odd")
        self.assertTrue(self.browser.wire.value().startswith(b"HTTP/1.1 599 \r\n"))


class FieldValueTests(SynchronousTestCase):
    def test_clean(self) -> None:
        """A clean value stays as it is."""
        self.assertEqual(field_value("http://10.0.0.3:15678/package/a~b+c:1 d"), "http://10.0.0.3:15678/package/a~b+c:1 d")

    @given(st.text())
    def test_ends_no_header(self, text: str) -> None:
        """No value can end its header, or be anything but ASCII."""
        value = field_value(text)
        self.assertTrue(value.isascii() and value.isprintable())
        self.assertEqual(len(value), len(text))


class HeaderGetterTests(SynchronousTestCase):
    def header(self, name: str, *headers: str) -> str | None:
        """The value of a header of a request with these."""
        keeper = Keeper()
        Browser(site_of(keeper, Clock())).ask("/", *headers)
        return header_getter(keeper.requests[0])(name)

    def test_values(self) -> None:
        """Several headers of one name are one, in their order, whatever the case of their names."""
        self.assertEqual(self.header("Via", "Via: a", "X: y", "vIA: b"), "a, b")

    def test_absent(self) -> None:
        """A header that is not there has no value, one that is empty has an empty one."""
        self.assertIsNone(self.header("Via"))
        self.assertEqual(self.header("Via", "Via:"), "")

    def test_foreign_bytes(self) -> None:
        """Bytes beyond ASCII are no reason to fail."""
        self.assertEqual(self.header("Range", "Range: \xff\xfe"), "\xff\xfe")
