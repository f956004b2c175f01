"""Completion for bash.  It needs nothing of the package bash-completion; only words that are passed on to pacman need pacman's own completion."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence

from tools.manual.program import Option, Program, Value

_FILE = """\
# bash completion for {name}.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/bash-completion/completions, without the suffix.

_{name}() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    COMPREPLY=()
    # bash splits --option=value into three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
{body}}}

complete -F _{name} {name}
"""
_COMMANDS = """\
# The index of the first word after {leading}.
local first=1 offered
while ((first < COMP_CWORD)) && [[ ${{COMP_WORDS[first]}} == @({pattern}) ]]; do
    [[ ${{COMP_WORDS[first + 1]}} != = ]] || ((first++))
    ((first += 2))
done
if ((COMP_CWORD < first)); then
    return
elif ((COMP_CWORD == first)) && [[ $cur != -* ]]; then
    {names}
    return
fi
case ${{COMP_WORDS[first]}} in
{commands}    *)
        # Everything else is passed on to pacman, so pacman's completion completes it.
        if ! complete -p pacman &>/dev/null; then
            if declare -F _comp_load >/dev/null; then
                _comp_load pacman
            elif declare -F _completion_loader >/dev/null; then
                _completion_loader pacman
            fi
        fi
        if [[ $(complete -p pacman 2>/dev/null) =~ \\ -F\\ ([^ ]+) ]]; then
            COMP_WORDS=(pacman "${{COMP_WORDS[@]:first}}")
            ((COMP_CWORD -= first - 1))
            COMP_LINE="${{COMP_WORDS[*]}}"
            COMP_POINT=${{#COMP_LINE}}
            "${{BASH_REMATCH[1]}}" pacman "$cur" "$prev"
        fi
        if ((COMP_CWORD == 1)); then
            {own}
            COMPREPLY+=("${{offered[@]}}")
        fi
        ;;
esac
"""
_FILENAMES = "compopt -o filenames\n"
_OFFERS = {
    Value.FILE: f'{_FILENAMES}mapfile -t COMPREPLY < <(compgen -f -- "$cur")\n',
    Value.FOLDER: f'{_FILENAMES}mapfile -t COMPREPLY < <(compgen -d -- "$cur")\n',
    Value.HOST: 'mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")\n',
    Value.INTERFACE: 'mapfile -t COMPREPLY < <(cd /sys/class/net 2>/dev/null && compgen -W "$(printf \'%s \' *)" -- "$cur")\n',
    Value.FREE: "",
}


def completion(program: Program) -> str:
    """Returns the text of the file.  A program with commands of its own passes everything else on to pacman."""
    body = _commands(program) if program.commands else _options(program.options, program.arguments)
    return _FILE.format(name=program.name, body=_indented(body))


def _commands(program: Program) -> str:
    commands = "".join(f"{command.name})\n{_indented(_options(command.options, command.arguments))}    ;;\n" for command in program.commands)
    leading = [name for option in program.options if option.metavar for name in option.names]
    return _COMMANDS.format(
        leading=" and ".join(leading),
        pattern="|".join(leading),
        names=_words([command.name for command in program.commands]).strip(),
        commands=_indented(commands),
        own=_words([name for option in program.options for name in option.names], "offered").strip(),
    )


def _options(options: Sequence[Option], arguments: Sequence[Option]) -> str:
    """Returns the code that offers values after an option that takes one, else options and values of arguments."""
    names: dict[str, list[str]] = {}
    for option in options:
        if option.value is not Value.NONE and not option.optional:
            names.setdefault(_value(option), []).extend(option.names)
    cases = "".join(f"{' | '.join(same)})\n{_indented(f'{offer}return')}    ;;\n" for offer, same in names.items())
    text = f"case $prev in\n{_indented(cases)}esac\n" if cases else ""
    offered = next((_value(argument) for argument in arguments if _value(argument)), "")
    own = _words([name for option in options for name in option.names])
    return text + (f"if [[ $cur != -* ]]; then\n{_indented(f'{offered}return')}fi\n" if offered else "") + own


def _value(option: Option) -> str:
    return _words(option.choices) if option.value is Value.CHOICE else _OFFERS[option.value]


def _words(words: Sequence[str], variable: str = "COMPREPLY") -> str:
    return f'mapfile -t {variable} < <(compgen -W {shlex.quote(" ".join(words))} -- "$cur")\n'


def _indented(text: str) -> str:
    return textwrap.indent(text if text.endswith("\n") or not text else f"{text}\n", "    ")
