"""Tests for `tools.manual.program`."""

import argparse

from twisted.trial.unittest import SynchronousTestCase

from tools.manual.program import Command, Group, Option, Program, Value, read_parser


def parser() -> argparse.ArgumentParser:
    """One with everything that is read."""
    parser = argparse.ArgumentParser(prog="p", description="Does it.", epilog="The end.", add_help=False)
    group = parser.add_argument_group("first")
    group.add_argument("-f", "--file", metavar="FILE", action="append", default=[], help="a file of %(prog)s; repeatable")
    group.add_argument("--port", metavar="PORT", default=1, help="a port (default: %(default)s)")
    group.add_argument("--secret", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    command = commands.add_parser("do", help="do it", add_help=False)
    command.add_argument("--how", choices=["well", "badly"], help="the way")
    command.add_argument("--watch", metavar="SECONDS", nargs="?", help="again")
    command.add_argument("what", metavar="WHAT", help="it")
    return parser


class ReadTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Groups, options, commands and arguments are read, and what argparse does not show is not."""
        file = Option(("-f", "--file"), "FILE", (), "a file of p; repeatable", repeatable=True, optional=False)
        port = Option(("--port",), "PORT", (), "a port (default: 1)", repeatable=False, optional=False)
        how = Option(("--how",), "well|badly", ("well", "badly"), "the way", repeatable=False, optional=False)
        watch = Option(("--watch",), "SECONDS", (), "again", repeatable=False, optional=True)
        what = Option((), "WHAT", (), "it", repeatable=False, optional=False)
        program = Program("p", "Does it.", "The end.", (Group("first", (file, port)),), (), (Command("do", "do it", (what,), (how, watch)),))
        self.assertEqual(read_parser(parser()), program)

    def test_defaults(self) -> None:
        """A default that depends on the machine can be stated in words."""
        _, port = read_parser(parser(), {"--port": "the usual one"}).options
        self.assertEqual(port.help, "a port (default: the usual one)")

    def test_values(self) -> None:
        """What a shell offers is known by the name of the value, and for choices by these."""
        program = read_parser(parser())
        self.assertEqual([option.value for option in program.options], [Value.FILE, Value.FREE])
        self.assertEqual(program.commands[0].options[0].value, Value.CHOICE)

    def test_brief(self) -> None:
        """Beside an option in a list stands the help without what is repeated of every option."""
        self.assertEqual([option.brief for option in read_parser(parser()).options], ["a file of p", "a port"])
