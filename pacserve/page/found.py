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
        package: The name of its package; of a file whose name says none, the whole name.
        version: Empty where the name of the file says none.
        repositories: Those whose databases name it; empty for a file that only caches have.
        size: Bytes.
        holders: The hosts that hold the file, as they are shown: `this host`, `10.0.0.3:15678`; empty where only a database names it.
        newest: True if no newer version of the package was found.
    """

    package: str
    version: str
    repositories: tuple[str, ...]
    size: int
    holders: tuple[str, ...]
    newest: bool = True


def render_found(query: str, found: Sequence[Found], host: str, now: float) -> bytes:
    """Returns the page that answers a search."""
    table = Table(
        "found",
        f"Packages whose file name contains {query}",
        ("Package", "Version", "Repository", "#Size", "Held by"),
        tuple([_row(one) for one in found[:MOST_ROWS]]),
        _nothing(query),
        max(len(found) - MOST_ROWS, 0),
    )
    return document(f"Search on {host}", section("results", "Search results", table.html(now)), now, query=query)


def _row(found: Found) -> tuple[Cell, ...]:
    return (
        Cell(found.package),
        Cell(found.version, note="newest", mark="good") if found.newest else Cell(found.version, note="older"),
        Cell(", ".join(found.repositories)) if found.repositories else Cell("in no database", mark="quiet"),
        Cell(size(found.size)),
        Cell(_holders(found.holders)) if found.holders else Cell("no host", mark="quiet"),
    )


def _nothing(query: str) -> str:
    if len(query) < SHORTEST_QUERY:
        return f"Type a part of a package's name, at least {SHORTEST_QUERY} characters."
    return f"No database and no host on the LAN has a package whose file name contains {query}."


def _holders(holders: Sequence[str]) -> str:
    named = ", ".join(holders[:_HOLDERS_SHOWN])
    return f"{named} and {len(holders) - _HOLDERS_SHOWN:,} more" if len(holders) > _HOLDERS_SHOWN else named
