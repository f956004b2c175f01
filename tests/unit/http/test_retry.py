"""Tests for `pacserve.http.retry`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.http.retry import retry_after
from pacserve.http.validators import format_date

NOON = "Thu, 01 Jan 2026 12:00:00 GMT"


class RetryAfterTests(SynchronousTestCase):
    def test_seconds(self) -> None:
        """Decimal digits are seconds, and everything else that is no date is nothing."""
        for value, seconds in (
            ("0", 0.0),
            (" 120 ", 120.0),
            ("999999999999999999", 999999999999999999.0),
            ("1" * 19, None),
            ("1" * 10_000, None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("1e3", None),
            ("\u0663", None),
            ("5, 6", None),
            ("soon", None),
            ("", None),
            (None, None),
        ):
            self.assertEqual(retry_after(value, NOON), seconds, value)

    def test_date(self) -> None:
        """A date counts from the date of the answer, in each form of HTTP; one that is over, or that can't be compared, is nothing."""
        for value, date, seconds in (
            ("Thu, 01 Jan 2026 12:01:30 GMT", NOON, 90.0),
            ("Thursday, 01-Jan-26 12:01:30 GMT", NOON, 90.0),
            ("Thu Jan  1 12:01:30 2026", NOON, 90.0),
            (NOON, NOON, 0.0),
            ("Thu, 01 Jan 2026 11:59:59 GMT", NOON, None),
            ("Thu, 01 Jan 2026 12:01:30 GMT", None, None),
            ("Thu, 01 Jan 2026 12:01:30 GMT", "noon", None),
        ):
            self.assertEqual(retry_after(value, date), seconds, (value, date))

    @given(st.text() | st.integers(0, 1 << 40).map(format_date), st.none() | st.text() | st.integers(0, 1 << 40).map(format_date))
    def test_anything(self, value: str, date: str | None) -> None:
        """Whatever a host sends, there is nothing or a number that is not negative."""
        found = retry_after(value, date)
        self.assertTrue(found is None or found >= 0)
