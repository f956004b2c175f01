"""Tests for `pacserve.app.advising`."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.advising import CHECK_INTERVAL, Advice
from pacserve.report.status import FindingStatus, Status
from tests.fakes.statuses import status

MISSING = FindingStatus("pacman.conf", "warning", "/etc/pacman.conf does not name pacserve", "put a line there")


class AdviceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.configuration: object = object()
        self.found: Sequence[FindingStatus] = (MISSING,)
        self.checked = 0
        self.defect: Exception | None = None
        self.thread: Deferred[None] | None = None
        self.advice = Advice(self.examine, self.in_thread, lambda: self.configuration, self.clock)

    def examine(self, _: Status) -> Sequence[FindingStatus]:
        if self.defect is not None:
            raise self.defect
        self.checked += 1
        return self.found

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        if self.thread is not None:
            await self.thread
        return work()

    def tell(self) -> list[str]:
        """The lines that are logged about a host."""
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.advice.tell(status())))
        return [f"{event['log_level'].name}: {formatEvent(event)}" for event in events]

    def findings(self) -> tuple[FindingStatus, ...] | None:
        """The findings that a report has."""
        return self.advice.added(status()).findings

    def test_told(self) -> None:
        """Each trouble is one warning with what to do, and a host that is well is told nothing."""
        self.assertEqual(self.tell(), ["warn: /etc/pacman.conf does not name pacserve; put a line there"])
        self.found = ()
        self.assertEqual(self.tell(), [])

    def test_alone(self) -> None:
        """That no other host is known may be meant, and is no warning."""
        self.found = (FindingStatus("firewall", "warning", "this host shares with no other host", "start it with --multicast"),)
        self.assertEqual(self.tell(), ["info: this host shares with no other host; start it with --multicast"])

    def test_told_once(self) -> None:
        """Troubles of which other parts of the daemon warn are in reports, and not in the log a second time."""
        spool = FindingStatus("spool", "wrong", "the spool can't be used", "give it another folder")
        self.found = (spool, MISSING)
        self.assertEqual(len(self.tell()), 1)
        self.assertEqual(self.findings(), (spool, MISSING))

    def test_not_waited_for(self) -> None:
        """A report has what was found last, and never waits for a check; one check runs at a time."""
        self.thread = Deferred()
        self.assertEqual([self.findings() for _ in range(3)], [None] * 3)
        self.configuration = object()
        self.assertIsNone(self.findings())
        thread, self.thread = self.thread, None
        thread.callback(None)
        self.assertEqual((self.checked, self.findings()), (1, (MISSING,)))

    def test_again(self) -> None:
        """The host is checked again after a while, and as soon as pacman.conf was read again, so that what was mended is not told any more."""
        self.tell()
        self.found = ()
        self.clock.advance(CHECK_INTERVAL - 1)
        self.assertEqual((self.findings(), self.checked), ((MISSING,), 1))
        self.clock.advance(1)
        self.assertEqual((self.findings(), self.checked), ((), 2))
        self.found, self.configuration = (MISSING,), object()
        self.assertEqual((self.findings(), self.findings(), self.checked), ((MISSING,), (MISSING,), 3))

    def test_defect(self) -> None:
        """A check that fails is logged, and neither costs a report nor keeps the host from being checked again."""
        self.defect = ZeroDivisionError("1")
        self.assertIsNone(self.findings())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.defect = None
        self.clock.advance(CHECK_INTERVAL)
        self.assertEqual(self.findings(), (MISSING,))
