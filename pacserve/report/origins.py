"""The kinds of sources that answers come from, and the fronts that package systems ask.  Rules only."""

from __future__ import annotations

import enum

OWN_FRONTS = frozenset({"request", "apt"})
"""The fronts that package systems ask for files, `request` for pacman."""


class Origin(enum.Enum):
    """The kind of source that the bytes of an answer came from."""

    CACHE = "cache"
    """A package cache of this host, its spool, or a folder of this host that is a mirror."""
    PEERS = "peers"
    MIRRORS = "mirrors"
    """The WAN, whether this host downloaded the file or pacman was sent there."""
    NONE = "none"
    """No file: an error, or a page of pacserve's own."""


_ORIGINS = {
    "cache": Origin.CACHE,
    "copy": Origin.CACHE,
    "folder": Origin.CACHE,
    "peer": Origin.PEERS,
    "peers": Origin.PEERS,
    "mirror": Origin.MIRRORS,
    "mirrors": Origin.MIRRORS,
    "downloaded": Origin.MIRRORS,
    "downloaded,": Origin.MIRRORS,
}


def origin_of(text: str, status: int) -> Origin:
    """
    Returns the kind of source that an answer came from.

    Args:
        text: The origin as the access log has it: `cache`, `peer 10.0.0.3:15678`, `mirror https://example.org, downloaded`.  A file that several
            hosts gave is from the kind of host that gave most of it.
    """
    if status >= 400:
        return Origin.NONE
    return _ORIGINS.get(text.partition(" ")[0], Origin.NONE)
