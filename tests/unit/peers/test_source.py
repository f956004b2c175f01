"""Tests for L{pacserve.peers.source}."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError
from pacserve.fetch.client import HTTPClient
from pacserve.interfaces import Candidate
from pacserve.model import Answer, Endpoint, FileKind, FileRequest, Rank, RedirectAnswer, Wanted
from pacserve.network.addresses import parse_address
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.source import CONFIRM_BUDGET, HOLDERS_PER_REQUEST, UNKNOWN_PER_REQUEST, YES_LIFETIME, PeerSource, first_yes
from tests.fakes.interfaces import Addresses
from tests.fakes.network import Line, Network, Page

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
PACKAGE = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
SIZE = 100
KNOWN, UNKNOWN = PeerState.KNOWN, PeerState.UNKNOWN


def address(slot: int) -> str:
    """Where the peer in a slot listens."""
    return f"10.0.0.{slot + 1}:15678"


def url(slot: int, name: str = NAME) -> str:
    """The URL of a file on the peer in a slot."""
    return f"http://{address(slot)}/package/{name}/data"


def redirect(slot: int, size: int = SIZE, name: str = NAME) -> RedirectAnswer:
    """The answer that sends pacman to the peer in a slot."""
    return RedirectAnswer(url(slot, name), f"peer {address(slot)}", size, address(slot))


class Setup(SynchronousTestCase):
    """Peers in a network in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.network = Network()
        self.holdings = Holdings()
        self.suspects: list[int] = []
        self.peers: list[Peer] = []
        client = HTTPClient(self.network, self.clock)
        self.source = PeerSource(self.peers, self.holdings, client, self.clock, Addresses("10.0.0.200"), lambda peer: self.suspects.append(peer.slot))

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
        peer = Peer(slot, host, (host.host,), host, state)
        self.peers.append(peer)
        if state is KNOWN:
            self.holdings.replace(slot, {NAME: SIZE} if files is None else files)
        self.network.hosts[str(host)] = answer if answer is not None else Page(bytes(SIZE))
        return peer

    def candidates(
        self, request: FileRequest = PACKAGE, size: int | None = SIZE, client: str = "127.0.0.1", avoid: frozenset[str] = frozenset()
    ) -> list[Candidate]:
        """The candidates for a request."""
        return list(self.source.candidates(Wanted(request, size, parse_address(client), avoid)))

    def start(self, candidate: Candidate, seconds: float = 7.0) -> Deferred[Answer]:
        """Begins to settle a candidate."""
        return Deferred.fromCoroutine(candidate.settle(self.clock.seconds() + seconds))

    def only(self, request: FileRequest = PACKAGE, size: int | None = SIZE) -> Deferred[Answer]:
        """Begins to settle the only candidate for a request."""
        (candidate,) = self.candidates(request, size)
        return self.start(candidate)


class CandidatesTests(Setup):
    def test_nobody_is_asked(self) -> None:
        """Finding holders is a look into memory."""
        self.add()
        self.add(UNKNOWN)
        self.assertEqual([candidate.rank for candidate in self.candidates()], [Rank.PEER, Rank.PEERS_UNKNOWN])
        self.assertEqual((self.network.asked, self.clock.getDelayedCalls()), ([], []))

    def test_sizes(self) -> None:
        """Only holders of the size that the database states are candidates; any size is, where no database knows the file."""
        self.add(files={NAME: SIZE + 1})
        self.add(files={NAME: SIZE})
        self.add(files={"other-1-1-any.pkg.tar.zst": SIZE})
        self.assertEqual(len(self.candidates()), 1)
        self.assertEqual(len(self.candidates(size=None)), 2)
        self.assertEqual(len(self.candidates(size=SIZE + 2)), 0)

    def test_signature_sizes(self) -> None:
        """A signature has 1 byte to 16 KiB."""
        for size, count in ((1, 1), (16384, 1), (16385, 0)):
            self.add(files={SIGNATURE.name: size})
            self.assertEqual(len(self.candidates(SIGNATURE, None)), count, size)
            self.holdings.replace(len(self.peers) - 1, {})

    def test_databases(self) -> None:
        """A database never comes from a peer, not even from one that would say yes."""
        self.add(files={"core.db": SIZE})
        self.add(UNKNOWN)
        self.assertEqual(self.candidates(DATABASE, None), [])

    def test_states(self) -> None:
        """Dead and refused peers are not asked."""
        self.add().state = PeerState.DEAD
        self.add().state = PeerState.REFUSED
        self.assertEqual(self.candidates(), [])

    def test_avoid(self) -> None:
        """Peers that this client was sent to for this file are left out, known or not."""
        self.add()
        self.add()
        self.add(UNKNOWN)
        self.assertEqual(len(self.candidates(avoid=frozenset({address(0)}))), 2)
        self.assertEqual(self.candidates(avoid=frozenset({address(0), address(1), address(2)})), [])

    def test_own_addresses(self) -> None:
        """A client elsewhere is not sent to a loopback or link-local address, which would mean another host to it."""
        for host in ("127.0.0.1", "::1", "fe80::1%eth0"):
            self.add(endpoint=Endpoint(host, 15679))
        self.add(UNKNOWN, endpoint=Endpoint("127.0.0.2", 15679))
        self.assertEqual(self.candidates(client="10.0.0.77"), [])
        for local in ("127.0.0.1", "::1", "10.0.0.200"):
            self.assertEqual(len(self.candidates(client=local)), 4)
        self.add(endpoint=Endpoint("fd77::b", 15678))
        self.assertEqual(len(self.candidates(client="10.0.0.77")), 1)

    def test_turns(self) -> None:
        """Holders take turns."""
        for _ in range(3):
            self.add()
        chosen = []
        for _ in range(6):
            chosen.append(self.successResultOf(self.start(self.candidates()[0])))
            self.clock.advance(2 * YES_LIFETIME)
        self.assertEqual(chosen, [redirect(slot) for slot in (0, 1, 2, 0, 1, 2)])

    def test_few_of_many(self) -> None:
        """Of a hundred holders a request tries a few."""
        for _ in range(100):
            self.add()
        self.assertEqual(len(self.candidates()), HOLDERS_PER_REQUEST)

    def test_is_peer(self) -> None:
        """The addresses of peers are known, in whatever form."""
        self.add(endpoint=Endpoint("fe80::1%eth0", 15678))
        self.add()
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
        self.assertEqual(self.successResultOf(self.only(size=None)), redirect(0))
        self.failureResultOf(self.only(size=SIZE + 1), AbsentError)

    def test_yes_is_for_one_address(self) -> None:
        """A yes at one address is none at another."""
        peer = self.add()
        self.successResultOf(self.only())
        peer.endpoint = Endpoint("10.0.0.99", 15678)
        self.failureResultOf(self.only(), FetchError)
        self.assertEqual(len(self.network.asked), 2)

    def test_no(self) -> None:
        """A holder that says no is not asked for that file again, and not blamed."""
        for status in (404, 410):
            peer = self.add(answer=Page(status=status))
            error = self.failureResultOf(self.only(), AbsentError).value
            self.assertEqual(str(error), f"peer {address(peer.slot)}: {status}")
            self.assertEqual((self.candidates(), peer.state, peer.failures, self.suspects), ([], KNOWN, 0, []))

    def test_wrong_length(self) -> None:
        """A holder whose file has another length than its inventory, or than the database states, does not have the file."""
        self.add(answer=Page(bytes(SIZE + 1)))
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(self.candidates(), [])
        self.add(files={NAME: SIZE}, answer=Page(bytes(SIZE - 1)))
        self.failureResultOf(self.only(size=None), AbsentError)

    def test_empty(self) -> None:
        """An empty file, or one without a length, is no file."""
        self.add(UNKNOWN, answer=Page(b""))
        self.failureResultOf(self.only(size=None), AbsentError)
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

    def test_penalties(self) -> None:
        """A peer that answers looks but no questions is asked less and less often."""
        peer = self.add(answer=Line.REFUSES)
        for penalty in (1, 2, 4, 8):
            self.failureResultOf(self.only(), FetchError)
            peer.heard(KNOWN)  # as a look would find
            self.clock.advance(penalty - 0.1)
            self.assertEqual(self.candidates(), [])
            self.clock.advance(0.1)
        self.network.hosts[address(0)] = Page(bytes(SIZE))
        self.successResultOf(self.only())
        self.assertEqual(peer.failures, 0)

    def test_burst_fails(self) -> None:
        """Several questions that time out together count once, and cause one look."""
        peer = self.add(answer=Line.SILENT)
        candidates = self.candidates() * 5
        asked = [self.start(candidate) for candidate in candidates]
        self.clock.advance(CONFIRM_BUDGET)
        for one in asked:
            self.failureResultOf(one, FetchError)
        self.assertEqual((peer.failures, peer.silences, self.suspects), (1, 1, [0]))

    def test_no_time(self) -> None:
        """With less time left than a peer is given it is not asked, and not blamed."""
        peer = self.add()
        (candidate,) = self.candidates()
        self.failureResultOf(self.start(candidate, CONFIRM_BUDGET / 2), FetchError)
        self.assertEqual((self.network.asked, peer.state, peer.failures), ([], KNOWN, 0))

    def test_cancelled(self) -> None:
        """A client that goes takes its question along, and nobody is blamed."""
        peer = self.add(answer=Line.SILENT)
        asked = self.only()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((peer.state, peer.failures, self.suspects), (KNOWN, 0, []))
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls()), (1, []))

    def test_defect(self) -> None:
        """What is no matter of the network comes through, and no peer is blamed."""
        peer = self.add(answer=OSError())
        self.failureResultOf(self.only(), OSError)
        self.assertEqual(peer.failures, 0)

    def test_gone_meanwhile(self) -> None:
        """A peer that lost its address between question and answer fails as a candidate."""
        peer = self.add()
        (candidate,) = self.candidates()
        peer.endpoint = None
        self.failureResultOf(self.start(candidate), FetchError)

    def test_many_yeses(self) -> None:
        """Not more than some thousand yeses are remembered at a time."""
        self.add(UNKNOWN)
        for number in range(4097):
            self.successResultOf(self.only(FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)))
        asked = len(self.network.asked)
        self.successResultOf(self.only(FileRequest("core", "x86_64", "p0-1-1-any.pkg.tar.zst", FileKind.PACKAGE)))
        self.assertEqual(len(self.network.asked), asked + 1)


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
        self.assertEqual(([peer.failures for peer in self.peers], self.suspects, self.clock.getDelayedCalls()), ([0] * 4, [], []))

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
        for _ in range(UNKNOWN_PER_REQUEST + 10):
            self.add(UNKNOWN, answer=Page(status=404))
        self.failureResultOf(self.only(), AbsentError)
        self.assertEqual(len(self.network.asked), UNKNOWN_PER_REQUEST)

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


class FirstYesTests(SynchronousTestCase):
    def test_late_failure(self) -> None:
        """What the losers fail with after the end is heard by nobody, and logged by nobody."""
        slow: Deferred[Any] = Deferred(lambda deferred: deferred.errback(ZeroDivisionError()))

        async def lose() -> Answer:
            answer: Answer = await slow
            return answer

        async def win() -> Answer:
            return redirect(0)

        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(first_yes([lose(), win()]))), redirect(0))
        self.assertEqual(self.flushLoggedErrors(), [])
