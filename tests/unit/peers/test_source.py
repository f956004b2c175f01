"""Tests for `pacserve.peers.source`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.stream import StreamingClient
from pacserve.fetch.urls import parse_url
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.network.addresses import Endpoint, parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Announced, Identity, Peer, PeerState, named
from pacserve.peers.questions import (
    CONFIRM_BUDGET,
    DOUBT_INTERVAL,
    HEDGE_DELAY,
    LONGEST_MISS_BUDGET,
    MISS_BUDGET,
    SIGNATURE_BUDGET,
    YES_LIFETIME,
)
from pacserve.peers.reputation import DISTRUST, HALF_LIFE, WITHHELD_PENALTY, Failure, Reputation
from pacserve.peers.roster import Roster
from pacserve.peers.source import HOLDERS_COMPARED, HOLDERS_PER_REQUEST, MISS_LIFETIME, PEERS_PER_MISS, Neighbourhood, PeerSource
from pacserve.peers.upstream import package_url, redirect_url
from pacserve.sources.candidates import Candidate, Rank, Wanted
from pacserve.sources.locations import Location, RemoteFile
from tests.fakes.interfaces import Addresses
from tests.fakes.lateness import LateBy
from tests.fakes.network import Line, Network, Page

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
PACKAGE = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"
CONTENT = FileRequest("apt", "any", BLOB, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
SIGNATURE_WANTED = Wanted(SIGNATURE, None, parse_address("127.0.0.1"))
SIZE = 100
KNOWN, UNKNOWN = PeerState.KNOWN, PeerState.UNKNOWN


def address(slot: int) -> str:
    """Where the peer in a slot listens."""
    return f"10.0.0.{slot + 1}:15678"


def url(slot: int, name: str = NAME) -> str:
    """The URL of a file on the peer in a slot."""
    return f"http://{address(slot)}/package/{name}/data"


def redirect(slot: int, size: int = SIZE, name: str = NAME) -> tuple[str, str, int | None, str]:
    """The location that is the peer in a slot."""
    return f"{url(slot, name)}?{name}", f"peer {address(slot)}", size, address(slot)


def shown(location: Location) -> tuple[str, str, int | None, str]:
    """What a client would be told of a location at a peer."""
    assert isinstance(location, RemoteFile)
    return location.url, location.origin, location.size, location.holder


class Setup(SynchronousTestCase):
    """Peers in a network in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.network = Network()
        self.holdings = Holdings()
        self.suspects: list[int] = []
        self.peers = Roster()
        self.source = self.make()

    def make(self, seed: int = 1, lateness: Lateness = PUNCTUAL) -> PeerSource:
        """One more source of these peers, as on another host."""
        client = StreamingClient(self.network, self.clock)
        local = Addresses("10.0.0.200")
        return PeerSource(self.peers, self.holdings, client, Neighbourhood(local, self.suspect, Random(seed), lateness), self.clock)

    def suspect(self, peer: Peer, trouble: str) -> None:
        """Notes a suspicion as the watch does, and polls nobody."""
        self.suspects.append(peer.slot)
        if trouble:
            peer.observed.silent(trouble)

    def add(
        self,
        state: PeerState = KNOWN,
        files: Mapping[str, int] | None = None,
        answer: Page | Line | Exception | None = None,
        endpoint: Endpoint | None = None,
    ) -> Peer:
        """One more peer; known ones hold the package in the right size unless told otherwise."""
        slot = len(self.peers)
        host = endpoint or Endpoint(f"10.0.0.{slot + 1}", 15678)
        peer = self.peers.add(lambda slot: named(slot, host))
        peer.observed.state = state
        if state is KNOWN:
            self.holdings.replace(slot, {NAME: SIZE} if files is None else files)
        self.network.hosts[str(host)] = answer if answer is not None else Page(bytes(SIZE))
        return peer

    def candidates(
        self,
        request: FileRequest = PACKAGE,
        size: int | None = SIZE,
        client: str = "127.0.0.1",
        visited: frozenset[str] = frozenset(),
        *,
        checked: bool = False,
    ) -> list[Candidate]:
        """The candidates for a request."""
        return list(self.source.candidates(Wanted(request, size, parse_address(client), None, visited, checked)))

    def considered(self, size: int | None = SIZE, **how: Any) -> list[tuple[str, str, bool]]:
        """What is considered for the package: the peer, the reason, and whether it has an offer."""
        found = self.source.consider(Wanted(PACKAGE, size, parse_address("127.0.0.1"), **how))
        return [(considered.who, considered.reason, considered.offer is not None) for considered in found]

    def holders(self, request: FileRequest = PACKAGE, size: int | None = SIZE, client: str = "127.0.0.1") -> list[Candidate]:
        """The candidates that are known to have the file: one, or none."""
        return [candidate for candidate in self.candidates(request, size, client) if candidate.rank is Rank.PEERS]

    def hold_back(self, peer: Peer, seconds: float) -> None:
        """Makes a peer look so much slower than others."""
        peer.reputation.standing.answered(4 * seconds, self.clock.seconds())

    def choose(self) -> tuple[str, str, int | None, str]:
        """Where pacman is sent, when no yes is remembered."""
        self.clock.advance(2 * YES_LIFETIME)
        return self.successResultOf(self.start(self.holders()[0]))

    def start(self, candidate: Candidate, seconds: float = 7.0) -> Deferred[tuple[str, str, int | None, str]]:
        """Begins to settle a candidate."""
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + seconds)).addCallback(shown)

    def only(self, request: FileRequest = PACKAGE, size: int | None = SIZE) -> Deferred[tuple[str, str, int | None, str]]:
        """Begins to settle the only candidate for a request."""
        (candidate,) = self.candidates(request, size)
        return self.start(candidate)


class CandidatesTests(Setup):
    def test_nobody_is_asked(self) -> None:
        """Finding holders is a look into memory."""
        self.add()
        self.add(UNKNOWN)
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEERS, Rank.PEERS_UNKNOWN])
        self.assertEqual((self.network.asked, self.clock.getDelayedCalls()), ([], []))

    def test_sizes(self) -> None:
        """Only holders of the stated size are asked first, and nobody where neither a database nor a mirror has stated one."""
        self.add(files={NAME: SIZE + 1}, answer=Line.SILENT)
        self.add(files={NAME: SIZE}, answer=Line.SILENT)
        self.add(files={"other-1-1-any.pkg.tar.zst": SIZE}, answer=Line.SILENT)
        for size, asked in ((SIZE, {1}), (SIZE + 1, {0}), (None, set()), (SIZE + 2, set())):
            self.network.asked.clear()
            for candidate in self.holders(size=size):
                answer = self.start(candidate)
                self.clock.advance(HEDGE_DELAY)
                answer.cancel()
                self.failureResultOf(answer, CancelledError)
                for peer in self.peers:
                    peer.answered(KNOWN)
            self.assertEqual(set(self.network.asked), {f"HEAD {url(slot)}" for slot in asked}, size)

    def test_signature_sizes(self) -> None:
        """A signature has 1 byte to 16 KiB."""
        for size, count in ((1, 1), (16384, 1), (16385, 0)):
            self.add(files={SIGNATURE.name: size})
            ranks = [candidate.rank for candidate in self.source.candidates(replace(SIGNATURE_WANTED, mirrors_failed=True))]
            self.assertEqual(ranks.count(Rank.PEERS), count, size)
            self.holdings.replace(len(self.peers) - 1, {})

    def test_signature_order(self) -> None:
        """A peer gives a signature when no mirror does: nobody but pacman can tell whether it is right, and pacman asks once."""
        self.add(files={SIGNATURE.name: 119})
        for failed, visited, rank in (
            (False, frozenset[str](), Rank.PEERS_LAST),
            (True, frozenset[str](), Rank.PEERS),
            (False, frozenset({"cache"}), Rank.PEERS_LAST),
            (True, frozenset({"cache"}), Rank.PEERS),
            (True, frozenset({address(0)}), Rank.PEERS_AGAIN),
        ):
            wanted = replace(SIGNATURE_WANTED, visited=visited, mirrors_failed=failed)
            self.assertEqual([candidate.rank for candidate in self.source.candidates(wanted)], [rank])
            self.assertEqual([considered.rank for considered in self.source.consider(wanted)], [rank])

    def test_databases(self) -> None:
        """A database never comes from a peer, not even from one that would say yes."""
        self.add(files={"core.db": SIZE})
        self.add(UNKNOWN)
        self.assertEqual(self.candidates(DATABASE, None), [])

    def test_not_shared(self) -> None:
        """A file of which the LAN is not told is not asked for at peers, nor are they considered."""
        self.add(files={PACKAGE.name: SIZE})
        self.add(UNKNOWN)
        for shared, count in ((True, 2), (False, 0)):
            wanted = Wanted(PACKAGE, SIZE, parse_address("127.0.0.1"), shared=shared)
            self.assertEqual((len(self.source.candidates(wanted)), len(self.source.consider(wanted))), (count, count))

    def test_states(self) -> None:
        """Peers that are dead, refused or not known to be who they say, and those that take their leave, are not asked."""
        self.add().observed.state = PeerState.DEAD
        self.add().observed.state = PeerState.REFUSED
        self.add().observed.state = PeerState.NEW
        self.add().announced = Announced("1" * 32, goodbyes=1)
        self.assertEqual(self.candidates(), [])

    def test_again(self) -> None:
        """Peers that this client was sent to for this file come last among the peers where their bytes are checked."""
        self.add()
        self.add()
        ranks = [candidate.rank for candidate in self.candidates(visited=frozenset({address(0)}), checked=True)]
        self.assertEqual(ranks, [Rank.PEERS, Rank.PEERS_AGAIN])
        first, last = self.candidates(visited=frozenset({address(0)}), checked=True)
        self.assertEqual((self.successResultOf(self.start(first)), self.successResultOf(self.start(last))), (redirect(1), redirect(0)))

    def test_again_unchecked(self) -> None:
        """A client that was disappointed is sent to no other peer before the mirrors, where nobody would check what it gets."""
        self.add()
        self.add()
        self.add(UNKNOWN)
        ranks = {candidate.rank for candidate in self.candidates(visited=frozenset({address(0)}))}
        self.assertEqual(ranks, {Rank.PEERS_LAST})

    def test_again_last_of_the_unchecked(self) -> None:
        """Of the peers that come last of all the one to which the client was sent before is the last, however fast it is."""
        self.add()
        self.add().reputation.chosen(1 << 40, self.clock.seconds())
        for number, other in ((0, 1), (1, 0)):
            (candidate,) = self.candidates(visited=frozenset({address(number)}))
            self.assertEqual(self.successResultOf(self.start(candidate)), redirect(other))
            self.clock.advance(2)

    def test_never_left_out(self) -> None:
        """The only holder is a candidate however often the client was sent there."""
        self.add()
        for checked in (True, False):
            (candidate,) = self.candidates(visited=frozenset({address(0)}), checked=checked)
            self.assertEqual(self.successResultOf(self.start(candidate)), redirect(0))

    def test_own_addresses(self) -> None:
        """A client elsewhere can't be sent to a loopback or link-local address, which would mean another host to it."""
        for host in ("127.0.0.1", "::1", "fe80::1%eth0"):
            self.add(endpoint=Endpoint(host, 15679))
        self.add(UNKNOWN, endpoint=Endpoint("127.0.0.2", 15679))
        self.assertEqual([candidate.offer.sendable for candidate in self.candidates(client="10.0.0.77")], [False, False])
        for local in ("127.0.0.1", "::1", "10.0.0.200"):
            self.assertEqual([candidate.offer.sendable for candidate in self.candidates(client=local)], [True, True])
        self.add(endpoint=Endpoint("fd77::b", 15678))
        offers = [(candidate.rank, candidate.offer.sendable) for candidate in self.candidates(client="10.0.0.77")]
        self.assertEqual(offers, [(Rank.PEERS, True), (Rank.PEERS, False), (Rank.PEERS_UNKNOWN, False)])

    def test_failed_to_give(self) -> None:
        """A peer that did not give a file that it said to have comes last for a minute, for every file."""
        self.add()
        location = self.successResultOf(Deferred.fromCoroutine(self.candidates()[0].settle(self.clock.seconds() + 7)))
        assert isinstance(location, RemoteFile)
        location.upstream.failed()
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEERS_AGAIN])
        self.clock.advance(WITHHELD_PENALTY)
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEERS])

    def test_lied(self) -> None:
        """A peer that gave wrong bytes is not asked for an hour."""
        self.add()
        location = self.successResultOf(Deferred.fromCoroutine(self.candidates()[0].settle(self.clock.seconds() + 7)))
        assert isinstance(location, RemoteFile)
        location.upstream.lied()
        self.clock.advance(DISTRUST - 1)
        self.assertEqual(self.candidates(), [])
        self.clock.advance(1)
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEERS])

    def test_only_content(self) -> None:
        """A peer of which only content can be used is not asked for a file of pacman."""
        peer = self.add(UNKNOWN)
        self.assertEqual(len(self.candidates()), 1)
        peer.observed.identity = Identity("1" * 32, 1, (), 1, shared=False, content=True)
        self.assertEqual(self.candidates(), [])

    def test_content(self) -> None:
        """Content is asked of hosts that take part in sharing it, whatever they are known to hold: a host with pacman alone is left in peace."""
        with_pacman = self.add(UNKNOWN)
        with_pacman.observed.identity = Identity("1" * 32, 1, ("x86_64",), 0)
        self.assertEqual(self.candidates(CONTENT), [])
        with_apt = self.add(UNKNOWN, answer=Page(bytes(SIZE)))
        with_apt.observed.identity = Identity("2" * 32, 1, (), 0, shared=False, content=True)
        (candidate,) = self.candidates(CONTENT)
        self.assertIs(candidate.rank, Rank.PEERS_UNKNOWN)
        location = self.successResultOf(Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + 7)))
        self.assertEqual(shown(location), redirect(1, name=BLOB))
        self.assertEqual([line for line in self.network.asked if address(0) in line], [])

    def test_content_has_no_signature(self) -> None:
        """Of content nothing is said of signatures."""
        self.add(files={BLOB: SIZE})
        (considered,) = self.source.consider(Wanted(CONTENT, SIZE, parse_address("127.0.0.1")))
        self.assertEqual(considered.reason, "it holds the file")

    def test_has_usable(self) -> None:
        """A peer can be used when it may be asked for files: not while it is new, dead, refused, leaving or failed lately."""
        self.assertFalse(self.source.has_usable())
        for state in (PeerState.NEW, PeerState.DEAD, PeerState.REFUSED):
            self.add(state)
        self.add().announced = Announced("1" * 32, goodbyes=1)
        self.add().reputation.failed(Failure.SILENT, self.clock.seconds())
        self.add().observed.identity = Identity("1" * 32, 1, (), 1, shared=False)
        peer = self.add(UNKNOWN)
        self.assertFalse(self.source.has_usable(), "nobody has heard of it")
        peer.observed.answered_at = 1.0
        self.assertTrue(self.source.has_usable())
        peer.observed.state = PeerState.DEAD
        self.assertFalse(self.source.has_usable())
        self.add().observed.answered_at = 1.0
        self.assertTrue(self.source.has_usable())

    def test_considered(self) -> None:
        """Every peer has its reason; those that are asked stand first, in the order in which they are."""
        self.add()
        self.add(files={NAME: SIZE + 1})
        self.add(files={})
        self.add(PeerState.DEAD).observed.trouble = "no answer"
        self.add(PeerState.REFUSED).observed.trouble = "it is this daemon"
        self.add(PeerState.NEW)
        self.add().announced = Announced("1" * 32, goodbyes=1)
        self.add().reputation.failed(Failure.SILENT, self.clock.seconds())
        self.add(UNKNOWN)
        self.add().reputation.lied(self.clock.seconds())
        reasons = {who: (reason, offers) for who, reason, offers in self.considered()}
        self.assertEqual(
            [reasons[f"peer {address(slot)}"] for slot in range(10)],
            [
                ("it holds the file, but no signature of it, which would come from elsewhere", True),
                (f"stale: its file of that name has {SIZE + 1} bytes instead of {SIZE}", False),
                ("not held", False),
                ("dead: no answer", False),
                ("not used: it is this daemon", False),
                ("it has announced itself, and was not looked at yet", False),
                ("it said goodbye", False),
                ("it failed lately, and is asked again in 1 s", False),
                ("what it holds is not known (it was not asked yet): it would be asked", False),
                ("it gave a wrong file, and is asked again in 3600 s", False),
            ],
        )
        self.assertEqual(self.considered()[0][0], f"peer {address(0)}")
        self.assertFalse(any(offers for _, _, offers in self.considered(size=None)))

    def test_considered_is_what_comes_next(self) -> None:
        """However many hold a file, the first that is considered is the first to be asked by the next request."""
        for _ in range(20):
            self.add()
        for _ in range(20):
            (first, *_) = self.considered()
            self.assertEqual(first[0], self.choose()[1])

    def test_load_is_spread(self) -> None:
        """Many requests are spread over all holders, evenly when all do equally well."""
        for _ in range(5):
            self.add()
        chosen = Counter(str(self.choose()) for _ in range(200))
        self.assertEqual(len(chosen), 5)
        self.assertGreater(min(chosen.values()), 20)

    def test_large_files_are_spread(self) -> None:
        """A holder from which clients fetch a large file is passed over for a while."""
        first, second = self.add(), self.add()
        first.reputation.standing.chosen(10**9, self.clock.seconds())
        self.assertEqual({str(self.choose()) for _ in range(20)}, {str(redirect(second.slot))})

    def test_fast_ones_are_preferred(self) -> None:
        """Holders that were slow to answer, or failed, lately are passed over while there are better ones, and not for ever."""
        good, slow, failed = self.add(), self.add(), self.add()
        slow.reputation.standing.answered(0.1, self.clock.seconds())
        failed.reputation.standing.failed(self.clock.seconds())
        chosen = []
        for _ in range(5):
            chosen.append(self.choose())
            good.reputation.standing.sent = 0.0
        self.assertEqual(chosen, [redirect(good.slot)] * 5)
        self.clock.advance(20 * HALF_LIFE)
        self.assertEqual(len({str(self.choose()) for _ in range(50)}), 3)

    def test_sent_there(self) -> None:
        """A holder to which a client was sent for a large file is not the next to be chosen, for whatever file."""
        for _ in range(2):
            self.add(files={NAME: 1_000_000, SIGNATURE.name: 119}, answer=Page(bytes(1_000_000)))
        for _ in range(10):
            answers = []
            for name in (NAME, NAME, "zlib-1:1.3.1-3-x86_64.pkg.tar.zst"):
                for slot in range(2):
                    self.holdings.update(slot, {name: 1_000_000}, ())
                (candidate, *_) = self.holders(FileRequest("core", "x86_64", name, FileKind.PACKAGE), 1_000_000)
                answers.append(str(self.successResultOf(self.start(candidate))).replace(name, ""))
            self.assertEqual(answers[0], answers[1])  # a yes was remembered
            self.assertNotEqual(answers[0], answers[2])
            self.clock.advance(20 * HALF_LIFE)

    def test_no_herd(self) -> None:
        """Hosts that know the same of the same holders do not all ask the one that looks best by a hair."""
        for slot in range(5):
            self.hold_back(self.add(), 0.0006 + 0.0001 * slot)
        firsts = set()
        for seed in range(20):
            self.source = self.make(seed)
            self.network.asked.clear()
            self.start(self.holders()[0])
            firsts.add(self.network.asked[0])
        self.assertGreater(len(firsts), 3)

    def test_all_are_compared_in_turn(self) -> None:
        """Of a hundred holders not always the same few are compared."""
        for _ in range(100):
            self.add()
        self.assertGreater(len({str(self.choose()) for _ in range(60)}), 2 * HOLDERS_COMPARED)

    def test_few_of_many(self) -> None:
        """Of a hundred holders a request asks a few, one after the other."""
        for _ in range(100):
            self.add(answer=Line.SILENT)
        answer = self.start(self.holders()[0])
        for asked in (1, 2, 3, 3):
            self.assertEqual(len(set(self.network.asked)), min(asked, HOLDERS_PER_REQUEST))
            self.clock.advance(HEDGE_DELAY)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)

    def test_is_peer(self) -> None:
        """The addresses of peers that the user named are known, in whatever form."""
        self.add(endpoint=Endpoint("fe80::1%eth0", 15678))
        self.add()
        self.add().announced = Announced("1" * 32)
        self.assertTrue(self.source.is_peer(parse_address("fe80::1")))
        self.assertTrue(self.source.is_peer(parse_address("10.0.0.2")))
        self.assertFalse(self.source.is_peer(parse_address("10.0.0.3")))


class ConfirmTests(Setup):
    def test_yes(self) -> None:
        """A holder is confirmed with one HEAD, and pacman sent to the URL that was asked."""
        self.add()
        self.assertEqual(self.successResultOf(self.only()), redirect(0))
        self.assertEqual(self.network.asked, [f"HEAD {url(0)}"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_signature(self) -> None:
        """A signature is found by itself, in any size that one may have."""
        self.add(files={SIGNATURE.name: 119}, answer=Page(bytes(119)))
        self.assertEqual(self.successResultOf(self.only(SIGNATURE, None)), redirect(0, 119, SIGNATURE.name))

    def test_yes_holds(self) -> None:
        """A yes holds for one second, so a burst of requests asks once."""
        self.add()
        for _ in range(5):
            self.successResultOf(self.only())
        self.clock.advance(YES_LIFETIME - 0.01)
        self.assertEqual(self.successResultOf(self.only()), redirect(0))
        self.assertEqual(len(self.network.asked), 1)
        self.clock.advance(0.01)
        self.successResultOf(self.only())
        self.assertEqual(len(self.network.asked), 2)

    def test_yes_is_for_one_file(self) -> None:
        """A yes for a file of one size is none for a file of the same name in another size."""
        self.add(UNKNOWN)
        self.assertEqual(self.successResultOf(self.only()), redirect(0))
        self.failureResultOf(self.only(size=SIZE + 1), AbsentError)

    def test_yes_is_for_one_address(self) -> None:
        """A yes at one address is none at another."""
        peer = self.add()
        self.successResultOf(self.only())
        peer.observed.endpoint = Endpoint("10.0.0.99", 15678)
        self.failureResultOf(self.only(), FetchError)
        self.assertEqual(len(self.network.asked), 2)

    def test_no(self) -> None:
        """A holder that says no is not asked for that file again, and not blamed."""
        for status in (404, 410):
            peer = self.add(answer=Page(status=status))
            error = self.failureResultOf(self.only(), AbsentError).value
            self.assertEqual(str(error), f"peer {address(peer.slot)}: {status}")
            self.assertEqual((self.holders(), peer.state, peer.reputation.failures, self.suspects), ([], KNOWN, 0, []))
            self.peers.remove(peer)

    def test_wrong_length(self) -> None:
        """A holder whose file has another length than its inventory, or than the database states, does not have the file."""
        self.add(answer=Page(bytes(SIZE + 1)))
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(self.holders(), [])
        self.add(files={NAME: SIZE}, answer=Page(bytes(SIZE - 1)))
        self.failureResultOf(self.start(self.holders()[0]), AbsentError)

    def test_empty(self) -> None:
        """An empty file, or one without a length, is no file."""
        self.add(UNKNOWN, answer=Page(b""))
        self.failureResultOf(self.only(), AbsentError)
        self.failureResultOf(self.only(SIGNATURE, None), AbsentError)

    def test_signature_too_large(self) -> None:
        """What is over 16 KiB is no signature."""
        self.add(UNKNOWN, answer=Page(bytes(16385)))
        self.failureResultOf(self.only(SIGNATURE, None), AbsentError)

    def test_redirects(self) -> None:
        """A redirect is never followed, and counts as a failure to answer."""
        for status in (301, 302, 303, 307, 308):
            peer = self.add(answer=Page(status=status, headers={"Location": "http://127.0.0.1:22/"}))
            error = self.failureResultOf(self.only(), FetchError).value
            self.assertNotIsInstance(error, AbsentError)
            self.assertFalse(peer.may_be_asked(self.clock.seconds()))
        self.assertEqual([line for line in self.network.asked if "127.0.0.1" in line], [])

    def test_other_answers(self) -> None:
        """A peer that answers anything else is left alone for a while; it is alive, so no look is needed."""
        for status in (403, 500, 503, 206, 304):
            peer = self.add(answer=Page(bytes(SIZE), status))
            self.failureResultOf(self.only(), FetchError)
            self.assertEqual((self.candidates(), peer.state, self.suspects), ([], KNOWN, []))

    def test_time_out(self) -> None:
        """A peer has 150 ms; one that does not use them is dead until it is looked at."""
        peer = self.add(answer=Line.SILENT)
        asked = self.only()
        self.clock.advance(CONFIRM_BUDGET - 0.001)
        self.assertNoResult(asked)
        self.clock.advance(0.001)
        self.assertEqual(str(self.failureResultOf(asked, FetchError).value), f"peer {address(0)}: no answer within 0.15 s")
        self.assertEqual((peer.state, self.suspects, self.candidates(), len(self.network.cancelled)), (PeerState.DEAD, [0], [], 1))

    def test_patience_for_signatures(self) -> None:
        """For a signature a peer has 2 s, as far as there is time: nobody else gives it, and pacman asks once."""
        peer = self.add(files={SIGNATURE.name: 119}, answer=Line.SILENT)
        for time, patience in ((7.0, SIGNATURE_BUDGET), (1.0, 1.0)):
            (candidate,) = self.source.candidates(SIGNATURE_WANTED)
            asked = self.start(candidate, time)
            self.clock.advance(patience - 0.001)
            self.assertNoResult(asked)
            self.clock.advance(0.001)
            self.failureResultOf(asked, FetchError)
            self.clock.advance(HALF_LIFE)
            peer.answered(KNOWN)

    def test_late_host(self) -> None:
        """A host that is late itself gives a peer longer, whether the peer is known to hold the file or not."""
        self.source = self.make(lateness=LateBy(0.05))
        self.add(answer=Line.SILENT)
        asked = self.only()
        self.clock.advance(CONFIRM_BUDGET + 0.19)
        self.assertNoResult(asked)
        self.clock.advance(0.02)
        self.failureResultOf(asked, FetchError)

    def test_penalties(self) -> None:
        """A peer that answers looks but no questions is asked less and less often."""
        peer = self.add(answer=Line.REFUSES)
        for penalty in (1, 2, 4, 8):
            self.failureResultOf(self.only(), FetchError)
            peer.answered(KNOWN)  # as a poll would find
            self.clock.advance(penalty - 0.1)
            self.assertEqual(self.candidates(), [])
            self.clock.advance(0.1)
        self.network.hosts[address(0)] = Page(bytes(SIZE))
        self.successResultOf(self.only())
        self.assertEqual(peer.reputation.failures, 0)

    def test_burst_fails(self) -> None:
        """Several questions that time out together count once, and cause one look."""
        peer = self.add(answer=Line.SILENT)
        candidates = self.candidates() * 5
        asked = [self.start(candidate) for candidate in candidates]
        self.clock.advance(CONFIRM_BUDGET)
        for one in asked:
            self.failureResultOf(one, FetchError)
        self.assertEqual((peer.reputation.failures, peer.observed.silences, peer.reputation.standing.failures, self.suspects), (1, 1, 1.0, [0]))

    def test_no_time(self) -> None:
        """With less time left than a peer is given it is not asked, and not blamed."""
        peer = self.add()
        (candidate,) = self.candidates()
        self.failureResultOf(self.start(candidate, CONFIRM_BUDGET / 2), FetchError)
        self.assertEqual((self.network.asked, peer.state, peer.reputation.failures), ([], KNOWN, 0))

    def test_cancelled(self) -> None:
        """A client that goes takes its question along, and nobody is blamed."""
        peer = self.add(answer=Line.SILENT)
        asked = self.only()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((peer.state, peer.reputation.failures, self.suspects), (KNOWN, 0, []))
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls()), (1, []))

    def test_defect(self) -> None:
        """What is no matter of the network comes through, and no peer is blamed."""
        peer = self.add(answer=ZeroDivisionError())
        self.failureResultOf(self.only(), ZeroDivisionError)
        self.assertEqual(peer.reputation.failures, 0)

    def test_gone_meanwhile(self) -> None:
        """A peer that lost its address between question and answer fails as a candidate."""
        peer = self.add()
        (candidate,) = self.candidates()
        peer.observed.endpoint = None
        self.failureResultOf(self.start(candidate), FetchError)

    def test_dropped_meanwhile(self) -> None:
        """A no of a peer that has been dropped says nothing of the one that has its slot by now."""
        peer = self.add(answer=Page(status=404))
        (candidate,) = self.candidates()
        self.holdings.replace(peer.slot, {})
        self.peers.remove(peer)
        successor = self.add()
        self.assertEqual(successor.slot, peer.slot)
        self.network.hosts[address(0)] = Page(status=404)
        self.failureResultOf(self.start(candidate), AbsentError)
        self.assertEqual(self.holdings.count(successor.slot), 1)

    def test_many_yeses(self) -> None:
        """Not more than some thousand yeses are remembered at a time."""
        self.add(UNKNOWN)
        for number in range(4097):
            self.successResultOf(self.only(FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)))
        asked = len(self.network.asked)
        self.successResultOf(self.only(FileRequest("core", "x86_64", "p0-1-1-any.pkg.tar.zst", FileKind.PACKAGE)))
        self.assertEqual(len(self.network.asked), asked + 1)


class HedgeTests(Setup):
    """Two holders of which the first to be asked is chosen by its standing."""

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = self.add(), self.add()
        self.hold_back(self.second, 0.5)  # so that the other one comes first

    def test_slow(self) -> None:
        """When the first has not answered after a few milliseconds the second is asked, and its yes wins."""
        self.network.hosts[address(0)] = Line.SILENT
        asked = self.only()
        self.clock.advance(HEDGE_DELAY - 0.001)
        self.assertEqual(self.network.asked, [f"HEAD {url(0)}"])
        self.clock.advance(0.001)
        self.assertEqual(self.successResultOf(asked), redirect(1))
        self.assertEqual((self.network.cancelled, self.clock.getDelayedCalls()), ([f"HEAD {url(0)}"], []))

    def test_slow_is_noticed(self) -> None:
        """Who was overtaken is looked at, is no worse off otherwise, and comes later next time than any that is idle."""
        self.network.hosts[address(0)] = Line.SILENT
        asked = self.only()
        self.clock.advance(HEDGE_DELAY)
        self.successResultOf(asked)
        self.assertEqual(
            (self.suspects, self.first.state, self.first.reputation.failures, self.first.reputation.standing.failures), ([0], KNOWN, 0, 0.0)
        )
        self.second.reputation.standing.delay = 0.0
        self.network.asked.clear()
        self.assertEqual(self.choose(), redirect(1))
        self.assertEqual(self.network.asked, [f"HEAD {url(1)}"])

    def test_busy(self) -> None:
        """Who has just shown that it is alive is not looked at for being slow."""
        self.network.hosts[address(0)] = Line.SILENT
        for passed, suspects in ((0.0, []), (DOUBT_INTERVAL - 2 * HEDGE_DELAY, []), (DOUBT_INTERVAL, [0])):
            self.first.observed.answered_at = self.clock.seconds() - passed
            self.first.reputation.standing.delay = 0.0
            self.hold_back(self.second, 10.0)
            asked = self.only()
            self.clock.advance(HEDGE_DELAY)
            self.successResultOf(asked)
            self.assertEqual(self.suspects, suspects)
            self.clock.advance(2 * YES_LIFETIME)

    def test_third(self) -> None:
        """When the second fails while the first is silent the third is asked at once, and only the second is blamed."""
        third = self.add()
        self.hold_back(third, 10.0)
        self.network.hosts.update({address(0): Line.SILENT, address(1): Line.REFUSES})
        asked = self.only()
        self.clock.advance(HEDGE_DELAY)
        self.assertEqual(self.successResultOf(asked), redirect(2))
        self.assertEqual([peer.reputation.failures for peer in self.peers], [0, 1, 0])
        self.assertEqual([peer.state for peer in self.peers], [KNOWN, PeerState.DEAD, KNOWN])
        self.assertEqual((self.suspects, self.clock.getDelayedCalls()), ([1, 0], []))

    def test_let_go(self) -> None:
        """When a client goes, who had no time to answer is not looked at, and no worse off."""
        self.network.hosts.update({address(0): Line.SILENT, address(1): Line.SILENT})
        asked = self.only()
        self.clock.pump((HEDGE_DELAY, HEDGE_DELAY / 2))
        delay = self.second.reputation.standing.delay
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((len(self.network.cancelled), self.suspects, self.second.reputation.standing.delay), (2, [0], delay))

    def test_all_silent(self) -> None:
        """When all are silent each has its 150 ms, and the request goes on after the last."""
        self.network.hosts.update({address(0): Line.SILENT, address(1): Line.SILENT})
        asked = self.only()
        self.clock.pump((HEDGE_DELAY, CONFIRM_BUDGET - HEDGE_DELAY - 0.001, 0.001))
        self.assertNoResult(asked)
        self.clock.advance(HEDGE_DELAY)
        self.assertNotIsInstance(self.failureResultOf(asked, FetchError).value, AbsentError)
        self.assertEqual((self.suspects, self.candidates(), self.clock.getDelayedCalls()), ([0, 1], [], []))

    def test_failed(self) -> None:
        """When the first has failed, or says no, the second is asked at once."""
        for host in (Line.REFUSES, Page(status=404), Page(status=500)):
            self.network.hosts[address(0)] = host
            self.holdings.replace(0, {NAME: SIZE})
            self.first.answered(KNOWN)
            self.first.reputation = Reputation()
            self.assertEqual(self.successResultOf(self.only()), redirect(1))
            self.clock.advance(2 * YES_LIFETIME)

    def test_remembered(self) -> None:
        """While the yes of one of them holds nobody is asked, whoever would come first now."""
        self.successResultOf(self.only())
        self.hold_back(self.first, 10.0)
        self.assertEqual(self.successResultOf(self.only()), redirect(0))
        self.assertEqual(len(self.network.asked), 1)


class MissTests(Setup):
    """Nobody is known to have the file."""

    def without(self, answer: Page | Line, changed_at: float = 0.0) -> Peer:
        """A peer whose inventory does not list the file."""
        peer = self.add(files={}, answer=answer)
        peer.observed.changed_at = changed_at
        return peer

    def test_found(self) -> None:
        """A peer that got the file since it told what it holds says so before the WAN is used."""
        self.without(Page(status=404))
        self.without(Page(bytes(SIZE)))
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEERS_UNKNOWN])
        self.assertEqual(self.successResultOf(self.only()), redirect(1))

    def test_budget(self) -> None:
        """Peers that are slow cost 50 ms together; they are looked at and not blamed."""
        for _ in range(3):
            self.without(Line.SILENT)
        asked = self.only()
        self.clock.advance(MISS_BUDGET - 0.001)
        self.assertNoResult(asked)
        self.clock.advance(0.001)
        self.failureResultOf(asked, FetchError)
        self.assertEqual((self.suspects, [(peer.state, peer.reputation.failures) for peer in self.peers]), ([0, 1, 2], [(KNOWN, 0)] * 3))

    def test_late_host(self) -> None:
        """A host that is late itself gives them longer: a no that is wrong costs bytes of the WAN."""
        self.source = self.make(lateness=LateBy(60.0))
        self.without(Line.SILENT)
        asked = self.only()
        self.clock.advance(LONGEST_MISS_BUDGET - 0.001)
        self.assertNoResult(asked)
        self.clock.advance(0.001)
        self.failureResultOf(asked, FetchError)

    def test_changed_last(self) -> None:
        """Of many peers those are asked whose inventory changed last, and some of those of which nothing is known."""
        for number in range(100):
            self.without(Page(status=404), changed_at=float(number))
        for _ in range(100):
            self.add(UNKNOWN, answer=Page(status=404)).announced = Announced("1" * 32)
        self.failureResultOf(self.only(), AbsentError)
        half = PEERS_PER_MISS // 2
        self.assertEqual(len(self.network.asked), PEERS_PER_MISS)
        self.assertEqual(len(set(self.network.asked) & {f"HEAD {url(slot)}" for slot in range(100 - half, 100)}), half)
        self.assertEqual(len(set(self.network.asked) & {f"HEAD {url(slot)}" for slot in range(100, 200)}), half)

    def test_each_in_turn(self) -> None:
        """Of more peers of which nothing is known than are asked, each is asked at some time."""
        for _ in range(PEERS_PER_MISS):
            self.without(Page(status=404))
        for _ in range(PEERS_PER_MISS):
            self.add(UNKNOWN, answer=Page(status=404)).announced = Announced("1" * 32)
        for _ in range(20):
            self.failureResultOf(self.only(), AbsentError)
            self.clock.advance(MISS_LIFETIME)
        self.assertLessEqual({f"HEAD {url(slot)}" for slot in range(PEERS_PER_MISS, 2 * PEERS_PER_MISS)}, set(self.network.asked))

    def test_places_that_are_left(self) -> None:
        """When there are few of one kind the other kind has their places."""
        for known, unknown in ((100, 3), (3, 100)):
            self.peers = Roster()
            self.source = self.make()
            for _ in range(known):
                self.without(Page(status=404))
            for _ in range(unknown):
                self.add(UNKNOWN, answer=Page(status=404)).announced = Announced("1" * 32)
            self.network.asked.clear()
            self.failureResultOf(self.only(), AbsentError)
            asked = set(self.network.asked)
            few = range(known, known + unknown) if unknown < known else range(known)
            self.assertEqual((len(asked), len(asked & {f"HEAD {url(slot)}" for slot in few})), (PEERS_PER_MISS, 3))

    def test_alive(self) -> None:
        """A peer that has just shown that it is alive is not looked at for being slow."""
        peer = self.without(Line.SILENT)
        for passed, suspects in ((0.0, []), (DOUBT_INTERVAL, [0])):
            peer.observed.answered_at = self.clock.seconds() - passed
            asked = self.only()
            self.clock.advance(MISS_BUDGET)
            self.failureResultOf(asked, FetchError)
            self.assertEqual(self.suspects, suspects)

    def test_no_suitable_peers(self) -> None:
        """Peers that are new, dead, refused or take their leave are not asked, and the one that is left is."""
        for state in (PeerState.NEW, PeerState.DEAD, PeerState.REFUSED):
            self.without(Page(bytes(SIZE))).observed.state = state
        self.without(Page(bytes(SIZE))).announced = Announced("1" * 32, goodbyes=1)
        self.without(Page(status=404))
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(self.network.asked, [f"HEAD {url(4)}"])

    def test_remembered(self) -> None:
        """That nobody has a file holds for one second, for files of that name and size alone."""
        self.without(Page(status=404))
        self.failureResultOf(self.only(), AbsentError)
        self.clock.advance(MISS_LIFETIME - 0.1)
        self.assertEqual(self.candidates(), [])
        self.assertEqual((len(self.candidates(size=SIZE + 1)), len(self.candidates(SIGNATURE, None))), (1, 1))
        self.clock.advance(0.1)
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(len(self.network.asked), 2)

    def test_not_twice(self) -> None:
        """A holder that was asked as one is not asked again."""
        self.add(answer=Page(status=404))
        self.without(Page(status=404))
        for candidate in self.candidates():
            self.failureResultOf(self.start(candidate), AbsentError)
        self.assertEqual(self.network.asked, [f"HEAD {url(0)}", f"HEAD {url(1)}"])

    def test_all_gone(self) -> None:
        """Peers that were all found dead after the candidates were made are absent."""
        peer = self.without(Page(bytes(SIZE)))
        (candidate,) = self.candidates()
        peer.observed.silent("no answer")
        self.failureResultOf(self.start(candidate), AbsentError)
        self.assertEqual(self.network.asked, [])

    def test_missed_by_one_client(self) -> None:
        """That those have not the file to whom one client may be sent says nothing of those to whom another one may be."""
        self.without(Page(status=404))
        self.add(UNKNOWN, answer=Page(bytes(SIZE)), endpoint=Endpoint("127.0.0.2", 15679))
        sendable, _ = self.candidates(client="10.0.0.77")
        self.failureResultOf(self.start(sendable), AbsentError)
        self.assertEqual(len(self.candidates()), 1)
        self.successResultOf(self.only())

    def test_discovered_unknown(self) -> None:
        """A peer that announced itself and of which nothing is known has 50 ms, one that the user named 150 ms."""
        self.add(UNKNOWN, answer=Line.SILENT).announced = Announced("1" * 32)
        asked = self.only()
        self.clock.advance(MISS_BUDGET)
        self.failureResultOf(asked, FetchError)
        self.add(UNKNOWN, answer=Line.SILENT)
        asked = self.only()
        self.clock.advance(MISS_BUDGET)
        self.assertNoResult(asked)
        self.clock.advance(CONFIRM_BUDGET - MISS_BUDGET)
        self.failureResultOf(asked, FetchError)


class UnknownTests(Setup):
    def test_first_yes(self) -> None:
        """All are asked at once, the first yes wins, and the others are let go without blame."""
        self.add(UNKNOWN, answer=Line.SILENT)
        self.add(UNKNOWN, answer=Page(status=404))
        self.add(UNKNOWN)
        self.add(UNKNOWN, answer=Line.SILENT)
        self.assertEqual(self.successResultOf(self.only()), redirect(2))
        self.assertEqual(self.network.asked, [f"HEAD {url(slot)}" for slot in range(4)])
        self.assertEqual(self.network.cancelled, [f"HEAD {url(0)}", f"HEAD {url(3)}"])
        self.assertEqual(([peer.reputation.failures for peer in self.peers], self.suspects, self.clock.getDelayedCalls()), ([0] * 4, [], []))

    def test_one_budget(self) -> None:
        """Any number of silent peers costs one budget together."""
        for _ in range(20):
            self.add(UNKNOWN, answer=Line.SILENT)
        asked = self.only()
        self.clock.advance(CONFIRM_BUDGET)
        self.failureResultOf(asked, FetchError)
        self.assertEqual((self.suspects, self.candidates()), (list(range(20)), []))

    def test_all_say_no(self) -> None:
        """When everyone says no the file is absent; when one could not say, that is not known."""
        self.add(UNKNOWN, answer=Page(status=404))
        self.add(UNKNOWN, answer=Page(bytes(SIZE - 1)))
        self.assertIn("404; peer", str(self.failureResultOf(self.only(), AbsentError).value))
        self.clock.advance(MISS_LIFETIME)
        self.add(UNKNOWN, answer=Line.REFUSES)
        self.assertNotIsInstance(self.failureResultOf(self.only(), FetchError).value, AbsentError)

    def test_yes_holds(self) -> None:
        """While a yes holds nobody is asked."""
        self.add(UNKNOWN, answer=Line.SILENT)
        self.add(UNKNOWN)
        self.successResultOf(self.only())
        asked = len(self.network.asked)
        self.assertEqual(self.successResultOf(self.only()), redirect(1))
        self.assertEqual((len(self.network.asked), len(self.network.cancelled)), (asked, 1))

    def test_bounded(self) -> None:
        """One request asks a bounded number of unknown peers."""
        for _ in range(PEERS_PER_MISS + 10):
            self.add(UNKNOWN, answer=Page(status=404))
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(len(self.network.asked), PEERS_PER_MISS)

    def test_cancelled(self) -> None:
        """A client that goes takes all its questions along."""
        for _ in range(3):
            self.add(UNKNOWN, answer=Line.SILENT)
        asked = self.only()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls(), self.suspects), (3, [], []))

    def test_defect(self) -> None:
        """A defect is not taken for a no, and ends no answer that another gives."""
        self.add(UNKNOWN, answer=ZeroDivisionError())
        self.failureResultOf(self.only(), ZeroDivisionError)
        self.add(UNKNOWN)
        self.assertEqual(self.successResultOf(self.only()), redirect(1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class PackageURLTests(SynchronousTestCase):
    def test_last_part(self) -> None:
        """The path ends with neither .pkg nor .db, so that pacman asks its own host for the signature; the query tells two files apart."""
        place = Endpoint("10.0.0.3", 15678)
        self.assertEqual(package_url(place, NAME).rpartition("/")[2], "data")
        self.assertEqual(redirect_url(place, NAME).rpartition("/")[2], f"data?{NAME}")
        self.assertEqual(redirect_url(place, "a-1?^2-1-any.pkg.tar.zst").count("?"), 1)

    def test_forms(self) -> None:
        """Every kind of address makes a URL that is read back as that address."""
        name = "c++pkg-1:2.0+r3~rc1-1-any.pkg.tar.zst"
        for host, text in (("10.0.0.3", "10.0.0.3"), ("fd77::b", "[fd77::b]"), ("fe80::1%eth0", "[fe80::1%25eth0]")):
            url = package_url(Endpoint(host, 15678), name)
            self.assertEqual(url, f"http://{text}:15678/package/{name}/data")
            read = parse_url(url)
            self.assertEqual((read.host, read.port, read.target), (host, 15678, f"/package/{name}/data"))
