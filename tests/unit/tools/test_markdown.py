"""Tests for `tools.manual.markdown`."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tools.manual.markdown import MarkdownError, convert, inline


def body(text: str) -> str:
    """The lines that a document of this body becomes, without the first heading."""
    return "\n".join(convert(f"# Title\n\n{text}\n")[1][1:])


class SubsetTests(SynchronousTestCase):
    def test_title(self) -> None:
        """The first heading names the page, what follows it is the description."""
        self.assertEqual(convert("# What it is\ntext\n"), ("What it is", [".SH DESCRIPTION", ".PP", "text"]))

    def test_headings(self) -> None:
        """Sections and their parts lose the marks of code."""
        self.assertEqual(body("## `GET /info`\n### Part\ntext"), '.SH "GET /info"\n.SS Part\n.PP\ntext')

    def test_inline(self) -> None:
        """Code and bold are bold, a link shows where it leads."""
        self.assertEqual(inline("`a-b` **c** [d](docs/e.md)"), "\\fBa\\-b\\fR \\fBc\\fR d (docs/e.md)")

    def test_code(self) -> None:
        """Fenced lines stand as they are, blank ones and what looks like Markdown included."""
        self.assertEqual(body("text:\n```json\n# *a*\n\n.b\n```\nmore"), ".PP\ntext:\n.PP\n.RS 4\n.EX\n# *a*\n\n\\&.b\n.EE\n.RE\n.PP\nmore")

    def test_list(self) -> None:
        """A list may follow a paragraph at once, and its entries may have several lines."""
        self.assertEqual(body("Rules:\n- one\n  and more\n- two"), ".PP\nRules:\n.IP \\(bu 2\none and more\n.IP \\(bu 2\ntwo")

    def test_table(self) -> None:
        """Each row becomes an entry with its first cell as the tag."""
        self.assertEqual(body("| a | b | c |\n|---|:---|---|\n| `x` | int | what |"), ".TP\n\\fBx\\fR (int)\nwhat")


class StrictTests(SynchronousTestCase):
    def test_foreign(self) -> None:
        """Whatever else Markdown knows is refused, rather than shown as it stands."""
        for text in (
            *("> quote", "1. one", "* item", "+ item", "<b>html</b>", "![a](b)", "---", "#### deep", "# second", "    code", "text\n===="),
            *("a *b* c", "a _b_ c", "an `open", "a <br/> b", "[a]( b)", "- a\n  - b", "- a\nb", "```\nopen"),
            *("| a |\n|---|\n| b |", "| a | b |\n|---|---|\n| c |", "| a | b |\n| c | d |", "| a | b |\n|---|---|\n| `c\\|d` | e |"),
        ):
            with self.assertRaises(MarkdownError, msg=text):
                body(text)

    def test_untitled(self) -> None:
        """A document without a heading is refused."""
        for text in ("", "text\n", "## Part\n"):
            self.assertRaises(MarkdownError, convert, text)

    @given(st.text(alphabet="#-|`*_<> \n.a1[]()", max_size=60))
    def test_any(self, text: str) -> None:
        """Any text is converted or refused, and nothing else happens."""
        with contextlib.suppress(MarkdownError):
            convert(f"# a\n{text}")
