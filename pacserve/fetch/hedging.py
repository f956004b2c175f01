"""Asks several sources for one thing, and takes it from the first that has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredQueue, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pacserve.complaints import Complaints
from pacserve.errors import AbsentError, FetchError

# Reasons that an error message states: those of 32 peers would leave no room for those of the mirrors.
_REASONS_LIMIT = 4

# Sources that are asked at the same time at most, and of these at one moment: what they send until one has been chosen was sent for nothing.
RUNNING_LIMIT = 32
WIDEST_STEP = 8
# Seconds without an answer after which sources in reserve are asked all the same: pacman gives up after 10, and one of them may have the file.
RESERVE_DELAY = 3.0
# Parts of the first wait below which those that follow do not fall.
_SHORTEST_WAIT = 0.25

T = TypeVar("T")

_log = Logger()


class Widening:
    """
    The pace at which more sources are asked while none answers: ever more at once, ever sooner.

    The first gets its time alone, since it is the one that is wanted.  Where the second and the third are silent as well, most others may be, and
    the time until the answer is needed must do for all of them.

    Args:
        wait: Seconds that the first source is given.

    Attributes:
        wait: Seconds until more sources are asked.
    """

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self._least = wait * _SHORTEST_WAIT
        self._step = 1

    def step(self, running: int) -> int:
        """Returns how many more sources are asked when the wait is over, of which so many run."""
        count = max(0, min(self._step, RUNNING_LIMIT - running))
        self.wait = max(self._least, self.wait / 2)
        self._step = min(2 * self._step, WIDEST_STEP)
        return count


async def first_yes(
    questions: Sequence[Callable[[], Coroutine[Any, Any, T]]],
    clock: IReactorTime,
    patience: float = 0.0,
    outrun: Callable[[int], object] | None = None,
    reserve: int = 0,
) -> T:
    """
    Asks the questions in order, and returns the result of the first that succeeds; the others are cancelled.

    Args:
        questions: At least one.
        patience: Seconds after which the next question is asked as well; it is asked at once when one has failed.  With 0 all are asked at once.
        outrun: Given where most questions may have no answer at all: ever more are asked then, ever sooner.  It is called with the number of each
            question that was asked no later than the one that succeeded, had no answer by then, and is cancelled.
        reserve: How many of the last questions are asked only when all others have failed, or are silent for `RESERVE_DELAY`.

    Raises:
        AbsentError: Every source said that it does not have the thing.
        FetchError: No source has it, and some could not say.
    """
    numbered = list(enumerate(questions))
    waiting, held = deque(numbered[: len(numbered) - reserve]), deque(numbered[len(numbered) - reserve :])
    running: dict[int, tuple[float, Deferred[None]]] = {}
    failures: list[Failure] = []
    events: DeferredQueue[_Ended[T] | None] = DeferredQueue()
    widening = None if outrun is None else Widening(patience)
    more = 1
    try:
        while len(failures) < len(questions):
            if not waiting and not running:
                waiting, held = held, waiting
            for number, question in islice(_taken(waiting), more):
                began = clock.seconds()
                running[number] = began, Deferred.fromCoroutine(question()).addBoth(partial(_end, events, number))
            wait = RESERVE_DELAY if not waiting else patience if widening is None else widening.wait
            event = await (_next_event(events, clock, wait) if waiting or held else events.get())
            if event is None and not waiting:
                waiting, held = held, waiting
                more = 1
                continue
            if event is None:
                more = 1 if widening is None else widening.step(len(running))
                continue
            began, _ = running.pop(event.number)
            if not isinstance(event.result, Failure):
                _report_defects(failures)
                for number, (since, _) in running.items():
                    if outrun is not None and since <= began:
                        outrun(number)
                return event.result
            failures.append(event.result)
            more = 1
    finally:
        for _, asked in running.values():
            asked.cancel()
    raise _no_success(failures)


def _end(events: DeferredQueue[_Ended[T] | None], number: int, result: T | Failure) -> None:
    events.put(_Ended(number, result))


def _taken(waiting: deque[T]) -> Iterator[T]:
    """Takes what waits, one after the other."""
    while waiting:
        yield waiting.popleft()


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    """
    The result of a question that has ended.

    Attributes:
        number: Its place among the questions.
    """

    number: int
    result: T | Failure


async def _next_event(events: DeferredQueue[_Ended[T] | None], clock: IReactorTime, patience: float) -> _Ended[T] | None:
    """Returns the next event, None when there is none within `patience` seconds."""
    if patience <= 0:
        events.put(None)
        return await events.get()
    timer = clock.callLater(patience, events.put, None)
    try:
        return await events.get()
    finally:
        if timer.active():
            timer.cancel()


def _report_defects(failures: Sequence[Failure]) -> None:
    """Logs the defects of this program among failures that nobody will be told of."""
    for failure in failures:
        if not isinstance(failure.value, FetchError):
            Complaints(_log).hear(fail(failure), "asking one of several sources")


def _no_success(failures: Sequence[Failure]) -> Exception:
    """Returns the error for when no question succeeded; a defect of this program is not taken for a no."""
    for failure in failures:
        if not isinstance(failure.value, FetchError):
            return failure.value if isinstance(failure.value, Exception) else RuntimeError(str(failure.value))
    # Reasons of sources that could not say come first: they matter more than a plain no.
    reasons = [str(failure.value) for failure in sorted(failures, key=lambda failure: isinstance(failure.value, AbsentError))]
    if len(reasons) > _REASONS_LIMIT:
        reasons[_REASONS_LIMIT:] = [f"{len(reasons) - _REASONS_LIMIT} more"]
    return (AbsentError if all(isinstance(failure.value, AbsentError) for failure in failures) else FetchError)("; ".join(reasons))
