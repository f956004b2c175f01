"""A file that is downloaded, of which only matters whether it can be opened."""

from __future__ import annotations

from collections.abc import Sequence

from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader, Span
from pacserve.web.origins import Share


class Opened(ArrivingReader):
    """
    Reads an empty file.

    Attributes:
        closed: True if it was closed.
    """

    closed = False

    def read(self, offset: int, size: int) -> bytes:
        return b""

    def span(self, offset: int, size: int) -> Span | None:
        return None

    async def more(self, offset: int) -> bool:
        return False

    @property
    def whole(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


class Arriving(ArrivingFile):
    """
    An empty file.

    Args:
        shares: What the hosts gave that it is from.

    Attributes:
        error: Raised instead of opening it.
        readers: Those that were opened.
    """

    def __init__(self, *shares: Share, error: OSError | None = None) -> None:
        self._shares = shares
        self.error = error
        self.readers: list[Opened] = []

    @property
    def size(self) -> int | None:
        return 0

    @property
    def modified(self) -> int | None:
        return None

    @property
    def etag(self) -> str:
        return ""

    @property
    def shares(self) -> Sequence[Share]:
        return self._shares

    def reader(self) -> ArrivingReader:
        if self.error is not None:
            raise self.error
        self.readers.append(Opened())
        return self.readers[-1]
