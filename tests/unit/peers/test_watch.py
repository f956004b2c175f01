"""Tests for L{pacserve.peers.watch}."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pacserve.fetch.client import HTTPClient
from pacserve.model import Endpoint
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventory import PACKED_LIMIT, PeerInfo, encode, pack
from pacserve.peers.peer import LAST_REFRESH, REFRESH_INTERVAL, Peer, PeerState
from pacserve.peers.roster import Roster
from pacserve.peers.watch import INFO_TIMEOUT, INVENTORIES_LIMIT, LOOKS_LIMIT, PeerWatch
from tests.fakes.network import Line, Network, Page

OWN, OTHER, THIRD = "0" * 32, "1" * 32, "2" * 32
ZLIB, XZ = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "xz-5.6.3-1-x86_64.pkg.tar.zst"
FIRST, SECOND = "10.0.0.3:15678", "10.0.0.4:15678"


def info(instance: str = OTHER, *, arch: Sequence[str] = ("x86_64",), etag: str | None = '"1"', **files: int) -> Page:
    """A peer that answers every question with its C{/info}."""
    names = {"zlib": ZLIB, "xz": XZ}
    body = pack(encode(PeerInfo(instance, 1, tuple(arch), {names[name]: size for name, size in files.items()})))
    return Page(body, headers={"Content-Encoding": "gzip", **({"ETag": etag} if etag is not None else {})})


def literal(slot: int, text: str) -> Peer:
    """A peer that was named by its address."""
    host, _, port = text.rpartition(":")
    endpoint = Endpoint(host, int(port))
    return Peer(slot, endpoint, (host,), endpoint)


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
        self.events: list[LogEvent] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    async def resolve(self, name: str) -> Sequence[str]:
        """Looks names up in a table."""
        self.looked_up.append(name)
        return self.names.get(name, ())

    def watch(self, *peers: Peer, in_thread: Callable[[Callable[[], PeerInfo]], Any] | None = None, resolve: Any = None) -> PeerWatch:
        """Watches these peers from now on."""
        client = HTTPClient(self.network, self.clock)

        def at_once(work: Callable[[], PeerInfo]) -> Deferred[PeerInfo]:
            return succeed(None).addCallback(lambda _: work())

        roster = Roster()
        for peer in peers:
            self.assertEqual(roster.add(partial(_same_slot, peer)).slot, peer.slot)
        watch = PeerWatch(roster, self.holdings, client, self.clock, resolve or self.resolve, in_thread or at_once, OWN, lambda: self.architectures)
        watch.start()
        return watch

    def lines(self) -> list[str]:
        """What was logged."""
        return [str(event["log_format"]).format(**event) for event in self.events if event.get("log_namespace") == "pacserve.peers.watch.PeerWatch"]

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
        self.assertEqual(self.lines(), [f"peer {FIRST} holds 1 files"])

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
            Page(json.dumps({**good, "files": {"../../etc/passwd": 1}}).encode()),
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
        self.assertEqual((peer.state, peer.endpoint, peer.addresses), (PeerState.KNOWN, Endpoint("10.0.0.3", 15678), ("10.0.0.9", "10.0.0.3")))
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
        self.assertEqual(peer.addresses, ("10.0.0.4",))

    def test_addresses_are_not_looked_up(self) -> None:
        """A peer that was named by its address is never looked up."""
        self.watch(literal(0, FIRST))
        self.clock.advance(1)
        self.assertEqual(self.looked_up, [])

    def test_defects(self) -> None:
        """Whatever goes wrong in a look is logged, and does not end the looks at that peer or at others."""

        async def broken(name: str) -> Sequence[str]:
            raise ZeroDivisionError

        one, two = Peer(0, Endpoint("nas.lan", 15678)), literal(1, FIRST)
        self.network.hosts[FIRST] = info(zlib=1)
        watch = self.watch(one, two, resolve=broken)
        self.clock.advance(REFRESH_INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual((two.state, self.held()), (PeerState.KNOWN, [(1, 1)]))
        self.network.hosts[FIRST] = OSError("no defect of the peer")
        self.clock.advance(REFRESH_INTERVAL)
        self.network.hosts[FIRST] = info(zlib=1)
        self.clock.advance(REFRESH_INTERVAL)
        self.flushLoggedErrors()
        self.assertEqual(two.state, PeerState.KNOWN)
        watch.stop()

    def test_suspected(self) -> None:
        """A peer that is suspected is looked at at once, and once only; its next look counts from then."""
        peer = literal(0, FIRST)
        self.network.hosts[FIRST] = page = info(zlib=1)
        watch = self.watch(peer)
        self.clock.advance(10)
        watch.look(peer)
        self.assertEqual(len(page.asked), 2)
        self.clock.advance(REFRESH_INTERVAL - 1)
        self.assertEqual(len(page.asked), 2)
        self.clock.advance(1)
        self.assertEqual(len(page.asked), 3)
        self.network.hosts[FIRST] = Line.SILENT
        del self.network.asked[:]
        for _ in range(3):
            watch.look(peer)
        self.assertEqual(len(self.network.asked), 1)

    def test_stop(self) -> None:
        """After the stop no timer and no question is left, and nothing was logged as an error."""
        parsing: Deferred[PeerInfo] = Deferred()
        names: Deferred[Sequence[str]] = Deferred()

        async def slow(name: str) -> Sequence[str]:
            return await names

        peers = [literal(0, FIRST), literal(1, SECOND), literal(2, "10.0.0.5:1"), Peer(3, Endpoint("nas.lan", 15678)), literal(4, "10.0.0.6:1")]
        self.network.hosts = {FIRST: info(zlib=1), SECOND: Line.SILENT, "10.0.0.6:1": Page(status=403)}
        watch = self.watch(*peers, in_thread=lambda _: parsing, resolve=slow)
        self.assertGreater(len(self.clock.getDelayedCalls()), 2)
        watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.network.cancelled, [f"GET http://{SECOND}/info"])
        asked = len(self.network.asked)
        watch.look(peers[0])
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


class DiscoveredTests(SynchronousTestCase):
    """Peers that announced themselves, some of which tell what changed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.holdings = Holdings()
        self.roster = Roster()
        self.looked: list[int] = []
        client = HTTPClient(self.network, self.clock)
        self.watch = PeerWatch(self.roster, self.holdings, client, self.clock, self.resolve, lambda work: succeed(work()), OWN, lambda: ("x86_64",))
        self.watch.looked = lambda peer: self.looked.append(peer.slot)

    async def resolve(self, _: str) -> Sequence[str]:
        """Nobody has a name."""
        return ()

    def add(self, number: int = 3, instance: str = OTHER, announced: int = 1) -> Peer:
        """One more peer that announced itself."""
        endpoint = Endpoint(f"10.0.{number >> 8}.{number & 255}", 15678)
        return self.roster.add(
            lambda slot: Peer(slot, endpoint, (endpoint.host,), endpoint, instance=instance, announced=announced, state=PeerState.NEW)
        )

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
        self.watch.look(peer)
        self.network.asked.clear()
        return peer

    def test_first_look(self) -> None:
        """It is used once it has stated what it announced, and is not looked at again before there is news."""
        peer = self.add()
        self.answer(peer, self.whole(zlib=1))
        self.assertTrue(self.watch.look(peer))
        self.assertEqual((peer.state, peer.verified, self.held(), self.looked), (PeerState.KNOWN, True, [(0, 1)], [0]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another_daemon(self) -> None:
        """Who states another instance id than was announced is of no use."""
        peer = self.add()
        self.answer(peer, self.whole(instance=THIRD, zlib=1))
        self.watch.look(peer)
        self.assertEqual((peer.state, peer.verified, self.held()), (PeerState.UNKNOWN, False, []))
        self.assertIn("another daemon", peer.trouble)

    def test_changes(self) -> None:
        """Of a peer that is known the changes are asked for, and applied."""
        peer = self.known()
        page = self.answer(peer, self.delta(1, 3, [ZLIB], xz=2), '"1+3"')
        self.watch.look(peer)
        self.assertEqual((self.held(), self.held(XZ)), ([], [(0, 2)]))
        self.assertEqual(self.network.asked, [f"GET http://{peer.configured}/info?since=1"])
        self.assertEqual(page.asked[0].getRawHeaders("if-none-match"), ['"1"'])
        self.assertEqual((peer.identity and peer.identity.generation, peer.identity and peer.identity.count, peer.etag), (3, 1, '"1+3"'))

    def test_changed_at(self) -> None:
        """When the inventory last changed is known; a look that finds nothing new is no change."""
        peer = self.known()
        self.clock.advance(5)
        self.answer(peer, self.delta(1, 1))
        self.watch.look(peer)
        self.assertEqual((peer.changed_at, peer.alive_at), (0.0, 5.0))
        self.answer(peer, self.delta(1, 2, xz=1))
        self.watch.look(peer)
        self.assertEqual(peer.changed_at, 5.0)

    def test_changes_that_do_not_lead_on(self) -> None:
        """Changes since another generation, or of another instance, are not applied: the whole inventory is asked for."""
        for wrong in (self.delta(0, 3, [ZLIB], xz=2), self.delta(1, 3, [ZLIB], instance=THIRD, xz=2)):
            peer = self.known()
            peer.instance = wrong.instance
            self.answer(peer, wrong)
            self.watch.look(peer)
            self.assertEqual(self.network.asked, [f"GET http://{peer.configured}/info?since=1", f"GET http://{peer.configured}/info"])
            self.assertEqual((peer.state, "all was asked for" in peer.trouble, self.held(XZ)), (PeerState.UNKNOWN, True, []))
            self.watch.drop(peer)

    def test_whole_instead(self) -> None:
        """A peer that can't tell the changes any more tells all that it holds."""
        peer = self.known()
        self.answer(peer, self.whole(9, xz=2))
        self.watch.look(peer)
        self.assertEqual((self.held(), self.held(XZ), peer.state), ([], [(0, 2)], PeerState.KNOWN))

    def test_too_many(self) -> None:
        """Changes may not add up to more names than one list may have."""
        peer = self.known()
        names = {f"p{number}-1-1-any.pkg.tar.zst": 1 for number in range(60_000)}
        self.answer(peer, PeerInfo(OTHER, 2, ("x86_64",), names, 1))
        self.watch.look(peer)
        self.assertEqual(peer.state, PeerState.KNOWN)
        names = {f"q{number}-1-1-any.pkg.tar.zst": 1 for number in range(60_000)}
        self.answer(peer, PeerInfo(OTHER, 3, ("x86_64",), names, 2))
        self.watch.look(peer)
        self.assertEqual((peer.state, len(self.holdings)), (PeerState.UNKNOWN, 0))

    def test_one_too_many(self) -> None:
        """Beyond so many inventories a peer is asked for changes that there are none of, is asked for each file, and takes the first free place."""
        first = self.known()
        for number in range(INVENTORIES_LIMIT - 1):
            peer = self.add(256 + number)
            self.answer(peer, self.whole(zlib=1))
            self.watch.look(peer)
        late = self.add(7, announced=1)
        self.answer(late, self.delta(1, 1), '"1+1"')
        self.network.asked.clear()
        self.watch.look(late)
        self.assertEqual((late.state, late.trouble, late.verified, late.next_look()), (PeerState.UNKNOWN, "", True, None))
        self.assertEqual(self.network.asked, [f"GET http://{late.configured}/info?since=1"])
        self.watch.drop(first)
        self.answer(late, self.whole(zlib=1))
        self.watch.look(late)
        self.assertEqual((late.state, len(self.held())), (PeerState.KNOWN, INVENTORIES_LIMIT))

    def test_whole_of_one_too_many(self) -> None:
        """What one too many tells all the same is not kept."""
        for number in range(INVENTORIES_LIMIT):
            peer = self.add(256 + number)
            self.answer(peer, self.whole(zlib=1))
            self.watch.look(peer)
        late = self.add(7)
        self.answer(late, self.whole(xz=1))
        self.watch.look(late)
        self.assertEqual((late.state, self.held(XZ)), (PeerState.UNKNOWN, []))

    def test_few_at_a_time(self) -> None:
        """A bounded number is looked at together, and one that the user named does not wait for them."""
        for number in range(LOOKS_LIMIT + 5):
            peer = self.add(256 + number)
            self.network.hosts[str(peer.configured)] = Line.SILENT
            self.watch.look(peer)
        self.assertEqual(len(self.network.asked), LOOKS_LIMIT)
        named = Endpoint("10.9.9.9", 15678)
        self.network.hosts[str(named)] = Page(encode(self.whole(zlib=1)))
        self.watch.look(self.roster.add(lambda slot: Peer(slot, named, (named.host,), named)))
        self.assertEqual(len(self.held()), 1)
        self.clock.advance(INFO_TIMEOUT)
        self.assertGreaterEqual(len(set(self.network.asked)), LOOKS_LIMIT + 6)
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dropped_meanwhile(self) -> None:
        """A peer that is dropped while it is looked at leaves nothing behind, and its slot is free for another one."""
        peer = self.add()
        self.network.hosts[str(peer.configured)] = Line.SILENT
        self.watch.look(peer)
        self.watch.drop(peer)
        self.watch.drop(peer)
        other = self.add(4)
        self.answer(other, self.whole(zlib=1))
        self.assertEqual((other.slot, self.watch.look(peer), self.watch.look(other)), (peer.slot, False, True))
        self.assertEqual((self.held(), self.looked, self.clock.getDelayedCalls()), ([(0, 1)], [0], []))

    def test_dropped_when_looked_at(self) -> None:
        """Who is told of a look may drop the peer."""
        self.watch.looked = self.watch.drop
        peer = self.add()
        self.watch.look(peer)
        self.assertEqual((len(self.roster), self.clock.getDelayedCalls()), (0, []))

    def test_look_within(self) -> None:
        """The next look comes when the first who wanted it did."""
        peer = self.known()
        self.watch.look_within(peer, 5)
        self.watch.look_within(peer, 1)
        self.watch.look_within(peer, 3)
        self.clock.advance(1)
        self.assertEqual(len(self.network.asked), 1)
        self.clock.advance(10)
        self.assertEqual(len(self.network.asked), 1)

    def test_log(self) -> None:
        """When a peer comes and goes is in the log; what forged announcements lead to is not."""
        events: list[LogEvent] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        forged = self.add(4)
        self.watch.look(forged)
        self.watch.drop(forged)
        peer = self.known()
        self.watch.drop(peer)
        lines = [str(event["log_format"]).format(**event) for event in events if event.get("log_namespace") == "pacserve.peers.watch.PeerWatch"]
        self.assertEqual(lines, [f"peer {peer.configured} holds 1 files", f"peer {peer.configured} has gone"])
