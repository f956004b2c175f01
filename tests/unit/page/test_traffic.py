"""Tests for `pacserve.page.traffic`."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.text import clock_time, size
from pacserve.page.traffic import DAY, DAYS, HOUR, ORIGINS, Plot
from pacserve.report.status import Bucket
from tests.unit.page.made_up import MIB, NOW
from tests.unit.page.reading import Element, read

MINUTE = NOW // 60 * 60
COUNTS = st.integers(0, 2**50)


def bars(page: Element) -> dict[tuple[float, str], float]:
    """The heights of the bars, by their slot and origin."""
    (plot,) = page.all("svg")
    return {
        (float(bar.attributes["x"] or "") // 10, bar.attributes["class"] or ""): float(bar.attributes["height"] or "") for bar in plot.all("rect")
    }


class TrafficTests(SynchronousTestCase):
    def assert_plot_is_table(self, plot: Plot, buckets: tuple[Bucket, ...]) -> None:
        """Asserts that each number of the table has its bar, in proportion and one on top of the other."""
        page = read(plot.html(buckets, NOW))
        heights, rows = bars(page), page.cells(plot.id)
        self.assertEqual(len(rows), len(buckets))
        highest = max([one.cache + one.peers + one.mirrors for one in buckets], default=0)
        expected: dict[tuple[float, str], float] = {}
        for bucket, row in zip(reversed(buckets), rows, strict=True):
            self.assertEqual(row, [plot.label(bucket.began), size(bucket.cache), size(bucket.peers), size(bucket.mirrors)])
            slot = plot.slots - 1 - (NOW // plot.span - bucket.began // plot.span)
            expected |= {(slot, origin): 100 * getattr(bucket, origin) / highest for origin in ORIGINS if getattr(bucket, origin)}
        self.assertEqual(set(heights), set(expected))
        for key, height in heights.items():
            self.assertLess(abs(height - expected[key]), 0.0051)
        top = page.one(f"{plot.id}-top").text
        self.assertEqual(top, f"at most {size(highest)} {'an' if plot.unit == 'hour' else 'a'} {plot.unit}" if highest else "nothing")

    def test_stacked(self) -> None:
        """The bars of a slot stand on each other, and the highest fills the plot."""
        page = read(HOUR.html((Bucket(MINUTE, 2 * MIB, 1 * MIB, 1 * MIB), Bucket(MINUTE - 120, MIB, 0, 0)), NOW))
        found = [[bar.attributes[name] for name in ("class", "x", "y", "height")] for bar in page.all("rect")]
        self.assertEqual(sorted(found[:3], key=str), [["cache", "591", "0", "50"], ["mirrors", "591", "75", "25"], ["peers", "591", "50", "25"]])
        self.assertEqual(found[3:], [["cache", "571", "75", "25"]])

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
        self.assertEqual(bars(page), {(0, "peers"): 100})

    @given(st.sampled_from((HOUR, DAY, DAYS)), st.dictionaries(st.integers(0, 23), st.tuples(COUNTS, COUNTS, COUNTS), max_size=8))
    def test_anything(self, plot: Plot, counts: dict[int, tuple[int, int, int]]) -> None:
        """Whatever was counted, the plot has the numbers of the table, and the live bars are those of the page."""
        now = NOW // plot.span * plot.span
        buckets = tuple([Bucket(now - plot.span * ago, *counts[ago]) for ago in sorted(counts, reverse=True)])
        self.assert_plot_is_table(plot, buckets)
        told = json.loads(plot.live(buckets, NOW))
        page = read(plot.html(buckets, NOW))
        self.assertEqual({(x // 10, origin): height for origin, x, _, _, height in told["bars"]}, bars(page))
        self.assertEqual(told["top"], page.one(f"{plot.id}-top").text)

    def test_named(self) -> None:
        """A plot is a figure with a caption, an image with a name, a key, and a table behind a summary."""
        page = read(DAYS.html((), NOW))
        (plot,) = page.all("svg")
        self.assertEqual(plot.attributes["role"], "img")
        for name in (plot.attributes["aria-labelledby"] or "").split():
            self.assertTrue(page.one(name).text)
        self.assertEqual([key.text for key in page.all("li")], ["This host's caches", "Peers", "Mirrors"])
        self.assertEqual([one.text for one in page.all("caption")], ["Traffic of the last 30 days (UTC)"])
        self.assertEqual(len(page.all("summary")), 1)
