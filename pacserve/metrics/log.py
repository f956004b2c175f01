"""Errors that the log tells of."""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from pacserve.metrics.errors import ErrorClass, ErrorCounts


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
