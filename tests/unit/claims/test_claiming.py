"""Tests for `pacserve.claims.claiming`."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from pacserve.claims.claiming import LEADERS_NAMED, LocalKeeper, PeerClaiming, claim_key, claim_url, decode_verdict, encode_verdict
from pacserve.claims.claims import LEASE, Claims, Verdict
from pacserve.claims.following import REPORT_INTERVAL
from pacserve.claims.keepers import CLAIM_BUDGET, KEEPERS_ASKED, MESSAGE_TIMEOUT, rank_keepers
from pacserve.claims.lease import FAREWELL_TRIES, RENEWAL_INTERVAL
from pacserve.errors import RemoteProtocolError
from pacserve.fetch.stream import StreamingClient
from pacserve.fetch.urls import parse_url
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.peers.peer import Identity, Observed, Peer, PeerState
from pacserve.peers.reputation import DISTRUST, LEADER_FAILURES_LIMIT, LEADER_PENALTY
from pacserve.peers.roster import Roster
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.leader_search import Claim
from tests.fakes.network import Line, Network, Page

OWN = "0" * 32
REQUEST = FileRequest("core", "x86_64", "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", FileKind.PACKAGE)
CONTENT = FileRequest("apt", "any", f"zlib1g_1.2.13-1_amd64@{bytes(range(32)).hex()}.blob", FileKind.PACKAGE)
EXPECTED = ExpectedFile(5, bytes(range(32)))
KEY = claim_key(REQUEST.name, bytes(range(32)))


class Keeper(Resource):
    """A host that keeps claims."""

    isLeaf = True  # noqa: N815

    def __init__(self, answer: Callable[[str, str, str], bytes]) -> None:
        super().__init__()
        self._answer = answer
        self.asked: list[tuple[str, ...]] = []

    def render(self, request: Request) -> bytes:
        """Answers."""
        parts = tuple(part.decode() for part in request.postpath or ())
        self.asked.append((request.method.decode(), *parts))
        return self._answer(parts[1], parts[2], "/".join(parts[3:]))


def _answer(answers: Mapping[str, bytes], action: str, *_: str) -> bytes:
    """Answers what is said to a keeper; what is not named is not granted."""
    return answers.get(action, encode_verdict(Verdict(None, granted=False)))


class VerdictTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """What is sent is understood."""
        for verdict in (Verdict(None, granted=True), Verdict(None, granted=False), Verdict("a" * 32, granted=False)):
            self.assertEqual(decode_verdict(encode_verdict(verdict)), verdict)

    @given(st.binary() | st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(
        st.sampled_from(["follow", "granted", "x"]), inner)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
    def test_anything(self, text: bytes) -> None:
        """Whatever a host answers is a verdict, or an error that is known."""
        try:
            verdict = decode_verdict(text)
        except RemoteProtocolError:
            return
        self.assertRegex(verdict.follow or "0" * 32, r"\A[0-9a-f]{32}\Z")
        self.assertFalse(verdict.granted and verdict.follow)

    def test_key(self) -> None:
        """Hosts that expect different bytes under one name have different keys."""
        keys = {claim_key("a", bytes(32)), claim_key("a", bytes(range(32))), claim_key("b", bytes(32))}
        self.assertEqual(len(keys), 3)

    def test_url(self) -> None:
        """A file is claimed under an id and a key, by a URL that is read back as it is."""
        url = claim_url(Endpoint("10.0.0.3", 15678), "ask", f"{REQUEST.name}/0a", OWN, 70_000)
        self.assertEqual(url, f"http://10.0.0.3:15678/claim/ask/{OWN}/{REQUEST.name}/0a?written=70000")
        self.assertEqual(str(parse_url(url)), url)


class ClaimingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.roster = Roster()
        self.table = Claims(self.roster.reputations)
        client = StreamingClient(self.network, self.clock)
        self.written = 0
        self.claiming = PeerClaiming(self.roster, self.table, client, self.clock, OWN)

    def add(self, instance: str, answer: Callable[[str, str, str], bytes] | Line | Page) -> Keeper | Line | Page:
        """One more peer."""
        endpoint = Endpoint(f"10.0.0.{len(self.roster) + 2}", 15678)
        self.roster.add(
            lambda slot: Peer(slot, endpoint, Observed((endpoint.host,), endpoint, PeerState.KNOWN, identity=Identity(instance, 1, ("x86_64",), 0)))
        )
        host = answer if isinstance(answer, (Line, Page)) else Keeper(answer)
        self.network.hosts[str(endpoint)] = host
        return host

    def claim(self, expected: ExpectedFile | None = EXPECTED) -> Deferred[Claim]:
        """Begins to claim the file."""
        return Deferred.fromCoroutine(self.claiming.claim(REQUEST, expected, lambda: self.written))

    def followed(self) -> Upstream:
        """Claims the file, and returns the leader that is to be followed."""
        leader = self.successResultOf(self.claim()).leader
        assert leader is not None
        return leader

    def other_keeper(self) -> str:
        """An instance id that keeps the claims of the file rather than this host."""
        return next(one for one in (f"{number:032x}" for number in range(1, 1000)) if rank_keepers(KEY, [one, OWN])[0] == one)

    def test_alone(self) -> None:
        """A host without peers grants itself the claim, renews it as long as the download runs, and ends it."""
        claim = self.successResultOf(self.claim())
        self.assertEqual((claim.leader, len(self.table)), (None, 1))
        self.clock.pump([RENEWAL_INTERVAL] * 20)
        self.assertEqual(self.table.ask(KEY, "1" * 32, "x", self.clock.seconds()), Verdict(OWN, granted=False))
        claim.end(kept=False)
        self.assertEqual((len(self.table), self.clock.getDelayedCalls()), (0, []))

    def test_keeper(self) -> None:
        """The keeper is told of the start, of each half second and of the end."""
        keeper = self.add(self.other_keeper(), lambda what, instance, key: encode_verdict(Verdict(None, granted=True)))
        assert isinstance(keeper, Keeper)
        claim = self.successResultOf(self.claim())
        self.clock.advance(RENEWAL_INTERVAL)
        claim.end(kept=True)
        self.assertEqual([asked[2] for asked in keeper.asked], ["ask", "renew", "finish"])
        self.assertEqual({asked[0] for asked in keeper.asked}, {"POST"})
        self.assertEqual({(asked[3], *asked[4:]) for asked in keeper.asked}, {(OWN, REQUEST.name, bytes(range(32)).hex())})

    def test_other_systems(self) -> None:
        """Claims for pacman's files are not kept by a peer that shares no architecture: hosts of earlier versions know no such peer."""
        self.add(self.other_keeper(), Line.REFUSES)
        (peer,) = self.roster
        peer.observed.identity = Identity(self.other_keeper(), 1, (), 1, shared=False, content=True)
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        self.assertEqual((self.network.asked, len(self.table)), ([], 1))

    def test_content(self) -> None:
        """Claims for content are kept by hosts that take part in sharing it alone: hosts without pacman know no others, and all must agree."""
        key = claim_key(CONTENT.name, bytes(range(32)))
        keeper = next(one for one in (f"{number:032x}" for number in range(1, 1000)) if rank_keepers(key, [one, OWN])[0] == one)
        for content in (False, True):
            self.setUp()
            self.add(keeper, lambda what, instance, key: encode_verdict(Verdict(None, granted=True)))
            (peer,) = self.roster
            peer.observed.identity = Identity(keeper, 1, ("x86_64",), 1, shared=not content, content=content)
            claim = self.successResultOf(Deferred.fromCoroutine(self.claiming.claim(CONTENT, EXPECTED, lambda: 0)))
            self.assertEqual((bool(self.network.asked), len(self.table)), (content, int(not content)))
            claim.end(kept=False)

    def test_leader_of_content(self) -> None:
        """Content is read at `/fetch/apt/any/NAME` of its leader."""
        key = claim_key(CONTENT.name, bytes(range(32)))
        keeper = next(one for one in (f"{number:032x}" for number in range(1, 1000)) if rank_keepers(key, [one, OWN])[0] == one)
        self.add(keeper, lambda *_: encode_verdict(Verdict(keeper, granted=False)))
        (peer,) = self.roster
        peer.observed.identity = Identity(keeper, 1, (), 0, shared=False, content=True)
        leader = self.successResultOf(Deferred.fromCoroutine(self.claiming.claim(CONTENT, EXPECTED, lambda: 0))).leader
        assert leader is not None
        Deferred.fromCoroutine(leader.open(CONTENT.name, {}, 1.0)).addErrback(lambda _: None)
        self.assertEqual(self.network.asked[-1], f"GET http://10.0.0.2:15678/fetch/apt/any/{CONTENT.name}")

    def test_follow(self) -> None:
        """Who is told to follow a peer follows it where it is known to be."""
        instance = self.other_keeper()
        self.add(instance, lambda *_: encode_verdict(Verdict(instance, granted=False)))
        leader = self.followed()
        self.assertEqual(leader.label, "peer 10.0.0.2:15678")
        Deferred.fromCoroutine(leader.open(REQUEST.name, {}, 1.0)).addErrback(lambda _: None)
        self.assertEqual(self.network.asked[-1], f"GET http://10.0.0.2:15678/fetch/core/x86_64/{REQUEST.name}")

    def test_liar(self) -> None:
        """A leader that served wrong bytes is not followed again for an hour."""
        instance = self.other_keeper()
        self.add(instance, lambda *_: encode_verdict(Verdict(instance, granted=False)))
        leader = self.followed()
        leader.lied()
        (peer,) = self.roster
        self.assertFalse(peer.may_be_asked(self.clock.seconds()), "nor is it asked for what it holds")
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        self.assertEqual(self.table.ask("key", "f" * 32, "10.0.0.2", self.clock.seconds()), Verdict(None, granted=False))
        self.clock.advance(DISTRUST)
        self.followed()

    def test_useless(self) -> None:
        """A leader that gave nothing several times is not followed for a while, and nobody is sent elsewhere for that."""
        instance = self.other_keeper()
        self.add(instance, lambda *_: encode_verdict(Verdict(instance, granted=False)))
        for _ in range(LEADER_FAILURES_LIMIT):
            leader = self.followed()
            leader.failed()
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        (peer,) = self.roster
        self.assertTrue(peer.may_be_asked(self.clock.seconds()))
        self.clock.advance(LEADER_PENALTY)
        self.followed()

    def test_liar_renamed(self) -> None:
        """A liar that was started anew has another id, and is not followed either."""
        first = self.other_keeper()
        follow = first
        self.add(first, lambda *_: encode_verdict(Verdict(follow, granted=False)))
        leader = self.followed()
        leader.lied()
        (peer,) = self.roster
        follow = next(one for one in (f"{number:032x}" for number in range(1000, 2000)) if rank_keepers(KEY, [one, OWN])[0] == one)
        peer.observed.identity = Identity(follow, 1, ("x86_64",), 0)
        self.assertIsNone(self.successResultOf(self.claim()).leader)

    def test_unknown(self) -> None:
        """What no database states a digest of is not claimed either: nobody could tell whether what comes is right."""
        for expected in (None, ExpectedFile(5, None)):
            claim = self.successResultOf(self.claim(expected))
            claim.end(kept=True)
            self.assertEqual((claim.leader, len(self.table), self.network.asked), (None, 0, []))

    def test_impersonated(self) -> None:
        """Who states the id of a known peer does not take its place, but when that one has served wrong bytes."""
        instance = self.other_keeper()
        for _ in range(2):
            self.add(instance, lambda *_: encode_verdict(Verdict(instance, granted=False)))
        leader = self.followed()
        self.assertEqual(leader.label, "peer 10.0.0.2:15678")
        leader.lied()
        leader = self.followed()
        self.assertEqual(leader.label, "peer 10.0.0.3:15678")

    def test_signature(self) -> None:
        """A signature is claimed by the package that it signs, apart from the package; not where no database states that."""
        request = FileRequest("core", "x86_64", f"{REQUEST.name}.sig", FileKind.SIGNATURE)
        claim = self.successResultOf(Deferred.fromCoroutine(self.claiming.claim(request, None, int)))
        claim.end(kept=True)
        self.assertEqual((claim.leader, len(self.table), self.network.asked), (None, 0, []))
        both = [self.successResultOf(Deferred.fromCoroutine(self.claiming.claim(one, EXPECTED, int))) for one in (request, REQUEST)]
        self.assertEqual((len(self.table), [one.leader for one in both]), (2, [None, None]))
        for one in both:
            one.end(kept=False)

    def test_database(self) -> None:
        """Databases are not claimed: they come from the mirrors."""
        request = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
        claim = self.successResultOf(Deferred.fromCoroutine(self.claiming.claim(request, EXPECTED, int)))
        self.assertEqual((claim.leader, len(self.table), self.network.asked), (None, 0, []))

    def test_names_asker(self) -> None:
        """A keeper that names the asker itself, or a copy of this machine with its id, is of no use, and nobody follows itself."""
        self.add(self.other_keeper(), lambda *_: encode_verdict(Verdict(OWN, granted=False)))
        self.add(OWN, lambda *_: encode_verdict(Verdict(None, granted=True)))
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        self.assertEqual({line.split("/")[2] for line in self.network.asked}, {"10.0.0.2:15678"})

    def test_unknown_leader(self) -> None:
        """A leader that this host does not know is ignored: no keeper makes it talk to an address of its choice."""
        self.add(self.other_keeper(), lambda *_: encode_verdict(Verdict("e" * 32, granted=False)))
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unknown_leaders(self) -> None:
        """A keeper that names a leader that is not known here is asked for another one, a few times: ids can be made up, and hosts come."""
        keeper = self.other_keeper()
        named = iter(["e" * 32, "d" * 32, keeper])
        self.add(keeper, lambda what, *_: encode_verdict(Verdict(next(named), granted=False)))
        claim = self.successResultOf(self.claim())
        self.assertEqual(None if claim.leader is None else claim.leader.label, "peer 10.0.0.2:15678")
        claim.end(kept=False)
        self.setUp()
        numbers = iter(range(5000, 5100))
        self.add(keeper, lambda *_: encode_verdict(Verdict(f"{next(numbers):032x}", granted=False)))
        self.assertIsNone(self.successResultOf(self.claim()).leader)
        self.assertEqual((len(self.network.asked), self.clock.getDelayedCalls()), (LEADERS_NAMED, []))

    def test_takes_over(self) -> None:
        """A host whose leader is not known, and that is granted the claim when it asks again, holds it."""
        keeper = self.add(self.other_keeper(), lambda *_: encode_verdict(next(verdicts)))
        verdicts = iter([Verdict("e" * 32, granted=False), Verdict(None, granted=True), Verdict(None, granted=True), Verdict(None, granted=False)])
        assert isinstance(keeper, Keeper)
        claim = self.successResultOf(self.claim())
        self.clock.advance(RENEWAL_INTERVAL)
        claim.end(kept=True)
        self.assertEqual((claim.leader, [asked[2] for asked in keeper.asked]), (None, ["ask", "ask", "renew", "finish"]))

    def test_reports(self) -> None:
        """A follower tells the keeper how much it has, and follows another leader when that names one that is known here."""
        leader = self.other_keeper()
        answers = {"ask": encode_verdict(Verdict(leader, granted=False)), "report": encode_verdict(Verdict(leader, granted=False))}
        self.add(leader, partial(_answer, answers))
        self.add("b" * 32, Line.REFUSES)
        claim = self.successResultOf(self.claim())
        moved: list[str] = []
        claim.watch(partial(moved.append, "moved"))
        for self.written, follow in ((1000, leader), (2000, "e" * 32), (3000, "b" * 32)):
            answers["report"] = encode_verdict(Verdict(follow, granted=False))
            self.clock.advance(REPORT_INTERVAL)
            self.assertTrue(self.network.asked[-1].endswith(f"/{bytes(range(32)).hex()}?written={self.written}"))
        self.assertEqual(moved, ["moved"])
        self.assertEqual(None if claim.leader is None else claim.leader.label, "peer 10.0.0.3:15678")
        claim.end(kept=True)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent_keeper(self) -> None:
        """A keeper that does not answer in time, or nonsense, is passed over for the next."""
        first = self.other_keeper()
        both = json.dumps({"follow": first, "granted": True}).encode()
        answers: tuple[Any, ...] = (
            Line.SILENT,
            Line.REFUSES,
            lambda *_: b"nonsense",
            lambda *_: b"x" * 5000,
            lambda *_: both,
            Page(b"", 403),
            Page(b"", 404),
        )
        for answer in answers:
            self.setUp()
            self.add(first, answer)
            claiming = self.claim()
            self.clock.pump([CLAIM_BUDGET] * KEEPERS_ASKED)
            self.assertIsNone(self.successResultOf(claiming).leader)
            self.assertEqual(len(self.table), 1, answer)

    def test_all_silent(self) -> None:
        """However many keepers are silent, half a second is all that is lost; each is told that it need not keep what it may have heard."""
        for number in range(1, 10):
            self.add(f"{number:032x}", Line.SILENT)
        claiming = self.claim()
        self.clock.pump([0.01] * 49)
        self.assertLessEqual(len([line for line in self.network.asked if "/ask/" in line]), KEEPERS_ASKED)
        self.clock.pump([0.01] * 2)
        claim = self.successResultOf(claiming)
        self.clock.advance(MESSAGE_TIMEOUT)
        asked = [line.partition("/claim/ask/") for line in self.network.asked if "/ask/" in line]
        released = [line.partition("/claim/release/") for line in self.network.asked if "/release/" in line]
        self.assertEqual([(host, key) for host, _, key in released], [(host, key) for host, _, key in asked])
        claim.end(kept=False)
        self.clock.pump([MESSAGE_TIMEOUT] * (FAREWELL_TRIES + 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Who does not want the file any more takes back what it asked."""
        self.add(self.other_keeper(), Line.SILENT)
        claiming = self.claim()
        claiming.cancel()
        self.failureResultOf(claiming, CancelledError)
        self.clock.advance(MESSAGE_TIMEOUT)
        self.assertEqual([line.split("/")[4] for line in self.network.asked], ["ask", "release"])
        self.assertEqual((len(self.network.cancelled), self.clock.getDelayedCalls()), (2, []))

    def test_keeper_dies(self) -> None:
        """A keeper that dies while the download runs disturbs nothing."""
        self.add(self.other_keeper(), lambda *_: encode_verdict(Verdict(None, granted=True)))
        claim = self.successResultOf(self.claim())
        self.network.hosts["10.0.0.2:15678"] = Line.REFUSES
        self.clock.pump([RENEWAL_INTERVAL] * 4)
        claim.end(kept=True)
        self.clock.pump([RENEWAL_INTERVAL] * 4)
        self.assertEqual((self.clock.getDelayedCalls(), self.flushLoggedErrors()), ([], []))

    def test_first_keeper_heard_later(self) -> None:
        """A first keeper that nobody heard in time is told of the download, and decides as soon as it is heard: another host's is followed then."""
        for follow in (None, "b" * 32):
            self.setUp()
            self.add(self.other_keeper(), Line.SILENT)
            claiming = self.claim()
            self.clock.pump([0.01] * 47)
            claim = self.successResultOf(claiming)
            lost: list[str] = []
            claim.watch(partial(lost.append, "lost"))
            self.assertIsNone(claim.leader)
            self.add("b" * 32, lambda *_: encode_verdict(Verdict(None, granted=False)))
            answers = {"ask": encode_verdict(Verdict(follow, granted=follow is None))}
            self.network.hosts["10.0.0.2:15678"] = Keeper(partial(_answer, answers))
            self.clock.pump([0.1] * 20)
            self.assertEqual(lost, ["lost"] if follow else [])
            self.assertEqual(any("/claim/report/" in line for line in self.network.asked), follow is not None, "a host that joins says how far it is")
            self.assertEqual(None if claim.leader is None else claim.leader.label, f"peer {Endpoint('10.0.0.3', 15678)}" if follow else None)
            claim.end(kept=True)
            self.clock.pump([MESSAGE_TIMEOUT] * (FAREWELL_TRIES + 1))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_kept(self) -> None:
        """What is kept for others is what the table says; of what they say how far they are is taken note."""
        kept = LocalKeeper(self.table, self.clock)
        self.table.ask(KEY, "1" * 32, "10.0.0.3", 0.0)
        for instance in ("2" * 32, "3" * 32):
            kept.keep("ask", instance, KEY, f"10.0.1.{instance[0]}", 0)
        for second in (1, 2, 3):
            self.clock.advance(1)
            kept.keep("renew", "1" * 32, KEY, "10.0.0.3", 1000 * second)
            told = [kept.keep("report", instance, KEY, f"10.0.1.{instance[0]}", 400 * second) for instance in ("2" * 32, "3" * 32)]
        self.assertEqual([decode_verdict(one).follow for one in told], ["1" * 32, "2" * 32])
        kept.keep("release", "1" * 32, KEY, "10.0.0.3", 0)
        self.assertEqual(decode_verdict(kept.keep("ask", "1" * 32, "key", "10.0.0.3", 0)), Verdict(None, granted=True))
        self.assertEqual(decode_verdict(kept.keep("ask", "2" * 32, "key", "10.0.0.4", 0)), Verdict("1" * 32, granted=False))
        self.assertEqual(decode_verdict(kept.keep("renew", "1" * 32, "key", "10.0.0.3", 0)), Verdict(None, granted=True))
        kept.keep("finish", "1" * 32, "key", "10.0.0.3", 0)
        self.clock.advance(2 * LEASE)
        self.assertEqual(decode_verdict(kept.keep("ask", "2" * 32, "key", "10.0.0.4", 0)), Verdict("1" * 32, granted=False))
        kept.keep("release", "1" * 32, "key", "10.0.0.3", 0)
        self.assertEqual(decode_verdict(kept.keep("ask", "2" * 32, "key", "10.0.0.4", 0)), Verdict(None, granted=True))
