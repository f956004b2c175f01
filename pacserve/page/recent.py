"""The last requests, with the reason of each decision."""

from __future__ import annotations

from pacserve.page.table import Cell, Table
from pacserve.page.text import milliseconds, size
from pacserve.report.status import Origin, Record, origin_of

REQUESTS_SHOWN = 30
"""The number of requests that are shown."""

_REFUSALS = {
    403: "this client may not ask",
    404: "no host has it",
    405: "the method is neither GET nor HEAD",
    421: "the name in the URL is not one of this host's",
    504: "some hosts could not say whether they have it",
}


def recent_table(recent: tuple[Record, ...]) -> Table:
    """Returns the table of the last requests, the latest first."""
    shown = sorted(recent, key=lambda record: -record.at)[:REQUESTS_SHOWN]
    return Table(
        "recent",
        f"The last {REQUESTS_SHOWN} requests at most, and why each was answered as it was",
        ("Asked for", "When", "By", "Answer", "Why", "#Size", "#Took"),
        tuple([_row(record) for record in shown]),
        "There have been no requests yet.",
    )


def reason(record: Record) -> str:
    """Returns in words why a request was answered as it was."""
    if record.status >= 400:
        words = _REFUSALS.get(record.status, "refused" if record.status < 500 else "failed")
        return f"{words}; asked: {record.origin}" if record.origin else words
    match origin_of(record.origin, record.status):
        case Origin.CACHE:
            return "a cache of this host has it"
        case Origin.PEERS:
            return f"on the LAN: {record.origin}"
        case Origin.MIRRORS if _is_package(record.path):
            return f"no host on the LAN had it: {record.origin}"
        case Origin.MIRRORS:
            return f"not a package, so it comes from a mirror: {record.origin}"
        case _:
            return record.origin


def _row(record: Record) -> tuple[Cell, ...]:
    how = "redirected" if record.redirected else "sent" if record.status < 400 else "refused"
    return (
        Cell(record.path),
        Cell(at=record.at),
        Cell(record.client),
        Cell(f"{record.status} {how}" if record.ended else f"{record.status} cut short", mark=_mark(record)),
        Cell(reason(record)),
        Cell("" if record.size is None else size(record.size)),
        Cell(milliseconds(record.seconds)),
    )


def _mark(record: Record) -> str:
    if not record.ended:
        return "fair"
    return "bad" if record.status >= 400 else ""


def _is_package(path: str) -> bool:
    return ".pkg.tar" in path.rpartition("/")[2]
