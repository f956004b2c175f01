"""Tests for `pacserve.app.explaining` and `pacserve.app.reporting`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from io import FileIO
from random import Random
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.explaining import REASONS_LIMIT, Explaining
from pacserve.app.reporting import Parts, Reporting
from pacserve.claims.claims import Claims
from pacserve.config.settings import Settings
from pacserve.delivery.delivering import Deliverer, Policy, Sources
from pacserve.delivery.table import Hits, Misses
from pacserve.mirrors.folders import RepositoryFolders
from pacserve.mirrors.health import Absences, Fault, MirrorHealth
from pacserve.mirrors.mirrors import Mirrors
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.network.addresses import Endpoint, parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest, HeldFile
from pacserve.packages.inventory import Inventory
from pacserve.pacman.configuration import PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Announced, Identity, Observed, Peer, PeerState
from pacserve.peers.reputation import DISTRUST, Failure, Reputations
from pacserve.peers.roster import Roster
from pacserve.peers.source import Neighbourhood, PeerSource
from pacserve.peers.stated import StatedNames
from pacserve.report.ledger import Ledger
from pacserve.report.why import Why
from pacserve.resolver.resolver import Resolver
from pacserve.sources.candidates import Considered, Rank, Wanted
from pacserve.sources.locations import Holder, Offer
from pacserve.transfer.division import Sizes
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.lines import Lines
from pacserve.transfer.source import DownloadSource
from pacserve.transfer.stores import TemporaryStore
from pacserve.transfer.terms import Terms
from pacserve.web.fairness import loopback_first
from pacserve.web.origins import Share
from pacserve.web.witness import Answered
from tests.fakes.interfaces import Addresses, Configuration, Databases
from tests.fakes.upstreams import Mirror

NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
SIZE = 100_000
NOW = 2_000_000_000.0


class Known(Databases):
    """A database that knows two packages."""

    files: ClassVar = {("core", NAME): SIZE, ("core", "zlib-ng-2.0-1-x86_64.pkg.tar.zst"): 7}

    def size(self, repo: str, name: str) -> int | None:
        return self.files.get((repo, name))

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        size = self.size(repo, name)
        return None if size is None else ExpectedFile(size, bytes(32))

    def find(self, text: str, most: int) -> Sequence[tuple[str, str]]:
        """What contains the text."""
        return [key for key in self.files if text in key[1]][:most]


class Caches:
    """A cache that holds what it is given."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}

    def open(self, name: str, size: int | None) -> HeldFile | None:
        """A file of the right size."""
        if self.files.get(name) != size or size is None:
            return None
        return HeldFile(name, FileIO("/dev/null"), size, 0, '"x"')

    async def look(self, wanted: Wanted) -> None:
        """Knows it anyway."""

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        """What is considered where there is a file of that name, or none."""
        held = self.files.get(wanted.request.name) == wanted.size
        return [Considered("cache", Rank.CACHE, "this host has it" if held else "not held", Offer(Holder.CACHE) if held else None)]

    @property
    def best(self) -> Rank:
        """The first."""
        return Rank.CACHE

    async def inventory(self) -> Inventory:
        """All."""
        return Inventory(3, self.files)


class Idle:
    """
    Downloads nothing.

    Attributes:
        downloads: None run.
        passing: None run that are not kept, but for those that a test puts there.
    """

    def __init__(self) -> None:
        self.passing: Any = self

    @property
    def downloads(self) -> Idle:
        """Itself."""
        return self

    def running(self) -> Sequence[Any]:
        """Nothing."""
        return ()

    def usable(self) -> bool:
        """The spool is none of these tests' matters."""
        return False


class Rates:
    """Knows how fast a mirror was."""

    def rate(self, origin: str) -> float | None:
        """Bytes per second."""
        return 5.0 if origin == "http://a" else None


def at_once(work: Callable[[], Any]) -> Awaitable[Any]:
    """A thread that takes no time."""
    return maybeDeferred(work)


class Setup(SynchronousTestCase):
    misses = Misses.REDIRECT
    terms = Terms()

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.configuration = configuration = Configuration()
        configuration.value = PacmanConfiguration(
            ("x86_64",),
            (),
            "/nowhere",
            {"core": Repository("core", ("http://u:secret@a/core", "http://b/core")), "extra": Repository("extra", ("http://a/x",))},
        )
        self.caches, self.roster, self.holdings, self.health = Caches(), Roster(), Holdings(), MirrorHealth()
        local = Addresses("192.0.2.9")
        self.ledger = Ledger(lambda: NOW, local, NOW)
        self.fetching = Idle()
        self.parts: Any = Parts(
            settings=Settings(misses=self.misses),
            name="host",
            instance="0" * 32,
            configuration=configuration,
            databases=Known(),  # type: ignore[arg-type]
            caches=self.caches,  # type: ignore[arg-type]
            peers=self.roster,
            holdings=self.holdings,
            stated=StatedNames(),
            servers=(servers := Servers(configuration, local, [], 15678)),
            folders=RepositoryFolders(servers, at_once, self.clock),
            health=self.health,
            upstreams=Rates(),  # type: ignore[arg-type]
            claims=Claims(Reputations()),
            ledger=self.ledger,
            fetching=self.fetching,  # type: ignore[arg-type]
            heard_at=lambda: 990.0,
            left_out=lambda: [Endpoint("10.9.9.9", 15678)],
            in_thread=at_once,
            clock=self.clock,
            wall=lambda: NOW,
            ranking=loopback_first,
        )
        parts = self.parts
        self.reporting = Reporting(parts)
        anything: Any = None
        peers = PeerSource(self.roster, self.holdings, anything, Neighbourhood(local, lambda *_: None, Random(1)), self.clock)
        upstreams = MirrorUpstreams(parts.servers, anything, anything, self.health, Absences(), self.clock)
        mirrors = Mirrors(parts.servers, anything, self.health, Absences(), anything, self.clock)
        downloads = DownloadSource(Downloads(anything, self.clock, self.terms, anything), upstreams, Known(), self.clock)
        policy = Policy(self.misses, Hits.REDIRECT, peers.has_usable, lambda: True)
        caches: Any = self.caches
        delivery = Deliverer(
            Sources([caches], [peers, downloads, mirrors], mirrors, Known()), local, Resolver(self.clock), anything, policy, self.clock
        )
        self.explaining = Explaining(parts, delivery)

    def add(self, state: PeerState = PeerState.KNOWN, size: int | None = None, trouble: str = "") -> Peer:
        """One more peer, which holds a file of this size under the name."""
        endpoint = Endpoint(f"10.0.0.{len(self.roster) + 1}", 15678)
        identity = Identity("1" * 32, 1, ("x86_64",), 0)
        observed = Observed((endpoint.host,), endpoint, state, trouble, identity, answered_at=940.0)
        peer = self.roster.add(lambda slot: Peer(slot, endpoint, observed))
        if size is not None:
            self.holdings.replace(peer.slot, {NAME: size})
        return peer


class WhyTests(Setup):
    def why(self, text: str = NAME) -> list[tuple[str, str]]:
        """Who would give a file: the verdict on each candidate."""
        why = self.successResultOf(Deferred.fromCoroutine(self.explaining.why(text)))
        assert isinstance(why, Why)
        self.reasons = {reason.who: reason.reason for reason in why.candidates}
        return [(reason.who, reason.verdict) for reason in why.candidates]

    def test_cache(self) -> None:
        """What this host has comes from there; everybody else would be next."""
        self.caches.files[NAME] = SIZE
        self.add(size=SIZE)
        peers, mirrors = [("peer 10.0.0.1:15678", "next")], [("mirror http://a/core", "next"), ("mirror http://b/core", "next")]
        self.assertEqual(self.why(), [("cache", "used"), *peers, ("download", "no"), *mirrors, ("peer 10.9.9.9:15678", "no")])

    def test_peers(self) -> None:
        """Of each peer that would not do it is said why; those that would come first."""
        self.add()
        self.add(PeerState.DEAD, SIZE, "connection refused")
        self.add(size=SIZE + 1)
        self.add(size=SIZE).announced = Announced("1" * 32, goodbyes=1)
        self.add(size=SIZE).reputation.lied(1030.0 - DISTRUST)
        self.add(PeerState.REFUSED, trouble="other architecture")
        self.add(PeerState.UNKNOWN)
        self.add(PeerState.NEW)
        self.add(size=SIZE)
        verdicts = self.why()
        self.assertEqual(verdicts[:2], [("cache", "no"), ("peer 10.0.0.9:15678", "used")])
        self.assertEqual({verdict for who, verdict in verdicts[2:] if who.startswith("peer")}, {"no"})
        for number, part in enumerate(
            (
                "not held",
                "dead: connection refused, last heard 60 s ago",
                "stale",
                "goodbye",
                "asked again in 30 s",
                "other arch",
                "not known",
                "announced",
            ),
            1,
        ):
            self.assertIn(part, self.reasons[f"peer 10.0.0.{number}:15678"])
        self.assertIn("--multicast-filter", self.reasons["peer 10.9.9.9:15678"])

    def test_signature(self) -> None:
        """Of a peer that holds the package and no signature of it that is said; it would give the package all the same."""
        self.add(size=SIZE)
        signed = self.add(size=SIZE)
        self.holdings.update(signed.slot, {f"{NAME}.sig": 119}, ())
        self.assertIn(("peer 10.0.0.1:15678", "next"), [(who, "next") for who, verdict in self.why() if verdict != "no"])
        self.assertIn("no signature", self.reasons["peer 10.0.0.1:15678"])
        self.assertNotIn("no signature", self.reasons["peer 10.0.0.2:15678"])

    def test_many_peers(self) -> None:
        """Of a thousand peers those that would do are listed, and the others are counted."""
        for number in range(100):
            self.add(size=SIZE if number == 99 else None)
        verdicts = self.why()
        self.assertEqual(verdicts[1], ("peer 10.0.0.100:15678", "used"))
        self.assertIn("25 more", self.reasons["others"])
        self.assertEqual(len(verdicts), REASONS_LIMIT + 1)

    def test_mirrors(self) -> None:
        """A mirror that failed lately is said to come last; of a password nothing is told."""
        self.health.blame("http://a", Fault.FAILED, 1000.0)
        verdicts = self.why()
        self.assertEqual(verdicts[2:4], [("mirror http://b/core", "used"), ("mirror http://a/core", "next")])
        self.assertIn("failed lately", self.reasons["mirror http://a/core"])
        self.assertIn("password", self.reasons["mirror http://a/core"])
        self.assertNotIn("secret", repr(self.reasons))

    def test_package(self) -> None:
        """A package is found by its name, and not by the beginning of another one's; what nobody knows is None."""
        self.assertEqual(self.why("zlib")[0], ("cache", "no"))
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.explaining.why("zli"))))

    def test_last(self) -> None:
        """Where it came from the last time is told."""
        self.ledger.answered(
            Answered("request", "GET", f"/request/core/os/x86_64/{NAME}".encode(), parse_address("::1"), 307, "mirror http://a", 5, 0.1)
        )
        why = self.successResultOf(Deferred.fromCoroutine(self.explaining.why("zlib")))
        assert isinstance(why, Why)
        self.assertEqual([record.origin for record in why.last], ["mirror http://a"])


class FetchingWhyTests(Setup):
    misses = Misses.FETCH

    def test_download(self) -> None:
        """A host that downloads does so before pacman is sent to a mirror."""
        why = self.successResultOf(Deferred.fromCoroutine(self.explaining.why(NAME)))
        assert isinstance(why, Why)
        self.assertEqual([(reason.who, reason.verdict) for reason in why.candidates[:2]], [("cache", "no"), ("download", "used")])


class DividingWhyTests(Setup):
    misses = Misses.FETCH

    def setUp(self) -> None:
        self.terms = Terms(lines=Lines(3, Sizes(file=SIZE)))
        super().setUp()

    def test_mirrors_at_once(self) -> None:
        """A download from several mirrors says so, and names them without a password."""
        why = self.successResultOf(Deferred.fromCoroutine(self.explaining.why(NAME)))
        assert isinstance(why, Why)
        reason = next(reason.reason for reason in why.candidates if reason.who == "download")
        self.assertTrue(reason.endswith("downloaded here, once for all, from up to 2 mirrors at once: http://a, http://b"), reason)


class StatusTests(Setup):
    def test_status(self) -> None:
        """All that is known is told, and no password."""
        self.add(size=SIZE)
        self.add(PeerState.DEAD, trouble="gone").reputation.lied(1030.0 - DISTRUST)
        self.caches.files[NAME] = SIZE
        self.health.blame("http://b", Fault.SLOW, 1000.0)
        self.ledger.answered(Answered("request", "GET", b"/x", parse_address("::1"), 307, "peer 10.0.0.1:15678", 5, 0.1))
        status = self.successResultOf(Deferred.fromCoroutine(self.reporting.status()))
        self.assertEqual((status.host.files, status.host.size, status.host.generation, status.host.multicast_heard), (1, SIZE, 3, 10.0))
        self.assertEqual([(peer.address, peer.state, peer.files, peer.heard, peer.given) for peer in status.peers], [
            ("10.0.0.1:15678", "known", 1, 60.0, 5), ("10.0.0.2:15678", "dead", 0, 60.0, 0)])  # fmt: skip
        self.assertEqual(
            [(mirror.url, mirror.repositories, mirror.state, mirror.rate) for mirror in status.mirrors],
            [("http://a", ("core", "extra"), "well", 5.0), ("http://b", ("core",), "slow", None)],
        )
        self.assertEqual((status.transfers, status.spool, len(status.recent)), ((), None, 1))
        self.assertNotIn("secret", repr(status))

    def test_folders(self) -> None:
        """Folders of this host are told with what is wrong with them, and are no mirrors."""
        self.configuration.value = PacmanConfiguration(("x86_64",), (), "/nowhere", {"custom": Repository("custom", ("file:///nowhere/$x",))})
        status = self.successResultOf(Deferred.fromCoroutine(self.reporting.status()))
        self.assertEqual([(one.repository, one.path) for one in status.folders], [("custom", "/nowhere/$x")])
        self.assertIn("can't be read: no such file or directory", status.folders[0].trouble)
        self.assertEqual(status.mirrors, ())

    def test_sent_through(self) -> None:
        """A file that is sent through, and not kept, is among the transfers, with all bytes that are here, whatever their order."""
        mirror = Mirror(self.clock, "mirror", bytes(100), dies_at=[50], dying="stalls")
        nobody: Any = None
        passing = self.fetching.passing = Downloads(TemporaryStore(), self.clock, Terms(), nobody)
        self.addCleanup(passing.stop)
        download = passing.join(FileRequest("core", "x86_64", NAME, FileKind.PACKAGE), lambda: None, [mirror])
        status = self.successResultOf(Deferred.fromCoroutine(self.reporting.status()))
        self.assertEqual([(one.name, one.source, one.done, one.verified) for one in status.transfers], [(NAME, "mirror", 50, False)])
        self.assertEqual(status.transfers[0].shares, (Share("mirror", 50),))
        download.file.place(70, bytes(10))
        status = self.successResultOf(Deferred.fromCoroutine(self.reporting.status()))
        self.assertEqual(status.transfers[0].done, 60)

    def test_peers_that_are_left_alone(self) -> None:
        """A peer that gave a wrong file is told from one that is slow, and from one that is asked."""
        self.add()
        slow, liar = self.add(), self.add()
        now = self.clock.seconds()
        slow.reputation.failed(Failure.SILENT, now)
        liar.reputation.failed(Failure.SILENT, now)
        liar.reputation.lied(now - 600)
        reasons = [peer.reason for peer in self.successResultOf(Deferred.fromCoroutine(self.reporting.status())).peers]
        late = "did not say in time whether it has a file: it is left alone for a while"
        self.assertEqual(reasons, ["", late, "it gave a wrong file, and is not asked for another 50 min"])
