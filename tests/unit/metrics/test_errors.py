"""Tests for `pacserve.metrics.errors`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, ConfigurationError, FetchError, IntegrityError, RemoteProtocolError, RequestError, StartError
from pacserve.metrics.errors import ErrorClass, ErrorCounts


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
