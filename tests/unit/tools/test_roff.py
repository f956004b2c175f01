"""Tests for `tools.manual.roff`."""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tools.manual import roff


class EscapeTests(SynchronousTestCase):
    def test_literal(self) -> None:
        """What is to be typed can be copied from the page: no hyphen, quote, caret, tilde or backslash becomes another character."""
        self.assertEqual(roff.literal("--a 'b' ^\\.~`"), "\\-\\-a \\(aqb\\(aq \\(ha\\e.\\(ti\\(ga")

    def test_prose(self) -> None:
        """Hyphens and quotes of a sentence stay to the formatter, and what is not ASCII has its escape."""
        self.assertEqual(roff.prose("it's a well-known café\\"), "it's a well-known caf\\[u00E9]\\e")

    @given(st.text(max_size=200))
    def test_no_request(self, text: str) -> None:
        """No line of a paragraph or an example is a request to the formatter, whatever the text."""
        lines = [*roff.paragraph(roff.prose(text))[1:], *roff.example(text.splitlines())[3:-2]]
        self.assertEqual([line for line in lines if line.startswith((".", "'"))], [])


class LayoutTests(SynchronousTestCase):
    def test_sentences(self) -> None:
        """Each sentence begins a line, and none is longer than mandoc likes."""
        lines = roff.filled("One. Two, e.g. this. " + "Word, " * 40)
        self.assertEqual(lines[:2], ["One.", "Two, e.g. this."])
        self.assertLess(max(map(len, lines)), 80)

    def test_paragraphs(self) -> None:
        """The first paragraph of a section has no macro of its own, the second has."""
        page = roff.page([roff.section("A B"), *roff.paragraph("x"), *roff.paragraph("y")])
        self.assertEqual(page, '.SH "A B"\nx\n.PP\ny\n')

    def test_marked(self) -> None:
        """What matches is marked, what is between is escaped."""
        self.assertEqual(roff.marked("a~ --b c", re.compile("--b"), lambda match: roff.bold(match[0])), "a\\(ti \\fB\\-\\-b\\fR c")
