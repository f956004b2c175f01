"""Which bodies are read in few large pieces instead of many small ones.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

# Seconds for which a slow source is not read after each piece.  A mirror of 50 Mbit/s whose bytes come 4 KiB at a time costs a third of the CPU then,
# and nobody notices bytes that are so much later.
GATHERING_PAUSE = 0.02
# Bytes per second from which on a source is fast: it fills what the kernel has room for while it is not read, and comes in large pieces anyway.
FAST_RATE = 16e6
# Seconds over which that is judged.  Most small files have arrived before it is over, and are not made later at all.
JUDGING_TIME = 0.05
# The last bytes of a body are read as they come: nothing gathers behind them.
LAST_BYTES = 64 * 1024


class Gathering:
    """
    Judges one body while it arrives.

    Args:
        length: Bytes of the body; None where that is not known.
    """

    def __init__(self, length: int | None, now: float) -> None:
        self._left = length
        self._slow = False
        self._began = now
        self._bytes = 0

    def arrived(self, count: int, now: float) -> float:
        """Returns the seconds for which the body should not be read, after so many bytes have arrived."""
        self._bytes += count
        if self._left is not None:
            self._left -= count
        passed = now - self._began
        if passed >= JUDGING_TIME:
            self._slow = self._bytes / passed < FAST_RATE
            self._began, self._bytes = now, 0
        return GATHERING_PAUSE if self._slow and (self._left is None or self._left > LAST_BYTES) else 0.0
