"""The mirrors of a repository, as a source of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.errors import AbsentError, FetchError
from pacserve.mirrors.health import Absences, Fault, MirrorHealth
from pacserve.mirrors.inquiry import Inquiry, Question
from pacserve.mirrors.mirror import Mirror, MirrorList
from pacserve.mirrors.race import Race
from pacserve.packages.files import SMALL_FILE_LIMIT, FileKind, FileRequest
from pacserve.packages.names import is_signature, signed_file
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, Location, Offer, RemoteFile
from pacserve.sources.upstreams import Upstream

# Seconds for which a mirror's yes holds: as long as that of a peer, for several clients that ask for the same file at once.
YES_HOLDS = 1.0
# Seconds for which it is remembered which mirror had a database: pacman asks for the signature at once, and it must be the one of that database.
GIVER_LIFETIME = 60.0
# Answers that are remembered.
_ANSWERS_LIMIT = 256
_REASONS = {
    Fault.SLOW: "it was slow lately",
    Fault.FAILED: "it failed lately",
    Fault.LIED: "it gave a wrong file lately",
    Fault.RESTING: "it asked to be left alone",
}
_OFFERS = {secret: Offer(Holder.MIRROR, secret=secret) for secret in (False, True)}


class Mirrors(PackageSource):
    """
    Finds the first mirror that has a file, in the order of the configuration but for those that failed lately.

    The URL is always the mirror's own, whatever it redirects to: pacman follows redirects itself, and finds what is right for it.

    Args:
        upstream: Gives the upstream that downloads from a mirror.
    """

    def __init__(
        self,
        mirrors: MirrorList,
        inquiry: Inquiry,
        health: MirrorHealth,
        absences: Absences,
        upstream: Callable[[Mirror], Upstream],
        clock: IReactorTime,
    ) -> None:
        self._mirrors = mirrors
        self._inquiry = inquiry
        self._health = health
        self._absences = absences
        self._upstream = upstream
        self._clock = clock
        self._givers: ExpiringMemory[tuple[str, str, str], Mirror] = ExpiringMemory(_ANSWERS_LIMIT, GIVER_LIFETIME)
        self._found: ExpiringMemory[tuple[FileRequest, int | None, bool], RemoteFile] = ExpiringMemory(_ANSWERS_LIMIT, YES_HOLDS)

    @property
    def best(self) -> Rank:
        return Rank.MIRRORS

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        mirrors = self._in_order(wanted.request, resumed=bool(wanted.offset))
        if not mirrors:
            return ()
        # Which mirror it will be is settled by asking: before that, the first is meant.
        return (Candidate(Rank.MIRRORS, _OFFERS[mirrors[0].secret], partial(self._settle, wanted)),)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        now = self._clock.seconds()
        found = []
        for mirror in self._in_order(wanted.request, resumed=bool(wanted.offset)):
            penalty = self._health.penalty(mirror.url.origin, now)
            late = "" if penalty is None else f"{_REASONS[penalty[0]]}, and comes last for {penalty[1]:.0f} s"
            found.append(Considered(f"mirror {mirror.url}", Rank.MIRRORS, late, _OFFERS[mirror.secret]))
        return found

    async def stated_size(self, request: FileRequest, deadline: float) -> int | None:
        """Returns the bytes that a mirror states for a file; None where no mirror does until the deadline.  Never raises."""
        try:
            return (await self._find(request, None, deadline, resumed=False)).size
        except FetchError:
            return None

    def all_failed(self, request: FileRequest) -> bool:
        """Returns whether each mirror of a repository failed lately or rests, so that none is likely to answer now."""
        now = self._clock.seconds()
        penalties = (self._health.penalty(mirror.url.origin, now) for mirror in self._mirrors.mirrors(request.repo, request.arch))
        return all(penalty is not None and penalty[0] >= Fault.FAILED for penalty in penalties)

    async def _settle(self, wanted: Wanted, deadline: float) -> Location:
        return await self._find(wanted.request, wanted.size, deadline, resumed=bool(wanted.offset))

    async def _find(self, request: FileRequest, size: int | None, deadline: float, *, resumed: bool) -> RemoteFile:
        """
        Returns the file at the first mirror that has it, or at one that pacman is best sent to all the same.

        Raises:
            AbsentError: Every mirror said that it has no such file.
            FetchError: No mirror has, and some did not answer.
        """
        key, now = (request, size, resumed), self._clock.seconds()
        known = self._found.get(key, now)
        if known is not None:
            return known
        absent = self._absences.get(request, now)
        if absent is not None:
            raise AbsentError(absent)
        question = Question(request.name, size, deadline)
        try:
            mirror, found = await Race(self._inquiry, self._health, self._clock, self._in_order(request, resumed=resumed), question).run()
        except AbsentError as error:
            self._absences.remember(request, str(error), self._clock.seconds())
            raise
        small = found.size is not None and found.size <= SMALL_FILE_LIMIT
        offer = Offer(Holder.MIRROR, secret=mirror.secret, conclusive=found.conclusive, small=small)
        location = RemoteFile(mirror.file_url(request.name), f"mirror {mirror.url}", found.size, self._upstream(mirror), offer)
        if found.conclusive:
            self._found.remember(key, location, self._clock.seconds())
            if request.kind is FileKind.DATABASE:
                self._givers.remember((request.repo, request.arch, request.name), mirror, self._clock.seconds())
        return location

    def _in_order(self, request: FileRequest, *, resumed: bool) -> list[Mirror]:
        """
        Returns the mirrors in the order in which they are asked.

        Args:
            resumed: True if the client has the beginning already.  What is sent through begins at the first byte, so that a mirror to which the
                client can be sent comes first.
        """
        if request.kind is FileKind.DATABASE and is_signature(request.name):
            giver = self._givers.get((request.repo, request.arch, signed_file(request.name)), self._clock.seconds())
            if giver is not None:
                return [giver]
        mirrors, now = self._mirrors.mirrors(request.repo, request.arch), self._clock.seconds()
        found = self._health.in_order(mirrors, lambda mirror: mirror.url.origin, now)
        return sorted(found, key=lambda mirror: (self._health.resting(mirror.url.origin, now), mirror.secret)) if resumed else found
