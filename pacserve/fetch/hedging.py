"""Several sources asked for one thing, of which the first to have it will do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from pacserve.errors import AbsentError, FetchError

# Reasons that an error states: with those of 32 peers no room would be left in a message for what the mirrors said.
_REASONS_LIMIT = 4

T = TypeVar("T")


async def first_yes(questions: Sequence[Callable[[], Coroutine[Any, Any, T]]], clock: IReactorTime, patience: float = 0.0) -> T:
    """
    Asks in the given order, and gives what the first to succeed gives; the others are cancelled.

    Args:
        questions: At least one.
        patience: Seconds after which the next one is asked as well; it is asked at once when one has failed.  With 0 all are asked at once.

    Raises:
        AbsentError: Every one said no.
        FetchError: Nobody said yes, and some could not say.
    """
    waiting = deque(questions)
    running: list[Deferred[None]] = []
    failures: list[Failure] = []
    events: DeferredQueue[_Ended[T] | None] = DeferredQueue()
    try:
        while len(failures) < len(questions):
            if waiting:
                running.append(Deferred.fromCoroutine(waiting.popleft()()).addBoth(lambda result: events.put(_Ended(result))))
            event = await (_soon(events, clock, patience) if waiting else events.get())
            if event is None:
                continue
            if not isinstance(event.result, Failure):
                return event.result
            failures.append(event.result)
    finally:
        for question in running:
            question.cancel()
    raise _nobody(failures)


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    """A question has ended."""

    result: T | Failure


async def _soon(events: DeferredQueue[_Ended[T] | None], clock: IReactorTime, patience: float) -> _Ended[T] | None:
    """Returns the next event, None when there is none for so many seconds."""
    if patience <= 0:
        events.put(None)
        return await events.get()
    timer = clock.callLater(patience, events.put, None)
    try:
        return await events.get()
    finally:
        if timer.active():
            timer.cancel()


def _nobody(failures: Sequence[Failure]) -> Exception:
    """What is raised when nobody said yes; a defect is not taken for a no."""
    for failure in failures:
        if not isinstance(failure.value, FetchError):
            return failure.value if isinstance(failure.value, Exception) else RuntimeError(str(failure.value))
    # Who could not say matters more than who said no.
    reasons = [str(failure.value) for failure in sorted(failures, key=lambda failure: isinstance(failure.value, AbsentError))]
    if len(reasons) > _REASONS_LIMIT:
        reasons[_REASONS_LIMIT:] = [f"{len(reasons) - _REASONS_LIMIT} more"]
    return (AbsentError if all(isinstance(failure.value, AbsentError) for failure in failures) else FetchError)("; ".join(reasons))
