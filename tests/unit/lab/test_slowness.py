from __future__ import annotations

import unittest
import warnings

from tests.e2e.lab.slowness import assert_at_most, slowness


class SlownessTests(unittest.TestCase):
    """What a busy machine is allowed."""

    def test_idle(self) -> None:
        """An idle machine is as slow as it is, whatever little it does."""
        self.assertEqual(slowness("0.00 2.00 9.00 1/99 7", 4), 1.0)

    def test_busy(self) -> None:
        """With more processes than cores, in the last minute or right now, everything takes as many times as long."""
        self.assertEqual(slowness("6.00 0.00 0.00 1/99 7", 2), 3.0)
        self.assertEqual(slowness("0.50 0.00 0.00 8/99 7", 2), 4.0)

    def test_this_machine(self) -> None:
        """The kernel says it in the form that is read."""
        self.assertGreaterEqual(slowness(), 1.0)

    def test_figure(self) -> None:
        """A figure counts on a machine that is not starved, and is reported on one that is."""
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert_at_most(1.0, 1.0, "bytes", 1.0)
            assert_at_most(1.0, 1.0, "bytes", 9.0)
            self.assertEqual(said, [])
            with self.assertRaisesRegex(AssertionError, "bytes: 2, and at most 1 was expected"):
                assert_at_most(2.0, 1.0, "bytes", 1.0)
            assert_at_most(2.0, 1.0, "bytes", 9.0)
            self.assertIn("bytes: 2, and at most 1 was expected; the machine is too busy for this to count", str(said[0].message))
