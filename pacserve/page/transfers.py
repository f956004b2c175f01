"""The running downloads."""

from __future__ import annotations

from pacserve.page.files import shown_name
from pacserve.page.hosts import HostNames, shares_cell, source_cell
from pacserve.page.table import MOST_ROWS, Cell, Table
from pacserve.page.text import duration, rate, size
from pacserve.report.status import TransferStatus

_ANNOUNCED_STEP = 25
"""Per cent between two announcements: users would switch off a screen reader that spoke every second."""


def transfers_table(transfers: tuple[TransferStatus, ...], names: HostNames) -> Table:
    """Returns the table of running downloads, in the order in which they began."""
    return Table(
        "transfers",
        "Downloads that run on this host",
        ("Package", "From", "Progress", "#Speed", "#Left", "Checked"),
        tuple([_row(transfer, names) for transfer in transfers[:MOST_ROWS]]),
        "No download is running.",
        max(len(transfers) - MOST_ROWS, 0),
    )


def announcement(transfers: tuple[TransferStatus, ...]) -> str:
    """Returns the sentence that a screen reader says of the downloads; it changes only now and then."""
    if not transfers:
        return "No download is running"
    sizes = [transfer.size for transfer in transfers if transfer.size]
    done = sum([transfer.done for transfer in transfers if transfer.size])
    count = "1 download is" if len(transfers) == 1 else f"{len(transfers)} downloads are"
    if not sizes:
        return f"{count} running"
    return f"{count} running, {_percent(done, sum(sizes)) // _ANNOUNCED_STEP * _ANNOUNCED_STEP} per cent done"


def _row(transfer: TransferStatus, names: HostNames) -> tuple[Cell, ...]:
    speed = transfer.done / transfer.seconds if transfer.seconds > 0 else 0.0
    text, kind = shown_name(transfer.name)
    left = "" if not transfer.size or speed <= 0 else duration(max(transfer.size - transfer.done, 0) / speed)
    return (
        Cell(text, note=", ".join([note for note in (transfer.repository, kind) if note])),
        _source(transfer, names),
        _progress(transfer),
        Cell(rate(speed)),
        Cell(left),
        Cell("by SHA-256") if transfer.verified else Cell("not checked", note="SHA-256 not known", mark="fair"),
    )


def _source(transfer: TransferStatus, names: HostNames) -> Cell:
    if len(transfer.shares) > 1:
        return shares_cell(transfer.shares, names)
    return source_cell(transfer.source, names) if transfer.source else Cell("no host now")


def _progress(transfer: TransferStatus) -> Cell:
    label = f"Progress of {transfer.name}"
    if not transfer.size:
        return Cell(size(transfer.done), waiting=True, label=label)
    percent = _percent(transfer.done, transfer.size)
    return Cell(f"{percent} % of {size(transfer.size)}", percent=percent, label=label)


def _percent(done: int, whole: int) -> int:
    return min(max(100 * done // whole, 0), 100)
