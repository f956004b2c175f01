"""Tests for `pacserve.web.fairness`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import parse_address
from pacserve.web.fairness import (
    CONNECTION_BURST,
    CONNECTIONS_PER_SECOND,
    CPU_BURST,
    CPU_SHARE,
    HOSTS_PER_NETWORK,
    REQUEST_BURST,
    REQUESTS_PER_SECOND,
    Allowance,
    Allowances,
    Places,
    Rank,
    Source,
    loopback_first,
    source_of,
)

NEAR = Source(Rank.OTHER, 7)
FAR = Source(Rank.OTHER, 8)
CLIENT = Source(Rank.CLIENT, 9)
OWN = Source(Rank.OWN, 0)


def source(text: str, rank: Rank = Rank.OTHER) -> Source:
    """The source of an address."""
    return source_of(parse_address(text), rank)


class SourceTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Hosts have an IPv4 address each, and a /64 of IPv6 together, whatever addresses in it they use."""
        self.assertNotEqual(source("10.0.0.7"), source("10.0.0.8"))
        self.assertEqual(source("10.0.0.7"), source("::ffff:10.0.0.7"))
        self.assertEqual(source("fd77::7"), source("fd77::ffff:ffff:ffff:8"))
        self.assertNotEqual(source("fd77::7"), source("fd77:0:0:1::7"))
        self.assertNotEqual(source("::7"), source("0.0.0.0"))
        self.assertTrue(source("::7").is_network)
        self.assertTrue(source("fd77::7").is_network)
        self.assertFalse(source("255.255.255.255").is_network)

    def test_this_host(self) -> None:
        """This host is one source, apart from the others in its networks."""
        self.assertEqual(source("127.0.0.1", Rank.OWN), source("fd77::7", Rank.OWN))
        self.assertNotEqual(source("fd77::7", Rank.OWN), source("fd77::8"))
        self.assertNotEqual(source("10.0.0.7", Rank.CLIENT), source("10.0.0.7"))

    def test_loopback(self) -> None:
        """Loopback is this host."""
        self.assertIs(loopback_first(parse_address("127.8.9.1")), Rank.OWN)
        self.assertIs(loopback_first(parse_address("::1")), Rank.OWN)
        self.assertIs(loopback_first(parse_address("10.0.0.7")), Rank.OTHER)


class AllowanceTests(SynchronousTestCase):
    def test_connections(self) -> None:
        """A host connects as often as its allowance grows, once it has used what it had."""
        allowance = Allowance(0.0)
        self.assertTrue(all(allowance.connect(0.0) for _ in range(int(CONNECTION_BURST))))
        self.assertFalse(allowance.connect(0.0))
        self.assertEqual(sum(allowance.connect(2.0) for _ in range(1000)), 2 * CONNECTIONS_PER_SECOND)
        self.assertEqual(allowance.wait(2.0), 0.0)

    def test_requests(self) -> None:
        """A host that asks too often waits until it would not have."""
        allowance = Allowance(0.0)
        allowance.use(int(REQUEST_BURST), 0.0)
        self.assertEqual(allowance.wait(0.0), 0.0)
        allowance.use(int(REQUESTS_PER_SECOND / 2), 0.0)
        self.assertAlmostEqual(allowance.wait(0.0), 0.5)
        self.assertAlmostEqual(allowance.wait(0.25), 0.25)
        self.assertEqual(allowance.wait(0.5), 0.0)

    def test_network(self) -> None:
        """A /64 may connect and ask like four hosts, since the whole LAN may be in it; what that costs is bounded as for one."""
        allowances = Allowances()
        one, network = (allowances.of(source_of(parse_address(text), Rank.OTHER), 0.0) for text in ("10.0.0.7", "fd77::7"))
        assert one is not None
        assert network is not None
        for allowance, hosts in ((one, 1), (network, HOSTS_PER_NETWORK)):
            self.assertEqual(sum(allowance.connect(0.0) for _ in range(10_000)), hosts * CONNECTION_BURST)
            allowance.use(int(hosts * REQUEST_BURST), CPU_BURST)
            self.assertEqual(allowance.wait(0.0), 0.0)
            allowance.use(1, CPU_SHARE)
            self.assertAlmostEqual(allowance.wait(0.0), 1.0)

    def test_cpu(self) -> None:
        """A host whose requests take too much CPU waits as well."""
        allowance = Allowance(0.0)
        allowance.use(1, CPU_BURST + CPU_SHARE)
        self.assertAlmostEqual(allowance.wait(0.0), 1.0)
        self.assertEqual(allowance.wait(1.0), 0.0)

    def test_long_wait(self) -> None:
        """Nobody waits for long, however much was used."""
        allowance = Allowance(0.0)
        allowance.use(1_000_000, 1000.0)
        self.assertLess(allowance.wait(0.0), 5.0)

    def test_nothing_is_saved(self) -> None:
        """A host that asked nothing for a day may not use more than one that came just now."""
        allowance = Allowance(0.0)
        self.assertEqual(sum(allowance.connect(86_400.0) for _ in range(1000)), CONNECTION_BURST)

    def test_known(self) -> None:
        """An allowance is remembered for a host as long as it matters, and this host needs none."""
        allowances = Allowances()
        first = allowances.of(NEAR, 0.0)
        self.assertIs(allowances.of(NEAR, 50.0), first)
        self.assertIs(allowances.of(NEAR, 100.0), first)
        self.assertIsNot(allowances.of(FAR, 100.0), first)
        self.assertIsNot(allowances.of(NEAR, 200.0), first)
        self.assertIsNotNone(allowances.of(CLIENT, 0.0))
        self.assertIsNone(allowances.of(OWN, 0.0))


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.places = Places(10, 2)

    def take(self, source: Source, count: int) -> None:
        """Gives a source some places."""
        for _ in range(count):
            self.places.take(source)

    def test_reserved(self) -> None:
        """Each rank has places that those below it can't take."""
        self.take(NEAR, 6)
        self.assertEqual([self.places.has_room(rank) for rank in Rank], [False, True, True])
        self.take(CLIENT, 2)
        self.assertEqual([self.places.has_room(rank) for rank in Rank], [False, False, True])
        self.take(OWN, 2)
        self.assertEqual([self.places.has_room(rank) for rank in Rank], [False, False, False])

    def test_higher_rank_in_places_of_lower(self) -> None:
        """Those that were given places of a lower rank do not open their own to it."""
        self.take(CLIENT, 8)
        self.assertEqual([self.places.has_room(rank) for rank in Rank], [False, False, True])
        self.take(OWN, 2)
        self.assertFalse(self.places.has_room(Rank.OWN))

    def test_giving_way(self) -> None:
        """The one that has most gives way, and nobody does for one that has as many."""
        self.assertIsNone(self.places.giving_way(NEAR))
        self.take(FAR, 2)
        self.assertEqual(self.places.giving_way(NEAR), FAR)
        self.take(NEAR, 1)
        self.assertEqual(self.places.giving_way(NEAR), FAR)
        self.take(NEAR, 1)
        self.assertIsNone(self.places.giving_way(NEAR))
        self.assertEqual(self.places.giving_way(CLIENT), NEAR if self.places.taken(NEAR) > self.places.taken(FAR) else FAR)

    def test_rank_before_number(self) -> None:
        """Those of a lower rank give way first, however few places they have; those of a higher one never do."""
        self.take(CLIENT, 5)
        self.take(OWN, 3)
        self.take(NEAR, 1)
        self.assertEqual(self.places.giving_way(OWN), NEAR)
        self.assertEqual(self.places.giving_way(CLIENT), NEAR)
        self.assertIsNone(self.places.giving_way(NEAR))
        self.places.give_back(NEAR)
        self.assertEqual(self.places.giving_way(OWN), CLIENT)
        self.assertIsNone(self.places.giving_way(CLIENT))

    @given(st.lists(st.sampled_from([NEAR, FAR, CLIENT, OWN]), max_size=40))
    def test_one_goes_one_comes(self, newcomers: list[Source]) -> None:
        """Whoever comes in whatever order, there is room after somebody gave way, and this host is refused only by itself."""
        places = Places(10, 2)
        for newcomer in newcomers:
            if not places.has_room(newcomer.rank):
                giving = places.giving_way(newcomer)
                if giving is None:
                    self.assertTrue(newcomer is not OWN or places.taken(OWN) == 10)
                    continue
                places.give_back(giving)
                self.assertTrue(places.has_room(newcomer.rank))
            places.take(newcomer)
        for each in (NEAR, FAR, CLIENT, OWN):
            while places.taken(each):
                places.give_back(each)
        self.assertEqual((places._by_source, sum(places._by_rank.values())), ({}, 0))
