"""Tests for `tools.manual.guide`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.guide import GUIDE
from tools.manual.guide import sections


class SectionsTests(SynchronousTestCase):
    def test_guide(self) -> None:
        """The guide of --more-help has only what can be converted, and no section of it is lost or empty."""
        found = sections(GUIDE)
        self.assertEqual(list(found), [line for line in GUIDE.splitlines() if line and line[0] != " "])
        self.assertTrue(all(found.values()))

    def test_blocks(self) -> None:
        """Paragraphs are filled with options in bold, examples keep their lines."""
        found = sections("ONE\n\n  text --misses fetch\n  more\n\n    a b\n      --c\n")
        self.assertEqual(found, {"ONE": [".PP", "text \\fB\\-\\-misses\\fR fetch more", ".PP", ".RS 4", ".EX", "a b", "  \\-\\-c", ".EE", ".RE"]})

    def test_strict(self) -> None:
        """What is neither a heading, a paragraph nor an example is refused."""
        for text in ("  text\n", "ONE\n\nno indent\n", "ONE\n\n  text\n    example\n", "ONE\n\n   odd\n"):
            self.assertRaises(ValueError, sections, text)
