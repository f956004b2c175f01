"""A folder with tables of what the indexes of a package system state, from which that is known again after a restart without reading the indexes."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection
from io import FileIO
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from pacserve.errors import FetchError, plain_reason

Stamp = tuple[int, int, int]
"""Tells the versions of a file apart: mtime in nanoseconds, inode, size."""


def stamp_of(path: str) -> Stamp | None:
    """Returns which version of a file there is; None where there is no regular file: opening a pipe would wait for a writer."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for many requests: a Path takes five times as long
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if stat.S_ISREG(found.st_mode) else None


# Not through links, and without waiting for the writer of a FIFO.
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Only its owner may change it, or its content would be somebody else's.
_MODE = 0o600


class Stamped(Protocol):
    """A table, which knows what it was made of."""

    @property
    @abstractmethod
    def stamp(self) -> Stamp:
        """The version of the index that the table was made of."""

    @abstractmethod
    def close(self) -> None:
        """Closes the file."""


T = TypeVar("T", bound=Stamped)


class KeptFiles(Generic[T]):
    """
    Keeps one table for each index, by a name of that.

    A table decides which bytes are taken for a package, as far as pacserve checks them.  So it is believed only if it belongs to the user of this
    process and nobody else can write to it; everything else is as if it were not there.  Where the folder can't be written, tables have no names and
    last as long as the process.

    Args:
        folder: It is made where it is missing.
        suffix: Of the names of the files.
        table: Reads a table from a file, which it closes when it is none; it raises ValueError or OSError then.
    """

    def __init__(self, folder: str, suffix: str, table: Callable[[FileIO], T]) -> None:
        self._folder = folder
        self._suffix = suffix
        self._table = table

    def find(self, name: str, stamp: Stamp) -> T | None:
        """Returns the table of an index of this stamp; None where there is none that can be believed."""
        try:
            file = FileIO(self._path(name), "rb", opener=lambda path, flags: os.open(path, flags | _FLAGS))
        except OSError:
            return None
        with contextlib.suppress(OSError, ValueError):
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                table = self._table(file)
                if table.stamp == stamp:
                    return table
                table.close()
        file.close()
        return None

    async def made(self, name: str, write: Callable[[int], Awaitable[None]]) -> T:
        """
        Returns a new table, and keeps it in the place of the former one.

        Args:
            write: Writes it to a descriptor, by a child process say.

        Raises:
            FetchError: `write` did, what it wrote is no table, or there is no place for it, not even without a name.
        """
        try:
            file = self._create(name)
        except OSError as error:
            raise FetchError(f"no place for what it states: {plain_reason(error)}") from error
        try:
            await write(file.fileno())
            table = self._table(file)
        except (OSError, ValueError) as error:
            self._discard(file)
            raise FetchError(plain_reason(error) if isinstance(error, OSError) else str(error)) from error
        except BaseException:
            self._discard(file)
            raise
        self._keep(name, file)
        return table

    def _create(self, name: str) -> FileIO:
        """Returns an empty file for a new table."""
        path = f"{self._path(name)}.new"
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, mode=0o755, exist_ok=True)  # noqa: PTH103
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - left behind by a daemon that was killed
            return FileIO(path, "x+b", opener=lambda path, flags: os.open(path, flags | _FLAGS, _MODE))
        with tempfile.TemporaryFile(buffering=0) as file:
            return FileIO(os.dup(file.fileno()), "r+b")

    def _keep(self, name: str, file: FileIO) -> None:
        if isinstance(file.name, str):
            with contextlib.suppress(OSError):
                os.rename(file.name, self._path(name))  # noqa: PTH104

    def _discard(self, file: FileIO) -> None:
        file.close()
        if isinstance(file.name, str):
            with contextlib.suppress(OSError):
                os.unlink(file.name)  # noqa: PTH108

    def forget(self, name: str) -> None:
        """Removes the table of an index."""
        with contextlib.suppress(OSError):
            Path(self._path(name)).unlink()

    def forget_others(self, names: Collection[str]) -> None:
        """Removes the tables of all indexes but these."""
        kept = {os.path.basename(self._path(name)) for name in names}  # noqa: PTH119
        with contextlib.suppress(OSError):
            for path in Path(self._folder).iterdir():
                if path.name.endswith(self._suffix) and path.name not in kept:
                    path.unlink()

    def _path(self, name: str) -> str:
        return f"{self._folder}/{quote(name, safe='')}{self._suffix}"
