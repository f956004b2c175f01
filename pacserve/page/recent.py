"""The last requests: those of this host with the reason of each decision, and those of other hosts, counted in one line."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.packages.names import is_signature, signed_file
from pacserve.page.files import NamedFile, named_file
from pacserve.page.hosts import HostNames, host_of_url, shares_cell
from pacserve.page.table import Cell, Table, folded
from pacserve.page.text import milliseconds, number, size
from pacserve.report.origins import Origin, origin_of
from pacserve.report.status import Record
from pacserve.web.origins import shares_in

FIRST_REQUESTS = 10
"""Requests that are shown; the others are folded below them."""

REQUESTS_SHOWN = 30
"""Requests of this host, and likewise of others, that can be seen."""

_ABSENT = 404
_REFUSALS = {  # by status: the answer in words, the reason, the mark
    403: ("not allowed", "--clients and --peers say who may ask", "fair"),
    405: ("refused", "the method is neither GET nor HEAD", "fair"),
    421: ("refused", "the name in the URL is not one of this host's: add it with --name", "bad"),
    503: ("not now", "it could not be had, and can be asked for again", "fair"),
    504: ("not known", "some hosts could not say whether they have it", "fair"),
}


def own_tables(recent: Iterable[Record], names: HostNames) -> tuple[Table, Table]:
    """Returns the table of this host's last requests, the latest first, and a folded one with earlier ones."""
    rows = _rows([record for record in recent if record.own])
    table = Table(
        "recent",
        "The last requests of programs on this host; a signature is listed with its package",
        ("Asked for", "When", "Answer", "From", "#Size", "#Took"),
        tuple([_own_row(record, file, names) for record, file in rows[:REQUESTS_SHOWN]]),
        "No program of this host has asked for anything yet.",
    )
    return folded(table, FIRST_REQUESTS, "earlier requests")


def others_table(recent: Iterable[Record], names: HostNames) -> Table:
    """Returns the table of other hosts' last requests, the latest first, folded behind a line that counts them."""
    records = [record for record in recent if not record.own]
    sent = sum([record.size or 0 for record in records if _was_sent(record)])
    absent = sum([record.status == _ABSENT for record in records])
    rows = _rows(records)
    return Table(
        "others",
        "The last requests of other hosts; a signature is listed with its package",
        ("Asked for", "By", "When", "Answer", "From", "#Size"),
        tuple([_other_row(record, file, names) for record, file in rows[:REQUESTS_SHOWN]]),
        "",
        max(len(rows) - REQUESTS_SHOWN, 0),
        f"{number(len(records))} requests of other hosts: they got {size(sent)}, and {number(absent)} times it was not here",
    )


def _rows(records: Iterable[Record]) -> list[tuple[Record, NamedFile]]:
    """
    Returns requests with the files that they name, the latest first.

    The request for a signature is left out next to the one for its file by the same client, unless it went wrong.
    """
    rows: list[tuple[Record, NamedFile] | None] = []
    # The places of signatures that wait for their files, and the files that have had no signature, by client and file.
    signatures: dict[tuple[str, str], int] = {}
    unsigned: set[tuple[str, str]] = set()
    for record in sorted(records, key=lambda record: -record.at):
        file = named_file(record.path)
        key = record.client, signed_file(file.name)
        if not is_signature(file.name):
            place = signatures.pop(key, None)
            if place is None:
                unsigned.add(key)
            else:
                rows[place] = None
        elif record.status < 400 or record.status == _ABSENT:
            if key in unsigned:
                unsigned.remove(key)
                continue
            signatures[key] = len(rows)
        rows.append((record, file))
    return [row for row in rows if row is not None]


def _own_row(record: Record, file: NamedFile, names: HostNames) -> tuple[Cell, ...]:
    return (
        Cell(file.text, note=file.note),
        Cell(at=record.at),
        _answer(record),
        _source(record, file, names),
        Cell("" if record.size is None or record.status >= 400 else size(record.size)),
        Cell(milliseconds(record.seconds)),
    )


def _other_row(record: Record, file: NamedFile, names: HostNames) -> tuple[Cell, ...]:
    asked, when, answer, source, amount, _ = _own_row(record, file, names)
    return asked, names.client(record), when, answer, source, amount


def _was_sent(record: Record) -> bool:
    return record.method == "GET" and record.status in (200, 206)


def _answer(record: Record) -> Cell:
    """Returns in words how a request was answered.  Red is for what a person must mend: that a file is not here is a usual answer."""
    if not record.ended:
        return Cell("cut short", mark="fair")
    if record.status == _ABSENT:
        return Cell("not here", mark="quiet")
    if record.status >= 400:
        words, _, mark = _REFUSALS.get(record.status, ("refused", "", "fair") if record.status < 500 else ("failed", "", "bad"))
        return Cell(words, mark=mark, note=str(record.status))
    if record.method == "HEAD":
        return Cell("is here")
    return Cell("redirected" if record.redirected else "unchanged" if record.status == 304 else "sent")


def _source(record: Record, file: NamedFile, names: HostNames) -> Cell:
    """Returns the host or folder that the answer came from, and the reason for it."""
    if record.status >= 400:
        _, reason, _ = _REFUSALS.get(record.status, ("", "", ""))
        asked = f"asked: {record.origin}" if record.origin else ""
        return Cell(note="; ".join([text for text in (reason, asked) if text]))
    shares, arrived = shares_in(record.origin)
    if shares:
        return shares_cell(shares, names, arrived)
    kind, _, rest = record.origin.partition(" ")
    source, _, how = rest.partition(", ")
    match origin_of(record.origin, record.status):
        case Origin.CACHE if kind == "cache":
            return Cell("this host's cache")
        case Origin.PEERS:
            name, address = names.endpoint(source)
            return Cell(name, note=", ".join([text for text in (address, how) if text]))
        case Origin.MIRRORS if source:
            reason = f", {how}" if how else ": no host on the LAN had it" if file.package else ""
            return Cell(host_of_url(source), note=f"mirror{reason}")
    return Cell(record.origin)
