"""LANs of many hosts: what finding each other costs, and what it survives."""

from random import Random

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.announcement import Kind, encode
from pacserve.peers.inventories import INVENTORIES_LIMIT
from tests.fakes.lan import MemoryLAN
from tests.fakes.network import Network
from tests.fakes.stations import Announcing, Infos, Station

INTERVAL = 60.0


class SimulationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.random = Random(1)
        self.lan = MemoryLAN(self.clock, self.random)
        self.infos = Infos(self.clock, Network())

    def stations(self, count: int, first: int = 1) -> list[Station]:
        """Whole hosts, which are not up yet."""
        return [Station(self.lan, self.infos, number, self.random) for number in range(first, first + count)]

    def announcing(self, count: int, first: int = 1) -> list[Announcing]:
        """Hosts that only announce themselves, which are not up yet."""
        return [Announcing(self.lan, number, self.random) for number in range(first, first + count)]

    def settle(self, seconds: float, step: float = 0.05) -> None:
        """Lets time pass."""
        self.clock.pump([step] * round(seconds / step))

    def complete(self, stations: list[Station]) -> bool:
        """Whether all know all others."""
        return all(len(station.known()) == len(stations) - 1 for station in stations)

    @pytest.mark.slow
    def test_arrival(self) -> None:
        """One who comes to a LAN of 40, 200 or 1,000 hosts costs one datagram of each, and three of its own."""
        for count in (40, 200, 1000):
            self.setUp()
            for host in self.announcing(count):
                host.start()
            self.settle(3 * INTERVAL, 0.5)
            before = self.lan.sent[4]
            (newcomer,) = self.announcing(1, 5000)
            newcomer.start()
            self.settle(5 + count * 0.012, 0.1)
            self.assertEqual(len(newcomer.heard), count + 1)  # its own datagrams come back
            self.assertLessEqual(self.lan.sent[4] - before, count * 1.15 + 3, count)

    def test_arrival_by_both_versions(self) -> None:
        """Where hosts have both IP versions that is what it costs by each."""
        stations = [Station(self.lan, self.infos, number, self.random, v4=f"10.0.0.{number}", v6=f"fd77::{number}") for number in range(1, 42)]
        for station in stations[:40]:
            station.start()
        self.settle(10)
        before = dict(self.lan.sent)
        stations[40].start()
        self.settle(5)
        self.assertTrue(self.complete(stations))
        for version, sent in self.lan.sent.items():
            self.assertLessEqual(sent - before[version], 40 + 3, version)

    @pytest.mark.slow
    def test_all_at_once(self) -> None:
        """A thousand hosts that are switched on together send a few datagrams each, and all are known within half a minute."""
        others = self.announcing(990)
        watched = self.stations(10, first=2000)
        for number, host in enumerate(others, 1):
            host.start()
            self.answer_for(number)
        for station in watched:
            station.start()
        self.settle(30)
        self.assertLessEqual(self.lan.sent[4], 5 * 1000)
        for station in watched:
            self.assertEqual(len(station.known()), 999)
            self.assertEqual(sum(peer.observed.listed for peer in station.roster), INVENTORIES_LIMIT)

    def answer_for(self, number: int) -> None:
        """Has `/info` answered for a host that only announces itself."""
        Station(self.lan, self.infos, number, self.random).answer()

    def test_forty_at_once(self) -> None:
        """Forty hosts that are switched on together know each other within five seconds."""
        stations = self.stations(40)
        for station in stations:
            station.start()
        self.settle(5)
        self.assertTrue(self.complete(stations))

    def test_lossy_burst(self) -> None:
        """When half of what is said at the start is lost, all know all others after one more interval."""
        self.lan.loss = 0.5
        stations = self.stations(40)
        for station in stations:
            station.start()
        self.settle(5)
        self.assertFalse(self.complete(stations))
        self.lan.loss = 0.0
        self.settle(INTERVAL, 0.1)
        self.assertTrue(self.complete(stations))

    def test_lossy_burst_of_a_thousand(self) -> None:
        """Of a thousand datagrams at one moment half are lost: those that got through are known, and the others an interval later."""
        (us,) = self.stations(1)
        others = self.stations(1000, first=1000)
        for other in others:
            other.answer()
        us.start()
        self.settle(5)
        for self.lan.loss, least, most in ((0.5, 400, 600), (0.0, 1000, 1000)):
            for other in others:
                self.lan.carry(encode(other.describe(Kind.HERE)), 4, other.endpoint.host)
            self.settle(INTERVAL, 0.1)
            self.assertTrue(least <= len(us.known()) <= most, len(us.known()))

    @pytest.mark.slow
    def test_loss(self) -> None:
        """When half of all datagrams are lost for good, all know all others after some intervals, and nobody is dropped."""
        self.lan.loss = 0.5
        stations = self.stations(30)
        for station in stations:
            station.start()
        self.settle(15 * INTERVAL, 0.1)
        self.assertTrue(self.complete(stations))
        for _ in range(100):
            self.settle(5, 0.1)
            self.assertTrue(self.complete(stations))

    def test_silence(self) -> None:
        """When multicast is lost altogether those who know each other go on to do so."""
        stations = self.stations(10)
        for station in stations:
            station.start()
        self.settle(5)
        self.lan.loss = 1.0
        self.settle(10 * INTERVAL, 0.1)
        self.assertTrue(self.complete(stations))

    def test_clocks(self) -> None:
        """Leaps of the clock, as a machine makes that was suspended, part nobody."""
        stations = self.stations(10)
        for station in stations:
            station.start()
        self.settle(5)
        for leap in (200.0, 10_000.0, 1e6):
            self.clock.advance(leap)
            self.settle(2 * INTERVAL, 0.1)
            self.assertTrue(self.complete(stations), leap)

    def test_death(self) -> None:
        """When half of the hosts lose power the others have dropped them after three intervals and a bit."""
        stations = self.stations(20)
        for station in stations:
            station.start()
        self.settle(5)
        for station in stations[10:]:
            station.kill()
        self.settle(3.5 * INTERVAL, 0.1)
        self.assertTrue(self.complete(stations[:10]))
        self.assertEqual({len(station.roster) for station in stations[:10]}, {9})

    def test_change(self) -> None:
        """What one host holds anew is known to all others within a second and a half, for one datagram and one question of each."""
        stations = self.stations(40)
        for station in stations:
            station.start()
        self.settle(10)
        sent, asked = self.lan.sent[4], len(self.infos.asked)
        stations[0].hold(zlib=5)
        self.settle(1.5)
        self.assertEqual(sum(1 for station in stations if any(station.holdings.holders("zlib-1-1-any.pkg.tar.zst"))), 39)
        self.assertEqual((self.lan.sent[4] - sent, len(self.infos.asked) - asked), (1, 39))
