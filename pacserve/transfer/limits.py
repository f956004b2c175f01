"""How fast bytes may flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Take = Callable[[int], float]


def _unlimited(_: int) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What limits the flow of bytes: told of those that have arrived, each gives the seconds until more may come.

    Attributes:
        wan: For what comes from mirrors.
        lan: For what comes from peers.
    """

    wan: Take = _unlimited
    lan: Take = _unlimited


UNLIMITED = Limits()
