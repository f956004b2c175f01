"""Asks several sources for one thing, and takes it from the first that has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredQueue, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pacserve.complaints import Complaints
from pacserve.errors import AbsentError, FetchError

# Reasons that an error message states: those of 32 peers would leave no room for those of the mirrors.
_REASONS_LIMIT = 4

T = TypeVar("T")

_log = Logger()


async def first_yes(questions: Sequence[Callable[[], Coroutine[Any, Any, T]]], clock: IReactorTime, patience: float = 0.0) -> T:
    """
    Asks the questions in order, and returns the result of the first that succeeds; the others are cancelled.

    Args:
        questions: At least one.
        patience: Seconds after which the next question is asked as well; it is asked at once when one has failed.  With 0 all are asked at once.

    Raises:
        AbsentError: Every source said that it does not have the thing.
        FetchError: No source has it, and some could not say.
    """
    waiting = deque(questions)
    running: list[Deferred[None]] = []
    failures: list[Failure] = []
    events: DeferredQueue[_Ended[T] | None] = DeferredQueue()
    try:
        while len(failures) < len(questions):
            if waiting:
                running.append(Deferred.fromCoroutine(waiting.popleft()()).addBoth(lambda result: events.put(_Ended(result))))
            event = await (_next_event(events, clock, patience) if waiting else events.get())
            if event is None:
                continue
            if not isinstance(event.result, Failure):
                _report_defects(failures)
                return event.result
            failures.append(event.result)
    finally:
        for question in running:
            question.cancel()
    raise _no_success(failures)


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    """The result of a question that has ended."""

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
