"""How fast bytes may flow: a token bucket, and the limits of a download.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Told of so many bytes that have arrived, gives the seconds until more may come.
Take = Callable[[int], float]

# Seconds of the rate that may be used at once after a pause: short enough that others on the line don't notice.
BURST_SECONDS = 0.25


class TokenBucket:
    """
    Limits a flow to a number of bytes per second.

    Bytes are taken when they have flowed, so that the allowance may become negative; the caller then waits until it no longer is.

    Args:
        rate: Bytes per second; None for no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._allowance = 0.0 if rate is None else rate * BURST_SECONDS
        self._as_of: float | None = None

    def take(self, count: int, now: float) -> float:
        """
        Takes bytes that have flowed.

        Returns:
            The seconds until the next byte may flow.
        """
        if self._rate is None:
            return 0.0
        passed = 0.0 if self._as_of is None else max(0.0, now - self._as_of)
        self._as_of = now
        self._allowance = min(self._allowance + passed * self._rate, self._rate * BURST_SECONDS) - count
        return max(0.0, -self._allowance / self._rate)


def _unlimited(_: int) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Limits how fast the bytes of a download arrive.

    Attributes:
        wan: For bytes from mirrors.
        lan: For bytes from peers.
    """

    wan: Take = _unlimited
    lan: Take = _unlimited


UNLIMITED = Limits()
