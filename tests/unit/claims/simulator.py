"""
A LAN of hosts that download one file at once, as flows of bytes: each link has a rate, each leader's uplink is shared by its followers.

The keeper's rules are the real ones.  `python -m tests.unit.claims.simulator` prints what they make of LANs of many kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pacserve.claims.claims import Claims
from pacserve.claims.following import REPORT_INTERVAL
from pacserve.claims.lease import RENEWAL_INTERVAL
from pacserve.peers.reputation import Reputations

# Seconds of a step, which is also how much later bytes are at the next host: 0.1 s were measured, of which half is the reading of a slow source.
STEP = 0.05
# Seconds for which nothing comes when a host changes its leader.
CHANGE = 0.1
# As the download has them: seconds without a byte after which a host asks for another leader, and after which it goes to a mirror.
STALL, GIVES_UP = 2.0, 3.0
# Seconds before a host asks again after a leader that gave nothing.
AGAIN = 0.5
MBIT = 1e6 / 8
KEY = "file"


@dataclass(slots=True)
class Station:
    """
    A host of the LAN.

    Attributes:
        down, up: Bytes per second of its link; `air` says that it shares the Wi-Fi with others.
        dies_at: When it vanishes; `hangs` says that its connections stay.
        lies: It takes bytes, gives none, and says that it has all of the file.
        old: It is of a version that tells its keeper nothing of how far it is.
        wan: Bytes that it took from the mirror; `done_at` when it had the file.
    """

    name: str
    asks_at: float = 0.0
    down: float = 1e3 * MBIT
    up: float = 1e3 * MBIT
    air: bool = False
    dies_at: float = 1e9
    hangs: bool = False
    lies: bool = False
    old: bool = False
    written: float = 0.0
    available: float = 0.0
    wan: float = 0.0
    done_at: float | None = None
    holds: bool = False
    leader: str = ""
    waits_until: float = 0.0
    came_at: float = 0.0
    followed_at: float = 0.0
    gained: float = 0.0
    reports_at: float = 0.0
    leaders: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The address that it asks from."""
        return f"10.0.{int(self.name) // 250}.{int(self.name) % 250}"


class SimulatedLAN:
    """
    Runs a LAN until every host has the file.

    Args:
        wan: Bytes per second of the line to the mirrors, which all hosts share; `air` of the Wi-Fi, which is used once by each host of a transfer.
    """

    def __init__(self, stations: Sequence[Station], size: float, wan: float, air: float = 1e9) -> None:
        self.stations = {station.name: station for station in stations}
        self.size, self.rate, self._air = size, wan, air
        self.claims = Claims(Reputations())
        self.now = 0.0

    def run(self, limit: float = 300.0) -> SimulatedLAN:
        """Runs until all hosts that live have the file, or for so many seconds."""
        while self.now < limit and any(one.done_at is None and self._lives(one) for one in self.stations.values()):
            self._talk()
            self._flow()
            self.now += STEP
        return self

    @property
    def last(self) -> float:
        """Seconds until the last host that lives had the file."""
        return max(self.times.values())

    @property
    def times(self) -> Mapping[str, float]:
        """Seconds until each host that lives had the file."""
        return {one.name: (1e9 if one.done_at is None else one.done_at) for one in self.stations.values() if self._lives(one)}

    @property
    def wan(self) -> float:
        """How often the file came over the WAN."""
        return sum(one.wan for one in self.stations.values()) / self.size

    @property
    def changes(self) -> int:
        """How many leaders were followed, besides the first of each host."""
        return sum(max(0, len(one.leaders) - 1) for one in self.stations.values())

    def _lives(self, one: Station) -> bool:
        return self.now < one.dies_at

    def _talk(self) -> None:
        """Has the hosts ask, renew and report what is due."""
        for one in self.stations.values():
            if not self._lives(one) or self.now < max(one.asks_at, one.waits_until):
                continue
            if not one.leader and not one.holds and one.done_at is None:
                self._ask(one)
            elif one.done_at is None or (one.lies and one.leader):
                self._tell(one)

    def _tell(self, one: Station) -> None:
        if one.leader and one.done_at is None:
            leader = self.stations[one.leader]
            broken = not self._lives(leader) and not leader.hangs
            if broken or self.now - max(one.came_at, one.followed_at) >= STALL:
                one.waits_until = self.now + (AGAIN if one.gained < 65536 else 0.0)
                one.leader = ""
                return
        if self.now < one.reports_at or (one.old and not one.holds):
            return
        one.reports_at = self.now + (RENEWAL_INTERVAL if one.holds else REPORT_INTERVAL)
        stated = None if one.old else int(self.size if one.lies else one.written)
        verdict = self.claims.handle("renew" if one.holds else "report", KEY, one.name, one.source, self.now, stated)
        if verdict.follow and not one.holds and verdict.follow != one.leader:
            self._follow(one, verdict.follow, CHANGE)

    def _ask(self, one: Station) -> None:
        if self.now - one.came_at >= GIVES_UP and one.leaders:
            one.holds = True
            return
        verdict = self.claims.handle("ask", KEY, one.name, one.source, self.now, None if one.old else int(one.written))
        if verdict.follow is None:
            one.holds = True
            return
        self._follow(one, verdict.follow, 0.0 if not one.leaders else CHANGE)
        if len(one.leaders) == 1:
            one.came_at = self.now

    def _follow(self, one: Station, leader: str, pause: float) -> None:
        one.leaders.append(leader)
        one.leader, one.gained = leader, 0.0
        one.waits_until = one.followed_at = self.now + pause
        one.reports_at = max(one.reports_at, self.now + REPORT_INTERVAL)

    def _flow(self) -> None:
        """Moves the bytes of one step."""
        wants: dict[str, float] = {}
        feeds: dict[str, list[Station]] = {}
        for one in self.stations.values():
            if one.done_at is not None or not self._lives(one) or self.now < one.waits_until:
                continue
            missing = min(self.size - one.written, one.down * STEP)
            if one.holds:
                wants[one.name] = missing
                feeds.setdefault("", []).append(one)
            elif one.leader:
                leader = self.stations[one.leader]
                if self._lives(leader) and not leader.lies:
                    wants[one.name] = max(0.0, min(missing, leader.available - one.written))
                    feeds.setdefault(one.leader, []).append(one)
        flows: dict[str, float] = {}
        for giver, followers in feeds.items():
            capacity = self.rate if not giver else self.stations[giver].up
            flows |= _shared([(one.name, wants[one.name]) for one in followers], capacity * STEP)
        self._share_air(flows)
        for one in self.stations.values():
            one.available = one.written
        for name, count in flows.items():
            self._arrive(self.stations[name], count)

    def _share_air(self, flows: dict[str, float]) -> None:
        crossings = {}
        for name in flows:
            leader = self.stations.get(self.stations[name].leader)
            crossings[name] = int(self.stations[name].air) + int(leader is not None and leader.air)
        used = sum(flows[name] * crossings[name] for name in flows)
        if used > self._air * STEP:
            for name, count in crossings.items():
                if count:
                    flows[name] *= self._air * STEP / used

    def _arrive(self, one: Station, count: float) -> None:
        if count < 1:
            return
        one.written += count
        one.gained += count
        one.came_at = self.now
        if one.holds:
            one.wan += count
        if one.written >= self.size - 1:
            one.done_at = self.now + STEP
            self.claims.handle("finish", KEY, one.name, one.source, self.now, int(self.size))


def _shared(wants: Sequence[tuple[str, float]], capacity: float) -> dict[str, float]:
    """Shares a link fairly: those who want less than their part leave the rest to the others."""
    got, left = {}, capacity
    for number, (name, want) in enumerate(sorted(wants, key=lambda pair: pair[1])):
        got[name] = min(want, left / (len(wants) - number))
        left -= got[name]
    return got


def lan(count: int, mbit: float, *changes: Callable[[int, Station], None]) -> list[Station]:
    """So many hosts that ask within a tenth of a second, with links of a rate."""
    stations = [Station(f"{number}", 0.1 * number / count, mbit * MBIT, mbit * MBIT) for number in range(count)]
    for number, station in enumerate(stations):
        for change in changes:
            change(number, station)
    return stations


def slow(which: Iterable[int], mbit: float, *, up_only: bool = False) -> Callable[[int, Station], None]:
    """Some hosts have slower links."""
    numbers = frozenset(which)

    def change(number: int, station: Station) -> None:
        if number in numbers:
            station.up = mbit * MBIT
            station.down = station.down if up_only else mbit * MBIT

    return change


def faulty(which: Iterable[int], **fault: float) -> Callable[[int, Station], None]:
    """Some hosts have other attributes."""
    numbers = frozenset(which)

    def change(number: int, station: Station) -> None:
        for name, value in fault.items() if number in numbers else ():
            setattr(station, name, value)

    return change


def simulate(count: int, mbit: float, megabytes: float, wan: float, *changes: Callable[[int, Station], None], air: float = 1e5) -> SimulatedLAN:
    """Runs a LAN of so many hosts; rates are in Mbit/s."""
    return SimulatedLAN(lan(count, mbit, *changes), megabytes * 1e6, wan * MBIT, air * MBIT).run()


# Name, and what is given to `simulate`.
CASES: tuple[tuple[str, Callable[[], SimulatedLAN]], ...] = (
    ("8 hosts, LAN 50, WAN 50, 25 MB", lambda: simulate(8, 50, 25, 50)),
    ("16 hosts, LAN 10, WAN 10, 10 MB", lambda: simulate(16, 10, 10, 10)),
    ("8 hosts, LAN 1000, WAN 50, 25 MB", lambda: simulate(8, 1000, 25, 50)),
    ("8 hosts, LAN 10,000, WAN 1000, 100 MB", lambda: simulate(8, 10_000, 100, 1000)),
    ("8 hosts, LAN 95, WAN 300, 100 MB", lambda: simulate(8, 95, 100, 300)),
    ("8 hosts, LAN 75, WAN 50, 25 MB", lambda: simulate(8, 75, 25, 50)),
    ("30 hosts, LAN 50, WAN 50, 25 MB", lambda: simulate(30, 50, 25, 50)),
    ("30 hosts, LAN 1000, WAN 100, 100 MB", lambda: simulate(30, 1000, 100, 100)),
    ("30 hosts, LAN 1000, WAN 1000, 100 MB", lambda: simulate(30, 1000, 100, 1000)),
    ("200 hosts, LAN 50, WAN 50, 25 MB", lambda: simulate(200, 50, 25, 50)),
    ("200 hosts, LAN 1000, WAN 100, 100 MB", lambda: simulate(200, 1000, 100, 100)),
    ("200 hosts, 1000/100, every 10th on 10", lambda: simulate(200, 1000, 50, 100, slow(range(10, 200, 10), 10))),
    ("8 hosts, 1000/50, the 2nd on 10", lambda: simulate(8, 1000, 25, 50, slow([1], 10))),
    ("8 hosts, 1000/50, 2nd and 3rd on 10", lambda: simulate(8, 1000, 25, 50, slow([1, 2], 10))),
    ("8 hosts, 1000/50, the 2nd gives 10", lambda: simulate(8, 1000, 25, 50, slow([1], 10, up_only=True))),
    ("8 hosts, 50/50, the 2nd on 10", lambda: simulate(8, 50, 25, 50, slow([1], 10))),
    ("8 hosts, 50/50, the 4th on 10", lambda: simulate(8, 50, 25, 50, slow([3], 10))),
    ("8 hosts, 1000/50, the 1st on 10", lambda: simulate(8, 1000, 25, 50, slow([0], 10))),
    ("30 hosts, 1000/100, every 5th on 10", lambda: simulate(30, 1000, 50, 100, slow(range(5, 30, 5), 10))),
    ("30 hosts, 1000/100, half of them on 100", lambda: simulate(30, 1000, 50, 100, slow(range(1, 30, 2), 100))),
    ("8 hosts, 1000/50, two die", lambda: simulate(8, 1000, 25, 50, faulty([1, 3], dies_at=2.0))),
    ("8 hosts, 1000/50, two hang", lambda: simulate(8, 1000, 25, 50, faulty([1, 3], dies_at=2.0, hangs=True))),
    ("8 hosts, 1000/50, two lie", lambda: simulate(8, 1000, 25, 50, faulty([1, 3], lies=True))),
    ("8 hosts, 50/50, two lie", lambda: simulate(8, 50, 25, 50, faulty([1, 3], lies=True))),
    ("8 hosts, 1000/50, half of them old", lambda: simulate(8, 1000, 25, 50, faulty(range(1, 8, 2), old=True))),
    ("8 hosts, 50/50, half of them old", lambda: simulate(8, 50, 25, 50, faulty(range(1, 8, 2), old=True))),
    ("8 hosts, 1000/50, half old, one on 10", lambda: simulate(8, 1000, 25, 50, faulty(range(1, 8, 2), old=True), slow([1], 10))),
    ("8 hosts, 1000/50, half on a Wi-Fi of 200", lambda: simulate(8, 1000, 25, 50, faulty(range(1, 8, 2), air=True), air=200)),
    ("8 hosts, 1000/50, all on a Wi-Fi of 200", lambda: simulate(8, 1000, 25, 50, faulty(range(8), air=True), air=200)),
)


def main() -> None:
    """Prints what becomes of each case: seconds until the median and the last host had the file, and how often it came over the WAN."""
    print(f"{'':42}{'alone':>8}{'median':>8}{'last':>8}{'WAN':>8}{'changes':>8}")
    for name, run in CASES:
        done = run()
        times = sorted(done.times.values())
        print(f"{name:42}{done.size / done.rate:8.1f}{times[len(times) // 2]:8.1f}{times[-1]:8.1f}{done.wan:8.2f}{done.changes:8}")


if __name__ == "__main__":
    main()
