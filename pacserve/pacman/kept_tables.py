"""The folder with the tables of databases, from which they are known again after a restart without reading the databases."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from io import FileIO
from pathlib import Path
from urllib.parse import quote

from pacserve.pacman.tables import Stamp, Table

# Not through links, and without waiting for the writer of a FIFO.
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Only its owner may change it, or its content would be somebody else's.
_MODE = 0o600


class KeptTables:
    """
    Keeps one table for each repository.

    A table decides which bytes are taken for a package, as far as pacserve checks them.  So it is believed only if it belongs to the user of this
    process and nobody else can write to it; everything else is as if it were not there.  Where the folder can't be written, tables have no names and
    last as long as the process.

    Args:
        folder: It is made where it is missing.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find(self, repo: str, stamp: Stamp) -> Table | None:
        """Returns the table of a database of this stamp; None where there is none that can be believed."""
        try:
            file = FileIO(self._path(repo), "rb", opener=lambda path, flags: os.open(path, flags | _FLAGS))
        except OSError:
            return None
        with contextlib.suppress(OSError, ValueError):
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                table = Table(file)
                if table.stamp == stamp:
                    return table
                table.close()
        file.close()
        return None

    def create(self, repo: str) -> FileIO:
        """
        Returns an empty file for a new table.

        Raises:
            OSError: There is no place for it, not even without a name.
        """
        path = f"{self._path(repo)}.new"
        with contextlib.suppress(OSError):
            os.makedirs(self._folder, mode=0o755, exist_ok=True)  # noqa: PTH103
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - left behind by a daemon that was killed
            return FileIO(path, "x+b", opener=lambda path, flags: os.open(path, flags | _FLAGS, _MODE))
        with tempfile.TemporaryFile(buffering=0) as file:
            return FileIO(os.dup(file.fileno()), "r+b")

    def keep(self, repo: str, file: FileIO) -> None:
        """Keeps a table that was written to a file of `create`, in the place of the former one."""
        if isinstance(file.name, str):
            with contextlib.suppress(OSError):
                os.rename(file.name, self._path(repo))  # noqa: PTH104

    def discard(self, file: FileIO) -> None:
        """Closes and removes a file of `create` that no table was written to."""
        file.close()
        if isinstance(file.name, str):
            with contextlib.suppress(OSError):
                os.unlink(file.name)  # noqa: PTH108

    def forget(self, repo: str) -> None:
        """Removes the table of a repository."""
        with contextlib.suppress(OSError):
            Path(self._path(repo)).unlink()

    def _path(self, repo: str) -> str:
        return f"{self._folder}/{quote(repo, safe='')}.table"
