"""How well a peer did lately, so that requests are spread over those that do well.  Rules only."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds in which what is remembered counts half: a machine that was busy a few minutes ago deserves to be asked again.
HALF_LIFE = 60.0
# Bytes per second that a peer is taken to give away, over all whom it serves: a gigabit link that is not used by packages alone.
_SPEED = 50e6
# Seconds that every peer is taken to need for an answer at least: one that is idle, or that nobody has asked yet, is not better than the next.
_LEAST_DELAY = 0.002
# Seconds that a failure makes a peer look slower.
_FAILURE = 0.1


@dataclass(slots=True)
class Standing:
    """
    The bytes, the delay and the failures of a peer, each half forgotten after `HALF_LIFE`.

    Attributes:
        sent: Bytes that clients of this host were sent there for.
        delay: Seconds until it said whether it has a file.
        failures: How often it did not say so in time.
    """

    sent: float = 0.0
    delay: float = _LEAST_DELAY
    failures: float = 0.0
    _as_of: float = 0.0

    def answered(self, delay: float, now: float) -> None:
        """It said in time whether it has a file."""
        self._fade(now)
        self.delay += (delay - self.delay) / 4

    def overtaken(self, passed: float, now: float) -> None:
        """It had so many seconds and has not said so when another one had.  A new connection or a busy moment may be all that was wrong."""
        self.answered(2 * passed, now)

    def failed(self, now: float) -> None:
        """It did not say in time whether it has a file."""
        self._fade(now)
        self.failures += 1

    def chosen(self, size: int, now: float) -> None:
        """A client was sent there for so many bytes."""
        self._fade(now)
        self.sent += size

    def cost(self, now: float) -> float:
        """Seconds that a client is expected to lose there: the less the better."""
        self._fade(now)
        return max(self.delay, _LEAST_DELAY) + self.failures * _FAILURE + self.sent / _SPEED

    def _fade(self, now: float) -> None:
        passed = now - self._as_of
        if passed > 0:
            factor = 0.5 ** (passed / HALF_LIFE)
            self.sent *= factor
            self.failures *= factor
            self.delay = _LEAST_DELAY + (self.delay - _LEAST_DELAY) * factor
            self._as_of = now
