"""
Looks at the files that pacman.conf consists of.

All of it may wait: a file system of the network that does not answer holds whoever asks it, so it runs in a thread.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.errors import reason_of
from pacserve.pacman.configuration import included

# Files that one configuration consists of; an Include that includes itself must come to an end.
_FILES_LIMIT = 1000
# Bytes of one file that are searched for Include lines.
_BYTES_LIMIT = 1 << 20
# A FIFO that takes the place of a file between two system calls is not waited for.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class SeenFiles:
    """
    The files of a configuration at one moment.

    Attributes:
        stamps: What changes when a file does, by path: mtime, inode and size; None for a file that can't be read.  A file that an Include line begins
            to match is a new entry, so that a comparison notices it.
        trouble: Why the configuration can't be read, or must not be tried to: its first file can't be, or opening one of the others would wait for
            ever.  Empty where nothing is known against it.
        absent: True if there is nothing of the name of the first file.
    """

    stamps: Mapping[str, Stamp]
    trouble: str = ""
    absent: bool = False


def look_at(path: str) -> SeenFiles:
    """Returns the files that a configuration consists of.  Nothing but regular files is opened."""
    stamps: dict[str, Stamp] = {}
    trouble, absent = "", False
    waiting = [path]
    while waiting and len(stamps) < _FILES_LIMIT:
        name = waiting.pop()
        if name in stamps:
            continue
        try:
            stamps[name], text = _read(name)
        except _WaitsError as error:
            stamps[name], trouble = None, trouble or f"{name} {error}, which pacman and pacserve would wait for"
        except (OSError, ValueError) as error:
            stamps[name] = None
            if name == path:
                trouble = f"{path} can't be read: {_reason(error, path)}; name pacman's configuration with --pacman-conf FILE"
                absent = not os.path.lexists(path)
        else:
            for pattern in included(text):
                waiting.extend(glob.glob(pattern))  # noqa: PTH207
    return SeenFiles(stamps, trouble, absent)


class _WaitsError(Exception):
    """Opening the file would wait for another program."""


def _read(name: str) -> tuple[Stamp, str]:
    """
    Returns the stamp and the beginning of a file; of a device, such as /dev/null, no text.

    Raises:
        OSError: It can't be read.
        ValueError: No file has such a name.
        _WaitsError: It is a FIFO or a socket.
    """
    found = os.stat(name)  # noqa: PTH116 - before it is opened: to open a FIFO or a device is noticed elsewhere
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        raise _WaitsError("is a FIFO" if stat.S_ISFIFO(found.st_mode) else "is a socket")
    text = b""
    if not stat.S_ISCHR(found.st_mode):
        descriptor = os.open(name, _FLAGS)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "it is no file")
            text = os.read(descriptor, _BYTES_LIMIT)
        finally:
            os.close(descriptor)
    return (found.st_mtime_ns, found.st_ino, found.st_size), text.decode("utf-8", "surrogateescape")


def _reason(error: OSError | ValueError, path: str) -> str:
    return reason_of(error, path) if isinstance(error, OSError) else str(error)
