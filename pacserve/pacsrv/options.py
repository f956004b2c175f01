"""The command line of `pacsrv`: its own commands and options, and those that are passed on to pacman."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from pacserve import __version__
from pacserve.config.parsing import Parser, meant
from pacserve.config.settings import DEFAULT_PORT
from pacserve.pacsrv.words import DEFAULT_CONFIGURATION, has_operation

COMMANDS = ("status", "why", "doctor", "setup")
# The parts of a setup that can be left out.
PARTS = ("configuration", "apt", "service", "firewall")

# Seconds between two refreshes of `status --watch`: the default, and the bounds of what may be asked for.
_WATCH_INTERVAL = 1.0
_SHORTEST_WATCH, _LONGEST_WATCH = 0.1, 3600.0

_USAGE = "pacsrv [--port PORT] {status,why,doctor,setup} ...\n       pacsrv [--port PORT] PACMAN_OPTION ..."

EPILOG = """\
Everything else is passed on to pacman: "pacsrv -Syu" runs "pacman -Syu"
through pacserve, whether or not pacman.conf names pacserve. pacman.conf is not
changed. If pacserve is not running, pacman runs without it. "pacsrv -h" shows
pacman's help.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """
    A command that asks the daemon, with its options.

    Attributes:
        command: One of `COMMANDS`, but not `setup`.
        subject: The file or package of `why`; else empty.
        json: True if the answer is to be JSON, for a program.
        watch: Seconds between two refreshes; None to show the answer once.
    """

    command: str
    port: int
    subject: str = ""
    json: bool = False
    watch: float | None = None


@dataclass(frozen=True, slots=True)
class SetupCall:
    """
    The command `setup` with its options.

    Attributes:
        configuration: The path of pacman.conf.
        undo: True if an earlier setup is to be taken back.
        agreed: True if nothing is to be asked.
        dry: True if nothing is to be changed.
        skipped: The parts, of `PARTS`, that are left out.
        apt: True if apt is to ask pacserve as well.
    """

    port: int
    configuration: str = DEFAULT_CONFIGURATION
    undo: bool = False
    agreed: bool = False
    dry: bool = False
    skipped: frozenset[str] = frozenset()
    apt: bool = False


@dataclass(frozen=True, slots=True)
class PacmanCall:
    """
    A command line that is passed on to pacman.

    Attributes:
        words: The command line without the program's name.
    """

    port: int
    words: tuple[str, ...]


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST_WATCH <= seconds <= _LONGEST_WATCH:
        raise argparse.ArgumentTypeError(f"{text!r} is no interval: give seconds from {_SHORTEST_WATCH:g} to {_LONGEST_WATCH:g}")
    return seconds


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of pacsrv's own options and commands, with a help text for each."""
    parser = Parser(
        prog="pacsrv",
        usage=_USAGE,
        description="Runs pacman through pacserve, and shows what the pacserve of this host is doing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, DEFAULT_PORT)
    parser.add_argument("--version", action="version", version=f"pacsrv {__version__}", help="show the version and exit")
    commands = parser.add_subparsers(title="commands", prog="pacsrv", dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    status = _command(commands, "status", "show this host, its peers and mirrors, the traffic that was saved, and the running downloads")
    status.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=_WATCH_INTERVAL,
        help=f"refresh it until Ctrl-C (every {_WATCH_INTERVAL:g} s, or as given)",
    )
    why = _command(
        commands, "why", "explain where a file or package would come from now, why not from other places, and where it came from last time"
    )
    why.add_argument("subject", metavar="FILE_OR_PACKAGE", help="a package, such as zlib, or a file, such as zlib-1:1.3.1-2-x86_64.pkg.tar.zst")
    _command(commands, "doctor", "look for common problems and say how to fix each; exit status 1 if something is wrong")
    _add_setup(commands)
    return parser


def _command(commands: argparse._SubParsersAction[Parser], name: str, summary: str, *, json: bool = True) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    if json:
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    _add_common(command, argparse.SUPPRESS)
    return command


def _add_setup(commands: argparse._SubParsersAction[Parser]) -> None:
    setup = _command(
        commands,
        "setup",
        "make pacserve the first Server in pacman.conf and its mirrorlists, with --apt the proxy of apt, start its service and open the firewall; "
        "show the changes and ask before each",
        json=False,
    )
    setup.add_argument("--apt", action="store_true", help="have apt ask pacserve, too; on a host without pacman, apt alone")
    setup.add_argument("--undo", action="store_true", help="take back what setup did, and nothing else")
    setup.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")
    setup.add_argument("--yes", action="store_true", help="do not ask, for scripts")
    setup.add_argument(
        "--skip", metavar="PART", choices=PARTS, action="append", default=[], help=f"leave out a part: {', '.join(PARTS)} (repeatable)"
    )
    setup.add_argument("--config", metavar="FILE", default=DEFAULT_CONFIGURATION, help=f"pacman's configuration (default: {DEFAULT_CONFIGURATION})")


def _add_common(parser: argparse.ArgumentParser, default: int | str) -> None:
    parser.add_argument(
        "--port", metavar="PORT", type=_port, default=default, help=f"the port on which pacserve listens on localhost (default: {DEFAULT_PORT})"
    )
    parser.add_argument("--help", action="help", help="show this help and exit")


def parse_arguments(arguments: Sequence[str]) -> Question | SetupCall | PacmanCall:
    """
    Returns the command that the command line asks for.

    Raises:
        SystemExit: With status 2 and a line on stderr when one of pacsrv's own options is wrong; with 0 after help or version were printed.
    """
    parser = build_parser()
    begin = _after_port(arguments)
    rest = arguments[begin:]
    if rest and rest[0] not in (*COMMANDS, "--help", "--version", "--port"):
        options = _port_parser().parse_args(arguments[:begin])
        if not rest[0].startswith("-") and not has_operation(rest):
            parser.error(f"there is no command {rest[0]!r}{meant(rest[0], COMMANDS)}")
        return PacmanCall(options.port, tuple(rest))
    if not arguments:
        parser.error("nothing to do: give a command or options of pacman")
    options = parser.parse_args(arguments)
    if options.command == "setup":
        return SetupCall(options.port, options.config, options.undo, options.yes, options.dry_run, frozenset(options.skip), options.apt)
    return Question(options.command, options.port, getattr(options, "subject", ""), options.json, getattr(options, "watch", None))


def _after_port(arguments: Sequence[str]) -> int:
    """Returns the index of the first word after the leading `--port` options."""
    place = 0
    while place < len(arguments):
        if arguments[place] == "--port" and place + 1 < len(arguments):
            place += 2
        elif arguments[place].startswith("--port="):
            place += 1
        else:
            break
    return place


def _port_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="pacsrv")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT)
    return parser
