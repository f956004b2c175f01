"""Whom this host follows no more, because of what it gave.  Rules only: time comes in as a number of seconds that never become less."""

from __future__ import annotations

import enum
from dataclasses import dataclass

# Seconds for which a host that gave wrong bytes is not followed.
DISTRUST = 3600.0
# How often a host may give nothing, within how many seconds, until it is not followed for a while; a claim that is never used costs each file of
# those who believe it some seconds.
FAILURES_LIMIT = 3
FAILURES_WINDOW = 60.0
AVOIDED = 30.0
_LIMIT = 1024


class Outcome(enum.Enum):
    """What came of following a host."""

    WELL = "well"
    """All that was missing."""
    NOTHING = "nothing"
    LIE = "lie"
    """Wrong bytes."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    since: float = 0.0
    avoided_until: float = 0.0


class Conduct:
    """What is held against hosts, by their instance ids and addresses."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def note(self, name: str, outcome: Outcome, now: float) -> None:
        """A host was followed."""
        record = self._records.pop(name, None) or _Record()
        if outcome is Outcome.WELL:
            record.failures = 0
        elif outcome is Outcome.LIE:
            record.avoided_until = now + DISTRUST
        else:
            if now - record.since >= FAILURES_WINDOW:
                record.failures, record.since = 0, now
            record.failures += 1
            if record.failures >= FAILURES_LIMIT:
                record.failures, record.avoided_until = 0, max(record.avoided_until, now + AVOIDED)
        if not record.failures and record.avoided_until <= now:
            return
        self._records[name] = record  # the last that is forgotten
        if len(self._records) > _LIMIT:
            del self._records[next(iter(self._records))]

    def may_be_followed(self, name: str, now: float) -> bool:
        """Returns whether nothing is held against a host."""
        record = self._records.get(name)
        return record is None or record.avoided_until <= now
