"""Which mirror is asked first, since one that failed lately comes last for a while, and what no mirror had.  Rules only."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from pacserve.bounded import ExpiringMemory
from pacserve.fetch.answers import AnswerHead
from pacserve.http.retry import OVERLOADED, retry_after
from pacserve.packages.files import FileRequest

T = TypeVar("T")

# Seconds that a mirror comes last after it failed; doubled with each failure that follows until it answers again.
FIRST_PENALTY = 60.0
LONGEST_PENALTY = 600.0
# Seconds that one comes last after it gave a wrong file, whatever it answers meanwhile.  No longer: it may be the database that is wrong, and then
# every mirror seems to lie.
LIE_PENALTY = LONGEST_PENALTY
# Seconds for which a mirror can ask to be left alone: an answer is never repeated at once, and a wrong value must not cost a mirror a day.
SHORTEST_REST = 1.0
LONGEST_REST = 3600.0
# Mirrors that are remembered; pacman.conf seldom names more than a few dozen.
_LIMIT = 256


class Fault(enum.IntEnum):
    """Why a mirror comes after others: the greater the fault, the later the mirror is asked."""

    SLOW = 1
    """Another one had answered before it did."""
    FAILED = 2
    LIED = 3
    """It gave a wrong file, and may give more of them."""
    RESTING = 4
    """It has asked to be left alone for a while (RFC 9110, 10.2.3)."""

    @property
    def word(self) -> str:
        """The fault in the status and in `why`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class _Penalty:
    fault: Fault
    times: int
    until: float


class MirrorHealth:
    """
    Remembers faults by mirror.

    The penalty doubles when a mirror does wrong again after its penalty ended.  What happens before that end is the same trouble and counts once, as
    when pacman asks for five files at once from a mirror that has just gone.

    A mirror that has asked to be left alone rests for as long, whatever it answers meanwhile to requests that were made before.
    """

    def __init__(self) -> None:
        self._penalties: dict[str, _Penalty] = {}
        self._rests: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._penalties) + len(self._rests)

    def penalty(self, key: str, now: float) -> tuple[Fault, float] | None:
        """Returns the fault of a mirror and the seconds for which the mirror still comes later; None for a mirror that keeps its place."""
        if self.resting(key, now):
            return Fault.RESTING, self._rests[key] - now
        penalty = self._penalties.get(key)
        return (penalty.fault, penalty.until - now) if penalty is not None and now < penalty.until else None

    def resting(self, key: str, now: float) -> bool:
        """Returns whether a mirror has asked to be left alone until a time that is still to come."""
        return now < self._rests.get(key, now)

    def in_order(self, mirrors: Iterable[T], key: Callable[[T], str], now: float) -> list[T]:
        """
        Returns the mirrors without a penalty, then the slow, then those that failed, in the given order otherwise; last those that rest, in the order
        in which their time ends.
        """
        if not self._penalties and not self._rests:
            return list(mirrors)

        def rank(mirror: T) -> tuple[int, float]:
            found = self.penalty(key(mirror), now)
            return (0, 0.0) if found is None else (found[0], found[1] if found[0] is Fault.RESTING else 0.0)

        return sorted(mirrors, key=rank)

    def heard(self, key: str, answer: AnswerHead, now: float) -> None:
        """Leaves a mirror alone as an answer of it asks: 429 or 503 with a Retry-After."""
        if answer.status in OVERLOADED:
            seconds = retry_after(answer.header("Retry-After"), answer.header("Date"))
            if seconds is not None:
                self.rest(key, seconds, now)

    def rest(self, key: str, seconds: float, now: float) -> None:
        """Leaves a mirror alone for so many seconds, as it has asked, within `SHORTEST_REST` and `LONGEST_REST`; its latest word counts."""
        self._rests.pop(key, None)
        self._rests[key] = now + min(max(seconds, SHORTEST_REST), LONGEST_REST)
        if len(self._rests) > _LIMIT:
            del self._rests[next(iter(self._rests))]

    def succeeded(self, key: str) -> None:
        """Forgives a mirror that has answered; one that lied may give another file right, and is not forgiven before its time."""
        penalty = self._penalties.get(key)
        if penalty is not None and penalty.fault is not Fault.LIED:
            del self._penalties[key]

    def blame(self, key: str, fault: Fault, now: float) -> None:
        """Has a mirror come later for a while."""
        known = self._penalties.pop(key, None)
        if fault is Fault.LIED:
            penalty = _Penalty(fault, 1, now + LIE_PENALTY)
        elif known is None:
            penalty = _Penalty(fault, 1, now + FIRST_PENALTY)
        elif now < known.until:
            penalty = _Penalty(max(fault, known.fault), known.times, known.until)
        else:
            times = known.times + 1
            # The exponent is bounded before it is used: a mirror that stays away for months makes no huge number.
            penalty = _Penalty(fault, times, now + min(FIRST_PENALTY * 2 ** min(times - 1, 10), LONGEST_PENALTY))
        self._penalties[key] = penalty
        if len(self._penalties) > _LIMIT:
            del self._penalties[next(iter(self._penalties))]


# Seconds for which it is remembered that no mirror had a file; mirrors are updated while machines upgrade, so that it must not be long.
ABSENCE_LIFETIME = 5.0
_ABSENCES_LIMIT = 1024


class Absences(ExpiringMemory[FileRequest, str]):
    """The requests to which every mirror said no a moment ago, with what they said: clients that ask for them again make no traffic."""

    def __init__(self) -> None:
        super().__init__(_ABSENCES_LIMIT, ABSENCE_LIFETIME)
