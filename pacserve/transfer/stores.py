"""Where the files of downloads are put."""

from __future__ import annotations

import contextlib
import os
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Protocol

from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import reason_of
from pacserve.packages.files import SMALL_FILE_LIMIT, ExpectedFile
from pacserve.transfer import partial
from pacserve.transfer.spans import Span


class Record(Protocol):
    """Takes note of what is there of a file, so that another daemon can go on with it."""

    @abstractmethod
    def add(self, first: int, end: int) -> None:
        """Takes note that the bytes from `first` to before `end` are there: they have been written."""

    @abstractmethod
    def hold(self) -> None:
        """Takes note that bytes of an untrusted source will be there."""

    @abstractmethod
    def write_down(self) -> None:
        """Writes what is not written yet, so that it survives the end of this process."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """
    A file that survives when it does not become complete.

    Attributes:
        spans: The bytes that an earlier download brought.
        held: True if any of these came from an untrusted source.
    """

    file: FileIO
    spans: Sequence[Span]
    held: bool
    record: Record


class Store(Protocol):
    """Has room for files that arrive, and keeps those that are complete."""

    @abstractmethod
    def has_room(self, size: int, sha256: bytes | None = None) -> bool:
        """
        Returns whether the disk takes a file of so many bytes, and is not full after that.

        Args:
            sha256: Its digest, where that is stated: a part of it may be there already.

        Raises:
            OSError: It can't be told, since the folder can't be used.
        """

    @abstractmethod
    def create(self) -> FileIO:
        """
        Returns a new empty file, which nobody sees until it is published.

        Raises:
            OSError: It can't be made.
        """

    def keep(self, name: str, expected: ExpectedFile | None) -> KeptFile | None:
        """
        Returns a file that survives when it does not become complete, with what an earlier download of the same bytes has brought.

        Args:
            expected: What the database states of it.

        Returns:
            None where an empty file is to be used that does not survive.
        """
        return None

    def beginning(self, expected: ExpectedFile | None) -> int:
        """Returns how many bytes from its start on an earlier download has brought of a file that is not downloaded now."""
        return 0

    @abstractmethod
    def publish(self, file: FileIO, name: str, modified: int | None, package: bytes | None = None) -> None:
        """
        Gives a complete file its name.

        Args:
            modified: Its mtime in seconds since the epoch; None, or one to come, for now.
            package: The SHA-256 of the package that the file is; or signs, where it is a signature that came from a mirror.

        Raises:
            OSError: It has gone, or its name can't be taken.
        """

    @abstractmethod
    def discard(self, file: FileIO) -> None:
        """Removes a file that is not to be kept."""

    @abstractmethod
    def leave(self, file: FileIO) -> None:
        """Leaves a file that did not become complete to the next download of it, if it is one of `keep`; otherwise removes it."""

    @abstractmethod
    def failed(self, error: OSError) -> None:
        """Takes note of an error that ended a file of this store while it was written or kept, and logs it once."""


class _NamelessStore(Store):
    """
    Keeps nothing: its files have no names, and are gone with their last reader.

    Args:
        advice: What to do where files can't be written.
    """

    _log = Logger()

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._complaints = Complaints(self._log)

    def publish(self, file: FileIO, name: str, modified: int | None, package: bytes | None = None) -> None:
        self._complaints.about("writing", "")

    def discard(self, file: FileIO) -> None:
        return

    def leave(self, file: FileIO) -> None:
        return

    def failed(self, error: OSError) -> None:
        self._complaints.about("writing", f"files that are only sent through can't be held: {reason_of(error)}; {self._advice}")


class TemporaryStore(_NamelessStore):
    """Has its files in the temporary folder."""

    def __init__(self) -> None:
        super().__init__(f"make room in {tempfile.gettempdir()}, or name another folder with TMPDIR")

    def has_room(self, size: int, sha256: bytes | None = None) -> bool:
        with contextlib.suppress(OSError):
            return partial.has_room(tempfile.gettempdir(), size)
        return False

    def create(self) -> FileIO:
        # The unbuffered form has a descriptor of its own, which outlives the object that tempfile gives.
        with tempfile.TemporaryFile(buffering=0) as file:
            return FileIO(os.dup(file.fileno()), "r+b")


class MemoryStore(_NamelessStore):
    """Has its files in memory (memfd_create(2)), so that a full disk is no obstacle: for small files only."""

    def __init__(self) -> None:
        super().__init__("this host has too little memory")

    def has_room(self, size: int, sha256: bytes | None = None) -> bool:
        return size <= SMALL_FILE_LIMIT

    def create(self) -> FileIO:
        return FileIO(os.memfd_create("pacserve", os.MFD_CLOEXEC), "r+b")
