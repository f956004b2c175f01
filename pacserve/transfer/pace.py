"""The pace of a source: when it is so slow that another one is better.  Rules only: time comes in as a number of seconds."""

from __future__ import annotations

# Seconds over which the speed of a source is judged.
RATE_WINDOW = 5.0
# A source is left when it gives less than this part of what another one gave lately.
FAR_SLOWER_RATIO = 0.2
# Bytes per second below which a source gives next to nothing, and seconds for which that is borne.
CRAWL_RATE = 128.0
CRAWL_TIME_LIMIT = 30.0


class Pace:
    """
    Measures how fast one source gives one file.

    Args:
        rate_to_beat: Bytes per second that the best of the other sources gave lately; None where there is no other, and this one is never left then.

    Attributes:
        crawls: True if the source has given next to nothing for long.
    """

    def __init__(self, rate_to_beat: float | None, now: float) -> None:
        self._rate_to_beat = rate_to_beat
        self._window_began = self._began = now
        self._window_bytes = 0
        self._total = 0
        self._paused = 0.0
        self._crawling_since: float | None = None
        self.crawls = False

    def arrived(self, count: int, wait: float, missing: int | None, now: float) -> bool:
        """
        Counts bytes that have arrived.

        Args:
            wait: Seconds for which a limit keeps the source from being read, and for which it is not to blame.
            missing: Bytes that are still missing; None where that is not known.

        Returns:
            True if the source should be left.
        """
        self._window_bytes += count
        self._total += count
        self._paused += wait
        if wait:
            # Behind a limit the speed of the source can't be told.
            self._window_began, self._window_bytes = now + wait, 0
            self._crawling_since = None
            return False
        passed = now - self._window_began
        if passed < RATE_WINDOW:
            return False
        rate = self._window_bytes / passed
        if rate >= CRAWL_RATE:
            self._crawling_since = None
        elif self._crawling_since is None:
            self._crawling_since = self._window_began
        self.crawls = self._crawling_since is not None and now - self._crawling_since >= CRAWL_TIME_LIMIT
        self._window_began, self._window_bytes = now, 0
        if self._rate_to_beat is None or rate >= self._rate_to_beat * FAR_SLOWER_RATIO:
            return False
        # The last seconds of a file are not worth a new request.
        return missing is None or missing > rate * RATE_WINDOW

    def rate(self, now: float) -> float | None:
        """Returns the bytes per second since the beginning, without the time behind a limit; None where it is too early to tell."""
        passed = now - self._began - self._paused
        return self._total / passed if passed > 0 and self._total else None

    @property
    def total(self) -> int:
        """The bytes that have arrived."""
        return self._total
