"""The folders of the package caches: which files lie there, and which of them are complete."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import FileIO

from pacserve.errors import reason_of
from pacserve.packages.files import SIGNATURE_LIMIT
from pacserve.packages.names import shared_file

# Links are not followed, and a FIFO is not waited for.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """
    A package file or signature as it lies in a folder.

    Attributes:
        size: Bytes.
        changed: The ctime in seconds since the epoch.
        inode: Another file under the same name has another one.
    """

    name: str
    signature: bool
    size: int
    changed: float
    inode: int


@dataclass(frozen=True, slots=True)
class FolderListing:
    """
    The contents of a folder.

    Attributes:
        trouble: Why the folder can't be read, in the words of the system; empty when it can.
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
        None where there is no regular file of that name, or it may not be read.
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
    """Returns the mtime of a folder in nanoseconds, which changes when a file appears or disappears; None where there is no such folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - asked for each /info
    except OSError:
        return None


def list_folder(folder: str, limit: int, known: Mapping[str, FoundFile]) -> FolderListing:
    """
    Returns the package files and signatures of a folder.  It may take a while, so it runs in a thread.

    Args:
        limit: The most files.
        known: Files of an earlier listing that need not be looked at again as long as their names still lead to them: one look at a file costs as
            much as ten of these.
    """
    files: list[FoundFile] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found = known.get(entry.name)
                if found is None or found.inode != entry.inode():
                    found = _look_at(entry)
                if found is not None:
                    files.append(found)
                    if len(files) >= limit:
                        break
    except OSError as error:
        return FolderListing(folder, reason_of(error, folder), ())
    return FolderListing(folder, "", files)


def _look_at(entry: os.DirEntry[str]) -> FoundFile | None:
    """Returns what there is to know of a package file or signature; None for everything else, and for files that can't be read."""
    parsed = shared_file(entry.name)
    if parsed is None:
        return None
    try:
        if not entry.is_file(follow_symlinks=False) or not os.access(entry.path, os.R_OK):
            return None
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # pacman has just removed it
    return FoundFile(entry.name, parsed.signature, found.st_size, found.st_ctime, entry.inode())


# Seconds for which a file that no database names must not have changed: a program that copies a package into the folder writes more often than that.
SETTLING_TIME = 2.0


def complete(size: int, changed: float, now: float, stated: Sequence[int], *, signature: bool) -> bool:
    """
    Returns whether a file under its final name is complete, so that it may be handed on.

    Args:
        size: Its size in bytes.
        changed: Its ctime, in seconds since the epoch.
        now: The time by the same clock.
        stated: The sizes that sync databases state for the file.  Where there are any, they decide.
        signature: True for a detached signature, whose size no database states.
    """
    if signature:
        return size <= SIGNATURE_LIMIT and settled(size, changed, now)
    return size in stated if stated else settled(size, changed, now)


def settled(size: int, changed: float, now: float) -> bool:
    """Returns whether a file is not empty and has not changed lately."""
    return size > 0 and not changed_lately(changed, now)


def changed_lately(changed: float, now: float) -> bool:
    """
    Returns whether a file changed so lately that the program that writes it may not have finished.

    A time far ahead counts as old: after the clock was set back, files must not be hidden until it has caught up.
    """
    return abs(now - changed) < SETTLING_TIME
