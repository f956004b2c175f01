"""Tests for `pacserve.page.table`."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.table import Cell, Table, folded
from pacserve.page.text import clean
from tests.unit.page.made_up import HOSTILE, NOW
from tests.unit.page.reading import read
from tests.unit.page.strategies import HOSTILE_TEXTS

CELLS = st.builds(
    Cell,
    HOSTILE_TEXTS,
    at=st.none() | st.floats(0, 2e9),
    percent=st.none() | st.integers(0, 100),
    waiting=st.booleans(),
    mark=st.sampled_from(("", "good", "fair", "bad", "quiet")),
    label=HOSTILE_TEXTS,
    note=HOSTILE_TEXTS,
)


def table(*rows: tuple[Cell, ...], more: int = 0) -> Table:
    """A table of two columns."""
    return Table("those", "Those & these", ("Name", "#Size"), rows, "There are none.", more)


def with_note(cell: Cell) -> str:
    """The text of a cell with its note."""
    return f"{clean(cell.text)} {clean(cell.note)}" if cell.text and cell.note else clean(cell.text or cell.note)


class CellTests(SynchronousTestCase):
    def test_text(self) -> None:
        """A text is escaped, and sent live as it is read."""
        cell = Cell("<b>")
        self.assertEqual((cell.html(NOW), cell.live()), ("&lt;b&gt;", "<b>"))

    def test_time(self) -> None:
        """A moment says how long ago it was, and which it was; live it is told as the moment, which does not change with time."""
        cell = Cell("heard", at=NOW - 300)
        self.assertEqual(cell.html(NOW), '<time datetime="2026-11-21T09:03:06Z">5 min ago</time> heard')
        self.assertEqual(cell.live(), {"text": "heard", "at": "2026-11-21T09:03:06Z"})
        self.assertEqual(Cell(at=NOW + 5).html(NOW), '<time datetime="2026-11-21T09:08:11Z">0 s ago</time>')

    def test_bars(self) -> None:
        """Progress is a bar that says what it measures, with an end or without."""
        (bar,) = read(Cell("45 %", percent=45, label='of "x"').html(NOW)).all()
        self.assertEqual((bar.tag, bar.attributes), ("progress", {"max": "100", "value": "45", "aria-label": 'of "x"'}))
        (bar,) = read(Cell("3 MiB", waiting=True, label="of x").html(NOW)).all()
        self.assertEqual(bar.attributes, {"max": "100", "aria-label": "of x"})
        self.assertEqual(Cell("3 MiB", waiting=True, label="of x").live(), {"text": "3 MiB", "bar": "of x"})
        self.assertEqual(Cell("0 %", percent=0, label="of x").live(), {"text": "0 %", "percent": 0, "bar": "of x"})

    def test_notes(self) -> None:
        """A note stands behind the text with less weight, or alone."""
        self.assertEqual(Cell("nas", note="10.0.0.3").html(NOW), "nas <small>10.0.0.3</small>")
        self.assertEqual((Cell(note="<b>").html(NOW), Cell(note="<b>").live()), ("<small>&lt;b&gt;</small>", {"text": "", "note": "<b>"}))

    @given(CELLS)
    def test_html_and_live(self, cell: Cell) -> None:
        """Whatever it says, the page that is loaded and the one that is told live have the same text, time, bar and mark, and nothing else."""
        page, told = read(cell.html(NOW)), json.loads(json.dumps(cell.live()))
        if isinstance(told, str):
            told = {"text": told}
        self.assertTrue(page.text.endswith(with_note(cell)))
        self.assertEqual((told["text"], told.get("note", "")), (clean(cell.text), clean(cell.note)))
        found = {element.tag: element.attributes for element in page.all()}
        self.assertEqual(found.get("time"), {"datetime": told["at"]} if "at" in told else None)
        self.assertEqual(found.get("span"), {"class": told["mark"]} if "mark" in told else None)
        bar = {"max": "100", **({"value": str(told["percent"])} if "percent" in told else {}), "aria-label": told["bar"]} if "bar" in told else None
        self.assertEqual(found.get("progress"), bar)
        self.assertEqual([one.text for one in page.all("small")], [told["note"]] if "note" in told else [])
        self.assertEqual(len(page.all()), len(set(told) & {"at", "mark", "bar", "note"}))


class TableTests(SynchronousTestCase):
    def test_headings(self) -> None:
        """A table has a caption, a heading of each column and of each row, and cells that say which column they are of, for a narrow screen."""
        page = read(table((Cell("a"), Cell("5"))).html(NOW))
        self.assertEqual([caption.text for caption in page.all("caption")], ["Those & these"])
        headings = [(heading.attributes["scope"], heading.text) for heading in page.all("th")]
        self.assertEqual(headings, [("col", "Name"), ("col", "Size"), ("row", "a")])
        (cell,) = page.all("td")
        self.assertEqual((cell.text, cell.attributes), ("5", {"data-label": "Size", "class": "number"}))

    def test_hidden(self) -> None:
        """Without rows there is a sentence instead of the table; what is left out is said."""
        for one, hidden in (
            (table(), [False, True, True]),
            (table((Cell(), Cell())), [True, False, True]),
            (table((Cell(), Cell()), more=1234), [True, False, False]),
        ):
            page = read(one.html(NOW))
            parts = [page.one(name) for name in ("those-empty", "those", "those-more")]
            self.assertEqual(["hidden" in part.attributes for part in parts], hidden)
        self.assertEqual(page.one("those-more").text, "… and 1,234 more.")

    def test_live(self) -> None:
        """Live a table is its rows and what is left out, on one line of ASCII."""
        text = table((Cell(HOSTILE), Cell("5\u2028")), more=2).live()
        self.assertTrue(text.isascii() and text.isprintable())
        self.assertEqual(json.loads(text), {"rows": [[clean(HOSTILE), "5\\u2028"]], "more": "… and 2 more."})

    def test_folded(self) -> None:
        """Of many rows the first are shown, and the others are behind a line that counts them, and that is hidden where there are none."""
        rows = [(Cell(str(number)), Cell("5")) for number in range(5)]
        first, rest = folded(table(*rows, more=10), 2, "more")
        page = read(first.html(NOW) + rest.html(NOW))
        self.assertEqual(([row[0] for row in page.cells("those")], [row[0] for row in page.cells("those-rest")]), (["0", "1"], ["2", "3", "4"]))
        (fold,) = page.all("details")
        self.assertEqual((fold.attributes, fold.all("summary")[0].text), ({"id": "those-rest-fold"}, "13 more"))
        self.assertEqual((json.loads(rest.live())["summary"], "summary" in json.loads(first.live())), ("13 more", False))
        self.assertEqual((page.one("those-more").text, page.one("those-rest-more").text), ("", "… and 10 more."))
        self.assertIn("hidden", read(folded(table(*rows[:2]), 2, "more")[1].html(NOW)).all("details")[0].attributes)

    @given(st.lists(st.tuples(CELLS, CELLS), max_size=3))
    def test_anything(self, rows: list[tuple[Cell, Cell]]) -> None:
        """Whatever the cells say, the table has these cells and no others."""
        page = read(table(*rows).html(NOW))
        self.assertEqual([len(row) for row in page.cells("those")], [2] * len(rows))
        self.assertEqual(len(page.all("table")), 1)
        for row, shown in zip(rows, page.cells("those"), strict=True):
            for cell, text in zip(row, shown, strict=True):
                self.assertTrue(text.endswith(with_note(cell)))
