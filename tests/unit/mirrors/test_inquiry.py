"""Tests for `pacserve.mirrors.inquiry`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Request

from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.client import HeadAnswer
from pacserve.fetch.stream import StreamingClient
from pacserve.fetch.urls import parse_url
from pacserve.mirrors.inquiry import Found, InconclusiveError, Inquiry, Question, UnfitError, target
from pacserve.mirrors.mirror import Mirror

NAME = "a-1-1-any.pkg.tar.zst"


class World(Resource):
    """All web servers of the world: answers by the URL that is asked for, and remembers what was asked."""

    isLeaf = True  # noqa: N815

    def __init__(self, answers: dict[str, tuple[int, dict[str, str]]]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.authorized: list[bool] = []

    def render(self, request: Request) -> bytes:
        """Answers with a status and headers, 404 where nothing is known."""
        host: Any = request.requestHeaders.getRawHeaders("host")
        url = f"http://{host[0]}{request.uri.decode('ascii')}"
        self.asked.append(f"{request.method.decode('ascii')} {url}")
        self.ranges += [value.decode("ascii") for value in request.requestHeaders.getRawHeaders(b"range") or ()]
        self.authorized.append(request.requestHeaders.hasHeader(b"authorization"))
        status, headers = self.answers.get(url, (404, {}))
        request.setResponseCode(status)
        for name, value in headers.items():
            request.setHeader(name.encode("ascii"), value.encode("utf-8"))
        return b""


def mirror(base: str, *, local: bool = False) -> Mirror:
    """A mirror at a URL."""
    return Mirror(base, parse_url(base), local)


class InquiryTests(SynchronousTestCase):
    def ask(
        self, answers: dict[str, tuple[int, dict[str, str]]], size: int | None = None, *, local: bool = False, by_get: bool = False, user: str = ""
    ) -> Any:
        """What the mirror http://a.example/core says of a file: what was found, or the error."""
        clock = Clock()
        self.world, self.guarded = World(answers), World(answers)
        inquiry = Inquiry(
            StreamingClient(RequestTraversalAgent(self.world), clock), StreamingClient(RequestTraversalAgent(self.guarded), clock), clock
        )
        outcome: list[Any] = []
        question = Question(NAME, size, 8.0)
        ask = inquiry.ask_by_get if by_get else inquiry.ask
        Deferred.fromCoroutine(ask(mirror(f"http://{user}a.example/core", local=local), question)).addBoth(outcome.append)
        return outcome[0].value if isinstance(outcome[0], Failure) else outcome[0]

    def test_statuses(self) -> None:
        """200 is a yes, 404 and 410 a certain no; all else says neither, and server errors are to blame on the mirror."""
        url = f"http://a.example/core/{NAME}"
        self.assertEqual(self.ask({url: (200, {"Content-Length": "5"})}), Found(5))
        self.assertEqual(self.world.asked, [f"HEAD {url}"])
        for status in (404, 410):
            self.assertIs(type(self.ask({url: (status, {})})), AbsentError)
        for status in (204, 206, 400, 401, 403, 405, 429, 500, 501, 502, 503, 304, 300):
            error = self.ask({url: (status, {})})
            self.assertEqual((type(error), str(error), error.faulty), (InconclusiveError, str(status), status in (500, 502, 503)))

    def test_by_get(self) -> None:
        """A GET of one byte says how large a file is; refusals are a certain no for this file, and all else still says neither."""
        url = f"http://a.example/core/{NAME}"
        self.assertEqual(self.ask({url: (206, {"Content-Range": "bytes 0-0/5"})}, 5, by_get=True), Found(5))
        self.assertEqual(self.world.asked, [f"GET {url}"])
        self.assertEqual(self.world.ranges, ["bytes=0-0"])
        self.assertIsInstance(self.ask({url: (206, {"Content-Range": "bytes 0-0/4"})}, 5, by_get=True), UnfitError)
        for nonsense in ("bytes 0-0/*", "bytes 1-1/5", "5", "bytes 0-0/5x", ""):
            self.assertEqual(self.ask({url: (206, {"Content-Range": nonsense})}, 5, by_get=True), Found(None))
        self.assertEqual(self.ask({url: (200, {})}, by_get=True), Found(0))
        for status in (401, 403, 404, 410):
            self.assertIs(type(self.ask({url: (status, {})}, by_get=True)), AbsentError)
        for status in (204, 400, 405, 416, 429, 500, 501, 503, 304):
            error = self.ask({url: (status, {})}, by_get=True)
            self.assertEqual((type(error), error.faulty), (InconclusiveError, status >= 500))

    def test_password(self) -> None:
        """User and password go to the mirror and to where it redirects on itself, and to no other host or port."""
        answers = {
            f"http://a.example/core/{NAME}": (302, {"Location": "/pool/x"}),
            "http://a.example/pool/x": (302, {"Location": "http://a.example:81/x"}),
            "http://a.example:81/x": (200, {"Content-Length": "7"}),
        }
        for by_get in (False, True):
            self.ask(answers, user="u:secret@", by_get=by_get)
            self.assertEqual(self.world.authorized, [True, True, False])

    def test_password_by_origin(self) -> None:
        """The password goes with scheme, host and port, also where a redirect leads back; one that a Location names goes where that leads."""
        hops = ("http://a.example:80/1", "https://a.example/2", "http://b.example/3", "http://v:other@b.example/4", "http://a.example/5")
        answers = {f"http://a.example/core/{NAME}": (302, {"Location": hops[0]})}
        for hop, following in zip(hops, (*hops[1:], ""), strict=True):
            url = hop.replace(":80", "").replace("https", "http").replace("v:other@", "")
            answers[url] = (302, {"Location": following}) if following else (200, {"Content-Length": "7"})
        for by_get in (False, True):
            self.assertIsInstance(self.ask(answers, user="u:secret@", by_get=by_get), Found)
            self.assertEqual(self.world.authorized, [True, True, False, True])
            self.assertEqual(self.guarded.authorized, [False, True])

    def test_repaired_location(self) -> None:
        """A Location with raw blanks and UTF-8 is repaired, as curl does for pacman; one of several is not chosen."""
        start = f"http://a.example/core/{NAME}"
        answers = {start: (302, {"Location": "/my pool/\u00e9"}), "http://a.example/my%20pool/%C3%A9": (200, {"Content-Length": "7"})}
        for by_get in (False, True):
            self.assertIsInstance(self.ask(answers, by_get=by_get), Found)
        answer = HeadAnswer(302, None, Headers({"Location": ["/x", "/y"]}))
        self.assertRaises(RemoteProtocolError, target, mirror(start), parse_url(start), answer)
        answer = HeadAnswer(302, None, Headers({"Location": ["/x", "/x"]}))
        self.assertEqual(target(mirror(start), parse_url(start), answer)[1], "http://a.example/x")

    def test_size(self) -> None:
        """A file of another size than the database states is not the one that is wanted; an unstated size passes."""
        url = f"http://a.example/core/{NAME}"
        self.assertEqual(self.ask({url: (200, {"Content-Length": "5"})}, 5), Found(5))
        self.assertIsInstance(self.ask({url: (200, {"Content-Length": "4"})}, 5), UnfitError)
        self.assertNotIsInstance(self.ask({url: (200, {"Content-Length": "4"})}, 5), AbsentError)
        self.assertEqual(self.ask({url: (200, {"Content-Length": "x"})}, 5), Found(None))

    def test_redirects(self) -> None:
        """Redirects are followed by HEAD: on the mirror's own host straight, to any other host with the guard."""
        answers = {
            f"http://a.example/core/{NAME}": (302, {"Location": "/pool/x"}),
            "http://a.example/pool/x": (307, {"Location": "http://b.example/x"}),
            "http://b.example/x": (200, {"Content-Length": "7"}),
        }
        self.assertEqual(self.ask(answers), Found(7))
        self.assertEqual(self.world.asked, [f"HEAD http://a.example/core/{NAME}", "HEAD http://a.example/pool/x"])
        self.assertEqual(self.guarded.asked, ["HEAD http://b.example/x"])

    def test_local_mirror(self) -> None:
        """A mirror on this host may redirect to this host."""
        answers = {f"http://a.example/core/{NAME}": (302, {"Location": "http://127.0.0.1:8080/x"}), "http://127.0.0.1:8080/x": (200, {})}
        self.ask(answers, local=True)
        self.assertEqual((len(self.world.asked), self.guarded.asked), (2, []))
        self.ask(answers)
        self.assertEqual((len(self.world.asked), self.guarded.asked), (1, ["HEAD http://127.0.0.1:8080/x"]))

    def test_loop(self) -> None:
        """Five redirects are followed, and not one more."""
        chain = {f"http://a.example/{n}": (302, {"Location": f"/{n + 1}"}) for n in range(1, 5)}
        answers = {**chain, f"http://a.example/core/{NAME}": (302, {"Location": "/1"}), "http://a.example/5": (200, {"Content-Length": "1"})}
        self.assertEqual(self.ask(answers), Found(1))
        answers["http://a.example/5"] = 302, {"Location": "/1"}
        self.assertIs(type(self.ask(answers)), InconclusiveError)
        self.assertEqual(len(self.world.asked), 6)

    def test_bad_locations(self) -> None:
        """A Location that is no http(s) URL, or missing, is a failure that does not repeat it."""
        self.assertEqual(str(self.ask({f"http://a.example/core/{NAME}": (302, {})})), "302 without a Location")
        for location in ("ftp://b.example/x", "file:///etc/passwd", "gopher:x", "http://", "http://b.example:99999/", "http://a\\@127.0.0.1/"):
            error = self.ask({f"http://a.example/core/{NAME}": (302, {"Location": location})})
            self.assertEqual(str(error), "302 to what is no http or https URL", location)
            self.assertEqual(len(self.world.asked) + len(self.guarded.asked), 1)

    def test_absent_behind_a_redirect(self) -> None:
        """A 404 of where a mirror redirects to is a certain no as well."""
        self.assertIsInstance(self.ask({f"http://a.example/core/{NAME}": (302, {"Location": "http://b.example/x"})}), AbsentError)

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60))
    def test_any_location(self, location: str) -> None:
        """Whatever a Location says, the inquiry ends with an answer or a FetchError."""
        self.assertIsInstance(self.ask({f"http://a.example/core/{NAME}": (302, {"Location": location})}), (Found, FetchError))
