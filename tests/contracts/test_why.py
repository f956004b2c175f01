"""What `why` says is used is where the next request really goes: all sources, all options, in all situations that decide anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.cache.packages import CachedPackages
from pacserve.delivery.delivering import Deliverer, Policy, Sources
from pacserve.delivery.streaming import Running, Streaming
from pacserve.delivery.table import Delivery, Hits, Misses
from pacserve.fetch.stream import StreamingClient
from pacserve.mirrors.folders import RepositoryFolders
from pacserve.mirrors.health import Absences, Fault, MirrorHealth
from pacserve.mirrors.inquiry import Inquiry
from pacserve.mirrors.mirrors import Mirrors
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.network.addresses import Endpoint, parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.pacman.configuration import PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import PeerState, named
from pacserve.peers.roster import Roster
from pacserve.peers.source import Neighbourhood, PeerSource
from pacserve.resolver.resolver import Resolver
from pacserve.transfer.division import Sizes
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import Claim, Claiming
from pacserve.transfer.lines import Lines
from pacserve.transfer.source import DownloadSource
from pacserve.transfer.spool import Spool
from pacserve.transfer.stores import MemoryStore, TemporaryStore
from pacserve.transfer.terms import Terms
from pacserve.web.answers import Answer, FileAnswer, RedirectAnswer, StreamAnswer
from pacserve.web.origins import source_text
from tests.contracts.test_sources import at_once
from tests.fakes.interfaces import Addresses, Configuration, Databases
from tests.fakes.network import Line, Network, Page

DATA = bytes(range(256)) * 80
NAME = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst"
REQUEST = FileRequest("core", "x86_64", NAME, FileKind.PACKAGE)
THIS_HOST = parse_address("127.0.0.1")


class Known(Databases):
    """Databases that know the package, with its digest or without."""

    def __init__(self, *, digest: bool) -> None:
        super().__init__({("core", NAME): len(DATA)})
        self._digest = hashlib.sha256(DATA).digest() if digest else None

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        return ExpectedFile(len(DATA), self._digest) if name == NAME else None


class Granted(Claim):
    """A claim that nobody else has."""

    leader = None

    def watch(self, lost: Callable[[], object]) -> None:
        return

    def end(self, *, kept: bool) -> None:
        return


class Alone(Claiming):
    """Grants every claim."""

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        return Granted()


@dataclass(frozen=True, slots=True)
class Situation:
    """
    What there is.

    Attributes:
        servers: The Server lines of the repository.
        peers: How many peers hold the file.
        again: True if this host was sent to the first of them before.
        failed: The mirror that failed lately.
        folder: True if the folder of this host has the file, which {folder} in the servers stands for.
        resting: The mirror that has asked to be left alone.
        at_once: From how many mirrors a file comes at the same time.
        large: True if the file is large enough for that.
    """

    servers: Sequence[str] = ("http://a.example/core", "http://b.example/core")
    cached: bool = False
    peers: int = 0
    again: bool = False
    failed: str = ""
    spool: bool = True
    digest: bool = True
    folder: bool = False
    resting: str = ""
    at_once: int = 1
    large: bool = True


FOUR = tuple([f"http://{name}.example/core" for name in "abcd"])
SEVERAL = (
    Situation(FOUR, at_once=3),
    Situation(FOUR, at_once=2),
    Situation(FOUR, at_once=1),
    Situation(FOUR, at_once=16),
    Situation(FOUR, at_once=3, digest=False),
    Situation(FOUR, at_once=3, large=False),
    Situation(FOUR, at_once=3, failed="http://b.example"),
    Situation(FOUR, at_once=3, resting="http://b.example"),
    Situation(FOUR[:2], at_once=3, failed="http://a.example"),
    Situation(FOUR[:2], at_once=3, resting="http://b.example"),
    Situation(FOUR[:1], at_once=3),
    Situation(("http://a.example/core", "http://a.example/extra"), at_once=3),
)
SITUATIONS = (
    Situation(),
    Situation(cached=True, peers=1),
    Situation(peers=1),
    Situation(peers=3),
    Situation(peers=1, again=True),
    Situation(peers=3, again=True),
    Situation(peers=1, again=True, digest=False),
    Situation(peers=1, digest=False),
    Situation(peers=1, again=True, spool=False),
    Situation(spool=False),
    Situation(failed="http://a.example"),
    Situation(peers=1, failed="http://a.example"),
    Situation(servers=("http://u:secret@a.example/core", "http://b.example/core")),
    Situation(servers=("http://u:secret@a.example/core",), spool=False),
    Situation(servers=("http://a.example/core", "http://u:secret@b.example/core"), failed="http://a.example"),
    Situation(servers=(), peers=1),
    Situation(servers=("file://{folder}",), peers=1, folder=True),
    Situation(servers=("file://{folder}", "http://a.example/core"), peers=1, folder=True),
    Situation(servers=("file://{folder}", "http://a.example/core"), peers=1),
    Situation(servers=("http://a.example/core", "file://{folder}"), folder=True),
    Situation(servers=("file://{folder}",), cached=True, folder=True),
)


class House:
    """
    One host with everything that files come from.

    Attributes:
        network: The peers at 10.0.0.1:15678 and so on, and the mirrors.
    """

    def __init__(self, situation: Situation, misses: Misses, hits: Hits, folder: Path, keep: Callable[[Callable[[], object]], object]) -> None:
        self.clock = clock = Clock()
        clock.advance(1_000_000)
        self.network = network = Network({f"{name}.example": Page(DATA) for name in "abcd"})
        client = StreamingClient(network, clock)
        catalogue, local = Known(digest=situation.digest), Addresses()
        cache = folder / "cache"
        cache.mkdir()
        if situation.cached:
            (cache / NAME).write_bytes(DATA)
        caches = CachedPackages(lambda: [str(cache)], catalogue, at_once, clock, lambda: cache.stat().st_ctime + 60)
        roster, holdings = Roster(), Holdings()
        for number in range(situation.peers):
            endpoint = Endpoint(f"10.0.0.{number + 1}", 15678)
            peer = roster.add(partial(named, endpoint=endpoint))
            peer.observed.state = PeerState.KNOWN
            holdings.replace(peer.slot, {NAME: len(DATA)})
            network.hosts[str(endpoint)] = Page(DATA)
        peers = PeerSource(roster, holdings, client, Neighbourhood(local, lambda *_: None, Random(1)), clock)
        repository = folder / "repository"
        repository.mkdir()
        if situation.folder:
            (repository / NAME).write_bytes(DATA)
        lines = tuple(server.format(folder=repository) for server in situation.servers)
        configuration = Configuration()
        configuration.value = PacmanConfiguration(("x86_64",), (), "/nowhere", {"core": Repository("core", lines)})
        servers, health, absences = Servers(configuration, local, (), 15678), MirrorHealth(), Absences()
        if situation.failed:
            health.blame(situation.failed, Fault.FAILED, clock.seconds())
        if situation.resting:
            health.rest(situation.resting, 60.0, clock.seconds())
        upstreams = MirrorUpstreams(servers, client, client, health, absences, clock)
        mirrors = Mirrors(servers, Inquiry(client, client, clock), health, absences, upstreams.of, clock)
        folders = RepositoryFolders(servers, at_once, clock)
        spool = Spool(str(folder / "spool"), 1 << 30)
        spool.open()
        lines_of_mirrors = Lines(situation.at_once, Sizes(file=len(DATA) if situation.large else len(DATA) + 1, first=500))
        downloads = Downloads(spool, clock, Terms(lines=lines_of_mirrors), Alone())
        passing = Downloads(TemporaryStore(), clock, Terms(), Alone())
        small = Downloads(MemoryStore(), clock, Terms(), Alone())
        for close in (downloads.stop, passing.stop, small.stop, spool.close):
            keep(close)
        source = DownloadSource(downloads, upstreams, catalogue, clock)
        streaming = Streaming(Running(downloads, passing, small), upstreams, catalogue, clock)
        policy = Policy(misses, hits, peers.has_usable, lambda: situation.spool)
        self.delivery = Deliverer(
            Sources([caches], [folders, peers, source, mirrors], mirrors, catalogue), local, Resolver(clock), streaming, policy, clock
        )


class WhyContract(SynchronousTestCase):
    def test_first_used(self) -> None:
        """The first candidate that `why` calls used gives the answer to the next request, in the way that it says."""
        for number, (situation, misses, hits) in enumerate(product(SITUATIONS, Misses, Hits)):
            with TemporaryDirectory() as folder:
                house = House(situation, misses, hits, Path(folder), self.addCleanup)
                if situation.again:
                    self.get(house)
                    house.clock.advance(20)  # what was downloaded then is closed, and a yes holds no more
                    for file in (Path(folder) / "spool" / "pkg").iterdir():
                        file.unlink()
                considered = self.successResultOf(Deferred.fromCoroutine(house.delivery.consider(REQUEST)))
                used = next((each, decision) for each, decision in considered if decision is not None and decision.delivery is not Delivery.NEXT)
                answer = self.get(house)
                self.doCleanups()
            who, delivery = used[0].who, used[1].delivery
            self.assertEqual(self.went(answer, who), (who, delivery), (number, situation, misses, hits))

    def test_mirrors_at_once(self) -> None:
        """The mirrors that `why` names for a download are those that it asks at first; where `why` names none the first one is asked alone."""
        several = []
        for situation in SEVERAL:
            with TemporaryDirectory() as folder:
                house = House(situation, Misses.FETCH, Hits.AUTO, Path(folder), self.addCleanup)
                considered = self.successResultOf(Deferred.fromCoroutine(house.delivery.consider(REQUEST)))
                how = next(each.how for each, _ in considered if each.who == "download")
                house.network.hosts = dict.fromkeys(house.network.hosts, Line.SILENT)
                asking = Deferred.fromCoroutine(house.delivery.deliver(REQUEST, THIS_HOST))
                asked = [line.removeprefix("GET ").partition("/core/")[0] for line in house.network.asked]
                asking.cancel()
                self.failureResultOf(asking)
                self.doCleanups()
            several.append(len(asked) if how else 0)
            if how:
                self.assertEqual(how, f"from up to {len(asked)} mirrors at once: {', '.join(sorted(asked))}", situation)
            else:
                self.assertEqual(len(asked), 1, situation)
        self.assertEqual(several, [3, 2, 0, 4, 0, 0, 3, 3, 0, 0, 0, 0])

    def get(self, house: House) -> Answer:
        """What this host is answered."""
        answer: Answer = self.successResultOf(Deferred.fromCoroutine(house.delivery.deliver(REQUEST, THIS_HOST)))
        if isinstance(answer, FileAnswer):
            answer.held.file.close()
        elif isinstance(answer, StreamAnswer) and answer.reader is not None:
            answer.reader.close()
        return answer

    def went(self, answer: Answer, who: str) -> tuple[str, Delivery]:
        """Where a request went, and how."""
        if isinstance(answer, FileAnswer):
            return answer.origin, Delivery.FILE
        if isinstance(answer, RedirectAnswer):
            return answer.origin, Delivery.REDIRECT
        assert isinstance(answer, StreamAnswer)
        if answer.origin.startswith("downloaded"):
            return "download", Delivery.DOWNLOAD
        giver = source_text(answer.file.shares)
        if answer.origin == "relayed":
            return giver, Delivery.RELAY
        # Downloads name the server, and `why` the Server line.
        return who if who.startswith(giver) else giver, Delivery.SEND_THROUGH
