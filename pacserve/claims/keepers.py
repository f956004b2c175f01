"""The keepers of a file's claims: which hosts they are, and one question to them, of whom one may be slow or gone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.claims.claims import Verdict
from pacserve.complaints import Complaints
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.hedging import first_yes
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.peers.reputation import Failure, Reputation
from pacserve.waiting import Waiters

# Seconds that a keeper has until the next one is asked as well.
CLAIM_BUDGET = 0.15
# Keepers that are asked one after the other.
KEEPERS_ASKED = 3
# Seconds for the whole round.
ROUND_BUDGET = KEEPERS_ASKED * CLAIM_BUDGET
# Seconds that both may become on a host that is late itself: a client waits meanwhile, and gives up after 10 s.
LONGEST_CLAIM_BUDGET = 1.0
LONGEST_ROUND_BUDGET = KEEPERS_ASKED * LONGEST_CLAIM_BUDGET
# Seconds for every other message to a keeper, for which nobody waits: it is to come before a lease runs out.
MESSAGE_TIMEOUT = 1.0

_complaints = Complaints(Logger())


class KeeperCall(Protocol):
    """Calls a keeper, to say `ask`, `renew`, `report`, `finish` or `release`, and how much of the file is here."""

    @abstractmethod
    def __call__(self, action: str, timeout: float = MESSAGE_TIMEOUT) -> Deferred[Verdict]:
        """
        Returns the answer of the keeper.

        Raises:
            FetchError: The keeper did not answer in time.
            RemoteProtocolError: The answer is no verdict.
        """


@dataclass(frozen=True, slots=True)
class Keeper:
    """
    A host that keeps the claims of a file.

    Attributes:
        instance: Its instance id.
        reputation: None for this host.
    """

    instance: str
    call: KeeperCall
    reputation: Reputation | None


def rank_keepers(key: str, instances: Iterable[str]) -> list[str]:
    """
    Returns the instance ids in the order in which they are asked for the claims of a key: each host's place is that of its hash with the key.

    Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): all hosts that know the same peers come to
    the same order without asking each other, and one that comes or goes changes only what it keeps itself.

    Args:
        key: The file that is claimed (`claim_key`).
        instances: Any order; each id once.
    """
    return sorted(instances, key=lambda instance: _weight(key, instance), reverse=True)


def _weight(key: str, instance: str) -> bytes:
    # The instance stands first and has one length, so that no two pairs are the same text.
    return blake2b(f"{instance}:{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest() + instance.encode()


class KeeperRound:
    """
    Asks the keepers in their order, the next one when one is slow.

    A claim that a later keeper grants counts only when the ones before it had the whole time to answer: others may have reached them, and a busy
    machine that answers late is better heard than two downloads begun.

    Args:
        keepers: The first in the order first; at least one.
    """

    _log = Logger()

    def __init__(self, keepers: Sequence[Keeper], clock: IReactorTime, lateness: Lateness = PUNCTUAL) -> None:
        self._keepers = keepers
        self._clock = clock
        self._budget = lateness.widened(CLAIM_BUDGET, LONGEST_CLAIM_BUDGET)
        self._end = clock.seconds() + lateness.widened(ROUND_BUDGET, LONGEST_ROUND_BUDGET)
        self._unheard: set[int] = set()
        self._failures = Waiters()

    async def run(self) -> tuple[Verdict, Keeper]:
        """
        Returns the verdict that counts, and the keeper that gave it.

        Raises:
            FetchError: No keeper answered.
        """
        return await first_yes([partial(self._ask, number) for number in range(len(self._keepers))], self._clock, self._budget)

    async def _ask(self, number: int) -> tuple[Verdict, Keeper]:
        keeper = self._keepers[number]
        # A keeper that was absent lately is asked, but no other one's verdict has to wait for it.
        if keeper.reputation is None or keeper.reputation.is_worth_waiting_for(self._clock.seconds()):
            self._unheard.add(number)
        try:
            verdict = await keeper.call("ask", timeout=max(0.0, self._end - self._clock.seconds()))
            if verdict.granted:
                await self._hear_earlier(number)
        except RemoteProtocolError as error:
            self._log.debug("keeper {keeper} is none: {error}", keeper=keeper.instance, error=error)
            self._failed(number)
            raise
        except FetchError as error:
            self._log.debug("keeper {keeper} does not answer: {error}", keeper=keeper.instance, error=error)
            if keeper.reputation is not None:
                keeper.reputation.failed(Failure.ABSENT_KEEPER, self._clock.seconds())
            self._failed(number)
            _withdraw(keeper)
            raise
        except CancelledError:  # the verdict of another keeper counts, or the client has gone
            _withdraw(keeper)
            raise
        return verdict, keeper

    def _failed(self, number: int) -> None:
        self._unheard.discard(number)
        self._failures.wake()

    async def _hear_earlier(self, number: int) -> None:
        """Returns when all keepers before this one have failed, or have had their time; one that answers ends the round itself."""
        while any(earlier < number for earlier in self._unheard) and (left := self._end - self._clock.seconds()) > 0:
            if not await self._failures.wait_for(left, self._clock):
                return


def _withdraw(keeper: Keeper) -> None:
    """Releases a claim that may have been granted unheard: no host is to wait for a download that the keeper hears nothing of."""
    _complaints.hear(keeper.call("release"), f"releasing a claim at keeper {keeper.instance}")
