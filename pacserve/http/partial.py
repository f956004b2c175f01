"""Answers that continue a file where another answer ended (RFC 9110, 14.4 and 15.3.7).  Rules only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\Z", re.IGNORECASE)


# The entity tag of a pacserver's running download: the expected SHA-256, and how often it was begun anew, since the bytes may differ then.
_DOWNLOAD_TAG = re.compile(r'"[0-9a-f]{64}-[0-9]{1,4}"\Z')


@dataclass(frozen=True, slots=True)
class Version:
    """
    The properties that tell one version of a file from another.

    Attributes:
        size: Bytes of the whole file; None where they were not stated.
        etag: A strong entity tag; empty where there is none.
        modified: Last-Modified as it was sent; empty where it was not.
    """

    size: int | None
    etag: str
    modified: str

    @property
    def validator(self) -> str:
        """The value for If-Range: the entity tag, else the date; empty where there is neither."""
        return self.etag or self.modified

    def is_that_of(self, other: Version) -> bool:
        """
        Returns whether two answers are taken to be of the same file: their sizes and one of their validators are equal.

        Entity tags of two servers differ for the same file, so they count only where they are equal, or where both are of a pacserver's download.
        """
        if self.size is None or self.size != other.size:
            return False
        if self.etag != other.etag and _DOWNLOAD_TAG.match(self.etag) and _DOWNLOAD_TAG.match(other.etag):
            return False
        return bool(self.etag and self.etag == other.etag) or bool(self.modified and self.modified == other.modified)


def version_of(header: Callable[[str], str | None], size: int | None) -> Version:
    """Returns the version of the file in an answer; weak entity tags are ignored, as they promise nothing of bytes (RFC 9110, 8.8.1)."""
    etag = (header("ETag") or "").strip()
    return Version(size, etag if etag.startswith('"') else "", (header("Last-Modified") or "").strip())


@dataclass(frozen=True, slots=True)
class Part:
    """
    The part of a file that a 206 holds.

    Attributes:
        first: Its first byte.
        end: The byte behind its last one.
        size: Bytes of the whole file.
    """

    first: int
    end: int
    size: int


def part_of(content_range: str | None) -> Part | None:
    """Returns the part that a Content-Range states; None where it states none that can be (RFC 9110, 14.4)."""
    match = _CONTENT_RANGE.match((content_range or "").strip())
    if match is None:
        return None
    first, last, size = (int(group) for group in match.groups())
    return Part(first, last + 1, size) if first <= last < size else None


def continued_at(content_range: str | None, offset: int) -> int | None:
    """
    Returns the size of the whole file of a 206 that holds the part from `offset` to the end.

    Returns:
        None where the answer holds any other part.
    """
    part = part_of(content_range)
    return part.size if part is not None and part.first == offset and part.end == part.size else None
