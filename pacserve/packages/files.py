"""Files of repositories, as every part of pacserve speaks of them.  Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from io import FileIO

SMALL_FILE_LIMIT = 16 << 10
"""Bytes of a file that no client is sent elsewhere for: it is held whole and handed on, which costs less than pacman's second request."""
SIGNATURE_LIMIT = SMALL_FILE_LIMIT
"""Bytes of a detached signature: pacman takes no larger one."""


class FileKind(enum.Enum):
    """The kinds of files of a repository; the kind decides which hosts may be asked for the file."""

    PACKAGE = "package"
    SIGNATURE = "signature"
    """The detached signature of a package."""
    DATABASE = "database"
    """A sync database, its signature, and every other file of a repository that is not a package: it comes from mirrors only."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """
    One file of one repository, as a package manager asks for it: every field has passed its grammar.

    Attributes:
        where: The URLs under which its mirror may have it, best first, of a package manager that names the mirror itself.  They say nothing of what
            the file is: one download serves all who want it.
    """

    repo: str
    arch: str
    name: str
    kind: FileKind
    where: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.repo}/{self.arch}/{self.name}"


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """
    The size and the digest that a catalogue states for a file.

    Attributes:
        size: Bytes.
        sha256: 32 bytes, None where the catalogue states none.
    """

    size: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class HeldFile:
    """
    A complete file of a local package cache, open for reading.  The receiver closes it.

    Attributes:
        size: Bytes.
        modified: The mtime in whole seconds since the epoch.
        etag: A strong entity tag with its quotes (RFC 9110, 8.8.3).
    """

    name: str
    file: FileIO
    size: int
    modified: int
    etag: str
