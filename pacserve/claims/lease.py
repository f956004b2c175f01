"""The claim on a download, as its holder sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.claims.claims import Verdict
from pacserve.complaints import Complaints
from pacserve.errors import FetchError

# Seconds between two signs of life.
RENEWAL_INTERVAL = 0.5
# How often the keeper is told of the end of a download, should it not answer: it would take the silence for a lost lease.
FAREWELL_TRIES = 3


class Lease:
    """
    Shows the keeper that a download goes on, and tells it of the end.  One message is sent at a time: nothing piles up at a keeper that hangs, and
    nothing arrives out of order.

    A keeper that says that the claim is lost was started anew, took this host for dead, or was not heard when the claim was made.  It is asked once
    more: if no other host downloads the file by now, others can still follow this host.  Otherwise there is no claim any more.

    Args:
        call: Says to the keeper `ask`, `renew`, `finish` or `release`.  Raises `FetchError` where it does not answer.
        lost: Called with the host to follow, should another one hold the claim.
    """

    _log = Logger()

    def __init__(self, call: Callable[[str], Awaitable[Verdict]], clock: IReactorTime, lost: Callable[[str], object] = lambda _: None) -> None:
        self._call = call
        self._clock = clock
        self._complaints = Complaints(self._log)
        self._lost = lost
        self._last_words = ""
        self._tries = 0
        self._timer: IDelayedCall | None = clock.callLater(RENEWAL_INTERVAL, self._due)

    def end(self, last_words: str) -> None:
        """
        Tells the keeper that the download has ended.

        Args:
            last_words: `finish` or `release`.
        """
        if self._last_words:
            return
        self._last_words, self._tries = last_words, FAREWELL_TRIES
        if self._timer is not None:
            self._timer.cancel()
            self._due()

    def _due(self) -> None:
        self._timer = None
        telling = Deferred.fromCoroutine(self._farewell() if self._last_words else self._renew())
        self._complaints.hear(telling, "telling the keeper of a claim").addCallback(self._told, self._clock.seconds())

    def _told(self, goes_on: bool | None, began: float) -> None:
        if self._last_words and self._tries == FAREWELL_TRIES:
            self._due()  # the end came while the keeper was told that the download goes on
        elif goes_on:
            self._timer = self._clock.callLater(max(0.0, began + RENEWAL_INTERVAL - self._clock.seconds()), self._due)

    async def _renew(self) -> bool:
        """Returns whether there is still something to say."""
        try:
            verdict = await self._call("renew")
            if not verdict.granted and not self._last_words:
                verdict = await self._call("ask")
        except FetchError as error:
            self._log.debug("the keeper of a claim was not told that the download goes on: {error}", error=error)
            return True
        if verdict.follow is not None and not self._last_words:
            self._lost(verdict.follow)
        return verdict.granted

    async def _farewell(self) -> bool:
        """Returns whether there is still something to say."""
        self._tries -= 1
        try:
            await self._call(self._last_words)
        except FetchError as error:
            self._log.debug("the keeper of a claim was not told that the download has ended: {error}", error=error)
            return self._tries > 0
        return False
