"""The seam between the parts that mirrors give and what is known of the right bytes: how far may they be handed on?"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pacserve.sources.upstreams import Upstream
from pacserve.transfer.spans import Span


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    Bytes that are not kept, and are to be asked for again.

    Attributes:
        piece: The bytes that are wrong.
        giver: The source that gave all of them; None where several did.
        others: Further bytes of the same source.
    """

    piece: Span
    giver: Upstream | None
    others: Sequence[Span] = ()


class Check(Protocol):
    """Says how far the bytes of several mirrors may be handed on."""

    @abstractmethod
    def arrived(self, first: int, end: int) -> Sequence[Rejected]:
        """
        Takes note that the bytes from `first` to before `end` are in the file.

        Returns:
            Those that turned out to be wrong.  They have been removed from the file.

        Raises:
            FetchError: No mirror gives the right ones.
            OSError: They can't be read again.
        """

    def review(self, position: int) -> Sequence[Rejected]:
        """Does the same where the byte at `position` was here before the first of them arrived."""
        return ()

    @abstractmethod
    def certain(self, position: int, limit: int) -> int:
        """
        Returns the end of the bytes from `position` on that are here and may be handed on, at most so many of them.

        Raises:
            OSError: They can't be read.
        """
