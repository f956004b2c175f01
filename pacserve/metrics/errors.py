"""Errors by their class, and the observer of the log that counts them."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from pacserve.errors import AbsentError, ConfigurationError, FetchError, IntegrityError, PacserveError, RemoteProtocolError
from pacserve.metrics.definitions import ERRORS, Family


class ErrorClass(enum.Enum):
    """Whose fault an error was, and so what happened next; see `pacserve.errors`."""

    FETCH = "fetch"
    """A host could not give what it was asked for: the next one was tried."""
    INTEGRITY = "integrity"
    """A host gave something else than what it was asked for: it was thrown away."""
    PROTOCOL = "protocol"
    """A host sent what the protocol does not allow."""
    CONFIGURATION = "configuration"
    """pacman.conf could not be read: what was read before stays in force."""
    ENVIRONMENT = "environment"
    """This machine: a full disk, a folder that can't be read."""
    DEFECT = "defect"
    """pacserve itself."""


# The first that fits counts: the special ones stand before those that they are made of.
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
        """Counts an error.  One that only says that a host does not have a file is none, nor is one that is an answer: those are requests."""
        if isinstance(error, AbsentError):
            return
        for kind, counted in _CLASSES:
            if isinstance(error, kind):
                self.count(counted)
                return
        if not isinstance(error, PacserveError):
            self.count(ErrorClass.DEFECT)

    def families(self) -> Iterator[Family]:
        """What was counted, in metrics."""
        yield Family(ERRORS, {(counted.value,): count for counted, count in self._counts.items()})


@implementer(ILogObserver)
class ErrorObserver:
    """
    Counts what events tell of errors, whatever their level is: those at debug count as well when nobody reads them.

    Args:
        errors: Told of each.
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
