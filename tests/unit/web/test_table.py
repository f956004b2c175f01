"""Tests for `pacserve.web.table`; `test_router` has those of the whole way."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.http.request import split_target
from pacserve.network.addresses import IPAddress, parse_address
from pacserve.web.admission import AccessRules, Admission
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask, Front
from pacserve.web.hosts import Hosts
from pacserve.web.routes import Audience, HostHeader, Methods, Route
from pacserve.web.table import RouteTable
from tests.fakes.interfaces import Addresses, Everyone


class Silent(Front):
    """Has no use for requests that wait."""

    async def answer(self, ask: Ask) -> Answer:
        return DocumentAnswer(b"")


class Eager(Silent):
    """Has a use for them."""

    def ahead(self, ask: Ask) -> None:
        """Does nothing with them."""


class Loopback(Admission):
    """Admits this host."""

    def admits(self, client: IPAddress) -> bool:
        return client.is_loopback


RULES = AccessRules(Loopback(), Everyone(), Hosts(Addresses(), ()))
REQUEST = Route("request", Methods.READ, Audience.CLIENTS, HostHeader.CHECKED, Silent())
CLAIM = Route("claim", Methods.CHANGE, Audience.PEERS, HostHeader.ANY, Silent())
REST = Route("apt", Methods.READ, Audience.CLIENTS, HostHeader.ORIGIN, Eager(), rest=True, refusal="no tunnel")


class RouteTableTests(SynchronousTestCase):
    def ask(self, table: RouteTable, target: bytes, *, method: bytes = b"GET", client: str = "127.0.0.1", host: str | None = "localhost") -> Ask:
        """Looks up a request."""
        parts = split_target(target)
        entry = table.find(method, parts)
        return table.admit(entry, method, target, parts, parse_address(client), lambda name: host if name == "Host" else None)

    def test_found(self) -> None:
        """A request takes the route of its first part, or that of the rest, which gets all parts and the path."""
        table = RouteTable([REQUEST, CLAIM, REST], RULES)
        ask = self.ask(table, b"/request/a%2fb/c?d")
        self.assertEqual((ask.method, ask.parts, ask.query, ask.authority, ask.path), ("GET", ("a/b", "c"), "d", None, ""))
        self.assertEqual(self.ask(table, b"/claim/x", method=b"POST", client="10.0.0.9", host="evil.example").method, "POST")
        ask = self.ask(table, b"HTTP://mirror.example/debian/a%7eb", method=b"HEAD", host="mirror.example")
        self.assertEqual((ask.method, ask.parts, ask.authority, ask.path), ("HEAD", ("debian", "a~b"), "mirror.example", "/debian/a%7eb"))

    def test_refused(self) -> None:
        """What a route does not allow is refused, and what has none is not found."""
        for routes, target, method, client, host, status in (
            ([REQUEST], b"/nowhere", b"GET", "127.0.0.1", "localhost", 404),
            ([REQUEST], b"*", b"GET", "127.0.0.1", "localhost", 404),
            ([REST], b"*", b"GET", "127.0.0.1", "localhost", 404),
            ([REST], b"mirror.example:443", b"CONNECT", "127.0.0.1", "mirror.example:443", 405),
            ([REQUEST], b"/request/a", b"POST", "127.0.0.1", "localhost", 405),
            ([REQUEST], b"/request/a", b"GET", "10.0.0.9", "localhost", 403),
            ([REQUEST], b"/request/a", b"GET", "127.0.0.1", "evil.example", 421),
            ([REQUEST], b"http://evil.example/request/a", b"GET", "127.0.0.1", "localhost", 421),
            ([REST], b"/debian/a", b"GET", "127.0.0.1", "evil.example", 421),
        ):
            with self.assertRaises(RequestError) as caught:
                self.ask(RouteTable(routes, RULES), target, method=method, client=client, host=host)
            self.assertEqual(caught.exception.status, status, target)

    def test_looking_ahead(self) -> None:
        """It is known whether any front has a use for requests that wait, and which one."""
        self.assertEqual([RouteTable(routes, RULES).looks_ahead for routes in ([REQUEST], [REQUEST, REST])], [False, True])
        table = RouteTable([REQUEST, REST], RULES)
        self.assertEqual([table.find(b"GET", (part, "a")).looks_ahead for part in ("request", "debian")], [False, True])
