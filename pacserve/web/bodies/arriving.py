"""Files that may still be arriving, as the web server reads them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pacserve.web.origins import Share


class ArrivingFile(Protocol):
    """Describes a file that may still be arriving, and opens it for readers."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The bytes of the whole file; None while they are not known."""

    @property
    @abstractmethod
    def modified(self) -> int | None:
        """The time of its last change in seconds since the epoch; None where the source stated none."""

    @property
    @abstractmethod
    def etag(self) -> str:
        """A strong entity tag with its quotes; empty where nothing is known to make one of."""

    @property
    @abstractmethod
    def shares(self) -> Sequence[Share]:
        """The hosts that gave the bytes that have come, for the access log."""

    @abstractmethod
    def reader(self) -> ArrivingReader:
        """Returns a new reader, which reads from any offset on and must be closed."""


class Span(NamedTuple):
    """
    A part of an open file.

    Attributes:
        descriptor: Of the file.
        length: Bytes, from the offset on that was asked for.
    """

    descriptor: int
    length: int


class ArrivingReader(Protocol):
    """Reads a file while it arrives."""

    @abstractmethod
    def read(self, offset: int, size: int) -> bytes:
        """
        Returns up to `size` bytes from an offset on; none where no more have arrived.

        Bytes that were read are never taken back: another source that goes on gives the same bytes, or the file has failed for this reader.

        Raises:
            OSError: The file can't be read any more.
        """

    @abstractmethod
    def span(self, offset: int, size: int) -> Span | None:
        """
        Returns what `read` would, as a part of a file that the kernel can send; its length is 0 where no more have arrived.

        Returns:
            None where the bytes are in no file.
        """

    @abstractmethod
    async def more(self, offset: int) -> bool:
        """Waits until there is a byte at this offset; returns False when there never will be one."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """True if all of the file is there and verified."""

    @abstractmethod
    def close(self) -> None:
        """Ends reading, and lets go of the file."""
