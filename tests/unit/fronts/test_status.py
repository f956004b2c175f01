"""Tests for `pacserve.fronts.status`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.fronts.status import MetricsFront, StatusFront, WhyFront
from pacserve.metrics.errors import ErrorCounts
from pacserve.metrics.exposition import Exposition
from pacserve.metrics.requests import RequestCounts
from pacserve.report.status import HostStatus, Status, TrafficStatus
from pacserve.report.status_json import decode
from pacserve.report.why import Why
from pacserve.web.answers import Answer, DocumentAnswer
from tests.fakes.interfaces import ask
from tests.unit.metrics.statuses import status

STATUS = Status(
    HostStatus("1", "0" * 32, "host", 15678, 0.0, "fetch", "relay", True, 1, 2, 3, None, None),
    (),
    (),
    (),
    TrafficStatus(0.0, (), 0, 0, (), ()),
    None,
    0,
    (),
)


class StatusFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[str] = []

    async def status(self) -> Status:
        """How things are."""
        return STATUS

    async def why(self, text: str) -> Why | None:
        """Knows one package."""
        self.asked.append(text)
        return Why("core", text, 5, (), ()) if text == "zlib" else None

    def test_status(self) -> None:
        """The status is JSON that nobody keeps, and no news for the log."""
        front = StatusFront(self.status)
        answer = self.successResultOf(Deferred.fromCoroutine(front.answer(ask())))
        assert isinstance(answer, DocumentAnswer)
        self.assertEqual((decode(answer.body, Status), answer.quiet), (STATUS, True))
        self.assertIn(("Cache-Control", "no-store"), answer.headers)
        self.failureResultOf(Deferred.fromCoroutine(front.answer(ask("more"))), RequestError)

    def explain(self, *parts: str) -> Deferred[Answer]:
        """Asks why."""
        return Deferred.fromCoroutine(WhyFront(self.why).answer(ask(*parts)))

    def test_why(self) -> None:
        """A known package is explained; an unknown one is 404, with advice."""
        answer = self.successResultOf(self.explain("zlib"))
        assert isinstance(answer, DocumentAnswer)
        self.assertEqual(decode(answer.body, Why).name, "zlib")
        error = self.failureResultOf(self.explain("zlob"), RequestError).value
        self.assertEqual(error.status, 404)
        self.assertIn("pacman -Sy", str(error))

    @given(st.lists(st.text(max_size=400), max_size=3))
    def test_anything(self, parts: list[str]) -> None:
        """Whatever is asked is a short name in one line, or 404."""
        self.setUp()
        self.explain(*parts).addErrback(lambda failure: failure.trap(RequestError) and None)
        for text in self.asked:
            self.assertTrue(text.isprintable() and 1 <= len(text) <= 255)


class MetricsFrontTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked = 0
        self.front = MetricsFront(lambda: Exposition(RequestCounts(), ErrorCounts()), self.status)

    async def status(self) -> Status:
        """Notes that it is asked."""
        self.asked += 1
        return status()

    def answer(self, *parts: str, accept: str | None = None) -> Deferred[Answer]:
        """Asks for a path."""
        headers = () if accept is None else (("Accept", accept),)
        return Deferred.fromCoroutine(self.front.answer(ask(*parts, headers=headers)))

    def test_text(self) -> None:
        """The metrics come with their media type, are never kept by a cache, and are quiet in the access log."""
        answer = self.successResultOf(self.answer())
        assert isinstance(answer, DocumentAnswer)
        self.assertIn(b"\npacserve_inventory_files 2.0\n", answer.body)
        self.assertEqual((answer.status, answer.quiet), (200, True))
        headers = dict(answer.headers)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        self.assertEqual((headers["Cache-Control"], headers["Vary"]), ("no-store", "Accept"))

    def test_openmetrics(self) -> None:
        """A client that accepts OpenMetrics gets it."""
        answer = self.successResultOf(self.answer(accept="application/openmetrics-text;version=1.0.0"))
        assert isinstance(answer, DocumentAnswer)
        self.assertTrue(dict(answer.headers)["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_nothing_below(self) -> None:
        """There is nothing below /metrics, and nobody looks at the daemon for it."""
        for parts in (("",), ("x",), ("job", "x")):
            self.assertEqual(self.failureResultOf(self.answer(*parts), RequestError).value.status, 404)
        self.assertEqual(self.asked, 0)
