"""The terms on which files are downloaded."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.fetch.rate import UNLIMITED, Limits
from pacserve.lateness import PUNCTUAL, Lateness


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms on which files are downloaded, the same for all downloads of this host.

    Attributes:
        limits: How fast bytes may flow.
        lateness: How late the timers of this process are.
        mirrors_at_once: The number of mirrors that one file is taken from at the same time, at most; with 1 they are asked one after the other.
    """

    limits: Limits = UNLIMITED
    lateness: Lateness = PUNCTUAL
    mirrors_at_once: int = 1


# No limit, no lateness, one mirror after the other.
PLAIN_TERMS = Terms()
