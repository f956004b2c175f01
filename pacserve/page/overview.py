"""The status page, and the parts of it that change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pacserve.page.health import findings_table, health_cells, health_html
from pacserve.page.host import facts_html, host_facts, share_cells, share_html, totals
from pacserve.page.hosts import HostNames
from pacserve.page.layout import document, section
from pacserve.page.recent import others_table, own_tables
from pacserve.page.sources import apt_mirrors_table, mirrors_table, peers_tables
from pacserve.page.table import Cell, Table, to_json
from pacserve.page.traffic import plots_html, plots_of
from pacserve.page.transfers import announcement, transfers_table
from pacserve.report.status import Status


def render(status: Status, now: float) -> bytes:
    """
    Returns the status page.

    Args:
        now: Seconds since the epoch.
    """
    tables = {table.id: table.html(now) for table in _tables(status, now)}
    spoken = f'<p id="announcement" class="unseen" role="status">{announcement(status.transfers)}</p>\n'
    main = (
        health_html(status, now)
        + tables["findings"]
        + spoken
        + section("totals", "Saved from the WAN", share_html(status, now) + facts_html(totals(status), "tiles", now))
        + section("transfers", "Running downloads", tables["transfers"])
        + section("peers", "Peers", tables["peers"] + tables["peers-rest"])
        + section("traffic", "Traffic", plots_html(status.traffic, now))
        + "".join([section(table.id, heading, tables[table.id]) for heading, table in _mirrors(status)])
        + section("recent", "The last requests", tables["recent"] + tables["recent-rest"] + tables["others"])
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
    facts = {key: cell for key, (_, cell) in {**totals(status), **host_facts(status, now)}.items()}
    values: dict[str, Cell] = {**health_cells(status), **share_cells(status), **facts}
    parts = {"values": to_json({**{key: cell.live() for key, cell in values.items()}, "announcement": announcement(status.transfers)})}
    for table in _tables(status, now):
        parts[table.id] = table.live()
    for plot, buckets in plots_of(status.traffic):
        parts[f"{plot.id}-plot"] = plot.live(buckets, now)
        parts[plot.id] = plot.table(buckets, now).live()
    return parts


def _tables(status: Status, now: float) -> Iterator[Table]:
    """Yields the tables of the page, but for those that belong to plots."""
    names = HostNames(status.peers)
    yield findings_table(status.findings or ())
    yield transfers_table(status.transfers, names)
    yield from peers_tables(status.peers, now)
    yield from [table for _, table in _mirrors(status)]
    yield from own_tables(status.recent, names)
    yield others_table(status.recent, names)


def _mirrors(status: Status) -> Iterator[tuple[str, Table]]:
    """Yields the tables of mirrors with their headings, one for each package system that this host has."""
    if status.apt is None:
        yield "Mirrors", mirrors_table(status.mirrors)
        return
    if not status.host.no_pacman:
        yield "Mirrors of pacman", mirrors_table(status.mirrors)
    yield "Mirrors of apt", apt_mirrors_table(status.apt)
