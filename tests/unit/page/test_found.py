"""Tests for `pacserve.page.found`."""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.found import Found, render_found
from pacserve.page.layout import LONGEST_QUERY
from pacserve.page.table import MOST_ROWS
from pacserve.page.text import clean
from tests.unit.page.made_up import HOSTILE, MIB, NOW
from tests.unit.page.reading import Element, read
from tests.unit.page.strategies import HOSTILE_TEXTS


def shown(query: str, *found: Found) -> Element:
    """The page that answers a search."""
    return read(render_found(query, found, "atlas", NOW))


class FoundTests(SynchronousTestCase):
    def test_found(self) -> None:
        """Each version has its size and the hosts that hold it, of many holders some and how many more; and which is the newest."""
        page = shown(
            "zlib",
            Found("zlib", "3-1", ("core", "core-testing"), 0, ()),
            Found("zlib", "2-1", ("core",), 2 * MIB, tuple([f"h{number}" for number in range(1500)]), newest=False),
            Found("zlib", "1-1", (), MIB, ("this host", "nas (10.0.0.3:15678)"), newest=False),
        )
        self.assertEqual(
            page.cells("found"),
            [
                ["zlib", "3-1 newest", "core, core-testing", "0 B", "no host"],
                ["zlib", "2-1 older", "core", "2.00 MiB", "h0, h1, h2, h3, h4, h5, h6, h7 and 1,492 more"],
                ["zlib", "1-1 older", "in no database", "1.00 MiB", "this host, nas (10.0.0.3:15678)"],
            ],
        )
        self.assertEqual([heading.text for heading in page.all("h1")], ["Search on atlas"])
        field = page.one("q").attributes
        self.assertEqual((field["value"], field["maxlength"]), ("zlib", str(LONGEST_QUERY)))

    def test_nothing(self) -> None:
        """That nothing was found is said with what was sought; where nothing was sought, what to do."""
        self.assertEqual(shown("zlob").one("found-empty").text, "No database and no host on the LAN has a package whose file name contains zlob.")
        self.assertIn("Type", shown("").one("found-empty").text)

    def test_many(self) -> None:
        """Of very many files some are shown, and how many more there are; the page has a bounded size."""
        page = render_found(HOSTILE, [Found("\u202e" * 5000, HOSTILE * 99, (HOSTILE,), 1, ("\u202e" * 5000,) * 100)] * 5000, HOSTILE, NOW)
        self.assertEqual(len(read(page).cells("found")), MOST_ROWS)
        self.assertEqual(read(page).one("found-more").text, "… and 4,800 more.")
        self.assertLess(len(page), 1024 * 1024)

    def test_way_back(self) -> None:
        """The page leads back, and needs no script."""
        page = shown("zlib")
        self.assertIn("/", [link.attributes["href"] for link in page.all("a")])
        self.assertEqual(page.all("script"), [])

    @given(HOSTILE_TEXTS, HOSTILE_TEXTS, HOSTILE_TEXTS, HOSTILE_TEXTS)
    def test_anything(self, query: str, name: str, holder: str, host: str) -> None:
        """Whatever is sought and found is text in the places for it, and changes nothing else of the page."""
        page = shown(query, Found(name, name, (holder,), 5, (holder,)))
        self.assertEqual(page.cells("found"), [[clean(name), f"{clean(name)} newest", clean(holder), "5 B", clean(holder)]])
        self.assertEqual(page.one("q").attributes["value"], clean(query))
        self.assertEqual(page.skeleton(), shown("x", Found("x", "x", ("x",), 5, ("x",))).skeleton())
        self.assertEqual(read(render_found("x", (), host, NOW)).skeleton(), shown("x").skeleton())
