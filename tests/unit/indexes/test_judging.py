"""Tests for `pacserve.indexes.judging`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.indexes.judging import WantedIndex, judged
from pacserve.pacman.indexes import PACMAN_INDEXES
from tests.fakes.upstreams import Mirror


class JudgedMirrorTests(SynchronousTestCase):
    def test_same_mirror(self) -> None:
        """All that is known of a mirror is known of it when its answers are judged."""
        clock = Clock()
        mirror = Mirror(clock, "a", b"")
        mirror.known, mirror.rests, mirror.at_home = 5.0, True, True
        (found,) = judged([mirror], WantedIndex("core.db", PACMAN_INDEXES, None, None, clock.seconds), clock)
        self.assertEqual((found.label, found.rate, found.resting, found.near), ("a", 5.0, True, True))
        mirror.rests, mirror.at_home = False, False
        self.assertEqual((found.resting, found.near), (False, False))
