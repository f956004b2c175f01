"""A process that is late."""

from __future__ import annotations

from pacserve.lateness import Lateness


class LateBy(Lateness):
    """A process whose timers come so many seconds late."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @property
    def seconds(self) -> float:
        return self._seconds
