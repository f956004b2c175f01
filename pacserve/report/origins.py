"""Where the bytes of an answer came from.  Rules only."""

from __future__ import annotations

import enum


class Origin(enum.Enum):
    """Where the bytes of an answer came from, as far as people care."""

    CACHE = "cache"
    """A package cache of this host, or its spool."""
    PEERS = "peers"
    MIRRORS = "mirrors"
    """The WAN, whether this host downloaded the file or pacman was sent there."""
    NONE = "none"
    """Nowhere: an error, or a page of pacserve's own."""


_KINDS = {
    "cache": Origin.CACHE,
    "copy": Origin.CACHE,
    "peer": Origin.PEERS,
    "mirror": Origin.MIRRORS,
    "downloaded": Origin.MIRRORS,
    "downloaded,": Origin.MIRRORS,
}


def origin_of(text: str, status: int) -> Origin:
    """
    Returns the kind of what an answer states as its origin.

    Args:
        text: As the access log has it: `cache`, `peer 10.0.0.3:15678`, `mirror https://example.org, downloaded`.
    """
    if status >= 400:
        return Origin.NONE
    return _KINDS.get(text.partition(" ")[0], Origin.NONE)
