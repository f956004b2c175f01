"""The results of a search across the LAN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pacserve.page.layout import SHORTEST_QUERY, document, section
from pacserve.page.table import MOST_ROWS, Cell, Table
from pacserve.page.text import size

_HOLDERS_SHOWN = 8
"""Hosts that are named for each file; the others are counted."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    A file that a search has found.

    Attributes:
        size: Bytes.
        holders: The hosts that hold the file, as they are shown: `this host`, `10.0.0.3:15678`; empty where only a database names it.
    """

    name: str
    size: int
    holders: tuple[str, ...]


def render_found(query: str, found: Sequence[Found], host: str, now: float) -> bytes:
    """Returns the page that answers a search."""
    table = Table(
        "found",
        f"Files whose name contains {query}",
        ("File", "#Size", "Held by"),
        tuple([(Cell(one.name), Cell(size(one.size)), Cell(_holders(one.holders))) for one in found[:MOST_ROWS]]),
        _nothing(query),
        max(len(found) - MOST_ROWS, 0),
    )
    return document(f"Search on {host}", section("results", "Search results", table.html(now)), now, query=query)


def _nothing(query: str) -> str:
    if len(query) < SHORTEST_QUERY:
        return f"Type a part of a package's name, at least {SHORTEST_QUERY} characters."
    return f"No database and no host on the LAN has a file whose name contains {query}."


def _holders(holders: Sequence[str]) -> str:
    named = ", ".join(holders[:_HOLDERS_SHOWN]) or "no host"
    return f"{named} and {len(holders) - _HOLDERS_SHOWN:,} more" if len(holders) > _HOLDERS_SHOWN else named
