"""
The Markdown of docs/protocol.md as the body of a man page.

A small and strict subset: headings, paragraphs, fenced code, tables, flat lists with `-`, and within a line code, bold and links.  All other
syntax of Markdown is refused, so that no page shows remains of it.
"""

from __future__ import annotations

import re

from tools.manual import roff

_INLINE = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*`]+)\*\*|\[(?P<text>[^][]+)\]\((?P<url>[^()\s]+)\)")
_LEFT = re.compile(r"[`*]|\]\(|(?<!\w)_\w|<[a-z/!]")
_FOREIGN = re.compile(r"\s*(?:>|\d+[.)]\s|[*+] |<|!\[|-{3,}$|={3,}$|\t)|#{4,}")
_RULE = re.compile(r"\|(?:\s*:?-{3,}:?\s*\|)+")


class MarkdownError(ValueError):
    """The text is not in the subset of Markdown that man pages are made from."""


def inline(text: str) -> str:
    """
    Returns an escaped paragraph.

    Raises:
        MarkdownError: Its syntax is not in the subset.
    """
    return roff.marked(text, _INLINE, _mark, _plain)


def _mark(match: re.Match[str]) -> str:
    if match["url"]:
        return f"{roff.prose(match['text'])} ({roff.literal(match['url'])})"
    return roff.bold(match["code"] or match["bold"])


def _plain(text: str) -> str:
    if left := _LEFT.search(text):
        raise MarkdownError(f"{left[0]!r} in {text!r}")
    return roff.prose(text)


def convert(text: str) -> tuple[str, list[str]]:
    """
    Returns the heading of the document, and the lines of its body; the text before the first section becomes a section DESCRIPTION.

    Raises:
        MarkdownError: The document is not in the subset.
    """
    blocks = _blocks(text)
    if not blocks or not blocks[0][0].startswith("# "):
        raise MarkdownError("the first line is no heading")
    lines = [roff.section("DESCRIPTION")]
    for block in blocks[1:]:
        lines += _convert(block)
    return blocks[0][0].removeprefix("# "), lines


def _blocks(text: str) -> list[list[str]]:
    """Returns the blocks of lines that belong together; code keeps its fences."""
    blocks: list[list[str]] = []
    current: list[str] = []
    fenced = False
    for line in text.splitlines():
        fence = line.startswith("```")
        if not fenced and (not line.strip() or fence or line.startswith("#") or (current and current[0].startswith("#"))):
            if current:
                blocks.append(current)
            current = []
        if line.strip() or fenced:
            # A list or a table begins a block even right below a paragraph.
            if not fenced and current and line[0] in "-|" and current[0][0] not in "-|":
                blocks.append(current)
                current = []
            current.append(line)
        if fence and fenced:
            blocks.append(current)
            current = []
        fenced ^= fence
    if fenced:
        raise MarkdownError("a fence is not closed")
    return [*blocks, current] if current else blocks


def _convert(block: list[str]) -> list[str]:
    first = block[0]
    if first.startswith("```"):
        return roff.example(block[1:-1])
    for line in block:
        if _FOREIGN.match(line):
            raise MarkdownError(f"not of the subset: {line!r}")
    if first.startswith(("## ", "### ")):
        level, _, words = first.partition(" ")
        heading = words.replace("`", "")
        return [roff.section(heading) if level == "##" else roff.subsection(heading)]
    if first.startswith("#"):
        raise MarkdownError(f"a heading that is neither a section nor a part of one: {first!r}")
    if first.startswith("|"):
        return _table(block)
    if first.startswith("- "):
        return _items(block)
    if any(line.startswith(" ") for line in block):
        raise MarkdownError(f"an indented paragraph: {first!r}")
    return roff.paragraph(inline(" ".join(block)))


def _table(block: list[str]) -> list[str]:
    """Returns a table as a list: the first cell of a row is the tag, the last its text, and those between follow the tag in parentheses."""
    if len(block) < 3 or not _RULE.fullmatch(block[1].strip()):
        raise MarkdownError(f"a table without heading or rows: {block[0]!r}")
    rows = [_cells(line) for line in (block[0], *block[2:])]
    if any(len(row) != len(rows[0]) or len(row) < 2 for row in rows):
        raise MarkdownError(f"rows of unequal length: {block[0]!r}")
    lines = []
    for first, *middle, last in rows[1:]:
        beside = f" ({', '.join(map(inline, middle))})" if middle else ""
        lines += roff.item(inline(first) + beside, roff.filled(inline(last)))
    return lines


def _cells(line: str) -> list[str]:
    if not (line.startswith("|") and line.endswith("|")) or "\\|" in line:
        raise MarkdownError(f"no row of a table: {line!r}")
    return [cell.strip() for cell in line[1:-1].split("|")]


def _items(block: list[str]) -> list[str]:
    texts: list[str] = []
    for line in block:
        if line.startswith("- "):
            texts.append(line[2:])
        elif line.startswith("  ") and not line.lstrip().startswith("- "):
            texts[-1] += " " + line.strip()
        else:
            raise MarkdownError(f"not of a flat list: {line!r}")
    return [line for text in texts for line in roff.bullet(inline(text))]
