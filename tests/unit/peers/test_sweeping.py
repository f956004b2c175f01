"""Tests for `pacserve.peers.sweeping`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.holdings import Holdings
from pacserve.peers.sweeping import SWEEP_INTERVAL, Sweeping


class SweepingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.holdings = Holdings()
        self.given_back: list[int] = []
        self.sweeping = Sweeping(self.holdings, self.clock, lambda: self.given_back.append(len(self.holdings)))

    def leave(self, names: int = 1000) -> None:
        """A peer with many names leaves."""
        self.holdings.replace(0, {f"file-{number}": 1 for number in range(names)})
        self.holdings.clear(0)
        self.sweeping.soon()

    def test_steps(self) -> None:
        """The names go in small steps, all of them within some seconds, and then there is nothing more to do."""
        self.leave()
        self.sweeping.soon()
        left, now = [len(self.holdings)], self.clock.seconds()
        while self.clock.calls:
            self.assertEqual(len(self.clock.calls), 1)
            self.clock.advance(SWEEP_INTERVAL)
            left.append(len(self.holdings))
        self.assertEqual((left[0], left[-1], self.holdings.swept), (1000, 0, True))
        self.assertGreater(len(left), 20)
        self.assertLess(self.clock.seconds() - now, 3.0)

    def test_given_back(self) -> None:
        """When many names have gone their memory is given back, once; for some that is not worth it."""
        for names, given_back in ((1000, []), (10_000, [0])):
            self.leave(names)
            self.clock.pump([SWEEP_INTERVAL] * 200)
            self.assertEqual(self.given_back, given_back)

    def test_nothing_to_do(self) -> None:
        """Without a list that has ended nothing is planned."""
        self.sweeping.soon()
        self.assertEqual(self.clock.calls, [])

    def test_stop(self) -> None:
        """After the stop nothing is planned, and what is left is swept when that is asked for again."""
        self.leave()
        self.clock.advance(SWEEP_INTERVAL)
        self.sweeping.stop()
        self.assertEqual(self.clock.calls, [])
        self.sweeping.stop()
        self.sweeping.soon()
        self.clock.pump([SWEEP_INTERVAL] * 200)
        self.assertEqual((len(self.holdings), self.clock.calls), (0, []))
