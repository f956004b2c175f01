"""The parts of the daemon that `--apt` adds, wired together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IListeningPort

from pacserve.app.apt_notice import AptNotice
from pacserve.app.fetching import Fetching
from pacserve.app.listening import close, listen_for_apt, listen_on_loopback
from pacserve.app.naming import shown
from pacserve.app.routes import apt_route
from pacserve.apt.bases import Bases
from pacserve.apt.catalogue import ContentCatalogue
from pacserve.apt.content import StatedFile
from pacserve.apt.content_delivery import ContentDelivery
from pacserve.apt.front import AptFront, AptRules
from pacserve.apt.kept_releases import KeptReleases
from pacserve.apt.knowledge import Lists
from pacserve.apt.passing_on import PassingOn
from pacserve.apt.release_fetching import ReleaseFetching
from pacserve.apt.snapshots import Snapshots, Time
from pacserve.apt.targets import Target, target_of
from pacserve.config.settings import Settings
from pacserve.delivery.delivering import Deliverer, MirrorKnowledge, Policy, Sources
from pacserve.delivery.table import Hits, Misses
from pacserve.fetch.urls import is_localhost, literal_address, parse_url
from pacserve.mirrors.repositories import RepositoryUpstreams
from pacserve.network.addresses import LocalAddresses
from pacserve.packages.children import Run
from pacserve.packages.files import FileRequest
from pacserve.peers.source import PeerSource
from pacserve.resolver.resolver import Resolver
from pacserve.sources.candidates import PackageSource
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
        run: Runs apt's own programs.
        wall: Gives the seconds since the epoch.
        machine: Knows the addresses of this host.
        names: Those of this host.
    """

    settings: Settings
    catalogue: ContentCatalogue
    mirrors: RepositoryUpstreams
    fetching: Fetching
    limit: Callable[[int], float]
    caches: PackageSource
    peers: PeerSource
    has_spool: Callable[[], bool]
    run: Run
    wall: Callable[[], float]
    machine: LocalAddresses
    names: frozenset[str]
    instance: str


class NamedBases(Lists):
    """
    Knows the bases that the user names, and nothing of their files.

    Args:
        urls: Those of the repositories.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._bases = Bases(tuple(filter(None, map(target_of, urls))))

    def bases(self) -> Bases:
        return self._bases

    async def refresh(self) -> None:
        return

    async def refresh_bases(self) -> None:
        return

    def find(self, target: Target) -> StatedFile | None:
        return None

    def stated(self, sha256: bytes) -> StatedFile | None:
        return None


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
    """

    def __init__(self, around: AptSurroundings, reactor: Any, environment: Mapping[str, str]) -> None:
        self._around = around
        self._served: tuple[Router, Connections] | None = None
        self._reactor = reactor
        self._notice = AptNotice(environment.get("RUNTIME_DIRECTORY"))
        self._ports: list[IListeningPort] = []
        fetching = around.fetching
        self.delivery = Deliverer(
            Sources(local=[around.caches], others=[around.peers, fetching.packages], mirrors=NoMirrors(), catalogue=around.catalogue),
            around.machine,
            Resolver(reactor),
            fetching.streaming,
            Policy(Misses.FETCH, Hits.RELAY, around.peers.has_usable, around.has_spool),
            reactor,
        )
        passing = PassingOn(around.mirrors, around.limit)
        content = ContentDelivery(self.delivery, around.catalogue, around.mirrors, passing, fetching.streaming.is_far_ahead, reactor)
        rules = AptRules(self._is_here, around.instance, around.settings.apt_diffs)
        time = Time(reactor, around.wall)
        fetching_releases = ReleaseFetching(around.mirrors, reactor, around.wall)
        self._kept = KeptReleases(f"{around.settings.state}/apt/releases")
        releases = Snapshots(self._kept, fetching_releases, content.hold, around.machine.owns, time)
        lists = NamedBases(around.settings.apt_mirrors)
        self.front = AptFront(lists, releases, content, passing, rules)

    @property
    def route(self) -> Route:
        """Everything that the port answers."""
        return apt_route(self.front, self._around.settings.apt_port)

    @property
    def running(self) -> int:
        """Requests that have not ended yet."""
        return 0 if self._served is None else self._served[0].running

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

    def start(self) -> None:
        """Tells apt's configuration of the port."""
        self._notice.publish(f"http://127.0.0.1:{self._around.settings.apt_port}")

    def retire(self) -> None:
        """Has apt ask the mirrors from now on."""
        self._notice.withdraw()

    async def close(self, *, accepting: bool) -> None:
        """
        Listens no more.

        Args:
            accepting: True to accept what waits in the sockets.
        """
        ports, self._ports = self._ports, []
        await close(ports, accepting=accepting)

    def shown_ports(self) -> str:
        """Returns where apt is answered, for the log."""
        return ", ".join(map(shown, self._ports))

    def _is_here(self, authority: str) -> bool:
        try:
            url = parse_url(f"http://{authority}/")
        except ValueError:
            return False
        if url.port != self._around.settings.apt_port:
            return False
        address = literal_address(url.host)
        if address is None:
            return is_localhost(url.host) or url.host in self._around.names
        return address.is_loopback or address.is_unspecified or self._around.machine.owns(address)


def apt_serving(around: AptSurroundings, reactor: Any, environment: Mapping[str, str]) -> AptServing | None:
    """Returns what answers apt; None where that is not wanted."""
    return AptServing(around, reactor, environment) if around.settings.apt else None
