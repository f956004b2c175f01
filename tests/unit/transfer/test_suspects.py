"""Tests for `pacserve.transfer.suspects`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.transfer.givers import Givers
from pacserve.transfer.suspects import UNKNOWN, Suspects
from tests.unit.transfer.simulator import Behaviour, SimulatedMirror


class SuspectsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b = (SimulatedMirror(Clock(), number, Behaviour()) for number in range(2))
        self.given = Givers()
        for first, end, giver in ((0, 10, self.a), (10, 30, self.b), (35, 40, self.a)):
            self.given.add(first, end, giver)

    def test_copied(self) -> None:
        """A source is ready, once, when all its bytes came from others; so are bytes of an unknown source."""
        suspects = Suspects(self.given, 40)
        self.assertEqual(suspects.copied(0, 10), [])
        self.assertEqual(suspects.copied(28, 36), [UNKNOWN])
        self.assertEqual(suspects.copied(36, 40), [self.a])
        self.assertEqual(suspects.copied(10, 28), [self.b])

    def test_given_by(self) -> None:
        """The bytes of each source are known, and those that nobody is known to have given are there as well."""
        suspects = Suspects(self.given, 40)
        self.assertEqual([list(suspects.given_by(giver)) for giver in (self.a, self.b, UNKNOWN)], [[(0, 10), (35, 40)], [(10, 30)], [(30, 35)]])

    def test_one_host(self) -> None:
        """Two sources of one label are one suspect: the one that is asked again."""
        other = SimulatedMirror(Clock(), 0, Behaviour())
        suspects = Suspects(self.given, 40, [other])
        self.assertEqual((list(suspects.given_by(other)), list(suspects.given_by(self.a))), ([(0, 10), (35, 40)], []))
