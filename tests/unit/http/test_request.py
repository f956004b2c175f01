"""Tests for `pacserve.http.request`."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.request import authority_of, names_pacserve, path_of, query_number, query_of, split_target, via_value


class SplitTargetTests(SynchronousTestCase):
    def test_raw_names(self) -> None:
        """Names are understood as pacman sends them: with colon, plus and tilde as they are."""
        self.assertEqual(
            split_target(b"/request/core/x86_64/c++-1:2.0~rc1-1-any.pkg.tar.zst"), ("request", "core", "x86_64", "c++-1:2.0~rc1-1-any.pkg.tar.zst")
        )

    def test_decoded_once(self) -> None:
        """Each part is percent-decoded exactly once."""
        self.assertEqual(split_target(b"/a%3Ab/%252e%252E"), ("a:b", "%2e%2E"))

    def test_encoded_slash(self) -> None:
        """An encoded slash belongs to its part, so that it makes no path out of a name."""
        self.assertEqual(split_target(b"/package/..%2f..%2Fetc"), ("package", "../../etc"))

    def test_no_traversal(self) -> None:
        """Dots and empty parts are parts like others: nothing is resolved."""
        self.assertEqual(split_target(b"/a/../b//./"), ("a", "..", "b", "", ".", ""))

    def test_query(self) -> None:
        """The query is left away."""
        self.assertEqual(split_target(b"/info?since=/5%20"), ("info",))

    def test_root(self) -> None:
        """The root is one empty part."""
        self.assertEqual(split_target(b"/"), ("",))

    def test_absolute_form(self) -> None:
        """The form that proxies are sent is understood, without a path too."""
        self.assertEqual(split_target(b"HTTP://localhost:15678/info"), ("info",))
        self.assertEqual(split_target(b"http://localhost:15678"), ("",))
        self.assertEqual(split_target(b"http://localhost:15678?x=/y"), ("",))

    def test_no_path(self) -> None:
        """Targets of CONNECT and OPTIONS, and other schemes, are no paths."""
        for target in (b"", b"*", b"localhost:15678", b"ftp://localhost/info", b"info", b"\\info"):
            self.assertIsNone(split_target(target), target)

    def test_bytes_that_are_no_text(self) -> None:
        """Bytes that are no UTF-8, and NUL, stay in their part as what no grammar lets pass."""
        self.assertEqual(split_target(b"/\xff%ff%00"), ("\udcff\udcff\0",))
        self.assertEqual(split_target(b"/\xff"), ("\udcff",))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, target: bytes) -> None:
        """Whatever bytes a client calls a target are parts, at least one, or none."""
        parts = split_target(target)
        if target.startswith(b"/"):
            self.assertIsNotNone(parts)
        if parts is not None:
            self.assertGreaterEqual(len(parts), 1)

    @given(st.lists(st.text(), min_size=1, max_size=5))
    def test_round_trip(self, parts: list[str]) -> None:
        """Every name survives being percent-encoded and decoded."""
        encoded = "/" + "/".join(quote(part, safe="", errors="surrogatepass") for part in parts)
        if all(part.isprintable() for part in parts):
            self.assertEqual(split_target(encoded.encode("ascii")), tuple(parts))


class AuthorityTests(SynchronousTestCase):
    def test_absolute_form(self) -> None:
        """The absolute form of a target states a host, if need be an empty one; the others state none."""
        for target, host in (
            (b"/", None),
            (b"/http://evil.example/", None),
            (b"//evil.example/", None),
            (b"*", None),
            (b"http://evil.example/status", "evil.example"),
            (b"HTTP://Evil.example:80/", "Evil.example:80"),
            (b"http://evil.example", "evil.example"),
            (b"http://evil.example?x=/", "evil.example"),
            (b"http://localhost@evil.example/", "localhost@evil.example"),
            (b"http:///status", ""),
            (b"http://\xff/", "\xff"),
        ):
            self.assertEqual(authority_of(target), host)

    def test_path(self) -> None:
        """The path is what was sent, without host and query."""
        for target, path in (
            (b"/a%7eb//./c?x=/", "/a%7eb//./c"),
            (b"http://mirror.example:80/debian/a%2fb", "/debian/a%2fb"),
            (b"http://mirror.example", "/"),
            (b"http://mirror.example?x=/y", "/"),
            (b"http://mirror.example?", "/"),
            (b"/\xff", "/\udcff"),
        ):
            self.assertEqual(path_of(target), path)


class QueryTests(SynchronousTestCase):
    def test_raw(self) -> None:
        """The query is what follows the first question mark, as it was sent, in either form of the target."""
        for target in (b"/info?a=%31&b?c", b"http://localhost:15678/info?a=%31&b?c"):
            self.assertEqual(query_of(target), "a=%31&b?c")
        for target in (b"/info", b"/info?", b"*", b"", b"/info%3Fa=1"):
            self.assertEqual(query_of(target), "")

    @given(st.binary(max_size=100), st.text(max_size=5))
    def test_any_bytes(self, target: bytes, field: str) -> None:
        """Whatever bytes a client calls a target have a query, and each of its fields is a number of at most 19 digits or none."""
        query = query_of(b"/info?" + target)
        self.assertEqual(query.encode("utf-8", "surrogateescape"), target)
        for name in (field, query.partition("=")[0]):
            number = query_number(query, name)
            self.assertTrue(number is None or 0 <= number < 10**19)

    def test_number(self) -> None:
        """A field that is a number is read, whatever other fields there are."""
        for query in ("since=7", "a&since=7&b=c", "since=007", "=&&since=7", "sincerely=8&since=7"):
            self.assertEqual(query_number(query, "since"), 7, query)
        self.assertEqual(query_number("since=0", "since"), 0)
        self.assertEqual(query_number("since=" + "9" * 19, "since"), 10**19 - 1)

    def test_no_number(self) -> None:
        """Anything but one field of 1 to 19 ASCII digits is none."""
        for query in (
            "",
            "since",
            "since=",
            "since=1&since=1",
            "since=1&since=",
            "since&since=1",
            "Since=1",
            "%73ince=1",
            "since=%31",
            "since=-1",
            "since=+1",
        ):
            self.assertIsNone(query_number(query, "since"), query)
        for value in ("1.0", "1 ", " 1", "1\n", "0x1", "1_0", "\u0661", "\u00b2", "\udc80", "9" * 20, "1=", "1;since=2", "nan"):
            self.assertIsNone(query_number(f"since={value}", "since"), value)


OWN = via_value("0123abcd")


class ViaTests(SynchronousTestCase):
    def test_own_value(self) -> None:
        """What one pacserve says of itself, another knows."""
        self.assertEqual(OWN, "1.1 pacserve-0123abcd")
        self.assertTrue(names_pacserve(OWN))

    def test_tolerated(self) -> None:
        """A pacserve is found among other hops, with comments, in any case, behind any protocol and behind none."""
        for value in (
            f"1.0 fred, {OWN}",
            f"{OWN}, 1.1 p.example.net",
            f"1.1 squid (a, b (c) \\) d),{OWN} (x)",
            "1.1 PacServe-1",
            "HTTP/1.1 pacserve-1:15678",
            "pacserve-1",
            "1.1\tpacserve-1",
            " , ,1.1 pacserve-1",
        ):
            self.assertTrue(names_pacserve(value), value)

    def test_others(self) -> None:
        """Other hops, and a pacserve that only a comment names, are none."""
        for value in ("", ",", "1.1 squid", "1.1 notpacserve-1", "1.1 x.pacserve-1", "1.1 squid (pacserve-1)", "1.1 squid (1.1 pacserve-1, y)", "("):
            self.assertFalse(names_pacserve(value), value)

    @given(st.text(), st.text())
    def test_any_text(self, before: str, after: str) -> None:
        """Whatever stands around it is survived, and hides a pacserve only as a comment."""
        found = names_pacserve(f"{before},{OWN},{after}")
        self.assertTrue(found or "(" in before)
