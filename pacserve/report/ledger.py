"""The answered requests, counted by minute, hour and day, and the last ones one by one.  Rules only, but for the clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacserve.network.addresses import LocalAddresses
from pacserve.report.asked import asked_url
from pacserve.report.origins import OWN_FRONTS, Origin, origin_of
from pacserve.report.status import Bucket, Record, Tally, TrafficStatus
from pacserve.web.origins import Share, shares_in
from pacserve.web.witness import Answered, Witness

MINUTE = 60
HOUR = 3600
DAY = 86_400
# The numbers of minutes, hours and days that are remembered.
MINUTES = 60
HOURS = 24
DAYS = 400
# The number of requests of this host that are remembered one by one, and likewise those of all other hosts together: however much others ask, the
# requests of this host stay.
RECENT = 200
# The number of peers whose given bytes are remembered.
PEERS = 1024
# Characters of a request target and of an origin that are remembered.
_LONGEST_TEXT = 300
# Characters of a method that are remembered: those that have a meaning here are shorter.
_LONGEST_METHOD = 10
# The fronts that serve files.
_FILE_FRONTS = OWN_FRONTS | {"package", "fetch"}
# The number of origins that are counted apart before they are added up: a bound, since mirrors and peers may be many.
_UNSETTLED_LIMIT = 512


@dataclass(slots=True)
class Counts:
    """
    The requests and bytes of one period.

    Attributes:
        began: The begin of the period in seconds since the epoch.
        requests: The number of requests by origin.
        sizes: The bytes by origin.
        served: The bytes that other hosts got.
    """

    began: int
    requests: dict[Origin, int]
    sizes: dict[Origin, int]
    served: int = 0

    def bucket(self) -> Bucket:
        """Returns the counts as they are shown."""
        return Bucket(float(self.began), *(self.sizes.get(origin, 0) for origin in (Origin.CACHE, Origin.PEERS, Origin.MIRRORS)))


def no_counts(began: int) -> Counts:
    """Returns the counts of a period in which nothing happened yet."""
    return Counts(began, {}, {})


@dataclass(frozen=True, slots=True)
class History:
    """
    The counts that are kept over a restart.

    Attributes:
        since: When counting began, in seconds since the epoch.
        hours: The hours of the last day, the oldest first.
        days: The days, the oldest first.
    """

    since: float
    hours: Sequence[Counts]
    days: Sequence[Counts]


class Ledger(Witness):
    """
    Counts the requests of this host's clients and of other hosts, and the bytes of their answers.

    Args:
        wall: Returns the seconds since the epoch.
        since: When counting began, in seconds since the epoch.
    """

    def __init__(self, wall: Callable[[], float], local: LocalAddresses, since: float) -> None:
        self._wall = wall
        self._local = local
        self._since = since
        self._minutes: deque[Counts] = deque(maxlen=MINUTES)
        self._hours: deque[Counts] = deque(maxlen=HOURS)
        self._days: deque[Counts] = deque(maxlen=DAYS)
        self._own: deque[tuple[float, Answered]] = deque(maxlen=RECENT)
        self._others: deque[tuple[float, Answered]] = deque(maxlen=RECENT)
        self._info_asked: float | None = None
        self._given: dict[str, int] = {}
        # The requests and bytes of this minute, by front and by the origin as the log states it.  They are sorted out once a minute: a redirect
        # takes 60 us in all, and statistics must not make it slower.
        self._unsettled: dict[tuple[str, str], list[int]] = {}
        self._unsettled_since = 0.0
        self.changes = 0

    def take_over(self, history: History) -> None:
        """Adds the counts of earlier daemons, which were read from the archive after this one had begun to count."""
        self._settle()
        self._since = min(history.since, self._since)
        self._hours = _joined(history.hours, self._hours, HOUR)
        self._days = _joined(history.days, self._days, DAY)

    def answered(self, answered: Answered) -> None:
        front = answered.front
        if front not in _FILE_FRONTS:
            if front == "info" and not self._local.owns(answered.client):
                self._info_asked = self._wall()
            return
        now = self._wall()
        self.changes += 1
        (self._own if self._local.owns(answered.client) else self._others).append((now, answered))
        if answered.method != "GET" or answered.status >= 400:
            return
        if not 0 <= now - self._unsettled_since < MINUTE or len(self._unsettled) >= _UNSETTLED_LIMIT:
            self._settle()
            self._unsettled_since = now // MINUTE * MINUTE
        key = front, answered.origin
        counted = self._unsettled.get(key)
        if counted is None:
            counted = self._unsettled[key] = [0, 0]
        counted[0] += 1
        counted[1] += answered.size or 0

    def _settle(self) -> None:
        """Adds the requests since the last call to the minute, the hour and the day in which they were answered."""
        unsettled, self._unsettled = self._unsettled, {}
        if not unsettled:
            return
        at = int(self._unsettled_since)
        current = [
            _period(periods, at // length * length, length) for periods, length in ((self._minutes, MINUTE), (self._hours, HOUR), (self._days, DAY))
        ]
        for (front, origin), (requests, size) in unsettled.items():
            for counts in current:
                if front in OWN_FRONTS:
                    _add(counts, origin_of(origin, 200), requests, size)
                else:
                    counts.served += size
            self._give(origin, size)

    @property
    def info_asked(self) -> float | None:
        """The time when another host last asked for `/info`, in seconds since the epoch; None where none ever did."""
        return self._info_asked

    def history(self) -> History:
        """Returns the counts that the next daemon goes on with."""
        self._settle()
        return History(self._since, tuple(self._hours), tuple(self._days))

    def recent(self) -> tuple[Record, ...]:
        """Returns the last requests of this host and of others, the latest first."""
        own = [_record(answered, at, own=True) for at, answered in reversed(self._own)]
        others = [_record(answered, at, own=False) for at, answered in reversed(self._others)]
        return tuple(sorted([*own, *others], key=lambda record: -record.at))

    def of(self, name: str, urls: Sequence[str] = ()) -> tuple[Record, ...]:
        """
        Returns the last requests for a file, the latest first.

        Args:
            name: That under which hosts share it.
            urls: Those by which a mirror has it, for a file that is not asked for by its name.
        """
        wanted = {asked_url(url) for url in urls}
        return tuple([one for one in self.recent() if one.path.rpartition("/")[2] == name or (wanted and asked_url(one.path) in wanted)])

    def url_of(self, name: str) -> str | None:
        """Returns the URL of the file of a mirror that was asked for last under a name, percent-decoded; None where none was."""
        urls = (asked_url(record.path) for record in self.recent())
        return next((url for url in urls if url is not None and url.rpartition("/")[2] == name), None)

    def given(self, address: str) -> int:
        """Returns the bytes that a peer gave, or for which clients were redirected to it, by its address and port."""
        self._settle()
        return self._given.get(address, 0)

    def traffic(self) -> TrafficStatus:
        """Returns all traffic that was counted."""
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
        """Counts the bytes of an answer for the peers that gave them; several hosts gave as much of it as they gave of the file."""
        shares, _ = shares_in(origin)
        if not shares:
            shares = [Share(origin.partition(",")[0], size)]
        whole = max(sum([share.size for share in shares]), 1)
        for share in shares:
            if share.kind == "peer":
                self._give_peer(share.name, size * share.size // whole)

    def _give_peer(self, address: str, size: int) -> None:
        given = self._given.pop(address, 0)
        self._given[address] = given + size  # at the end, so that the peer that gave least lately is forgotten first
        if len(self._given) > PEERS:
            del self._given[next(iter(self._given))]


def _period(periods: deque[Counts], began: int, length: int) -> Counts:
    """Returns the counts of the present period; after the clock was set back the last period goes on."""
    if not periods or periods[-1].began + length <= began:
        periods.append(no_counts(began))
    return periods[-1]


def _joined(before: Sequence[Counts], now: deque[Counts], length: int) -> deque[Counts]:
    """Returns the counts of earlier daemons and of this one in one sequence of periods."""
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


def _record(answered: Answered, now: float, *, own: bool) -> Record:
    return Record(
        at=now,
        client=str(answered.client),
        path=answered.target[:_LONGEST_TEXT].decode("ascii", "backslashreplace"),
        status=answered.status,
        origin=answered.origin[:_LONGEST_TEXT],
        size=answered.size,
        seconds=answered.seconds,
        redirected=answered.redirected,
        ended=answered.complete,
        own=own,
        method=answered.method[:_LONGEST_METHOD],
    )
