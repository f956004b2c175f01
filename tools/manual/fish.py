"""Completion for fish."""

from __future__ import annotations

from collections.abc import Sequence

from tools.manual.program import Option, Program, Value

_FILE = """\
# fish completion for {name}.  Made by 'make man': edit its sources, not this file.
# Install it in /usr/share/fish/vendor_completions.d.

{lines}
"""
# A function that tests whether the first word after the leading options is $argv[1]; if that is empty, whether there is no such word yet.
_AT = """\
function __fish_{name}_at
    set -l words (commandline -opc)
    set -e words[1]
    while string match -qr -- '^({pattern})(=|$)' "$words[1]"
        contains -- $words[1] {leading}; and set -e words[1]
        set -q words[1]; and set -e words[1]
    end
    test "$words[1]" = "$argv[1]"
end"""
_VALUES = {
    Value.NONE: "",
    Value.FILE: " -r -F",
    Value.FOLDER: " -x -a '(__fish_complete_directories)'",
    Value.HOST: " -x -a '(__fish_print_hostnames)'",
    Value.INTERFACE: " -x -a '(__fish_print_interfaces)'",
    Value.FREE: " -x",
}


def completion(program: Program) -> str:
    """Returns the text of the file.  A program with commands of its own passes everything else on to pacman."""
    start = f"complete -c {program.name}"
    if not program.commands:
        return _FILE.format(name=program.name, lines="\n".join([f"{start} -f", *_options(start, program.options, program.arguments)]))
    leading = [name for option in program.options if option.metavar for name in option.names]
    at = f"__fish_{program.name}_at"
    lines = [
        _AT.format(name=program.name, pattern="|".join(leading), leading=" ".join(leading)),
        "",
        "# Everything that is not below is passed on to pacman, so pacman's completion completes it.",
        f"{start} -w pacman",
        *_options(f"{start} -n \"{at} ''\"", program.options, ()),
    ]
    for command in program.commands:
        lines.append(f"{start} -n \"{at} ''\" -f -a {command.name} -d {_quoted(command.help)}")
        lines += _options(f"{start} -n '{at} {command.name}'", command.options, command.arguments)
    return _FILE.format(name=program.name, lines="\n".join(lines))


def _options(start: str, options: Sequence[Option], arguments: Sequence[Option]) -> list[str]:
    lines = []
    for option in options:
        names = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.names)
        lines.append(f"{start}{names}{_value(option)} -d {_quoted(option.brief)}")
    return lines + [f"{start}{_value(argument)}" for argument in arguments if argument.value not in (Value.FREE, Value.NONE)]


def _value(option: Option) -> str:
    return f" -x -a {_quoted(' '.join(option.choices))}" if option.value is Value.CHOICE else "" if option.optional else _VALUES[option.value]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
