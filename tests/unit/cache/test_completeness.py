"""Tests for `pacserve.cache.completeness`."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.completeness import SETTLING_TIME, changed_lately, complete, settled
from pacserve.packages.files import SIGNATURE_LIMIT

SIZES = st.integers(0, 1 << 50)
TIMES = st.floats(-1e10, 1e11)
OLD = 1000.0
NOW = OLD + SETTLING_TIME


class PackageTests(SynchronousTestCase):
    @given(SIZES, TIMES, TIMES, st.lists(SIZES, min_size=1, max_size=4))
    @example(7, NOW, NOW, [7])
    @example(7, OLD, NOW, [8])
    def test_stated(self, size: int, changed: float, now: float, stated: list[int]) -> None:
        """Where a database states a size, that alone decides, and neither age nor another size does."""
        self.assertEqual(complete(size, changed, now, stated, signature=False), size in stated)

    @given(SIZES, TIMES, TIMES)
    def test_not_stated(self, size: int, changed: float, now: float) -> None:
        """Where none does, a file is complete when it is not empty and has not changed for two seconds."""
        self.assertEqual(complete(size, changed, now, (), signature=False), size > 0 and abs(now - changed) >= SETTLING_TIME)

    def test_table(self) -> None:
        """Size and age count, each on its own."""
        for size, changed, expected in ((1, OLD, True), (0, OLD, False), (1, OLD + 0.01, False), (0, NOW, False), (1, NOW, False)):
            self.assertIs(complete(size, changed, NOW, (), signature=False), expected)

    def test_several(self) -> None:
        """Any of the sizes that several databases state will do."""
        self.assertTrue(complete(2, NOW, NOW, (1, 2), signature=False))
        self.assertFalse(complete(3, OLD, NOW, (1, 2), signature=False))


class SignatureTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """A signature has at least one byte and at most as many as pacman takes."""
        for size, expected in ((0, False), (1, True), (SIGNATURE_LIMIT, True), (SIGNATURE_LIMIT + 1, False)):
            self.assertIs(complete(size, OLD, NOW, (), signature=True), expected)
        self.assertEqual(SIGNATURE_LIMIT, 16384)

    def test_unsettled(self) -> None:
        """A signature that has just been written is not complete."""
        self.assertFalse(complete(100, NOW, NOW, (), signature=True))

    @given(SIZES, TIMES, TIMES, st.lists(SIZES, max_size=4))
    def test_stated(self, size: int, changed: float, now: float, stated: list[int]) -> None:
        """What databases state of a signature's name is nothing."""
        self.assertEqual(complete(size, changed, now, stated, signature=True), complete(size, changed, now, (), signature=True))


class TimeTests(SynchronousTestCase):
    @given(TIMES, TIMES)
    def test_clock(self, changed: float, now: float) -> None:
        """A file is young for at most two seconds to either side, so a clock that jumps hides it no longer than that."""
        self.assertEqual(changed_lately(changed, now), -SETTLING_TIME < now - changed < SETTLING_TIME)

    def test_set_back(self) -> None:
        """A ctime that is years ahead of the clock is no reason to hide a file."""
        self.assertTrue(settled(1, 2e9, 1e9))
        self.assertFalse(settled(1, 1e9 + 1, 1e9))
