"""Traffic by origin, as a plot and as a table: one of three time spans, chosen by radio buttons, so that it works without scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pacserve.page.table import Cell, Table, to_json
from pacserve.page.text import UNITS, clock_time, day, escape, size
from pacserve.report.status import Bucket, TrafficStatus

ORIGINS = ("mirrors", "peers", "cache")
"""From the bottom of a bar to its top."""

_NAMES = {"cache": "This host's caches", "peers": "Peers", "mirrors": "Mirrors"}
_HEIGHT = 100
"""The height of the highest bar in the plot's own units; the browser stretches the plot to the space that it has."""
_SLOT = 10
"""The width of a bar and the gap beside it, in the plot's own units."""
_GAP = 2
_MOST_LINES = 4
"""Grid lines of a plot: few enough for a phone."""
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""The distances of grid lines, in the unit of the highest bar."""

Line = tuple[float, str]
"""The y of a grid line, and its value in words."""


@dataclass(frozen=True, slots=True)
class Plot:
    """
    Bars of equal spans of time, of which the last is the present.

    Attributes:
        id: Unique in the page.
        span: Seconds of a bar.
        slots: The number of bars.
        choice: The name of the plot where it is chosen.
        unit: The name of a bar's time span.
        ticks: The number of equal parts that the time axis is divided into.
        tick_unit: The unit of the time axis, in short.
        label: Returns the name of a bar from the begin of its bucket.
    """

    id: str
    choice: str
    heading: str
    span: int
    slots: int
    unit: str
    ticks: int
    tick_unit: str
    label: Callable[[float], str]

    def html(self, buckets: tuple[Bucket, ...], now: float) -> str:
        """Returns the plot and, folded below it, the table."""
        highest = self._highest(buckets, now)
        lines = _grid(highest)
        scale = "".join([f'<text x="100%" y="{y:g}%" dy=".35em">{escape(text)}</text>' for y, text in lines])
        grid = "".join([f'<line x1="0" x2="{self.slots * _SLOT}" y1="{y:g}" y2="{y:g}"/>' for y, _ in lines])
        bars = "".join([f'<path class="{origin}" d="{path}"/>' for origin, path in self._bars(buckets, now).items()])
        keys = "".join([f'<li><span class="key {origin}"></span>{escape(_NAMES[origin])}</li>' for origin in reversed(ORIGINS)])
        return (
            f'<div id="{self.id}-panel"><figure><figcaption id="{self.id}-title">{escape(self.heading)}</figcaption>\n'
            f'<p class="top" id="{self.id}-top">{escape(self._top(highest))}</p>\n'
            f'<div class="chart"><svg id="{self.id}-scale" class="scale" aria-hidden="true">{scale}</svg>\n'
            f'<svg id="{self.id}-plot" class="plot" role="img" aria-labelledby="{self.id}-title {self.id}-top"'
            f' viewBox="0 0 {self.slots * _SLOT} {_HEIGHT}" preserveAspectRatio="none">{grid}{bars}</svg>\n'
            f'<svg class="ticks" aria-hidden="true">{self._ticks()}</svg></div>\n'
            f'<ul class="keys">{keys}</ul></figure>\n'
            f"<details><summary>{escape(self.heading)} as a table</summary>\n{self.table(buckets, now).html(now)}</details></div>\n"
        )

    def live(self, buckets: tuple[Bucket, ...], now: float) -> str:
        """Returns the JSON of the bars and the grid."""
        highest = self._highest(buckets, now)
        return to_json({"top": self._top(highest), "grid": _grid(highest), "bars": self._bars(buckets, now)})

    def table(self, buckets: tuple[Bucket, ...], now: float) -> Table:
        """Returns the table of all bars, the latest first."""
        rows = [
            (Cell(self.label(one.began)), Cell(size(one.cache)), Cell(size(one.peers)), Cell(size(one.mirrors)))
            for one in reversed(self._shown(buckets, now))
        ]
        heading = f"{self.heading} (UTC)"
        columns = (self.unit.capitalize(), *(f"#{_NAMES[origin]}" for origin in reversed(ORIGINS)))
        return Table(self.id, heading, columns, tuple(rows), "No file was asked for.")

    def _ticks(self) -> str:
        """Returns the names of points in time along the axis."""
        texts = []
        for tick in range(self.ticks):
            ago = self.slots - self.slots * tick // self.ticks
            texts.append(f'<text x="{100 * tick / self.ticks:.4g}%" y="1em">-{ago}{"" if tick else f" {self.tick_unit}"}</text>')
        return "".join([*texts, '<text x="100%" y="1em">now</text>'])

    def _shown(self, buckets: tuple[Bucket, ...], now: float) -> list[Bucket]:
        return [one for one in buckets if 0 <= self._slot(one, now) < self.slots]

    def _slot(self, bucket: Bucket, now: float) -> int:
        return self.slots - 1 - int(now // self.span - bucket.began // self.span)

    def _highest(self, buckets: tuple[Bucket, ...], now: float) -> int:
        return max([one.cache + one.peers + one.mirrors for one in self._shown(buckets, now)], default=0)

    def _top(self, highest: int) -> str:
        article = "an" if self.unit == "hour" else "a"
        return f"at most {size(highest)} {article} {self.unit}" if highest else "nothing"

    def _bars(self, buckets: tuple[Bucket, ...], now: float) -> dict[str, str]:
        """Returns the bars of each origin as one path (SVG 2, 9.3): an element for each bar would be a quarter of the page."""
        top = _scale(self._highest(buckets, now))[0]
        paths: dict[str, list[str]] = {origin: [] for origin in ORIGINS}
        width = _SLOT - _GAP
        for bucket in self._shown(buckets, now):
            below = 0.0
            for origin in ORIGINS:
                count: int = getattr(bucket, origin)
                height = _HEIGHT * count / top
                if count > 0:
                    x, y = self._slot(bucket, now) * _SLOT + _GAP // 2, max(0.0, _HEIGHT - below - height)  # a sum of thirds is above the top
                    paths[origin].append(f"M{x} {_short(y)}h{width}v{_short(height)}h-{width}z")
                below += height
        return {origin: "".join(path) for origin, path in paths.items()}


def _scale(highest: int) -> tuple[int, int, str]:
    """Returns the value at the top of a plot, the distance of its grid lines, and that distance's unit; the values are in bytes."""
    unit, name = 1, UNITS[0]
    for name in UNITS:
        if highest < 1024 * unit or name == UNITS[-1]:
            break
        unit *= 1024
    step = next((step for step in _STEPS if highest <= _MOST_LINES * step * unit), _STEPS[-1]) * unit
    return max(-(-highest // step), 1) * step, step, name


def _grid(highest: int) -> list[Line]:
    """Returns the grid lines of a plot whose highest bar has this many bytes, from the bottom to the top."""
    if not highest:
        return []
    top, step, name = _scale(highest)
    unit = 1024 ** UNITS.index(name)
    return [(round(_HEIGHT * (1 - value / top), 2), f"{value // unit} {name}") for value in range(step, top + 1, step)]


def plots_html(traffic: TrafficStatus, now: float) -> str:
    """Returns the plots of all time spans, of which the browser shows the one that is chosen."""
    choices = "".join([_choice(plot) for plot in PLOTS])
    plots = "".join([plot.html(buckets, now) for plot, buckets in plots_of(traffic)])
    return f'<fieldset class="choice"><legend>Time span</legend>{choices}</fieldset>\n{plots}'


def _choice(plot: Plot) -> str:
    checked = " checked" if plot is HOUR else ""
    return f'<label for="span-{plot.id}"><input type="radio" name="span" id="span-{plot.id}"{checked}> {plot.choice}</label>'


def plots_of(traffic: TrafficStatus) -> tuple[tuple[Plot, tuple[Bucket, ...]], ...]:
    """Returns the plots, each with what it shows."""
    return tuple(zip(PLOTS, (traffic.minutes, traffic.hours, traffic.days), strict=True))


def _short(value: float) -> str:
    """Returns a number with two digits at most behind the point, and without an exponent."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


HOUR = Plot("hour", "Hour", "Traffic of the last hour", 60, 60, "minute", 6, "min", clock_time)
DAY = Plot("day", "Day", "Traffic of the last 24 hours", 3600, 24, "hour", 4, "h", clock_time)
DAYS = Plot("days", "Month", "Traffic of the last 30 days", 86400, 30, "day", 3, "days", day)
PLOTS = (HOUR, DAY, DAYS)
