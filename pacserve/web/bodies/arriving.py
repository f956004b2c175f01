"""Files that are sent while they arrive, as the web server sees them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class ArrivingFile(Protocol):
    """A file that may still be arriving."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The bytes that it will have; None while that is not known."""

    @property
    @abstractmethod
    def modified(self) -> int | None:
        """Its mtime in seconds since the epoch, where the source stated one."""

    @property
    @abstractmethod
    def etag(self) -> str:
        """A strong entity tag with its quotes; empty where nothing is known that would make one."""

    @property
    @abstractmethod
    def giver(self) -> str:
        """Who gave the last of it, for the access log; empty while nobody has given anything."""

    @abstractmethod
    def reader(self) -> ArrivingReader:
        """For one who reads it from any offset on."""


class ArrivingReader(Protocol):
    """Reads a file while it arrives."""

    @abstractmethod
    def read(self, offset: int, size: int) -> bytes:
        """
        What has arrived, from an offset on; nothing where nothing more has.  What was read is never taken back: another source that goes on gives the
        same bytes, or the file has failed for this reader.
        """

    @abstractmethod
    async def more(self, offset: int) -> bool:
        """Waits until there is something to read at this offset; False when there never will be."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """True if all of the file is there, and right."""

    @abstractmethod
    def close(self) -> None:
        """Reads no more."""
