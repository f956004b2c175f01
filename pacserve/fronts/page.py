"""Fronts for browsers: `/`, `/static/NAME`, `/events` and `/search?q=TEXT`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from urllib.parse import parse_qs

from pacserve.errors import RequestError
from pacserve.http.validators import matches_none_match
from pacserve.page.found import Found, render_found
from pacserve.page.layout import LONGEST_QUERY
from pacserve.page.overview import changing, render
from pacserve.report.status import Status
from pacserve.web.answers import Answer, DocumentAnswer, EventsAnswer
from pacserve.web.bodies.events import Events
from pacserve.web.front import Ask, Front

GiveStatus = Callable[[], Awaitable[Status]]
Search = Callable[[str], Awaitable[Sequence[Found]]]
Wall = Callable[[], float]

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
_SAFETY = (("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
_PAGE = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"), *_SAFETY)
_STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_MOST_QUERY_FIELDS = 10
"""Fields of a query; the page's own form sends one."""


class PageFront(Front):
    """
    `/`: the status page.

    Args:
        wall: Gives the seconds since the epoch.
    """

    def __init__(self, status: GiveStatus, wall: Wall) -> None:
        self._status = status
        self._wall = wall

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "there is nothing here")
        status = await self._status()
        return DocumentAnswer(render(status, self._wall()), _PAGE, quiet=True)


class StaticFront(Front):
    """`/static/NAME`: the stylesheet, the script and the icon, each of which is read with its first request."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[bytes, str]] = {}

    async def answer(self, ask: Ask) -> Answer:
        kind = _STATIC.get(ask.parts[0]) if len(ask.parts) == 1 else None
        if kind is None:
            raise RequestError(404, "there is nothing here")
        body, etag = self._file(ask.parts[0])
        headers = (("ETag", etag), ("Cache-Control", "no-cache"), *_SAFETY)
        condition = ask.header("If-None-Match")
        if condition is not None and matches_none_match(condition, etag):
            return DocumentAnswer(b"", headers, 304, quiet=True)
        return DocumentAnswer(body, (("Content-Type", kind), *headers), quiet=True)

    def _file(self, name: str) -> tuple[bytes, str]:
        found = self._read.get(name)
        if found is None:
            body = files("pacserve.page").joinpath("static", name).read_bytes()
            found = self._read[name] = body, f'"{sha256(body).hexdigest()[:32]}"'
        return found


class EventsFront(Front):
    """`/events`: the changes of the status page while it is open."""

    def __init__(self, events: Events) -> None:
        self._events = events

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "there is nothing here")
        return EventsAnswer(self._events)


class SearchFront(Front):
    """
    `/search?q=TEXT`: the files on the LAN whose names contain a text.

    Args:
        search: Finds the files, by a text of 1 to `LONGEST_QUERY` characters.
        host: The name of this host.
        wall: Gives the seconds since the epoch.
    """

    def __init__(self, search: Search, host: str, wall: Wall) -> None:
        self._search = search
        self._host = host
        self._wall = wall

    async def answer(self, ask: Ask) -> Answer:
        if ask.parts:
            raise RequestError(404, "ask for /search?q=TEXT")
        query = _searched(ask.query)
        found = await self._search(query) if query else ()
        return DocumentAnswer(render_found(query, found, self._host, self._wall()), _PAGE, quiet=True)


def watched(status: GiveStatus, wall: Wall) -> Callable[[], Awaitable[Mapping[str, str]]]:
    """Returns the state that `Events` looks at: all of the status page that may change."""

    async def look() -> Mapping[str, str]:
        return changing(await status(), wall())

    return look


def _searched(query: str) -> str:
    """
    Returns the text to search for: the field `q` of a query; empty where there is none.

    Raises:
        RequestError: 400, the text is too long, or the query has too many fields.
    """
    try:
        text = parse_qs(query, errors="replace", max_num_fields=_MOST_QUERY_FIELDS).get("q", [""])[0].strip()
    except ValueError:
        raise RequestError(400, "ask for /search?q=TEXT") from None
    if len(text) > LONGEST_QUERY:
        raise RequestError(400, f"search for at most {LONGEST_QUERY} characters")
    return text
