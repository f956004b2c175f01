"""Files on disk that are not complete yet."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from io import FileIO

PARTIAL = ".partial-"
"""The beginning of their names."""

# Bytes that stay free on the disk, for other programs.
_FREE_BYTES_KEPT = 64 << 20


def has_room(directory: str, size: int) -> bool:
    """
    Returns whether the disk takes a file of so many bytes, and is not full after that.

    Raises:
        OSError: The folder can't be read.
    """
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize >= size + _FREE_BYTES_KEPT


def create(directory: str) -> FileIO:
    """
    Returns a new empty file, which is hidden.

    Raises:
        OSError: The file can't be made.
    """
    path = f"{directory}/{PARTIAL}{secrets.token_hex(8)}"
    return FileIO(path, "x+b", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def path_of(file: FileIO) -> str:
    """
    Returns the path of a file.

    Raises:
        OSError: The file has no name.
    """
    if not isinstance(file.name, str):
        raise OSError(errno.EINVAL, "a file without a name")
    return file.name


def discard(file: FileIO) -> None:
    """Removes a file that did not become complete."""
    with contextlib.suppress(OSError):
        os.unlink(path_of(file))  # noqa: PTH108
