"""Tests for `pacserve.config.parsing`."""

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.parsing import Parser, meant


def parser() -> Parser:
    """A parser with an option of each kind."""
    made = Parser(prog="program")
    made.add_argument("--multicast", action="store_true")
    made.add_argument("--multicast-port", metavar="PORT", type=int)
    made.add_argument("--misses", choices=["auto", "redirect", "fetch"])
    return made


class ParserTests(SynchronousTestCase):
    def refused(self, *arguments: str) -> str:
        """What is said of a command line that is wrong."""
        with contextlib.redirect_stderr(io.StringIO()) as said:
            error = self.assertRaises(SystemExit, parser().parse_args, arguments)
        self.assertEqual((error.code, said.getvalue().count("\n")), (2, 1), said.getvalue())
        return said.getvalue()

    def test_well(self) -> None:
        """A command line that is well is read."""
        options = parser().parse_args(["--multicast", "--multicast-port=5", "--misses", "fetch"])
        self.assertEqual((options.multicast, options.multicast_port, options.misses), (True, 5, "fetch"))

    def test_misspelt_option(self) -> None:
        """An option that is misspelt is told with the one that was probably meant; nothing is said where none comes close."""
        for word, right in (("--multicst", "--multicast"), ("--mulitcast-port=5", "--multicast-port"), ("-misses", "--misses")):
            self.assertIn(f"there is no option {word.partition('=')[0]!r}, did you mean {right}?", self.refused(word))
        self.assertIn("there is no option '--multicst'", self.refused("--multicst", "5"))
        self.assertNotIn("did you mean", self.refused("--frobnicate"))

    def test_no_abbreviation(self) -> None:
        """An option that is cut short is told as one that is misspelt, not taken for the whole."""
        self.assertIn("did you mean --misses?", self.refused("--misse", "fetch"))

    def test_word(self) -> None:
        """A word that belongs to no option is told."""
        self.assertIn("'status' is no option", self.refused("status"))

    def test_missing_value(self) -> None:
        """An option without its value names the values that it takes, or what it wants."""
        self.assertIn("argument --misses: a value is missing: auto, redirect, fetch", self.refused("--misses"))
        self.assertIn("argument --misses: a value is missing: auto, redirect, fetch", self.refused("--misses", "--multicast"))
        self.assertIn("argument --multicast-port: a value is missing: PORT", self.refused("--multicast-port"))

    def test_wrong_choice(self) -> None:
        """A value that is none of those which an option takes is told with all of these, and the one that was probably meant."""
        self.assertIn("'fech' is none of auto, redirect, fetch, did you mean fetch?", self.refused("--misses", "fech"))
        self.assertNotIn("did you mean", self.refused("--misses", "x"))

    @given(st.text(max_size=30))
    def test_any(self, word: str) -> None:
        """Whatever is compared, nothing is suggested that is not known."""
        self.assertIn(meant(word, ["--port", "--peers"]), ("", ", did you mean --port?", ", did you mean --peers?"))
