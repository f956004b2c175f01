"""The composition root: every class is wired here and nowhere else."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pacserve import __version__
from pacserve.app.advising import Advice, Examine
from pacserve.app.apt import AptServing, AptSurroundings
from pacserve.app.apt_files import AptFiles, Here, Means, with_archives
from pacserve.app.catalogues import Catalogues, ChosenUpstreams
from pacserve.app.fetching import Fetching, Surroundings, take
from pacserve.app.mirroring import Mirroring
from pacserve.app.naming import own_names
from pacserve.app.notify import ServiceNotifier
from pacserve.app.peering import Peering, Time
from pacserve.app.ports import Ports
from pacserve.app.reporting import Parts
from pacserve.app.routes import Fronts, routes
from pacserve.app.telling import Telling
from pacserve.app.threads import Threads
from pacserve.apt.catalogue import ContentCatalogue
from pacserve.cache.packages import CachedPackages
from pacserve.cache.shared import SharedPackages
from pacserve.claims.claiming import LocalKeeper
from pacserve.complaints import Complaints
from pacserve.config.settings import Settings
from pacserve.delivery.delivering import Deliverer, Policy, Sources
from pacserve.errors import ConfigurationError, StartError
from pacserve.fetch.proxy import Proxies
from pacserve.fetch.rate import Limits, TokenBucket
from pacserve.fronts.downloads import ClaimFront, FetchFront
from pacserve.fronts.peer import InfoFront, PackageFront
from pacserve.indexes.signatures import SignatureSource
from pacserve.lateness import Lateness
from pacserve.metrics.errors import ErrorCounts
from pacserve.mirrors.folders import RepositoryFolders
from pacserve.network.addresses import IPAddress
from pacserve.network.machine import Machine
from pacserve.network.names import told_name
from pacserve.packages.children import ChildRunner
from pacserve.pacman.databases import Databases
from pacserve.pacman.front import PacmanFront
from pacserve.pacman.kept_tables import KeptTables
from pacserve.pacman.pacman_conf import PacmanConf
from pacserve.pacman.privacy import PrivateRepositories
from pacserve.pacman.servers import Servers
from pacserve.peers.peer import Myself
from pacserve.report.ledger import Ledger
from pacserve.resolver.resolver import Resolver
from pacserve.web.access_log import AccessLog
from pacserve.web.admission import AccessRules, ClientAdmission, PeerAdmission, ranked
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.hosts import Hosts
from pacserve.web.router import Router
from pacserve.web.server.connections import Connections, affordable
from pacserve.web.server.site import Site

# Seconds that running transfers get to end.  Service managers kill after 90 s, people wait less, and pacman waits 10 s for the next daemon.
GRACE = 5.0
# Seconds after that in which a request gets its answer: together they are the longest that `FileDelivery.deliver` takes.
LAST_ANSWERS = 3.0
# Seconds for the last responses to leave this process.
FAREWELL = 1.0

# Open files below which a warning is given: some 100 clients at a time, each with a connection and a file, and what peers and mirrors need.
FEWEST_OPEN_FILES = 512


@dataclass(frozen=True, slots=True)
class Process:
    """
    The process that a daemon runs in.

    Attributes:
        write: Takes the lines of the access log.
        wall: Gives the seconds since the epoch; the reactor's own clock may be another one.
        environment: The environment, for proxies and the service manager.
        open_files: How many files the process may have open.
        inherited: Listening sockets from the service manager.
        examine: Returns what is wrong with the host; blocks.
    """

    write: Callable[[str], object]
    wall: Callable[[], float]
    environment: Mapping[str, str]
    open_files: int
    inherited: Sequence[int]
    examine: Examine


class Daemon:
    """
    The whole daemon: built by the constructor, which does no I/O, and running from `start` to `stop`.

    Args:
        reactor: Time, network, child processes and threads.

    Attributes:
        stopping: True if `stop` has been called.
    """

    _log = Logger()

    def __init__(self, reactor: Any, settings: Settings, process: Process) -> None:
        wall = process.wall
        self.stopping = False
        self._reactor, self._settings = reactor, settings
        self._open_files = process.open_files
        self._notifier = ServiceNotifier(process.environment.get("NOTIFY_SOCKET"))
        self._threads = threads = Threads(reactor)
        instance = secrets.token_hex(16)
        machine_name = socket.gethostname()
        told = told_name(machine_name) if settings.host_name is None else settings.host_name
        machine, myself = Machine(reactor), Myself(instance, self._architectures, told, settings.apt)
        ranking = ranked(machine, settings.clients)

        self._lateness = lateness = Lateness(reactor)
        run = ChildRunner(reactor)
        self._configuration = PacmanConf(settings.pacman_conf, run, threads.read_configuration, reactor, required=settings.pacman_required)
        self._databases = Databases(self._configuration, KeptTables(f"{settings.state}/databases"), run, reactor, lateness)
        names = own_names() | frozenset(settings.names)
        servers = Servers(self._configuration, machine, names, settings.port)
        self._private = private = PrivateRepositories(self._configuration, servers, settings.private)
        catalogue = Catalogues(self._databases, content := ContentCatalogue())
        self._caches = caches = CachedPackages(self._cache_dirs, catalogue, threads.run, reactor, wall, private.names)
        means = Means(run, threads.run, reactor, wall, lateness)
        apt_files = AptFiles(settings, Here(machine, names, settings.apt_port), means) if settings.apt else None
        packages = with_archives(caches, apt_files)
        shared = SharedPackages(packages, private.names, catalogue)

        self._peering = peering = Peering(settings, myself, machine, packages, Time(reactor, lateness))
        self._proxies = Proxies(process.environment)
        folders = RepositoryFolders(servers, threads.read_repository, reactor)
        mirroring = Mirroring(settings, servers, self._proxies, machine, instance, reactor)
        lan_rate = TokenBucket(settings.lan_limit)
        limits = Limits(partial(take, TokenBucket(settings.wan_limit), reactor), partial(take, lan_rate, reactor))
        upstreams = ChosenUpstreams(mirroring.repositories, mirroring.upstreams)
        around = Surroundings(upstreams, catalogue, peering.claiming, limits, self._pacman_cache_dirs, threads.run, reactor, wall, lateness)
        self._fetching = fetching = Fetching(settings, around)
        errors = ErrorCounts()
        delivery = Deliverer(
            Sources(
                local=[SignatureSource(self._databases, wall), caches],
                others=[folders, peering.source, *fetching.sources, mirroring.source],
                mirrors=mirroring.source,
                catalogue=self._databases,
                private=private.names,
            ),
            machine,
            Resolver(reactor, errors.noted),
            fetching.streaming,
            Policy(settings.misses, settings.hits, peering.source.has_usable, self._downloads),
            reactor,
        )
        around_apt = (
            None
            if apt_files is None
            else AptSurroundings(
                settings=settings,
                catalogue=content,
                mirrors=mirroring.repositories,
                fetching=fetching,
                limit=limits.wan,
                caches=caches,
                peers=peering.source,
                has_spool=self._downloads,
                files=apt_files,
                wall=wall,
                machine=machine,
            )
        )
        self._apt = None if around_apt is None else AptServing(around_apt, instance, reactor, process.environment)
        rules = AccessRules(
            clients=ClientAdmission(machine, settings.clients),
            peers=PeerAdmission(machine, settings.peers, peering.source.is_peer),
            hosts=Hosts(machine, names),
        )
        self._access_log = AccessLog(process.write, reactor, wall=wall, ranking=ranking, debug=settings.log_level == "debug")
        logs = (self._access_log,) if settings.log_level in ("debug", "info") else ()
        parts = Parts(
            settings=settings,
            name=settings.host_name or machine_name,
            instance=instance,
            configuration=self._configuration,
            databases=self._databases,
            caches=caches,
            peers=peering.roster,
            holdings=peering.holdings,
            stated=peering.stated,
            servers=servers,
            folders=folders,
            health=mirroring.health,
            upstreams=mirroring.upstreams,
            claims=peering.claims,
            ledger=Ledger(wall, machine, wall()),
            fetching=fetching,
            heard_at=peering.heard,
            left_out=peering.left_out,
            in_thread=threads.run,
            clock=reactor,
            wall=wall,
            ranking=ranking,
            apt=None if self._apt is None else self._apt.knowledge,
        )
        self._telling = Telling(parts, delivery, errors, Advice(process.examine, threads.check, self._configuration.current, reactor))
        fronts = Fronts(
            pacman=PacmanFront(self._configuration, delivery),
            package=PackageFront(shared),
            info=InfoFront(shared, myself, threads.run, lambda: self.stopping),
            claim=ClaimFront(LocalKeeper(peering.claims, reactor)),
            fetch=FetchFront(fetching.packages, shared, catalogue, self._public) if fetching.wanted else None,
            report=self._telling.fronts,
        )
        pacing = _pacing_of(settings.lan_limit, machine, Pacing(partial(take, lan_rate, reactor), reactor))
        router = partial(Router, rules=rules, clock=reactor, witnesses=(*logs, *self._telling.witnesses), wall=wall, pacing=pacing)
        self._router = router(routes(fronts))
        self._connections = Connections(reactor, most=affordable(process.open_files), ranking=ranking)
        self._ports = Ports(reactor, settings, process.inherited, Site(self._router, reactor, connections=self._connections), self._apt)
        if self._apt is not None:
            self._apt.serve(router([self._apt.route]), self._connections)

    async def start(self) -> None:
        """
        Reads pacman.conf, where this host has one, and answers requests from then on.

        Raises:
            ConfigurationError: pacman.conf is there, or was named by the user, and can't be read; or the options demand a spool that can't be used.
            StartError: The port can't be had, or the file system of pacman.conf does not answer.
        """
        self._threads.start()
        await self._configuration.load()
        await self._ports.open()  # before the spool is touched: a port may be in use
        if self._open_files < FEWEST_OPEN_FILES:
            self._log.warn(
                "only {count} files may be open at a time, and {wanted} are wanted: raise LimitNOFILE= of the service, or ulimit -n",
                count=self._open_files,
                wanted=FEWEST_OPEN_FILES,
            )
        for complaint in filter(None, (*self._proxies.complaints, self._ports.unused)):
            self._log.warn("{complaint}", complaint=complaint)
        try:
            self._fetching.start()
            self._in_background(self._telling.start(), "reading the history")
            self._peering.start(self._ports.number)
        except (ConfigurationError, StartError):
            await self._ports.close(accepting=False)
            self._fetching.stop()  # or the next start would take this one for a crash
            raise
        self._ports.take()
        if self._apt is not None:
            self._apt.start()
        self._lateness.start()
        self._in_background(self._prepare(), "preparing for the first requests")
        self._log.info("pacserve {version} listens on {where}; status page: {page}", version=__version__, where=self._ports, page=self._ports.page)
        self._notifier.ready(f"Listening on {self._ports}")

    async def _prepare(self) -> None:
        """Reads what the first requests would wait for, and finds out what is wrong with the caches and this host."""
        await self._databases.refresh_all()
        await self._caches.inventory()
        await self._fetching.verify()
        await self._telling.advise()

    async def stop(self) -> None:
        """
        Gives running transfers `GRACE` seconds, in which requests are answered as before but nothing new is downloaded, and lets go of everything.

        The port is closed last.  Whatever was accepted is answered; connections of a socket that the service manager has wait there for the next
        daemon.
        """
        self.stopping = True
        self._notifier.stopping()
        if self._apt is not None:
            self._apt.retire()
        self._peering.stop()
        self._lateness.stop()
        self._telling.retire()
        self._configuration.stop()
        self._connections.retire()
        await self._in_time(self._connections.gone(), GRACE)
        await self._ports.close(accepting=True)
        if not await self._in_time(self._connections.gone(), FAREWELL):
            await self._in_time(self._answered(), LAST_ANSWERS)
        running = self._router.running + (0 if self._apt is None else self._apt.running)
        if running:
            self._log.info("{count} transfers were cut", count=running)
        self._fetching.stop()  # not before: a signature may still have to be fetched
        # Connections are aborted in the next turn: without it, a client that knows no chunks would take a file that was cut off for the whole.
        await deferLater(self._reactor, 0)
        await self._in_time(self._telling.stop(), FAREWELL)
        # Nothing is aborted: the kernel may still have megabytes to send, and goes on to do so after this process has ended.
        self._access_log.flush()
        self._databases.close()

    async def _answered(self) -> None:
        """Returns when no client waits for an answer."""
        await self._router.answered()
        if self._apt is not None:
            await self._apt.answered()

    def reload(self) -> None:
        """Reads pacman.conf again now; a wrong one is logged, and the last good one stays."""
        self._notifier.reloading(self._reactor.seconds())
        self._in_background(self._reload(), "reading pacman.conf")

    async def _reload(self) -> None:
        if await self._configuration.reload() and not self._configuration.current().missing:
            self._log.info("pacman.conf was read again")
        self._notifier.ready(f"Listening on {self._ports}")

    def _downloads(self) -> bool:
        """Returns whether something new may be downloaded now."""
        return not self.stopping and self._fetching.usable()

    def _architectures(self) -> Sequence[str]:
        return self._configuration.current().architectures

    def _public(self, repo: str) -> bool:
        return repo in self._configuration.current().repositories and repo not in self._private.names()

    def _pacman_cache_dirs(self) -> Sequence[str]:
        return self._settings.cache_dirs or self._configuration.current().cache_dirs

    def _cache_dirs(self) -> Sequence[str]:
        folders = tuple(self._pacman_cache_dirs())
        return (*folders, *(folder for folder in self._fetching.folders if folder not in folders))

    async def _in_time(self, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """Returns whether something that is waited for happened in this time."""
        try:
            await Deferred.fromCoroutine(work).addTimeout(seconds, self._reactor)
        except (CancelledError, DeferredTimeoutError):
            return False
        return True

    def _in_background(self, work: Coroutine[Any, Any, None], doing: str) -> None:
        Complaints(self._log).hear(Deferred.fromCoroutine(work), doing)


def _pacing_of(limit: int | None, machine: Machine, pacing: Pacing) -> Callable[[IPAddress], Pacing | None]:
    """Returns a function that gives the limit of speed for a client; this host has none."""
    return lambda client: None if limit is None or machine.owns(client) else pacing
