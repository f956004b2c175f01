"""Errors by their class, and the observer of the log that counts them."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from pacserve.errors import AbsentError, ConfigurationError, FetchError, IntegrityError, PacserveError, RemoteProtocolError
from pacserve.metrics.definitions import ERRORS, Family


class ErrorClass(enum.Enum):
    """The classes of errors, by whose fault they were; see `pacserve.errors`."""

    FETCH = "fetch"
    """A host could not provide a file: the next one was tried."""
    INTEGRITY = "integrity"
    """A host sent a file with other content than it should have: it was discarded."""
    PROTOCOL = "protocol"
    """A host sent what the protocol does not allow."""
    CONFIGURATION = "configuration"
    """pacman.conf could not be read: what was read before stays in force."""
    ENVIRONMENT = "environment"
    """This machine: a full disk, a folder that can't be read."""
    DEFECT = "defect"
    """A defect of pacserve."""


# The first class that fits counts, so subclasses come before their base classes.
_CLASSES = (
    (IntegrityError, ErrorClass.INTEGRITY),
    (RemoteProtocolError, ErrorClass.PROTOCOL),
    (FetchError, ErrorClass.FETCH),
    (ConfigurationError, ErrorClass.CONFIGURATION),
    (OSError, ErrorClass.ENVIRONMENT),
)


class ErrorCounts:
    """Counts errors, from the start of the daemon on."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(ErrorClass, 0)

    def count(self, counted: ErrorClass) -> None:
        """Counts an error of a class."""
        self._counts[counted] += 1

    def noted(self, error: BaseException) -> None:
        """
        Counts an error by its class.

        An `AbsentError` only says that a host does not have a file, and other errors of pacserve's own are answers to requests: neither counts.
        """
        if isinstance(error, AbsentError):
            return
        for kind, counted in _CLASSES:
            if isinstance(error, kind):
                self.count(counted)
                return
        if not isinstance(error, PacserveError):
            self.count(ErrorClass.DEFECT)

    def families(self) -> Iterator[Family]:
        """Yields the counts as metrics."""
        yield Family(ERRORS, {(counted.value,): count for counted, count in self._counts.items()})


@implementer(ILogObserver)
class ErrorObserver:
    """
    Counts the errors in log events, whatever the level: those at debug count even when they are not written.

    Args:
        errors: Counts each of them.
    """

    def __init__(self, errors: ErrorCounts) -> None:
        self._errors = errors

    def __call__(self, event: LogEvent) -> None:
        level, failure, error = event.get("log_level"), event.get("log_failure"), event.get("error")
        if failure is not None:
            self._errors.noted(failure.value)
        elif isinstance(error, BaseException):
            self._errors.noted(error)
        elif level in {LogLevel.error, LogLevel.critical}:
            self._errors.count(ErrorClass.DEFECT)
        elif level is LogLevel.warn:
            self._errors.count(ErrorClass.ENVIRONMENT)
