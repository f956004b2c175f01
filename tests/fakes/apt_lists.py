"""Sources and lists of apt, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred

from pacserve.apt.bases import Bases
from pacserve.apt.content import StatedFile
from pacserve.apt.knowledge import Extent, Lists
from pacserve.apt.targets import Target, target_of


class FakeLists(Lists):
    """
    Lists that state some files.

    Args:
        known: The URLs of the bases.
        files: What is stated, by URL.

    Attributes:
        later: The bases that are found by another look.
        looks: How often somebody looked again.
        scanning: Those that wait until sources and lists are read; None where that needs no time.
    """

    def __init__(self, known: Sequence[str] = (), files: Mapping[str, StatedFile] | None = None) -> None:
        self.known = list(known)
        self.files = dict(files or {})
        self.later: list[str] = []
        self.looks = 0
        self.scanning: list[Deferred[None]] | None = None

    def bases(self) -> Bases:
        return Bases(tuple(filter(None, map(target_of, self.known))))

    async def refresh(self) -> None:
        if self.scanning is not None:
            self.scanning.append(Deferred())
            await self.scanning[-1]

    async def refresh_bases(self) -> None:
        self.looks += 1
        self.known += self.later

    def find(self, target: Target) -> StatedFile | None:
        return next((stated for url, stated in self.files.items() if target_of(url) == target), None)

    def stated(self, sha256: bytes) -> StatedFile | None:
        return next((stated for stated in self.files.values() if stated.sha256 == sha256), None)

    def matching(self, text: str, most: int) -> Sequence[StatedFile]:
        return [stated for stated in self.files.values() if text in stated.label][:most]

    def extent(self) -> Extent:
        return Extent(2, 63_440)
