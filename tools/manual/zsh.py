"""Completion for zsh."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.manual.program import Option, Program, Value

_FILE = """\
#compdef {name}
# zsh completion for {name}.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/zsh/site-functions (Debian: /usr/share/zsh/vendor-completions).

{body}"""
_COMMANDS = """\
local -a commands=(
{names})

while (( CURRENT > 2 )) && [[ $words[2] == ({pattern})(|=*) ]]; do
    if [[ $words[2] != *=* ]]; then
        if (( CURRENT == 3 )); then
            _message {value}
            return
        fi
        shift words
        (( CURRENT-- ))
    fi
    shift words
    (( CURRENT-- ))
done
if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
fi
case $words[2] in
{commands}    *)
        # Everything else is passed on to pacman, so pacman's completion completes it.
        if [[ -n ${{_comps[pacman]-}} ]]; then
            words[1]=pacman service=pacman
            ${{_comps[pacman]}}
        fi
        if (( CURRENT == 2 )); then
            local -a own=(
{own}            )
            _describe -o option own
        fi
        ;;
esac
"""
_ACTIONS = {Value.FILE: "_files", Value.FOLDER: "_files -/", Value.HOST: "_hosts", Value.INTERFACE: "_net_interfaces", Value.FREE: " "}


def completion(program: Program) -> str:
    """Returns the text of the file.  A program with commands of its own passes everything else on to pacman."""
    if not program.commands:
        return _FILE.format(name=program.name, body=_arguments(program.options, program.arguments))
    names = "".join(f"    {_quoted(f'{command.name}:{command.help}')}\n" for command in program.commands)
    commands = "".join(
        f"    {command.name})\n        shift words\n        (( CURRENT-- ))\n"
        + "".join(f"        {line}\n" for line in _arguments(command.options, command.arguments).splitlines())
        + "        ;;\n"
        for command in program.commands
    )
    leading = [option for option in program.options if option.metavar]
    body = _COMMANDS.format(
        names=names,
        commands=commands,
        pattern="|".join(name for option in leading for name in option.names),
        value=leading[0].metavar,
        own="".join(f"                {_quoted(f'{name}:{option.brief}')}\n" for option in program.options for name in option.names),
    )
    return _FILE.format(name=program.name, body=body)


def _arguments(options: Sequence[Option], arguments: Sequence[Option]) -> str:
    specifications = [specification for option in options for specification in _specifications(option)]
    specifications += [f"*:{_escaped(argument.metavar)}:{_action(argument)}" for argument in arguments]
    return "_arguments -S \\\n" + " \\\n".join(f"    {_quoted(one)}" for one in specifications) + "\n"


def _specifications(option: Option) -> list[str]:
    """Returns a specification for each name; see _arguments in zshcompsys(1)."""
    excluded = "*" if option.repeatable else f"({' '.join(option.names)})"
    specifications = []
    for name in option.names:
        equals = "=" if option.metavar and name.startswith("--") else ""
        value = f"{':' if option.optional else ''}:{_escaped(option.metavar)}:{_action(option)}" if option.metavar else ""
        specifications.append(f"{excluded}{name}{equals}[{_escaped(option.brief)}]{value}")
    return specifications


def _action(option: Option) -> str:
    return f"({' '.join(option.choices)})" if option.value is Value.CHOICE else _ACTIONS[option.value]


def _escaped(text: str) -> str:
    return re.sub(r"([\\\[\]:])", r"\\\1", text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
