"""
Tables as values that can be written in two forms: as HTML when the page is loaded, and as JSON when they change while it is open.

`page.js` makes the same elements from the JSON as `Table.html` does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pacserve.page.text import clean, duration, escape, moment

MOST_ROWS = 200
"""Rows of a table that are shown: nobody reads thousands in a browser, and `pacsrv status` lists them all."""


@dataclass(frozen=True, slots=True)
class Cell:
    """
    The content of one element of the page, which may change.

    Attributes:
        text: Untrusted; it is escaped here.
        at: A time in seconds since the epoch; how long ago it was is shown in front of the text.
        percent: From 0 to 100, shown as a bar in front of the text.
        waiting: True to show a progress bar without a value.
        mark: `good`, `fair`, `bad` or `quiet`, for the colour of the text, which says the same; `bad` is for troubles that a person must mend.
        label: The name of the bar, for screen readers.
        note: Untrusted; a text of less weight behind the other one.
    """

    text: str = ""
    at: float | None = None
    percent: int | None = None
    waiting: bool = False
    mark: str = ""
    label: str = ""
    note: str = ""

    def html(self, now: float) -> str:
        """Returns the content of an element."""
        text = escape(self.text)
        if self.mark:
            text = f'<span class="{self.mark}">{text}</span>'
        if self.at is not None:
            ago = f"{duration(now - self.at)} ago"
            text = f'<time datetime="{moment(self.at)}">{ago}</time>' + (f" {text}" if text else "")
        if self.percent is not None:
            text = f'<progress max="100" value="{self.percent}" aria-label="{escape(self.label)}"></progress> {text}'
        elif self.waiting:
            text = f'<progress max="100" aria-label="{escape(self.label)}"></progress> {text}'
        if self.note:
            text += f"{' ' if text else ''}<small>{escape(self.note)}</small>"
        return text

    def live(self) -> object:
        """Returns the value that `page.js` receives: the text, or an object where there is more than a text."""
        text = clean(self.text)
        more: dict[str, object] = {}
        if self.mark:
            more["mark"] = self.mark
        if self.at is not None:
            more["at"] = moment(self.at)
        if self.percent is not None:
            more["percent"] = self.percent
        if self.percent is not None or self.waiting:
            more["bar"] = clean(self.label)
        if self.note:
            more["note"] = clean(self.note)
        return {"text": text, **more} if more else text


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table.

    Attributes:
        id: Unique in the page.
        columns: The headings of the columns; `#` in front marks a column of numbers.
        rows: The first cell of each row is its heading.
        empty: The sentence that is shown instead of a table without rows.
        more: The number of rows that are not shown.
        summary: The text that opens and closes the table; empty for a table that is always open.
    """

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    more: int = 0
    summary: str = ""

    def html(self, now: float) -> str:
        """Returns the table, and the sentences for no rows and for more rows than are shown; behind a summary where there is one."""
        content = self._content(now)
        if not self.summary:
            return content
        summary = f'<summary id="{self.id}-summary">{escape(self.summary)}</summary>'
        return f'<details id="{self.id}-fold"{_hidden(not self.rows)}>{summary}\n{content}</details>\n'

    def _content(self, now: float) -> str:
        head = "".join([f'<th scope="col"{_class(column)}>{escape(column.lstrip("#"))}</th>' for column in self.columns])
        body = "".join([self._row(row, now) for row in self.rows])
        return (
            f'<p id="{self.id}-empty"{_hidden(bool(self.rows))}>{escape(self.empty)}</p>'
            f'<table id="{self.id}"{_hidden(not self.rows)}><caption>{escape(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f'<p id="{self.id}-more"{_hidden(not self.more)}>{escape(self._more())}</p>\n'
        )

    def live(self) -> str:
        """Returns the JSON of the parts that may change."""
        parts = {"rows": [[cell.live() for cell in row] for row in self.rows], "more": self._more()}
        return to_json({**parts, "summary": clean(self.summary)} if self.summary else parts)

    def _row(self, row: Sequence[Cell], now: float) -> str:
        heading, *cells = [cell.html(now) for cell in row]
        rest = [
            f'<td data-label="{escape(column.lstrip("#"))}"{_class(column)}>{cell}</td>' for column, cell in zip(self.columns[1:], cells, strict=True)
        ]
        return f'<tr><th scope="row">{heading}</th>{"".join(rest)}</tr>\n'

    def _more(self) -> str:
        return f"… and {self.more:,} more." if self.more else ""


def folded(table: Table, first: int, rest: str) -> tuple[Table, Table]:
    """
    Returns a table with its first rows, and a folded one with the others.

    Args:
        first: The number of rows that are always shown.
        rest: Names the other rows, `earlier requests`.
    """
    count = len(table.rows) - first + table.more
    others = Table(f"{table.id}-rest", f"{table.caption}: {rest}", table.columns, table.rows[first:], "", table.more, f"{max(count, 0):,} {rest}")
    return replace(table, rows=table.rows[:first], more=0), others


def to_json(value: object) -> str:
    """Returns a value as JSON in ASCII on one line."""
    return json.dumps(value, separators=(",", ":"))


def _class(column: str) -> str:
    return ' class="number"' if column.startswith("#") else ""


def _hidden(hidden: bool) -> str:
    return " hidden" if hidden else ""
