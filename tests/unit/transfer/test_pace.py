"""Tests for `pacserve.transfer.pace`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.pace import CRAWL_RATE, CRAWL_TIME_LIMIT, FAR_SLOWER_RATIO, RATE_WINDOW, Pace

BEST = 1_000_000.0


class PaceTests(SynchronousTestCase):
    def arrive(self, pace: Pace, rate: float, wait: float = 0.0, left: int | None = 10**9) -> bool:
        """Bytes at this rate, ten times a second; whether the source should be left."""
        return any(pace.arrived(int(rate / 10), wait, left, tenth / 10) for tenth in range(1, int(20 * RATE_WINDOW)))

    def test_far_slower(self) -> None:
        """A source is left when it is far slower than another one was, not when it is somewhat slower."""
        self.assertTrue(self.arrive(Pace(BEST, 0.0), BEST * FAR_SLOWER_RATIO * 0.9))
        self.assertFalse(self.arrive(Pace(BEST, 0.0), BEST * FAR_SLOWER_RATIO * 1.1))

    def test_not_at_once(self) -> None:
        """A source gets some seconds to show how fast it is."""
        pace = Pace(BEST, 0.0)
        self.assertFalse(pace.arrived(10, 0.0, None, RATE_WINDOW - 0.1))
        self.assertTrue(pace.arrived(10, 0.0, None, RATE_WINDOW + 0.1))

    def test_nothing_to_compare(self) -> None:
        """Where no other source is known none is left."""
        self.assertFalse(self.arrive(Pace(None, 0.0), 1))

    def test_crawls(self) -> None:
        """A source that gives next to nothing for long crawls, though no other is known; a limit of this host is not held against it."""
        for rate, wait, crawls in ((CRAWL_RATE / 2, 0.0, True), (CRAWL_RATE * 2, 0.0, False), (CRAWL_RATE / 2, 1.0, False)):
            pace = Pace(None, 0.0)
            for second in range(1, 50):
                pace.arrived(int(rate), wait, None, float(second))
                self.assertFalse(pace.crawls and second < CRAWL_TIME_LIMIT)
            self.assertIs(pace.crawls, crawls)

    def test_nearly_there(self) -> None:
        """It is not left for the little that is still missing."""
        self.assertFalse(self.arrive(Pace(BEST, 0.0), 100_000, left=400_000))

    def test_limited(self) -> None:
        """It is not to blame for the limits of this host."""
        self.assertFalse(self.arrive(Pace(BEST, 0.0), 100, wait=0.05))

    def test_slow_later(self) -> None:
        """It is judged by what it gives now, not by what it gave before."""
        pace = Pace(BEST, 0.0)
        self.assertFalse(pace.arrived(10**8, 0.0, None, RATE_WINDOW))
        self.assertTrue(pace.arrived(10, 0.0, None, 2 * RATE_WINDOW + 0.1))

    def test_rate(self) -> None:
        """Its speed is that of the times at which it was read."""
        pace = Pace(None, 10.0)
        self.assertIsNone(pace.rate(10.0))
        pace.arrived(1000, 1.0, None, 10.0)
        pace.arrived(1000, 0.0, None, 12.0)
        self.assertEqual((pace.rate(12.0), pace.total), (2000.0, 2000))
