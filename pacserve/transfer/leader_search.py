"""The search for a leader: the host of the LAN that downloads a file already, and that a download here follows as long as this makes progress."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.download import Leaders

# Seconds without a byte after which no leader is followed any more, whatever the keeper of the claims says.
LEADER_PROGRESS_TIMEOUT = 3.0
# Seconds that this may become on a host that is late itself: its own client gives up after 10 s without a byte.
LONGEST_PROGRESS_TIMEOUT = 6.0
# Leaders that are followed for one file, one after the other, however much each gives.
LEADERS_LIMIT = 12
# Bytes that make a leader worth following, and leaders that may give less than that, but something.
USEFUL_BYTES = 64 << 10
USELESS_LEADERS_LIMIT = 3
# Seconds before the keeper is asked again after a leader that was of no use: the keeper may have noticed by then.
CLAIM_AGAIN_DELAY = 0.5


class Claim(Protocol):
    """The LAN's answer to a host that wants to download a file."""

    @property
    @abstractmethod
    def leader(self) -> Upstream | None:
        """The host that downloads the file already and is to be followed; None where this host is to download it."""

    @abstractmethod
    def watch(self, lost: Callable[[], object]) -> None:
        """Has a function called each time that another host is to be followed, which is the leader from then on."""

    @abstractmethod
    def end(self, *, kept: bool) -> None:
        """
        Gives the claim up, because the download has ended or goes on without it.

        Args:
            kept: True if the file is here to be handed on.
        """


class Claiming(Protocol):
    """Agrees with the LAN which host downloads a file."""

    @abstractmethod
    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        """
        Claims a file for this host, or finds the host that has claimed the file.

        It takes half a second at most, on a host that is late itself three, and never raises.

        Args:
            expected: What the catalogue states of the file; of a signature, of the file that it signs.  Hosts that expect other bytes have claims
                of their own.
            written: Gives the bytes that are here; it is called as long as the claim has not ended.
        """


class LeaderSearch(Leaders):
    """
    Claims one file for this host, or finds the leader to follow, again each time that a leader has failed.

    Args:
        written: Gives the bytes that are here.
    """

    def __init__(
        self,
        claiming: Claiming,
        request: FileRequest,
        expected: ExpectedFile | None,
        clock: IReactorTime,
        lateness: Lateness = PUNCTUAL,
        written: Callable[[], int] = int,
    ) -> None:
        self._claiming = claiming
        self._request = request
        self._expected = expected
        self._clock = clock
        self._lateness = lateness
        self._written = written
        self._claim: Claim | None = None
        self._joined: Callable[[], object] = _nothing
        self._joining = False
        self._leaders_followed = 0
        self._total = 0
        self._useless_leaders = 0

    async def next_leader(self, arrived_at: float, total: int) -> Upstream | None:
        # As many bytes as at the last call mean that the leader of then was of no use.
        gained, self._total = total - self._total, total
        if self._joining and self._claim is not None:
            self._joining = False
            self._leaders_followed += 1
            return self._claim.leader
        if self._clock.seconds() - arrived_at >= self._lateness.widened(LEADER_PROGRESS_TIMEOUT, LONGEST_PROGRESS_TIMEOUT):
            # The leader shows signs of life to its keeper, or would have lost its claim by now: the keeper would name the same one again.
            self._leaders_followed = LEADERS_LIMIT
            self._blame()
        elif gained < USEFUL_BYTES and self._claim is not None:
            # A leader that gives a little each time could hold this host up for ever, so these are counted apart.
            if gained:
                self._useless_leaders += 1
                self._blame()
            await deferLater(self._clock, CLAIM_AGAIN_DELAY)
        self.end(kept=False)
        if self._leaders_followed >= LEADERS_LIMIT or self._useless_leaders >= USELESS_LEADERS_LIMIT:
            return None
        if gained < USEFUL_BYTES:
            self._leaders_followed += 1
        self._claim = claim = await self._claiming.claim(self._request, self._expected, self._written)
        claim.watch(self._lost)
        return claim.leader

    def watch(self, joined: Callable[[], object]) -> None:
        self._joined = joined

    def end(self, *, kept: bool) -> None:
        """
        Gives the claim up, if there is one.

        Args:
            kept: True if the file is here to be handed on.
        """
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.end(kept=kept)

    def _lost(self) -> None:
        if self._leaders_followed < LEADERS_LIMIT:
            self._joining = True
            self._joined()

    def _blame(self) -> None:
        """Counts the failure against the leader that is followed now."""
        leader = None if self._claim is None else self._claim.leader
        if leader is not None:
            leader.failed()


def _nothing() -> None:
    return
