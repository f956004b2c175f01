"""Tests for `pacserve.resolver.resolver`."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from pacserve.errors import AbsentError, FetchError, RemoteProtocolError, RequestError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.resolver.resolver import ANSWER_DEADLINE, Resolver
from pacserve.sources.candidates import PackageSource, Rank
from pacserve.web.answers import Answer, DocumentAnswer, RedirectAnswer
from tests.fakes.interfaces import Addresses, Choice, Databases, Source

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
PACKAGE = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
FILE = DocumentAnswer(b"file")
PEER = RedirectAnswer("http://10.0.0.3:15678/package/x/data", "peer 10.0.0.3:15678", 100, "10.0.0.3:15678")
MIRROR = RedirectAnswer("http://mirror.example/x", "mirror http://mirror.example", 100)


class Setup(SynchronousTestCase):
    """Resolvers, and candidates that take their time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)

    def resolver(self, caches: PackageSource, *others: PackageSource, sizes: Mapping[tuple[str, str], int] | None = None) -> Resolver:
        """A resolver on a host that also has the address 10.0.0.1."""
        self.databases = Databases(sizes)
        return Resolver(caches, others, self.databases, Addresses("10.0.0.1"), self.clock)

    def resolve(self, resolver: Resolver, request: FileRequest = PACKAGE, client: str = "127.0.0.1", **how: bool) -> Deferred[Answer]:
        """Begins to resolve."""
        return Deferred.fromCoroutine(resolver.resolve(request, parse_address(client), **how))

    def refused(self, asked: Deferred[Answer]) -> RequestError:
        """The error that was answered."""
        error = self.failureResultOf(asked, RequestError).value
        assert isinstance(error, RequestError)
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertLessEqual(len(str(error)), 1500)
        return error

    def never(self, rank: Rank) -> Choice:
        """A candidate that never answers."""

        async def wait() -> Answer:
            return await Deferred[Answer]()

        return Choice(rank, wait)

    def after(self, seconds: float, rank: Rank, outcome: Answer | Exception) -> Choice:
        """A candidate that takes its time."""

        async def wait() -> Answer:
            await deferLater(self.clock, seconds)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return Choice(rank, wait)


class ResolverTests(Setup):
    def test_order(self) -> None:
        """The best candidate is asked first, whichever source it comes from, and the others are not asked at all."""
        mirror, unknown, peer = Choice(Rank.MIRRORS, MIRROR), Choice(Rank.PEERS_UNKNOWN, MIRROR), Choice(Rank.PEER, PEER)
        resolver = self.resolver(Source(), Source(mirror), Source(unknown, peer))
        self.assertEqual(self.successResultOf(self.resolve(resolver)), PEER)
        self.assertEqual((len(peer.settled), len(unknown.settled), len(mirror.settled)), (1, 0, 0))

    def test_cache(self) -> None:
        """What a local cache has is answered at once, without a timer."""
        resolver = self.resolver(Source(Choice(Rank.CACHE, FILE)), Source(Choice(Rank.PEER, PEER)))
        self.assertEqual(self.successResultOf(self.resolve(resolver)), FILE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_wanted(self) -> None:
        """The sources are told the size that the requested repository states, once its database was read again if it changed."""
        source = Source(Choice(Rank.MIRRORS, MIRROR))
        resolver = self.resolver(Source(), source, sizes={("core", NAME): 100, ("extra", NAME): 200})
        self.successResultOf(self.resolve(resolver))
        self.assertEqual((source.wanted[0].size, source.wanted[0].request, self.databases.refreshed), (100, PACKAGE, ["core"]))

    def test_no_size(self) -> None:
        """For signatures and databases no size is known, and no database is read."""
        source = Source(Choice(Rank.MIRRORS, MIRROR))
        resolver = self.resolver(Source(), source, sizes={("core", SIGNATURE.name): 100})
        for request in (SIGNATURE, DATABASE):
            self.successResultOf(self.resolve(resolver, request))
        self.assertEqual(([wanted.size for wanted in source.wanted], self.databases.refreshed), ([None, None], []))

    def test_fall_through(self) -> None:
        """Whatever a candidate fails with, the next one is asked."""
        for error in (AbsentError("404"), FetchError("refused"), RemoteProtocolError("garbage")):
            choices = [Choice(Rank.CACHE, error), Choice(Rank.PEER, error), Choice(Rank.PEER, error), Choice(Rank.PEERS_UNKNOWN, error)]
            resolver = self.resolver(Source(), Source(*choices), Source(Choice(Rank.MIRRORS, MIRROR)))
            self.assertEqual(self.successResultOf(self.resolve(resolver)), MIRROR)
            self.assertEqual([len(choice.settled) for choice in choices], [1, 1, 1, 1])

    def test_defect(self) -> None:
        """A defect is not passed over in silence."""
        resolver = self.resolver(Source(), Source(Choice(Rank.PEER, ZeroDivisionError())), Source(Choice(Rank.MIRRORS, MIRROR)))
        self.failureResultOf(self.resolve(resolver), ZeroDivisionError)

    def test_nowhere(self) -> None:
        """404 when the mirrors said so, whatever peers could not say; the error tells in one line what was tried."""
        choices = [Choice(Rank.PEER, FetchError("peer 10.0.0.3: connection\nrefused")), Choice(Rank.MIRRORS, AbsentError("mirror http://a: 404"))]
        error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
        self.assertEqual(error.status, 404)
        self.assertIn("peer 10.0.0.3: connection refused; mirror http://a: 404", str(error))
        self.assertIn(str(PACKAGE), str(error))
        self.assertEqual(error.origin, "peer 10.0.0.3: connection refused; mirror http://a: 404")

    def test_not_known(self) -> None:
        """504 when a mirror could not say, whatever all others said."""
        for outcomes in ((FetchError("timed out"),), (FetchError("timed out"), AbsentError("404")), (AbsentError("404"), FetchError("timed out"))):
            choices = [Choice(Rank.PEER, AbsentError("404")), *(Choice(Rank.MIRRORS, outcome) for outcome in outcomes)]
            error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
            self.assertEqual(error.status, 504)
            self.assertIn("timed out", str(error))

    def test_without_mirrors(self) -> None:
        """Where there is no mirror the others decide: 504 when one could not say, 404 when nobody has it."""
        for outcome, status in ((FetchError("timed out"), 504), (AbsentError("404"), 404)):
            resolver = self.resolver(Source(), Source(Choice(Rank.PEER, AbsentError("404")), Choice(Rank.PEERS_UNKNOWN, outcome)))
            self.assertEqual(self.refused(self.resolve(resolver)).status, status)
        error = self.refused(self.resolve(self.resolver(Source(), Source())))
        self.assertEqual(error.status, 404)
        self.assertIn("no other http or https Server", str(error))

    def test_long_stories(self) -> None:
        """However much was tried, the error stays short."""
        choices = [Choice(Rank.PEER, FetchError("x" * 300)) for _ in range(50)]
        error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
        self.assertTrue(str(error).endswith("x ..."))
        self.assertLessEqual(len(error.origin), 1000)

    def test_deadline(self) -> None:
        """A candidate that hangs for ever is left in time for pacman to hear of it."""
        after = Choice(Rank.MIRRORS, MIRROR)
        hanging = self.never(Rank.MIRRORS)
        asked = self.resolve(self.resolver(Source(), Source(hanging, after)))
        self.clock.advance(ANSWER_DEADLINE - 0.01)
        self.assertNoResult(asked)
        self.clock.advance(0.01)
        error = self.refused(asked)
        self.assertEqual((error.status, after.settled, self.clock.getDelayedCalls()), (504, [], []))
        self.assertIn("no answer in time; no time left", str(error))
        self.assertEqual(hanging.settled, [1_000_000 + ANSWER_DEADLINE])
        self.assertLess(ANSWER_DEADLINE, 8)

    def test_hanging_peer(self) -> None:
        """The time is one for all candidates: what a peer wasted the mirrors do not get, and nobody is said to lack the file."""
        asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEER)), Source(Choice(Rank.MIRRORS, AbsentError("404")))))
        self.clock.advance(ANSWER_DEADLINE)
        self.assertEqual(self.refused(asked).status, 504)

    def test_slow(self) -> None:
        """Candidates that fail slowly leave the rest of the time to the next."""
        choices = [self.after(3, Rank.PEER, FetchError("slow")), self.after(4, Rank.MIRRORS, MIRROR)]
        asked = self.resolve(self.resolver(Source(), Source(*choices)))
        self.clock.advance(3)
        self.clock.advance(4)
        self.assertEqual(self.successResultOf(asked), MIRROR)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """A client that goes ends the search: nobody else is asked, no timer is left."""
        after = Choice(Rank.MIRRORS, MIRROR)
        for wait in (0, 1, ANSWER_DEADLINE - 0.001):
            asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEER)), Source(after)))
            self.clock.advance(wait)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assertEqual((after.settled, self.clock.getDelayedCalls()), ([], []))

    def test_gone_at_the_end(self) -> None:
        """A client that goes in the very moment in which the time is up is one that has gone."""
        asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEER)), Source(Choice(Rank.MIRRORS, MIRROR))))
        self.clock.rightNow += ANSWER_DEADLINE
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_local_only(self) -> None:
        """A question from another pacserve is answered from the caches or with 404, and no other source is even asked for candidates."""
        others = Source(Choice(Rank.PEER, PEER))
        self.assertEqual(self.successResultOf(self.resolve(self.resolver(Source(Choice(Rank.CACHE, FILE)), others), local_only=True)), FILE)
        caches: Sequence[PackageSource] = (Source(), Source(Choice(Rank.CACHE, AbsentError("404"))), Source(Choice(Rank.CACHE, FetchError("x"))))
        for cache in caches:
            error = self.refused(self.resolve(self.resolver(cache, others), local_only=True))
            self.assertEqual(error.status, 404)
        self.assertEqual(others.wanted, [])


class HistoryTests(Setup):
    """How a client that comes back is served; the peer is the better choice as long as it may be named."""

    def both(self) -> Resolver:
        """A resolver with a peer and a mirror."""
        choices: Any = {PEER.holder: Choice(Rank.PEER, PEER)}
        return self.resolver(Source(), Source(avoidable=choices), Source(Choice(Rank.MIRRORS, MIRROR)))

    def test_second_ask(self) -> None:
        """A client that comes back for a file is not sent to the same peer, until an hour has passed."""
        resolver = self.both()
        answers = []
        for wait in (0, 1, 3597, 3600):
            self.clock.advance(wait)
            answers.append(self.successResultOf(self.resolve(resolver)))
        self.assertEqual(answers, [PEER, MIRROR, MIRROR, PEER])

    def test_looking(self) -> None:
        """A client that only looks has not been disappointed when it comes back; one that came back is told the same when it looks."""
        resolver = self.both()
        answers = [self.successResultOf(self.resolve(resolver, looking=looking)) for looking in (True, True, False, True, False)]
        self.assertEqual(answers, [PEER, PEER, PEER, MIRROR, MIRROR])

    def test_other_files(self) -> None:
        """For other files, as the signature, the peer is still good."""
        resolver = self.both()
        self.assertEqual([self.successResultOf(self.resolve(resolver, request)) for request in (PACKAGE, SIGNATURE)], [PEER, PEER])

    def test_other_clients(self) -> None:
        """Other clients are not affected."""
        resolver = self.both()
        for client in ("127.0.0.1", "10.0.0.9", "10.0.0.10"):
            self.assertEqual(self.successResultOf(self.resolve(resolver, client=client)), PEER)
        self.assertEqual(self.successResultOf(self.resolve(resolver, client="10.0.0.9")), MIRROR)

    def test_this_host(self) -> None:
        """This host is one client, by whatever address it asks."""
        resolver = self.both()
        answers = [self.successResultOf(self.resolve(resolver, client=client)) for client in ("10.0.0.1", "127.0.0.1", "::1", "127.0.0.2")]
        self.assertEqual(answers, [PEER, MIRROR, MIRROR, MIRROR])

    def test_mirrors_are_not_avoided(self) -> None:
        """Mirrors and caches are named again and again."""
        resolver = self.resolver(Source(), Source(Choice(Rank.MIRRORS, MIRROR)))
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.resolve(resolver)), MIRROR)
