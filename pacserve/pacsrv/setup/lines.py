"""
The lines that `pacsrv setup` adds to configuration files, and those that it turns into comments.

Each carries its mark in the file itself, so that it can be told from the lines of the user for as long as the file lives.  Rules only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pacserve.pacsrv.server_lines import server_line

# pacman takes `#` for the beginning of a comment only where it is the first character, so a mark needs a line of its own.
MARK = "# pacsrv setup added the next line; pacsrv setup --undo removes both."
# What is put in front of a line of the user that must not count.
DISABLING = "# pacsrv setup disabled: "
_ADDED = re.compile(re.escape(server_line(0)).replace(":0/", r":[0-9]{1,5}/"))


def split(text: str) -> list[str]:
    """Returns the lines with their line feeds; only a line feed ends a line, as in pacman."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def changed(text: str, additions: Iterable[int], disabled: Iterable[int], port: int) -> str:
    """
    Returns the text with pacserve's Server line added and lines disabled; new lines end as the first line of the text does.

    Args:
        additions: The numbers, from 0, of the lines before which pacserve's line is added.
        disabled: The numbers of the lines that become comments.
    """
    lines = split(text)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    for number in disabled:
        lines[number] = DISABLING + lines[number]
    for number in sorted(additions, reverse=True):
        lines[number:number] = [MARK + end, server_line(port) + end]
    return "".join(lines)


def restored(text: str) -> str:
    """
    Returns the text without the lines that `changed` added, and with those that it disabled.

    A line below the mark that the user changed to more than another port is the user's, and stays.
    """
    kept: list[str] = []
    marked = False
    for line in map(_enabled, split(text)):
        added = marked and _ADDED.fullmatch(line.rstrip()) is not None
        marked = line.rstrip() == MARK
        if not (added or marked):
            kept.append(line)
    return "".join(kept)


def _enabled(line: str) -> str:
    while line.startswith(DISABLING):
        line = line[len(DISABLING) :]
    return line
