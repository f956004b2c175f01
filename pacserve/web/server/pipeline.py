"""
The requests that wait behind the one that is being answered.

The requests of a connection are answered one at a time, in their order (RFC 9112, 9.3.2).  So that their delays do not add up, the resource is told
early which ones wait.
"""

from __future__ import annotations

from collections.abc import Callable

from pacserve.http.heads import WaitingHead, waiting_heads
from pacserve.network.addresses import IPAddress

MOST_PIPELINED = 20
"""Requests that may wait behind the one that is answered: apt sends 10 at once, pacman and peers none."""

_MOST_WAITING_BYTES = 8192
"""Bytes of those requests: apt's have some 2,500.  They are kept for as long as the answer takes, on thousands of connections."""

MOST_AHEAD = 9
"""Requests that the resource is told of while they wait: as many as apt has behind the one that is answered."""

Ahead = Callable[[WaitingHead, IPAddress], None]
"""Takes note of the head of a request that waits, and of its client; nothing is answered yet.  It never raises."""


def too_many(waiting: bytes) -> bool:
    """Returns whether more has arrived behind a request than will be answered."""
    return len(waiting) > _MOST_WAITING_BYTES or waiting.count(b"\r\n\r\n") > MOST_PIPELINED


class Pipeline:
    """Tells a resource of the requests that wait on one connection, of each of them once."""

    __slots__ = ("_client", "_ended", "_tell", "_told")

    def __init__(self, tell: Ahead, client: IPAddress) -> None:
        """Begins with none that waits."""
        self._tell = tell
        self._client = client
        self._told = 0  # how many of those that wait now were looked at
        self._ended = False

    def look(self, waiting: bytes) -> None:
        """
        Tells of the first ones that wait.  Only a GET is worth it.

        Args:
            waiting: All bytes behind the request that is being answered.
        """
        if self._ended:
            return
        for head in waiting_heads(waiting, self._told, MOST_AHEAD - self._told):
            self._told += 1
            self._ended = head.last
            if head.method == b"GET":
                self._tell(head, self._client)

    def next(self) -> None:
        """Takes note that a request's turn has come: it waits no more."""
        self._told = max(self._told - 1, 0)
