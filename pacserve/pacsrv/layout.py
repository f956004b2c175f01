"""Text in a terminal: styles, and tables that fit.  Rules only."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pacserve.pacsrv.text import fitted, printable, width

_GAP = "  "
# Characters below which no column of a table is cut: the rest of a text must still say something.
_NARROWEST_COLUMN = 4


class Style(enum.Enum):
    """How a text looks; the value is its parameter of ECMA-48's SGR."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    GOOD = "32"
    DOUBTFUL = "33"
    BAD = "31"


@dataclass(frozen=True, slots=True)
class Screen:
    """
    The terminal, file or pipe that lines are written to.

    Attributes:
        columns: The width of the terminal; None for a file or pipe, where nothing is cut.
        colours: True if styles are shown.
    """

    columns: int | None = None
    colours: bool = False

    def styled(self, text: str, style: Style) -> str:
        """Returns the text in a style; characters that a terminal would act on are replaced first."""
        text = printable(text)
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.colours and style.value and text else text

    def fitted(self, text: str) -> str:
        """Returns the text without characters that a terminal would act on, no wider than the screen."""
        text = printable(text)
        return text if self.columns is None else fitted(text, self.columns)


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table."""

    text: str
    style: Style = Style.PLAIN


Cells = Sequence["Cell | str"]


def table(screen: Screen, heads: Sequence[str], rows: Sequence[Cells], right: frozenset[int] = frozenset()) -> list[str]:
    """
    Returns the lines of a table; the widest columns are cut until it fits.

    Args:
        right: The columns that are aligned on the right.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    texts = [[printable(cell.text) for cell in row] for row in cells]
    widths = [max(map(width, column)) for column in zip(heads, *texts, strict=True)]
    if screen.columns is not None:
        _narrow(widths, screen.columns - len(_GAP) * (len(widths) - 1))
    lines = [_row(screen, [Cell(head, Style.DIM) for head in heads], widths, right)]
    return lines + [_row(screen, row, widths, right) for row in cells]


def _narrow(widths: list[int], columns: int) -> None:
    """Narrows the widest column again and again, until the table fits or no column can be narrowed any more."""
    while sum(widths) > columns:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST_COLUMN:
            return
        widths[widest] -= 1


def _row(screen: Screen, cells: Sequence[Cell], widths: Sequence[int], right: frozenset[int]) -> str:
    parts = []
    for place, cell in enumerate(cells):
        text = fitted(printable(cell.text), widths[place])
        room = " " * (widths[place] - width(text))
        shown = screen.styled(text, cell.style)
        parts.append(room + shown if place in right else shown + room)
    return _GAP.join(parts).rstrip()


def bar(share: float, columns: int) -> str:
    """Returns a progress bar; `share` is from 0 to 1."""
    full = round(min(max(share, 0.0), 1.0) * columns)
    return f"[{'#' * full}{'-' * (columns - full)}]"


def has_colours(environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Returns whether styles are wanted: the terminal supports them, and NO_COLOR (no-color.org) is not set."""
    return terminal and not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"
