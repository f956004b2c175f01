"""Tests for `pacserve.lateness`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.lateness import HALF_LIFE, MEASURING_INTERVAL, PUNCTUAL, Lateness


class LatenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lateness = Lateness(self.clock)
        self.lateness.start()
        self.addCleanup(self.lateness.stop)

    def test_punctual(self) -> None:
        """Where timers come in time, no budget grows."""
        self.clock.pump([MEASURING_INTERVAL] * 20)
        self.assertEqual((self.lateness.seconds, self.lateness.widened(0.15, 5.0)), (0.0, 0.15))
        self.assertEqual((PUNCTUAL.seconds, PUNCTUAL.widened(0.15, 5.0)), (0.0, 0.15))

    def test_late(self) -> None:
        """A budget grows by several times the lateness, up to its bound, which is never less than the budget."""
        self.clock.advance(MEASURING_INTERVAL + 0.1)
        self.assertAlmostEqual(self.lateness.seconds, 0.1)
        self.assertAlmostEqual(self.lateness.widened(0.15, 5.0), 0.55)
        self.assertEqual((self.lateness.widened(0.15, 0.5), self.lateness.widened(2.0, 0.5)), (0.5, 2.0))

    def test_few_milliseconds(self) -> None:
        """A turn that takes a few milliseconds is no lateness."""
        self.clock.advance(MEASURING_INTERVAL + 0.009)
        self.assertEqual(self.lateness.widened(0.15, 5.0), 0.15)

    def test_forgotten(self) -> None:
        """The worst of late counts, half forgotten after a while, and a smaller lateness does not take its place."""
        self.clock.advance(MEASURING_INTERVAL + 1.0)
        self.clock.advance(MEASURING_INTERVAL + 0.1)
        worst = self.lateness.seconds
        self.assertTrue(0.9 < worst < 1.0, worst)
        for _ in range(int(HALF_LIFE / MEASURING_INTERVAL)):
            self.clock.advance(MEASURING_INTERVAL)
        self.assertAlmostEqual(self.lateness.seconds, worst / 2)

    def test_overdue(self) -> None:
        """A process that has just been paused knows it before its timer was served."""
        seen: list[float] = []
        self.clock.callLater(0.1, lambda: seen.append(self.lateness.seconds))
        self.clock.rightNow += 3.0  # both timers are due, and the shorter one is served first
        self.clock.advance(0)
        self.assertAlmostEqual(seen[0], 3.0 - MEASURING_INTERVAL)

    def test_stopped(self) -> None:
        """Once it has stopped no timer is left."""
        self.lateness.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
