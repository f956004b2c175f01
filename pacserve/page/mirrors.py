"""The mirrors and their health."""

from __future__ import annotations

from pacserve.page.table import MOST_ROWS, Cell, Table
from pacserve.page.units import duration, rate
from pacserve.report.status import MirrorStatus

_MARKS = {"well": "good", "slow": "fair", "failed": "bad"}


def mirrors_table(mirrors: tuple[MirrorStatus, ...]) -> Table:
    """In the order of pacman.conf."""
    return Table(
        "mirrors",
        "The mirrors of pacman.conf, and how they did lately",
        ("Mirror", "State", "#Speed", "Repositories"),
        tuple([_row(mirror) for mirror in mirrors[:MOST_ROWS]]),
        "pacman.conf names no mirror.",
        max(len(mirrors) - MOST_ROWS, 0),
    )


def _row(mirror: MirrorStatus) -> tuple[Cell, ...]:
    return (
        Cell(mirror.url),
        Cell(mirror.state + _avoided(mirror.avoided), mark=_MARKS.get(mirror.state, "")),
        Cell("not known" if mirror.rate is None else rate(mirror.rate)),
        Cell(", ".join(mirror.repositories)),
    )


def _avoided(seconds: float) -> str:
    """In minutes, so that the page need not be told every second."""
    if seconds <= 0:
        return ""
    return f", asked last for {'less than a minute' if seconds < 60 else duration(seconds)}"
