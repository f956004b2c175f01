"""Tests for `pacserve.page.units`."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.units import clock_time, day, duration, milliseconds, moment, number, rate, share, size

KIB, MIB, GIB = 1024, 1024**2, 1024**3


class UnitsTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """Bytes have a binary prefix, three digits, and a unit that never shows 1000 or more of itself."""
        for count, text in (
            (0, "0 B"),
            (-5, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (KIB, "1.00 KiB"),
            (1.25 * MIB, "1.25 MiB"),
            (9.99 * MIB, "9.99 MiB"),
            (9.996 * MIB, "10.0 MiB"),
            (99.96 * MIB, "100 MiB"),
            (999 * MIB, "999 MiB"),
            (999.6 * MIB, "0.98 GiB"),
            (9_321 * MIB, "9.10 GiB"),
            (2**63, "8.00 EiB"),
            (2**74, "16384 EiB"),
        ):
            self.assertEqual(size(count), text, count)
        self.assertEqual(rate(11.2 * MIB), "11.2 MiB/s")

    def test_numbers(self) -> None:
        """Thousands are set apart."""
        self.assertEqual((number(0), number(1204), number(1_234_567)), ("0", "1,204", "1,234,567"))

    def test_shares(self) -> None:
        """A share is in per cent; little is not nothing, and of nothing there is no share."""
        for part, whole, text in ((1, 3, "33 %"), (3, 3, "100 %"), (0, 3, "0 %"), (1, 1000, "< 1 %"), (1, 100, "1 %"), (0, 0, ""), (5, 0, "")):
            self.assertEqual(share(part, whole), text)

    def test_durations(self) -> None:
        """A time span has one unit, and is never negative; no step shows 60 s, 60 min or 24 h as 0 of the next."""
        for seconds, text in (
            (-3, "0 s"),
            (0.4, "0 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (60, "1 min"),
            (119, "1 min"),
            (3599.9, "59 min"),
            (3600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
            (86_400 * 400, "400 days"),
        ):
            self.assertEqual(duration(seconds), text, seconds)

    def test_milliseconds(self) -> None:
        """A short time has a digit where it matters, a long one is a time span like others."""
        for seconds, text in ((0.00083, "0.8 ms"), (-1, "0.0 ms"), (0.00994, "9.9 ms"), (0.01, "10 ms"), (0.15, "150 ms"), (12.0, "12 s")):
            self.assertEqual(milliseconds(seconds), text, seconds)

    def test_moments(self) -> None:
        """A moment is ISO 8601 in UTC, and its hour and day are read off it."""
        self.assertEqual(moment(1_795_252_086.9), "2026-11-21T09:08:06Z")
        self.assertEqual((clock_time(1_795_252_086), day(1_795_252_086)), ("09:08", "2026-11-21"))

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_any_moment(self, at: float) -> None:
        """Every time, however wrong a clock is, is one that a browser reads."""
        self.assertLessEqual(1970, datetime.fromisoformat(moment(at)).year)
        self.assertEqual(len(moment(at)), 20)
