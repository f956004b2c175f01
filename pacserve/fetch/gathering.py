"""Which bodies are read in few large pieces instead of many small ones.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from pacserve.bounded import ExpiringMemory

# Seconds for which a slow source is not read after each piece.  A mirror of 50 Mbit/s whose bytes come 4 KiB at a time costs a third of the CPU then,
# and nobody notices bytes that are so much later.
GATHERING_PAUSE = 0.02
# The same for a source whose rate grows no more.  While it grows, the kernel widens its window by what is taken in each round-trip time: with pauses
# of 40 ms and 50 ms to the mirror, the first 6 MB took a tenth longer.
LONG_PAUSE = 0.04
# Bytes that are worth such a pause.
GATHERED_BYTES = 256 * 1024
# Bytes per second from which on a source is fast: it fills what the kernel has room for while it is not read, and comes in large pieces anyway.
FAST_RATE = 16e6
# Seconds over which that is judged.  Most small files have arrived before it is over, and are not made later at all.
JUDGING_TIME = 0.05
# Judgements in a row without a rate that is by a quarter greater than all before, after which a rate grows no more.
STEADY_COUNT = 4
_GROWTH = 1.25
# The last bytes of a body are read as they come: nothing gathers behind them.
LAST_BYTES = 16 * 1024
# Seconds of a pause that is worth its timer.
_SHORTEST_PAUSE = 0.002
# Seconds for which it is remembered how fast a host was, and hosts that are remembered: the ranges of a file follow each other, and so do the files
# of an upgrade.
RATE_LIFETIME = 60.0
_RATES_LIMIT = 256


class HostRates(ExpiringMemory[str, float]):
    """The bytes per second of the latest bodies, by scheme, host and port of the URL."""

    def __init__(self) -> None:
        super().__init__(_RATES_LIMIT, RATE_LIFETIME)


class Gathering:
    """
    Judges one body while it arrives.

    Args:
        length: Bytes of the body; None where that is not known.
        rate: Bytes per second that its host gave a moment ago, so that a slow one need not be judged again; None where that is not known.

    Attributes:
        rate: Bytes per second of late; None as long as that is not known.
    """

    def __init__(self, length: int | None, now: float, rate: float | None = None) -> None:
        self.rate = rate
        self._left = length
        self._began = now
        self._bytes = 0
        self._greatest = 0.0
        self._steady = 0

    def arrived(self, count: int, now: float) -> float:
        """Returns the seconds for which the body should not be read, after so many bytes have arrived."""
        self._bytes += count
        if self._left is not None:
            self._left -= count
        passed = now - self._began
        if passed >= JUDGING_TIME:
            self._judge(self._bytes / passed)
            self._began, self._bytes = now, 0
        elif self._bytes >= FAST_RATE * JUDGING_TIME:
            self._judge(FAST_RATE)
            self._began, self._bytes = now, 0
        if self.rate is None or self.rate >= FAST_RATE:
            return 0.0
        pause = min(LONG_PAUSE, max(GATHERED_BYTES / self.rate, GATHERING_PAUSE)) if self._steady >= STEADY_COUNT else GATHERING_PAUSE
        if self._left is not None:
            # So the end of a body is not made later.
            pause = min(pause, (self._left - LAST_BYTES) / self.rate)
        return pause if pause >= _SHORTEST_PAUSE else 0.0

    def _judge(self, rate: float) -> None:
        self.rate = max(rate, 1.0)
        self._steady += 1
        if rate > self._greatest * _GROWTH:
            self._greatest, self._steady = rate, 0
