"""Tests for `pacserve.metrics.log`."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import FetchError, IntegrityError
from pacserve.metrics.errors import ErrorCounts
from pacserve.metrics.log import ErrorObserver
from tests.unit.metrics.test_errors import counted


class ErrorObserverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.counts = ErrorCounts()
        self.observer = ErrorObserver(self.counts)
        self.log = Logger("pacserve.test", observer=self.observer)

    def test_debug(self) -> None:
        """An error that is only told at debug counts."""
        self.log.debug("{name}: {error}", name="x", error=FetchError("x"))
        self.assertEqual(counted(self.counts), {"fetch": 1.0})

    def test_warning(self) -> None:
        """A warning tells of the environment, unless it names an error of another class."""
        self.log.warn("{name} could not be kept: {error}", name="x", error="No space left on device")
        self.log.warn("{name} is wrong: {error}", name="x", error=IntegrityError("x"))
        self.assertEqual(counted(self.counts), {"environment": 1.0, "integrity": 1.0})

    def test_defects(self) -> None:
        """A failure that was logged, and an error without one, are defects."""
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            self.log.failure("in the background")
        self.log.error("never")
        self.log.critical("never")
        self.assertEqual(counted(self.counts), {"defect": 3.0})

    def test_nothing(self) -> None:
        """What goes well is no error, nor is an event without anything in it."""
        self.log.info("peer {peer} has gone", peer="x")
        self.log.debug("looked")
        self.observer({})
        self.assertEqual(counted(self.counts), {})
