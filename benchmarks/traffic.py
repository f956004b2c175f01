"""
The costs of discovery in a LAN: datagrams, questions and bytes for each host, in LANs of 10, 100 and 1,000.

Nothing is measured on a network: the hosts are simulated on a clock that runs as fast as it can.  All announce themselves as real hosts do.  Some are
simulated in full, and their datagrams and questions are counted.  The bodies have the size of those that a real host would send.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from twisted.internet.task import Clock

from benchmarks.lab import Lab
from benchmarks.packages import package_name
from benchmarks.report import Result
from pacserve.peers.inventory import PeerInfo, encode, pack
from tests.fakes.lan import MemoryLAN
from tests.fakes.network import Network
from tests.fakes.stations import Announcing, Infos, Station

NAME = "traffic"
_SIZES = (10, 100, 1000)
_WHOLE = 5
# The number of packages of a machine, and of an upgrade.
_NAMES, _UPGRADE = 3000, 30
# Bytes of Ethernet, IP and UDP around a datagram, by IP version.
_AROUND = {4: 14 + 20 + 8, 6: 14 + 40 + 8}
# Bytes of the head of an answer to /info and of the request, and of the packets that a new connection costs.
_HEADS = 600
_STEP = 0.05
_IDLE = 600


def measure(lab: Lab) -> Iterator[Result]:
    """Counts the traffic of LANs whose hosts announce themselves by both IP versions."""
    bodies = _Bodies()
    for count in _SIZES[:2] if lab.quick else _SIZES:
        yield from _measure(count, bodies)


def _measure(count: int, bodies: _Bodies) -> Iterator[Result]:
    clock, random = Clock(), Random(1)
    lan = MemoryLAN(clock, random)
    infos = Infos(clock, Network())
    whole = [Station(lan, infos, number, random, v4=f"10.0.{number >> 8}.{number & 255}", v6=f"fd77::{number:x}") for number in range(1, 1 + _WHOLE)]
    for number in range(1 + _WHOLE, 1 + count):
        Station(lan, infos, number, random).answer()
        Announcing(lan, number, random, ipv6=True).start()
    for station in whole:
        station.start()

    while not all(len(station.known()) == count - 1 for station in whole):
        clock.advance(_STEP)
    until = clock.seconds()
    clock.pump([_STEP] * round(30 / _STEP))  # the rest of the traffic of the start
    yield Result(NAME, f"{count} hosts switched on: datagrams of each host", sum(lan.sent.values()) / count, "")
    yield Result(NAME, f"{count} hosts switched on: UDP to each host", _udp(lan) / 1e3, "KB")
    yield Result(NAME, f"{count} hosts switched on: /info asked by each host", len(infos.asked) / _WHOLE, "")
    yield Result(NAME, f"{count} hosts switched on: HTTP to each host", bodies.size(infos) / _WHOLE / 1e6, "MB")
    yield Result(NAME, f"{count} hosts switched on: until all are known", until, "s")

    _forget(lan, infos)
    clock.pump([1.0] * _IDLE)
    yield Result(NAME, f"{count} hosts idle: UDP to each host", _udp(lan) / _IDLE, "bytes/s")
    yield Result(NAME, f"{count} hosts idle: /info asked by each host in ten minutes", len(infos.asked) / _WHOLE, "")

    _forget(lan, infos)
    whole[0].hold(zlib=1)
    clock.pump([_STEP] * round(10 / _STEP))
    asked = sum(endpoint == whole[0].endpoint for endpoint, _ in infos.asked) / (_WHOLE - 1)
    yield Result(NAME, f"{count} hosts, one upgraded: HTTP from it", asked * (count - 1) * (bodies.upgrade + _HEADS) / 1e3, "KB")


class _Bodies:
    """
    The sizes of answers to `/info`.

    Attributes:
        whole: The bytes of the whole inventory of a machine, packed.
        upgrade: The bytes of the changes by an upgrade.
        nothing: The bytes of an answer without changes.
    """

    def __init__(self) -> None:
        names = [package_name(f"package-with-a-name-{number * 7919 % 20_000:05}") for number in range(_NAMES)]
        self.whole = len(pack(encode(PeerInfo("1" * 32, 1, ("x86_64",), {name: 1 + hash_of(name) for name in names}))))
        added = {name: 1 + hash_of(name) for name in names[:_UPGRADE]}
        self.upgrade = len(pack(encode(PeerInfo("1" * 32, 2, ("x86_64",), added, 1, tuple(names[_UPGRADE : 2 * _UPGRADE])))))
        self.nothing = len(encode(PeerInfo("1" * 32, 1, ("x86_64",), {}, 1)))

    def size(self, infos: Infos) -> int:
        """Returns the bytes of all answers."""
        return sum((self.nothing if query else self.whole) + _HEADS for _, query in infos.asked)


def hash_of(name: str) -> int:
    """Returns a size for a file, the same one in each run."""
    return Random(name).randrange(1000, 1 << 28)


def _udp(lan: MemoryLAN) -> float:
    """Returns the bytes of all datagrams so far, each of which reaches every host."""
    return lan.size + sum(count * _AROUND[version] for version, count in lan.sent.items())


def _forget(lan: MemoryLAN, infos: Infos) -> None:
    lan.sent = dict.fromkeys(lan.sent, 0)
    lan.size = 0
    infos.asked.clear()
