"""Tests for `pacserve.discovery.neighbours`."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.neighbours import BURST_PER_ADDRESS, ENDPOINTS_LIMIT, STRANGERS_LIMIT, STRANGERS_PER_ADDRESS, Neighbour, Neighbours
from pacserve.network.addresses import Endpoint

OTHER, THIRD = "1" * 32, "2" * 32


def place(number: int = 3, port: int = 15678) -> Endpoint:
    """One of many addresses."""
    return Endpoint(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", port)


class NeighboursTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.neighbours = Neighbours(Random(1).randrange)

    def hear(self, instance: str, endpoint: Endpoint, now: float = 0.0) -> Neighbour:
        """Hears a host that must be taken in."""
        heard = self.neighbours.heard(instance, endpoint, now)
        assert heard is not None
        return heard[0]

    def test_one_host(self) -> None:
        """A host is one, by however many addresses it is heard, and a new address is news once."""
        news = [self.neighbours.heard(OTHER, place(number), float(number)) for number in (1, 2, 1)]
        self.assertEqual([entry[1] for entry in news if entry], [True, True, False])
        host = self.neighbours.get(OTHER)
        assert host is not None
        self.assertEqual((host.heard, len(self.neighbours), list(self.neighbours)), ({place(1): 1.0, place(2): 2.0}, 1, [host]))

    def test_unheard(self) -> None:
        """A host without addresses is forgotten."""
        host = self.hear(OTHER, place(1))
        self.hear(OTHER, place(2))
        self.neighbours.unheard(host, place(1))
        self.assertIs(self.neighbours.get(OTHER), host)
        self.neighbours.unheard(host, place(2))
        self.neighbours.unheard(host, place(2))
        self.assertEqual((self.neighbours.get(OTHER), len(self.neighbours)), (None, 0))

    def test_flood(self) -> None:
        """Ten thousand forged hosts take a bounded place, and none of those that have shown who they are."""
        friends = [self.hear(f"{number:032x}", place(number)) for number in range(100)]
        for number, host in enumerate(friends):
            self.neighbours.shown(host, place(number))
        for number in range(10_000):
            self.neighbours.heard(f"f{number:031x}", place(1000 + number), 1.0)
        self.assertEqual(len(self.neighbours), 100 + STRANGERS_LIMIT)
        self.assertEqual([self.neighbours.get(f"{number:032x}") for number in range(100)], friends)

    def test_flood_spares_some(self) -> None:
        """Of the forged ones a random one makes room, not always the newest or the oldest."""
        for number in range(3 * STRANGERS_LIMIT):
            self.neighbours.heard(f"{number:032x}", place(number), 1.0)
        kept = {int(host.instance, 16) // STRANGERS_LIMIT for host in self.neighbours}
        self.assertEqual(kept, {0, 1, 2})

    def test_one_address(self) -> None:
        """One address brings up a few strangers at a time, and few in a second."""
        for number in range(100):
            self.neighbours.heard(f"{number:032x}", place(3, 2000 + number), 0.0)
        self.assertEqual(len(self.neighbours), STRANGERS_PER_ADDRESS)
        admitted = 0
        for number in range(100):
            host = self.neighbours.heard(f"f{number:031x}", place(4, 2000 + number), 0.0)
            if host is not None:
                admitted += 1
                self.neighbours.unheard(host[0], place(4, 2000 + number))
        self.assertEqual(admitted, BURST_PER_ADDRESS)
        self.assertIsNone(self.neighbours.heard(OTHER, place(4), 0.9))
        self.assertIsNotNone(self.neighbours.heard(OTHER, place(4), 2.0))
        self.assertIsNotNone(self.neighbours.heard(THIRD, place(5), 2.0))

    def test_known_hosts_are_free(self) -> None:
        """A host that is known already may announce itself as often as it likes."""
        for _ in range(100):
            self.hear(OTHER, place(), 0.0)

    def test_many_ports(self) -> None:
        """One address brings up few endpoints in a second, also for a host that has shown who it is."""
        host = self.hear(OTHER, place(3))
        self.neighbours.shown(host, place(3))
        news = [self.neighbours.heard(OTHER, place(3, 2000 + number), 10.0 * number / 1000) for number in range(1000)]
        self.assertLessEqual(sum(entry is not None for entry in news), BURST_PER_ADDRESS + 10)
        self.assertIsNotNone(self.neighbours.heard(OTHER, place(4), 10.0))

    def test_friends_leave_room(self) -> None:
        """Hosts that have shown who they are do not count against their address."""
        for number in range(BURST_PER_ADDRESS):
            host = self.hear(f"{number:032x}", place(3, 2000 + number), 0.0)
            self.neighbours.shown(host, place(3, 2000 + number))
        self.assertEqual(len(self.neighbours), BURST_PER_ADDRESS)

    def test_many_addresses(self) -> None:
        """A host has a bounded number of addresses: the one that was not heard for longest goes, but never one in use."""
        host = self.hear(OTHER, place(0), 0.0)
        self.neighbours.shown(host, place(0))
        for number in range(1, 100):
            self.neighbours.heard(OTHER, place(number), float(number))
        self.assertEqual(set(host.heard), {place(0), *(place(number) for number in range(100 - ENDPOINTS_LIMIT + 1, 100))})
        for endpoint in host.heard:
            self.neighbours.shown(host, endpoint)
        self.assertIsNone(self.neighbours.heard(OTHER, place(200), 200.0))

    def test_stranger_again(self) -> None:
        """A host of which no address is in use any more may make room for others."""
        host = self.hear(OTHER, place(1))
        self.hear(OTHER, place(2))
        self.neighbours.shown(host, place(1))
        self.neighbours.unheard(host, place(1))
        for number in range(10_000):
            self.neighbours.heard(f"f{number:031x}", place(1000 + number), 1.0)
        self.assertEqual(len(self.neighbours), STRANGERS_LIMIT)

    def test_shown_after_it_went(self) -> None:
        """What a host shows that has been forgotten meanwhile changes nothing."""
        host = self.hear(OTHER, place(1))
        self.neighbours.unheard(host, place(1))
        self.neighbours.shown(host, place(1))
        self.assertEqual((len(self.neighbours), host.used), (0, set()))
