"""The man pages."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve import __version__
from pacserve.cli.pacserve import EXIT_CONFIGURATION, EXIT_FAILURE
from pacserve.config.guide import GUIDE
from pacserve.config.settings import DEFAULT_PACMAN_CONF, DEFAULT_SPOOL, DEFAULT_STATE
from tools.manual import roff
from tools.manual.guide import sections, with_options
from tools.manual.markdown import convert
from tools.manual.program import Command, Option, Program

NOTE = "Made by 'make man': edit its sources, not this file."
_SOURCE = f"pacserve {__version__}"


def daemon_page(program: Program) -> str:
    """Returns pacserve(8)."""
    guide = sections(GUIDE)
    lines = [
        *roff.title(program.name, "8", _SOURCE, "System Administration", NOTE),
        *_name(program.name, "makes the machines around you the first pacman mirror"),
        roff.section("SYNOPSIS"),
        f"{roff.bold(program.name)} [{roff.italic('options')}]",
        roff.section("DESCRIPTION"),
        *guide.pop("ABOUT"),
        roff.section("OPTIONS"),
        *_groups(program),
    ]
    for heading, body in guide.items():
        lines += [roff.section(heading), *body]
    lines += [
        roff.section("SIGNALS"),
        *_list(
            ("SIGHUP", f"Read {DEFAULT_PACMAN_CONF} again."),
            ("SIGTERM, SIGINT", "Give running transfers a few seconds to end, and stop; a second signal stops at once."),
        ),
        roff.section("EXIT STATUS"),
        *_list(
            ("0", "Stopped by a signal."),
            (str(EXIT_FAILURE), "Something that it needs, such as its port, is not available now."),
            ("2", "The command line is wrong."),
            (str(EXIT_CONFIGURATION), "The configuration is wrong."),
        ),
        roff.section("FILES"),
        *_list(
            (DEFAULT_PACMAN_CONF, "Mirrors, repositories and package caches."),
            (DEFAULT_SPOOL, "Downloads; --spool names another folder."),
            (DEFAULT_STATE, "The history of the traffic, and what the databases state; --state names another folder."),
        ),
        *_see_also("pacsrv(8)", "pacserve-protocol(7)", "pacman(8)", "pacman.conf(5)"),
    ]
    return roff.page(lines)


def wrapper_page(program: Program) -> str:
    """Returns pacsrv(8)."""
    name = roff.bold(program.name)
    leading = " ".join(f"[{roff.bold(option.names[0])} {_value(option)}]" for option in program.options if option.metavar)
    lines = [
        *roff.title(program.name, "8", _SOURCE, "System Administration", NOTE),
        *_name(program.name, "pacman through pacserve, and questions to pacserve"),
        roff.section("SYNOPSIS"),
        f"{name} {leading} {roff.italic('pacman option')} ...",
    ]
    for command in program.commands:
        lines += [".br", " ".join([name, leading, roff.bold(command.name), *_usage(program, command)])]
    lines += [roff.section("DESCRIPTION"), *roff.paragraph(with_options(program.description))]
    lines += [roff.section("OPTIONS"), *(line for option in program.options for line in _option(option)), roff.section("COMMANDS")]
    for command in program.commands:
        lines += [roff.subsection(command.name), *roff.paragraph(with_options(command.help))]
        for option in (*command.arguments, *_own(program, command)):
            lines += _option(option)
    lines.append(roff.section("PACMAN"))
    for block in program.epilog.strip().split("\n\n"):
        lines += roff.paragraph(with_options(" ".join(block.split())))
    lines += [
        roff.section("EXIT STATUS"),
        "The exit status of pacman if pacman was run; else:",
        *_list(
            ("0", "All is well."),
            ("1", "Something is wrong, or the question can not be answered."),
            ("2", "The command line is wrong."),
            ("130", "Ctrl-C."),
        ),
        *_see_also("pacserve(8)", "pacman(8)", "pacman.conf(5)"),
    ]
    return roff.page(lines)


def _own(program: Program, command: Command) -> list[Option]:
    """Returns the options of a command that the program itself does not have."""
    common = {option.names for option in program.options}
    return [option for option in command.options if option.names not in common]


def _usage(program: Program, command: Command) -> list[str]:
    options = [" ".join([roff.bold(option.names[0]), *([_value(option)] if option.metavar else [])]) for option in _own(program, command)]
    return [*(f"[{option}]" for option in options), *(roff.italic(argument.metavar) for argument in command.arguments)]


def protocol_page(text: str) -> str:
    """Returns pacserve-protocol(7), made from docs/protocol.md."""
    heading, body = convert(text)
    lines = [
        *roff.title("pacserve-protocol", "7", _SOURCE, "Miscellaneous Information", NOTE),
        *_name("pacserve-protocol", heading[0].lower() + heading[1:]),
        *body,
        *_see_also("pacserve(8)"),
    ]
    return roff.page(lines)


def _name(name: str, what: str) -> list[str]:
    return [roff.section("NAME"), f"{roff.literal(name)} \\- {roff.prose(what)}"]


def _groups(program: Program) -> list[str]:
    lines = []
    for group in program.groups:
        lines.append(roff.subsection(group.title[0].upper() + group.title[1:]))
        for option in group.options:
            lines += _option(option)
    return lines


def _option(option: Option) -> list[str]:
    names = ", ".join(map(roff.bold, option.names))
    return roff.item(f"{names} {_value(option)}".strip(), roff.filled(with_options(option.help)))


def _value(option: Option) -> str:
    value = "|".join(map(roff.bold, option.choices)) or (roff.italic(option.metavar) if option.metavar else "")
    return f"[{value}]" if option.optional else value


def _list(*entries: tuple[str, str]) -> list[str]:
    return [line for tag, text in entries for line in roff.item(roff.bold(tag), roff.filled(with_options(text)))]


def _see_also(*pages: str) -> list[str]:
    return [roff.section("SEE ALSO"), *_references(pages)]


def _references(pages: Iterable[str]) -> list[str]:
    lines = []
    for page in pages:
        name, _, volume = page.partition("(")
        lines.append(f".BR {roff.literal(name)} ({volume} ,")
    return [*lines[:-1], lines[-1].removesuffix(" ,")]
