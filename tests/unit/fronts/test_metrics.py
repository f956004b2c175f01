"""Tests for `pacserve.fronts.metrics`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import RequestError
from pacserve.fronts.metrics import MetricsFront
from pacserve.metrics.errors import ErrorCounts
from pacserve.metrics.exposition import Exposition
from pacserve.metrics.requests import RequestCounts
from pacserve.report.status import Status
from pacserve.web.answers import Answer, DocumentAnswer
from tests.fakes.interfaces import ask
from tests.unit.metrics.statuses import status


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
