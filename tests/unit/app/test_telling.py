"""Tests for `pacserve.app.telling`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.telling import WRITE_INTERVAL, Telling
from pacserve.metrics.errors import ErrorCounts
from pacserve.network.addresses import parse_address
from pacserve.report.ledger import Ledger
from pacserve.web.fairness import loopback_first
from pacserve.web.witness import Answered
from tests.fakes.interfaces import Addresses


class TellingTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name) / "state"
        self.clock = Clock()
        self.ledger = Ledger(self.wall, Addresses(), self.wall())
        self.defect: Exception | None = None
        self.settings = SimpleNamespace(state=str(self.state), metrics_peers=False, history=True)
        parts: Any = SimpleNamespace(
            settings=self.settings,
            name="h1",
            ledger=self.ledger,
            in_thread=self.in_thread,
            clock=self.clock,
            wall=self.wall,
            ranking=loopback_first,
            apt=None,
        )
        nobody: Any = None
        self.telling = Telling(parts, nobody, ErrorCounts(), nobody)

    def wall(self) -> float:
        return 1_800_000_000.0

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        if self.defect is not None:
            raise self.defect
        return work()

    def start(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.telling.start()))
        self.addCleanup(lambda: self.successResultOf(Deferred.fromCoroutine(self.telling.stop())))

    def count(self) -> None:
        """Something is counted, and the time comes to write it."""
        self.ledger.answered(
            Answered("request", "GET", b"/request/core/x86_64/a-1-1-any.pkg.tar.zst", parse_address("127.0.0.1"), 200, "cache", 5, 0.1)
        )
        self.clock.advance(WRITE_INTERVAL)

    def warnings(self, events: Sequence[LogEvent]) -> list[str]:
        return [event["trouble"] for event in events if event["log_level"].name == "warn"]

    def test_unwritable(self) -> None:
        """A state folder that can't be used is one warning that says what to do; when it could be used in between, it is told again."""
        self.state.write_text("a file in its place")
        with capturedLogs() as events:
            self.start()
            for _ in range(3):
                self.count()
            (warning,) = self.warnings(events)
            self.assertIn(f"the history can't be kept in {self.state}: ", warning)
            self.assertIn("choose another folder with --state, or --no-history", warning)
            self.state.unlink()
            self.count()
            (self.state / "history.sqlite").unlink()
            self.state.rmdir()
            self.state.write_text("once more")
            self.count()
            self.assertEqual(len(self.warnings(events)), 2)

    def test_no_history(self) -> None:
        """Where the user wants no history none is read, written or complained of, and all is counted all the same."""
        self.settings.history = False
        self.state.write_text("a file in its place")
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.telling.start()))
            self.count()
            self.successResultOf(Deferred.fromCoroutine(self.telling.stop()))
        self.assertEqual((self.warnings(events), self.state.is_file(), self.ledger.changes), ([], True, 1))

    def test_defect(self) -> None:
        """A defect in writing is heard, once, and does not end the writing."""
        self.start()
        self.defect = ZeroDivisionError("1")
        for _ in range(3):
            self.count()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.defect = None
        self.count()
        self.assertTrue((self.state / "history.sqlite").exists())
