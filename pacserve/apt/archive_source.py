"""apt's own archives as a source of files, for clients that have none of their own: containers, and hosts that this one serves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pacserve.apt.archives import Archives
from pacserve.errors import AbsentError
from pacserve.packages.names import is_content
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer

_PLACE = "apt's archives"


class ArchiveSource(PackageSource):
    """Finds the files that apt keeps."""

    def __init__(self, archives: Archives) -> None:
        self._archives = archives

    @property
    def best(self) -> Rank:
        return Rank.CACHE

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if not self._archives.holds(wanted.request.name):
            return ()
        return (Candidate(Rank.CACHE, Offer(Holder.CACHE), partial(self._settle, wanted)),)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if not is_content(wanted.request.name):
            return ()
        held = self._archives.open(wanted.request.name, wanted.size)
        if held is None:
            return (Considered(_PLACE, Rank.CACHE, "not held, or not read yet", None),)
        held.file.close()
        return (Considered(_PLACE, Rank.CACHE, "apt of this host keeps it", Offer(Holder.CACHE)),)

    async def _settle(self, wanted: Wanted, deadline: float) -> Location:
        held = self._archives.open(wanted.request.name, wanted.size)
        if held is None:
            raise AbsentError("apt's archives: removed, or of another size")
        return LocalFile(held)
