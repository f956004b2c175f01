"""Coroutines that wait for the same event, and coroutines that need not wait."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


class Waiters:
    """
    Lets any number of coroutines wait for the next time that something happens.

    A waiter that is cancelled only stops waiting.  One that waits again while it is woken waits for the time after this one.
    """

    def __init__(self) -> None:
        self._waiting: dict[Deferred[None], None] = {}

    def __len__(self) -> int:
        """Returns how many wait."""
        return len(self._waiting)

    async def wait(self) -> None:
        """Returns when `wake` is called next."""
        await self._join()

    async def wait_for(self, seconds: float, clock: IReactorTime) -> bool:
        """
        Waits as `wait` does, but no longer than so many seconds.

        Returns:
            False when the time was up first.
        """
        if seconds <= 0:
            return False
        try:
            await self._join().addTimeout(seconds, clock)
        except DeferredTimeoutError:
            return False
        return True

    def wake(self) -> None:
        """Wakes all that wait now."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting:
            if not one.called:  # waking one may cancel another
                one.callback(None)

    def _join(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred(lambda cancelled: self._waiting.pop(cancelled, None))
        self._waiting[waiting] = None
        return waiting


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The result of a coroutine that did not wait."""

    result: T


def begin(coroutine: Coroutine[Any, Any, T]) -> Done[T] | Coroutine[Any, Any, T]:
    """
    Runs a coroutine until it waits for the first time.

    A Deferred and a timer cost more than an answer that is known already.

    Returns:
        Its result, or the coroutine itself, for `Deferred.fromCoroutine`: what it waits for is yielded again as long as it has no result.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return Done(end.value)
    return coroutine
