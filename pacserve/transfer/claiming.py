"""What a download asks the LAN: who fetches the file already."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.sources.upstreams import Upstream


class Claim(Protocol):
    """What the LAN says to a download."""

    @property
    @abstractmethod
    def leaders(self) -> Sequence[Upstream]:
        """The hosts that download the file already and are to be followed; empty where this one is to download it."""

    @abstractmethod
    def end(self, *, kept: bool) -> None:
        """The download has ended, and the file is here to be handed on, or not."""


class Claiming(Protocol):
    """Agrees with the LAN who downloads a file."""

    @abstractmethod
    async def claim(self, request: FileRequest, expected: ExpectedFile | None) -> Claim:
        """Asks whether somebody downloads this file.  Takes half a second at most, and never raises."""
