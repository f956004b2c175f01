"""
Counts of requests by their outcome.  Rules only.

A request only adds to a few numbers; the metrics are worked out from them when Prometheus asks, which is a thousand times rarer.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pacserve.metrics.definitions import DELIVERED, LOOKUP, REQUESTS, SAVED, SERVED, TRANSFER, Definition, Distribution, Family
from pacserve.report.origins import OWN_FRONTS, Origin, origin_of
from pacserve.web.witness import Answered, Witness

LOOKUP_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 8.0)
"""Seconds.  A hit takes one round trip in the LAN; peers have 50 or 150 ms to answer, and a whole request 8 s."""

TRANSFER_BOUNDS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds.  A signature from the cache takes a millisecond, a large package over a slow Internet connection half an hour."""

# The fronts of the status page with its parts, and of pacsrv's questions.
_PAGES = ("", "static", "events", "search", "status", "why")
_NAMED = ("request", "apt", "package", "info", "fetch", "claim", "metrics")
FRONTS = (*_NAMED, "page", "other")
"""The values of the label `front`."""

_FRONTS = dict.fromkeys(_PAGES, "page") | {name: name for name in _NAMED}
_SERVING = ("package", "fetch")
_FILES = (*OWN_FRONTS, *_SERVING)
_SOURCES = (Origin.CACHE, Origin.PEERS, Origin.MIRRORS)
# Status by which it is said that no mirror could say whether it has a file.  apt is told so by 503, after which it asks again.
_UNCERTAIN = 504
_UNCERTAIN_TO_APT = 503
# Statuses by which it is said that no host has a file; other errors concern who may ask, and how.
_NOT_FOUND = {"request": (404, _UNCERTAIN), "apt": (404, _UNCERTAIN_TO_APT)}

# Series that are common, or that alerts watch, exist with zeros from the start: a rate needs a first value to grow from.
_INITIAL_SERIES = (
    ("request", "cache", "sent"),
    ("request", "peers", "redirected"),
    ("request", "peers", "sent"),
    ("request", "mirrors", "redirected"),
    ("request", "mirrors", "sent"),
    ("request", "none", "absent"),
    ("request", "none", "uncertain"),
    ("request", "none", "failed"),
    ("apt", "cache", "sent"),
    ("apt", "peers", "sent"),
    ("apt", "mirrors", "sent"),
    ("apt", "none", "absent"),
    ("apt", "none", "uncertain"),
    ("apt", "none", "failed"),
    ("package", "cache", "sent"),
    ("package", "cache", "looked"),
)


class Outcome(enum.Enum):
    """The outcome of a request."""

    SENT = "sent"
    """The whole answer was sent."""
    REDIRECTED = "redirected"
    """The client was redirected to a peer or a mirror."""
    LOOKED = "looked"
    """It was a HEAD, by which a peer asks whether a file is here before it redirects pacman."""
    UNCHANGED = "unchanged"
    """The client's copy is up to date (304)."""
    ABSENT = "absent"
    """There is no such file (404)."""
    REFUSED = "refused"
    """The client may not ask, or not in this way (any other 4xx)."""
    UNCERTAIN = "uncertain"
    """No mirror could say that it has the file (504; 503 for apt)."""
    FAILED = "failed"
    """pacserve failed (any other 5xx)."""
    CUT = "cut"
    """The connection ended before the answer did."""


class _Key(NamedTuple):
    """The properties of a request that metrics depend on; there are few different keys."""

    front: str
    status: int
    origin: Origin
    redirected: bool
    complete: bool
    head: bool


@dataclass(slots=True)
class _Tally:
    """
    The requests of one key.

    Attributes:
        size: The bytes of all of them together.
        seconds: The seconds of all of them together.
        counts: The number of requests by duration; empty where no histogram needs them.
    """

    bounds: Sequence[float]
    counts: list[int]
    requests: int = 0
    size: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Spread:
    """Adds up tallies that have the same bounds."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def add(self, counts: Iterable[int], total: float) -> None:
        self.counts = [one + other for one, other in zip(self.counts or [0] * (len(self.bounds) + 1), counts, strict=True)]
        self.total += total


class RequestCounts(Witness):
    """Counts the requests that were answered, from the start of the daemon on."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[object, ...], tuple[_Key, _Tally]] = {}

    def answered(self, answered: Answered) -> None:
        status = answered.status
        origin = origin_of(answered.origin, status)
        # A plain tuple is made faster than a named one.  The front comes from the client, so that only known ones may become a label.
        front = _FRONTS.get(answered.front, "other")
        key = (front, status, origin, answered.redirected, answered.complete, answered.method == "HEAD")
        known = self._tallies.get(key)
        if known is None:
            known = self._tallies[key] = _new_tally(_Key(*key))
        tally = known[1]
        tally.requests += 1
        if answered.size:
            tally.size += answered.size
        if tally.counts:
            seconds = answered.seconds
            tally.seconds += seconds
            tally.counts[bisect_left(tally.bounds, seconds)] += 1

    def families(self) -> Iterator[Family]:
        """Yields the counts as metrics."""
        requests: dict[tuple[str, ...], float] = defaultdict(int, dict.fromkeys(_INITIAL_SERIES, 0))
        delivered: dict[tuple[str, ...], float] = defaultdict(int, dict.fromkeys(_deliveries(), 0))
        served: dict[tuple[str, ...], float] = {(front,): 0 for front in _SERVING}
        for key, tally in self._tallies.values():
            outcome = _outcome(key)
            requests[key.front, key.origin.value, outcome.value] += tally.requests
            if not _carries(key, outcome):
                continue
            if key.front in _SERVING:
                served[key.front,] += tally.size
            elif key.front in OWN_FRONTS:
                delivered[key.origin.value, "redirected" if key.redirected else "sent"] += tally.size
        yield Family(REQUESTS, requests)
        yield Family(DELIVERED, delivered)
        yield Family(SAVED, {(): sum(size for (origin, _), size in delivered.items() if origin != Origin.MIRRORS.value)})
        yield Family(SERVED, served)
        yield self._spread(LOOKUP, LOOKUP_BOUNDS)
        yield self._spread(TRANSFER, TRANSFER_BOUNDS)

    def _spread(self, definition: Definition, bounds: Sequence[float]) -> Family:
        spreads: dict[tuple[str, ...], _Spread] = defaultdict(lambda: _Spread(bounds))
        for key, tally in self._tallies.values():
            if tally.counts and tally.bounds is bounds:
                labels = (key.origin.value,) if definition is LOOKUP else (key.front, key.origin.value)
                spreads[labels].add(tally.counts, tally.seconds)
        return Family(definition, {labels: Distribution(bounds, spread.counts, spread.total) for labels, spread in spreads.items()})


def _new_tally(key: _Key) -> tuple[_Key, _Tally]:
    bounds = _bounds(key)
    return key, _Tally(bounds, [0] * (len(bounds) + 1) if bounds else [])


def _bounds(key: _Key) -> Sequence[float]:
    """Returns the bounds of the histogram that a request belongs to, of lookups or of transfers; none for all other requests."""
    outcome = _outcome(key)
    if key.front in OWN_FRONTS and (outcome is Outcome.REDIRECTED or (key.complete and key.status in _NOT_FOUND[key.front])):
        return LOOKUP_BOUNDS
    if key.front in _FILES and outcome is Outcome.SENT and key.origin in _SOURCES:
        return TRANSFER_BOUNDS
    return ()


def _carries(key: _Key, outcome: Outcome) -> bool:
    """Returns whether the answer carried bytes of a file; on a connection that was cut, those before the cut."""
    if key.origin not in _SOURCES or key.head:
        return False
    return outcome in {Outcome.SENT, Outcome.REDIRECTED} or (outcome is Outcome.CUT and not key.redirected)


def _deliveries() -> Iterator[tuple[str, ...]]:
    for origin in _SOURCES:
        yield origin.value, "sent"
        if origin is not Origin.CACHE:
            yield origin.value, "redirected"


def _outcome(key: _Key) -> Outcome:
    if not key.complete:
        return Outcome.CUT
    if key.status >= 500:
        uncertain = _UNCERTAIN_TO_APT if key.front == "apt" else _UNCERTAIN
        return Outcome.UNCERTAIN if key.status == uncertain else Outcome.FAILED
    if key.status >= 400:
        return Outcome.ABSENT if key.status == 404 else Outcome.REFUSED
    if key.redirected:
        return Outcome.REDIRECTED
    if key.status == 304:
        return Outcome.UNCHANGED
    return Outcome.LOOKED if key.head else Outcome.SENT
