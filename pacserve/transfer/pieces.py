"""Files of which it is known what each piece must be, so that wrong bytes are found before they are handed on."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from pacserve.errors import FetchError, IntegrityError
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival
from pacserve.transfer.checks import Check, Rejected
from pacserve.transfer.spans import Span, Spans

# How often a piece is asked for again that is wrong.  Each source has one attempt, but where several gave some of it nobody is to blame.
REJECTIONS_LIMIT = 5


class Pieces(Protocol):
    """
    Knows the digests of the pieces of one file.

    Attributes:
        length: The bytes of each piece but the last: at most a few MiB, since a piece is checked at once.
    """

    length: int

    @abstractmethod
    def right(self, index: int, data: bytes) -> bool:
        """Returns whether these bytes are the piece with that number, the first one being 0."""


class PieceCheck(Check):
    """
    Lets bytes be handed on once the piece that they are in was found right.

    A source gave a wrong piece only if another one gave the right one: the digests may be wrong as well.

    Args:
        lied: Told of each source that gave a wrong piece.
    """

    def __init__(self, pieces: Pieces, arrival: Arrival, lied: Callable[[Upstream], object]) -> None:
        self._pieces = pieces
        self._arrival = arrival
        self._size = arrival.file.size or 0
        self._lied = lied
        self._handed_on = arrival.file.written
        self._right = Spans([(0, self._handed_on)])
        self._accused: dict[int, list[Upstream]] = {}
        self._rejections: Counter[int] = Counter()

    def arrived(self, first: int, end: int) -> Sequence[Rejected]:
        length = self._pieces.length
        checked = ((index, self._span(index)) for index in range(first // length, (end - 1) // length + 1))
        found = [self._check(index, *piece) for index, piece in checked if self._is_here(*piece)]
        return [rejected for rejected in found if rejected is not None]

    def review(self, position: int) -> Sequence[Rejected]:
        return self.arrived(position, position + 1) if position < self._size else ()

    def certain(self, position: int, limit: int) -> int:
        return min(self._right.end_of(position), position + limit)

    def _span(self, index: int) -> Span:
        return index * self._pieces.length, min(self._size, (index + 1) * self._pieces.length)

    def _is_here(self, first: int, end: int) -> bool:
        """Returns whether a piece is whole, and was not checked before."""
        file = self._arrival.file
        return file.ahead.end_of(max(first, file.written)) >= end and self._right.end_of(first) < end

    def _check(self, index: int, first: int, end: int) -> Rejected | None:
        """
        Checks a piece.

        Raises:
            FetchError: It was wrong too often.
            IntegrityError: It is wrong, and some of it was handed on before its digest was known.
            OSError: It can't be read again.
        """
        file = self._arrival.file
        if self._pieces.right(index, os.pread(file.file.fileno(), end - first, first)):
            self._right.add(first, end)
            for liar in self._accused.pop(index, ()):
                self._lied(liar)
            return None
        if first < self._handed_on:
            raise IntegrityError("a piece is wrong of which some was handed on")
        self._rejections[index] += 1
        if self._rejections[index] > REJECTIONS_LIMIT:
            raise FetchError("a piece is wrong whichever mirror gives it")
        giver = self._giver(first, end)
        file.ahead.remove(first, end)
        others = self._others(giver) if giver is not None else ()
        for span in others:
            file.ahead.remove(*span)
        if giver is not None:
            self._accused.setdefault(index, []).append(giver)
        return Rejected((first, end), giver, others)

    def _giver(self, first: int, end: int) -> Upstream | None:
        """Returns the source of all these bytes; None where several gave some."""
        found = self._arrival.givers.between(first, end)
        alone = len({given.giver.label for given in found}) == 1 and sum(given.end - given.first for given in found) == end - first
        return found[0].giver if alone else None

    def _others(self, giver: Upstream) -> Sequence[Span]:
        """Returns the bytes of a source that are here, and of which it is not known whether they are right."""
        spans: list[Span] = []
        for first, end in self._arrival.file.ahead:
            for given in self._arrival.givers.between(first, end):
                if given.giver is giver:
                    spans += self._right.missing(given.first, given.end)
        return spans
