"""Tests for `pacserve.fetch.urls`."""

import contextlib
from ipaddress import ip_address

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI

from pacserve.fetch.urls import URL, basic_authorization, is_localhost, literal_address, parse_url, repaired, resolve_reference

PIECES = st.sampled_from(
    [
        *"/:@?#[]%.\\ \t\n",
        "http",
        "https",
        "//",
        "://",
        "127.0.0.1",
        "::1",
        "a.example",
        "80",
        "0x7f",
        "%2e",
        "%25eth0",
        "fe80::1",
        "\u3002",
        "..",
        "user:pw",
    ]
)


class URLTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """Scheme, host, port and target are told apart, the names in lower case, the default ports filled in."""
        for text, expected in (
            ("HTTP://A.Example", URL("http", "a.example", 80, "/")),
            ("https://a.example./x/c++-1:2~3-any?b=[1]#f", URL("https", "a.example", 443, "/x/c++-1:2~3-any?b=[1]")),
            ("http://u:p%40@a.example:8080/", URL("http", "a.example", 8080, "/", "u:p%40")),
            ("http://[FD77::B]:15678/info", URL("http", "fd77::b", 15678, "/info")),
            ("http://[fe80::1%25eth0]:15678/", URL("http", "fe80::1%eth0", 15678, "/")),
            ("http://[::ffff:127.0.0.1]/", URL("http", "127.0.0.1", 80, "/")),
            ("http://a.example:/x", URL("http", "a.example", 80, "/x")),
        ):
            self.assertEqual(parse_url(text), expected, text)

    def test_refused(self) -> None:
        """What is no URL, or could be read in two ways, is refused."""
        for text in (
            "",
            "a.example/x",
            "ftp://a.example/",
            "file:///etc/passwd",
            "http://",
            "http:///x",
            "http://a.example\\@127.0.0.1/",
            "http://a@b@c/",
            "http://127%2e0.0.1/",
            "http://a..example/",
            "http://" + "a" * 64 + ".example/",
            "http://a.example:0/",
            "http://a.example:65536/",
            "http://a.example:+80/",
            "http://[127.0.0.1]/",
            "http://[::1/",
            "http://a.example/ x",
            "http://a.example/\r\nX: y",
            "http://\u0430.example/",
            "http://a.example/" + "x" * 9000,
        ):
            with self.assertRaises(ValueError, msg=text):
                parse_url(text)

    @given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
    @example("http://a:80@127.0.0.1:81/")
    def test_one_meaning(self, text: str) -> None:
        """What is asked for is understood by twisted exactly as it was checked here."""
        with contextlib.suppress(ValueError):
            url = parse_url(text)
            theirs = URI.fromBytes(str(url).encode("ascii"))
            self.assertEqual((theirs.scheme.decode(), theirs.host.decode().replace("%25", "%"), theirs.port), (url.scheme, url.host, url.port))
            self.assertEqual(parse_url(str(url)), URL(url.scheme, url.host, url.port, url.target))

    def test_references(self) -> None:
        """A Location may be absolute, of another scheme, or relative to what was asked."""
        base = parse_url("http://a.example/core/os/x.db")
        for reference, expected in (
            ("https://b.example/x", "https://b.example/x"),
            ("/y/x.db", "http://a.example/y/x.db"),
            ("../z", "http://a.example/core/z"),
            ("//c.example/x", "http://c.example/x"),
        ):
            self.assertEqual(str(resolve_reference(base, reference)), expected)

    def test_repaired(self) -> None:
        """A Location with raw blanks, UTF-8 or characters that are to be encoded leads where curl takes it; one that is right stays as it is."""
        base = parse_url("http://a.example/core/os/x.db")
        for reference, expected in (
            ("/my packages/x.db", "http://a.example/my%20packages/x.db"),
            (" http://b.example/p\u00e4ckchen/x?a b=\u00e4 ", "http://b.example/p%C3%A4ckchen/x?a%20b=%C3%A4"),
            (b"/p\xe4ck".decode("utf-8", "surrogateescape"), "http://a.example/p%E4ck"),
            ("caf\u00e9.db#\u00e9", "http://a.example/core/os/caf%C3%A9.db"),
            ('/{a}|"b"<^`>\\', "http://a.example/%7Ba%7D%7C%22b%22%3C%5E%60%3E%5C"),
            ("/x%20y%zz+[1]?a=%2F&b?c", "http://a.example/x%20y%zz+[1]?a=%2F&b?c"),
            ("//c.example/a b", "http://c.example/a%20b"),
        ):
            self.assertEqual(str(resolve_reference(base, reference)), expected)

    def test_not_repaired(self) -> None:
        """A host is not guessed, and control characters are not taken for a mistake."""
        base = parse_url("http://a.example/")
        hosts = ("http://b\u00e9.example/", "http://b c.example/", "http://a.example\\@127.0.0.1/")
        for reference in (*hosts, "/x\r\nHost: y", "/x\0", "/x\x7f", "/x\ty"):
            with self.assertRaises(ValueError, msg=reference):
                resolve_reference(base, reference)

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
    def test_repaired_twice(self, text: str) -> None:
        """What has been repaired is ASCII without blanks behind the host, and is not changed once more."""
        found = repaired("http://a.example/" + text)
        self.assertRegex(found, r"\Ahttp://a\.example/[!-~]*\Z")
        self.assertEqual(repaired(found), found)

    @given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
    def test_any_reference(self, reference: str) -> None:
        """Whatever a Location says, it is an http(s) URL or a ValueError."""
        with contextlib.suppress(ValueError):
            self.assertIn(resolve_reference(parse_url("http://a.example/core/x"), reference).scheme, ("http", "https"))

    def test_literals(self) -> None:
        """Every form in which the system's resolver takes an address is known as an address."""
        for host in ("127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "::ffff:127.0.0.1"):
            self.assertEqual(literal_address(host), ip_address("127.0.0.1"), host)
        self.assertEqual(literal_address("fe80::1%eth0"), ip_address("fe80::1"))
        for host in ("localhost", "a.example", "", "127.0.0.1.example"):
            self.assertIsNone(literal_address(host), host)

    def test_localhost(self) -> None:
        """Names that mean this host everywhere are known."""
        for host, expected in (("localhost", True), ("a.localhost", True), ("ip6-localhost", True), ("notlocalhost", False), ("a.example", False)):
            self.assertEqual(is_localhost(host), expected, host)

    def test_authorization(self) -> None:
        """User and password are decoded before they are sent, and an absent password is empty."""
        self.assertEqual(basic_authorization("Aladdin:open%20sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        self.assertEqual(basic_authorization("a"), "Basic YTo=")
