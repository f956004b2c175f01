"""Tests for `pacserve.apt.passing_on`."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.passing_on import HEAD_TIMEOUT, LAST_TIMEOUT, PassingOn
from pacserve.errors import RequestError
from pacserve.fetch.stream import StreamingClient
from pacserve.mirrors.health import MirrorHealth
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.mirrors.upstream import Means
from pacserve.network.addresses import parse_address
from pacserve.packages.files import ExpectedFile
from pacserve.web.answers import Answer, DocumentAnswer, PassedAnswer
from pacserve.web.front import Ask
from tests.fakes.network import Line, Network, Page

URL = "http://deb.example/debian/x.deb"
EXPECTED = ExpectedFile(4, sha256(b"file").digest())


class PassingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        client = StreamingClient(self.network, self.clock)
        mirrors = RepositoryUpstreams(Means(client, client, MirrorHealth(), self.clock))
        self.passing = PassingOn(mirrors, lambda _: 0.0)

    def mirror(self, page: Page | Line) -> None:
        """Has the mirror answer."""
        self.network.hosts["deb.example"] = page

    def passed(self, headers: Mapping[str, str] = {}) -> Answer:
        """Asks for a file of which nothing is known."""
        ask = Ask("GET", ("debian", "x.deb"), parse_address("127.0.0.1"), headers.get)
        return self.successResultOf(Deferred.fromCoroutine(self.passing.pass_on(URL, ask)))

    def stated(self) -> Answer:
        """Asks for a file that is stated."""
        return self.successResultOf(Deferred.fromCoroutine(self.passing.pass_stated((URL,), EXPECTED)))

    def refused(self, *, stated: bool = False) -> int:
        """Returns the status of a refusal."""
        ask = Ask("GET", ("debian", "x.deb"), parse_address("127.0.0.1"), {}.get)  # type: ignore[arg-type]
        asked = self.passing.pass_stated((URL,), EXPECTED) if stated else self.passing.pass_on(URL, ask)
        error = self.failureResultOf(Deferred.fromCoroutine(asked), RequestError).value
        assert isinstance(error, RequestError)
        return error.status

    def test_headers(self) -> None:
        """Conditions and the password go to the mirror, and its dates come back; nothing else goes either way."""
        page = Page(b"file", headers={"Last-Modified": "Mon, 30 Nov 2026 22:00:00 GMT", "ETag": '"x"', "Set-Cookie": "a=b"})
        self.mirror(page)
        given = {"If-Modified-Since": "Mon, 30 Nov 2026 21:00:00 GMT", "Authorization": "Basic x", "Cookie": "a=b", "Cache-Control": "max-age=0"}
        answer = self.passed(given)
        assert isinstance(answer, PassedAnswer)
        self.assertEqual((answer.status, answer.length, answer.origin), (200, 4, "mirror http://deb.example, sent through"))
        self.assertEqual(dict(answer.headers)["Last-Modified"], "Mon, 30 Nov 2026 22:00:00 GMT")
        self.assertNotIn("Set-Cookie", dict(answer.headers))
        (asked,) = page.asked
        self.assertEqual(asked.getRawHeaders("If-Modified-Since"), ["Mon, 30 Nov 2026 21:00:00 GMT"])
        self.assertEqual((asked.getRawHeaders("Authorization"), asked.hasHeader("Cookie")), (["Basic x"], False))
        assert answer.reader is not None
        self.assertEqual(answer.reader.read(0, 9), b"file")

    def test_without_body(self) -> None:
        """Nothing new, and nothing behind the end, have no body."""
        for status, asked in (
            (304, {"If-Modified-Since": "Mon, 30 Nov 2026 21:00:00 GMT"}),
            (304, {"If-None-Match": '"x"'}),
            (416, {"Range": "bytes=9-"}),
        ):
            self.mirror(Page(status=status))
            answer = self.passed(asked)
            assert isinstance(answer, PassedAnswer)
            self.assertEqual((answer.status, answer.reader), (status, None))

    def test_answers_to_no_question(self) -> None:
        """Nobody gets a part of a file, or that it has not changed, who has not asked for that."""
        for status in (206, 304, 416):
            self.mirror(Page(b"part", status=status))
            self.assertEqual(self.refused(), 503)

    def test_refusals(self) -> None:
        """Only what the mirror says is said; every other trouble is 503, upon which apt tries again."""
        for page, status in (
            (Page(status=404), 404),
            (Page(status=403), 403),
            (Page(status=410), 410),
            (Page(status=500), 503),
            (Page(status=429), 503),
            (Page(b"", status=204), 503),
            (Line.REFUSES, 503),
        ):
            self.mirror(page)
            self.assertEqual((self.refused(), self.refused(stated=True)), (status, status))

    def test_password_wanted(self) -> None:
        """A client learns how the mirror wants to be told who it is."""
        self.mirror(Page(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
        answer = self.passed()
        assert isinstance(answer, DocumentAnswer)
        self.assertEqual((answer.status, dict(answer.headers)["WWW-Authenticate"]), (401, 'Basic realm="x"'))

    def test_silent_mirror(self) -> None:
        """A mirror that says nothing is given up before apt gives up, and soon where the file was tried before."""
        self.mirror(Line.SILENT)
        ask = Ask("GET", ("debian", "x.deb"), parse_address("127.0.0.1"), {}.get)  # type: ignore[arg-type]
        for asking, timeout in ((self.passing.pass_on(URL, ask), HEAD_TIMEOUT), (self.passing.pass_stated((URL,), EXPECTED), LAST_TIMEOUT)):
            asked = Deferred.fromCoroutine(asking)
            self.clock.advance(timeout - 0.1)
            self.assertNoResult(asked)
            self.clock.advance(0.1)
            self.assertEqual(self.failureResultOf(asked, RequestError).value.status, 503)

    def test_stated(self) -> None:
        """A file that is stated is passed on whole, with its stated length."""
        self.mirror(Page(b"file", headers={"Accept-Ranges": "bytes"}))
        answer = self.stated()
        assert isinstance(answer, PassedAnswer)
        assert answer.reader is not None
        self.assertEqual((answer.length, answer.reader.read(0, 9), "Accept-Ranges" in dict(answer.headers)), (4, b"file", False))

    def test_another_file(self) -> None:
        """A file of another size is refused before the first byte, one of other bytes ends before its last."""
        self.mirror(Page(b"files"))
        self.assertEqual(self.refused(stated=True), 503)
        self.mirror(Page(b"fail"))
        answer = self.stated()
        assert isinstance(answer, PassedAnswer)
        assert answer.reader is not None
        self.assertEqual((answer.reader.read(0, 9), answer.reader.whole), (b"fai", False))
