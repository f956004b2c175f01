"""Spans of a file: which of its bytes are there, or are still to be asked for.  Rules only."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""The first byte of a span, and the one behind its last."""


class Spans:
    """Holds bytes of a file as spans in their order, which neither meet nor overlap."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        for first, end in spans:
            self.add(first, end)

    def __iter__(self) -> Iterator[Span]:
        return iter(list(zip(self._firsts, self._ends, strict=True)))

    def __len__(self) -> int:
        """Returns the number of spans."""
        return len(self._firsts)

    @property
    def size(self) -> int:
        """The bytes of all spans together."""
        return sum(self._ends) - sum(self._firsts)

    def add(self, first: int, end: int) -> None:
        """Adds the bytes from `first` to before `end`."""
        if first >= end:
            return
        left = bisect_left(self._ends, first)
        right = bisect_right(self._firsts, end)
        if left < right:
            first, end = min(first, self._firsts[left]), max(end, self._ends[right - 1])
        self._firsts[left:right] = [first]
        self._ends[left:right] = [end]

    def remove(self, first: int, end: int) -> None:
        """Removes the bytes from `first` to before `end`."""
        left, right = bisect_right(self._ends, first), bisect_left(self._firsts, end)
        if first >= end or left >= right:
            return
        kept = [span for span in ((self._firsts[left], first), (end, self._ends[right - 1])) if span[0] < span[1]]
        self._firsts[left:right] = [start for start, _ in kept]
        self._ends[left:right] = [behind for _, behind in kept]

    def end_of(self, position: int) -> int:
        """Returns the end of the span that has the byte at `position`; `position` itself where none has."""
        at = bisect_right(self._firsts, position) - 1
        return max(position, self._ends[at]) if at >= 0 else position

    def missing(self, first: int, end: int) -> Iterator[Span]:
        """Yields the spans between `first` and `end` that are not held."""
        for start, behind in self:
            if behind <= first:
                continue
            if start >= end:
                break
            if first < start:
                yield first, start
            first = behind
        if first < end:
            yield first, end
