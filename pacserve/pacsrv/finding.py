"""Findings of the doctor's checks."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pacserve.pacsrv.facts import Facts


class Level(enum.Enum):
    """How bad a finding is."""

    WELL = "ok"
    DOUBTFUL = "warning"
    """It may be intended, or may become a problem later."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One outcome of a check.

    Attributes:
        text: What was found, in one line.
        cure: What to do about it, in one line; empty where all is well.
    """

    level: Level
    text: str
    cure: str = ""


Check = Callable[[Facts], Iterable[Finding]]


def well(text: str) -> Finding:
    """Returns a finding that needs no cure."""
    return Finding(Level.WELL, text)


def doubtful(text: str, cure: str) -> Finding:
    """Returns a finding that may be intended."""
    return Finding(Level.DOUBTFUL, text, cure)


def wrong(text: str, cure: str) -> Finding:
    """Returns a finding that needs its cure."""
    return Finding(Level.WRONG, text, cure)


def some(names: Iterable[str], limit: int = 3) -> str:
    """Returns the first names of a list, and how many are left out."""
    every = list(names)
    left = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {left} more" if left > 0 else "")
