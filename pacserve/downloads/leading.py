"""Whom a download follows: the host of the LAN that downloads the file already, as long as that makes progress."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pacserve.interfaces import Claim, Claiming, Upstream
from pacserve.model import ExpectedFile, FileRequest

# Seconds without a byte after which nobody is followed any more, whatever the keeper of the claims says.
PATIENCE = 3.0
# Hosts that are followed for one file, one after the other, whatever progress that makes.
LEADERS_LIMIT = 12
# Seconds until the keeper is asked again.
PAUSE = 0.5


class Leading:
    """Claims a file for this host, or learns who has claimed it."""

    def __init__(self, claiming: Claiming, request: FileRequest, expected: ExpectedFile | None, clock: IReactorTime) -> None:
        self._claiming = claiming
        self._request = request
        self._expected = expected
        self._clock = clock
        self._claim: Claim | None = None
        self._asked = 0
        self._arrived_at = -1.0

    async def leader(self, arrived_at: float) -> Upstream | None:
        """
        Whom to ask next for what is missing; None where that is a mirror.

        @param arrived_at: When the last byte arrived.  When none has come since the last time the leader of then was of no use.
        """
        if self._clock.seconds() - arrived_at >= PATIENCE:
            self._asked = LEADERS_LIMIT
            if self._claim is not None:  # it shows signs of life to the keeper, or would have lost its claim by now
                for leader in self._claim.leaders:
                    leader.failed()
        elif arrived_at > self._arrived_at:
            self._arrived_at = arrived_at
        else:
            await deferLater(self._clock, PAUSE)
        self.end(kept=False)
        if self._asked >= LEADERS_LIMIT:
            return None
        self._asked += 1
        self._claim = await self._claiming.claim(self._request, self._expected)
        leaders = self._claim.leaders
        return leaders[0] if leaders else None

    def end(self, *, kept: bool) -> None:
        """The download has ended, or goes on otherwise."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.end(kept=kept)
