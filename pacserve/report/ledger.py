"""What was answered, in numbers: by minute, hour and day, and the last requests one by one.  Rules only, but for the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacserve.network.addresses import LocalAddresses
from pacserve.report.origins import Origin, origin_of
from pacserve.report.status import Bucket, Record, Tally, TrafficStatus
from pacserve.web.witness import Answered, Witness

MINUTE = 60
HOUR = 3600
DAY = 86_400
# Minutes, hours and days that are remembered.
MINUTES = 60
HOURS = 24
DAYS = 400
# Requests that are remembered one by one.
RECENT = 200
# Peers of which it is remembered what they gave.
PEERS = 1024
# Characters of a request target that are remembered.
_LONGEST = 300
# What pacman asks for, and what it and other hosts do.
_OWN = "request"
_FILES = frozenset({_OWN, "package", "fetch"})
# Origins that are counted apart until they are added up.
_FRESH = 512


@dataclass(slots=True)
class Counts:
    """
    Requests and bytes of one period.

    Attributes:
        began: Seconds since the epoch.
        requests: By origin.
        sizes: Bytes by origin.
        served: Bytes that other hosts got.
    """

    began: int
    requests: dict[Origin, int]
    sizes: dict[Origin, int]
    served: int = 0

    def bucket(self) -> Bucket:
        """For people."""
        return Bucket(float(self.began), *(self.sizes.get(origin, 0) for origin in (Origin.CACHE, Origin.PEERS, Origin.MIRRORS)))


def no_counts(began: int) -> Counts:
    """Nothing yet."""
    return Counts(began, {}, {})


@dataclass(frozen=True, slots=True)
class History:
    """
    What is kept over a restart.

    Attributes:
        since: When counting began, in seconds since the epoch.
        hours: The last day, the oldest hour first.
        days: The oldest first.
    """

    since: float
    hours: Sequence[Counts]
    days: Sequence[Counts]


class Ledger(Witness):
    """
    Counts what this host's clients and other hosts were answered with.

    Args:
        wall: Gives the seconds since the epoch.
        since: When counting began, in seconds since the epoch.
    """

    def __init__(self, wall: Callable[[], float], local: LocalAddresses, since: float) -> None:
        self._wall = wall
        self._local = local
        self._since = since
        self._minutes: deque[Counts] = deque(maxlen=MINUTES)
        self._hours: deque[Counts] = deque(maxlen=HOURS)
        self._days: deque[Counts] = deque(maxlen=DAYS)
        self._recent: deque[tuple[float, Answered]] = deque(maxlen=RECENT)
        self._info_asked: float | None = None
        self._given: dict[str, int] = {}
        # What was answered in this minute: requests and bytes, by front and by what the log says of the origin.  A redirect takes 60 us in all:
        # what somebody may want to know later is not to make it slower.
        self._fresh: dict[tuple[str, str], list[int]] = {}
        self._fresh_since = 0.0
        self.changes = 0

    def take_over(self, history: History) -> None:
        """Goes on with what a daemon before has counted, which was read meanwhile."""
        self._settle()
        self._since = min(history.since, self._since)
        self._hours = _joined(history.hours, self._hours, HOUR)
        self._days = _joined(history.days, self._days, DAY)

    def answered(self, answered: Answered) -> None:
        front = answered.front
        if front not in _FILES:
            if front == "info" and not self._local.owns(answered.client):
                self._info_asked = self._wall()
            return
        now = self._wall()
        self.changes += 1
        self._recent.append((now, answered))
        if answered.method != "GET" or answered.status >= 400:
            return
        if not 0 <= now - self._fresh_since < MINUTE or len(self._fresh) >= _FRESH:
            self._settle()
            self._fresh_since = now // MINUTE * MINUTE
        key = front, answered.origin
        counted = self._fresh.get(key)
        if counted is None:
            counted = self._fresh[key] = [0, 0]
        counted[0] += 1
        counted[1] += answered.size or 0

    def _settle(self) -> None:
        """Adds what is fresh to the minute, the hour and the day in which it was answered."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        at = int(self._fresh_since)
        current = [
            _period(periods, at // length * length, length) for periods, length in ((self._minutes, MINUTE), (self._hours, HOUR), (self._days, DAY))
        ]
        for (front, origin), (requests, size) in fresh.items():
            for counts in current:
                if front == _OWN:
                    _add(counts, origin_of(origin, 200), requests, size)
                else:
                    counts.served += size
            self._give(origin, size)

    @property
    def info_asked(self) -> float | None:
        """When another host last asked for `/info`, in seconds since the epoch."""
        return self._info_asked

    def history(self) -> History:
        """What a daemon after this one goes on with."""
        self._settle()
        return History(self._since, tuple(self._hours), tuple(self._days))

    def recent(self) -> tuple[Record, ...]:
        """Returns the last requests, the latest first."""
        return tuple([_record(answered, at) for at, answered in reversed(self._recent)])

    def of(self, name: str) -> tuple[Record, ...]:
        """Returns the last requests for a file, the latest first."""
        return tuple(record for record in self.recent() if record.path.rpartition("/")[2] == name)

    def given(self, address: str) -> int:
        """Returns the bytes that a peer gave, or that clients were sent there for, by its address and port."""
        self._settle()
        return self._given.get(address, 0)

    def traffic(self) -> TrafficStatus:
        """All that was counted."""
        self._settle()
        now = self._wall()
        days = self._days
        tallies = tuple(
            Tally(origin.value, sum(day.requests.get(origin, 0) for day in days), sum(day.sizes.get(origin, 0) for day in days))
            for origin in (Origin.CACHE, Origin.PEERS, Origin.MIRRORS)
        )
        return TrafficStatus(
            since=self._since,
            tallies=tallies,
            saved=sum(tally.size for tally in tallies if tally.origin != Origin.MIRRORS.value),
            served=sum(day.served for day in days),
            minutes=tuple(minute.bucket() for minute in self._minutes if minute.began > now - MINUTES * MINUTE),
            days=tuple(day.bucket() for day in days),
            hours=tuple(hour.bucket() for hour in self._hours if hour.began > now - HOURS * HOUR),
        )

    def _give(self, origin: str, size: int) -> None:
        who, _, where = origin.partition(" ")
        if who != "peer":
            return
        address = where.partition(",")[0]
        given = self._given.pop(address, 0)
        self._given[address] = given + size  # the last to be forgotten
        if len(self._given) > PEERS:
            del self._given[next(iter(self._given))]


def _period(periods: deque[Counts], began: int, length: int) -> Counts:
    """What is counted now; a clock that was set back goes on with the last period."""
    if not periods or periods[-1].began + length <= began:
        periods.append(no_counts(began))
    return periods[-1]


def _joined(before: Sequence[Counts], now: deque[Counts], length: int) -> deque[Counts]:
    """What was counted before and now, in one."""
    periods: deque[Counts] = deque(before, maxlen=now.maxlen)
    for counts in now:
        known = _period(periods, counts.began, length)
        for origin, count in counts.requests.items():
            _add(known, origin, count, counts.sizes.get(origin, 0))
        known.served += counts.served
    return periods


def _add(counts: Counts, origin: Origin, requests: int, size: int) -> None:
    counts.requests[origin] = counts.requests.get(origin, 0) + requests
    counts.sizes[origin] = counts.sizes.get(origin, 0) + size


def _record(answered: Answered, now: float) -> Record:
    return Record(
        at=now,
        client=str(answered.client),
        path=answered.target[:_LONGEST].decode("ascii", "backslashreplace"),
        status=answered.status,
        origin=answered.origin[:_LONGEST],
        size=answered.size,
        seconds=answered.seconds,
        redirected=answered.redirected,
        ended=answered.complete,
    )
