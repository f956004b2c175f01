"""The reports of a host that follows another one, to the keeper of the claim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.claims.claims import Verdict
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RemoteProtocolError

# Seconds between two reports: most files have arrived before the first one, and a keeper with 200 followers hears 200 in a second.
REPORT_INTERVAL = 1.0


class Following:
    """
    Tells the keeper how much of the file is here, and takes note when another leader promises more.  One report is sent at a time.

    A keeper of an earlier version answers 404, and is told nothing more.

    Args:
        call: Says `report` to the keeper.  Raises `FetchError` where it does not answer.
        leader: The instance id of the host that is followed.
        moved: Called with the host to follow from now on.
    """

    _log = Logger()

    def __init__(self, call: Callable[[str], Awaitable[Verdict]], clock: IReactorTime, leader: str, moved: Callable[[str], object]) -> None:
        self._call = call
        self._clock = clock
        self._leader = leader
        self._moved = moved
        self._complaints = Complaints(self._log)
        self._ended = False
        self._timer: IDelayedCall | None = clock.callLater(REPORT_INTERVAL, self._due)

    def end(self) -> None:
        """Tells the keeper nothing more."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._complaints.hear(Deferred.fromCoroutine(self._report()), "telling the keeper how far a download is").addCallback(self._told)

    def _told(self, goes_on: bool | None) -> None:
        if goes_on and not self._ended:
            self._timer = self._clock.callLater(REPORT_INTERVAL, self._due)

    async def _report(self) -> bool:
        """Returns whether there is still something to say."""
        try:
            verdict = await self._call("report")
        except RemoteProtocolError as error:
            self._log.debug("the keeper of a claim takes no reports: {error}", error=error)
            return False
        except FetchError as error:
            self._log.debug("the keeper of a claim was not told how far the download is: {error}", error=error)
            return True
        if verdict.follow is not None and verdict.follow != self._leader and not self._ended:
            self._leader = verdict.follow
            self._moved(verdict.follow)
        return True
