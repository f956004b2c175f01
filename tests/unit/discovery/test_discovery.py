"""Tests for `pacserve.discovery.discovery`, with whole hosts in a LAN in memory."""

import json
from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.announcement import Announcement, Kind, encode
from pacserve.discovery.announcer import FAMILY_DELAY
from pacserve.discovery.contacts import CONTACTS_PER_TURN, TURN_INTERVAL
from pacserve.discovery.discovery import ADDRESSES_DELAY, CONTACT_DELAY, NEWS_SPACING
from pacserve.discovery.neighbours import BURST_PER_ADDRESS, RATE_PER_ADDRESS
from pacserve.discovery.places import CONTACTS_LIMIT, PEERS_LIMIT
from pacserve.network.addresses import Endpoint, parse_address, parse_network
from pacserve.peers.peer import PeerState
from tests.fakes.lan import MemoryLAN
from tests.fakes.network import Network
from tests.fakes.stations import PORT, Infos, Station

INTERVAL = 60.0
FORGED = "f" * 32


class Setup(SynchronousTestCase):
    """One host, `us`, in a LAN where others come and go."""

    FILTERS: Sequence[str] = ()
    STATIC: Sequence[Endpoint] = ()

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.random = Random(1)
        self.lan = MemoryLAN(self.clock, self.random)
        self.infos = Infos(self.clock, Network())
        self.us = Station(self.lan, self.infos, 1, self.random, filters=self.FILTERS, static=self.STATIC, v4="10.0.0.1", v6="fd77::1")
        self.us.start()
        self.settle()

    def station(self, number: int, instance: str = "", v4: str = "", v6: str = "") -> Station:
        """Another host, which is not up yet."""
        return Station(self.lan, self.infos, number, self.random, instance=instance, v4=v4, v6=v6)

    def settle(self, seconds: float = 5.0) -> None:
        """Lets time pass."""
        self.clock.pump([0.05] * int(seconds / 0.05))

    def hear(self, source: str, kind: Kind = Kind.HERE, instance: str = FORGED, generation: int = 1, arch: str = "x86_64", port: int = PORT) -> None:
        """We hear a datagram that anyone may have made."""
        self.us.discovery.datagram_received(encode(Announcement(kind, instance, port, generation, (arch,))), source)


class FindTests(Setup):
    def test_both_ways(self) -> None:
        """A host that comes is known, and knows us."""
        other = self.station(2)
        other.start()
        self.settle()
        self.assertEqual((self.us.known(), other.known()), ({other.endpoint}, {self.us.endpoint}))

    def test_one_answer(self) -> None:
        """A hello that comes by both IP versions is answered once; by IPv6 alone, since the other was lost, it is answered too."""
        for sources in (("10.0.0.7", "fd77::7"), ("fd77::7",)):
            self.settle(INTERVAL / 5)
            sent = dict(self.lan.sent)
            for source in sources:
                self.hear(source, kind=Kind.HELLO)
                self.settle(FAMILY_DELAY)
            self.settle(2)
            self.assertEqual({version: count - sent[version] for version, count in self.lan.sent.items()}, {4: 1, 6: 1}, sources)

    def test_contact_is_not_hasty(self) -> None:
        """A host is asked once both IP versions were heard, by IPv4 alone."""
        other = self.station(2, v4="10.0.0.2", v6="fd77::2")
        other.start()
        while not self.us.neighbours.get(other.instance):
            self.clock.advance(0.01)
        self.clock.pump([0.01] * int(CONTACT_DELAY / 0.01 - 1))
        self.assertEqual(self.infos.count(other), 0)
        self.settle()
        self.assertEqual(self.us.known(), {Endpoint("10.0.0.2", PORT)})
        self.assertEqual([endpoint for endpoint, _ in self.infos.asked if endpoint.host == "fd77::2"], [])

    def test_ipv6(self) -> None:
        """A host without IPv4 is asked by IPv6; by a link-local address only where it has no other."""
        for addresses, used in (({"v6": "fd77::2"}, "fd77::2"), ({"v6": "fe80::2%eth0"}, "fe80::2%eth0")):
            other = self.station(2, **addresses)
            other.start()
            self.settle()
            self.assertEqual(self.us.known(), {Endpoint(used, PORT)})
            other.stop()
            self.settle()
        self.hear("fe80::9%eth0")
        self.hear("fd77::9")
        self.settle()
        self.assertEqual([str(endpoint) for endpoint, _ in self.infos.asked if endpoint.host.endswith("9")], ["[fd77::9]:15678"])

    def test_second_address(self) -> None:
        """A host that does not answer by IPv4 is asked by IPv6."""
        other = self.station(2, v4="10.0.0.2", v6="fd77::2")
        other.start()
        del self.infos.hosts[Endpoint("10.0.0.2", PORT)]
        self.settle()
        self.assertEqual(self.us.known(), {Endpoint("fd77::2", PORT)})

    def test_ipv4_later(self) -> None:
        """A host that was found by IPv6 is used by IPv4 alone once it was found by that."""
        other = self.station(2, v4="10.0.0.2", v6="fd77::2")
        other.answer()
        self.hear("fd77::2", instance=other.instance)
        self.settle()
        self.assertEqual(self.us.known(), {Endpoint("fd77::2", PORT)})
        self.hear("10.0.0.2", instance=other.instance)
        self.settle()
        self.assertEqual((self.us.known(), len(self.us.roster)), ({other.endpoint}, 1))

    def test_ipv4_lost(self) -> None:
        """A host that lost its IPv4 address is used by IPv6 at once, when it says hello there or is found dead, and by IPv4 when it has it again."""
        other = self.station(2, v4="10.0.0.2", v6="fd77::2")
        other.start()
        self.settle()
        del self.infos.hosts[other.endpoint]
        self.hear("fd77::2", kind=Kind.HELLO, instance=other.instance)
        self.settle()
        self.assertEqual(self.us.known(), {Endpoint("fd77::2", PORT)})
        other.answer()
        self.hear("10.0.0.2", instance=other.instance)
        self.settle()
        self.assertEqual((self.us.known(), len(self.us.roster)), ({other.endpoint}, 1))

    def test_who_is_asked(self) -> None:
        """Nobody is asked who is not attached, who is this host, or whose architecture is another."""
        self.hear("192.0.2.7")
        self.hear("2001:db8::7")
        self.hear("10.0.0.1", instance=self.us.instance)
        self.hear("fd77::1", instance=self.us.instance)
        self.hear("10.0.0.7", arch="aarch64")
        self.hear("10.0.0.7", kind=Kind.BYE)
        self.settle()
        self.assertEqual((self.infos.asked, len(self.us.neighbours)), ([], 0))

    def test_content(self) -> None:
        """Hosts that hold content find each other whatever their architectures; one with pacman and without content asks none of the others."""
        without = [Station(self.lan, self.infos, number, self.random, architectures=()) for number in (7, 8)]
        other = Station(self.lan, self.infos, 9, self.random, architectures=("aarch64",))
        for station in (*without, other):
            station.start()
        without[0].hold_content()
        self.settle(10)
        self.assertEqual(self.us.known(), set())
        self.assertFalse([asked for asked in self.infos.asked if "10.0.0.9" in str(asked)])
        self.assertEqual(without[1].known(), {without[0].endpoint})
        other.hold_content()
        self.settle(70)
        self.assertEqual((self.us.known(), other.known()), (set(), {without[0].endpoint}))
        self.assertEqual(without[1].known(), {without[0].endpoint, other.endpoint})
        self.us.hold_content()
        self.settle(70)
        self.assertEqual(self.us.known(), {without[0].endpoint, other.endpoint})
        self.assertTrue(all(self.us.endpoint in station.known() for station in (*without, other)))

    def test_apt(self) -> None:
        """Hosts that answer apt find each other whatever else they have, before any holds a file; a host with pacman alone asks none of them."""
        apt = [Station(self.lan, self.infos, number, self.random, architectures=(), apt=True) for number in (7, 8)]
        both = Station(self.lan, self.infos, 9, self.random, architectures=("aarch64",), apt=True)
        sharing = [*apt, both]
        for station in sharing:
            station.start()
        self.settle(10)
        for station in sharing:
            self.assertEqual(station.known(), {other.endpoint for other in sharing if other is not station})
            self.assertTrue(all(peer.state is PeerState.KNOWN for peer in station.roster))
        self.assertEqual((self.us.known(), self.us.infos.count(self.us)), (set(), 0))
        apt[0].hold_content()
        self.settle(70)
        self.assertEqual([len(list(station.holdings.holders(f"a@{'0' * 64}.blob"))) for station in (*sharing, self.us)], [0, 1, 1, 0])
        self.assertFalse([asked for asked in self.infos.asked if asked[0] == self.us.endpoint])

    def test_copy(self) -> None:
        """A copy of a running machine, which has our instance id, is a host like any other."""
        copy = self.station(2, instance=self.us.instance)
        copy.start()
        self.settle()
        self.assertEqual((self.us.known(), copy.known()), ({copy.endpoint}, {self.us.endpoint}))

    def test_two_with_one_id(self) -> None:
        """Two hosts with one instance id do not swallow each other."""
        twins = [self.station(number, instance="e" * 32) for number in (2, 3)]
        for twin in twins:
            twin.start()
        self.settle()
        self.assertEqual(self.us.known(), {twin.endpoint for twin in twins})
        twins[0].stop()
        self.settle()
        self.assertEqual(self.us.known(), {twins[1].endpoint})

    def test_impostor(self) -> None:
        """Who does not state the instance id that was announced for it is no peer."""
        honest = self.station(2)
        honest.answer()
        self.hear("10.0.0.2")
        self.settle()
        self.assertEqual((self.us.known(), len(self.us.roster), self.infos.count(honest)), (set(), 0, 1))

    def test_restart(self) -> None:
        """A host that was started anew, without a goodbye, is used as what it is now."""
        first = self.station(2)
        first.start()
        self.settle()
        first.kill()
        second = self.station(2, instance="2" * 32)
        second.start()
        self.settle()
        ((peer),) = [peer for peer in self.us.roster if peer.state is PeerState.KNOWN]
        self.assertEqual((peer.instance, len(self.us.roster)), ("2" * 32, 1))

    def test_restart_heard_once(self) -> None:
        """One datagram of a host that was started anew is enough."""
        first = self.station(2)
        first.start()
        self.settle()
        first.kill()
        second = self.station(2, instance="2" * 32)
        second.answer()
        self.hear("10.0.0.2", kind=Kind.HELLO, instance="2" * 32)
        self.settle()
        self.assertEqual([peer.instance for peer in self.us.roster], ["2" * 32])

    def test_no_answer(self) -> None:
        """Who announces itself and does not answer is asked again at its next announcement, and no sooner."""
        for _ in range(3):
            self.hear("10.0.0.7")
            self.settle(INTERVAL)
        self.assertEqual(self.infos.count(Endpoint("10.0.0.7", PORT)), 3)
        self.assertEqual(len(self.us.roster), 0)

    def test_kind_of_a_later_version(self) -> None:
        """A kind that is not known is neither followed nor answered."""
        sent = self.lan.sent[4]
        payload = encode(Announcement(Kind.HELLO, FORGED, PORT, 1, ("x86_64",))).replace(b'"hello"', b'"query"')
        self.us.discovery.datagram_received(payload, "10.0.0.7")
        self.settle()
        self.assertEqual((len(self.us.neighbours), self.infos.asked, self.lan.sent[4]), (0, [], sent))

    @settings(max_examples=50)
    @given(st.binary(max_size=1100) | st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)).map(lambda d: json.dumps(d).encode()))
    def test_junk(self, payload: bytes) -> None:
        """Whatever is received, nothing is raised, and nobody is asked."""
        asked = len(self.infos.asked)
        self.us.discovery.datagram_received(payload, "10.0.0.7")
        self.us.discovery.datagram_received(payload, "nonsense")
        self.assertEqual((len(self.us.neighbours), len(self.infos.asked)), (0, asked))


class StaticTests(Setup):
    """A host that the user named announces itself as well."""

    STATIC = (Endpoint("10.0.0.2", PORT),)

    def test_once(self) -> None:
        """It stays one peer."""
        other = self.station(2)
        other.start()
        self.settle()
        self.assertEqual((len(self.us.roster), self.us.known()), (1, {other.endpoint}))

    def test_hello(self) -> None:
        """Its hello makes it looked at, however long it was away."""
        self.settle(300)
        other = self.station(2)
        other.start()
        self.settle(2.5)
        self.assertEqual(self.us.known(), {other.endpoint})


class FilterTests(Setup):
    FILTERS = ("i:^10\\.0\\.0\\.", "i:^\\[fd77", "x::1\\]", "x:^10\\.0\\.0\\.7:", "x:^\\[fd77::8\\]")

    def test_filtered(self) -> None:
        """Who is filtered is not asked, by no address at all where one of them is excluded."""
        self.hear("10.0.1.5")  # matches no i:
        self.hear("10.0.0.7", instance="7" * 32)
        self.hear("fd77::77", instance="7" * 32)
        self.hear("10.0.0.8", instance="8" * 32)
        self.hear("fd77::8", instance="8" * 32)
        self.settle(3 * INTERVAL)
        self.assertEqual(self.infos.asked, [])
        self.assertEqual({endpoint.host for endpoint in self.us.discovery.left_out()}, {"10.0.1.5", "10.0.0.7", "fd77::77", "10.0.0.8", "fd77::8"})

    def test_excluded_later(self) -> None:
        """A peer that turns out to have an excluded address is a peer no more."""
        other = self.station(9, v4="10.0.0.9")
        other.start()
        self.settle()
        self.assertEqual(len(self.us.known()), 1)
        self.hear("10.0.0.7", instance=other.instance)
        self.settle()
        self.assertEqual((self.us.known(), len(self.us.roster)), (set(), 0))
        asked = len(self.infos.asked)
        self.hear("10.0.0.9", instance=other.instance)
        self.settle()
        self.assertEqual(len(self.infos.asked), asked)

    def test_excluded_while_it_is_asked(self) -> None:
        """A host that turns out to have an excluded address before it has answered does not become a peer."""
        other = self.station(9, v6="fd77::9")
        other.answer()
        self.infos.silent.add(other.endpoint)
        self.hear("fd77::9", instance=other.instance)
        self.settle(2)
        self.assertEqual((self.infos.count(other), len(self.us.roster)), (1, 1))
        self.hear("10.0.0.7", instance=other.instance)
        self.settle(2)
        self.assertEqual(len(self.us.roster), 0)
        self.infos.silent.clear()
        self.hear("fd77::9", instance=other.instance)
        self.settle()
        self.assertEqual((self.infos.count(other), len(self.us.roster)), (1, 0))

    def test_admitted(self) -> None:
        """Who is admitted by one of its addresses is used by that one."""
        other = self.station(9, v4="10.0.1.9", v6="fd77::9")
        other.start()
        self.settle()
        self.assertEqual(self.us.known(), {Endpoint("fd77::9", PORT)})


class LifeTests(Setup):
    """A peer that is known."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.station(2)
        self.other.start()
        self.settle()
        (self.peer,) = self.us.roster
        self.infos.asked.clear()

    def test_goodbye(self) -> None:
        """A peer that says goodbye is not asked for files from that moment, and dropped when it does not answer."""
        self.other.stop()
        self.clock.advance(0.01)
        self.assertFalse(self.peer.may_be_asked(self.clock.seconds()))
        self.settle(NEWS_SPACING + 0.5)
        self.assertEqual((len(self.us.roster), len(self.us.neighbours)), (0, 0))

    def test_forged_goodbye(self) -> None:
        """A goodbye that anyone may have forged costs one question, however often it comes."""
        for _ in range(100):
            self.hear("10.0.0.2", kind=Kind.BYE, instance=self.other.instance)
            self.clock.advance(0.01)
        self.settle(NEWS_SPACING)
        self.assertEqual((self.us.known(), self.peer.leaving), ({self.other.endpoint}, False))
        self.assertLessEqual(self.infos.count(self.other), 2)

    def test_goodbye_of_another(self) -> None:
        """Who says goodbye by another instance id or from elsewhere says nothing."""
        self.hear("10.0.0.2", kind=Kind.BYE)
        self.hear("10.0.0.3", kind=Kind.BYE, instance=self.other.instance)
        self.settle(1)
        self.assertEqual((self.infos.asked, self.peer.leaving), ([], False))

    def test_news(self) -> None:
        """A peer that holds something new is asked for it soon."""
        self.settle(NEWS_SPACING)
        self.other.hold(zlib=5)
        self.settle(1)
        self.assertEqual(list(self.us.holdings.holders("zlib-1-1-any.pkg.tar.zst")), [(self.peer.slot, 5)])
        self.assertEqual(self.infos.asked, [(self.other.endpoint, "since=1")])

    def test_forged_news(self) -> None:
        """However many generations are announced, a peer is asked once in two seconds."""
        for number in range(1000):
            self.hear("10.0.0.2", instance=self.other.instance, generation=1_000_000 + number)
            self.clock.advance(0.01)
        self.assertLessEqual(self.infos.count(self.other), 10 / NEWS_SPACING + 1)
        self.settle(10)
        asked = self.infos.count(self.other)
        self.settle(20)
        self.assertEqual(self.infos.count(self.other), asked)

    def test_no_news(self) -> None:
        """A peer that announces itself without news is not asked: a quiet LAN has no traffic but announcements."""
        self.settle(10 * INTERVAL)
        self.assertEqual(self.infos.asked, [])

    def test_unheard(self) -> None:
        """A peer that is not heard any more, but answers, stays, and is asked once in an interval."""
        self.us.link.lan.detach(self.us.link)
        self.settle(10 * INTERVAL)
        self.assertEqual(self.us.known(), {self.other.endpoint})
        self.assertTrue(8 <= self.infos.count(self.other) <= 11)

    def test_killed(self) -> None:
        """A peer that vanished is dropped after three intervals, and not before it failed to answer."""
        self.other.kill()
        self.settle(2 * INTERVAL)
        self.assertEqual((self.peer.state, len(self.us.roster)), (PeerState.DEAD, 1))
        self.settle(1.2 * INTERVAL)
        self.assertEqual((len(self.us.roster), len(self.us.neighbours)), (0, 0))

    def test_return(self) -> None:
        """A dead peer that announces itself is used again within two seconds and a bit."""
        self.other.vanish()
        self.us.watch.poll(self.peer)
        self.settle(30)
        self.assertEqual(self.us.known(), set())
        self.other.answer()
        self.hear("10.0.0.2", kind=Kind.HELLO, instance=self.other.instance)
        self.settle(NEWS_SPACING + 0.5)
        self.assertEqual(self.us.known(), {self.other.endpoint})

    def test_clock_leaps(self) -> None:
        """After a leap of hours nobody is dropped who answers."""
        for leap in (3 * INTERVAL, 86_400.0, 0.0):
            self.clock.advance(leap)
            self.settle(INTERVAL)
            self.assertEqual((self.us.known(), list(self.us.roster)), ({self.other.endpoint}, [self.peer]))

    def test_clock_set_back(self) -> None:
        """After the clock was set back by hours peers stay, and hosts that come are found."""
        self.clock.rightNow -= 7200
        newcomer = self.station(3)
        newcomer.start()
        self.settle()
        self.assertEqual(self.us.known(), {self.other.endpoint, newcomer.endpoint})
        self.other.hold(zlib=5)
        self.settle()
        self.assertEqual(list(self.us.holdings.holders("zlib-1-1-any.pkg.tar.zst")), [(self.peer.slot, 5)])

    def test_roaming(self) -> None:
        """In another network the peers of the old one are dropped at once, and hello is said to the new one."""
        self.us.local.networks = [parse_network("172.16.0.0/24")]
        sent = self.lan.sent[4]
        self.us.discovery.network_changed()
        self.assertEqual((self.us.known(), len(self.us.roster)), (set(), 0))
        self.settle(1)
        self.assertGreater(self.lan.sent[4], sent)

    def roam(self) -> Station:
        """A host with both IP versions that is known, and that answers from afar once the network has changed."""
        other = self.station(3, v4="10.0.0.3", v6="fd77::3")
        other.start()
        self.settle()
        self.assertIn(other.endpoint, self.us.known())
        self.us.link.lan.detach(self.us.link)
        self.infos.asked.clear()
        return other

    def test_roaming_with_ipv6(self) -> None:
        """In another network no address of the old one is asked, though it was heard and never used."""
        self.roam()
        self.us.local.networks = [parse_network("172.16.0.0/24")]
        self.us.discovery.network_changed()
        self.settle(INTERVAL)
        asked = {endpoint for endpoint, _ in self.infos.asked} - {self.us.endpoint}
        self.assertEqual((asked, len(self.us.roster)), (set(), 0))

    def test_roaming_noticed_late(self) -> None:
        """When this host's addresses are read anew after the change was told, the peers of the old network are dropped all the same."""
        self.roam()
        self.us.discovery.network_changed()
        self.settle(ADDRESSES_DELAY - 0.5)
        self.us.local.networks = [parse_network("172.16.0.0/24")]
        self.settle(1)
        self.assertEqual(len(self.us.roster), 0)

    def test_own_new_address(self) -> None:
        """A datagram of its own from a new address, heard before this host knows of that, makes this daemon no peer of itself for long."""
        self.infos.hosts[Endpoint("10.0.0.77", PORT)] = self.us
        self.hear("10.0.0.77", instance=self.us.instance)
        self.settle(1)
        self.assertEqual(len(self.us.roster), 2)
        self.us.local.own.add(parse_address("10.0.0.77"))
        self.us.discovery.network_changed()
        self.assertEqual([str(peer.configured) for peer in self.us.roster], [str(self.other.endpoint)])

    def test_same_network(self) -> None:
        """After a change that leaves the network as it was its peers are looked at, and stay."""
        self.us.discovery.network_changed()
        self.settle(1)
        self.assertEqual((self.us.known(), self.infos.count(self.other)), ({self.other.endpoint}, 1))

    def test_stop(self) -> None:
        """After the end nothing happens any more."""
        self.other.stop()
        self.us.stop()
        self.settle(NEWS_SPACING)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FloodTests(Setup):
    def test_contacts(self) -> None:
        """A flood of forged hosts makes a bounded number of questions, to the LAN alone."""
        for number in range(10_000):
            self.hear(f"10.0.{number % 65536 >> 8}.{number & 255}", instance=f"{number:032x}")
            if number % 100 == 0:
                self.clock.advance(TURN_INTERVAL)
        self.assertLessEqual(len(self.infos.asked), 100 * CONTACTS_PER_TURN)
        self.assertLessEqual(len(self.us.neighbours), 2048)

    def test_one_address(self) -> None:
        """Whatever is announced from one address, it makes few questions, whichever hosts and ports are named."""
        for number in range(6000):
            self.hear("10.0.0.7", instance=f"{number & 3:032x}", port=2000 + number)
            self.clock.advance(0.01)
        self.assertLessEqual(len(self.infos.asked), BURST_PER_ADDRESS + 60 * RATE_PER_ADDRESS)

    def test_host_that_has_to_wait(self) -> None:
        """A host that has caused much work is contacted when it may be polled again, and keeps nobody else waiting meanwhile."""
        busy, other = self.station(2), self.station(3)
        over = self.clock.seconds() + 120
        self.patch(self.us.watch, "pause", lambda endpoint: max(0.0, over - self.clock.seconds()) if endpoint == busy.endpoint else 0.0)
        busy.start()
        other.start()
        self.settle(100)
        self.assertEqual((self.us.known(), busy.endpoint in {peer.configured for peer in self.us.roster}), ({other.endpoint}, False))
        self.settle(40)
        self.assertEqual(self.us.known(), {busy.endpoint, other.endpoint})

    def test_ports_that_never_answer(self) -> None:
        """Of the daemons at one address that say nothing two are asked at a time, and hosts that come after them are known at once."""
        for number in range(40):
            endpoint = Endpoint("10.0.0.66", 2000 + number)
            self.infos.silent.add(endpoint)
            self.hear("10.0.0.66", instance=f"{number:032x}", port=endpoint.port)
            self.clock.advance(1)
        self.assertLessEqual(sum(peer.configured.host == "10.0.0.66" for peer in self.us.roster), 2)
        other = self.station(3)
        other.start()
        self.settle()
        self.assertEqual(self.us.known(), {other.endpoint})

    def test_many_peers(self) -> None:
        """There are no more peers than that, and others take the place of those that go."""
        hosts = [self.station(number) for number in range(2, PEERS_LIMIT + 12)]
        for host in hosts:
            host.answer()
            self.us.discovery.datagram_received(encode(host.describe(Kind.HERE)), host.endpoint.host)
            self.clock.advance(0.01)
        self.settle(30)
        known = self.us.known()
        self.assertEqual((len(known), len(self.us.roster)), (PEERS_LIMIT, PEERS_LIMIT))
        gone = next(host for host in hosts if host.endpoint in known)
        left_out = next(host for host in hosts if host.endpoint not in known)
        gone.vanish()
        self.us.discovery.datagram_received(encode(gone.describe(Kind.BYE)), gone.endpoint.host)
        self.settle(30)
        self.us.discovery.datagram_received(encode(left_out.describe(Kind.HERE)), left_out.endpoint.host)
        self.settle(30)
        self.assertEqual(self.us.known(), known - {gone.endpoint} | {left_out.endpoint})

    def test_turns(self) -> None:
        """Hosts that are found together are asked a few at a time."""
        for number in range(500):
            self.hear(f"10.0.2.{number & 255}" if number < 256 else f"10.0.3.{number & 255}", instance=f"{number:032x}")
        for _ in range(100):
            before = len(self.infos.asked)
            self.clock.advance(TURN_INTERVAL)
            self.assertLessEqual(len(self.infos.asked) - before, CONTACTS_PER_TURN)
        self.assertGreater(len(self.infos.asked), 400)

    def test_silent_hosts(self) -> None:
        """Of hosts that take connections and say nothing only some are asked at a time."""
        self.infos.silent.update(Endpoint(f"10.0.2.{number}", PORT) for number in range(200))
        for number in range(200):
            self.hear(f"10.0.2.{number}", instance=f"{number:032x}")
        self.settle(4.5)
        self.assertLessEqual(len(self.infos.asked), CONTACTS_LIMIT + CONTACTS_PER_TURN)

    def test_real_hosts(self) -> None:
        """Hosts that come after a flood are found, and those that were known stay so."""
        early = self.station(2)
        early.start()
        self.settle()
        for number in range(3000):
            self.hear(f"10.0.{100 + (number >> 8)}.{number & 255}", instance=f"{number:032x}")
        late = self.station(3)
        late.start()
        self.settle(INTERVAL)
        self.assertEqual(self.us.known(), {early.endpoint, late.endpoint})
