"""Limits to how fast bodies are sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from pacserve.packages.files import HeldFile
from pacserve.web.bodies.arriving import ArrivingReader, Span


@dataclass(frozen=True, slots=True)
class Pacing:
    """
    Limits how fast several bodies together are sent.

    Attributes:
        take: Takes the number of bytes that were sent, and returns the seconds until more may be.
    """

    take: Callable[[int], float]
    clock: IReactorTime


class HeldReader(ArrivingReader):
    """Reads a file all of which is there.  The caller that opened the file closes it."""

    def __init__(self, held: HeldFile) -> None:
        self._held = held

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._held.file.fileno(), size, offset)

    def span(self, offset: int, size: int) -> Span:
        return Span(self._held.file.fileno(), max(0, min(size, self._held.size - offset)))

    async def more(self, offset: int) -> bool:
        return offset < os.fstat(self._held.file.fileno()).st_size  # it may have become shorter

    @property
    def whole(self) -> bool:
        return True

    def close(self) -> None:
        """Leaves the file open: it belongs to the caller that opened it."""
        return
