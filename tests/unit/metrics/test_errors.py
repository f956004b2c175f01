"""Tests for `pacserve.metrics.errors`."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, ConfigurationError, FetchError, IntegrityError, RemoteProtocolError, RequestError, StartError
from pacserve.metrics.errors import ErrorClass, ErrorCounts, ErrorObserver


def counted(counts: ErrorCounts) -> dict[str, float]:
    """The classes that were met, and how often."""
    (family,) = counts.families()
    return {labels[0]: float(value) for labels, value in family.samples.items() if isinstance(value, int) and value}


class NotedTests(SynchronousTestCase):
    def test_classes(self) -> None:
        """Each error counts once, for the most special class that it is of."""
        for error, name in (
            (FetchError("x"), "fetch"),
            (IntegrityError("x"), "integrity"),
            (RemoteProtocolError("x"), "protocol"),
            (ConfigurationError("x"), "configuration"),
            (PermissionError("x"), "environment"),
            (KeyError("x"), "defect"),
        ):
            counts = ErrorCounts()
            counts.noted(error)
            self.assertEqual(counted(counts), {name: 1.0})

    def test_no_errors(self) -> None:
        """That a host does not have a file is no error, nor is an answer to a request."""
        counts = ErrorCounts()
        for error in (AbsentError("x"), RequestError(404, "x"), StartError("x")):
            counts.noted(error)
        self.assertEqual(counted(counts), {})

    def test_from_the_start(self) -> None:
        """Every class is there with a zero before its first error."""
        (family,) = ErrorCounts().families()
        self.assertEqual(dict(family.samples), {(one.value,): 0 for one in ErrorClass})


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
