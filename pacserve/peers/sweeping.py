"""The table of names is rid of lists that have ended, a little at a time."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pacserve.memory import give_back
from pacserve.peers.holdings import Holdings

# Seconds between two steps, and parts of the names in a step: with 200,000 names a step takes less than 1 ms, and all of them a second.
SWEEP_INTERVAL = 0.02
PARTS_PER_STEP = 8
# Names whose memory is worth giving back: some 1 MB.
_MANY_NAMES = 3000


class Sweeping:
    """
    Sweeps the holdings when there is something to sweep.

    Args:
        give_back: Called when many names have gone.
    """

    def __init__(self, holdings: Holdings, clock: IReactorTime, give_back: Callable[[], object] = give_back) -> None:
        self._holdings = holdings
        self._give_back = give_back
        self._names = 0
        self._clock = clock
        self._timer: IDelayedCall | None = None

    def soon(self) -> None:
        """Begins to sweep if lists have ended."""
        if self._timer is None and not self._holdings.swept:
            self._names = max(self._names, len(self._holdings))
            self._timer = self._clock.callLater(SWEEP_INTERVAL, self._step)

    def stop(self) -> None:
        """Sweeps no more until `soon` is called again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        self._timer = None
        for _ in range(PARTS_PER_STEP):
            if not self._holdings.sweep():
                if self._names - len(self._holdings) >= _MANY_NAMES:
                    self._give_back()
                self._names = 0
                return
        self.soon()
