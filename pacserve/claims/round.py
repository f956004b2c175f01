"""One question to the keepers of a file's claims, of whom one may be slow or gone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.claims.claims import Verdict
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.hedging import first_yes

# Seconds that a keeper has until the next one is asked as well.
CLAIM_BUDGET = 0.15
# Keepers that are asked one after the other.
KEEPERS_ASKED = 3
# Seconds for all of it.
ROUND = KEEPERS_ASKED * CLAIM_BUDGET
# Seconds for which nobody waits for a keeper that did not answer in its round.
SLOW = 10.0
_SLOW_LIMIT = 1024


class Tell(Protocol):
    """Says `ask`, `renew`, `finish` or `release` to a keeper."""

    def __call__(self, what: str, timeout: float = CLAIM_BUDGET) -> Deferred[Verdict]:
        """
        What it answers.

        Raises:
            FetchError: Nothing in time.
            RemoteProtocolError: No verdict.
        """


class SlowKeepers:
    """Who did not answer lately, bounded in number.  Rules only."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def note(self, keeper: str, now: float) -> None:
        """A keeper did not answer."""
        self._until.pop(keeper, None)
        self._until[keeper] = now + SLOW
        if len(self._until) > _SLOW_LIMIT:
            del self._until[next(iter(self._until))]

    def lately(self, keeper: str, now: float) -> bool:
        """Returns whether it did not answer a moment ago."""
        return now < self._until.get(keeper, 0.0)


class Round:
    """
    Asks the keepers in their order, the next one when one is slow.

    A claim that a later keeper grants counts only when the ones before it had the whole time to answer: others may have reached them, and a busy
    machine that answers late is better heard than two downloads begun.

    Args:
        keepers: Their instance ids and how to tell them something, the first in the order first; at least one.
    """

    _log = Logger()

    def __init__(self, keepers: Sequence[tuple[str, Tell]], slow: SlowKeepers, clock: IReactorTime) -> None:
        self._keepers = keepers
        self._slow = slow
        self._clock = clock
        self._end = clock.seconds() + ROUND
        self._silent: set[int] = set()
        self._waiting: list[Deferred[None]] = []

    async def run(self) -> tuple[Verdict, Tell]:
        """
        What is true, and who said so.

        Raises:
            FetchError: Nobody answered.
        """
        return await first_yes([partial(self._ask, number) for number in range(len(self._keepers))], self._clock, CLAIM_BUDGET)

    async def _ask(self, number: int) -> tuple[Verdict, Tell]:
        keeper, tell = self._keepers[number]
        if not self._slow.lately(keeper, self._clock.seconds()):
            self._silent.add(number)
        try:
            verdict = await tell("ask", timeout=max(0.0, self._end - self._clock.seconds()))
            if verdict.granted:
                await self._heard(number)
        except RemoteProtocolError as error:
            self._log.debug("keeper {keeper} is none: {error}", keeper=keeper, error=error)
            self._failed(number)
            raise
        except FetchError as error:
            self._log.debug("keeper {keeper} does not answer: {error}", keeper=keeper, error=error)
            self._slow.note(keeper, self._clock.seconds())
            self._failed(number)
            _take_back(tell)
            raise
        except CancelledError:
            _take_back(tell)
            raise
        return verdict, tell

    def _failed(self, number: int) -> None:
        self._silent.discard(number)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def _heard(self, number: int) -> None:
        """Returns when all keepers before one have answered, or have had their time."""
        while any(earlier < number for earlier in self._silent) and (left := self._end - self._clock.seconds()) > 0:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            try:
                await waiting.addTimeout(left, self._clock)
            except DeferredTimeoutError:
                return
            finally:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)


def _take_back(tell: Tell) -> None:
    """What was asked may have arrived, and been granted: nobody is to wait for a download that the keeper does not hear of any more."""
    tell("release").addErrback(lambda failure: failure.trap(FetchError) and None)
