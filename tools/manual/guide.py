"""The guide of `--more-help` as sections of a man page."""

from __future__ import annotations

import re

from tools.manual import roff

_HEADING = re.compile(r"[A-Z][A-Z. ]+")
_OPTION = re.compile(r"--[a-z][a-z-]*")
_INDENT = 2
_EXAMPLE_INDENT = 4


def with_options(text: str) -> str:
    """Returns an escaped paragraph in which options are bold."""
    return roff.marked(text, _OPTION, lambda match: roff.bold(match[0]))


def sections(guide: str) -> dict[str, list[str]]:
    """
    Returns the lines of each section, by its heading.

    Raises:
        ValueError: The guide has anything but headings, paragraphs indented by two spaces, and examples indented by four or more.
    """
    found: dict[str, list[str]] = {}
    heading = ""
    for block in guide.strip("\n").split("\n\n"):
        lines = block.splitlines()
        if _HEADING.fullmatch(lines[0]) and len(lines) == 1:
            heading = lines[0]
            found[heading] = []
        elif not heading:
            raise ValueError(f"no heading before {lines[0]!r}")
        elif all(line.startswith(" " * _EXAMPLE_INDENT) for line in lines):
            found[heading] += roff.example(line[_EXAMPLE_INDENT:] for line in lines)
        elif all(line.startswith(" " * _INDENT) and line[_INDENT] != " " for line in lines):
            found[heading] += roff.paragraph(with_options(" ".join(line.strip() for line in lines)))
        else:
            raise ValueError(f"neither a paragraph nor an example: {block!r}")
    return found
