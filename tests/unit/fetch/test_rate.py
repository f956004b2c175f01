"""Tests for `pacserve.fetch.rate`."""

import heapq

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.rate import BURST_SECONDS, TokenBucket


class TokenBucketTests(SynchronousTestCase):
    def test_no_limit(self) -> None:
        """Without a limit nobody waits."""
        self.assertEqual(TokenBucket(None).take(1 << 40, 0.0), 0.0)

    def test_burst(self) -> None:
        """After a pause a little may flow at once, and never more than that."""
        bucket = TokenBucket(1000.0)
        for now in (0.0, 1e6):
            self.assertEqual(bucket.take(int(1000 * BURST_SECONDS), now), 0.0)
            self.assertEqual(bucket.take(500, now), 0.5)

    @given(st.lists(st.tuples(st.integers(1, 100_000), st.floats(0, 0.5)), min_size=1, max_size=100))
    def test_rate(self, flows: list[tuple[int, float]]) -> None:
        """Who waits as long as he is told to never exceeds the rate by more than the burst and the last piece."""
        bucket, now, total = TokenBucket(50_000.0), 0.0, 0
        for count, pause in flows:
            total += count
            wait = bucket.take(count, now)
            self.assertLessEqual(total, 50_000 * (now + BURST_SECONDS) + max(size for size, _ in flows) + 50_000 * wait)
            now += wait + pause

    def test_clock_set_back(self) -> None:
        """A clock that was set back gives nothing away, and takes nothing."""
        bucket = TokenBucket(1000.0)
        bucket.take(250, 100.0)
        self.assertEqual(bucket.take(100, 0.0), 0.1)


class SharingTests(SynchronousTestCase):
    def flow(self, rate: float, pieces: list[int], begins: list[float], seconds: float) -> list[int]:
        """Transfers that each take a piece, wait as long as they are told to, and take the next; the bytes of each from the last beginning on."""
        bucket = TokenBucket(rate)
        totals = [0] * len(pieces)
        since = max(begins)
        due = [(begin, number) for number, begin in enumerate(begins)]
        heapq.heapify(due)
        while due[0][0] < since + seconds:
            now, number = heapq.heappop(due)
            if now >= since:
                totals[number] += pieces[number]
            # Nobody is faster than his line, even where the limit lets him.
            heapq.heappush(due, (now + max(bucket.take(pieces[number], now), 0.001), number))
        return totals

    @given(st.integers(1, 20), st.lists(st.floats(0, 5), min_size=20, max_size=20))
    def test_fair(self, count: int, begins: list[float]) -> None:
        """Transfers that take pieces of the same size get the same share of the rate, whenever each began, and all of it together."""
        rate, piece, seconds = 1_000_000.0, 10_000, 20.0
        totals = self.flow(rate, [piece] * count, begins[:count], seconds)
        self.assertLessEqual(max(totals) - min(totals), 3 * piece)
        self.assertLessEqual(abs(sum(totals) - rate * seconds), rate * BURST_SECONDS + (count + 2) * piece)

    def test_nobody_starves(self) -> None:
        """A transfer with small pieces is not stopped by those with large ones."""
        small, *large = self.flow(1_000_000.0, [1_000, 60_000, 60_000], [0.0, 0.0, 0.0], 20.0)
        self.assertGreaterEqual(small * 60, min(large) * 0.9)
