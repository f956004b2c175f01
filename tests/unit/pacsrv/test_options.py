"""Tests for `pacserve.pacsrv.options`."""

import argparse
import contextlib
import io
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.options import COMMANDS, PacmanCall, Question, SetupCall, build_parser, parse_arguments


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


class ParserTests(SynchronousTestCase):
    def test_help_everywhere(self) -> None:
        """Every option of every command has a help text, which completions and manuals are made of."""
        every = list(parsers(build_parser()))
        self.assertEqual(len(every), 1 + len(COMMANDS))
        for parser in every:
            for action in parser._actions:
                if not isinstance(action, argparse._SubParsersAction):
                    self.assertTrue(action.help, f"{parser.prog} {action.option_strings}")


class ArgumentsTests(SynchronousTestCase):
    def refused(self, *arguments: str) -> str:
        """What is said of a command line that is wrong."""
        with contextlib.redirect_stderr(io.StringIO()) as said:
            error = self.assertRaises(SystemExit, parse_arguments, arguments)
        self.assertEqual(error.code, 2)
        self.assertEqual(said.getvalue().count("\n"), 1)
        return said.getvalue()

    def test_own_commands(self) -> None:
        """The commands take their options, and the port before or behind."""
        self.assertEqual(parse_arguments(["status"]), Question("status", 15678))
        self.assertEqual(parse_arguments(["status", "--json", "--watch"]), Question("status", 15678, json=True, watch=1.0))
        self.assertEqual(parse_arguments(["status", "--watch", "0.5"]), Question("status", 15678, watch=0.5))
        self.assertEqual(parse_arguments(["--port", "9", "why", "zlib"]), Question("why", 9, "zlib"))
        self.assertEqual(parse_arguments(["doctor", "--port=9", "--json"]), Question("doctor", 9, json=True))

    def test_setup(self) -> None:
        """Setup takes its options, each with a default that asks and changes pacman's own configuration."""
        self.assertEqual(parse_arguments(["setup"]), SetupCall(15678, "/etc/pacman.conf"))
        self.assertEqual(parse_arguments(["--port", "9", "setup", "--undo", "--yes"]), SetupCall(9, undo=True, agreed=True))
        words = ["setup", "--dry-run", "--config", "/x", "--skip", "firewall", "--skip=service"]
        self.assertEqual(parse_arguments(words), SetupCall(15678, "/x", dry=True, skipped=frozenset({"firewall", "service"})))

    def test_everything_else_is_pacmans(self) -> None:
        """Whatever does not begin with a word of pacsrv's own goes to pacman as it is."""
        for words in (["-Syu"], ["-S", "status"], ["--sync", "--help"], ["-h"], ["-Q", "--port", "3"], ["statsu", "-S"], ["zlib", "--syn"], ["--"]):
            self.assertEqual(parse_arguments(words), PacmanCall(15678, tuple(words)))
        self.assertEqual(parse_arguments(["--port", "9", "-Syu", "--version"]), PacmanCall(9, ("-Syu", "--version")))
        self.assertEqual(parse_arguments(["--port=9", "-S"]), PacmanCall(9, ("-S",)))

    def test_misspelt(self) -> None:
        """A word that is no command, without an operation of pacman behind it, is told, with the command that was probably meant."""
        self.assertIn("there is no command 'statsu', did you mean status?", self.refused("statsu"))
        self.assertIn("did you mean status?", self.refused("--port", "9", "statsu", "--json"))
        self.assertIn("did you mean why?", self.refused("wy", "zlib", "--debug"))
        self.assertNotIn("did you mean", self.refused("frobnicate"))
        self.assertIn("there is no option '--jsn', did you mean --json?", self.refused("status", "--jsn"))
        self.assertIn("there is no option '--wacth', did you mean --watch?", self.refused("status", "--wacth=5"))
        self.assertNotIn("did you mean", self.refused("why", "zlib", "--watch"))

    def test_wrong(self) -> None:
        """A command line that is wrong is refused in one line that says what would be right."""
        self.assertIn("from 1 to 65535", self.refused("--port", "65536", "-Syu"))
        self.assertIn("seconds", self.refused("status", "--watch", "soon"))
        self.assertIn("seconds", self.refused("status", "--watch", "nan"))
        self.assertIn("FILE_OR_PACKAGE", self.refused("why"))
        self.assertIn("configuration", self.refused("setup", "--skip", "all"))
        self.assertIn("--json", self.refused("setup", "--json"))
        self.assertIn("--help", self.refused())
        self.assertIn("COMMAND", self.refused("--port", "9"))
