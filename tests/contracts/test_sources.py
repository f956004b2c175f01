"""Every source of files keeps the contract of `tests.contracts.sources`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeVar

from twisted.internet.defer import maybeDeferred

from pacserve.cache.packages import CachedPackages
from pacserve.fetch.stream import StreamingClient
from pacserve.mirrors.folders import RepositoryFolders
from pacserve.mirrors.health import Absences, MirrorHealth
from pacserve.mirrors.inquiry import Inquiry
from pacserve.mirrors.mirrors import Mirrors
from pacserve.network.addresses import Endpoint
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, Repository
from pacserve.pacman.servers import Servers
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Announced, PeerState, named
from pacserve.peers.roster import Roster
from pacserve.peers.source import Neighbourhood, PeerSource
from pacserve.sources.candidates import PackageSource
from tests.contracts import sources
from tests.contracts.sources import DATABASES, NAME, SIZE
from tests.fakes.interfaces import Addresses, Databases, NoUpstream
from tests.fakes.network import Line, Page

T = TypeVar("T")
FILES = {NAME: SIZE, NAME + ".sig": SIZE, **{request.name: SIZE for request in DATABASES}}


def at_once(work: Callable[[], T]) -> Awaitable[T]:
    """Runs what would run in a thread."""
    return maybeDeferred(work)


class CacheTests(sources.SourceContract):
    """The local caches."""

    def source(self) -> PackageSource:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        for name, size in FILES.items():
            (self.folder / name).write_bytes(bytes(size))
        later = self.folder.stat().st_ctime + 60
        return CachedPackages(lambda: [str(self.folder)], Databases(), at_once, self.clock, lambda: later)

    def take_away(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()


class FolderTests(sources.SourceContract):
    """A folder of this host that stands before a mirror."""

    has_databases = True

    def source(self) -> PackageSource:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        for name, size in FILES.items():
            (self.folder / name).write_bytes(bytes(size))
        servers = Servers(OneFolder(self.folder), Addresses(), (), 15678)
        return RepositoryFolders(servers, at_once, self.clock)

    def take_away(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()


class KnownPeerTests(sources.RemoteSourceContract):
    """
    A peer whose inventory is known; it lists databases, which no honest one does.

    Attributes:
        count: How many there are of it.
        instance: What it announced, None when the user named it.
    """

    state = PeerState.KNOWN
    count = 1
    instance: str | None = None

    def source(self) -> PackageSource:
        self.become(Page(bytes(SIZE)))
        holdings = Holdings()
        peers = Roster()
        for peer in self.endpoints():
            added = peers.add(partial(named, endpoint=peer))
            added.observed.state, slot = self.state, added.slot
            added.announced = None if self.instance is None else Announced(self.instance)
            if self.state is PeerState.KNOWN:
                holdings.replace(slot, FILES)
        return PeerSource(
            peers, holdings, StreamingClient(self.network, self.clock), Neighbourhood(Addresses(), lambda *_: None, Random(1)), self.clock
        )

    def take_away(self) -> None:
        self.become(Page(status=404))

    def become(self, host: Page | Line) -> None:
        self.network.hosts = {str(peer): host for peer in self.endpoints()}

    def endpoints(self) -> list[Endpoint]:
        """Where the peers listen."""
        return [Endpoint(f"10.0.0.{3 + number}", 15678) for number in range(self.count)]


class ManyKnownPeersTests(KnownPeerTests):
    """More holders than one request asks, so that others are left for the check of a miss."""

    count = 5
    instance = "1" * 32


class UnknownPeersTests(KnownPeerTests):
    """A peer whose inventory is not known."""

    state = PeerState.UNKNOWN


class DiscoveredUnknownPeersTests(UnknownPeersTests):
    """Peers that announced themselves, and whose inventories are not known."""

    count = 40
    instance = "1" * 32


class TwoMirrors(ConfigurationSource):
    """A pacman.conf with two mirrors."""

    def current(self) -> PacmanConfiguration:
        servers = ("http://one.example/core", "http://two.example/core")
        return PacmanConfiguration(("x86_64",), (), "/nowhere", {"core": Repository("core", servers)})


class OneFolder(ConfigurationSource):
    """A pacman.conf with a folder of this host before a mirror."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self) -> PacmanConfiguration:
        servers = (f"file://{self._folder}", "http://one.example/core")
        return PacmanConfiguration(("x86_64",), (), "/nowhere", {"core": Repository("core", servers)})


class MirrorTests(sources.RemoteSourceContract):
    """The mirrors; one that says neither yes nor no is where pacman is sent."""

    has_databases = True
    undecided = ()

    def source(self) -> PackageSource:
        self.become(Page(bytes(SIZE)))
        client = StreamingClient(self.network, self.clock)
        inquiry = Inquiry(client, client, self.clock)
        servers = Servers(TwoMirrors(), Addresses(), (), 15678)
        return Mirrors(servers, inquiry, MirrorHealth(), Absences(), lambda _: NoUpstream(), self.clock)

    def take_away(self) -> None:
        self.become(Page(status=404))

    def become(self, host: Page | Line) -> None:
        self.network.hosts = {"one.example": host, "two.example": host}
