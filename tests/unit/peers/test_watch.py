"""Tests for `pacserve.peers.watch`."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.client import HTTPClient
from pacserve.fetch.urls import parse_url
from pacserve.fronts.peer import InfoFront
from pacserve.network.addresses import Endpoint
from pacserve.packages.inventory import Delta, Inventory
from pacserve.peers import slices
from pacserve.peers.budgets import BURST, POLL_COST, RATE
from pacserve.peers.holdings import NAMES_PER_ADDRESS, Holdings
from pacserve.peers.inventories import INFO_TIMEOUT, INVENTORIES_LIMIT, INVENTORIES_PER_ADDRESS, info_url
from pacserve.peers.inventory import PACKED_LIMIT, PeerInfo, encode, pack
from pacserve.peers.news import SETTLING_TIME
from pacserve.peers.peer import LAST_REFRESH, REFRESH_INTERVAL, Announced, Myself, Peer, PeerState, found, named
from pacserve.peers.roster import Roster
from pacserve.peers.sweeping import SWEEP_INTERVAL
from pacserve.peers.watch import POLLS_LIMIT, POLLS_PER_ADDRESS, POLLS_PER_NETWORK, PeerWatch
from tests.fakes.interfaces import Packages, ask
from tests.fakes.network import Line, Network, Page

OWN, OTHER, THIRD = "0" * 32, "1" * 32, "2" * 32
ZLIB, XZ = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst"
BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"
FIRST, SECOND = "10.0.0.3:15678", "10.0.0.4:15678"


def info(instance: str = OTHER, *, arch: Sequence[str] = ("x86_64",), etag: str | None = '"1"', **files: int) -> Page:
    """A peer that answers every question with its `/info`."""
    names = {"zlib": ZLIB, "xz": XZ, "blob": BLOB}
    body = pack(encode(PeerInfo(instance, 1, tuple(arch), {names[name]: size for name, size in files.items()})))
    return Page(body, headers={"Content-Encoding": "gzip", **({"ETag": etag} if etag is not None else {})})


def literal(slot: int, text: str) -> Peer:
    """A peer that was named by its address."""
    host, _, port = text.rpartition(":")
    return named(slot, Endpoint(host, int(port)))


def _same_slot(peer: Peer, _: int) -> Peer:
    """Gives a peer that has been made for the slot that it gets."""
    return peer


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.holdings = Holdings()
        self.names: dict[str, Sequence[str]] = {}
        self.looked_up: list[str] = []
        self.architectures: tuple[str, ...] = ("x86_64",)
        self.shares_content = False
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    async def resolve(self, name: str) -> Sequence[str]:
        """Looks names up in a table."""
        self.looked_up.append(name)
        return self.names.get(name, ())

    def watch(self, *peers: Peer, resolve: Any = None) -> PeerWatch:
        """Watches these peers from now on."""
        client = HTTPClient(self.network, self.clock)

        roster = Roster()
        for peer in peers:
            self.assertEqual(roster.add(partial(_same_slot, peer)).slot, peer.slot)
        watch = PeerWatch(
            roster,
            self.holdings,
            client,
            Myself(OWN, lambda: self.architectures, content=self.shares_content),
            resolve or self.resolve,
            self.clock,
        )
        watch.start()
        return watch

    def lines(self) -> list[str]:
        """What was logged."""
        return [str(event["log_format"]).format(**event) for event in self.events if event.get("log_namespace", "").startswith("pacserve.peers.")]

    def held(self, name: str = ZLIB) -> list[tuple[int, int]]:
        """Who holds a file."""
        return sorted(self.holdings.holders(name))

    def test_first_look(self) -> None:
        """A peer is looked at at once, and what it holds is known."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = page = info(zlib=95872)
        self.watch(peer)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 95872)]))
        self.assertEqual(self.network.asked, [f"GET http://{FIRST}/info"])
        self.assertEqual(page.asked[0].getRawHeaders("accept-encoding"), ["gzip"])
        self.assertEqual(self.lines(), [])
        self.clock.advance(SETTLING_TIME)
        self.assertEqual(self.lines(), [f"peer {FIRST} holds 1 files"])

    def test_stated_names(self) -> None:
        """The names of packages that a peer states can be searched, as long as any peer holds them, also of what is shared by content."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=95872, blob=1)
        watch = self.watch(peer)
        self.assertEqual(watch.stated.find("z"), [ZLIB, BLOB])
        self.network.hosts[FIRST] = info(xz=1, etag='"2"')
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(watch.stated.find("z"), [XZ])

    def test_name(self) -> None:
        """The name that a peer tells stands beside its address, which it can't choose, also when the peer does not answer any more."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 1, ("x86_64",), {ZLIB: 1}, name="nas")))
        self.watch(peer)
        self.assertEqual(peer.name, "nas")
        del self.network.hosts[FIRST]
        for _ in range(3):
            self.clock.advance(REFRESH_INTERVAL)
        lines = self.lines()
        self.assertEqual(lines[0], f"peer {FIRST} (nas) holds 1 files")
        self.assertTrue(lines[1].startswith(f"peer {FIRST} (nas) does not answer: "), lines)

    def test_name_of_today(self) -> None:
        """A daemon that tells no name any more has none: the one before may have been another host's."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 1, ("x86_64",), {ZLIB: 1}, name="nas")))
        self.watch(peer)
        self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 2, ("x86_64",), {ZLIB: 1})))
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.name, peer.with_name()), ("", str(FIRST)))

    def test_plain(self) -> None:
        """A peer that does not pack is understood as well."""
        self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 1, ("x86_64",), {ZLIB: 1})))
        self.watch(literal(0, FIRST))
        self.assertEqual(self.held(), [(0, 1)])

    def test_not_modified(self) -> None:
        """Every 15 seconds it is asked whether there is news; 304 keeps what is known and says nothing to the log."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1, etag='W/"x"')
        self.watch(peer)
        self.network.hosts[FIRST] = page = Page(status=304)
        self.clock.advance(REFRESH_INTERVAL - 0.1)
        self.assertEqual(page.asked, [])
        for _ in range(3):
            self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual([headers.getRawHeaders("if-none-match") for headers in page.asked], [['W/"x"']] * 3)
        self.assertEqual((peer.state, self.held(), len(self.lines())), (PeerState.KNOWN, [(0, 1)], 1))

    def test_news(self) -> None:
        """A new inventory takes the place of the old one."""
        self.network.hosts[FIRST] = info(zlib=1)
        self.watch(literal(0, FIRST))
        self.network.hosts[FIRST] = info(xz=2, etag='"2"')
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((self.held(), self.held(XZ)), ([], [(0, 2)]))

    def test_no_etag(self) -> None:
        """Without an entity tag, or with one that is too long to keep, the whole inventory is read each time."""
        for etag in (None, '"' + "x" * 200 + '"'):
            self.network.hosts[FIRST] = page = info(zlib=1, etag=etag)
            watch = self.watch(literal(0, FIRST))
            self.clock.advance(REFRESH_INTERVAL)
            self.assertFalse(page.asked[1].hasHeader("if-none-match"))
            watch.stop()

    def test_not_modified_without_a_reason(self) -> None:
        """304 to who has nothing is no answer: the peer is asked for each file."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = Page(status=304)
        self.watch(peer)
        self.assertEqual((peer.state, peer.trouble), (PeerState.UNKNOWN, "it answers 304 to /info"))

    def test_forbidden(self) -> None:
        """A peer that refuses this host is not used, and the log says what to do; what it held is forgotten."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        self.watch(peer)
        self.network.hosts[FIRST] = Page(status=403)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held()), (PeerState.REFUSED, []))
        self.assertIn("--peers", self.lines()[-1])
        self.network.hosts[FIRST] = page = info(zlib=1)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 1)]))
        self.assertFalse(page.asked[0].hasHeader("if-none-match"))

    def test_unusable(self) -> None:
        """A peer whose /info can't be used is asked for each file, holds nothing, and is looked at seldom until it can be used again."""
        good = json.loads(encode(PeerInfo(OTHER, 1, ("x86_64",), {ZLIB: 1})))
        for page in (
            Page(b"garbage"),
            Page(b"garbage", headers={"Content-Encoding": "gzip"}),
            Page(b"", headers={"Content-Encoding": "br"}),
            Page(bytes(PACKED_LIMIT + 1)),
            Page(pack(bytes(33 << 20)), headers={"Content-Encoding": "gzip"}),
            Page(json.dumps({**good, "files": ["../../etc/passwd"]}).encode()),
            Page(json.dumps({**good, "protocol": 0}).encode()),
            Page(b"", status=404),
            Page(b"", status=500),
            Page(b"", status=301, headers={"Location": f"http://{SECOND}/info"}),
        ):
            self.network.hosts[FIRST] = info(zlib=1)
            peer = literal(0, FIRST)
            watch = self.watch(peer)
            self.network.hosts[FIRST] = page
            self.clock.advance(REFRESH_INTERVAL)
            self.assertEqual((peer.state, self.held(), peer.endpoint), (PeerState.UNKNOWN, [], Endpoint("10.0.0.3", 15678)))
            self.assertIn("is asked for each file", self.lines()[-1])
            for _ in range(10):
                self.clock.advance(REFRESH_INTERVAL)
            self.assertLess(len(page.asked), 6)
            self.network.hosts[FIRST] = info(zlib=1)
            self.clock.advance(LAST_REFRESH)
            self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 1)]))
            watch.stop()
        self.assertNotIn(f"GET http://{SECOND}/info", self.network.asked)

    def test_this_daemon(self) -> None:
        """This daemon itself may be in the list, and is not used."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(OWN, zlib=1)
        self.watch(peer)
        self.assertEqual((peer.state, self.held()), (PeerState.REFUSED, []))
        self.assertEqual(self.lines(), [f"peer {FIRST} is not used: it is this daemon"])

    def test_architectures(self) -> None:
        """A peer that shares no architecture is not used, until it does."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(arch=("aarch64",), zlib=1)
        self.watch(peer)
        self.assertEqual((peer.state, peer.trouble, self.held()), (PeerState.REFUSED, "its architecture is aarch64", []))
        self.network.hosts[FIRST] = info(arch=(), zlib=1)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(peer.trouble, "its architecture is none")
        self.network.hosts[FIRST] = info(arch=("aarch64", "x86_64"), zlib=1)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 1)]))

    def test_not_understood(self) -> None:
        """Entries that are not understood are left out, counted and told to the debug log; the others are used."""
        peer = literal(0, FIRST)
        text = json.loads(encode(PeerInfo(OTHER, 1, ("x86_64",), {ZLIB: 1})))
        self.network.hosts[FIRST] = Page(json.dumps({**text, "files": {**text["files"], "../../etc/passwd": 1, XZ: "large"}}).encode())
        self.watch(peer)
        self.assertEqual((peer.state, self.held(), self.held(XZ)), (PeerState.KNOWN, [(0, 1)], []))
        self.assertEqual(peer.identity and peer.identity.skipped, 2)
        self.assertIn(f"2 entries of peer {FIRST} are not understood", self.lines())

    def test_content_of_another_architecture(self) -> None:
        """Of a peer that shares no architecture only the content of other package systems is used, and the peer is not asked for pacman's files."""
        for arch in (("aarch64",), ()):
            peer = literal(0, FIRST)
            self.network.hosts[FIRST] = info(arch=arch, zlib=1, blob=5)
            watch = self.watch(peer)
            self.assertEqual((peer.state, peer.trouble, self.held(), self.held(BLOB)), (PeerState.KNOWN, "", [], [(0, 5)]))
            self.assertEqual((peer.offers(ZLIB), peer.offers(BLOB)), (False, True))
            watch.stop()
            self.assertEqual(self.lines()[-1], f"peer {FIRST} holds 1 files")
            self.holdings.replace(0, {})

    def test_content_comes_and_goes(self) -> None:
        """A peer that shares no architecture is used as long as it holds content."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(arch=(), zlib=1)
        self.watch(peer)
        self.assertEqual((peer.state, peer.trouble), (PeerState.REFUSED, "its architecture is none"))
        self.network.hosts[FIRST] = info(arch=(), etag='"2"', zlib=1, blob=5)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held(BLOB)), (PeerState.KNOWN, [(0, 5)]))
        delta = PeerInfo(OTHER, 2, (), {XZ: 5}, 1, (BLOB,))
        self.network.hosts[FIRST] = Page(encode(delta), headers={"ETag": '"3"'})
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held(BLOB), self.held(XZ)), (PeerState.REFUSED, [], []))

    def test_shares_content(self) -> None:
        """Hosts that take part in sharing content use each other before either holds any, and after that; one with pacman alone uses no such peer."""
        for sharing, state in ((True, PeerState.KNOWN), (False, PeerState.REFUSED)):
            self.shares_content = sharing
            peer = literal(0, FIRST)
            self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 1, (), {}, shares_content=True)), headers={"ETag": '"1"'})
            watch = self.watch(peer)
            self.assertEqual((peer.state, peer.offers(ZLIB), peer.offers(BLOB)), (state, False, True))
            if sharing:
                self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 2, (), {}, 1, (BLOB,), shares_content=True)))
                self.clock.advance(REFRESH_INTERVAL)
                self.assertEqual((peer.state, peer.offers(BLOB)), (state, True))
            watch.stop()

    def test_earlier_version_that_shares_content(self) -> None:
        """A peer that says that it shares content while it lists some goes on to do so when it tells of other changes."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1, blob=5)
        self.watch(peer)
        self.network.hosts[FIRST] = Page(encode(PeerInfo(OTHER, 2, ("x86_64",), {XZ: 5}, 1)))
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.offers(BLOB), self.held(BLOB), self.held(XZ)), (True, [(0, 5)], [(0, 5)]))

    def test_changes_of_content(self) -> None:
        """Of what changed at a peer that shares no architecture, pacman's files are left out as well."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(arch=(), zlib=1, blob=5)
        self.watch(peer)
        other = BLOB.replace("3a", "4b")
        self.network.hosts[FIRST] = page = Page(encode(PeerInfo(OTHER, 2, (), {XZ: 5, other: 7}, 1, (BLOB,))))
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((len(page.asked), self.held(BLOB), self.held(other), self.held(XZ)), (1, [], [(0, 7)], []))
        self.assertEqual(peer.identity and peer.identity.count, 1)

    def test_pacman_comes_and_goes(self) -> None:
        """When this host gets a pacman.conf, or loses it, the inventory is read again, though nothing changed for the peer."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = InfoOnce(info(zlib=1, blob=5))
        self.architectures = ()
        self.watch(peer)
        self.assertEqual((self.held(), self.held(BLOB)), ([], [(0, 5)]))
        self.architectures = ("x86_64",)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((self.held(), self.held(BLOB)), ([(0, 1)], [(0, 5)]))
        self.architectures = ()
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((self.held(), self.held(BLOB)), ([], [(0, 5)]))

    def test_changes_after_pacman_came(self) -> None:
        """Changes do not lead on from what was taken in for other architectures: the whole inventory is read again."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1, blob=5)
        self.architectures = ()
        self.watch(peer)
        self.architectures = ("x86_64",)
        self.network.hosts[FIRST] = page = Telling(OTHER, {ZLIB: 1, BLOB: 5}, 1)
        page.become(2, {ZLIB: 1, XZ: 2, BLOB: 5})
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((self.held(), self.held(XZ), self.held(BLOB)), ([(0, 1)], [(0, 2)], [(0, 5)]))

    def test_used_after_all(self) -> None:
        """A peer that was not used when it sent its inventory sends it again when it is, though nothing changed for it."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = InfoOnce(info(zlib=1))
        self.architectures = ("aarch64",)
        self.watch(peer)
        self.architectures = ("x86_64",)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 1)]))
        self.architectures = ("aarch64",)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held()), (PeerState.REFUSED, []))

    def test_always_not_modified(self) -> None:
        """A peer that says 304 to everything is not asked for ever."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        self.architectures = ("aarch64",)
        self.watch(peer)
        self.architectures = ("x86_64",)
        self.network.hosts[FIRST] = page = Page(status=304)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, self.held(), len(page.asked)), (PeerState.UNKNOWN, [], 2))

    def test_twin(self) -> None:
        """Two names of one daemon are one peer; the second is used when the first is gone, and not both when it returns."""
        one, two = literal(0, FIRST), literal(1, SECOND)
        self.network.hosts = {FIRST: InfoOnce(info(zlib=1)), SECOND: InfoOnce(info(zlib=1))}
        self.watch(one, two)
        self.assertEqual((one.state, two.state, self.held()), (PeerState.KNOWN, PeerState.REFUSED, [(0, 1)]))
        self.assertEqual(two.trouble, f"it is the same daemon as {FIRST}")
        self.network.hosts[FIRST] = Line.REFUSES
        for _ in range(60):
            self.clock.advance(1)
        self.assertEqual((one.state, two.state, self.held()), (PeerState.DEAD, PeerState.KNOWN, [(1, 1)]))
        self.network.hosts[FIRST] = InfoOnce(info(zlib=1))
        for _ in range(60):
            self.clock.advance(1)
        self.assertEqual((one.state, two.state, self.held()), (PeerState.REFUSED, PeerState.KNOWN, [(1, 1)]))

    def test_death_and_return(self) -> None:
        """A peer that dies is tried again with back-off, forgotten after three silences, and used again at its first answer."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        self.watch(peer)
        self.network.hosts[FIRST] = Line.REFUSES
        del self.network.asked[:]
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((peer.state, peer.trouble, self.held()), (PeerState.DEAD, "connection refused", [(0, 1)]))
        for seconds, asked in ((0.9, 1), (0.1, 2), (1.9, 2), (0.1, 3), (3.9, 3), (0.1, 4), (7.9, 4), (0.1, 5), (9.9, 5), (0.1, 6), (10, 7)):
            self.clock.advance(seconds)
            self.assertEqual(len(self.network.asked), asked)
            self.assertEqual(self.held(), [(0, 1)] if asked < 3 else [])
        self.network.hosts[FIRST] = page = info(zlib=2)
        self.clock.advance(10)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 2)]))
        self.assertFalse(page.asked[0].hasHeader("if-none-match"))
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(len(page.asked), 2)
        self.assertEqual([line.split()[2:4] for line in self.lines()], [["holds", "1"], ["does", "not"], ["holds", "1"]])

    def test_short_silence(self) -> None:
        """What a peer holds is kept while it is silent for a moment, so that a 304 is enough afterwards."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        self.watch(peer)
        self.network.hosts[FIRST] = Line.REFUSES
        self.clock.advance(REFRESH_INTERVAL)
        self.network.hosts[FIRST] = page = Page(status=304)
        self.clock.advance(1)
        self.assertEqual((peer.state, self.held(), len(page.asked)), (PeerState.KNOWN, [(0, 1)], 1))

    def test_black_hole(self) -> None:
        """A peer that takes the question and says nothing is given up after five seconds."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = Line.SILENT
        self.watch(peer)
        self.clock.advance(INFO_TIMEOUT - 0.1)
        self.assertEqual(peer.state, PeerState.UNKNOWN)
        self.clock.advance(0.1)
        self.assertEqual((peer.state, len(self.network.cancelled)), (PeerState.DEAD, 1))

    def test_names(self) -> None:
        """A name that is not known is looked up again until it is; its addresses are tried in turn."""
        peer = Peer(0, Endpoint("nas.lan", 15678))
        self.watch(peer)
        self.assertEqual((peer.state, peer.trouble, self.network.asked), (PeerState.DEAD, "its name is not known", []))
        self.names["nas.lan"] = ("10.0.0.9", "10.0.0.3")
        self.network.hosts[FIRST] = info(zlib=1)
        self.clock.advance(1)
        self.assertEqual(
            (peer.state, peer.endpoint, peer.observed.addresses), (PeerState.KNOWN, Endpoint("10.0.0.3", 15678), ("10.0.0.9", "10.0.0.3"))
        )
        del self.network.asked[:]
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual((self.network.asked, len(self.looked_up)), ([f"GET http://{FIRST}/info?since=1"], 2))

    def test_moved(self) -> None:
        """A name is looked up again when its address does not answer any more."""
        peer = Peer(0, Endpoint("nas.lan", 15678))
        self.names["nas.lan"] = ("10.0.0.3",)
        self.network.hosts[FIRST] = info(zlib=1)
        self.watch(peer)
        self.network.hosts = {SECOND: info(zlib=2)}
        self.names["nas.lan"] = ("10.0.0.4",)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(peer.state, PeerState.DEAD)
        self.clock.advance(1)
        self.assertEqual((peer.endpoint, self.held()), (Endpoint("10.0.0.4", 15678), [(0, 2)]))
        self.names.clear()
        self.network.hosts.clear()
        self.clock.advance(REFRESH_INTERVAL)
        self.clock.advance(1)
        self.assertEqual(peer.observed.addresses, ("10.0.0.4",))

    def test_addresses_are_not_looked_up(self) -> None:
        """A peer that was named by its address is never looked up."""
        self.watch(literal(0, FIRST))
        self.clock.advance(1)
        self.assertEqual(self.looked_up, [])

    def test_defects(self) -> None:
        """Whatever goes wrong in a look is logged once, and does not end the looks at that peer or at others."""

        async def broken(name: str) -> Sequence[str]:
            raise ZeroDivisionError

        one, two = Peer(0, Endpoint("nas.lan", 15678)), literal(1, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        watch = self.watch(one, two, resolve=broken)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((two.state, self.held()), (PeerState.KNOWN, [(1, 1)]))
        self.network.hosts[FIRST] = OSError("no defect of the peer")
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(two.trouble, "no defect of the peer")
        self.network.hosts[FIRST] = info(zlib=1)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(two.state, PeerState.KNOWN)
        watch.stop()

    def test_suspected(self) -> None:
        """A peer that is suspected is looked at at once, and once only; its next look counts from then."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = page = info(zlib=1)
        watch = self.watch(peer)
        self.clock.advance(10)
        watch.poll(peer)
        self.assertEqual(len(page.asked), 2)
        self.clock.advance(REFRESH_INTERVAL - 1)
        self.assertEqual(len(page.asked), 2)
        self.clock.advance(1)
        self.assertEqual(len(page.asked), 3)
        self.network.hosts[FIRST] = Line.SILENT
        del self.network.asked[:]
        for _ in range(3):
            watch.poll(peer)
        self.assertEqual(len(self.network.asked), 1)

    def test_stop(self) -> None:
        """After the stop no timer and no question is left, and nothing was logged as an error."""
        self.patch(slices, "SLICE", -1.0)  # each step is a slice
        names: Deferred[Sequence[str]] = Deferred()

        async def slow(name: str) -> Sequence[str]:
            return await names

        peers = [literal(0, FIRST), literal(1, SECOND), literal(2, "10.0.0.5:1"), Peer(3, Endpoint("nas.lan", 15678)), literal(4, "10.0.0.6:1")]
        self.network.hosts = {FIRST: info(zlib=1), SECOND: Line.SILENT, "10.0.0.6:1": Page(status=403)}
        watch = self.watch(*peers, resolve=slow)
        self.assertGreater(len(self.clock.getDelayedCalls()), 2)
        watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.network.cancelled, [f"GET http://{SECOND}/info"])
        asked = len(self.network.asked)
        watch.poll(peers[0])
        self.clock.advance(1000)
        self.assertEqual(len(self.network.asked), asked)
        watch.stop()


class InfoOnce(Page):
    """Sends its inventory to who does not have it, and 304 to who has."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.body, 200, page.headers)

    def render(self, request: Any) -> bytes:
        """Answers."""
        self.status = 304 if request.getHeader("If-None-Match") == self.headers["ETag"] else 200
        body, self.body = self.body, b"" if self.status == 304 else self.body
        try:
            return super().render(request)
        finally:
            self.body = body


async def at_once(work: Callable[[], Any]) -> Any:
    """Does at once what would be done in a thread."""
    return work()


class Telling(Page):
    """
    Answers `/info` as pacserve does.

    It remembers every generation since its start.

    Attributes:
        answers: The status and the entity tag of each answer.
    """

    def __init__(self, instance: str, files: Mapping[str, int], generation: int = 1) -> None:
        super().__init__()
        self._packages = Packages()
        self._front = InfoFront(self._packages, Myself(instance, lambda: ("x86_64",)), at_once)
        self._past: dict[int, Mapping[str, int]] = {}
        self.answers: list[tuple[int, str]] = []
        self.become(generation, files)

    def become(self, generation: int, files: Mapping[str, int]) -> None:
        """It holds these files from now on."""
        self._past[generation] = files
        self._packages.listed = Inventory(generation, files)
        for since, past in self._past.items():
            added = {name: size for name, size in files.items() if past.get(name) != size}
            self._packages.deltas[since] = Delta(since, generation, added, tuple(past.keys() - files.keys()))

    def render(self, request: Any) -> bytes:
        """Answers."""
        self.asked.append(request.requestHeaders.copy())
        query = request.uri.partition(b"?")[2].decode()
        asked = ask(
            headers=[(name, request.getHeader(name)) for name in ("If-None-Match", "Accept-Encoding") if request.getHeader(name)], query=query
        )
        answers: list[Any] = []
        Deferred.fromCoroutine(self._front.answer(asked)).addBoth(answers.append)
        (answer,) = answers
        request.setResponseCode(answer.status)
        for name, value in answer.headers:
            request.setHeader(name, value)
        self.answers.append((answer.status, dict(answer.headers)["ETag"].partition("-")[2].partition("-")[0]))
        body: bytes = answer.body
        return body


class Discovered(SynchronousTestCase):
    """Peers that announced themselves, some of which tell what changed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.holdings = Holdings()
        self.roster = Roster()
        self.polled: list[int] = []
        client = HTTPClient(self.network, self.clock)
        self.watch = PeerWatch(self.roster, self.holdings, client, Myself(OWN, lambda: ("x86_64",), content=True), self.resolve, self.clock)
        self.watch.notify(lambda peer: self.polled.append(peer.slot))

    async def resolve(self, _: str) -> Sequence[str]:
        """Nobody has a name."""
        return ()

    def add(self, number: int = 3, instance: str = OTHER, announced: int = 1) -> Peer:
        """One more peer that announced itself."""
        endpoint = Endpoint(f"10.0.{number >> 8}.{number & 255}", 15678)
        return self.roster.add(lambda slot: found(slot, endpoint, Announced(instance, announced)))

    def answer(self, peer: Peer, info: PeerInfo, etag: str = "") -> Page:
        """What the peer answers from now on."""
        self.network.hosts[str(peer.configured)] = page = Page(encode(info), headers={"ETag": etag} if etag else {})
        return page

    def whole(self, generation: int = 1, instance: str = OTHER, **files: int) -> PeerInfo:
        """All that a peer holds."""
        return PeerInfo(instance, generation, ("x86_64",), {{"zlib": ZLIB, "xz": XZ}[name]: size for name, size in files.items()})

    def delta(self, since: int, generation: int, removed: Sequence[str] = (), instance: str = OTHER, **files: int) -> PeerInfo:
        """What changed on a peer."""
        added = self.whole(generation, instance, **files)
        return PeerInfo(instance, generation, ("x86_64",), added.files, since, tuple(removed))

    def held(self, name: str = ZLIB) -> list[tuple[int, int]]:
        """Who holds a file."""
        return sorted(self.holdings.holders(name))

    def known(self) -> Peer:
        """A peer that holds zlib, as of generation 1."""
        peer = self.add()
        self.answer(peer, self.whole(zlib=1), '"1"')
        self.watch.poll(peer)
        self.network.asked.clear()
        return peer

    def fill(self, count: int) -> list[Peer]:
        """So many peers whose inventories are known."""
        peers = [self.add(256 + number) for number in range(count)]
        for peer in peers:
            self.answer(peer, self.whole(zlib=1))
            self.watch.poll(peer)
        return peers

    def telling(self, peer: Peer, files: Mapping[str, int], generation: int = 1) -> Telling:
        """The peer answers as pacserve does from now on."""
        self.network.hosts[str(peer.configured)] = telling = Telling(peer.instance or OTHER, files, generation)
        return telling

    def timers(self) -> list[Any]:
        """What is planned, besides that names are swept and found peers are told."""
        return [call for call in self.clock.getDelayedCalls() if "Sweeping" not in str(call) and "PeerNews" not in str(call)]

    def turn(self) -> None:
        """One turn of the reactor: what is due is called, and what that plans has to wait for the next one."""
        for call in [call for call in self.clock.calls if call.getTime() <= self.clock.seconds()]:
            work, arguments = call.func, call.args
            call.cancel()
            work(*arguments)

    def logged(self) -> list[str]:
        """What is logged from now on."""
        lines: list[str] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_namespace") == "pacserve.peers.news.PeerNews":
                lines.append(str(event["log_format"]).format(**event))

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        return lines


class DiscoveredTests(Discovered):
    def test_first_look(self) -> None:
        """It is used once it has stated what it announced, and is not looked at again before there is news."""
        peer = self.add()
        self.answer(peer, self.whole(zlib=1))
        self.assertTrue(self.watch.poll(peer))
        self.assertEqual((peer.state, peer.observed.verified, self.held(), self.polled), (PeerState.KNOWN, True, [(0, 1)], [0]))
        self.assertEqual(self.timers(), [])

    def test_another_daemon(self) -> None:
        """Who states another instance id than was announced is of no use."""
        peer = self.add()
        self.answer(peer, self.whole(instance=THIRD, zlib=1))
        self.watch.poll(peer)
        self.assertEqual((peer.state, peer.observed.verified, self.held()), (PeerState.UNKNOWN, False, []))
        self.assertIn("another daemon", peer.trouble)

    def test_changes(self) -> None:
        """Of a peer that is known the changes are asked for, and applied."""
        peer = self.known()
        page = self.answer(peer, self.delta(1, 3, [ZLIB], xz=2), '"1+3"')
        self.watch.poll(peer)
        self.assertEqual((self.held(), self.held(XZ)), ([], [(0, 2)]))
        self.assertEqual(self.watch.stated.find("z"), [XZ])
        self.assertEqual(self.network.asked, [f"GET http://{peer.configured}/info?since=1"])
        self.assertEqual(page.asked[0].getRawHeaders("if-none-match"), ['"1"'])
        self.assertEqual((peer.identity and peer.identity.generation, peer.identity and peer.identity.count, peer.observed.etag), (3, 1, '"1+3"'))

    def test_changed_at(self) -> None:
        """When the inventory last changed is known; a look that finds nothing new is no change."""
        peer = self.known()
        self.clock.advance(5)
        self.answer(peer, self.delta(1, 1))
        self.watch.poll(peer)
        self.assertEqual((peer.changed_at, peer.alive_at), (0.0, 5.0))
        self.answer(peer, self.delta(1, 2, xz=1))
        self.watch.poll(peer)
        self.assertEqual(peer.changed_at, 5.0)

    def test_changes_that_do_not_lead_on(self) -> None:
        """Changes since another generation, or of another instance, are not applied: the whole inventory is asked for."""
        for wrong in (self.delta(0, 3, [ZLIB], xz=2), self.delta(1, 3, [ZLIB], instance=THIRD, xz=2)):
            peer = self.known()
            assert peer.announced is not None
            peer.announced.instance = wrong.instance
            self.answer(peer, wrong)
            self.watch.poll(peer)
            self.assertEqual(self.network.asked, [f"GET http://{peer.configured}/info?since=1", f"GET http://{peer.configured}/info"])
            self.assertEqual((peer.state, "all was asked for" in peer.trouble, self.held(XZ)), (PeerState.UNKNOWN, True, []))
            self.watch.drop(peer)

    def test_whole_instead(self) -> None:
        """A peer that can't tell the changes any more tells all that it holds."""
        peer = self.known()
        self.answer(peer, self.whole(9, xz=2))
        self.watch.poll(peer)
        self.assertEqual((self.held(), self.held(XZ), peer.state), ([], [(0, 2)], PeerState.KNOWN))

    def test_too_many(self) -> None:
        """Changes do not add up to more names than the peers at one address may have; those that are left keep their places."""
        peer = self.known()
        names = {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(30_000)}
        self.answer(peer, PeerInfo(OTHER, 2, ("x86_64",), names, 1))
        self.watch.poll(peer)
        self.assertEqual((peer.state, self.holdings.count(peer.slot)), (PeerState.KNOWN, 30_001))
        more = {f"q{number}-1-1-any.pkg.tar.zst": 1 for number in range(30_000)}
        self.answer(peer, PeerInfo(OTHER, 3, ("x86_64",), more, 2))
        self.watch.poll(peer)
        self.assertEqual((peer.state, len(self.holdings), self.held()), (PeerState.KNOWN, NAMES_PER_ADDRESS, [(0, 1)]))

    def test_few_at_a_time(self) -> None:
        """A bounded number is looked at together, and one that the user named does not wait for them."""
        for number in range(POLLS_LIMIT + 5):
            peer = self.add(256 + number)
            self.network.hosts[str(peer.configured)] = Line.SILENT
            self.watch.poll(peer)
        self.assertEqual(len(self.network.asked), POLLS_LIMIT)
        listed = Endpoint("10.9.9.9", 15678)
        self.network.hosts[str(listed)] = Page(encode(self.whole(zlib=1)))
        self.watch.poll(self.roster.add(lambda slot: named(slot, listed)))
        self.assertEqual(len(self.held()), 1)
        self.clock.advance(INFO_TIMEOUT)
        self.assertGreaterEqual(len(set(self.network.asked)), POLLS_LIMIT + 6)
        self.watch.stop()
        self.assertEqual(self.timers(), [])

    def test_dropped_meanwhile(self) -> None:
        """A peer that is dropped while it is looked at leaves nothing behind, and its slot is free for another one."""
        peer = self.add()
        self.network.hosts[str(peer.configured)] = Line.SILENT
        self.watch.poll(peer)
        self.watch.drop(peer)
        self.watch.drop(peer)
        other = self.add(4)
        self.answer(other, self.whole(zlib=1))
        self.assertEqual((other.slot, self.watch.poll(peer), self.watch.poll(other)), (peer.slot, False, True))
        self.assertEqual((self.held(), self.polled, self.timers()), ([(0, 1)], [0], []))

    def test_dropped_when_looked_at(self) -> None:
        """Who is told of a look may drop the peer."""
        self.watch.notify(self.watch.drop)
        peer = self.add()
        self.watch.poll(peer)
        self.assertEqual((len(self.roster), self.timers()), (0, []))

    def test_look_within(self) -> None:
        """The next look comes when the first who wanted it did."""
        peer = self.known()
        self.watch.poll_within(peer, 5)
        self.watch.poll_within(peer, 1)
        self.watch.poll_within(peer, 3)
        self.clock.advance(1)
        self.assertEqual(len(self.network.asked), 1)
        self.clock.advance(10)
        self.assertEqual(len(self.network.asked), 1)

    def test_log(self) -> None:
        """When a peer comes and goes is in the log; what forged announcements lead to is not."""
        lines = self.logged()
        forged = self.add(4)
        for host in (Line.REFUSES, Page(b"garbage"), Page(status=403), Page(status=404), Page(encode(self.whole(instance=THIRD)))):
            self.network.hosts[str(forged.configured)] = host
            self.watch.poll(forged)
        self.watch.drop(forged)
        self.assertEqual(lines, [])
        peer = self.known()
        self.watch.drop(peer)
        self.assertEqual(lines, [f"peer {peer.configured} holds 1 files", f"peer {peer.configured} has gone"])

    def test_queue(self) -> None:
        """Who waits for a turn and is dropped, or waits when the daemon stops, is not asked at all."""
        for number in range(POLLS_LIMIT):
            self.network.hosts[str(self.add(256 + number).configured)] = Line.SILENT
        late, later = self.add(7), self.add(8)
        for peer in self.roster:
            self.watch.poll(peer)
        self.assertFalse(self.watch.poll(late))
        self.watch.drop(late)
        self.watch.drop(next(iter(self.roster)))
        self.assertEqual(self.network.asked[POLLS_LIMIT:], [f"GET http://{later.configured}/info"])
        waiting = [self.add(number) for number in (9, 10, 11)]
        for peer in waiting:
            self.network.hosts[str(peer.configured)] = Line.SILENT
            self.watch.poll(peer)
        self.assertEqual(len(self.network.asked), POLLS_LIMIT + 2)
        self.watch.stop()
        self.assertEqual((len(self.network.asked), self.timers()), (POLLS_LIMIT + 2, []))

    def test_slot_of_another(self) -> None:
        """What a peer sent that was dropped before it was read does no harm to the one that has its slot by now."""
        self.patch(slices, "SLICE", -1.0)  # each step is a slice
        peer = self.add()
        self.answer(peer, self.whole(xz=1))
        self.watch.poll(peer)
        while not peer.observed.listed:  # it is read, and being taken in
            self.turn()
        self.assertEqual((self.held(XZ), self.holdings.swept), ([], True))
        self.watch.drop(peer)
        other = self.add(4)
        self.answer(other, self.whole(zlib=1))
        self.assertEqual((other.slot, self.watch.poll(other)), (peer.slot, True))
        for _ in range(50):
            self.turn()
        self.assertEqual((other.state, self.held(), self.held(XZ)), (PeerState.KNOWN, [(0, 1)], []))
        self.assertEqual((peer.observed.listed, self.timers(), self.flushLoggedErrors()), (False, [], []))
        self.clock.pump([1] * 100)
        self.assertEqual(len(self.holdings), 1)

    def test_slices(self) -> None:
        """A long list is read and taken in slices, one peer after the other; what was known before holds until all is taken in."""
        self.patch(slices, "SLICE", -1.0)
        peer, other = self.add(3), self.add(4, THIRD)
        files = {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(5000)}
        self.answer(peer, PeerInfo(OTHER, 1, ("x86_64",), {**files, ZLIB: 1}))
        self.answer(other, self.whole(instance=THIRD, xz=1))
        self.watch.poll(peer)
        self.watch.poll(other)
        turns = 0
        while not (self.held() and self.held(XZ)):
            self.turn()
            turns += 1
        self.assertGreater(turns, 20)
        self.assertEqual(self.holdings.count(peer.slot), 5001)
        self.answer(peer, PeerInfo(OTHER, 2, ("x86_64",), {**files, XZ: 1}))
        self.watch.poll(peer)
        while self.held():
            self.assertEqual(self.held(XZ), [(other.slot, 1)])
            self.turn()
        self.assertEqual(self.held(XZ), [(peer.slot, 1), (other.slot, 1)])

    @pytest.mark.slow
    def test_budget(self) -> None:
        """The daemons at one address that send more and more are polled less and less often; what they hold stays, and other hosts do not wait."""
        peers = [self.roster.add(partial(found, endpoint=Endpoint("10.0.0.66", 15678 + port), announced=Announced(OTHER))) for port in range(16)]
        other = self.add(4, THIRD)
        names = 0
        for second in range(600):
            for peer in peers:
                files = {f"made-up-{names + number}-{'x' * 150}-1-1-any.pkg.tar.zst": 1 for number in range(100)}
                names += 100
                self.answer(peer, PeerInfo(OTHER, second, ("x86_64",), files))
                self.watch.poll(peer)
            self.answer(other, self.whole(second, THIRD, zlib=second + 1))
            self.assertTrue(self.watch.poll(other))
            self.assertEqual(self.held(), [(other.slot, second + 1)])
            self.clock.advance(1)
        sent = sum("//10.0.0.66:" in asked for asked in self.network.asked) * (200 * 100 + POLL_COST)
        self.assertLess(sent, 1.2 * (BURST + 600 * RATE))
        self.assertGreater(sent, 0.8 * (BURST + 600 * RATE))
        self.assertTrue(all(peer.state is PeerState.KNOWN for peer in peers))
        self.assertGreater(self.watch.pause(peers[0].configured), 0)
        self.assertEqual(self.watch.pause(other.configured), 0)
        self.clock.pump([SWEEP_INTERVAL] * 200)
        self.assertLessEqual(len(self.holdings), 20 * 100 + 1)

    def test_budget_of_unusable_answers(self) -> None:
        """Answers of no use are paid for, too, so that a host that sends nothing else is soon asked no more."""
        peer = self.add()
        self.network.hosts[str(peer.configured)] = Page(b"garbage")
        self.assertLess(sum(self.watch.poll(peer) for _ in range(100)), 20)
        self.clock.advance(3600)
        self.assertEqual(self.watch.pause(peer.configured), 0)

    def overdrawn(self, address: str = "10.0.0.66") -> tuple[Peer, Peer]:
        """A peer with 1,000 names, and another one at its address that has sent too much since."""
        peer, other = (
            self.roster.add(partial(found, endpoint=Endpoint(address, port), announced=Announced(instance, 5)))
            for port, instance in ((15678, OTHER), (15679, THIRD))
        )
        self.telling(peer, {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(1000)}, 5)
        self.watch.poll(peer)
        names = [f"made-up-{number}-{'x' * 200}-1-1-any.pkg.tar.zst" for number in range(30_000)]
        for _ in range(2):
            body = pack(encode(PeerInfo(THIRD, 1, ("x86_64",), dict.fromkeys(names, 1))))
            self.network.hosts[str(other.configured)] = Page(body, headers={"Content-Encoding": "gzip"})
            self.watch.poll(other)
        self.assertGreater(self.watch.pause(peer.configured), 60)
        self.network.asked.clear()
        return peer, other

    def test_overdrawn(self) -> None:
        """The lists of a host that has sent too much are forgotten; a peer there that is well is asked for each file, and listed again in time."""
        peer, other = self.overdrawn()
        telling = self.telling(peer, {ZLIB: 1}, 5)
        lines = self.logged()
        for one in (peer, other):
            for _ in range(10):
                self.watch.poll(one)
        self.assertEqual(self.network.asked, [f"GET http://{peer.configured}/info?since=5", f"GET http://{other.configured}/info?since=5"])
        self.assertEqual((peer.state, peer.trouble, telling.answers), (PeerState.UNKNOWN, "", [(200, "5+5")]))
        self.assertEqual((other.state, bool(other.trouble)), (PeerState.UNKNOWN, True))
        self.assertIn(f"peer {peer.configured} is asked for each file, the daemons at its address have sent too much", lines)
        self.assertEqual([self.holdings.count(one.slot) for one in (peer, other)], [0, 0])
        self.clock.pump([SWEEP_INTERVAL] * 100)
        self.assertEqual(len(self.holdings), 0)
        self.watch.drop(other)
        self.network.asked.clear()
        self.clock.pump([1] * 100)
        self.assertLess(len(self.network.asked), 5)
        self.clock.pump([1] * 400)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(peer.slot, 1)]))

    def test_overdrawn_and_gone(self) -> None:
        """Peers of a host that has sent too much are known to be dead all the same, and then hold nothing."""
        peer, other = self.overdrawn()
        for one in (peer, other):
            self.network.hosts[str(one.configured)] = Line.REFUSES
            self.watch.poll(one)
        self.assertEqual([(one.state, self.holdings.count(one.slot)) for one in (peer, other)], [(PeerState.DEAD, 0)] * 2)

    def test_usual_host(self) -> None:
        """A host with 20,000 files that upgrades and cleans its cache again and again is polled at once each time."""
        peer = self.add()
        files = {f"p{number}-{'x' * 30}-1-1-any.pkg.tar.zst": 1 for number in range(20_000)}
        self.answer(peer, PeerInfo(OTHER, 1, ("x86_64",), files))
        self.assertTrue(self.watch.poll(peer))
        self.assertEqual(self.holdings.count(peer.slot), 20_000)
        names = list(files)
        for turn in range(100):
            self.clock.advance(5)
            added = {name.replace("-1-1-", f"-{turn + 2}-1-"): 1 for name in names[:200]}
            removed = tuple(names[:200] if not turn else (name.replace("-1-1-", f"-{turn + 1}-1-") for name in names[:200]))
            self.answer(peer, PeerInfo(OTHER, turn + 2, ("x86_64",), added, turn + 1, removed))
            self.assertTrue(self.watch.poll(peer))
            self.assertEqual((list(self.holdings.holders(next(iter(added)))), self.holdings.count(peer.slot)), ([(peer.slot, 1)], 20_000))

    def test_few_of_an_address(self) -> None:
        """Of the daemons at one address two are polled at the same time, the others soon after; one that never answers keeps nobody else waiting."""
        peers = [self.roster.add(partial(found, endpoint=Endpoint("10.0.0.66", 15678 + port), announced=Announced(OTHER))) for port in range(40)]
        for peer in peers:
            self.network.hosts[str(peer.configured)] = Line.SILENT
            self.watch.poll(peer)
        self.assertEqual(len(self.network.asked), POLLS_PER_ADDRESS)
        other = self.add(4)
        self.answer(other, self.whole(zlib=1))
        self.assertTrue(self.watch.poll(other))
        self.assertEqual(self.held(), [(other.slot, 1)])
        self.clock.pump([0.1] * 100)
        self.assertGreaterEqual(len(self.network.asked), 2 * POLLS_PER_ADDRESS + 1)
        for peer in peers:
            self.watch.drop(peer)
        self.assertTrue(self.watch.poll(self.roster.add(partial(found, endpoint=Endpoint("10.0.0.66", 9999), announced=Announced(OTHER)))))

    def test_few_of_a_network(self) -> None:
        """Daemons of one /64 network of IPv6 that never answer leave polls to the other networks, and get theirs one after the other."""
        peers = [
            self.roster.add(partial(found, endpoint=Endpoint(f"2001:db8::{number:x}", 15678), announced=Announced(OTHER)))
            for number in range(1, POLLS_LIMIT + 11)
        ]
        for peer in peers:
            self.network.hosts[str(peer.configured)] = Line.SILENT
            self.watch.poll(peer)
        self.assertEqual(len(self.network.asked), POLLS_PER_NETWORK)
        neighbour = self.roster.add(partial(found, endpoint=Endpoint("2001:db8:0:1::1", 15678), announced=Announced(OTHER)))
        for other in (self.add(4), neighbour):
            self.answer(other, self.whole(zlib=1))
            self.assertTrue(self.watch.poll(other))
            self.assertEqual(self.held(), [(other.slot, 1)])
            self.watch.drop(other)
        self.clock.advance(INFO_TIMEOUT)
        self.assertEqual(len(set(self.network.asked)), len(peers) + 2)
        for peer in peers:
            self.watch.drop(peer)
        again = self.roster.add(partial(found, endpoint=Endpoint("2001:db8::1", 9999), announced=Announced(OTHER)))
        self.answer(again, self.whole(zlib=1))
        self.assertTrue(self.watch.poll(again))
        self.assertEqual(self.held(), [(again.slot, 1)])
        self.watch.stop()

    def test_silent_then_dropped(self) -> None:
        """The next try at a silent peer goes with it, whoever has its slot then."""
        peer = self.known()
        self.network.hosts[str(peer.configured)] = Line.REFUSES
        self.watch.poll(peer)
        self.assertEqual((peer.state, len(self.timers())), (PeerState.DEAD, 1))
        self.watch.drop(peer)
        other = self.add(4)
        self.clock.advance(100)
        self.assertEqual((other.slot, other.state, len(self.network.asked)), (0, PeerState.NEW, 1))

    def test_look_within_in_vain(self) -> None:
        """A look that is wanted of a peer that is looked at, was dropped, or after the stop, leaves no timer."""
        peer = self.known()
        self.network.hosts[str(peer.configured)] = Line.SILENT
        self.watch.poll(peer)
        timers = len(self.timers())
        self.watch.poll_within(peer, 1)
        self.assertEqual(len(self.timers()), timers)
        self.watch.drop(peer)
        self.watch.poll_within(peer, 1)
        self.assertEqual(self.timers(), [])
        other = self.add(4)
        self.watch.stop()
        self.watch.poll_within(other, 1)
        self.assertEqual(self.timers(), [])

    def test_suspect(self) -> None:
        """A peer that did not answer a question is taken to be dead until a poll has shown the contrary; one that was slow is only polled."""
        peer = self.known()
        self.network.hosts[str(peer.configured)] = Line.SILENT
        self.watch.suspect(peer)
        self.assertEqual((peer.state, len(self.network.asked)), (PeerState.KNOWN, 1))
        self.watch.suspect(peer, "no answer in time")
        self.assertEqual((peer.state, peer.trouble, peer.observed.silences), (PeerState.DEAD, "no answer in time", 1))
        self.watch.drop(peer)
        self.watch.suspect(peer, "gone")
        self.assertEqual((peer.trouble, self.timers()), ("no answer in time", []))

    def test_moved(self) -> None:
        """A peer that answers at another address than before has the reputation of the host there."""
        endpoint = Endpoint("10.0.0.3", 15678)
        peer = self.roster.add(lambda slot: named(slot, Endpoint("nas.lan", 15678)))
        peer.observed.addresses = ("10.0.0.3",)
        self.roster.reputations.of("10.0.0.3").lied(0.0)
        self.network.hosts[str(endpoint)] = Page(encode(self.whole(zlib=1)))
        peer.observed.endpoint = endpoint
        self.watch.poll(peer)
        self.assertEqual((peer.state, peer.may_be_asked(1.0)), (PeerState.KNOWN, False))

    def test_goodbye(self) -> None:
        """A peer that said goodbye and answers all the same stays."""
        peer = self.known()
        assert peer.announced is not None
        peer.announced.goodbyes += 1
        self.assertTrue(peer.leaving)
        self.watch.poll(peer)
        self.assertEqual((peer.leaving, peer.state), (False, PeerState.KNOWN))

    def test_copy_of_this_machine(self) -> None:
        """A host with this daemon's own instance id is another one, or it would not have been heard."""
        peer = self.add(instance=OWN)
        self.answer(peer, self.whole(instance=OWN, zlib=1))
        self.watch.poll(peer)
        self.assertEqual((peer.state, self.held()), (PeerState.KNOWN, [(0, 1)]))

    def test_found_and_named(self) -> None:
        """A host that the user named and that announced itself as well is used once."""
        named = literal(0, FIRST)
        self.roster.add(partial(_same_slot, named))
        self.network.hosts[FIRST] = Page(encode(self.whole(zlib=1)))
        self.watch.poll(named)
        peer = self.add(4)
        self.answer(peer, self.whole(zlib=1))
        self.watch.poll(peer)
        self.assertEqual((peer.state, peer.trouble, self.held()), (PeerState.REFUSED, f"it is the same daemon as {FIRST}", [(0, 1)]))


class ChangesTests(Discovered):
    """Peers that answer as pacserve does."""

    def test_nothing_new(self) -> None:
        """The first delta is empty, and after that 304 says that there is nothing new."""
        peer = self.add()
        telling = self.telling(peer, {ZLIB: 1}, 5)
        for _ in range(4):
            self.watch.poll(peer)
        self.assertEqual(telling.answers, [(200, "5"), (200, "5+5"), (304, "5+5"), (304, "5+5")])
        self.assertEqual((peer.state, self.held(), peer.identity and peer.identity.count), (PeerState.KNOWN, [(0, 1)], 1))

    def test_one_change_after_the_other(self) -> None:
        """What is known follows each change, and only changes travel."""
        peer = self.add()
        telling = self.telling(peer, {ZLIB: 1}, 5)
        self.watch.poll(peer)
        for generation, files in ((6, {ZLIB: 1, XZ: 2}), (7, {ZLIB: 3, XZ: 2}), (9, {XZ: 2})):
            telling.become(generation, files)
            self.watch.poll(peer)
            self.assertEqual((self.held(), self.held(XZ)), ([(0, files[ZLIB])] if ZLIB in files else [], [(0, 2)]))
            self.assertEqual(peer.identity and (peer.identity.generation, peer.identity.count), (generation, len(files)))
        self.assertEqual(telling.answers, [(200, "5"), (200, "5+6"), (200, "6+7"), (200, "7+9")])

    def test_restart(self) -> None:
        """A daemon that the user named and that was started anew is known by its whole list, though its generation is the old one."""
        peer = literal(0, FIRST)
        self.roster.add(partial(_same_slot, peer))
        self.network.hosts[FIRST] = Telling(OTHER, {ZLIB: 1}, 5)
        self.watch.poll(peer)
        self.network.hosts[FIRST] = telling = Telling(THIRD, {XZ: 2}, 5)
        self.network.asked.clear()
        self.watch.poll(peer)
        self.assertEqual(self.network.asked, [f"GET http://{FIRST}/info?since=5", f"GET http://{FIRST}/info"])
        self.assertEqual(telling.answers, [(200, "5+5"), (200, "5")])
        self.assertEqual((self.held(), self.held(XZ), peer.identity and peer.identity.instance), ([], [(0, 2)], THIRD))
        self.watch.stop()

    def test_forgotten_generation(self) -> None:
        """A peer that does not remember the generation sends all, which takes the place of what was known."""
        peer = self.add()
        self.telling(peer, {ZLIB: 1}, 5)
        self.watch.poll(peer)
        telling = self.telling(peer, {XZ: 2}, 700)
        self.watch.poll(peer)
        self.assertEqual((telling.answers, self.held(), self.held(XZ)), ([(200, "700")], [], [(0, 2)]))


class LimitTests(Discovered):
    """More peers than inventories are held."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual(INVENTORIES_LIMIT, 128)
        self.listed = self.fill(INVENTORIES_LIMIT)

    def test_one_too_many_with_content(self) -> None:
        """One that has apt alone is asked for each file that is shared by content, and for none of pacman's."""
        late = self.add(7, announced=5)
        self.answer(late, PeerInfo(OTHER, 5, (), {}, 5, shares_content=True))
        self.watch.poll(late)
        self.assertEqual((late.state, late.trouble, late.offers(ZLIB), late.offers(BLOB)), (PeerState.UNKNOWN, "", False, True))

    def test_one_too_many(self) -> None:
        """It is asked for changes of which there are none, used without its inventory, and logged as such; no error, no further looks."""
        lines = self.logged()
        late = self.add(7, announced=5)
        telling = self.telling(late, {ZLIB: 1}, 5)
        self.network.asked.clear()
        self.watch.poll(late)
        self.assertEqual((late.state, late.trouble, late.observed.verified, late.observed.listed), (PeerState.UNKNOWN, "", True, False))
        self.assertEqual((late.offers(ZLIB), late.offers(BLOB)), (True, False))
        self.assertEqual((late.next_poll(), self.timers()), (None, []))
        self.assertEqual(self.network.asked, [f"GET http://{late.configured}/info?since=5"])
        self.assertEqual((telling.answers, len(self.held())), ([(200, "5+5")], INVENTORIES_LIMIT))
        self.assertTrue(lines[0].startswith(f"{INVENTORIES_LIMIT} machines found: "), lines[0])
        self.assertEqual(lines[1:], [f"peer {late.configured} is asked for each file, 128 inventories are known"])
        self.watch.poll(late)
        self.assertEqual((telling.answers[1:], len(lines), late.state), ([(304, "5+5")], 2, PeerState.UNKNOWN))

    def test_room(self) -> None:
        """It takes the first place that becomes free, whether there is news of it or not."""
        for gone in (self.drop, self.refuse, self.make_unusable, self.silence):
            self.setUp()
            late, later = self.add(7, announced=5), self.add(8, announced=5)
            answers = self.telling(late, {XZ: 1}, 5).answers
            self.telling(later, {XZ: 1}, 5)
            self.watch.poll(late)
            self.assertEqual((answers, self.held(XZ)), ([(200, "5+5")], []))
            gone(self.listed[5])
            self.watch.poll(late)
            self.watch.poll(later)
            self.assertEqual((late.state, later.state, self.held(XZ)), (PeerState.KNOWN, PeerState.UNKNOWN, [(late.slot, 1)]))
            self.assertEqual(answers, [(200, "5+5"), (200, "5")])

    def drop(self, peer: Peer) -> None:
        """The peer is dropped."""
        self.watch.drop(peer)

    def refuse(self, peer: Peer) -> None:
        """The peer refuses this host."""
        self.network.hosts[str(peer.configured)] = Page(status=403)
        self.watch.poll(peer)

    def make_unusable(self, peer: Peer) -> None:
        """The peer answers garbage."""
        self.network.hosts[str(peer.configured)] = Page(b"garbage")
        self.watch.poll(peer)

    def silence(self, peer: Peer) -> None:
        """The peer is silent for long."""
        self.network.hosts[str(peer.configured)] = Line.REFUSES
        for _ in range(3):
            self.watch.poll(peer)

    def test_whole_of_one_too_many(self) -> None:
        """What it tells all the same is not kept; when there is room it is asked for again, though nothing changed."""
        late = self.add(7)
        self.network.hosts[str(late.configured)] = InfoOnce(Page(encode(self.whole(xz=1)), headers={"ETag": '"1"'}))
        self.watch.poll(late)
        self.assertEqual((late.state, self.held(XZ)), (PeerState.UNKNOWN, []))
        self.watch.drop(self.listed[0])
        self.watch.poll(late)
        self.assertEqual((late.state, self.held(XZ)), (PeerState.KNOWN, [(late.slot, 1)]))

    def test_many_of_one_address(self) -> None:
        """A host that has several daemons gets half of the places with them, and leaves the others to those that have few."""
        for peer in self.listed[INVENTORIES_LIMIT // 2 + 10 :]:
            self.watch.drop(peer)
        states = []
        for port in range(8):
            peer = self.roster.add(partial(found, endpoint=Endpoint("10.0.0.66", 15678 + port), announced=Announced(OTHER)))
            self.answer(peer, self.whole(xz=1))
            self.watch.poll(peer)
            states.append(peer.state)
        self.assertEqual(states, [PeerState.KNOWN] * INVENTORIES_PER_ADDRESS + [PeerState.UNKNOWN] * (8 - INVENTORIES_PER_ADDRESS))
        late = self.add(7)
        self.answer(late, self.whole(zlib=1))
        self.watch.poll(late)
        self.assertEqual(late.state, PeerState.KNOWN)

    def test_named(self) -> None:
        """Peers that the user named have a place in any case, and take none from others."""
        slot = self.roster.slots
        named = literal(slot, FIRST)
        self.roster.add(partial(_same_slot, named))
        self.network.hosts[FIRST] = Page(encode(self.whole(instance=THIRD, xz=1)))
        self.watch.poll(named)
        self.assertEqual((named.state, self.held(XZ)), (PeerState.KNOWN, [(slot, 1)]))
        self.watch.drop(self.listed[0])
        late = self.add(7)
        self.answer(late, self.whole(zlib=1))
        self.watch.poll(late)
        self.assertEqual(late.state, PeerState.KNOWN)

    def test_any_sequence(self) -> None:
        """Whatever peers do and in whichever order, as many inventories are held as there may be, and none of a peer that is not used."""
        random = Random(1)
        peers = [*self.listed[:4], *(self.add(512 + number) for number in range(4))]
        for _ in range(500):
            at = random.randrange(len(peers))
            peer = peers[at]
            wholes = [self.whole(random.randrange(9), instance, zlib=1) for instance in (OTHER, OTHER, THIRD)]
            delta = self.delta(random.randrange(3), 3, [ZLIB], xz=1)
            pages = [Page(encode(info), headers={"ETag": '"1"'}) for info in (*wholes, delta)]
            hosts: list[Page | Line] = [*pages, *pages, Page(status=304), Page(status=403), Page(b"garbage"), Line.REFUSES]
            self.network.hosts[str(peer.configured)] = random.choice(hosts)
            if random.random() < 0.1:
                self.watch.drop(peer)
                peers[at] = self.add(512 + random.randrange(1000))
            else:
                self.watch.poll(peer)
            holding = {slot for name in (ZLIB, XZ) for slot, _ in self.held(name)}
            listed = {peer.slot for peer in self.roster if peer.observed.listed}
            self.assertLessEqual(holding, listed)
            self.assertLessEqual(len(listed), INVENTORIES_LIMIT)
        for peer in peers:
            self.watch.drop(peer)
        for number in range(4):
            peer = self.add(7 + number)
            self.answer(peer, self.whole(zlib=1))
            self.watch.poll(peer)
            self.assertEqual(peer.state, PeerState.KNOWN)
        self.assertEqual(len(self.held()), INVENTORIES_LIMIT)


class URLTests(SynchronousTestCase):
    def test_since(self) -> None:
        """Changes are asked for by the generation that they lead on from, of which 0 is one."""
        peer = Endpoint("10.0.0.3", 15678)
        self.assertEqual(
            [info_url(peer, since) for since in (None, 0, 7)], [f"http://10.0.0.3:15678/info{query}" for query in ("", "?since=0", "?since=7")]
        )

    def test_forms(self) -> None:
        """Every kind of address makes a URL that is read back as that address."""
        for host, text in (("10.0.0.3", "10.0.0.3"), ("fd77::b", "[fd77::b]"), ("fe80::1%eth0", "[fe80::1%25eth0]")):
            url = info_url(Endpoint(host, 15678))
            self.assertEqual((url, parse_url(url).host), (f"http://{text}:15678/info", host))
