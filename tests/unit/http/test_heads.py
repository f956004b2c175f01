"""Tests for `pacserve.http.heads`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.heads import WaitingHead, ends_connection, waiting_heads

ALL = 100


def head(target: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A whole request."""
    return "\r\n".join([f"{method} {target} {version}", *lines, "", ""]).encode("latin-1")


def targets(data: bytes, skip: int = 0, most: int = ALL) -> list[bytes]:
    """The targets of the requests that are found."""
    return [each.target for each in waiting_heads(data, skip, most)]


class WaitingTests(SynchronousTestCase):
    def test_one(self) -> None:
        """A head is taken apart: method, target, and headers of any case, those of one name together."""
        (found,) = waiting_heads(head("/a?b", "Host: x:1", "via:\t 1.1 a ", "Via: 1.1 b", "X:caf\xe9", "Y:"), 0, ALL)
        self.assertEqual((found.method, found.target, found.last), (b"GET", b"/a?b", False))
        self.assertEqual([found.header(name) for name in ("hOST", "Via", "X", "Y", "Range")], ["x:1", "1.1 a, 1.1 b", "caf\xe9", "", None])

    def test_several(self) -> None:
        """Complete heads are found in their order, of any method, and also behind an empty line; one that still arrives is not."""
        data = head("/a") + head("http://mirror.example/b", method="HEAD") + b"\r\n" + head("/c") + b"GET /d HTTP/1.1\r\nHost: x\r\n"
        self.assertEqual(targets(data), [b"/a", b"http://mirror.example/b", b"/c"])
        self.assertEqual(targets(data + b"\r\n"), [b"/a", b"http://mirror.example/b", b"/c", b"/d"])

    def test_those_that_are_known(self) -> None:
        """Those that were looked at before are left out, and no more are returned than are wanted."""
        data = b"".join(head(f"/{number}") for number in range(5))
        self.assertEqual(targets(data, 2), [b"/2", b"/3", b"/4"])
        self.assertEqual(targets(data, 1, 2), [b"/1", b"/2"])
        self.assertEqual((targets(data, 5), targets(data, 9), targets(data, 2, 0)), ([], [], []))

    def test_last(self) -> None:
        """Nothing is answered behind a request that ends its connection."""
        for ending in (head("/a", version="HTTP/1.0"), head("/a", "Connection: Close"), head("/a", "Connection: x ,close")):
            (found,) = waiting_heads(ending + head("/b"), 0, ALL)
            self.assertEqual((found.target, found.last), (b"/a", True))

    def test_unusual(self) -> None:
        """Whatever is malformed, unusual or has a body is left to its turn, with all that is behind it."""
        for data in (
            b"\r\n\r\n",
            b"\r\n\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"GET  /a HTTP/1.1\r\n\r\n",
            b"get /a HTTP/1.1\r\n\r\n",
            b"GET /a HTTP/2.0\r\n\r\n",
            b"GET /a HTTP/1.1 x\r\n\r\n",
            b"GET /a\nb HTTP/1.1\r\n\r\n",
            b"GET /caf\xe9 HTTP/1.1\r\n\r\n",
            head("/a", "no colon"),
            head("/a", "na me: x"),
            head("/a", "Host : x"),
            head("/a", ": x"),
            head("/a", "Host: x", " folded"),
            head("/a", "X: a\nb"),
            head("/a", "X: a\x00b"),
            head("/a", "Content-Length: 5"),
            head("/a", "Content-Length: 0", "Content-Length: 0"),
            head("/a", "Transfer-Encoding: chunked"),
            head("/a", *["X: y"] * 101),
        ):
            self.assertEqual(targets(head("/first") + data + head("/behind")), [b"/first"], data)

    def test_empty_body(self) -> None:
        """A request may say that its body is empty."""
        self.assertEqual(targets(head("/a", "Content-Length: 0") + head("/b")), [b"/a", b"/b"])

    def test_close(self) -> None:
        """The option that ends a connection is found among others, whatever its case."""
        for value, ends in ((b"close", True), (b"keep-alive, CLOSE\t", True), (b"closed", False), (b"not close", False), (b"", False)):
            self.assertEqual(ends_connection(value), ends, value)


TOKENS = st.sampled_from(
    [b"GET /a HTTP/1.1\r\n", b"HEAD http://h/x HTTP/1.0\r\n", b"\r\n", b"Host: x\r\n", b"Content-Length:", b"\x00", b" ", b"Connection: close\r\n"]
)


class AnyBytesTests(SynchronousTestCase):
    @given(st.lists(st.one_of(st.binary(max_size=20), TOKENS), max_size=30).map(b"".join), st.integers(0, 12), st.integers(0, 12))
    def test_any(self, data: bytes, skip: int, most: int) -> None:
        """Whatever bytes wait, nothing is raised, no more are found than are wanted, and each is a request that can be asked."""
        found = waiting_heads(data, skip, most)
        self.assertLessEqual(len(found), most)
        for each in found:
            self.assertTrue(each.method.isalpha() and each.target.decode("ascii").isprintable())
            self.assertIn(each.method + b" " + each.target + b" HTTP/1.", data)
            self.assertNotIn(b" ", each.target)
            for name in each.fields:
                self.assertIsNotNone(each.header(name.decode("ascii")))
        self.assertFalse(any(each.last for each in found[:-1]))

    @given(st.lists(st.tuples(st.sampled_from(["GET", "HEAD", "PUT"]), st.text("abc/%7e.", max_size=9)), max_size=12), st.integers(0, 12), st.data())
    def test_in_pieces(self, requests: list[tuple[str, str]], most: int, drawn: st.DataObject) -> None:
        """However the bytes come, each request is found once, and in order."""
        data = b"".join(head(f"/{target}", "Host: x", method=method) for method, target in requests)
        found: list[WaitingHead] = []
        for end in [*sorted(drawn.draw(st.lists(st.integers(0, len(data)), max_size=6))), len(data)]:
            found += waiting_heads(data[:end], len(found), most - len(found))
        expected = [(method.encode(), f"/{target}".encode()) for method, target in requests]
        self.assertEqual([(each.method, each.target) for each in found], expected[:most])
