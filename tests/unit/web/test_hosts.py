"""Tests for `pacserve.web.hosts`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.network.addresses import parse_address
from pacserve.web.admission import AccessRules
from pacserve.web.answers import DocumentAnswer
from pacserve.web.hosts import Hosts
from pacserve.web.router import Router
from pacserve.web.routes import Audience, HostHeader, Methods, Route
from pacserve.web.server.site import Site
from tests.fakes.browser import Browser, site_of
from tests.fakes.interfaces import Addresses, Everyone
from tests.unit.web.test_router import TestFront

HERE = parse_address("127.0.0.1")
SEVEN = parse_address("10.0.0.7")

GOOD = (
    *("localhost", "LOCALHOST", "localhost.", "localhost:15678", "localhost:", "atlas", "Atlas.:80", "atlas.lan", "ATLAS.LAN:15678", "my_pc-2"),
    *("127.0.0.1", "127.0.0.1:15678", "127.9.9.9", "10.0.0.5", "10.0.0.5:15678"),
    *("[::1]", "[::1]:15678", "[0:0:0:0:0:0:0:1]", "[fd00::5]:15678", "[FD00::5]", "[::ffff:10.0.0.5]", "[::ffff:127.0.0.1]:1"),
    *("[fe80::5]", "[fe80::5%eth0]", "[fe80::5%25eth0]:15678", "[fe80::5%25wlp0s20f3.7]"),
)
REBINDING = (
    *("evil.example", "evil.example:15678", "localhost.evil.example", "atlas.lan.evil.example", "evil.example.localhost", "127.0.0.1.evil.example"),
    *("atlas.evil", "xn--lcalhost-n1a", "10.0.0.6", "0.0.0.0", "[::]", "[fd00::6]", "8.8.8.8", "[::ffff:10.0.0.6]", "[fe80::6%25eth0]"),
)
WRONG = (
    *(
        "",
        ".",
        "..",
        ":80",
        " localhost",
        "localhost ",
        "localhost..",
        ".localhost",
        "localhost:x",
        "localhost:123456",
        "localhost:-1",
        "localhost:1:2",
    ),
    *(
        "localhost,",
        "localhost, evil.example",
        "evil.example, localhost",
        "localhost, localhost",
        "user@localhost",
        "localhost@evil.example",
        "localhost/",
    ),
    *("localhost#", "localhost?", "localhost\\", "localhost\n", "localhost\x00", "loc\u0430lhost", "\uff4cocalhost", "localhost\xa0", "%6cocalhost"),
    *(
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[localhost]",
        "[::1]evil",
        "[::1]]",
        "[[::1]]",
        "[::1%]",
        "[::1%eth0/../]",
        f"[::1%{'e' * 16}]",
        "[::1 ]",
        "[1:2:3]",
    ),
    *("127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", "127.0.0.1%eth0", "localhost%eth0", "localhost" * 100, "." * 300),
)


class HostsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.hosts = Hosts(Addresses("10.0.0.5", "fd00::5", "fe80::5"), ("atlas", "Atlas.LAN.", "my_pc-2", ""))

    def refusal(self, host: str | None, client: str = "127.0.0.1", hosts: Hosts | None = None) -> str | None:
        """Why a request is not answered, None where it is."""
        try:
            (hosts or self.hosts).check(host, parse_address(client))
        except RequestError as error:
            self.assertEqual(error.status, 421)
            return str(error)
        return None

    def test_own(self) -> None:
        """This host is asked as localhost, by its names and its addresses: in any case, with any port, with a dot behind, with a zone."""
        for host in GOOD:
            self.assertIsNone(self.refusal(host), host)
            self.assertIsNone(self.refusal(host, "10.0.0.7"), host)

    def test_rebinding(self) -> None:
        """A name that a foreign page has pointed here is not answered, however much it looks like one of this host's; nor an address of others."""
        for host in REBINDING:
            self.assertIsNotNone(self.refusal(host), host)

    def test_wrong(self) -> None:
        """A header that is no name and no address in the form of RFC 9110 is not answered."""
        for host in WRONG:
            self.assertIsNotNone(self.refusal(host), host)

    def test_unknown_names(self) -> None:
        """A host without a name has none that is empty, and is asked as localhost all the same."""
        hosts = Hosts(Addresses(), ("", "."))
        for host in ("", ".", "atlas"):
            self.assertIsNotNone(self.refusal(host, hosts=hosts), host)
        self.assertIsNone(self.refusal("localhost", hosts=hosts))

    def test_none(self) -> None:
        """Without a Host header, as no browser asks, only this host itself is answered."""
        self.assertIsNone(self.refusal(None))
        self.assertIsNone(self.refusal(None, client="::1"))
        self.assertIsNotNone(self.refusal(None, client="10.0.0.7"))

    def test_says_why(self) -> None:
        """A client that is refused is told what would be right."""
        self.assertIn("localhost, by one of its addresses, or as atlas, atlas.lan, my_pc-2", self.refusal("alias") or "")
        self.assertNotIn("or as", self.refusal("alias", hosts=Hosts(Addresses(), ())) or "")

    @given(
        st.text(st.characters(), max_size=320) | st.lists(st.sampled_from((*GOOD, ".", ":", "[", "]", "%", "@", ",", " ")), max_size=4).map("".join)
    )
    def test_anything(self, host: str) -> None:
        """Any header is answered or refused; what is answered has the name before the port, alone."""
        if self.refusal(host) is None:
            name = host.lower().rpartition(":")[0] if host.rpartition(":")[2].isdigit() or host.endswith(":") else host.lower()
            self.assertRegex(name, r"\A(localhost\.?|atlas\.?|atlas\.lan\.?|my_pc-2\.?|127\.[0-9.]+|10\.0\.0\.5|\[[0-9a-z.:%_~-]+\]|[:0-9a-f.]+)\Z")


class RouterTests(SynchronousTestCase):
    """The rules, as the router asks for them."""

    def setUp(self) -> None:
        self.site = self.site_of(TestFront(DocumentAnswer(b"answer")))

    def site_of(self, front: TestFront) -> Site:
        """A site whose names are checked, but for what is below `/package`."""
        clock, rules = Clock(), AccessRules(Everyone(), Everyone(), Hosts(Addresses("10.0.0.5"), ("atlas",)))
        routes = [Route(path, Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, front) for path in ("", "status")]
        routes.append(Route("package", Methods.READ, Audience.PEERS, HostHeader.ANY, front))
        return site_of(Router(routes, rules, clock), clock)

    def status(self, target: str, *headers: str) -> int:
        """The status of the answer to a request with no other headers than these."""
        browser = Browser(self.site)
        browser.send("\r\n".join([f"GET {target} HTTP/1.1", *headers, "", ""]).encode("latin-1"))
        (response,) = browser.responses()
        return response.status

    def test_headers(self) -> None:
        """One good Host header is answered; a foreign one, two of them, in whatever order, are not, nor is one hidden behind other headers."""
        for headers, status in (
            (("Host: localhost",), 200),
            (("hOST:   ATLAS:15678",), 200),
            ((), 200),
            (("Host: evil.example",), 421),
            (("Host:",), 421),
            (("Host: localhost", "Host: evil.example"), 421),
            (("Host: evil.example", "Host: localhost"), 421),
            (("Host: localhost", "Host: localhost"), 421),
            (("X-Forwarded-Host: localhost", "Host: evil.example", "Origin: http://localhost"), 421),
        ):
            for target in ("/", "/status", "/%73tatus"):
                self.assertEqual(self.status(target, *headers), status, headers)
            self.assertEqual(self.status("/package", *headers), 200)

    def test_absolute(self) -> None:
        """The host in an absolute target counts, not the header."""
        self.assertEqual(self.status("http://evil.example/status", "Host: localhost"), 421)
        self.assertEqual(self.status("http://localhost@evil.example/status", "Host: localhost"), 421)
        self.assertEqual(self.status("http://localhost:15678/status", "Host: evil.example"), 200)
        self.assertEqual(self.status("http://evil.example/package", "Host: localhost"), 200)

    def test_before_front(self) -> None:
        """A client that is refused is told so in text, and no front is asked."""
        front = TestFront(DocumentAnswer(b"secret"))
        browser = Browser(self.site_of(front))
        browser.send(b"GET /status HTTP/1.1\r\nHost: <script>\r\n\r\n")
        (response,) = browser.responses()
        self.assertEqual((response.status, response.headers["content-type"]), (421, "text/plain; charset=utf-8"))
        self.assertNotIn(b"script", response.body)
        self.assertEqual(front.asks, [])
