"""Files that are not complete yet, on disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from io import FileIO

PARTIAL = ".partial-"
"""What their names begin with."""

# Bytes of the disk that are left to others.
_FREE_BYTES_KEPT = 64 << 20


def has_room(directory: str, size: int) -> bool:
    """
    Returns whether the disk takes a file of so many bytes, and is not full after that.

    Raises:
        OSError: The folder can't be looked at.
    """
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize >= size + _FREE_BYTES_KEPT


def create(directory: str) -> FileIO:
    """
    A new empty file, hidden.

    Raises:
        OSError: It can't be made.
    """
    path = f"{directory}/{PARTIAL}{secrets.token_hex(8)}"
    return FileIO(path, "x+b", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def path_of(file: FileIO) -> str:
    """
    Returns where a file is.

    Raises:
        OSError: It has no name.
    """
    if not isinstance(file.name, str):
        raise OSError(errno.EINVAL, "a file without a name")
    return file.name


def discard(file: FileIO) -> None:
    """Removes a file that did not become complete."""
    with contextlib.suppress(OSError):
        os.unlink(path_of(file))  # noqa: PTH108
