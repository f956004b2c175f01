"""A journal of a file that is only looked at."""

from __future__ import annotations

from pacserve.transfer.stores import Record


class Notes(Record):
    """
    Remembers what it is told.

    Attributes:
        taken: The spans, `held` and `written down`, in their order.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[int, int] | str] = []

    def add(self, first: int, end: int) -> None:
        self.taken.append((first, end))

    def hold(self) -> None:
        self.taken.append("held")

    def write_down(self) -> None:
        self.taken.append("written down")
