"""The terms on which files are downloaded."""

from __future__ import annotations

from dataclasses import dataclass, field

from pacserve.fetch.rate import UNLIMITED, Limits
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.transfer.lines import Lines


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms on which files are downloaded, the same for all downloads of this host.

    Attributes:
        limits: How fast bytes may come.
        lateness: How late the timers of this process are.
        lines: How downloads share the mirrors.
    """

    limits: Limits = UNLIMITED
    lateness: Lateness = PUNCTUAL
    lines: Lines = field(default_factory=Lines)


# No limit, no lateness, one mirror after the other.
PLAIN_TERMS = Terms()
