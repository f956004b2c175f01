"""roff for man pages: escapes, and the few macros of man(7) that every formatter knows."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence

# mandoc calls longer ones bad style.
_WIDTH = 78
_SENTENCE_END = re.compile(r"(?<=[.?!]) +(?=[^a-z])")
_ALWAYS = {"\\": "\\e", "^": "\\(ha", "~": "\\(ti", "`": "\\(ga"}
_LITERALLY = {**_ALWAYS, "-": "\\-", "'": "\\(aq"}


def prose(text: str) -> str:
    """Text of a sentence."""
    return _escape(text, _ALWAYS)


def literal(text: str) -> str:
    """Text that can be copied from the page and typed: hyphens stay what they are on the keyboard."""
    return _escape(text, _LITERALLY)


def bold(text: str) -> str:
    """Literal text in bold."""
    return f"\\fB{literal(text)}\\fR"


def italic(text: str) -> str:
    """Literal text in italics: what the reader replaces."""
    return f"\\fI{literal(text)}\\fR"


def marked(text: str, pattern: re.Pattern[str], mark: Callable[[re.Match[str]], str], rest: Callable[[str], str] = prose) -> str:
    """Text in which whatever matches is made by `mark`, and what is between by `rest`."""
    done, position = [], 0
    for match in pattern.finditer(text):
        done += [rest(text[position : match.start()]), mark(match)]
        position = match.end()
    return "".join([*done, rest(text[position:])])


def filled(text: str) -> list[str]:
    """Lines of an escaped paragraph, each sentence on lines of its own."""
    lines = []
    for sentence in _SENTENCE_END.split(text):
        lines += textwrap.wrap(sentence, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_guarded(line) for line in lines]


def paragraph(text: str) -> list[str]:
    """A paragraph of escaped text."""
    return [".PP", *filled(text)]


def example(lines: Iterable[str]) -> list[str]:
    """Lines that stand as they are, indented."""
    return [".PP", ".RS 4", ".EX", *(_guarded(literal(line)) for line in lines), ".EE", ".RE"]


def item(tag: str, body: Sequence[str]) -> list[str]:
    """An entry of a list: an escaped tag, and the lines of its text below it."""
    return [".TP", _guarded(tag), *body]


def bullet(text: str) -> list[str]:
    """An entry of a list without tags."""
    return [".IP \\(bu 2", *filled(text)]


def section(title: str) -> str:
    """The heading of a section."""
    return f".SH {_argument(title)}"


def subsection(title: str) -> str:
    """The heading of a part of a section."""
    return f".SS {_argument(title)}"


def title(name: str, volume: str, source: str, heading: str, note: str) -> list[str]:
    """The first lines of a page; without a date, so that the same text always makes the same page."""
    return [f'.\\" {note}', f'.TH {name.upper()} {volume} "" "{source}" "{heading}"', ".ad l", ".hw pacman pacserve pacsrv"]


def page(lines: Sequence[str]) -> str:
    """The text of a page.  What begins a section begins no further paragraph, which mandoc would warn of."""
    headings = (".SH", ".SS")
    kept = [line for before, line in itertools.pairwise(["", *lines]) if line != ".PP" or not before.startswith(headings)]
    return "\n".join(kept) + "\n"


def _argument(text: str) -> str:
    escaped = literal(text).replace('"', "\\(dq")
    return f'"{escaped}"' if " " in escaped else escaped


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character) or (character if character.isascii() else f"\\[u{ord(character):04X}]") for character in text)


def _guarded(line: str) -> str:
    """A line that begins as a request does, made text."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
