"""Answers that continue a file where another answer ended (RFC 9110, 14.4 and 15.3.7).  Rules only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\Z", re.IGNORECASE)


# The SHA-256 that a download is to have, and how often it was begun again: its bytes may be others each time.
_DOWNLOAD = re.compile(r'"[0-9a-f]{64}-[0-9]{1,4}"\Z')


@dataclass(frozen=True, slots=True)
class Version:
    """
    What tells one version of a file from another.

    Attributes:
        size: Bytes of the whole file, None where that was not stated.
        etag: A strong entity tag, empty where there is none.
        modified: Last-Modified as it was sent, empty where it was not.
    """

    size: int | None
    etag: str
    modified: str

    @property
    def validator(self) -> str:
        """What If-Range may name; empty where there is nothing."""
        return self.etag or self.modified

    def is_that_of(self, other: Version) -> bool:
        """
        Returns whether two answers are taken to be of one file: the same size and an equal validator.

        Entity tags of two servers differ for the same file, so that they decide only where they are equal, or both name a download of a pacserver.
        """
        if self.size is None or self.size != other.size:
            return False
        if self.etag != other.etag and _DOWNLOAD.match(self.etag) and _DOWNLOAD.match(other.etag):
            return False
        return bool(self.etag and self.etag == other.etag) or bool(self.modified and self.modified == other.modified)


def version_of(header: Callable[[str], str | None], size: int | None) -> Version:
    """Returns the version that an answer is of; weak entity tags say nothing of bytes (RFC 9110, 8.8.1)."""
    etag = (header("ETag") or "").strip()
    return Version(size, etag if etag.startswith('"') else "", (header("Last-Modified") or "").strip())


def continued_at(content_range: str | None, offset: int) -> int | None:
    """
    Returns the size of the whole file that a 206 is a part of, where it is the part from `offset` to the end.

    Returns:
        None where it is anything else.
    """
    match = _CONTENT_RANGE.match((content_range or "").strip())
    if match is None:
        return None
    first, last, size = (int(group) for group in match.groups())
    return size if first == offset and last == size - 1 else None
