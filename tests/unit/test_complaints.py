"""Tests for `pacserve.complaints`."""

import errno
import gc
import os

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import LogEvent, Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pacserve.complaints import Complaints
from pacserve.errors import FetchError


class ComplaintsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        self.complaints = Complaints(Logger(observer=self.events.append))  # type: ignore[arg-type]

    def levels(self) -> list[str]:
        return [event["log_level"].name for event in self.events]


class AboutTests(ComplaintsCase):
    def test_once(self) -> None:
        """A trouble is told once, another one of the same subject once more, and the first again after it was gone."""
        for trouble, count in (("full", 1), ("full", 1), ("gone", 2), ("gone", 2), ("", 2), ("gone", 3), ("full", 4)):
            self.complaints.about("the disk", trouble)
            self.assertEqual(len(self.events), count)
        self.assertEqual(set(self.levels()), {"warn"})

    def test_subjects(self) -> None:
        """The troubles of several subjects have nothing to do with each other."""
        for _ in range(2):
            self.complaints.about("one", "full")
            self.complaints.about("two", "full")
        self.complaints.about("one", "")
        self.complaints.about("two", "full")
        self.assertEqual(len(self.events), 2)


class HearTests(ComplaintsCase):
    def hear(self, running: Deferred[int]) -> int | None:
        return self.successResultOf(self.complaints.hear(running, "trimming the spool"))

    def test_result(self) -> None:
        """What succeeds keeps its result, and nothing is logged."""
        self.assertEqual((self.hear(succeed(3)), self.events), (3, []))

    def test_environment(self) -> None:
        """An error of the operating system is one warning without a traceback, until it was well in between."""
        for _ in range(3):
            self.assertIsNone(self.hear(fail(OSError(errno.EIO, os.strerror(errno.EIO), "/spool/x"))))
        (event,) = self.events
        self.assertEqual(event["log_level"].name, "warn")
        self.assertIn("trimming the spool failed: input/output error (/spool/x)", event["trouble"])
        self.assertNotIn("log_failure", event)
        self.hear(succeed(1))
        self.hear(fail(OSError(errno.EIO, "again")))
        self.assertEqual(len(self.events), 2)

    def test_cancelled(self) -> None:
        """A cancellation is no error, and says nothing of a trouble that was there before."""
        self.hear(fail(OSError(errno.EIO, "no")))
        self.hear(fail(CancelledError()))
        self.hear(fail(OSError(errno.EIO, "no")))
        self.assertEqual(self.levels(), ["warn"])

    def test_own_error(self) -> None:
        """An error that pacserve raised on purpose is worth a line of debugging."""
        self.hear(fail(FetchError("it does not answer")))
        self.assertEqual(self.levels(), ["debug"])

    def test_defect(self) -> None:
        """Anything else is a defect with its traceback, once even if it comes every second."""
        for _ in range(3):
            self.hear(fail(ZeroDivisionError("1")))
        self.hear(fail(ZeroDivisionError("2")))
        self.assertEqual(self.levels(), ["critical", "critical"])
        self.assertIsInstance(self.events[0]["log_failure"], Failure)

    def test_unheard(self) -> None:
        """No error is left for Twisted to find."""
        self.complaints.hear(fail(ZeroDivisionError("1")), "anything")
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
