"""A body that is taken as it arrives, unless another source overtakes it while it is silent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody

T = TypeVar("T")


class Overtaking(Generic[T]):
    """
    Consumes a body; whenever it is silent for a while another source is asked, and whichever gives something first goes on.

    Args:
        take: Takes the pieces, see `IncomingBody.consume`.
        silence: Gives the seconds without a byte after which others are asked.
        given_up: Seconds without a byte after which the body has failed.
        ask: Asks the others.  It is cancelled when the body goes on.
    """

    def __init__(  # noqa: PLR0917
        self,
        body: IncomingBody,
        take: Callable[[bytes], float],
        clock: IReactorTime,
        silence: Callable[[], float],
        given_up: float,
        ask: Callable[[], Coroutine[Any, Any, T]],
    ) -> None:
        self._body = body
        self._take = take
        self._clock = clock
        self._silence = silence
        self._given_up = given_up
        self._ask = ask
        self._asking: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._overtaken: list[T] = []
        self._defect: Failure | None = None
        self._consuming: Deferred[None] | None = None

    async def run(self) -> T | None:
        """
        Returns when the body ended as it should.

        Returns:
            None then, or what the others gave; the body is dropped in that case.

        Raises:
            FetchError: The body failed, and nobody took its place.
        """
        self._listen(0.0)
        self._consuming = consuming = Deferred.fromCoroutine(self._body.consume(self._arrived, self._given_up))
        try:
            await consuming
        except BaseException:
            if self._defect is not None:
                self._defect.raiseException()
            if not self._overtaken:
                raise
        finally:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._stop_asking()
        return self._overtaken[0] if self._overtaken else None

    def _arrived(self, data: bytes) -> float:
        wait = self._take(data)
        self._stop_asking()
        self._listen(wait)
        return wait

    def _listen(self, wait: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(wait + self._silence())
        else:
            self._timer = self._clock.callLater(wait + self._silence(), self._silent)

    def _silent(self) -> None:
        self._asking = Deferred.fromCoroutine(self._ask()).addCallbacks(self._overtake, self._not_overtaken)

    def _stop_asking(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _overtake(self, other: T) -> None:
        self._overtaken.append(other)
        if self._consuming is not None:
            self._consuming.cancel()

    def _not_overtaken(self, failure: Failure) -> None:
        """The body may still go on, or fail by itself."""
        if failure.check(FetchError, CancelledError) is None and self._consuming is not None:
            self._defect = failure
            self._consuming.cancel()
