"""Tests for `pacserve.page.text`."""

from __future__ import annotations

import html

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.text import LONGEST, clean, escape
from tests.unit.page.made_up import HOSTILE
from tests.unit.page.reading import read
from tests.unit.page.strategies import HOSTILE_TEXTS


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
