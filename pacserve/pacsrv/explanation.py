"""`pacsrv why` as text.  Rules only."""

from __future__ import annotations

from pacserve.pacsrv.layout import Cell, Screen, Style, table
from pacserve.pacsrv.text import ago, delay, size
from pacserve.report.status import Record, Why

_VERDICTS = {"used": ("from here", Style.GOOD), "next": ("then", Style.PLAIN), "no": ("not", Style.DIM)}


def show_why(why: Why, now: float, screen: Screen) -> list[str]:
    """
    Returns the lines of it.

    Args:
        now: Seconds since the epoch.
    """
    stated = f"{size(why.size)} as the database states" if why.size is not None else "not known to the database"
    lines = [screen.styled(screen.fitted(f"{why.name} ({why.repository or 'no repository'}; {stated})"), Style.BOLD), ""]
    if why.candidates:
        rows = [(Cell(*_VERDICTS.get(one.verdict, (one.verdict, Style.PLAIN))), one.who, one.reason) for one in why.candidates]
        lines += table(screen, ("NOW", "FROM", "WHY"), rows)
    else:
        lines.append(screen.fitted("nobody could give it now"))
    if not any(one.verdict == "used" for one in why.candidates):
        lines.append(screen.styled(screen.fitted("pacman would be told that it is nowhere"), Style.BAD))
    lines += ["", screen.styled("Last time", Style.BOLD)]
    if not why.last:
        return [*lines, screen.fitted("it was not asked for since pacserve keeps count")]
    requests = [(ago(max(0.0, now - record.at)), record.client, _outcome(record), record.origin or "-", size(record.size)) for record in why.last]
    return lines + table(screen, ("WHEN", "CLIENT", "ANSWER", "FROM", "BYTES"), requests, right=frozenset({4}))


def _outcome(record: Record) -> Cell:
    if record.status >= 400:
        return Cell(f"{record.status}, after {delay(record.seconds)}", Style.BAD)
    if not record.ended:
        return Cell(f"{record.status}, broken off", Style.DOUBTFUL)
    if record.redirected:
        return Cell(f"{record.status}, sent there")
    return Cell(str(record.status))
