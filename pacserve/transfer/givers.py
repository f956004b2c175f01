"""Which source gave which bytes of a file.  Rules only."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from pacserve.sources.upstreams import Upstream


@dataclass(frozen=True, slots=True)
class Given:
    """
    Bytes that one source gave.

    Attributes:
        first: The first of them.
        end: The byte behind the last.
    """

    first: int
    end: int
    giver: Upstream


class Givers:
    """Remembers the source of each byte; where two gave the same one, the later."""

    def __init__(self) -> None:
        self._given: list[Given] = []
        self._firsts: list[int] = []

    def __iter__(self) -> Iterator[Given]:
        """Yields the bytes in the order of the file."""
        return iter(list(self._given))

    @property
    def labels(self) -> set[str]:
        """The labels of all sources that gave any."""
        return {given.giver.label for given in self._given}

    @property
    def shares(self) -> dict[str, int]:
        """The number of bytes by the label of the source that gave them, in the order of the file."""
        shares: dict[str, int] = {}
        for given in self._given:
            shares[given.giver.label] = shares.get(given.giver.label, 0) + given.end - given.first
        return shares

    def add(self, first: int, end: int, giver: Upstream) -> None:
        """Notes that a source gave the bytes from `first` to before `end`."""
        if first >= end:
            return
        at = bisect_right(self._firsts, first)
        before = self._given[at - 1] if at else None
        behind = self._given[at] if at < len(self._given) else None
        if before is not None and before.end == first and before.giver is giver and (behind is None or behind.first >= end):
            self._given[at - 1] = Given(before.first, end, giver)  # as nearly always
            return
        self._forget(first, end)
        at = bisect_right(self._firsts, first)
        self._firsts.insert(at, first)
        self._given.insert(at, Given(first, end, giver))

    def between(self, first: int, end: int) -> list[Given]:
        """Returns who gave the bytes from `first` to before `end`, as far as these are known."""
        at = max(0, bisect_right(self._firsts, first) - 1)
        touched = self._given[at : bisect_left(self._firsts, end)]
        return [Given(max(first, given.first), min(end, given.end), given.giver) for given in touched if given.end > first]

    def _forget(self, first: int, end: int) -> None:
        """Forgets the source of these bytes."""
        left, right = bisect_right(self._firsts, first), bisect_left(self._firsts, end)
        if left and self._given[left - 1].end > first:
            left -= 1
        if left >= right:
            return
        before, behind = self._given[left], self._given[right - 1]
        kept = [part for part in (Given(before.first, first, before.giver), Given(end, behind.end, behind.giver)) if part.first < part.end]
        self._given[left:right] = kept
        self._firsts[left:right] = [part.first for part in kept]
