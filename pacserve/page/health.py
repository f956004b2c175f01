"""The first line of the page: whether all is well; below it the troubles that were found, with what to do about each."""

from __future__ import annotations

from pacserve.page.table import MOST_ROWS, Cell, Table
from pacserve.page.text import number
from pacserve.report.health import Health, health_of, health_text
from pacserve.report.status import FindingStatus, Status

_MARKS = {Health.UNKNOWN: "quiet", Health.WELL: "good", Health.DOUBTFUL: "fair", Health.WRONG: "bad"}
_LEVELS = {Health.DOUBTFUL.value: "fair", Health.WRONG.value: "bad"}


def health_cells(status: Status) -> dict[str, Cell]:
    """Returns the parts of the line, by the ids of their elements."""
    count = len(status.peers)
    peers = "1 peer" if count == 1 else f"{number(count)} peers"
    return {
        "health": Cell(health_text(status.findings), mark=_MARKS[health_of(status.findings)]),
        "about": Cell(f"pacserve {status.host.version}, {peers}"),
    }


def health_html(status: Status, now: float) -> str:
    """Returns the line."""
    cells = health_cells(status)
    line = " ".join([f'<span id="{key}">{cell.html(now)}</span>' for key, cell in cells.items()])
    live = '<span id="live" class="live" hidden></span>'
    return f'<p class="health">{line} {live}</p>\n'


def findings_table(findings: tuple[FindingStatus, ...]) -> Table:
    """Returns the table of troubles, those first that a person must mend."""
    shown = sorted(findings, key=lambda finding: finding.level != Health.WRONG.value)[:MOST_ROWS]
    return Table(
        "findings",
        "Troubles of this host; pacsrv doctor checks more",
        ("Check", "Trouble", "Cure"),
        tuple([(Cell(one.check), Cell(one.text, mark=_LEVELS.get(one.level, "")), Cell(one.cure)) for one in shown]),
        "",
        max(len(findings) - MOST_ROWS, 0),
    )
