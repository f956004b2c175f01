"""roff for man pages: escapes, and the few macros of man(7) that every formatter knows."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

# Characters of a line; mandoc calls longer ones bad style.
_WIDTH = 78
_SENTENCE_END = re.compile(r"(?<=[.?!]) +(?=[^a-z])")
_ALWAYS = {"\\": "\\e", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga"}
_LITERALLY = {**_ALWAYS, "-": "\\-", "'": "\\(aq"}


def prose(text: str) -> str:
    """Returns a sentence, escaped."""
    return _escape(text, _ALWAYS)


def literal(text: str) -> str:
    """Returns text that can be copied from the page and typed: hyphens stay the character on the keyboard."""
    return _escape(text, _LITERALLY)


def bold(text: str) -> str:
    """Returns literal text in bold."""
    return f"\\fB{literal(text)}\\fR"


def italic(text: str) -> str:
    """Returns literal text in italics, for placeholders."""
    return f"\\fI{literal(text)}\\fR"


def marked(text: str, pattern: re.Pattern[str], mark: Callable[[re.Match[str]], str], rest: Callable[[str], str] = prose) -> str:
    """Returns text in which `mark` has written all matches, and `rest` the text between them."""
    done, position = [], 0
    for match in pattern.finditer(text):
        done += [rest(text[position : match.start()]), mark(match)]
        position = match.end()
    return "".join([*done, rest(text[position:])])


def filled(text: str) -> list[str]:
    """Returns the lines of an escaped paragraph, each sentence on lines of its own."""
    lines = []
    for sentence in _SENTENCE_END.split(text):
        lines += textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_guarded(line) for line in lines]


def paragraph(text: str) -> list[str]:
    """Returns a paragraph of escaped text."""
    return [".PP", *filled(text)]


def example(lines: Iterable[str]) -> list[str]:
    """Returns lines that are shown unchanged and indented."""
    return [".PP", ".RS 4", ".EX", *(_guarded(literal(line)) for line in lines), ".EE", ".RE"]


def item(tag: str, body: Sequence[str]) -> list[str]:
    """Returns an entry of a list: an escaped tag, and the lines of its text below."""
    return [".TP", _guarded(tag), *body]


def bullet(text: str) -> list[str]:
    """Returns an entry of a list without tags."""
    return [".IP \\(bu 2", *filled(text)]


def section(title: str) -> str:
    """Returns the heading of a section."""
    return f".SH {_argument(title)}"


def subsection(title: str) -> str:
    """Returns the heading of a subsection."""
    return f".SS {_argument(title)}"


def title(name: str, volume: str, source: str, heading: str, note: str) -> list[str]:
    """Returns the first lines of a page; without a date, so that the same text always makes the same page."""
    return [f'.\\" {note}', f'.TH {name.upper()} {volume} "" "{source}" "{heading}"', ".ad l", ".hw pacman pacserve pacsrv"]


def page(lines: Sequence[str]) -> str:
    """Returns the text of a page.  Paragraph marks right after a heading are dropped, since mandoc warns of them."""
    headings = (".SH", ".SS")
    kept = [line for before, line in itertools.pairwise(["", *lines]) if line != ".PP" or not before.startswith(headings)]
    return "\n".join(kept) + "\n"


def _argument(text: str) -> str:
    escaped = literal(text).replace('"', "\\(dq")
    return f'"{escaped}"' if " " in escaped else escaped


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character) or (character if character.isascii() else f"\\[u{ord(character):04X}]") for character in text)


def _guarded(line: str) -> str:
    """Returns a line, escaped where it would begin like a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
