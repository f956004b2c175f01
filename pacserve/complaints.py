"""Troubles that are told once, and work that nobody waits for, whose end is heard all the same."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pacserve.errors import PacserveError, reason_of

T = TypeVar("T")


class Complaints:
    """
    Logs each trouble of the environment once, and again only after it was gone in between.

    Args:
        log: The log of the class that meets the troubles.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told: dict[object, str] = {}

    def about(self, subject: object, trouble: str) -> None:
        """
        Warns of a trouble, unless it was the last that was told of the same subject.

        Args:
            subject: Compared by its value, such as a folder or what was being done.
            trouble: What is wrong, and what to do; empty where nothing is, or nothing any more.
        """
        if self._is_new(subject, trouble):
            self._log.warn("{trouble}", trouble=trouble)

    def hear(self, running: Deferred[T], doing: str) -> Deferred[T | None]:
        """
        Takes the error of something that nobody waits for: one that nobody took would become a traceback of Twisted's.

        A cancellation is none, an error of pacserve's own was dealt with where it came from, and one of the operating system is told as `about` does.
        Anything else is a defect; one that comes again and again is logged once.

        Args:
            doing: What was being done, such as `trimming the spool`.

        Returns:
            The same Deferred, which has no error any more.
        """

        def succeeded(result: T) -> T:
            self._is_new(doing, "")
            return result

        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, CancelledError):
                return
            if isinstance(error, PacserveError):
                self._log.debug("{doing}: {error}", doing=doing, error=error)
            elif isinstance(error, OSError):
                self.about(doing, f"{doing} failed: {reason_of(error)}; see what the system's log says of that")
            elif self._is_new(doing, f"{type(error)}: {error}"):
                self._log.failure("{doing}", failure, doing=doing)

        return running.addCallbacks(succeeded, failed)

    def _is_new(self, subject: object, trouble: str) -> bool:
        """Remembers the trouble of a subject, and returns whether it has another one than before."""
        if not trouble:
            self._told.pop(subject, None)
            return False
        before, self._told[subject] = self._told.get(subject), trouble
        return before != trouble
