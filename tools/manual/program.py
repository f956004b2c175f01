"""A command as values: its options, arguments and commands, read from its parser."""

from __future__ import annotations

import argparse
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class Value(enum.Enum):
    """The kinds of values that a shell can offer for an option."""

    NONE = enum.auto()
    """The option takes no value."""
    CHOICE = enum.auto()
    FILE = enum.auto()
    FOLDER = enum.auto()
    HOST = enum.auto()
    INTERFACE = enum.auto()
    """A network interface of this machine."""
    FREE = enum.auto()
    """Nothing: the value can't be guessed."""


_VALUES = {"FILE": Value.FILE, "DIR": Value.FOLDER, "HOST": Value.HOST, "HOST:PORT": Value.HOST}
_VALUES_OF = {"--interface": Value.INTERFACE}
_BRIEF = re.compile(r"; | \((?:default|always|at least)")


@dataclass(frozen=True, slots=True)
class Option:
    """
    An option, or an argument that has no name.

    Attributes:
        names: Its names as they are typed; empty for an argument.
        metavar: The placeholder for its value; empty where it takes none.
        help: The help text with the defaults filled in.
        repeatable: True if the option may be given several times, each adding a value.
        optional: True if its value may be omitted.
    """

    names: tuple[str, ...]
    metavar: str
    choices: tuple[str, ...]
    help: str
    repeatable: bool
    optional: bool

    @property
    def value(self) -> Value:
        """The kind of value that a shell can offer."""
        if not self.metavar:
            return Value.NONE
        if self.choices:
            return Value.CHOICE
        return next((_VALUES_OF[name] for name in self.names if name in _VALUES_OF), _VALUES.get(self.metavar, Value.FREE))

    @property
    def brief(self) -> str:
        """The beginning of the help, without defaults, short enough for a list of options."""
        return _BRIEF.split(self.help)[0]


@dataclass(frozen=True, slots=True)
class Group:
    """Options under one title."""

    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command within a command, such as `status` of `pacsrv status`."""

    name: str
    help: str
    arguments: tuple[Option, ...]
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """
    A command.

    Attributes:
        description: One sentence.
        epilog: The end of the help text.
        arguments: The arguments without names.
    """

    name: str
    description: str
    epilog: str
    groups: tuple[Group, ...]
    arguments: tuple[Option, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def options(self) -> tuple[Option, ...]:
        """The options of all groups, in their order."""
        return tuple(option for group in self.groups for option in group.options)


def read_parser(parser: argparse.ArgumentParser, defaults: Mapping[str, str] | None = None) -> Program:
    """
    Reads a parser.

    Args:
        defaults: The defaults to state for options whose real default depends on the machine, by name of the option.
    """
    groups, arguments, commands = [], [], []
    for group in parser._action_groups:
        options = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                commands += _commands(action, defaults or {})
            elif action.help == argparse.SUPPRESS:
                continue
            elif action.option_strings:
                options.append(_option(action, parser.prog, defaults or {}))
            else:
                arguments.append(_option(action, parser.prog, {}))
        if options:
            groups.append(Group(group.title or "options", tuple(options)))
    return Program(parser.prog, parser.description or "", parser.epilog or "", tuple(groups), tuple(arguments), tuple(commands))


def _commands(action: argparse._SubParsersAction[argparse.ArgumentParser], defaults: Mapping[str, str]) -> list[Command]:
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
    found = []
    for name, parser in action.choices.items():
        inner = read_parser(parser, defaults)
        found.append(Command(name, helps.get(name, ""), inner.arguments, inner.options))
    return found


def _option(action: argparse.Action, prog: str, defaults: Mapping[str, str]) -> Option:
    takes_value = action.nargs != 0
    choices = tuple(map(str, action.choices)) if action.choices is not None else ()
    metavar = action.metavar if isinstance(action.metavar, str) else "|".join(choices) or action.dest.upper()
    stated = next((defaults[name] for name in action.option_strings if name in defaults), action.default)
    words = (action.help or "") % {**vars(action), "prog": prog, "default": stated}
    return Option(
        tuple(action.option_strings),
        metavar if takes_value else "",
        choices,
        words,
        repeatable=isinstance(action, argparse._AppendAction),
        optional=action.nargs == argparse.OPTIONAL,
    )
