"""
The folder in which apt keeps the packages that it has downloaded (`Dir::Cache::Archives`, apt.conf(5)).

Nothing is ever written there, links are not followed, and `partial`, in which files grow, is not looked at.  Everything here may wait for a disk, and
so runs in a thread.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

from pacserve.apt.known_digests import DIGESTS_LIMIT, KEPT_BYTES, FileIdentity, decode_digests
from pacserve.cache.folders import open_file

FOLDER_COMMAND = ("apt-config", "shell", "FOLDER", "Dir::Cache::Archives/d")
"""Prints the folder for a shell (apt-config(8))."""

# Bytes that are hashed at once: 20 ms of a slow machine.
PART_BYTES = 4 << 20
_READ_BYTES = 256 << 10
_SUFFIX = ".deb"
# The kept digests decide what a file is taken for, so only their owner may change them.
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Archive:
    """
    A package file of the folder.

    Attributes:
        name: Its name there, which says nothing for certain of what is in it.
        changed: The ctime in seconds since the epoch: about when apt put it there.
    """

    name: str
    identity: FileIdentity
    changed: float


class Hash(Protocol):
    """An object of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Takes in more."""


def parse_folder(output: bytes) -> str | None:
    """Returns the folder that `FOLDER_COMMAND` printed; None where it printed none."""
    try:
        words = shlex.split(output.decode())
    except ValueError:
        return None
    folder = next((word.removeprefix("FOLDER=") for word in words if word.startswith("FOLDER=/")), None)
    return None if folder is None else folder.rstrip("/") or None


def list_archives(folder: str) -> Sequence[Archive]:
    """Returns the package files that lie in a folder, by name, at most as many as digests are kept; none where there is no such folder."""
    found: list[Archive] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and len(found) < DIGESTS_LIMIT:
                    with contextlib.suppress(OSError):  # apt has just removed it
                        facts = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(facts.st_mode) and facts.st_size:
                            found.append(Archive(entry.name, _identity(facts), facts.st_ctime))
    except OSError:
        return ()
    return sorted(found, key=lambda archive: archive.name)


def open_archive(folder: str, archive: Archive) -> tuple[FileIO, os.stat_result] | None:
    """Opens a package file; None where it is gone, may not be read, or is another one by now."""
    opened = open_file(folder, archive.name)
    if opened is not None and _identity(opened[1]) != archive.identity:
        opened[0].close()
        return None
    return opened


def hash_part(folder: str, archive: Archive, digest: Hash, offset: int) -> int | None:
    """
    Adds the next part of a file to its digest.

    It is opened for each part, so that nothing is left open when nobody comes for the next one.

    Returns:
        Where the part after it begins; None where the file is gone, can't be read, or was changed meanwhile.
    """
    opened = open_archive(folder, archive)
    if opened is None:
        return None
    file, _ = opened
    end = min(offset + PART_BYTES, archive.identity.size)
    with file:
        try:
            while offset < end:
                piece = os.pread(file.fileno(), min(_READ_BYTES, end - offset), offset)
                if not piece:
                    return None
                digest.update(piece)
                offset += len(piece)
            return end if _identity(os.fstat(file.fileno())) == archive.identity else None
        except OSError:
            return None


def read_digests(path: str) -> dict[FileIdentity, bytes]:
    """Returns the digests that a file keeps; none where there is none that can be believed."""
    try:
        with FileIO(path, "rb", opener=lambda name, flags: os.open(name, flags | _FLAGS)) as file:
            facts = os.fstat(file.fileno())
            own = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            return decode_digests(file.read(KEPT_BYTES + 1)) if own else {}
    except OSError:
        return {}


def keep_digests(path: str, data: bytes) -> None:
    """Has a file keep digests, in the place of the former ones; where that can't be, they are found out again after a restart."""
    new = f"{path}.new"
    with contextlib.suppress(OSError):
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            Path(new).unlink()  # left behind by a daemon that was killed
        with FileIO(new, "xb", opener=lambda name, flags: os.open(name, flags | _FLAGS, _MODE)) as file:
            whole = file.write(data) == len(data)
        if whole:
            Path(new).replace(path)


def _identity(facts: os.stat_result) -> FileIdentity:
    return FileIdentity(facts.st_ino, facts.st_size, facts.st_mtime_ns)
