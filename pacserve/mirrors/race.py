"""Several mirrors asked for one file, none of which can make pacman wait for long."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.hedging import RESERVE_DELAY, Widening
from pacserve.mirrors.health import Fault, MirrorHealth
from pacserve.mirrors.inquiry import Found, InconclusiveError, Inquiry, Question, UnfitError
from pacserve.mirrors.mirror import Mirror

# Seconds after which the next mirror is asked as well, and then ever more of them ever sooner.  A new connection to another continent with TLS takes
# some 0.6 s.
NEXT_MIRROR_DELAY = 1.0
# Seconds for which a mirror that said neither yes nor no is asked by GET.
GET_TIMEOUT = 2.0
# Seconds before the deadline at which every question ends, so that the answer can still say what was tried.
_RESERVE = 0.1
# Characters of a list of what was tried.
_MESSAGE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class _Ended:
    """The question to a mirror has ended."""

    mirror: Mirror
    result: Found | Failure


class Race:
    """
    Asks mirrors in the given order until one has the file.

    The next one is asked when one has failed, and also when one has not answered within `NEXT_MIRROR_DELAY`, without giving that one up; then two,
    four and more at once (`Widening`), since the answer must be there before pacman gives up, however many mirrors are out of reach.  A mirror that
    is still being asked when the race ends is let go.  It counts as slow if it had `NEXT_MIRROR_DELAY`, or was asked no later than the winner: it
    would make every following request wait.

    Mirrors that rest are asked when all others have said no or failed, or are silent for `RESERVE_DELAY`.

    Where none says that it has the file, those that answered without saying yes or no are asked once more, by GET.  Is there still no clear answer,
    the first of them is where pacman is best sent: it meets there what it would have met without pacserve.
    """

    def __init__(self, inquiry: Inquiry, health: MirrorHealth, clock: IReactorTime, mirrors: Sequence[Mirror], question: Question) -> None:
        self._inquiry = inquiry
        self._health = health
        self._clock = clock
        now = clock.seconds()
        self._waiting = deque(mirror for mirror in mirrors if not health.resting(mirror.url.origin, now))
        self._reserve = deque(mirror for mirror in mirrors if health.resting(mirror.url.origin, now))
        self._question = replace(question, deadline=question.deadline - _RESERVE)
        self._running: dict[Mirror, tuple[float, Deferred[None]]] = {}
        self._failed: list[tuple[Mirror, FetchError]] = []
        self._events: DeferredQueue[_Ended | None] = DeferredQueue()
        self._timer: IDelayedCall | None = None
        self._widening = Widening(NEXT_MIRROR_DELAY)
        self._winner_asked_at: float | None = None

    async def run(self) -> tuple[Mirror, Found]:
        """
        Returns the first mirror that has the file, or the first that answers and says neither yes nor no, even when it is asked by GET.

        Raises:
            AbsentError: All say that they have not.
            FetchError: There is neither, and some did not answer.  The message lists what was tried.
        """
        try:
            self._ask(1)
            while self._running:
                event = await self._events.get()
                if event is None:
                    if not self._waiting:
                        self._call_reserve()
                    self._ask(self._widening.step(len(self._running)))
                elif not self._take(event):
                    self._ask(1)
                elif isinstance(event.result, Found):
                    return event.mirror, event.result
        finally:
            self._let_go()
        if any(isinstance(error, InconclusiveError) for _, error in self._failed):
            found = await self._ask_again()
            if found is not None:
                return found
        raise self._no_mirror()

    async def _ask_again(self) -> tuple[Mirror, Found] | None:
        """
        Asks by GET the mirrors that have answered without saying yes or no, those last that rest; None where all that did have said no by now.
        """
        undecided: Mirror | None = None
        now = self._clock.seconds()
        self._failed.sort(key=lambda failed: self._health.resting(failed[0].url.origin, now))
        for number, (mirror, error) in enumerate(self._failed):
            if not isinstance(error, InconclusiveError):
                continue
            now = self._clock.seconds()
            question = replace(self._question, deadline=min(self._question.deadline, now + GET_TIMEOUT))
            try:
                found = await self._inquiry.ask_by_get(mirror, question)
            except (AbsentError, UnfitError) as refusal:
                self._failed[number] = mirror, refusal
            except FetchError as trouble:
                self._hear(mirror, trouble)
                self._failed[number] = mirror, trouble
                # One that answered the HEAD is alive, however it takes the GET.
                undecided = undecided or mirror
            else:
                self._health.succeeded(mirror.url.origin)
                return mirror, found
        return None if undecided is None else (undecided, Found(None, conclusive=False))

    def _take(self, event: _Ended) -> bool:
        asked_at, _ = self._running.pop(event.mirror)
        if isinstance(event.result, Found):
            self._winner_asked_at = asked_at
            self._health.succeeded(event.mirror.url.origin)
            return True
        error = event.result.value
        if not isinstance(error, FetchError):
            event.result.raiseException()
        if isinstance(error, (AbsentError, UnfitError)):
            self._health.succeeded(event.mirror.url.origin)
        elif not isinstance(error, InconclusiveError) or error.faulty:
            self._health.blame(event.mirror.url.origin, Fault.FAILED, self._clock.seconds())
        self._hear(event.mirror, error)
        self._failed.append((event.mirror, error))
        return False

    def _hear(self, mirror: Mirror, error: FetchError) -> None:
        """Leaves a mirror alone that asks for that."""
        if isinstance(error, InconclusiveError) and error.answer is not None:
            self._health.heard(mirror.url.origin, error.answer, self._clock.seconds())

    def _ask(self, count: int) -> None:
        """Asks so many more mirrors, as far as there are any and there is time."""
        self._stop_timer()
        now = self._clock.seconds()
        if now >= self._question.deadline:
            return
        if not self._waiting and not self._running:
            self._call_reserve()
        for _ in range(min(count, len(self._waiting))):
            mirror = self._waiting.popleft()
            asked = Deferred.fromCoroutine(self._inquiry.ask(mirror, self._question))
            self._running[mirror] = now, asked.addBoth(partial(self._ended, mirror))
        if self._waiting or self._reserve:
            self._timer = self._clock.callLater(self._widening.wait if self._waiting else RESERVE_DELAY, self._events.put, None)

    def _call_reserve(self) -> None:
        """Has the mirrors asked that rest, since no other is left that can be asked."""
        self._waiting, self._reserve = self._reserve, self._waiting

    def _ended(self, mirror: Mirror, result: Found | Failure) -> None:
        self._events.put(_Ended(mirror, result))

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _let_go(self) -> None:
        self._stop_timer()
        now, winner_asked_at = self._clock.seconds(), self._winner_asked_at
        running, self._running = self._running, {}
        for mirror, (asked_at, asked) in running.items():
            asked.cancel()
            if now - asked_at >= NEXT_MIRROR_DELAY or (winner_asked_at is not None and asked_at <= winner_asked_at):
                self._health.blame(mirror.url.origin, Fault.SLOW, now)

    def _no_mirror(self) -> FetchError:
        not_asked = len(self._waiting) + len(self._reserve)
        tried = describe(self._failed, not_asked)
        if not not_asked and all(isinstance(error, AbsentError) for _, error in self._failed):
            return AbsentError(tried)
        return FetchError(tried)


def describe(failed: Sequence[tuple[Mirror, FetchError]], not_asked: int) -> str:
    """Returns the answers of the mirrors in one line of bounded length."""
    text = ""
    for number, (mirror, error) in enumerate(failed):
        entry = f"mirror {mirror.url.origin}: {error}"
        if len(text) + len(entry) > _MESSAGE_LIMIT:
            text += f"; and {len(failed) - number} more"
            break
        text += f"; {entry}" if text else entry
    if not_asked:
        text += f"; no time for {not_asked} more"
    return text.removeprefix("; ")
