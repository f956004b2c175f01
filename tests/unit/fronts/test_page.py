"""Tests for `pacserve.fronts.page`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.fronts.page import EventsFront, PageFront, SearchFront, StaticFront, watched
from pacserve.page.found import Found
from pacserve.page.layout import LONGEST_QUERY
from pacserve.page.overview import changing, render
from pacserve.page.text import clean
from pacserve.report.status import Status
from pacserve.web.access_log import AccessLog
from pacserve.web.answers import EventsAnswer
from pacserve.web.bodies.events import Events
from pacserve.web.front import Ask, Front
from tests.fakes.browser import Browser, Response, router_of, site_of
from tests.fakes.interfaces import ask as make_ask
from tests.unit.page.made_up import HOSTILE, NOW, status
from tests.unit.page.reading import read

FILES = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


class PageTestCase(SynchronousTestCase):
    """
    Has the page's fronts behind a router.

    Attributes:
        sought: What was searched for.
        found: What is found.
    """

    def setUp(self) -> None:
        self.sought: list[str] = []
        self.found: list[Found] = [Found("zlib", "1-1", ("core",), 5, ("this host",))]
        self.lines: list[str] = []
        self.events = Events(watched(self.status, lambda: NOW), Clock())
        self.fronts: dict[str, Front] = {
            "": PageFront(self.status, lambda: NOW),
            "static": StaticFront(),
            "events": EventsFront(self.events),
            "search": SearchFront(self.search, "atlas", lambda: NOW),
        }
        self.log = AccessLog(self.lines.append, Clock())
        self.browser = Browser(site_of(router_of(self.fronts, Clock(), witnesses=[self.log]), Clock()))

    async def status(self) -> Status:
        """How things are."""
        return status()

    async def search(self, text: str) -> Sequence[Found]:
        """Finds the same always."""
        self.sought.append(text)
        return self.found

    def assert_safe(self, response: Response) -> None:
        """Asserts that a browser runs and loads nothing but what is the page's own, guesses no type, and tells nobody where it was."""
        policy = dict(one.split(" ", 1) for one in response.headers["content-security-policy"].split("; "))
        self.assertEqual(policy, POLICY)
        self.assertEqual((response.headers["x-content-type-options"], response.headers["referrer-policy"]), ("nosniff", "no-referrer"))

    def head(self, target: str) -> Response:
        """The answer to a HEAD."""
        self.browser.ask(target, method="HEAD")
        (response,) = self.browser.responses("HEAD")
        return response


class PageFrontTests(PageTestCase):
    def test_page(self) -> None:
        """The page is HTML that nobody keeps, safe, and no news for the log; its query counts for nothing."""
        for target in ("/", "/?x=<script>"):
            response = self.browser.get(target)
            self.assertEqual((response.status, response.body), (200, render(status(), NOW)))
            self.assertEqual((response.headers["content-type"], response.headers["cache-control"]), ("text/html; charset=utf-8", "no-store"))
            self.assert_safe(response)
        self.log.flush()
        self.assertEqual(self.lines, [])

    def test_head(self) -> None:
        """A HEAD gets the same head, and no body."""
        for target in ("/", "/search?q=zlib", "/static/page.css"):
            response = self.browser.get(target)
            looked = self.head(target)
            self.assertEqual((looked.headers, looked.body), (response.headers, b""))

    def test_only_get(self) -> None:
        """Nothing is changed by anybody here."""
        for target in ("/", "/search?q=a", "/static/page.js", "/events"):
            self.assertEqual(self.browser.get(target, method="POST").status, 405)

    def test_nothing_below(self) -> None:
        """There is nothing below these paths."""
        for target in ("//", "/search/", "/search/zlib", "/events/", "/events/x"):
            self.assertEqual(self.browser.get(target).status, 404, target)
        error = self.failureResultOf(Deferred.fromCoroutine(self.fronts[""].answer(make_ask("more"))), RequestError).value
        self.assertEqual(error.status, 404)

    def test_watched(self) -> None:
        """Everything of the page that may change is watched."""

        async def look() -> Mapping[str, str]:
            return await watched(self.status, lambda: NOW)()

        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(look())), changing(status(), NOW))

    def test_events(self) -> None:
        """Events tell all of it first."""
        answer = self.successResultOf(Deferred.fromCoroutine(self.fronts["events"].answer(make_ask())))
        self.assertEqual(answer, EventsAnswer(self.events))
        self.browser.ask("/events")
        event = self.browser.wire.value().partition(b"data: ")[2]
        self.assertEqual(set(json.loads(event)), set(changing(status(), NOW)))
        self.events.stop()


class StaticFrontTests(PageTestCase):
    def test_files(self) -> None:
        """Each file has its type and a tag, and is safe to be opened by itself."""
        for name, kind in FILES.items():
            response = self.browser.get(f"/static/{name}")
            self.assertEqual((response.status, response.headers["content-type"], response.headers["cache-control"]), (200, kind, "no-cache"))
            self.assertRegex(response.headers["etag"], r'\A"[0-9a-f]{32}"\Z')
            self.assertGreater(len(response.body), 50)
            self.assert_safe(response)

    def test_loaded(self) -> None:
        """All that the page loads is there."""
        page = read(self.browser.get("/").body)
        for name in [one.attributes["href"] for one in page.all("link")] + [one.attributes["src"] for one in page.all("script")]:
            self.assertEqual(self.browser.get(name or "").status, 200, name)

    def test_not_modified(self) -> None:
        """A browser that has a file already gets a 304 without a body, but not by the tag of another or an older file."""
        tags = {name: self.browser.get(f"/static/{name}").headers["etag"] for name in FILES}
        self.assertEqual(len(set(tags.values())), 3)
        for condition in (tags["page.js"], f'"x", W/{tags["page.js"]}', "*"):
            response = self.browser.get("/static/page.js", f"If-None-Match: {condition}")
            self.assertEqual((response.status, response.body, response.headers["etag"]), (304, b"", tags["page.js"]))
            self.assert_safe(response)
        for condition in (tags["page.css"], '"0"', "nonsense"):
            self.assertEqual(self.browser.get("/static/page.js", f"If-None-Match: {condition}").status, 200)

    def test_nothing_else(self) -> None:
        """Nothing but these files is there, by whatever name."""
        for name in (
            *(
                "",
                ".",
                "..",
                "page",
                "page.css/",
                "page.css/.",
                "./page.css",
                "../static/page.css",
                "..%2fstatic%2fpage.css",
                "%2e%2e/text.py",
                "../text.py",
            ),
            *(
                "PAGE.CSS",
                "page.css%00",
                "page.css%00.js",
                "%2fetc%2fpasswd",
                "/etc/passwd",
                "..%5ctext.py",
                "page.css%20",
                "__init__.py",
                "%ff",
                "a" * 3000,
            ),
        ):
            response = self.browser.get(f"/static/{name}")
            self.assertEqual((response.status, response.body), (404, b"there is nothing here\n"), name)
        self.assertEqual(self.browser.get("/static").status, 404)

    @given(st.lists(st.text(), max_size=3))
    def test_anything(self, parts: list[str]) -> None:
        """Whatever is asked for is one of the files, or 404."""
        front = StaticFront()
        asked = Deferred.fromCoroutine(front.answer(make_ask(*parts)))
        if len(parts) == 1 and parts[0] in FILES:
            self.successResultOf(asked)
        else:
            self.assertEqual(self.failureResultOf(asked, RequestError).value.status, 404)


class SearchFrontTests(PageTestCase):
    def test_found(self) -> None:
        """A search is a page of its own, for those without scripts too, and is no news for the log."""
        response = self.browser.get("/search?q=+zli%62+&x=y")
        self.assertEqual((response.status, self.sought), (200, ["zlib"]))
        page = read(response.body)
        self.assertEqual(page.cells("found"), [["zlib", "1-1 newest", "core", "5 B", "this host"]])
        self.assertEqual(page.one("q").attributes["value"], "zlib")
        self.assertEqual((response.headers["content-type"], response.headers["cache-control"]), ("text/html; charset=utf-8", "no-store"))
        self.assert_safe(response)
        self.log.flush()
        self.assertEqual(self.lines, [])

    def test_empty(self) -> None:
        """A search for nothing gets the page, and nothing is searched."""
        for target in ("/search", "/search?", "/search?q=", "/search?q=+%20+", "/search?p=zlib", "/search?zlib"):
            self.assertEqual(self.browser.get(target).status, 200)
        self.assertEqual(self.sought, [])

    def test_bounds(self) -> None:
        """A search has a bounded length in characters, and a query a bounded number of fields."""
        self.assertEqual(self.browser.get(f"/search?q={'%C3%BC' * LONGEST_QUERY}").status, 200)
        self.assertEqual(self.sought, ["ü" * LONGEST_QUERY])
        for query in (f"q={'a' * (LONGEST_QUERY + 1)}", "&".join(["q=a"] * 11), "q=a" + "&" * 1000):
            self.assertEqual(self.browser.get(f"/search?{query}").status, 400)
        self.assertEqual(len(self.sought), 1)

    def test_hostile(self) -> None:
        """A search and what it finds are text."""
        self.found = [Found(HOSTILE, HOSTILE, (HOSTILE,), 5, (HOSTILE,))]
        query = '"><script>alert(1)</script>'
        page = read(self.browser.get(f"/search?q={quote_plus(query)}").body)
        self.assertEqual(page.cells("found"), [[clean(HOSTILE), f"{clean(HOSTILE)} newest", clean(HOSTILE), "5 B", clean(HOSTILE)]])
        self.assertEqual((page.one("q").attributes["value"], page.all("script"), page.all("img")), (query, [], []))

    @given(st.text(st.characters(), max_size=150) | st.binary(max_size=50).map(lambda data: "q=" + "".join(f"%{byte:02x}" for byte in data)))
    def test_anything(self, query: str) -> None:
        """Whatever a query is, it is searched for in bounds, or 400, and the page can be sent."""
        self.sought.clear()
        ask = make_ask()

        async def seek(text: str) -> int:
            try:
                await self.fronts["search"].answer(Ask(ask.method, ask.parts, ask.client, ask.header, text))
            except RequestError as error:
                return error.status
            return 200

        for text in (query, f"q={query}"):
            self.assertIn(self.successResultOf(Deferred.fromCoroutine(seek(text))), (200, 400))
        for one in self.sought:
            self.assertTrue(1 <= len(one) <= LONGEST_QUERY)
