"""The choice of the source that a download goes on with: which one is asked next, which answers first, and which overtakes a silent one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.fetch.hedging import first_yes
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.sources.upstreams import REFUSALS, Upstream, rested_last
from pacserve.transfer.arrival import Arrival

# Seconds without a byte of a source after which the next one is asked as well, and then ever more of them ever sooner (`Widening`): before the first
# byte of the source, and after that.
SECOND_SOURCE_DELAY = 2.0
STALL_TIMEOUT = 3.0
# Seconds that these may become on a host that is late itself: the bytes of a second answer come over the WAN for nothing.
LONGEST_SECOND_SOURCE_DELAY = 4.0
LONGEST_STALL_TIMEOUT = 5.0
# Seconds for the head of an answer, and seconds without a byte after which a body has failed for good: pacman gives up after 10.
HEAD_TIMEOUT = 7.0
BODY_TIMEOUT = 7.0
# How often a source is begun with, however often it answers: one that breaks off each time must not keep the others from having their turn.
ATTEMPTS_PER_SOURCE = 3
# Bytes per second that any other mirror, and any other peer, is taken to give when a source is judged: to leave one costs one more request.
MIRROR_RATE_ASSUMED = 100 << 10
PEER_RATE_ASSUMED = 2 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source that has answered, and the body of its answer."""

    source: Upstream
    body: IncomingBody


_Question = Callable[[Upstream], Coroutine[Any, Any, OpenedSource]]


class Sources:
    """
    Knows the sources of one download, and in which order they are asked.

    Args:
        name: The file.
        upstreams: The sources, best first.
        arrival: The bytes that have arrived; the sources are asked for the others.
        lateness: How late this host is, which is no fault of a source.
    """

    def __init__(self, name: str, upstreams: Sequence[Upstream], arrival: Arrival, clock: IReactorTime, lateness: Lateness = PUNCTUAL) -> None:
        self._name = name
        self._order = deque(upstreams)
        self._arrival = arrival
        self._clock = clock
        self._lateness = lateness
        self._attempts: Counter[Upstream] = Counter()
        self._left: set[Upstream] = set()
        self._unreliable: set[Upstream] = set()

    def __len__(self) -> int:
        """Returns how many sources may still be asked."""
        return len(self._order)

    @property
    def order(self) -> Sequence[Upstream]:
        """The sources that may still be asked, the next one first."""
        return list(self._order)

    def reorder(self, order: Callable[[Sequence[Upstream]], Sequence[Upstream]]) -> None:
        """Puts the sources in another order."""
        self._order = deque(order(self.order))

    def ask_next(self, source: Upstream) -> None:
        """Puts a source first."""
        self._order.rotate(-self._order.index(source))

    def ask_last(self, source: Upstream) -> None:
        """Puts a source after all others, so that in the end the first one is a source that never failed, and was only too slow."""
        self._order.remove(source)
        self._order.append(source)

    def remove(self, source: Upstream) -> None:
        """Removes a source that is never to be asked again for this file."""
        self._order.remove(source)

    def doubt(self, source: Upstream) -> None:
        """Puts a source last that failed.  How fast it once was is no reason to leave another one any more."""
        self._unreliable.add(source)
        self.ask_last(source)

    def leave(self, source: Upstream) -> bool:
        """
        Returns whether a slow source is to be left.

        Each is left only once: if the others are no faster, the source goes on when it is asked again.
        """
        if source in self._left:
            return False
        self._left.add(source)
        return True

    def rate_to_beat(self, source: Upstream) -> float | None:
        """Returns the bytes per second that the best of the other sources gives, as far as can be told; None where there is no other."""
        others = [other for other in self._others(source) if not other.resting]
        if not others:
            return None
        assumed = MIRROR_RATE_ASSUMED if source.wan else PEER_RATE_ASSUMED
        return max([assumed, *(other.rate for other in others if other.rate is not None and other not in self._unreliable)])

    async def first(self) -> OpenedSource:
        """
        Asks the sources in their order, and returns the first that answers well.

        Raises:
            AbsentError: Every source that was asked said that it has no such file.
            FetchError: None answered well, or each has had `ATTEMPTS_PER_SOURCE` attempts.
        """
        asked = [source for source in self._order if self._attempts[source] < ATTEMPTS_PER_SOURCE]
        if not asked:
            raise FetchError("each source was tried several times")
        opened = await self._race(asked, self._ask_in_order)
        self._attempts[opened.source] += 1
        return opened

    async def successor(self, silent: Upstream) -> OpenedSource:
        """
        Asks the other sources, and last the silent one again, for a continuation, and returns the first that has one.

        Raises:
            FetchError: None has one.
        """
        return await self._race([*self._others(silent), silent], self._ask_for_continuation)

    async def ask(self, source: Upstream, timeout: float) -> IncomingBody:
        """
        Asks a source for the bytes that are missing.

        Args:
            timeout: Seconds for the head of the answer.

        Raises:
            AbsentError: The source has no such file.
            FetchError: It did not answer, or not well.
        """
        body = await source.open(self._name, self._arrival.request_headers(source), timeout)
        status = body.answer.status
        if status in (200, 206, 416):
            return body
        body.drop()
        raise (AbsentError if status in REFUSALS else FetchError)(f"{source.label}: {status}")

    def _others(self, source: Upstream) -> list[Upstream]:
        """Returns the other sources that have not been left."""
        return [other for other in self._order if other is not source and other not in self._left]

    async def _race(self, sources: Sequence[Upstream], ask: _Question) -> OpenedSource:
        """Returns the first good answer of the sources, of those that rest last, and drops those that came at the same moment."""
        opened: list[OpenedSource] = []
        sources, reserve = rested_last(sources)

        async def answer(source: Upstream) -> OpenedSource:
            found = await ask(source)
            opened.append(found)
            return found

        try:
            questions = [partial(answer, source) for source in sources]
            patience = self._lateness.widened(SECOND_SOURCE_DELAY, LONGEST_SECOND_SOURCE_DELAY)
            winner = await first_yes(questions, self._clock, patience, lambda number: self._outrun(sources[number]), reserve)
            opened.remove(winner)
        finally:
            for unwanted in opened:
                unwanted.body.drop()
        return winner

    def _outrun(self, source: Upstream) -> None:
        """Has a source that did not answer come last, for this file and for others."""
        self.ask_last(source)
        source.outrun()

    async def _ask_in_order(self, source: Upstream) -> OpenedSource:
        try:
            return OpenedSource(source, await self.ask(source, HEAD_TIMEOUT))
        except FetchError:
            self.ask_last(source)
            raise

    async def _ask_for_continuation(self, source: Upstream) -> OpenedSource:
        body = await self.ask(source, HEAD_TIMEOUT)
        if not self._arrival.is_continued_by(source, body.answer):
            body.drop()
            raise FetchError(f"{source.label}: it does not go on")
        return OpenedSource(source, body)


class Overtaking(Generic[T]):
    """
    Consumes a body; whenever this is silent for a while other sources are asked, and the first to give something goes on.

    Args:
        take: Takes the pieces, see `IncomingBody.consume`.
        silence: Gives the seconds without a byte after which the others are asked.
        ask_others: Asks the others.  It is cancelled when the body goes on.
    """

    def __init__(
        self,
        body: IncomingBody,
        take: Callable[[bytes], float],
        silence: Callable[[], float],
        ask_others: Callable[[], Coroutine[Any, Any, T]],
        clock: IReactorTime,
    ) -> None:
        self._body = body
        self._take = take
        self._silence = silence
        self._ask_others = ask_others
        self._clock = clock
        self._asking: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._overtaken_by: list[T] = []
        self._defect: Failure | None = None
        self._consuming: Deferred[None] | None = None

    async def run(self) -> T | None:
        """
        Returns when the body has ended as it should, or has been overtaken.

        Returns:
            None in the first case; in the second what `ask_others` gave, and the body is dropped.

        Raises:
            FetchError: The body failed, and no other source took its place.
        """
        self._expect_within(0.0)
        self._consuming = consuming = Deferred.fromCoroutine(self._body.consume(self._arrived, BODY_TIMEOUT))
        try:
            await consuming
        except BaseException:
            # It was cancelled by `_overtake` or `_not_overtaken`, was cancelled from outside, or failed by itself.
            if self._defect is not None:
                self._defect.raiseException()
            if not self._overtaken_by:
                raise
        finally:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._stop_asking()
        return self._overtaken_by[0] if self._overtaken_by else None

    def _arrived(self, data: bytes) -> float:
        wait = self._take(data)
        self._stop_asking()
        self._expect_within(wait)
        return wait

    def _expect_within(self, wait: float) -> None:
        """Asks the others when no byte comes, not counting the seconds for which a limit keeps the body from being read."""
        if self._timer is not None and self._timer.active():
            self._timer.reset(wait + self._silence())
        else:
            self._timer = self._clock.callLater(wait + self._silence(), self._silent)

    def _silent(self) -> None:
        self._asking = Deferred.fromCoroutine(self._ask_others()).addCallbacks(self._overtake, self._not_overtaken)

    def _stop_asking(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _overtake(self, other: T) -> None:
        self._overtaken_by.append(other)
        if self._consuming is not None:
            self._consuming.cancel()

    def _not_overtaken(self, failure: Failure) -> None:
        """Lets the body go on, or fail by itself, unless the failure is a defect of the program."""
        if failure.check(FetchError, CancelledError) is None and self._consuming is not None:
            self._defect = failure
            self._consuming.cancel()
