"""Finds the commands in README.md that a reader types, so that tests run what is written there."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADING = re.compile(r"(#+)\s+(.*)")
# A comment that begins with the name of a distribution says that the line is for that one alone.
_COMMENT = re.compile(r"\s+#\s*(Debian|Arch)?\b.*$")


@dataclass(frozen=True, slots=True)
class Block:
    """
    A fenced block.

    Attributes:
        introduction: The paragraph before it.
        lines: Its lines, without those that are empty or only a comment.
    """

    introduction: str
    lines: tuple[str, ...]

    def commands(self, distribution: str) -> tuple[str, ...]:
        """Returns the lines for that distribution, `Debian` or `Arch`, without comments."""
        found = []
        for line in self.lines:
            comment = _COMMENT.search(line)
            if comment is None or comment[1] in {None, distribution}:
                found.append(_COMMENT.sub("", line))
        return tuple(found)


def blocks(text: str, heading: str) -> tuple[Block, ...]:
    """Returns the fenced blocks below a heading that begins with these words, and below the smaller headings that belong to it."""
    found: list[Block] = []
    level = 0  # of that heading; 0 elsewhere
    paragraph: list[str] = []
    paragraph_ended = False
    fenced: list[str] | None = None
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("```"):
            if fenced is not None and level:
                found.append(Block(" ".join(paragraph), tuple(fenced)))
            fenced = [] if fenced is None else None
        elif fenced is not None:
            if line and not line.startswith("#"):
                fenced.append(line)
        elif head := _HEADING.fullmatch(line):
            if not level or len(head[1]) <= level:
                level = len(head[1]) if head[2].startswith(heading) else 0
            paragraph, paragraph_ended = [], True
        elif not line:
            paragraph_ended = True
        else:
            if paragraph_ended:
                paragraph = []
            paragraph.append(line)
            paragraph_ended = False
    return tuple(found)
