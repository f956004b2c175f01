"""Tests for `pacserve.pacsrv.setup.lines`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.lines import DISABLING, MARK, changed, restored, split

OURS = "Server = http://localhost:15678/request/$repo/$arch"
LINES = st.sampled_from(["Server = http://a/", "# c", "", "[core]", OURS, "Server = b\r", "\ufeffx", "a\vb\fc\u2028d", "\udcff"])
TEXTS = st.builds("\n".join, st.lists(LINES, max_size=8))
# What a user may do to the lines of setup: anything.
MARKED = st.builds("\n".join, st.lists(LINES | st.sampled_from([MARK, f"{MARK}\r", DISABLING, DISABLING + OURS, 2 * DISABLING + MARK]), max_size=8))


class ChangedTests(SynchronousTestCase):
    def test_added(self) -> None:
        """The line is added before the given lines, with the mark, in the line ends of the file; the last line may lack its own."""
        pair = f"{MARK}\n{OURS}\n"
        self.assertEqual(changed("a\nb", [0, 1], [], 15678), f"{pair}a\n{pair}b")
        self.assertEqual(changed("", [0], [], 15678), pair)
        self.assertEqual(changed("a\r\nb", [1], [], 15678), "a\r\n" + pair.replace("\n", "\r\n") + "b")
        self.assertIn("localhost:9/", changed("a\n", [0], [], 9))

    def test_disabled(self) -> None:
        """A line that is disabled is a comment with all that it said."""
        self.assertEqual(changed("a\n Server = b\r\nc\n", [], [1], 15678), f"a\n{DISABLING} Server = b\r\nc\n")

    @given(TEXTS, st.data())
    def test_there_and_back(self, text: str, data: st.DataObject) -> None:
        """Whatever was added and disabled, the text comes back byte by byte."""
        count = len(split(text))
        additions = data.draw(st.sets(st.integers(0, max(0, count - 1))))
        disabled = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
        self.assertEqual(restored(changed(text, additions, disabled, 15678)), text)

    @given(TEXTS)
    def test_text_of_the_user(self, text: str) -> None:
        """A text without marks is the user's, whole, even where pacserve's line is in it."""
        self.assertEqual(restored(text), text)

    @given(MARKED)
    def test_once(self, text: str) -> None:
        """What was restored has no mark left, so a second time changes nothing."""
        self.assertEqual(restored(restored(text)), restored(text))

    def test_lines_that_the_user_changed(self) -> None:
        """A line with another port goes with the mark; one that says something else is the user's and stays."""
        self.assertEqual(restored(f"{MARK}\nServer = http://localhost:15680/request/$repo/$arch\nx\n"), "x\n")
        self.assertEqual(restored(f"{MARK}\nServer = http://nas:15678/request/$repo/$arch\n"), "Server = http://nas:15678/request/$repo/$arch\n")
        self.assertEqual(restored(f"{MARK}\n\n{OURS}\n"), f"\n{OURS}\n")
        self.assertEqual(restored(f"{MARK}"), "")
