"""The status page, and the parts of it that change."""

from __future__ import annotations

from collections.abc import Mapping

from pacserve.page.host import facts_html, host_facts, totals
from pacserve.page.layout import document, section
from pacserve.page.recent import recent_table
from pacserve.page.sources import mirrors_table, peers_table
from pacserve.page.table import to_json
from pacserve.page.traffic import DAY, DAYS, HOUR
from pacserve.page.transfers import announcement, transfers_table
from pacserve.report.status import Status


def render(status: Status, now: float) -> bytes:
    """
    Returns the status page.

    Args:
        now: Seconds since the epoch.
    """
    minutes, hours, days = status.traffic.minutes, status.traffic.hours, status.traffic.days
    live = f'<p id="live" class="live" hidden></p>\n<p id="announcement" class="unseen" role="status">{announcement(status.transfers)}</p>\n'
    main = (
        live
        + section("totals", "What was saved", facts_html(totals(status), "tiles", now))
        + section("transfers", "Running downloads", transfers_table(status.transfers).html(now))
        + section("traffic", "Traffic by origin", HOUR.html(minutes, now) + DAY.html(hours, now) + DAYS.html(days, now))
        + section("peers", "Peers", peers_table(status.peers, now).html(now))
        + section("mirrors", "Mirrors", mirrors_table(status.mirrors).html(now))
        + section("recent", "The last requests", recent_table(status.recent).html(now))
        + section("host", "This host", facts_html(host_facts(status, now), "facts", now))
    )
    return document(status.host.name or "This host", main, now, live=True)


def changing(status: Status, now: float) -> Mapping[str, str]:
    """
    Returns the parts that may change while the page is open, as JSON by the name of the part.

    Times are given as moments, so that nothing changes only because time passes.

    Args:
        now: Seconds since the epoch.
    """
    minutes, hours, days = status.traffic.minutes, status.traffic.hours, status.traffic.days
    values = {key: cell.live() for key, (_, cell) in {**totals(status), **host_facts(status, now)}.items()}
    return {
        "values": to_json({**values, "announcement": announcement(status.transfers)}),
        "transfers": transfers_table(status.transfers).live(),
        "peers": peers_table(status.peers, now).live(),
        "mirrors": mirrors_table(status.mirrors).live(),
        "recent": recent_table(status.recent).live(),
        "hour-plot": HOUR.live(minutes, now),
        "hour": HOUR.table(minutes, now).live(),
        "day-plot": DAY.live(hours, now),
        "day": DAY.table(hours, now).live(),
        "days-plot": DAYS.live(days, now),
        "days": DAYS.table(days, now).live(),
    }
