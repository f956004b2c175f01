"""How fast bytes may flow: a token bucket.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

# Seconds of the rate that may be used at once after a pause: short enough that others on the line don't notice.
BURST = 0.25


class TokenBucket:
    """
    Limits a flow to a number of bytes per second.

    Bytes are taken when they have flowed, so that the allowance may become negative; whoever asks then waits until it is not.

    Args:
        rate: Bytes per second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._allowance = 0.0 if rate is None else rate * BURST
        self._as_of: float | None = None

    def take(self, count: int, now: float) -> float:
        """
        So many bytes have flowed.

        Returns:
            Seconds until the next may flow.
        """
        if self._rate is None:
            return 0.0
        passed = 0.0 if self._as_of is None else max(0.0, now - self._as_of)
        self._as_of = now
        self._allowance = min(self._allowance + passed * self._rate, self._rate * BURST) - count
        return max(0.0, -self._allowance / self._rate)
