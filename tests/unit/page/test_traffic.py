"""Tests for `pacserve.page.traffic`."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.text import UNITS, clock_time, size
from pacserve.page.traffic import DAY, DAYS, HOUR, ORIGINS, PLOTS, Plot, plots_html
from pacserve.report.status import Bucket
from tests.unit.page.made_up import MIB, NOW, status
from tests.unit.page.reading import Element, read

MINUTE = NOW // 60 * 60
COUNTS = st.integers(0, 2**50)


def bars(page: Element) -> dict[tuple[float, str], float]:
    """The heights of the bars, by their slot and origin."""
    (plot,) = [one for one in page.all("svg") if one.attributes.get("role") == "img"]
    return {
        (float(x) // 10, bar.attributes["class"] or ""): float(height)
        for bar in plot.all("path")
        for x, height in re.findall(r"M([\d.]+) [\d.]+h8v([\d.]+)h-8z", bar.attributes["d"] or "")
    }


class TrafficTests(SynchronousTestCase):
    def assert_plot_is_table(self, plot: Plot, buckets: tuple[Bucket, ...]) -> None:
        """Asserts that each number of the table has its bar, in proportion and one on top of the other."""
        page = read(plot.html(buckets, NOW))
        heights, rows = bars(page), page.cells(plot.id)
        self.assertEqual(len(rows), len(buckets))
        highest = max([one.cache + one.peers + one.mirrors for one in buckets], default=0)
        top = self.assert_grid(page, plot, highest)
        expected: dict[tuple[float, str], float] = {}
        for bucket, row in zip(reversed(buckets), rows, strict=True):
            self.assertEqual(row, [plot.label(bucket.began), size(bucket.cache), size(bucket.peers), size(bucket.mirrors)])
            slot = plot.slots - 1 - (NOW // plot.span - bucket.began // plot.span)
            expected |= {(slot, origin): 100 * getattr(bucket, origin) / top for origin in ORIGINS if getattr(bucket, origin)}
        self.assertEqual(set(heights), set(expected))
        for key, height in heights.items():
            self.assertLess(abs(height - expected[key]), 0.0051)
        self.assertEqual(
            page.one(f"{plot.id}-top").text, f"at most {size(highest)} {'an' if plot.unit == 'hour' else 'a'} {plot.unit}" if highest else "nothing"
        )

    def assert_grid(self, page: Element, plot: Plot, highest: int) -> float:
        """Asserts that there are a few grid lines at round values, in proportion, each with its value; returns the value at the top."""
        lines = [float(line.attributes["y1"] or "") for line in page.one(f"{plot.id}-plot").all("line")]
        texts = page.one(f"{plot.id}-scale").all("text")
        self.assertEqual([f"{y:g}%" for y in lines], [text.attributes["y"] for text in texts])
        if not highest:
            self.assertEqual(lines, [])
            return 1
        values: list[int] = [int(text.text.split()[0]) * 1024 ** UNITS.index(text.text.split()[1]) for text in texts]
        self.assertIn(len(values), (1, 2, 3, 4))
        self.assertTrue(values[-1] >= highest > values[-1] - values[0], (highest, values))
        self.assertEqual(values, [values[0] * number for number in range(1, len(values) + 1)])
        for y, value in zip(lines, values, strict=True):
            self.assertLess(abs(y - 100 * (1 - value / values[-1])), 0.0051)
        return values[-1]

    def test_round_values(self) -> None:
        """The values of the grid are round in the unit of the highest bar."""
        for highest, texts in (
            (38 * MIB, ["10 MiB", "20 MiB", "30 MiB", "40 MiB"]),
            (1, ["1 B"]),
            (5, ["2 B", "4 B", "6 B"]),
            (1023 * MIB, ["500 MiB", "1000 MiB", "1500 MiB"]),
            (1024 * MIB, ["1 GiB"]),
        ):
            page = read(HOUR.html((Bucket(MINUTE, highest, 0, 0),), NOW))
            self.assertEqual([text.text for text in page.one("hour-scale").all("text")], texts)

    def test_ticks(self) -> None:
        """The axis of time has names in equal distances, from the oldest bar to now."""
        for plot, texts in (
            (HOUR, ["-60 min", "-50", "-40", "-30", "-20", "-10", "now"]),
            (DAY, ["-24 h", "-18", "-12", "-6", "now"]),
            (DAYS, ["-30 days", "-20", "-10", "now"]),
        ):
            ticks = read(plot.html((), NOW)).all("svg")[-1].all("text")
            self.assertEqual([tick.text for tick in ticks], texts)
            places = [float((tick.attributes["x"] or "").rstrip("%")) for tick in ticks]
            for number, place in enumerate(places):
                self.assertLess(abs(place - 100 * number / (len(places) - 1)), 0.01)

    def test_choice(self) -> None:
        """One plot is chosen by a radio button, the hour at first: each has a name and is of one group, and a panel of its own."""
        page = read(plots_html(status().traffic, NOW))
        buttons = [one for one in page.all("input") if one.attributes["type"] == "radio"]
        self.assertEqual(["checked" in one.attributes for one in buttons], [True, False, False])
        self.assertEqual({one.attributes["name"] for one in buttons}, {"span"})
        self.assertEqual([(one.attributes["for"], one.text.strip()) for one in page.all("label")], [
            ("span-hour", "Hour"), ("span-day", "Day"), ("span-days", "Month")])  # fmt: skip
        self.assertEqual([one.text for one in page.all("legend")], ["Time span"])
        css = files("pacserve.page").joinpath("static", "page.css").read_text(encoding="utf-8")
        for plot in PLOTS:
            self.assertEqual(page.one(f"{plot.id}-panel").tag, "div")
            self.assertIn(f"#span-{plot.id}:checked", css)
            self.assertIn(f"#{plot.id}-panel", css)

    def test_stacked(self) -> None:
        """The bars of a slot stand on each other, and the highest is measured against the grid."""
        page = read(HOUR.html((Bucket(MINUTE, 2 * MIB, 1 * MIB, 1 * MIB), Bucket(MINUTE - 120, MIB, 0, 0)), NOW))
        found = {bar.attributes["class"]: bar.attributes["d"] for bar in page.all("path")}
        self.assertEqual(found, {"mirrors": "M591 75h8v25h-8z", "peers": "M591 50h8v25h-8z", "cache": "M591 0h8v50h-8zM571 75h8v25h-8z"})

    def test_nothing(self) -> None:
        """Without traffic there are no bars, and the page says so."""
        for plot in (HOUR, DAY, DAYS):
            self.assert_plot_is_table(plot, ())
            self.assert_plot_is_table(plot, (Bucket(NOW // plot.span * plot.span, 0, 0, 0),))

    def test_outside(self) -> None:
        """What is older than the plot, or after now as a clock that was set back has it, is in neither."""
        old, future = Bucket(MINUTE - 60 * 60, 1, 1, 1), Bucket(MINUTE + 60, 1, 1, 1)
        page = read(HOUR.html((old, Bucket(MINUTE - 59 * 60, 0, 5, 0), future), NOW))
        self.assertEqual(page.cells("hour"), [[clock_time(MINUTE - 59 * 60), "0 B", "5 B", "0 B"]])
        self.assertEqual(bars(page), {(0, "peers"): 83.33})

    @example(HOUR, {0: (0, 1, 2)})  # thirds, whose sum is a little above the whole
    @given(st.sampled_from((HOUR, DAY, DAYS)), st.dictionaries(st.integers(0, 23), st.tuples(COUNTS, COUNTS, COUNTS), max_size=8))
    def test_anything(self, plot: Plot, counts: dict[int, tuple[int, int, int]]) -> None:
        """Whatever was counted, the plot has the numbers of the table, and the live bars are those of the page."""
        now = NOW // plot.span * plot.span
        buckets = tuple([Bucket(now - plot.span * ago, *counts[ago]) for ago in sorted(counts, reverse=True)])
        self.assert_plot_is_table(plot, buckets)
        told = json.loads(plot.live(buckets, NOW))
        page = read(plot.html(buckets, NOW))
        self.assertEqual(told["bars"], {bar.attributes["class"]: bar.attributes["d"] for bar in page.all("path")})
        script = files("pacserve.page").joinpath("static", "page.js").read_text(encoding="utf-8")
        allowed = re.findall(r"const PATH = /(.*)/;", script)[0].replace("$", r"\Z")
        for path in told["bars"].values():
            self.assertRegex(path, allowed)
        self.assertEqual(told["top"], page.one(f"{plot.id}-top").text)
        self.assertEqual([text for _, text in told["grid"]], [text.text for text in page.one(f"{plot.id}-scale").all("text")])

    def test_named(self) -> None:
        """A plot is a figure with a caption, an image with a name, a key, and a table behind a summary."""
        page = read(DAYS.html((), NOW))
        (plot,) = [one for one in page.all("svg") if "aria-hidden" not in one.attributes]
        self.assertEqual(plot.attributes["role"], "img")
        for name in (plot.attributes["aria-labelledby"] or "").split():
            self.assertTrue(page.one(name).text)
        self.assertEqual([key.text for key in page.all("li")], ["This host's caches", "Peers", "Mirrors"])
        self.assertEqual([one.text for one in page.all("caption")], ["Traffic of the last 30 days (UTC)"])
        self.assertEqual(len(page.all("summary")), 1)
