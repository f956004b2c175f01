"""From a file that is wanted to a location: candidates are asked for, put in order, and made good one after the other until one holds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import AbsentError, FetchError
from pacserve.sources.candidates import Candidate, Rank
from pacserve.sources.locations import Location, Offer
from pacserve.waiting import Done, begin

T = TypeVar("T")


@dataclass(slots=True)
class Search:
    """
    One search for a file, and what it has met so far.

    Attributes:
        accepts: Says whether an offer is of use, so that nobody is asked for what would not be taken.
        hand_over: Makes an answer of a location.  What it raises as FetchError makes the search go on.
        deadline: The time of the clock at which an answer is worth nothing any more.
        tried: What each candidate that failed said, in their order.
        absent: The ranks of candidates that certainly do not have the file.
        failed: The ranks of candidates that could not say.
    """

    accepts: Callable[[Offer], bool]
    hand_over: Callable[[Location], Coroutine[Any, Any, Any]]
    deadline: float
    tried: list[str] = field(default_factory=list)
    absent: set[Rank] = field(default_factory=set)
    failed: set[Rank] = field(default_factory=set)

    @property
    def undecided(self) -> bool:
        """True if the file may exist: what the mirrors say decides; without mirrors, what the others say."""
        return Rank.MIRRORS in self.failed or (bool(self.failed) and Rank.MIRRORS not in self.absent)


class Resolver:
    """
    Tries candidates in the order in which they come.

    Args:
        noted: Told of each error of a candidate.
    """

    def __init__(self, clock: IReactorTime, noted: Callable[[FetchError], object] = lambda _: None) -> None:
        self._clock = clock
        self._noted = noted

    async def find(self, candidates: Iterable[Candidate], search: Search) -> Any | None:
        """Returns what `search.hand_over` makes of the first candidate that holds; None where none does, of which `search` knows the reasons."""
        for candidate in candidates:
            if not search.accepts(candidate.offer):
                continue
            try:
                remaining = search.deadline - self._clock.seconds()
                if remaining <= 0:
                    raise FetchError("no time left")
                begun = begin(self._try(candidate, search))
                return begun.result if isinstance(begun, Done) else await self._in_time(begun, remaining)
            except AbsentError as error:
                self._noted(error)
                search.tried.append(str(error))
                search.absent.add(candidate.rank)
            except FetchError as error:
                self._noted(error)
                search.tried.append(str(error))
                search.failed.add(candidate.rank)
        return None

    async def _try(self, candidate: Candidate, search: Search) -> Any:
        return await search.hand_over(await candidate.settle(search.deadline))

    async def _in_time(self, trying: Coroutine[Any, Any, T], seconds: float) -> T:
        """
        Lets a candidate answer, but no longer than there is time.

        Raises:
            FetchError: As the candidate does, and when the time is up.
        """
        answered = Deferred.fromCoroutine(trying)
        answered.addTimeout(seconds, self._clock)
        try:
            return await answered
        except DeferredTimeoutError:  # a CancelledError means that the client has gone, and the whole search with it
            raise FetchError("no answer in time") from None
