"""Range requests (RFC 9110, 14): the bytes of a file that a request selects."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

# 18 digits are enough for any file, and the bound keeps long numbers from burning CPU time.
_SINGLE = re.compile(r"bytes=[ \t]*(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})?|-(?P<suffix>[0-9]{1,18}))[ \t]*\Z", re.IGNORECASE)
_RESUMED = re.compile(r"bytes=(?P<first>[0-9]{1,15})-\Z")


class Unsatisfiable(enum.Enum):
    """The answer to a range that lies outside of the file: 416."""

    UNSATISFIABLE = "unsatisfiable"


UNSATISFIABLE = Unsatisfiable.UNSATISFIABLE


@dataclass(frozen=True, slots=True)
class ByteRange:
    """
    A range of bytes that lies within the file.

    Attributes:
        first: The offset of the first byte.
        last: The offset of the last byte, which belongs to the range.
    """

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes, at least 1."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """Returns the value of Content-Range (RFC 9110, 14.4) for a file of `size` bytes."""
        return f"bytes {self.first}-{self.last}/{size}"


def parse_range(header: str, size: int) -> ByteRange | Unsatisfiable | None:
    """
    Returns the range that a Range header selects of a file of `size` bytes.

    Several ranges in one header, other units and malformed values are ignored, as RFC 9110, 14.2 permits: the whole file is sent.  A suffix of an
    empty file is the whole file as well, since Content-Range can't express it.

    Returns:
        None where the header is to be ignored.
    """
    match = _SINGLE.match(header)
    if match is None:
        return None
    if match["suffix"] is not None:
        return _suffix(int(match["suffix"]), size)
    first = int(match["first"])
    last = int(match["last"]) if match["last"] is not None else None
    if last is not None and last < first:
        return None
    if first >= size:
        return UNSATISFIABLE
    return ByteRange(first, size - 1 if last is None else min(last, size - 1))


def _suffix(length: int, size: int) -> ByteRange | Unsatisfiable | None:
    if length == 0:
        return UNSATISFIABLE
    if size == 0:
        return None
    return ByteRange(max(size - length, 0), size - 1)


def resumed_at(field: str | None) -> int:
    """Returns the first byte of a Range in the form in which pacman and apt resume a file, `bytes=N-`; 0 for every other one, and for none."""
    match = None if field is None else _RESUMED.match(field)
    return 0 if match is None else int(match["first"])
