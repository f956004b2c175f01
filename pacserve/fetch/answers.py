"""Answers of other hosts, as the rest of the program reads them.  Protocols only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class AnswerHead(Protocol):
    """The head of another host's answer."""

    @property
    def status(self) -> int:
        """The status code, from 200 to 599."""

    @property
    def length(self) -> int | None:
        """The Content-Length in bytes, None where none is stated."""

    def header(self, name: str) -> str | None:
        """Returns the value of a header; None where there is none."""


class IncomingBody(Protocol):
    """An answer whose body has not been read yet.  It must be either consumed or dropped."""

    @property
    def answer(self) -> AnswerHead:
        """Its status and headers."""

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        """
        Hands the body to `take` piece by piece, and returns when it ended as the host meant it to.

        Args:
            take: Returns the seconds until it wants the next piece.  What it raises ends the connection, and is raised here.
            stall: Seconds without a byte after which the connection is given up.

        Raises:
            FetchError: The body stalled, or the connection was lost.
        """

    def drop(self) -> None:
        """Lets go of the connection."""

    def hurry(self) -> None:
        """Has the next piece come now, whatever `take` said when it was given the last one, where the body can be told."""
        return
