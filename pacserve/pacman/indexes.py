"""The indexes of pacman: sync databases, as repo-add(8) makes them and libalpm reads them.  Rules only."""

from __future__ import annotations

import re
from typing import BinaryIO

from pacserve.http.validators import believed
from pacserve.indexes.archives import is_whole
from pacserve.indexes.rules import Examined, IndexRules

# Bytes.  pacman itself takes no more (libalpm, be_sync.c).
DATABASE_LIMIT = 128 << 20

_DATABASE = re.compile(r"\.(?:db|files)(?:\.tar(?:\.[A-Za-z0-9]+)?)?\Z")
# The first bytes of the compressed archives that repo-add(8) makes, and of the frame that some zstd compressors put first.
_MAGIC = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh", b"\x04\x22\x4d\x18", b"LZIP", b"\x89LZO", b"LRZI", b"\x1f\x9d")
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
# An archive that is not compressed (POSIX.1-1988 ustar and everything since).
_TAR, _TAR_OFFSET = b"ustar", 257
# The entry of a database that says when a package was built, and bytes that it has at most.
_BUILD_DATE = re.compile(rb"%BUILDDATE%\n([0-9]{1,12})\n")
_ENTRY_BYTES = 26


def is_database(name: str) -> bool:
    """Returns whether a file of this name is a sync database, which is an archive."""
    return _DATABASE.search(name) is not None


def may_begin_database(data: bytes) -> bool | None:
    """Returns whether a database may begin with these bytes; None where more are needed to tell.  A page that asks for a password does not."""
    if data.startswith(_MAGIC) or _SKIPPABLE.match(data) is not None:
        return True
    if len(data) < _TAR_OFFSET + len(_TAR):
        return None
    return data.startswith(_TAR, _TAR_OFFSET)


class BuildDates:
    """
    Finds when the newest package of a database was built.  Times that can't be are passed over: one to come would make every date of the database
    seem wrong.

    Args:
        now: Seconds since the epoch.

    Attributes:
        newest: Seconds since the epoch; None where there is none.
    """

    def __init__(self, now: float) -> None:
        self.newest: int | None = None
        self._now = now
        self._end = b""

    def saw(self, piece: bytes) -> None:
        """Takes the next piece of what the archive holds."""
        text = self._end + piece
        for digits in _BUILD_DATE.findall(text):
            built = believed(int(digits), self._now)
            if built is not None and (self.newest is None or built > self.newest):
                self.newest = built
        self._end = text[-_ENTRY_BYTES:]


def examine(file: BinaryIO, now: float) -> Examined:
    """
    Returns what is found in a database.  Build dates are found where it is compressed by gzip, as repo-add(8) does by default, or bzip2.

    Raises:
        OSError: It can't be read.
    """
    dates = BuildDates(now)
    return Examined(is_whole(file, dates.saw), dates.newest)


PACMAN_INDEXES = IndexRules(".sig", DATABASE_LIMIT, is_database, may_begin_database, examine)
