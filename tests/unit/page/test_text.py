"""Tests for `pacserve.page.text`."""

from __future__ import annotations

import html
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.text import LONGEST, clean, clock_time, day, duration, escape, milliseconds, moment, number, rate, share, size
from tests.unit.page.made_up import HOSTILE
from tests.unit.page.reading import read
from tests.unit.page.strategies import HOSTILE_TEXTS

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
        """A share is in per cent; little is not nothing, nearly all is not all, and of nothing there is no share."""
        for part, whole, text in (
            (1, 3, "33 %"),
            (3, 3, "100 %"),
            (999, 1000, "> 99 %"),
            (99, 100, "99 %"),
            (0, 3, "0 %"),
            (1, 1000, "< 1 %"),
            (1, 100, "1 %"),
            (0, 0, ""),
            (5, 0, ""),
        ):
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


class TextTests(SynchronousTestCase):
    def test_clean(self) -> None:
        """Letters of all languages stay; what is not seen, turns text around or is no UTF-8 is written as Python writes it."""
        for text, shown in (
            ("zlib-1:1.3.1-2", "zlib-1:1.3.1-2"),
            ("Grüße 東京", "Grüße 東京"),
            ("a\nb\r\tc\x00", "a\\nb\\r\\tc\\x00"),
            ("x\u202egpj", "x\\u202egpj"),
            ("a\u200bb\u2028\xa0", "a\\u200bb\\u2028\\xa0"),
            ("\udcff", "\\udcff"),
            ("\x1b[31m", "\\x1b[31m"),
        ):
            self.assertEqual(clean(text), shown)

    def test_long(self) -> None:
        """Of a long text the beginning is shown, and that it goes on."""
        self.assertEqual(clean("a" * LONGEST), "a" * LONGEST)
        self.assertEqual(clean("a" * (LONGEST + 1)), "a" * LONGEST + "…")
        self.assertLess(len(clean("\U000e0001" * 1_000_000)), 11 * LONGEST)

    def test_escape(self) -> None:
        """Nothing in a text ends an element or an attribute."""
        self.assertEqual(escape("""<a href="x" id='y'>&amp;"""), "&lt;a href=&quot;x&quot; id=&#x27;y&#x27;&gt;&amp;amp;")

    @given(HOSTILE_TEXTS)
    def test_anything(self, text: str) -> None:
        """Any text reads as itself, cleaned, in an element and in an attribute, and can be sent."""
        page = read(f'<p title="{escape(text)}">{escape(text)}</p>'.encode())
        (paragraph,) = page.all()
        self.assertEqual((paragraph.attributes, paragraph.text), ({"title": clean(text)}, clean(text)))
        self.assertEqual(html.unescape(escape(text)), clean(text))
        self.assertTrue(clean(text).isprintable())

    def test_made_up(self) -> None:
        """The hostile name of the other tests is hostile in all of these ways."""
        self.assertNotEqual(clean(HOSTILE), HOSTILE)
        self.assertIn("<script>", HOSTILE)
