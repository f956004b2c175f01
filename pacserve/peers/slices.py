"""Work that takes long, done a little at a time on the reactor, which serves everyone else in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")

# Seconds of work after which the others have their turn: pacman's questions wait so long at most, several times in a row.
SLICE = 0.005


class Slices:
    """Does one piece of work after the other, each in slices of `SLICE` and one step."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._turn = DeferredLock()

    async def run(self, work: Generator[None, None, T]) -> T:
        """
        Does the steps of some work when it is its turn, and returns its result.

        Raises:
            Exception: As the work does.
        """
        await self._turn.acquire()
        try:
            return await self._steps(work)
        finally:
            work.close()
            self._turn.release()

    async def _steps(self, work: Generator[None, None, T]) -> T:
        until = self._clock.seconds() + SLICE
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: T = end.value
                return result
            if self._clock.seconds() >= until:
                await self._pause()
                until = self._clock.seconds() + SLICE

    async def _pause(self) -> None:
        """Lets the reactor do everything else that is to be done now."""
        paused: Deferred[None] = Deferred()
        timer = self._clock.callLater(0, paused.callback, None)
        try:
            await paused
        finally:
            if timer.active():
                timer.cancel()
