"""Tests for `pacserve.peers.standing`."""

import itertools

from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.standing import HALF_LIFE, Standing


class StandingTests(SynchronousTestCase):
    def test_speed(self) -> None:
        """Who answers faster costs less, but not for the first milliseconds: idle peers are alike."""
        fast, slow, unknown = Standing(), Standing(), Standing()
        for _ in range(20):
            fast.answered(0.0001, 0.0)
            slow.answered(0.02, 0.0)
        self.assertEqual(fast.cost(0.0), unknown.cost(0.0))
        self.assertLess(fast.cost(0.0), slow.cost(0.0))

    def test_bytes(self) -> None:
        """Who was sent many bytes of clients costs more, and half of that is forgotten after each half-life."""
        standing = Standing()
        idle = standing.cost(0.0)
        standing.chosen(10**9, 0.0)
        costs = [standing.cost(at * HALF_LIFE) - idle for at in range(4)]
        for earlier, later in itertools.pairwise(costs):
            self.assertAlmostEqual(later, earlier / 2)
        self.assertGreater(costs[0], 1.0)

    def test_failures(self) -> None:
        """A failure costs more than any delay that a request waits for, and is forgotten in the end."""
        standing = Standing()
        standing.failed(0.0)
        self.assertGreater(standing.cost(0.0), 0.1)
        self.assertLess(standing.cost(20 * HALF_LIFE), 0.0021)

    def test_overtaken(self) -> None:
        """Who was overtaken once costs more than others, but not as much as who failed, and is as good as new after a few minutes."""
        standing = Standing()
        standing.overtaken(0.01, 0.0)
        self.assertTrue(0.003 < standing.cost(0.0) < 0.02)
        self.assertAlmostEqual(standing.cost(10 * HALF_LIFE), Standing().cost(0.0), places=4)

    def test_clock_set_back(self) -> None:
        """A clock that was set back changes nothing."""
        standing = Standing()
        standing.chosen(10**9, 1000.0)
        cost = standing.cost(1000.0)
        self.assertEqual(standing.cost(0.0), cost)
