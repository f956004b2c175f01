"""Knows what is wrong with this host, and says it in the log once the daemon has started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.report.status import FindingStatus, Status

# Seconds after which a report has the host checked again, as long as pacman.conf stays the same.
CHECK_INTERVAL = 60.0
# The checks whose troubles the log has already, from the parts of the daemon that met them, or will have when they matter.
_LOGGED_ELSEWHERE = frozenset({"file://", "package caches", "disk", "spool"})
# The checks whose troubles at the start are only that no other host is known: a host that serves `--clients` alone is meant to be so.
_MEANT_BY_SOME = frozenset({"firewall"})

Examine = Callable[[Status], Sequence[FindingStatus]]


class Advice:
    """
    Has this host checked in a thread, while reports go on with what is known: a check may wait for a file system that does not answer.

    Args:
        examine: Returns the troubles of this host; blocks.
        in_thread: Runs it.
        configuration: Gives the pacman.conf of now: another object where it was read again, so that what the user mends is seen at once.
    """

    _log = Logger()

    def __init__(
        self,
        examine: Examine,
        in_thread: Callable[[Callable[[], Sequence[FindingStatus]]], Awaitable[Sequence[FindingStatus]]],
        configuration: Callable[[], object],
        clock: IReactorTime,
    ) -> None:
        self._examine = examine
        self._in_thread = in_thread
        self._configuration = configuration
        self._clock = clock
        self._complaints = Complaints(self._log)
        self._findings: tuple[FindingStatus, ...] | None = None
        self._running = False
        self._checked_at = 0.0
        self._checked: object = None

    def added(self, status: Status) -> Status:
        """Returns a status with the troubles that were found last.  Where that was long ago the host is checked again meanwhile."""
        current = self._checked is self._configuration() and self._clock.seconds() - self._checked_at < CHECK_INTERVAL
        if not (self._running or current):
            self._complaints.hear(Deferred.fromCoroutine(self._check(status)), "checking this host")
        return replace(status, findings=self._findings)

    async def tell(self, status: Status) -> None:
        """Checks this host, and logs each trouble in one line that says what to do."""
        await self._check(status)
        for finding in self._findings or ():
            if finding.check in _MEANT_BY_SOME:
                self._log.info("{text}; {cure}", text=finding.text, cure=finding.cure)
            elif finding.check not in _LOGGED_ELSEWHERE:
                self._log.warn("{text}; {cure}", text=finding.text, cure=finding.cure)

    async def _check(self, status: Status) -> None:
        self._running = True
        self._checked_at, self._checked = self._clock.seconds(), self._configuration()
        try:
            self._findings = tuple(await self._in_thread(lambda: self._examine(status)))
        finally:
            self._running = False
