"""Tests for `pacserve.pacsrv.text`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.text import ago, delay, fitted, number, printable, size, span, width


class TextTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """Sizes have at most four digits and a unit."""
        for count, shown in ((0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (123_456_789, "118 MiB"), (5 << 30, "5.0 GiB"), (None, "-")):
            self.assertEqual(size(count), shown)
        self.assertEqual(size(float("inf")), "-")

    def test_times(self) -> None:
        """Times are told in the two units that matter."""
        for seconds, shown in ((0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3720, "1 h 02 min"), (90_000, "1 d 01 h"), (None, "-"), (-5, "0 s")):
            self.assertEqual(span(seconds), shown)
        self.assertEqual((ago(None), ago(5)), ("never", "5 s ago"))
        self.assertEqual(delay(0.0007), "0.7 ms")
        self.assertEqual((number(1, "file", "files"), number(2000, "file", "files")), ("1 file", "2,000 files"))

    @given(st.text(), st.integers(0, 40))
    def test_fitted(self, text: str, columns: int) -> None:
        """A text is cut to the columns that there are, wide signs counted twice."""
        self.assertLessEqual(width(fitted(text, columns)), columns)

    @given(st.text())
    def test_printable(self, text: str) -> None:
        """Nothing is left that moves the cursor, changes a colour or turns the writing direction."""
        self.assertTrue(printable(text).isprintable())

    def test_escapes(self) -> None:
        """Terminal escapes of 7 and 8 bits, line feeds and bidirectional overrides become question marks."""
        self.assertEqual(printable("a\x1b[31m\x9b2J\r\n\u202eb"), "a?[31m?2J???b")
