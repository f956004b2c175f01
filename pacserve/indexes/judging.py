"""Mirrors whose answers are judged before they count: not older than what this host has, and no page in the place of a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead, IncomingBody
from pacserve.indexes.freshness import Copy, Verdict, begins_database, conditions, date_of, is_database, judge, limit_of
from pacserve.sources.upstreams import Upstream


@dataclass(slots=True)
class WantedIndex:
    """
    What a file of a repository has to be.

    Attributes:
        copy: The copy that this host has.
        newest: The latest Last-Modified of it that this host has seen, in seconds since the epoch; None where any will do.
        wall: Gives the seconds since the epoch.
        giver: Which mirror gave the end of it.
    """

    name: str
    copy: Copy | None
    newest: int | None
    wall: Callable[[], float]
    giver: str = ""


class JudgedMirror(Upstream):
    """
    A mirror that is asked for one file.

    Args:
        patience: Seconds after which a mirror counts as failed when another one has answered meanwhile.

    Attributes:
        identity: Tells it from the others, and is the same after a restart.
    """

    def __init__(self, mirror: Upstream, identity: str, wanted: WantedIndex, clock: IReactorTime, patience: float) -> None:
        self.identity = identity
        self.trusted = mirror.trusted
        self.wan = mirror.wan
        self._mirror = mirror
        self._wanted = wanted
        self._clock = clock
        self._patience = patience
        self._first: IncomingBody | None = None

    @property
    def label(self) -> str:
        return self._mirror.label

    @property
    def rate(self) -> float | None:
        return self._mirror.rate

    def measured(self, rate: float) -> None:
        self._mirror.measured(rate)

    async def inquire(self, timeout: float) -> IncomingBody | None:
        """
        Asks whether the mirror has something newer than the copy.

        Returns:
            That, or None where the mirror has what the copy is.

        Raises:
            AbsentError: It has no such file.
            FetchError: It could not be asked, or has nothing as new as the copy.
        """
        started = self._clock.seconds()
        try:
            body = await self._mirror.open(self._wanted.name, conditions(self._wanted.copy, self.identity), timeout)
        except FetchError as error:
            self._mirror.failed()
            raise FetchError(f"{self.label}: {error}") from error
        except CancelledError:
            if self._clock.seconds() - started >= self._patience:
                self._mirror.failed()
            raise
        if self._worth(body, self._wanted.copy):
            return JudgedBody(body, self._wanted)
        body.drop()
        self._mirror.succeeded()
        return None

    def begin(self, body: IncomingBody) -> None:
        """The download begins with this answer to `inquire`."""
        self._first = body

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        first, self._first = self._first, None
        if first is not None and not headers:
            return first
        body = await self._mirror.open(name, headers, timeout)
        if body.answer.status != 200:
            return body
        self._worth(body, None)
        return JudgedBody(body, self._wanted)

    def _worth(self, body: IncomingBody, copy: Copy | None) -> bool:
        """Returns whether an answer is to be read, and not what the copy is; the body of one that is neither is dropped."""
        wanted, answer = self._wanted, body.answer
        verdict = judge(answer, self.identity, copy, wanted.newest, limit_of(wanted.name), wanted.wall())
        if verdict in (Verdict.NEW, Verdict.SAME):
            return verdict is Verdict.NEW
        body.drop()
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


def judged(upstreams: Sequence[Upstream], wanted: WantedIndex, clock: IReactorTime, patience: float) -> list[JudgedMirror]:
    """Returns the mirrors for a file; where several are of one host, they are told apart by their order."""
    seen: dict[str, int] = {}
    mirrors = []
    for mirror in upstreams:
        seen[mirror.label] = number = seen.get(mirror.label, 0) + 1
        identity = mirror.label if number == 1 else f"{mirror.label} ({number})"
        mirrors.append(JudgedMirror(mirror, identity, wanted, clock, patience))
    return mirrors


class JudgedBody(IncomingBody):
    """A body of which nothing is handed on before it is known to be no page in the place of a database."""

    def __init__(self, body: IncomingBody, wanted: WantedIndex) -> None:
        self._body = body
        self._wanted = wanted
        self._head = _JudgedHead(body.answer, date_of(body.answer, wanted.wall()))
        self._good = not is_database(wanted.name)
        self._held_back = b""
        self._total = 0

    @property
    def answer(self) -> AnswerHead:
        return self._head

    async def consume(self, take: Callable[[bytes], float], stall: float) -> None:
        def arrived(data: bytes) -> float:
            self._total += len(data)
            if self._total > limit_of(self._wanted.name):
                raise IntegrityError(f"it sent more than {limit_of(self._wanted.name)} bytes")
            return take(data) if self._good else self._begin(data, take)

        await self._body.consume(arrived, stall)
        if not self._good:
            raise IntegrityError("what it sent is no database")

    def drop(self) -> None:
        self._body.drop()

    def _begin(self, data: bytes, take: Callable[[bytes], float]) -> float:
        self._held_back += data
        begins = begins_database(self._held_back)
        if begins is None:
            return 0.0
        if not begins:
            raise IntegrityError("what it sends is no database")
        self._good = True
        if self._head.modified is not None:
            # Should this mirror not get to the end, an older one must not go on.
            self._wanted.newest = max(self._head.modified, self._wanted.newest or 0)
        return take(self._held_back)


@dataclass(frozen=True, slots=True)
class _JudgedHead(AnswerHead):
    """A head without a Last-Modified that can't be believed: pacman would take no update before that day."""

    answer: AnswerHead
    modified: int | None

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def length(self) -> int | None:
        return self.answer.length

    def header(self, name: str) -> str | None:
        return None if name == "Last-Modified" and self.modified is None else self.answer.header(name)
