"""The parts of the daemon that `--apt` adds, wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IListeningPort

from pacserve.app.apt_files import AptFiles
from pacserve.app.apt_hosts import AptHosts
from pacserve.app.apt_knowledge import AptKnowledge
from pacserve.app.apt_notice import AptNotice
from pacserve.app.fetching import Fetching
from pacserve.app.listening import close, listen_for_apt, listen_on_loopback
from pacserve.app.naming import shown
from pacserve.app.routes import apt_route
from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content_delivery import ContentDelivery
from pacserve.apt.front import AptFront, AptRules
from pacserve.apt.kept_releases import KeptReleases
from pacserve.apt.passed_lists import PassedLists
from pacserve.apt.passing_on import PassingOn
from pacserve.apt.release_fetching import ReleaseFetching
from pacserve.apt.snapshots import Snapshots, Time
from pacserve.cache.packages import CachedPackages
from pacserve.config.settings import Settings
from pacserve.delivery.delivering import Deliverer, MirrorKnowledge, Policy, Sources
from pacserve.delivery.table import Hits, Misses
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.network.addresses import LocalAddresses
from pacserve.packages.files import FileRequest
from pacserve.peers.source import PeerSource
from pacserve.resolver.resolver import Resolver
from pacserve.sources.candidates import Rank
from pacserve.transfer.source import DownloadSource
from pacserve.web.router import Router
from pacserve.web.routes import Route
from pacserve.web.server.connections import Connections
from pacserve.web.server.site import Site


@dataclass(frozen=True, slots=True)
class AptSurroundings:
    """
    The parts of the daemon that the front for apt needs.

    Attributes:
        limit: Returns the seconds until more than so many bytes may come from mirrors.
        caches: Where files are looked for on this host.
        peers: Where files of peers are found.
        has_spool: Says whether downloads can be kept now.
        files: What apt of this host knows and keeps.
        wall: Gives the seconds since the epoch.
        machine: Knows the addresses of this host.
    """

    settings: Settings
    catalogue: ContentCatalogue
    mirrors: RepositoryUpstreams
    fetching: Fetching
    limit: Callable[[int], float]
    caches: CachedPackages
    peers: PeerSource
    has_spool: Callable[[], bool]
    files: AptFiles
    wall: Callable[[], float]
    machine: LocalAddresses


class NoMirrors(MirrorKnowledge):
    """apt names the mirror of each file, and its lists state the size: nothing else is to be known of mirrors."""

    async def stated_size(self, request: FileRequest, deadline: float) -> int | None:
        return None

    def all_failed(self, request: FileRequest) -> bool:
        return False


class AptServing:
    """
    Answers apt, on a port of its own.

    Attributes:
        delivery: Finds files that are shared by content.
        front: Answers apt.
        knowledge: The parts that reports are made from.
    """

    def __init__(self, around: AptSurroundings, instance: str, reactor: Any, environment: Mapping[str, str]) -> None:
        self._around = around
        self._served: tuple[Router, Connections] | None = None
        self._reactor = reactor
        notice = AptNotice(environment.get("RUNTIME_DIRECTORY"))
        self._hosts = AptHosts(around.files.lists, notice, f"http://127.0.0.1:{around.settings.apt_port}", reactor)
        self._ports: list[IListeningPort] = []
        fetching = around.fetching
        downloads = DownloadSource(fetching.downloads, around.mirrors, around.catalogue, reactor, Rank.RUNNING)
        self.delivery = Deliverer(
            Sources(
                local=[around.caches, around.files.source],
                others=[around.peers, downloads],
                mirrors=NoMirrors(),
                catalogue=around.catalogue,
            ),
            around.machine,
            Resolver(reactor),
            fetching.streaming,
            Policy(Misses.FETCH, Hits.RELAY, around.peers.has_usable, around.has_spool),
            reactor,
        )
        passing = PassingOn(around.mirrors, around.limit)
        content = ContentDelivery(self.delivery, around.catalogue, around.mirrors, passing, fetching.streaming.is_far_ahead, reactor)
        rules = AptRules(around.files.is_here, around.machine.owns, instance, around.settings.apt_diffs)
        time = Time(reactor, around.wall)
        fetching_releases = ReleaseFetching(around.mirrors, reactor, around.wall)
        self._kept = KeptReleases(f"{around.settings.state}/apt/releases")
        releases = Snapshots(self._kept, fetching_releases, content.hold, around.machine.owns, time)
        passed = PassedLists(around.files.passed, content.hold, lambda name: around.caches.open(name, None), around.files.in_thread)
        self.front = AptFront(around.files.lists, releases, content, passing, passed, rules)
        self.knowledge = AptKnowledge(
            port=around.settings.apt_port,
            diffs=around.settings.apt_diffs,
            front=self.front,
            content=content,
            delivery=self.delivery,
            lists=around.files.lists,
            releases=lambda: len(self._kept),
            archives=lambda: len(around.files.archives.files()),
            is_here=around.files.is_here,
            run=around.files.run,
        )

    @property
    def route(self) -> Route:
        """Everything that the port answers."""
        return apt_route(self.front, self._around.settings.apt_port)

    @property
    def running(self) -> int:
        """Requests that have not ended yet."""
        return 0 if self._served is None else self._served[0].running

    async def answered(self) -> None:
        """Returns when no client waits for the front to answer."""
        if self._served is not None:
            await self._served[0].answered()

    def serve(self, router: Router, connections: Connections) -> None:
        """Takes what answers requests on the port, and the registry of the connections of all ports."""
        self._served = router, connections

    def open(self) -> None:
        """
        Opens the port, and takes in what an earlier daemon has left.

        Raises:
            StartError: The port can't be had.
        """
        if self._served is None:
            return
        settings, (router, connections) = self._around.settings, self._served
        site = Site(router, self._reactor, connections=connections)
        self._ports = listen_for_apt(self._reactor, site, settings.bind, settings.apt_port, clients=bool(settings.clients))
        self._ports += listen_on_loopback(self._reactor, site, self._ports)
        for port in self._ports:
            site.take(port)
        self._kept.load()
        self._around.fetching.trimming.consult(self._around.files.archives.kept)

    def start(self) -> None:
        """Reads what apt of this host knows and keeps, and tells its configuration of the port."""
        self._around.files.start()
        self._hosts.start()

    def retire(self) -> None:
        """Has apt ask the mirrors from now on."""
        self._hosts.stop()

    async def close(self, *, accepting: bool) -> None:
        """
        Listens no more.

        Args:
            accepting: True to accept what waits in the sockets.
        """
        ports, self._ports = self._ports, []
        self._around.files.stop()
        await close(ports, accepting=accepting)

    def shown_ports(self) -> str:
        """Returns where apt is answered, for the log."""
        return ", ".join(map(shown, self._ports))
