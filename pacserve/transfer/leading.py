"""Whom a download follows: the host of the LAN that downloads the file already, as long as that makes progress."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.claiming import Claim, Claiming

# Seconds without a byte after which nobody is followed any more, whatever the keeper of the claims says.
PATIENCE = 3.0
# Hosts that are followed for one file, one after the other, whatever progress that makes.
LEADERS_LIMIT = 12
# Bytes that make a host worth following, and hosts that may give less, but something.
USEFUL = 64 << 10
USELESS_LIMIT = 3
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
        self._total = 0
        self._useless = 0

    async def leader(self, arrived_at: float, total: int) -> Upstream | None:
        """
        Whom to ask next for what is missing; None where that is a mirror.

        Args:
            arrived_at: When the last byte arrived.  When none has come since the last time the leader of then was of no use.
            total: Bytes that have arrived.
        """
        gained, self._total = total - self._total, total
        if self._clock.seconds() - arrived_at >= PATIENCE:
            self._asked = LEADERS_LIMIT
            self._blame()  # it shows signs of life to the keeper, or would have lost its claim by now
        elif gained < USEFUL and self._claim is not None:
            if gained:
                self._useless += 1
                self._blame()
            await deferLater(self._clock, PAUSE)
        self.end(kept=False)
        if self._asked >= LEADERS_LIMIT or self._useless >= USELESS_LIMIT:
            return None
        if gained < USEFUL:
            self._asked += 1
        self._claim = await self._claiming.claim(self._request, self._expected)
        leaders = self._claim.leaders
        return leaders[0] if leaders else None

    def _blame(self) -> None:
        """Whom this host follows now is not worth it."""
        for leader in () if self._claim is None else self._claim.leaders:
            leader.failed()

    def end(self, *, kept: bool) -> None:
        """The download has ended, or goes on otherwise."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.end(kept=kept)
