"""Mirrors whose answers are judged before they count: rejects indexes older than the copy of this host, and HTML pages served as indexes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead, IncomingBody
from pacserve.http.validators import is_to_come, parse_date
from pacserve.indexes.freshness import Copy, Known, Verdict, conditions, date_of, judge
from pacserve.indexes.rules import IndexRules
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.choosing import SECOND_SOURCE_DELAY


@dataclass(slots=True)
class WantedIndex:
    """
    A file of a repository that is asked for, and how new it has to be.

    Attributes:
        copy: The copy that this host has.
        newest: The latest Last-Modified of it that this host has seen, in seconds since the epoch; None where any will do.
        wall: Gives the seconds since the epoch.
        giver: The identity of the mirror that gave the end of it.
        forced: True if the client demands the file, whatever dates say.
        any_age: True if an answer that does not say how old the file is will do: what is in it is looked at before it counts.
        undated: The mirrors that did not say so.
    """

    name: str
    rules: IndexRules
    copy: Copy | None
    newest: int | None
    wall: Callable[[], float]
    giver: str = ""
    forced: bool = False
    any_age: bool = False
    undated: list[JudgedMirror] = field(default_factory=list)

    @property
    def limit(self) -> int:
        """Bytes that the file may have."""
        return self.rules.limit_of(self.name)


class JudgedMirror(Upstream):
    """
    A mirror that is asked for one file.

    Attributes:
        identity: Tells the mirror from the others, and is the same after a restart.
    """

    def __init__(self, mirror: Upstream, identity: str, wanted: WantedIndex, clock: IReactorTime) -> None:
        self.identity = identity
        self.trusted = mirror.trusted
        self.wan = mirror.wan
        self._mirror = mirror
        self._wanted = wanted
        self._clock = clock
        self._first: IncomingBody | None = None

    @property
    def label(self) -> str:
        return self._mirror.label

    @property
    def rate(self) -> float | None:
        return self._mirror.rate

    @property
    def resting(self) -> bool:
        return self._mirror.resting

    @property
    def near(self) -> bool:
        return self._mirror.near

    def measured(self, rate: float) -> None:
        self._mirror.measured(rate)

    def outrun(self) -> None:
        self._mirror.outrun()

    async def inquire(self, timeout: float) -> IncomingBody | None:
        """
        Asks whether the mirror has something newer than the copy.

        Returns:
            The newer file, or None where the mirror has the same as the copy.

        Raises:
            AbsentError: The mirror has no such file.
            FetchError: The mirror could not be asked, or has nothing as new as the copy.
        """
        started = self._clock.seconds()
        try:
            body = await self._mirror.open(self._wanted.name, self._conditions(), timeout)
        except FetchError as error:
            self._mirror.failed()
            raise FetchError(f"{self.label}: {error}") from error
        except CancelledError:  # another mirror has answered
            if self._clock.seconds() - started >= SECOND_SOURCE_DELAY:
                self._mirror.failed()
            raise
        if self._worth(body, self._wanted.copy):
            return JudgedBody(body, self._wanted)
        body.drop()
        self._mirror.succeeded()
        return None

    def asked_anew(self, wanted: WantedIndex) -> JudgedMirror:
        """Returns this mirror, to be asked once more for something else."""
        return JudgedMirror(self._mirror, self.identity, wanted, self._clock)

    def begin(self, body: IncomingBody) -> None:
        """Has the download begin with this answer to `inquire`, so that it is not asked for twice."""
        self._first = body

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        first, self._first = self._first, None
        if first is not None and not headers:
            return first
        body = await self._mirror.open(name, headers, timeout)
        if body.answer.status != 200:
            return body
        self._worth(body, self._wanted.copy)
        return JudgedBody(body, self._wanted)

    def _conditions(self) -> dict[str, str]:
        wanted = self._wanted
        return {} if wanted.any_age else conditions(wanted.copy, self.identity, forced=wanted.forced)

    def _worth(self, body: IncomingBody, copy: Copy | None) -> bool:
        """
        Returns whether an answer is newer than a copy, as far as it says; False where it is the same.

        Raises:
            AbsentError: The mirror has no such file.
            FetchError: The answer is neither; its body is dropped.
        """
        wanted, answer = self._wanted, body.answer
        verdict = judge(answer, self.identity, Known(copy, wanted.newest, wanted.limit, wanted.forced), wanted.wall())
        if verdict is Verdict.UNDATED and wanted.any_age and answer.status == 200:
            return True
        if verdict in (Verdict.NEW, Verdict.SAME):
            return verdict is Verdict.NEW
        body.drop()
        if verdict is Verdict.UNDATED:
            wanted.undated.append(self)
            raise FetchError(f"{self.label}: it does not say how old its file is")
        if verdict is Verdict.ABSENT:
            raise AbsentError(f"{self.label}: {answer.status}")
        if verdict is Verdict.OLDER:
            raise FetchError(f"{self.label}: it has none as new as this host has seen")
        self._mirror.failed()
        raise FetchError(f"{self.label}: {answer.status}" + ("" if answer.status != 200 else f", {answer.length} bytes"))

    def succeeded(self) -> None:
        self._wanted.giver = self.identity
        self._mirror.succeeded()

    def failed(self) -> None:
        self._mirror.failed()

    def lied(self) -> None:
        self._mirror.lied()


def judged(upstreams: Sequence[Upstream], wanted: WantedIndex, clock: IReactorTime) -> list[JudgedMirror]:
    """Returns the mirrors for a file; where several are of one host, they are told apart by their order."""
    seen: dict[str, int] = {}
    mirrors = []
    for mirror in upstreams:
        seen[mirror.label] = number = seen.get(mirror.label, 0) + 1
        identity = mirror.label if number == 1 else f"{mirror.label} ({number})"
        mirrors.append(JudgedMirror(mirror, identity, wanted, clock))
    return mirrors


class JudgedBody(IncomingBody):
    """A body of which no byte is handed on before it is known to begin as an index does, and not as an HTML page."""

    def __init__(self, body: IncomingBody, wanted: WantedIndex) -> None:
        self._body = body
        self._wanted = wanted
        now = wanted.wall()
        self._modified = date_of(body.answer, now)
        stated = parse_date((body.answer.header("Last-Modified") or "").strip())
        self._head = _JudgedHead(body.answer, stated is not None and not is_to_come(stated, now))
        self._good = not wanted.rules.is_index(wanted.name)
        self._held_back = b""

    @property
    def answer(self) -> AnswerHead:
        return self._head

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        def arrived(data: bytes) -> float:
            return take(data) if self._good else self._begin(data, take)

        await self._body.consume(arrived, stall)
        if not self._good:
            raise IntegrityError("what it sent is no index")

    def drop(self) -> None:
        self._body.drop()

    def hurry(self) -> None:
        self._body.hurry()

    def _begin(self, data: bytes, take: Callable[[bytes], float]) -> float:
        self._held_back += data
        begins = self._wanted.rules.may_begin(self._held_back)
        if begins is None:
            return 0.0
        if not begins:
            raise IntegrityError("what it sends is no index")
        self._good = True
        if self._modified is not None:
            # Should this mirror not get to the end, one with an older index must not go on.
            self._wanted.newest = max(self._modified, self._wanted.newest or 0)
        return take(self._held_back)


@dataclass(frozen=True, slots=True)
class _JudgedHead(AnswerHead):
    """
    A head, without its Last-Modified where that is to come or no date: with a day to come pacman would take no update before it.

    Any other date is handed on as it is, even one that pacserve does not believe.
    """

    answer: AnswerHead
    dated: bool

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def length(self) -> int | None:
        return self.answer.length

    def header(self, name: str) -> str | None:
        return None if name == "Last-Modified" and not self.dated else self.answer.header(name)
