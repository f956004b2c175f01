"""Tests for `pacserve.delivery.delivering` and `pacserve.resolver.resolver`."""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import FileIO
from itertools import product
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from pacserve.delivery.delivering import (
    ANSWER_DEADLINE,
    LEADERS_DOUBTED,
    SLOW_LEADERS_DOUBTED,
    STATED_SIZE_TIMEOUT,
    WHOLE_TIMEOUT,
    Deliverer,
    MirrorKnowledge,
    Policy,
    Sources,
)
from pacserve.delivery.streaming import Streaming, Whole
from pacserve.delivery.table import Delivery, Hits, Misses
from pacserve.errors import AbsentError, FetchError, RemoteProtocolError, RequestError
from pacserve.network.addresses import parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest, HeldFile
from pacserve.resolver.resolver import Resolver
from pacserve.sources.candidates import PackageSource, Rank
from pacserve.sources.locations import Holder, LocalFile, Location, Offer, RemoteFile, RunningDownload, UnaskedMirrors
from pacserve.sources.upstreams import Upstream
from pacserve.web.answers import Answer, DocumentAnswer, FileAnswer, RedirectAnswer, SizeAnswer, StreamAnswer
from pacserve.web.origins import Share
from tests.fakes.arriving import Arriving
from tests.fakes.interfaces import Addresses, Choice, Databases, NoUpstream, Source

SIZE = 100_000
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
PACKAGE = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
SIGNATURE = FileRequest("core", "x86_64", NAME + ".sig", FileKind.SIGNATURE)
DATABASE = FileRequest("core", "x86_64", "core.db", FileKind.DATABASE)
HERE = LocalFile(HeldFile(NAME, FileIO(os.open("/dev/null", os.O_RDONLY), closefd=False), SIZE, 0, '"tag"'))
FILE = FileAnswer(HERE.held)
AT_PEER = RemoteFile("http://10.0.0.3:15678/package/x/data", "peer 10.0.0.3:15678", SIZE, NoUpstream(), Offer(Holder.PEER), "10.0.0.3:15678")
PEER = RedirectAnswer(AT_PEER.url, AT_PEER.origin, SIZE)
AT_MIRROR = RemoteFile("http://mirror.example/x", "mirror http://mirror.example", SIZE, NoUpstream(), Offer(Holder.MIRROR))
MIRROR = RedirectAnswer(AT_MIRROR.url, AT_MIRROR.origin, SIZE)
SHA256 = b"\1" * 32


class Stating(MirrorKnowledge):
    """
    Mirrors that state this size of every file.

    Attributes:
        asked: What they were asked for.
        failed: True if all of them failed lately.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.failed = False
        self.asked: list[FileRequest] = []
        self.deadlines: list[float] = []

    async def stated_size(self, request: FileRequest, deadline: float) -> int | None:
        self.asked.append(request)
        self.deadlines.append(deadline)
        return self.size

    def all_failed(self, request: FileRequest) -> bool:
        return self.failed


class Streams(Streaming):
    """
    Answers with a document in the place of a stream.

    Attributes:
        begun: What was done, and with which host.
        givers: The peers that small files come from; none where they come from a mirror.
        slow: True if they do not come.
    """

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.far_ahead = False
        self.givers: Sequence[str] = ()
        self.slow = False

    def is_far_ahead(self, request: FileRequest, offset: int) -> bool:
        return self.far_ahead

    async def download(self, request: FileRequest, upstreams: Sequence[Upstream]) -> Any:
        self.begun.append(("download", ""))
        return DOWNLOADED

    async def relay(self, request: FileRequest, peer: Upstream) -> Any:
        self.begun.append(("relay", peer.label))
        return RELAYED

    async def send_through(self, request: FileRequest, mirror: Upstream) -> Any:
        self.begun.append(("send through", mirror.label))
        return SENT_THROUGH

    async def download_whole(self, request: FileRequest, *, alone: bool) -> Whole:
        self.begun.append(("alone" if alone else "shared", ""))
        if self.slow:
            await Deferred[None]()
        return self.whole()

    async def fetch_whole(self, request: FileRequest, first: Upstream | None, origin: str) -> Whole:
        self.begun.append((origin, "" if first is None else first.label))
        if self.slow and first is None:
            await Deferred[None]()
        return self.whole()

    def whole(self) -> Whole:
        """A small file that came from `givers`, or from a mirror."""
        shares = [Share(giver, 50) for giver in self.givers] or [Share("mirror http://a", 100)]
        return Whole(StreamAnswer(Arriving(*shares), "whole"), not self.givers)


DOWNLOADED, RELAYED, SENT_THROUGH = DocumentAnswer(b"downloaded"), DocumentAnswer(b"relayed"), DocumentAnswer(b"sent through")


class Known(Databases):
    """States sizes, and one SHA-256 for all of them."""

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        size = self.size(repo, name)
        return None if size is None else ExpectedFile(size, SHA256)


class Setup(SynchronousTestCase):
    """Deliverers, and candidates that take their time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.misses, self.hits = Misses.REDIRECT, Hits.REDIRECT
        self.has_peers = self.has_spool = True
        self.sizes = Stating(SIZE)
        self.streams = Streams()
        self.databases: Databases = Databases()

    def resolver(self, caches: PackageSource, *others: PackageSource, sizes: Mapping[tuple[str, str], int] | None = None) -> Deliverer:
        """A deliverer on a host that also has the address 10.0.0.1."""
        self.databases = Databases(sizes)
        return self.deliverer(caches, *others)

    def deliverer(self, caches: PackageSource, *others: PackageSource) -> Deliverer:
        policy = Policy(self.misses, self.hits, lambda: self.has_peers, lambda: self.has_spool)
        sources = Sources([caches], others, self.sizes, self.databases)
        return Deliverer(sources, Addresses("10.0.0.1"), Resolver(self.clock), self.streams, policy, self.clock)

    def resolve(self, deliverer: Deliverer, request: FileRequest = PACKAGE, client: str = "127.0.0.1", **how: Any) -> Deferred[Answer]:
        """Begins to deliver."""
        return Deferred.fromCoroutine(deliverer.deliver(request, parse_address(client), **how))

    def refused(self, asked: Deferred[Answer]) -> RequestError:
        """The error that was answered."""
        error = self.failureResultOf(asked, RequestError).value
        assert isinstance(error, RequestError)
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertLessEqual(len(str(error)), 1500)
        return error

    def never(self, rank: Rank) -> Choice:
        """A candidate that never answers."""

        async def wait() -> Location:
            return await Deferred[Location]()

        return Choice(rank, wait)

    def after(self, seconds: float, rank: Rank, outcome: Location | Exception) -> Choice:
        """A candidate that takes its time."""

        async def wait() -> Location:
            await deferLater(self.clock, seconds)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return Choice(rank, wait)


class DeliverTests(Setup):
    def test_order(self) -> None:
        """The best candidate is asked first, whichever source it comes from, and the others are not asked at all."""
        mirror, unknown, peer = Choice(Rank.MIRRORS, AT_MIRROR), Choice(Rank.PEERS_UNKNOWN, AT_MIRROR), Choice(Rank.PEERS, AT_PEER)
        resolver = self.resolver(Source(), Source(mirror), Source(unknown, peer))
        self.assertEqual(self.successResultOf(self.resolve(resolver)), PEER)
        self.assertEqual((len(peer.settled), len(unknown.settled), len(mirror.settled)), (1, 0, 0))

    def test_cache(self) -> None:
        """What a local cache has is answered at once, without a timer."""
        resolver = self.resolver(Source(Choice(Rank.CACHE, HERE)), Source(Choice(Rank.PEERS, AT_PEER)))
        self.assertEqual(self.successResultOf(self.resolve(resolver)), FILE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_wanted(self) -> None:
        """The sources are told the size that the requested repository states, once its database was read again if it changed."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        resolver = self.resolver(Source(), source, sizes={("core", NAME): SIZE, ("extra", NAME): 200})
        self.successResultOf(self.resolve(resolver))
        self.assertEqual((source.wanted[0].size, source.wanted[0].request, self.databases.refreshed), (SIZE, PACKAGE, ["core"]))

    def test_for_which_file(self) -> None:
        """A database that changed is waited for where it concerns the package, or that whose signature is wanted; for a database none is."""
        resolver = self.resolver(Source(), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        for request in (PACKAGE, SIGNATURE, DATABASE):
            self.resolve(resolver, request).addErrback(lambda _: None)
        self.assertEqual((self.databases.needed, self.databases.refreshed), ([NAME, NAME], ["core", "core"]))

    def test_no_size(self) -> None:
        """For signatures and databases no size is known."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        resolver = self.resolver(Source(), source, sizes={("core", SIGNATURE.name): 100})
        for request in (SIGNATURE, DATABASE):
            self.resolve(resolver, request).addErrback(lambda _: None)
        self.assertEqual([wanted.size for wanted in source.wanted], [None, None])

    def test_fall_through(self) -> None:
        """Whatever a candidate fails with, the next one is asked."""
        for error in (AbsentError("404"), FetchError("refused"), RemoteProtocolError("garbage")):
            choices = [Choice(Rank.CACHE, error), Choice(Rank.PEERS, error), Choice(Rank.PEERS, error), Choice(Rank.PEERS_UNKNOWN, error)]
            resolver = self.resolver(Source(), Source(*choices), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
            self.assertEqual(self.successResultOf(self.resolve(resolver)), MIRROR)
            self.assertEqual([len(choice.settled) for choice in choices], [1, 1, 1, 1])

    def test_defect(self) -> None:
        """A defect is not passed over in silence."""
        resolver = self.resolver(Source(), Source(Choice(Rank.PEERS, ZeroDivisionError())), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        self.failureResultOf(self.resolve(resolver), ZeroDivisionError)

    def test_nowhere(self) -> None:
        """404 when the mirrors said so, whatever peers could not say; the error tells in one line what was tried."""
        choices = [Choice(Rank.PEERS, FetchError("peer 10.0.0.3: connection\nrefused")), Choice(Rank.MIRRORS, AbsentError("mirror http://a: 404"))]
        error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
        self.assertEqual(error.status, 404)
        self.assertIn("peer 10.0.0.3: connection refused; mirror http://a: 404", str(error))
        self.assertIn(str(PACKAGE), str(error))
        self.assertEqual(error.origin, "peer 10.0.0.3: connection refused; mirror http://a: 404")

    def test_not_known(self) -> None:
        """504 when a mirror could not say, whatever all others said."""
        for outcomes in ((FetchError("timed out"),), (FetchError("timed out"), AbsentError("404")), (AbsentError("404"), FetchError("timed out"))):
            choices = [Choice(Rank.PEERS, AbsentError("404")), *(Choice(Rank.MIRRORS, outcome) for outcome in outcomes)]
            error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
            self.assertEqual(error.status, 504)
            self.assertIn("timed out", str(error))

    def test_without_mirrors(self) -> None:
        """Where there is no mirror the others decide: 504 when one could not say, 404 when nobody has it."""
        for outcome, status in ((FetchError("timed out"), 504), (AbsentError("404"), 404)):
            resolver = self.resolver(Source(), Source(Choice(Rank.PEERS, AbsentError("404")), Choice(Rank.PEERS_UNKNOWN, outcome)))
            self.assertEqual(self.refused(self.resolve(resolver)).status, status)
        error = self.refused(self.resolve(self.resolver(Source(), Source())))
        self.assertEqual(error.status, 404)
        self.assertIn("no other http, https or file Server", str(error))

    def test_unreadable_folder(self) -> None:
        """Where a folder of this host could not be read, pacman is told no status: it may read the folder itself."""
        for rank in (Rank.FOLDERS, Rank.FOLDERS_LAST):
            choices = Choice(rank, FetchError("denied")), Choice(Rank.MIRRORS, AbsentError("404"))
            error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
            self.assertEqual((error.status, error.silent), (504, True))
        error = self.refused(self.resolve(self.resolver(Source(), Source(Choice(Rank.FOLDERS, AbsentError("404"))))))
        self.assertEqual((error.status, error.silent), (404, False))

    def test_long_stories(self) -> None:
        """However much was tried, the error stays short."""
        choices = [Choice(Rank.PEERS, FetchError("x" * 300)) for _ in range(50)]
        error = self.refused(self.resolve(self.resolver(Source(), Source(*choices))))
        self.assertTrue(str(error).endswith("x ..."))
        self.assertLessEqual(len(error.origin), 1000)

    def test_deadline(self) -> None:
        """A candidate that hangs for ever is left in time for pacman to hear of it."""
        after = Choice(Rank.MIRRORS, AT_MIRROR)
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
        asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEERS)), Source(Choice(Rank.MIRRORS, AbsentError("404")))))
        self.clock.advance(ANSWER_DEADLINE)
        self.assertEqual(self.refused(asked).status, 504)

    def test_slow(self) -> None:
        """Candidates that fail slowly leave the rest of the time to the next."""
        choices = [self.after(3, Rank.PEERS, FetchError("slow")), self.after(4, Rank.MIRRORS, AT_MIRROR)]
        asked = self.resolve(self.resolver(Source(), Source(*choices)))
        self.clock.advance(3)
        self.clock.advance(4)
        self.assertEqual(self.successResultOf(asked), MIRROR)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """A client that goes ends the search: nobody else is asked, no timer is left."""
        after = Choice(Rank.MIRRORS, AT_MIRROR)
        for wait in (0, 1, ANSWER_DEADLINE - 0.001):
            asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEERS)), Source(after)))
            self.clock.advance(wait)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assertEqual((after.settled, self.clock.getDelayedCalls()), ([], []))

    def test_gone_at_the_end(self) -> None:
        """A client that goes in the very moment in which the time is up is one that has gone."""
        asked = self.resolve(self.resolver(Source(), Source(self.never(Rank.PEERS)), Source(Choice(Rank.MIRRORS, AT_MIRROR))))
        self.clock.rightNow += ANSWER_DEADLINE
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_local_only(self) -> None:
        """A question from another pacserve is answered from the caches or with 404, and no other source is even asked for candidates."""
        others = Source(Choice(Rank.PEERS, AT_PEER))
        self.assertEqual(self.successResultOf(self.resolve(self.resolver(Source(Choice(Rank.CACHE, HERE)), others), local_only=True)), FILE)
        caches: Sequence[PackageSource] = (Source(), Source(Choice(Rank.CACHE, AbsentError("404"))), Source(Choice(Rank.CACHE, FetchError("x"))))
        for cache in caches:
            error = self.refused(self.resolve(self.resolver(cache, others), local_only=True))
            self.assertEqual(error.status, 404)
        self.assertEqual(others.wanted, [])


class HistoryTests(Setup):
    """How a client that comes back is served."""

    def setUp(self) -> None:
        super().setUp()
        self.hits = Hits.AUTO
        self.databases = Known({("core", NAME): SIZE})
        self.source = Source(Choice(Rank.PEERS, AT_PEER))
        self.both = self.deliverer(Source(), self.source, Source(Choice(Rank.MIRRORS, AT_MIRROR)))

    def test_second_ask(self) -> None:
        """A client that comes back for a file gets it checked, until an hour has passed; the sources are told where it was sent before."""
        answers = []
        for wait in (0, 1, 3597, 3600):
            self.clock.advance(wait)
            answers.append(self.successResultOf(self.resolve(self.both)))
        self.assertEqual(answers, [PEER, RELAYED, RELAYED, PEER])
        visited = frozenset({"10.0.0.3:15678"})
        self.assertEqual([wanted.visited for wanted in self.source.wanted], [frozenset(), visited, visited, frozenset()])
        self.assertTrue(all(wanted.checked for wanted in self.source.wanted))

    def test_nothing_to_check_with(self) -> None:
        """Where no SHA-256 is stated, or the spool can't be used, or --hits redirect is said, the sources are told that nothing is checked."""
        for hits, spool, databases in (
            (Hits.AUTO, True, Databases({("core", NAME): SIZE})),
            (Hits.AUTO, False, Known({("core", NAME): SIZE})),
            (Hits.REDIRECT, True, Known({("core", NAME): SIZE})),
        ):
            self.hits, self.has_spool, self.databases = hits, spool, databases
            source = Source(Choice(Rank.PEERS, AT_PEER))
            deliverer = self.deliverer(Source(), source)
            answers = [self.successResultOf(self.resolve(deliverer)) for _ in range(2)]
            self.assertEqual((answers, [wanted.checked for wanted in source.wanted]), ([PEER, PEER], [False, False]))

    def test_head_only(self) -> None:
        """A client that only looks has not been disappointed when it comes back; nothing is fetched for one that only looks after that."""
        answers = [self.successResultOf(self.resolve(self.both, head_only=head_only)) for head_only in (True, True, False, True, False)]
        self.assertEqual(answers, [PEER, PEER, PEER, SizeAnswer(AT_PEER.origin, AT_PEER.size), RELAYED])
        self.assertEqual([done for done, _ in self.streams.begun], ["relay"])

    def test_not_shared(self) -> None:
        """A package whose name hosts do not share is no matter of the LAN, and no mirror is asked for its size first."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        deliverer = self.resolver(Source(), source)
        for name, shared in ((PACKAGE.name, True), ("my a-1-1-any.pkg.tar.zst", False), ("a-1^1-1-any.pkg.tar.zst", True)):
            self.sizes.asked.clear()
            self.assertEqual(self.successResultOf(self.resolve(deliverer, replace(PACKAGE, name=name))), MIRROR)
            self.assertEqual((source.wanted[-1].shared, bool(self.sizes.asked)), (shared, shared))

    def test_private(self) -> None:
        """A file of a private repository is no matter of the LAN either."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        policy = Policy(Misses.FETCH, Hits.AUTO, lambda: True, lambda: True)
        sources = Sources([Source()], [source], self.sizes, self.databases, lambda: {"core"})
        deliverer = Deliverer(sources, Addresses(), Resolver(self.clock), self.streams, policy, self.clock)
        for repo, shared in (("core", False), ("extra", True)):
            self.assertEqual(self.successResultOf(self.resolve(deliverer, replace(PACKAGE, repo=repo))), MIRROR)
            self.assertEqual(source.wanted[-1].shared, shared)

    def test_forced(self) -> None:
        """The sources learn whether a client states no condition."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        for forced in (True, False):
            self.successResultOf(self.resolve(self.resolver(Source(), source), forced=forced))
        self.assertEqual([wanted.forced for wanted in source.wanted], [True, False])

    def test_other_files(self) -> None:
        """For other files the peer is still good."""
        other = FileRequest("core", "x86_64", "bash-5.2-1-x86_64.pkg.tar.zst", FileKind.PACKAGE)
        self.assertEqual([self.successResultOf(self.resolve(self.both, request)) for request in (PACKAGE, other)], [PEER, PEER])

    def test_other_clients(self) -> None:
        """Other clients are not affected."""
        for client in ("127.0.0.1", "10.0.0.9", "10.0.0.10"):
            self.assertEqual(self.successResultOf(self.resolve(self.both, client=client)), PEER)
        self.assertEqual(self.successResultOf(self.resolve(self.both, client="10.0.0.9")), RELAYED)

    def test_this_host(self) -> None:
        """This host is one client, by whatever address it asks."""
        answers = [self.successResultOf(self.resolve(self.both, client=client)) for client in ("10.0.0.1", "127.0.0.1", "::1", "127.0.0.2")]
        self.assertEqual(answers, [PEER, RELAYED, RELAYED, RELAYED])

    def test_mirrors_are_not_remembered(self) -> None:
        """Mirrors are named again and again, and no source hears of them."""
        source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
        deliverer = self.deliverer(Source(), source)
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.resolve(deliverer)), MIRROR)
        self.assertEqual({wanted.visited for wanted in source.wanted}, {frozenset()})


class HandOverTests(Setup):
    """How a location becomes an answer."""

    def setUp(self) -> None:
        super().setUp()
        self.databases = Known({("core", NAME): SIZE})
        self.mirrors_unasked = Choice(Rank.DOWNLOAD, UnaskedMirrors([NoUpstream()]))

    def test_download(self) -> None:
        """With --misses fetch, and by default as long as there is a peer, the mirrors are not asked: a download does that."""
        for self.misses, self.has_peers, answer in (
            (Misses.FETCH, False, DOWNLOADED),
            (Misses.AUTO, True, DOWNLOADED),
            (Misses.AUTO, False, MIRROR),
            (Misses.REDIRECT, True, MIRROR),
        ):
            deliverer = self.deliverer(Source(), Source(self.mirrors_unasked), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
            self.assertEqual(self.successResultOf(self.resolve(deliverer)), answer)

    def test_no_download(self) -> None:
        """A HEAD, a client that wants the end of the file, and a spool that can't be used start no download."""
        self.misses = Misses.FETCH
        deliverer = self.deliverer(Source(), Source(self.mirrors_unasked), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        self.assertEqual(self.successResultOf(self.resolve(deliverer, head_only=True)), MIRROR)
        self.streams.far_ahead = True
        self.assertEqual(self.successResultOf(self.resolve(deliverer, offset=1 << 30)), MIRROR)
        self.streams.far_ahead = self.has_spool = False
        self.assertEqual(self.successResultOf(self.resolve(deliverer)), MIRROR)
        self.assertEqual((self.streams.begun, self.mirrors_unasked.settled), ([], []))

    def test_relay(self) -> None:
        """With --hits relay a file is fetched from the peer that has it."""
        self.hits = Hits.RELAY
        deliverer = self.deliverer(Source(), Source(Choice(Rank.PEERS, AT_PEER)))
        self.assertEqual(self.successResultOf(self.resolve(deliverer)), RELAYED)

    def test_peer_out_of_reach(self) -> None:
        """A client that can't be sent to a peer gets the file through this host, where it can be checked; otherwise from elsewhere."""
        self.hits = Hits.AUTO
        far = Choice(Rank.PEERS, replace(AT_PEER, offer=Offer(Holder.PEER, sendable=False)), Offer(Holder.PEER, sendable=False))
        deliverer = self.deliverer(Source(), Source(far), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        self.assertEqual(self.successResultOf(self.resolve(deliverer, client="10.0.0.9")), RELAYED)
        self.databases = Databases({("core", NAME): SIZE})
        deliverer = self.deliverer(Source(), Source(far), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        self.assertEqual(self.successResultOf(self.resolve(deliverer, client="10.0.0.9")), MIRROR)

    def test_password(self) -> None:
        """A URL with a password is never shown to a client: the file is sent through, whatever the options are."""
        secret = replace(AT_MIRROR, url="http://u:secret@mirror.example/x", offer=Offer(Holder.MIRROR, secret=True))
        for self.misses in Misses:
            for self.has_spool in (True, False):
                deliverer = self.deliverer(Source(), Source(Choice(Rank.MIRRORS, secret)))
                for request in (PACKAGE, DATABASE):
                    self.assertEqual(self.successResultOf(self.resolve(deliverer, request)), SENT_THROUGH)
        begun = len(self.streams.begun)
        self.assertEqual(self.successResultOf(self.resolve(deliverer, head_only=True)), SizeAnswer(secret.origin, secret.size))
        self.assertEqual(len(self.streams.begun), begun, "a client that only looks has nothing fetched")

    def test_undecided_mirror(self) -> None:
        """pacman is sent to a mirror that said neither yes nor no."""
        undecided = replace(AT_MIRROR, size=None, offer=Offer(Holder.MIRROR, conclusive=False))
        deliverer = self.deliverer(Source(), Source(Choice(Rank.MIRRORS, undecided)))
        for request in (PACKAGE, DATABASE):
            self.assertEqual(self.successResultOf(self.resolve(deliverer, request)), replace(MIRROR, size=None))

    def test_running(self) -> None:
        """A download that runs is joined whatever the options are."""
        file = Arriving()
        running = Choice(Rank.DOWNLOAD, RunningDownload(file, "downloaded"), Offer(Holder.RUNNING))
        for self.misses in Misses:
            answer = self.successResultOf(self.resolve(self.deliverer(Source(), Source(running))))
            self.assertEqual(answer, StreamAnswer(file, "downloaded"))
            assert isinstance(answer, StreamAnswer)
            self.assertIs(answer.reader, file.readers[-1])

    def test_nothing_can_be_opened(self) -> None:
        """Where no file can be opened any more, the client is sent to the next candidate; a client that only looks needs none."""
        file = Arriving(error=OSError(errno.EMFILE, "Too many open files"))
        running = Choice(Rank.DOWNLOAD, RunningDownload(file, "downloaded"), Offer(Holder.RUNNING))
        deliverer = self.deliverer(Source(), Source(running), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
        self.assertEqual(self.successResultOf(self.resolve(deliverer)), MIRROR)
        self.assertEqual(self.successResultOf(self.resolve(deliverer, head_only=True)), StreamAnswer(file, "downloaded"))
        alone = self.deliverer(Source(), Source(running))
        self.assertIn("too many open files", str(self.refused(self.resolve(alone))))

    def test_file_that_no_database_knows(self) -> None:
        """The size that a mirror states is the only one that will do; peers are told of it, and caches are asked before any mirror."""
        self.databases = Databases()
        source = Source(Choice(Rank.PEERS, AT_PEER))
        self.assertEqual(self.successResultOf(self.resolve(self.deliverer(Source(Choice(Rank.CACHE, HERE)), source))), FILE)
        self.assertEqual(self.sizes.asked, [])
        self.assertEqual(self.successResultOf(self.resolve(self.deliverer(Source(), source))), PEER)
        self.assertEqual(([wanted.size for wanted in source.wanted], self.sizes.asked), ([SIZE], [PACKAGE]))
        self.assertEqual(self.sizes.deadlines, [self.clock.seconds() + STATED_SIZE_TIMEOUT])

    def test_considered(self) -> None:
        """What is considered comes with what the table says, and the first that is of use is where the next request goes."""
        self.hits = Hits.RELAY
        sources = Source(self.mirrors_unasked), Source(Choice(Rank.PEERS, AT_PEER)), Source(Choice(Rank.MIRRORS, AT_MIRROR))
        found = self.successResultOf(Deferred.fromCoroutine(self.deliverer(Source(), *sources).consider(PACKAGE)))
        decisions = [(considered.rank, None if decision is None else decision.delivery) for considered, decision in found]
        self.assertEqual(decisions, [(Rank.PEERS, Delivery.RELAY), (Rank.DOWNLOAD, Delivery.NEXT), (Rank.MIRRORS, Delivery.REDIRECT)])


class SmallFileTests(Setup):
    """Files of at most 16 KiB: no client is sent elsewhere for one."""

    def setUp(self) -> None:
        super().setUp()
        self.unasked = Choice(Rank.DOWNLOAD, UnaskedMirrors([NoUpstream()]))
        self.databases = Known({("core", NAME): 16 << 10})

    def test_sources(self) -> None:
        """Whatever the options are, it is held whole: downloaded for all where downloads are shared, otherwise fetched from the mirrors."""
        for self.misses in Misses:
            deliverer = self.deliverer(Source(), Source(self.unasked), Source(Choice(Rank.MIRRORS, AT_MIRROR)))
            for request in (SIGNATURE, PACKAGE):
                self.assertIsInstance(self.successResultOf(self.resolve(deliverer, request)), StreamAnswer)
        self.assertEqual([done for done, _ in self.streams.begun], ["shared", "shared", "sent through", "sent through", "shared", "shared"])

    def test_stated_by_the_mirror(self) -> None:
        """The same holds where only a mirror states the size, and for the signature of a database."""
        small = replace(AT_MIRROR, size=100, offer=Offer(Holder.MIRROR, small=True))
        deliverer = self.deliverer(Source(), Source(Choice(Rank.MIRRORS, small)))
        for request in (DATABASE, replace(DATABASE, name="core.db.sig")):
            self.assertIsInstance(self.successResultOf(self.resolve(deliverer, request)), StreamAnswer)
            self.assertEqual(self.successResultOf(self.resolve(deliverer, request, head_only=True)), SizeAnswer(small.origin, 100))
        self.assertEqual(self.streams.begun, [("sent through", NoUpstream().label)] * 2)

    def test_peer(self) -> None:
        """A small package of a peer is fetched from there and checked, whatever --hits says, with or without a spool."""
        for self.hits, self.has_spool in product(Hits, (True, False)):
            deliverer = self.deliverer(Source(), Source(Choice(Rank.PEERS, AT_PEER)))
            for _ in range(2):
                self.assertIsInstance(self.successResultOf(self.resolve(deliverer)), StreamAnswer)
        self.assertEqual({done for done, _ in self.streams.begun}, {"relayed"})

    def test_signature_of_this_host(self) -> None:
        """A signature that lies here is sent at once, and is the last resort when pacman comes back for it: the package may have been built again."""
        here = LocalFile(replace(HERE.held, name=SIGNATURE.name))
        first = self.deliverer(Source(Choice(Rank.CACHE, here)), Source(self.unasked))
        self.assertEqual(self.successResultOf(self.resolve(first, SIGNATURE)), FileAnswer(here.held))
        wanted = Source()
        self.successResultOf(self.resolve(first, SIGNATURE, head_only=True))
        again = self.deliverer(wanted, Source(self.unasked))
        self.assertIsInstance(self.successResultOf(self.resolve(again, SIGNATURE)), StreamAnswer)
        doubted = Choice(Rank.CACHE_LAST, here)
        nowhere = self.deliverer(Source(doubted), Source(Choice(Rank.DOWNLOAD, FetchError("no route"), Offer(Holder.UNASKED))))
        self.assertEqual(self.successResultOf(self.resolve(nowhere, SIGNATURE)), FileAnswer(here.held))
        elsewhere = self.deliverer(Source(doubted), Source(self.unasked))
        self.assertIsInstance(self.successResultOf(self.resolve(elsewhere, SIGNATURE)), StreamAnswer)
        self.assertEqual(len(doubted.settled), 1)

    def test_visited(self) -> None:
        """The sources are told that pacman comes back for a signature that this host's cache or a peer gave, and not for one of a mirror."""
        for source, givers, visited in (
            (Source(Choice(Rank.CACHE, HERE)), (), {"cache"}),
            (Source(), ("peer 10.0.0.3:15678",), {"10.0.0.3:15678"}),
            (Source(), ("peer 10.0.0.3:15678", "mirror http://a", "peer 10.0.0.4:15678"), {"10.0.0.3:15678", "10.0.0.4:15678"}),
            (Source(), (), set()),
        ):
            self.streams.givers, self.misses = givers, Misses.FETCH
            deliverer = self.deliverer(source, Source(self.unasked))
            for _ in range(2):
                self.successResultOf(self.resolve(deliverer, SIGNATURE))
            self.assertEqual((source.wanted[0].visited, source.wanted[1].visited), (frozenset(), visited))

    def test_doubted_leaders(self) -> None:
        """When pacman comes back for a signature that a peer gave, the next ones of an hour come from the mirrors alone."""
        self.misses, self.streams.givers = Misses.FETCH, ("peer 10.0.0.3:15678",)
        other = replace(SIGNATURE, name="bash-5.2-1-x86_64.pkg.tar.zst.sig")
        deliverer = self.deliverer(Source(), Source(self.unasked))
        for request in (SIGNATURE, other, SIGNATURE):
            self.successResultOf(self.resolve(deliverer, request))
        self.streams.givers = ()
        self.successResultOf(self.resolve(deliverer, replace(SIGNATURE, name="sed-4.9-1-x86_64.pkg.tar.zst.sig")))
        self.clock.advance(LEADERS_DOUBTED)
        self.successResultOf(self.resolve(deliverer, replace(SIGNATURE, name="gzip-1.13-1-x86_64.pkg.tar.zst.sig")))
        self.assertEqual([done for done, _ in self.streams.begun], ["shared", "shared", "alone", "alone", "shared"])

    def test_not_shared(self) -> None:
        """What is no matter of the LAN is no download either, and is fetched from the mirror that has it, for signatures as for small packages."""
        policy = Policy(Misses.FETCH, Hits.AUTO, lambda: True, lambda: True)
        sources = Sources([Source()], [Source(Choice(Rank.MIRRORS, AT_MIRROR))], self.sizes, self.databases, lambda: {"core"})
        deliverer = Deliverer(sources, Addresses(), Resolver(self.clock), self.streams, policy, self.clock)
        for request in (SIGNATURE, PACKAGE):
            self.assertIsInstance(self.successResultOf(self.resolve(deliverer, request)), StreamAnswer)
        self.assertEqual([done for done, _ in self.streams.begun], ["sent through", "sent through"])

    def test_slow_download(self) -> None:
        """A signature that does not come in time leaves time for others, and the next ones are asked of the mirrors alone for a minute."""
        self.misses = Misses.FETCH
        peer = Choice(Rank.PEERS_LAST, AT_PEER)
        deliverer = self.deliverer(Source(), Source(self.unasked), Source(peer))
        self.streams.slow = True
        asked = self.resolve(deliverer, SIGNATURE)
        self.clock.advance(WHOLE_TIMEOUT)
        self.assertIsInstance(self.successResultOf(asked), StreamAnswer)
        self.streams.slow = False
        for wait in (0.0, SLOW_LEADERS_DOUBTED):
            self.clock.advance(wait)
            self.successResultOf(self.resolve(deliverer, replace(SIGNATURE, name="sed-4.9-1-x86_64.pkg.tar.zst.sig")))
        self.assertEqual([done for done, _ in self.streams.begun], ["shared", "relayed", "alone", "shared"])

    def test_slow_mirrors(self) -> None:
        """The same holds where nothing is shared: mirrors that are silent leave time for a peer."""
        deliverer = self.deliverer(Source(), Source(self.unasked), Source(Choice(Rank.PEERS_LAST, AT_PEER)))
        self.streams.slow = True
        asked = self.resolve(deliverer, SIGNATURE)
        self.clock.advance(WHOLE_TIMEOUT)
        self.assertIsInstance(self.successResultOf(asked), StreamAnswer)
        self.assertEqual([done for done, _ in self.streams.begun], ["sent through", "relayed"])

    def test_mirrors_that_failed(self) -> None:
        """The sources are told when no mirror is likely to answer for a signature."""
        for self.sizes.failed in (False, True):
            source = Source(Choice(Rank.MIRRORS, AT_MIRROR))
            self.resolve(self.deliverer(Source(), source), SIGNATURE).addErrback(lambda _: None)
            self.assertIs(source.wanted[0].mirrors_failed, self.sizes.failed)
