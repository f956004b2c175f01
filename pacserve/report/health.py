"""Says in one line whether all is well with a daemon.  Rules only."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from pacserve.report.status import FindingStatus


class Health(enum.Enum):
    """How well a daemon is; the value is the level of the finding that decides."""

    UNKNOWN = ""
    WELL = "ok"
    DOUBTFUL = "warning"
    WRONG = "wrong"
    """A person must do something."""


def health_of(findings: Sequence[FindingStatus] | None) -> Health:
    """Returns how well a daemon is."""
    if findings is None:
        return Health.UNKNOWN
    levels = {finding.level for finding in findings}
    return Health.WRONG if Health.WRONG.value in levels else Health.DOUBTFUL if levels else Health.WELL


def health_text(findings: Sequence[FindingStatus] | None) -> str:
    """Returns in words how well a daemon is: `All is well`, `1 thing is wrong, 2 warnings`."""
    if findings is None:
        return "Not checked yet"
    wrong = sum(finding.level == Health.WRONG.value for finding in findings)
    warnings = len(findings) - wrong
    texts = [_counted(wrong, "thing is wrong", "things are wrong"), _counted(warnings, "warning", "warnings")]
    return ", ".join([text for text in texts if text]) or "All is well"


def _counted(count: int, one: str, many: str) -> str:
    return "" if not count else f"{count} {one if count == 1 else many}"
