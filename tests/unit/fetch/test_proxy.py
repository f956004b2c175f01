"""Tests for `pacserve.fetch.proxy`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.proxy import Proxies, Proxy
from pacserve.fetch.urls import parse_url


class ProxiesTests(SynchronousTestCase):
    def choose(self, url: str, **environment: str) -> str | None:
        """The proxy that is used for a URL."""
        proxies = Proxies(environment)
        self.assertEqual(proxies.complaints, ())
        chosen = proxies.choose(parse_url(url))
        return str(chosen) if chosen is not None else None

    def test_none(self) -> None:
        """Without variables there is no proxy."""
        self.assertIsNone(self.choose("http://a.example/", PATH="/usr/bin"))

    def test_by_scheme(self) -> None:
        """Each scheme has its own variable, all_proxy stands in for those that have none."""
        environment = {"http_proxy": "http://p:3128", "all_proxy": "q:8080"}
        self.assertEqual(self.choose("http://a.example/", **environment), "p:3128")
        self.assertEqual(self.choose("https://a.example/", **environment), "q:8080")
        self.assertIsNone(self.choose("https://a.example/", http_proxy="http://p:3128"))

    def test_case(self) -> None:
        """Upper case counts too, lower case wins, and an empty lower-case one switches the upper-case one off."""
        self.assertEqual(self.choose("http://a.example/", HTTP_PROXY="p:1"), "p:1")
        self.assertEqual(self.choose("http://a.example/", http_proxy="q:2", HTTP_PROXY="p:1"), "q:2")
        self.assertIsNone(self.choose("http://a.example/", http_proxy="", HTTP_PROXY="p:1"))

    def test_cgi(self) -> None:
        """Under CGI the upper-case HTTP_PROXY comes from the client and does not count, the lower-case one does."""
        self.assertIsNone(self.choose("http://a.example/", HTTP_PROXY="p:1", REQUEST_METHOD="GET"))
        self.assertEqual(self.choose("http://a.example/", http_proxy="p:1", REQUEST_METHOD="GET"), "p:1")

    def test_no_proxy(self) -> None:
        """Hosts, domains and host:port in no_proxy are fetched straight, and a star means all."""
        environment = {"http_proxy": "p:1", "no_proxy": "localhost, .lan,b.example:8080"}
        for url, straight in (
            ("http://localhost/", True),
            ("http://mirror.lan/", True),
            ("http://b.example:8080/", True),
            ("http://b.example/", False),
            ("http://a.example/", False),
        ):
            self.assertEqual(self.choose(url, **environment) is None, straight, url)
        self.assertIsNone(self.choose("http://a.example/", http_proxy="p:1", NO_PROXY="*"))

    def test_password(self) -> None:
        """User and password become Basic authentication, and are not shown."""
        proxies = Proxies({"https_proxy": "http://Aladdin:open%20sesame@[fd77::1]:3128/"})
        chosen = proxies.choose(parse_url("https://a.example/"))
        self.assertEqual(chosen, Proxy("fd77::1", 3128, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
        for text in (str(chosen), repr(chosen), str(proxies)):
            self.assertNotIn("Basic", text)
            self.assertNotIn("sesame", text)

    def test_unusable(self) -> None:
        """A proxy that can't be used is complained about in one line without its password, and left out."""
        for value in ("socks5://u:secret@p:1080", "https://u:secret@p:3128", "http://u:secret@p:99999", "http://u:sec ret@p", "://", "\u00fc"):
            proxies = Proxies({"all_proxy": value})
            (complaint,) = proxies.complaints
            self.assertTrue(complaint.startswith("all_proxy can't be used: "))
            self.assertNotIn("sec", complaint)
            self.assertNotIn("\n", complaint)
            self.assertIsNone(proxies.choose(parse_url("http://a.example/")))
