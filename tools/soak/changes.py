"""Everything that happens around the upgrades."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.soak.repository import Repository
from tools.soak.runs import Event, Happening, Record
from tools.soak.station import Station

# Seconds between two changes, and between two publications.
_SHORTEST_WAIT, _LONGEST_WAIT = 1.5, 4.0
_SHORTEST_EDITION, _LONGEST_EDITION = 10.0, 25.0
# Seconds that a daemon is away, and that a host is off the network.
_SHORTEST_ABSENCE, _LONGEST_ABSENCE = 0.0, 25.0
_SHORTEST_OUTAGE, _LONGEST_OUTAGE = 1.0, 8.0
# The part of the publications that rebuild packages, and of those at which all hosts upgrade at once.
_REBUILDS = 0.12
_TOGETHER = 0.4
# The last part of the address of hosts that move.
_ADDRESSES = range(60, 250)


class Changes:
    """
    Makes the changes, each when it is due.

    Args:
        gather: Has all hosts upgrade at the same moment.
    """

    def __init__(
        self, stations: Sequence[Station], repository: Repository, record: Record, chance: random.Random, gather: Callable[[], object]
    ) -> None:
        self._stations, self._repository, self._record, self._chance, self._gather = stations, repository, record, chance, gather
        self._due: list[tuple[float, Callable[[], object]]] = []
        self._kinds: dict[str, tuple[float, Callable[[Station], object]]] = {
            "daemon killed": (2.0, lambda station: self._end(station, Event.KILL)),
            "daemon stopped": (2.0, lambda station: self._end(station, Event.STOP)),
            "address changed": (1.5, self._move),
            "interface down and up": (1.0, lambda station: self._leave(station, cable=False)),
            "cable out and in": (1.0, lambda station: self._leave(station, cable=True)),
            "files lost": (1.0, lambda station: self._lose(station, lambda: station.lose_files(self._some))),
            "all but the newest versions removed": (0.7, lambda station: self._lose(station, station.keep_newest)),
            "pacman's cache lost": (0.5, lambda station: self._lose(station, station.lose_cache)),
            "spool lost": (0.5, lambda station: self._lose(station, station.lose_spool)),
        }
        self._later(self._chance.uniform(_SHORTEST_EDITION, _LONGEST_EDITION), self._publish)
        self._later(_LONGEST_WAIT, self._change)

    def join_later(self, station: Station, seconds: float) -> None:
        """Starts the daemon of a host after some time."""
        self._later(seconds, station.start)

    def make(self) -> None:
        """Makes those that are due."""
        now = time.monotonic()
        due = [what for at, what in self._due if at <= now]
        self._due = [(at, what) for at, what in self._due if at > now]
        for what in due:
            what()

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        self._due.append((time.monotonic() + seconds, what))

    def _change(self) -> None:
        self._later(self._chance.uniform(_SHORTEST_WAIT, _LONGEST_WAIT), self._change)
        (name,) = self._chance.choices(list(self._kinds), [weight for weight, _ in self._kinds.values()])
        if self._kinds[name][1](self._chance.choice(self._stations)):
            self._count(name)

    def _count(self, name: str) -> None:
        self._record.counts[name] = self._record.counts.get(name, 0) + 1

    def _publish(self) -> None:
        self._later(self._chance.uniform(_SHORTEST_EDITION, _LONGEST_EDITION), self._publish)
        published = self._repository.publish(rebuilt=self._chance.random() < _REBUILDS)
        if published.rebuilt:
            self._record.happenings.append(Happening(Event.REBUILD, "", published.began, published.ended, published.files))
        self._count("packages rebuilt" if published.rebuilt else "new versions published")
        if self._chance.random() < _TOGETHER:
            self._count("all upgraded at once")
            self._gather()

    def _end(self, station: Station, event: Event) -> bool:
        if station.resident or not station.runs:
            return False
        station.end(event)
        self._later(self._chance.uniform(_SHORTEST_ABSENCE, _LONGEST_ABSENCE), station.start)
        return True

    def _move(self, station: Station) -> bool:
        if not station.reached:
            return False
        taken = {other.host.ip for other in self._stations}
        station.move(self._chance.choice([address for last in _ADDRESSES if (address := f"10.77.0.{last}") not in taken]))
        return True

    def _leave(self, station: Station, *, cable: bool) -> bool:
        if not station.reached:
            return False
        self._later(self._chance.uniform(_SHORTEST_OUTAGE, _LONGEST_OUTAGE), station.leave(cable=cable))
        return True

    def _lose(self, station: Station, lose: Callable[[], object]) -> bool:
        """Has a host lose files, unless its own pacman runs, which would miss them."""
        if not station.alone.acquire(blocking=False):
            return False
        try:
            lose()
        finally:
            station.alone.release()
        return True

    def _some(self, paths: Sequence[Path]) -> Sequence[Path]:
        return [path for path in paths if self._chance.random() < 0.5]
