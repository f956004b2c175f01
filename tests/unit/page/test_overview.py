"""Tests for `pacserve.page.overview` and `pacserve.page.layout`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.overview import changing, render
from pacserve.page.text import clean
from pacserve.report.status import HostStatus, PeerStatus, Status, TrafficStatus
from tests.unit.page.made_up import APT, HOSTILE, NOW, status
from tests.unit.page.reading import Element, read, tame
from tests.unit.page.strategies import of

EMPTY = Status(
    HostStatus("1", "0" * 32, "", 15678, NOW, "redirect", "redirect", False, 0, 0, 0, None, None),
    (),
    (),
    (),
    TrafficStatus(NOW, (), 0, 0, (), ()),
    None,
    0,
    (),
)
ATTRIBUTES = frozenset(
    [
        *("lang", "charset", "name", "content", "rel", "href", "type", "src", "defer", "class", "id", "role", "action", "method", "for", "maxlength"),
        *(
            "autocomplete",
            "spellcheck",
            "value",
            "tabindex",
            "hidden",
            "scope",
            "datetime",
            "max",
            "viewbox",
            "preserveaspectratio",
            "x",
            "y",
            "width",
        ),
        *("height", "aria-labelledby", "aria-label", "aria-hidden", "x1", "x2", "y1", "y2", "dy", "checked", "d", "data-now", "data-label"),
    ]
)
"""All that the page has: neither style nor on*, which the Content-Security-Policy forbids."""


TABLES = ["findings", "transfers", "peers", "peers-rest", "hour", "day", "days", "mirrors", "recent", "recent-rest", "others"]
"""The tables in the order of the page: what runs and who is there first, the requests last."""


class OverviewTests(SynchronousTestCase):
    def test_structure(self) -> None:
        """The page has a language, one first heading, its landmarks with names, and headings in their order."""
        page = read(render(status(), NOW))
        self.assertEqual([one.attributes["lang"] for one in page.all("html")], ["en"])
        self.assertEqual([one.text for one in page.all("h1")], ["atlas"])
        self.assertEqual([one.text for one in page.all("title")], ["atlas - pacserve"])
        self.assertEqual([len(page.all(tag)) for tag in ("header", "main", "footer")], [1, 1, 1])
        self.assertEqual([one.attributes["role"] for one in page.all("form")], ["search"])
        sections = page.all("section")
        self.assertEqual([page.one(one.attributes["aria-labelledby"] or "").tag for one in sections], ["h2"] * len(sections))
        self.assertEqual([one.tag for one in page.all() if one.tag in ("h1", "h2", "h3", "h4")], ["h1"] + ["h2"] * len(sections))
        self.assertEqual(page.one((page.all("a")[0].attributes["href"] or "")[1:]).tag, "main")
        self.assertEqual([one.attributes["for"] for one in page.all("label")], [one.attributes["id"] for one in page.all("input")])
        self.assertEqual([one.attributes["aria-labelledby"] for one in sections], [
            f"{name}-heading" for name in ("totals", "transfers", "peers", "traffic", "mirrors", "recent", "host")])  # fmt: skip

    def test_first(self) -> None:
        """The first thing in the page is whether all is well, then the share that was saved."""
        page = read(render(status(), NOW)).one("main")
        ids = [one.attributes["id"] for one in page.all() if one.attributes.get("id") in ("health", "share", "transfers", "peers", "hour-plot")]
        self.assertEqual(ids, ["health", "share", "transfers", "peers", "hour-plot"])

    def test_tables(self) -> None:
        """Each table has a caption, each of its headings a scope, and each cell is of the column that it says."""
        tables = read(render(status(), NOW)).all("table")
        self.assertEqual([one.attributes["id"] for one in tables], TABLES)
        for table in tables:
            self.assertEqual([bool(one.text) for one in table.all("caption")], [True])
            self.assertLessEqual({one.attributes["scope"] for one in table.all("th")}, {"col", "row"})
            columns = [one.text for one in table.all("th") if one.attributes["scope"] == "col"]
            for row in table.all("tbody")[0].all("tr"):
                self.assertEqual([one.attributes["data-label"] for one in row.all("td")], columns[1:])

    def test_times(self) -> None:
        """Each time says which one it is, for machines."""
        times = read(render(status(), NOW)).all("time")
        self.assertGreater(len(times), 20)
        for time in times:
            self.assertRegex(time.attributes["datetime"] or "", r"\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")

    def test_self_contained(self) -> None:
        """What the page loads is its own: one stylesheet, one script, one icon."""
        page = read(render(status(), NOW))
        self.assertEqual([one.attributes["href"] for one in page.all("link")], ["/static/icon.svg", "/static/page.css"])
        self.assertEqual([(one.attributes["src"], one.text) for one in page.all("script")], [("/static/page.js", "")])

    def assert_well_formed(self, page: Element) -> None:
        """Asserts that ids are unique, and that there are no other attributes than the page's."""
        ids = Counter(one.attributes["id"] for one in page.all() if "id" in one.attributes)
        self.assertEqual([name for name, count in ids.items() if count > 1], [])
        self.assertLessEqual({name for one in page.all() for name in one.attributes}, ATTRIBUTES)

    def test_empty(self) -> None:
        """A daemon without peers, mirrors, downloads, traffic, spool, name, that was never asked, has a page which says so."""
        page = read(render(EMPTY, NOW))
        self.assert_well_formed(page)
        for name in TABLES:
            self.assertIn("hidden", page.one(name).attributes)
            self.assertNotIn("hidden", page.one(f"{name}-empty").attributes)
        self.assertEqual([one.text for one in page.all("h1")], ["This host"])
        for text in changing(EMPTY, NOW).values():
            json.loads(text)

    def test_bounded(self) -> None:
        """A thousand peers make no larger a page than two hundred, and the most hostile names no endless one."""
        one = PeerStatus("\u202e" * 9999, HOSTILE * 99, HOSTILE, True, HOSTILE * 99, "\x00" * 9999, 2**31, 1.0, 1.0, 9, 2**62, 0, HOSTILE * 99)
        sizes = [len(render(dataclasses.replace(status(), peers=(one,) * count), NOW)) for count in (200, 1000, 5000)]
        self.assertLess(sizes[2] - sizes[0], 100)
        self.assertLess(sizes[0], 2 * 1024 * 1024)
        self.assertLess(len(render(status(peers=1000), NOW)), 150 * 1024)
        self.assertLess(sum(map(len, changing(status(peers=1000), NOW).values())), 100 * 1024)

    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.data_too_large])
    @given(of(Status), st.floats(0, 1e12) | st.floats(1.79e9, 1.8e9))
    def test_anything(self, whole: Status, now: float) -> None:
        """Whatever other hosts call themselves and their files, it is text: elements and attributes are those of harmless names."""
        page = read(render(whole, now))
        self.assert_well_formed(page)
        self.assertEqual(page.skeleton(), read(render(tame(whole), now)).skeleton())
        self.assertEqual([one.text for one in page.all("title")], [clean(whole.host.name or "This host") + " - pacserve"])
        if whole.apt is None or not whole.host.no_pacman:
            self.assertEqual([row[0] for row in page.cells("mirrors")], [clean(one.url) for one in whole.mirrors])
        if whole.apt is not None:
            self.assertEqual([row[0] for row in page.cells("apt-mirrors")], [clean(one.url) for one in whole.apt.mirrors])
        self.assertEqual(len(page.cells("transfers")), len(whole.transfers))

    @pytest.mark.slow
    @settings(suppress_health_check=[HealthCheck.data_too_large])
    @given(of(Status), st.floats(1.79e9, 1.8e9))
    def test_live(self, whole: Status, now: float) -> None:
        """What is told live is JSON on one line, has a place in the page for each part, and the rows that the page was loaded with."""
        page, told = read(render(whole, now)), changing(whole, now)
        for name, text in told.items():
            self.assertTrue(name.replace("-", "").isalpha() and text.isascii() and text.isprintable())
        parts = {name: json.loads(text) for name, text in told.items()}
        for name in parts.pop("values"):
            page.one(name)
        for name, part in parts.items():
            if not name.endswith("-plot"):
                live = [[cell if isinstance(cell, str) else cell.get("note", cell["text"]) for cell in row] for row in part["rows"]]
                shown = page.cells(name)
                self.assertEqual([len(row) for row in live], [len(row) for row in shown])
                for row, texts in zip(live, shown, strict=True):
                    for text, seen in zip(row, texts, strict=True):
                        self.assertTrue(seen.endswith(text))
            else:
                self.assertEqual(len(part["bars"]), len(page.one(name).all("path")))

    def test_script(self) -> None:
        """The script knows the tables and plots that it is told of, and no others."""
        script = files("pacserve.page").joinpath("static", "page.js").read_text(encoding="utf-8")
        tables, plots = (set(re.findall(r"[a-z-]+", re.findall(rf"const {name} = \[(.*)\]", script)[0])) for name in ("TABLES", "PLOTS"))
        told = changing(dataclasses.replace(status(), apt=APT), NOW)
        self.assertEqual({"values", *tables, *(f"{name}-plot" for name in plots)}, set(told))

    def test_apt(self) -> None:
        """A host that answers apt has a table of its mirrors, and one of pacman's only where there is pacman."""
        both = dataclasses.replace(status(), apt=APT)
        alone = dataclasses.replace(both, host=dataclasses.replace(both.host, no_pacman="there is no /etc/pacman.conf"), mirrors=())
        for whole, headings in ((both, ["Mirrors of pacman", "Mirrors of apt"]), (alone, ["Mirrors of apt"])):
            page = read(render(whole, NOW))
            self.assert_well_formed(page)
            self.assertEqual([one.text for one in page.all("h2") if "Mirrors" in one.text], headings)
            self.assertEqual(page.cells("apt-mirrors")[0], ["http://deb.debian.org", "well", "9.10 MiB/s", "/debian, /debian-security"])
            self.assertEqual("mirrors" in changing(whole, NOW), len(headings) > 1)
        self.assertNotIn("pacman", " ".join([one.text for one in page.one("main").all() if one.tag in ("dt", "dd", "p", "h2", "caption")]))

    def test_nothing_changes(self) -> None:
        """As time goes by and nothing happens nothing is told."""
        earlier = status()
        later = dataclasses.replace(
            earlier,
            host=dataclasses.replace(earlier.host, multicast_heard=17.0, info_asked=36.0),
            peers=tuple([dataclasses.replace(one, heard=None if one.heard is None else one.heard + 5) for one in earlier.peers]),
        )
        self.assertEqual(changing(earlier, NOW), changing(later, NOW + 5))
