"""Looking into the folders of the package caches."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO

from pacserve.packages.names import shared_file

# Not through links, and without waiting for whoever writes a FIFO.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """
    A package file or signature as it lies in a folder.

    Attributes:
        size: Bytes.
        changed: The ctime in seconds since the epoch.
    """

    name: str
    signature: bool
    size: int
    changed: float


@dataclass(frozen=True, slots=True)
class FolderListing:
    """
    What a folder holds.

    Attributes:
        trouble: Why it can't be read, in the words of the system; empty when it can.
        files: Package files and signatures, complete or not.
    """

    folder: str
    trouble: str
    files: Sequence[FoundFile]


def open_file(folder: str, name: str) -> tuple[FileIO, os.stat_result] | None:
    """
    Opens a regular file.

    Args:
        name: A name without a slash.

    Returns:
        None where there is no such file, it is a link or anything else, or may not be read.
    """
    try:
        descriptor = os.open(f"{folder}/{name}", _FLAGS)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            return FileIO(descriptor, "rb"), found
    except OSError:
        pass
    os.close(descriptor)
    return None


def stamp(folder: str) -> int | None:
    """Returns the mtime of a folder in nanoseconds, which changes when a name comes or goes; None where there is no such folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - asked for each /info
    except OSError:
        return None


def list_folder(folder: str, limit: int) -> FolderListing:
    """
    Returns the package files and signatures of a folder.  It may take a while, so it runs in a thread.

    Args:
        limit: The most files.
    """
    files: list[FoundFile] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                parsed = shared_file(entry.name)
                if parsed is None:
                    continue
                try:
                    if not entry.is_file(follow_symlinks=False) or not os.access(entry.path, os.R_OK):
                        continue
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # it has gone meanwhile
                files.append(FoundFile(entry.name, parsed.signature, found.st_size, found.st_ctime))
                if len(files) >= limit:
                    break
    except OSError as error:
        return FolderListing(folder, (error.strerror or str(error)).lower(), ())
    return FolderListing(folder, "", files)
