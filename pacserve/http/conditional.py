"""The choice of what to send of a file: the preconditions and the range of a request, in the order of RFC 9110, 13.2.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pacserve.http.ranges import ByteRange, Unsatisfiable, parse_range
from pacserve.http.validators import matches_if_range, matches_none_match, not_modified_since


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The answer to a request for a file.

    Attributes:
        status: 200, 206, 304 or 416.
        range: For 206, the bytes to send.
    """

    status: int
    range: ByteRange | None = None


WHOLE = Decision(200)
NOT_MODIFIED = Decision(304)
UNSATISFIABLE = Decision(416)


def decide(method: str, header: Callable[[str], str | None], size: int, modified: int, etag: str) -> Decision:
    """
    Decides how a GET or HEAD is answered.  If-Match and If-Unmodified-Since are ignored: they are for requests that change something.

    Args:
        header: Returns the value of a request header, None where there is none.
        size: The size of the file in bytes.
        modified: The Last-Modified of the file in seconds since the epoch.
    """
    none_match = header("If-None-Match")
    if none_match is not None:
        if matches_none_match(none_match, etag):
            return NOT_MODIFIED
    else:
        since = header("If-Modified-Since")
        if since is not None and not_modified_since(since, modified):
            return NOT_MODIFIED
    wanted = header("Range") if method == "GET" else None  # RFC 9110, 14.2: Range means nothing for other methods
    if wanted is None:
        return WHOLE
    condition = header("If-Range")
    if condition is not None and not matches_if_range(condition, etag, modified):
        return WHOLE
    selected = parse_range(wanted, size)
    if selected is None:
        return WHOLE
    return UNSATISFIABLE if isinstance(selected, Unsatisfiable) else Decision(206, selected)
