"""The mirrors of pacman.conf, as a source of files."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError
from pacserve.mirrors.absences import Absences
from pacserve.mirrors.health import MirrorHealth
from pacserve.mirrors.inquiry import Inquiry, Question
from pacserve.mirrors.mirror import Mirror, MirrorList
from pacserve.mirrors.race import Race
from pacserve.packages.files import FileRequest
from pacserve.sources.candidates import Candidate, PackageSource, Rank, Wanted
from pacserve.web.answers import RedirectAnswer

# Seconds for which a mirror's yes holds: as long as that of a peer, for several clients that ask for the same file at once.
YES_HOLDS = 1.0
# Answers that are remembered.
_ANSWERS_LIMIT = 256

_AnswerKey = tuple[FileRequest, int | None]


class Mirrors(PackageSource):
    """
    Sends pacman to the first mirror that has a file, in pacman's order but for those that failed lately.

    The URL is always the mirror's own, whatever it redirects to: pacman follows redirects itself, and finds what is right for it.
    """

    def __init__(
        self,
        mirrors: MirrorList,
        inquiry: Inquiry,
        health: MirrorHealth,
        absences: Absences,
        clock: IReactorTime,
    ) -> None:
        self._mirrors = mirrors
        self._inquiry = inquiry
        self._health = health
        self._absences = absences
        self._clock = clock
        self._answers: dict[_AnswerKey, tuple[float, RedirectAnswer]] = {}

    @property
    def best(self) -> Rank:
        return Rank.MIRRORS

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        mirrors = self._mirrors.mirrors(wanted.request.repo, wanted.request.arch)
        return (_MirrorsCandidate(self, wanted, mirrors),) if mirrors else ()

    async def find(self, wanted: Wanted, mirrors: Sequence[Mirror], deadline: float) -> RedirectAnswer:
        """
        Returns the redirect to the first of `mirrors` that has the file.

        Raises:
            AbsentError: Every one said that it has not.
            FetchError: None has, and some did not say.
        """
        key = wanted.request, wanted.size
        now = self._clock.seconds()
        until, answer = self._answers.get(key, (now, None))
        if answer is not None and now < until:
            return answer
        in_order = self._health.in_order(mirrors, lambda mirror: mirror.url.origin, now)
        question = Question(wanted.request.name, wanted.size, deadline)
        absent = self._absences.reasons(wanted.request, now)
        if absent is not None:
            raise AbsentError(absent)
        try:
            mirror, found = await Race(self._inquiry, self._health, self._clock, in_order, question).run()
        except AbsentError as error:
            self._absences.remember(wanted.request, str(error), self._clock.seconds())
            raise
        answer = RedirectAnswer(mirror.file_url(wanted.request.name), f"mirror {mirror.url}", found.size)
        self._remember(key, answer)
        return answer

    def _remember(self, key: _AnswerKey, answer: RedirectAnswer) -> None:
        self._answers.pop(key, None)  # the oldest comes first
        self._answers[key] = self._clock.seconds() + YES_HOLDS, answer
        if len(self._answers) > _ANSWERS_LIMIT:
            del self._answers[next(iter(self._answers))]


class _MirrorsCandidate(Candidate):
    """All mirrors of a repository: which of them answers is settled by asking."""

    def __init__(self, source: Mirrors, wanted: Wanted, mirrors: Sequence[Mirror]) -> None:
        self._source = source
        self._wanted = wanted
        self._mirrors = mirrors

    @property
    def rank(self) -> Rank:
        return Rank.MIRRORS

    async def settle(self, deadline: float) -> RedirectAnswer:
        return await self._source.find(self._wanted, self._mirrors, deadline)
