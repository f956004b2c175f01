"""Traffic by origin, as a plot and as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pacserve.page.table import Cell, Table, to_json
from pacserve.page.text import clock_time, day, escape, size
from pacserve.report.status import Bucket

ORIGINS = ("mirrors", "peers", "cache")
"""From the bottom of a bar to its top."""

_NAMES = {"cache": "This host's caches", "peers": "Peers", "mirrors": "Mirrors"}
_HEIGHT = 100
"""The height of the highest bar in the plot's own units; the browser stretches the plot to the space that it has."""
_SLOT = 10
"""The width of a bar and the gap beside it, in the plot's own units."""
_GAP = 2

Bar = tuple[str, float, float, float, float]
"""Origin, x, y, width, height."""


@dataclass(frozen=True, slots=True)
class Plot:
    """
    Bars of equal spans of time, of which the last is the present.

    Attributes:
        id: Unique in the page.
        span: Seconds of a bar.
        slots: The number of bars.
        unit: The name of a bar's time span.
        label: Returns the name of a bar from the begin of its bucket.
    """

    id: str
    heading: str
    span: int
    slots: int
    unit: str
    label: Callable[[float], str]

    def html(self, buckets: tuple[Bucket, ...], now: float) -> str:
        """Returns the plot and, folded below it, the table."""
        highest = self._highest(buckets, now)
        bars = "".join([_rect(bar) for bar in self._bars(buckets, now)])
        keys = "".join([f'<li><span class="key {origin}"></span>{escape(_NAMES[origin])}</li>' for origin in reversed(ORIGINS)])
        return (
            f'<figure><figcaption id="{self.id}-title">{escape(self.heading)}</figcaption>\n'
            f'<p class="top" id="{self.id}-top">{escape(self._top(highest))}</p>\n'
            f'<svg id="{self.id}-plot" class="plot" role="img" aria-labelledby="{self.id}-title {self.id}-top"'
            f' viewBox="0 0 {self.slots * _SLOT} {_HEIGHT}" preserveAspectRatio="none">{bars}</svg>\n'
            f'<p class="axis"><span>{self.slots} {self.unit}s ago</span><span>now</span></p>\n'
            f'<ul class="keys">{keys}</ul></figure>\n'
            f"<details><summary>{escape(self.heading)} as a table</summary>\n{self.table(buckets, now).html(now)}</details>\n"
        )

    def live(self, buckets: tuple[Bucket, ...], now: float) -> str:
        """Returns the JSON of the bars."""
        return to_json({"top": self._top(self._highest(buckets, now)), "bars": self._bars(buckets, now)})

    def table(self, buckets: tuple[Bucket, ...], now: float) -> Table:
        """Returns the table of all bars, the latest first."""
        rows = [
            (Cell(self.label(one.began)), Cell(size(one.cache)), Cell(size(one.peers)), Cell(size(one.mirrors)))
            for one in reversed(self._shown(buckets, now))
        ]
        heading = f"{self.heading} (UTC)"
        columns = (self.unit.capitalize(), *(f"#{_NAMES[origin]}" for origin in reversed(ORIGINS)))
        return Table(self.id, heading, columns, tuple(rows), "No file was asked for.")

    def _shown(self, buckets: tuple[Bucket, ...], now: float) -> list[Bucket]:
        return [one for one in buckets if 0 <= self._slot(one, now) < self.slots]

    def _slot(self, bucket: Bucket, now: float) -> int:
        return self.slots - 1 - int(now // self.span - bucket.began // self.span)

    def _highest(self, buckets: tuple[Bucket, ...], now: float) -> int:
        return max([one.cache + one.peers + one.mirrors for one in self._shown(buckets, now)], default=0)

    def _top(self, highest: int) -> str:
        article = "an" if self.unit == "hour" else "a"
        return f"at most {size(highest)} {article} {self.unit}" if highest else "nothing"

    def _bars(self, buckets: tuple[Bucket, ...], now: float) -> list[Bar]:
        highest = self._highest(buckets, now)
        bars: list[Bar] = []
        for bucket in self._shown(buckets, now):
            below = 0.0
            for origin in ORIGINS:
                count: int = getattr(bucket, origin)
                height = _HEIGHT * count / highest if highest else 0.0
                if count > 0:
                    x, y = self._slot(bucket, now) * _SLOT + _GAP / 2, _HEIGHT - below - height
                    bars.append((origin, x, round(y, 2), float(_SLOT - _GAP), round(height, 2)))
                below += height
        return bars


def _rect(bar: Bar) -> str:
    origin, x, y, width, height = bar
    return f'<rect class="{origin}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'


HOUR = Plot("hour", "Traffic of the last hour", 60, 60, "minute", clock_time)
DAY = Plot("day", "Traffic of the last 24 hours", 3600, 24, "hour", clock_time)
DAYS = Plot("days", "Traffic of the last 30 days", 86400, 30, "day", day)
