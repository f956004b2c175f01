"""When a source is so slow that another one is better.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

# Seconds over which the speed of a source is judged.
RATE_WINDOW = 5.0
# A source is left when it gives less than this part of what another one gave lately.
FAR_SLOWER_RATIO = 0.2
# Bytes per second, and seconds: who gives less for so long gives nothing.
CRAWL_RATE = 128.0
CRAWL_TIME_LIMIT = 30.0


class Pace:
    """
    The speed of one source while it gives one file.

    Args:
        best: Bytes per second that the best of the other sources gave lately; None where that is not known, and nobody is left then.

    Attributes:
        crawls: True if it has given next to nothing for long.
    """

    def __init__(self, best: float | None, now: float) -> None:
        self._best = best
        self._since = self._begun = now
        self._count = 0
        self._total = 0
        self._paused = 0.0
        self._crawling_since: float | None = None
        self.crawls = False

    def arrived(self, count: int, wait: float, left: int | None, now: float) -> bool:
        """
        So many bytes have arrived.

        Args:
            wait: Seconds for which the source is not read, since a limit wants it so: it is not to blame for them.
            left: Bytes that are still missing; None where that is not known.

        Returns:
            Whether the source should be left.
        """
        self._count += count
        self._total += count
        self._paused += wait
        if wait:
            self._since, self._count = now + wait, 0
            self._crawling_since = None
            return False
        passed = now - self._since
        if passed < RATE_WINDOW:
            return False
        rate = self._count / passed
        if rate >= CRAWL_RATE:
            self._crawling_since = None
        elif self._crawling_since is None:
            self._crawling_since = self._since
        self.crawls = self._crawling_since is not None and now - self._crawling_since >= CRAWL_TIME_LIMIT
        self._since, self._count = now, 0
        if self._best is None or rate >= self._best * FAR_SLOWER_RATIO:
            return False
        return left is None or left > rate * RATE_WINDOW

    def rate(self, now: float) -> float | None:
        """Bytes per second on the whole, None where it is too early to tell."""
        passed = now - self._begun - self._paused
        return self._total / passed if passed > 0 and self._total else None

    @property
    def total(self) -> int:
        """Bytes that have arrived."""
        return self._total
