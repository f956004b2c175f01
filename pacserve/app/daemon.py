"""The composition root: every class is wired here and nowhere else."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from random import SystemRandom
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from pacserve import __version__
from pacserve.app.fetching import Fetching, Surroundings, take
from pacserve.app.lan import LAN, LocalMachine
from pacserve.app.listening import listen
from pacserve.app.mirroring import USER_AGENT, mirrors_of, read_of
from pacserve.app.notify import ServiceNotifier
from pacserve.app.reporting import Parts
from pacserve.app.routes import Fronts, routes
from pacserve.app.telling import Telling
from pacserve.cache.packages import CachedPackages
from pacserve.claims.claiming import LocalKeeper, PeerClaiming
from pacserve.claims.claims import Claims
from pacserve.config.settings import Settings
from pacserve.delivery.delivering import Deliverer, Policy, Sources
from pacserve.errors import StartError
from pacserve.fetch.agents import peer_agent
from pacserve.fetch.hosts import resolve_host
from pacserve.fetch.proxy import Proxies
from pacserve.fetch.rate import Limits, TokenBucket
from pacserve.fetch.stream import StreamingClient
from pacserve.fronts.downloads import ClaimFront, FetchFront
from pacserve.fronts.peer import InfoFront, PackageFront
from pacserve.metrics.errors import ErrorCounts
from pacserve.mirrors.health import MirrorHealth
from pacserve.network.addresses import Endpoint, IPAddress
from pacserve.network.machine import Machine
from pacserve.packages.children import ChildRunner
from pacserve.pacman.databases import Databases
from pacserve.pacman.front import PacmanFront
from pacserve.pacman.pacman_conf import PacmanConf
from pacserve.pacman.servers import Servers
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Myself, named
from pacserve.peers.roster import Roster
from pacserve.peers.source import PeerSource
from pacserve.peers.watch import Offload, PeerWatch
from pacserve.report.ledger import Ledger
from pacserve.resolver.resolver import Resolver
from pacserve.web.access_log import AccessLog
from pacserve.web.admission import AccessRules, ClientAdmission, PeerAdmission
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.hosts import Hosts
from pacserve.web.router import Router
from pacserve.web.server.connections import Connections, affordable
from pacserve.web.server.site import Site

T = TypeVar("T")

# Seconds that running transfers get to end.  Service managers kill after 90 s, and people wait less.
GRACE = 5.0
# Seconds for the last responses to leave this process.
FAREWELL = 1.0

# Threads for reading folders and inventories.  The reactor's own may all hang in name lookups when the way out of the LAN is broken, which is just
# when peers matter most.
THREADS = 2


class Daemon:
    """
    The whole daemon: built by the constructor, which does no I/O, and running from `start` to `stop`.

    Args:
        reactor: Time, network, child processes and threads.
        write: Takes the lines of the access log.
        wall: Gives the seconds since the epoch; the reactor's own clock may be another one.
        environment: The process environment, for proxies and the service manager.
        open_files: How many files the process may have open.
        inherited: Listening sockets from the service manager.

    Attributes:
        stopping: True if `stop` has been called.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        *,
        write: Callable[[str], object],
        wall: Callable[[], float],
        environment: Mapping[str, str],
        open_files: int,
        inherited: Sequence[int],
    ) -> None:
        self.stopping = False
        self._reactor = reactor
        self._settings = settings
        self._inherited = inherited
        self._ports: list[IListeningPort] = []
        self._notifier = ServiceNotifier(environment.get("NOTIFY_SOCKET"))
        self._threads = ThreadPool(minthreads=0, maxthreads=THREADS, name="folders and inventories")
        instance = secrets.token_hex(16)
        machine, myself = Machine(reactor), Myself(instance, self._architectures)

        run = ChildRunner(reactor)
        self._configuration = PacmanConf(settings.pacman_conf, run, reactor, required=settings.pacman_required)
        self._databases = Databases(self._configuration, run, reactor)
        self._caches = caches = CachedPackages(self._cache_dirs, self._databases, self._in_thread, reactor, wall)

        asking_peers = StreamingClient(peer_agent(reactor, read_of(settings.lan_limit)), reactor, {"User-Agent": USER_AGENT})
        peers = Roster()
        for endpoint in settings.pacservers:
            peers.add(partial(named, endpoint=endpoint))
        holdings = Holdings()
        self._watch = PeerWatch(
            peers,
            holdings,
            asking_peers,
            myself,
            Offload(lambda name: resolve_host(reactor, reactor, name), self._in_thread),
            reactor,
        )
        random = SystemRandom()
        others = PeerSource(peers, holdings, asking_peers, machine, self._watch.suspect, reactor, random=random)
        self._lan: LAN | None = None
        if settings.multicast:
            self._lan = LAN(settings, peers, self._watch, caches, myself, LocalMachine(machine, random, reactor))

        self._proxies = Proxies(environment)
        names = _own_names() | frozenset(settings.names)
        servers, health = Servers(self._configuration, machine, names, settings.port), MirrorHealth()
        mirrors, upstreams = mirrors_of(settings, servers, health, self._proxies, machine, instance, reactor)
        lan_rate = TokenBucket(settings.lan_limit)
        table = Claims(peers.reputations)
        claiming = PeerClaiming(peers, table, asking_peers, reactor, instance)
        limits = Limits(partial(take, TokenBucket(settings.wan_limit), reactor), partial(take, lan_rate, reactor))
        around = Surroundings(upstreams, self._databases, claiming, limits, self._pacman_cache_dirs, self._in_thread, reactor, wall)
        self._fetching = fetching = Fetching(settings, around)
        errors = ErrorCounts()
        delivery = Deliverer(
            Sources(caches, [others, *fetching.sources, mirrors], mirrors, self._databases),
            machine,
            Resolver(reactor, errors.noted),
            fetching.streaming,
            Policy(settings.misses, settings.hits, others.has_usable, fetching.usable),
            reactor,
        )
        rules = AccessRules(
            clients=ClientAdmission(machine, settings.clients),
            peers=PeerAdmission(machine, settings.peers, others.is_peer),
            hosts=Hosts(machine, names),
        )
        self._access_log = AccessLog(write, reactor, wall=wall, debug=settings.log_level == "debug")
        logs = (self._access_log,) if settings.log_level in ("debug", "info") else ()
        parts = Parts(
            settings=settings,
            name=socket.gethostname(),
            instance=instance,
            configuration=self._configuration,
            databases=self._databases,
            caches=caches,
            peers=peers,
            holdings=holdings,
            servers=servers,
            health=health,
            upstreams=upstreams,
            claims=table,
            ledger=Ledger(wall, machine, wall()),
            fetching=fetching,
            heard_at=self._heard,
            left_out=self._left_out,
            in_thread=self._in_thread,
            clock=reactor,
            wall=wall,
        )
        self._telling = Telling(parts, delivery, errors)
        fronts = Fronts(
            pacman=PacmanFront(self._configuration, delivery),
            package=PackageFront(caches),
            info=InfoFront(caches, self._architectures, instance),
            claim=ClaimFront(LocalKeeper(table, reactor)),
            fetch=FetchFront(fetching.packages, caches, self._databases, self._knows) if fetching.wanted else None,
            report=self._telling.fronts,
        )
        self._router = Router(
            routes(fronts),
            rules,
            reactor,
            witnesses=(*logs, *self._telling.witnesses),
            wall=wall,
            pacing=_pacing_of(settings.lan_limit, machine, Pacing(partial(take, lan_rate, reactor), reactor)),
        )
        self._connections = Connections(reactor, most=affordable(open_files))
        self._site = Site(self._router, reactor, connections=self._connections)

    async def start(self) -> None:
        """
        Reads pacman.conf, where this host has one, and answers requests from then on.

        Raises:
            ConfigurationError: pacman.conf is there, or was named by the user, and can't be read.
            StartError: The port can't be had.
        """
        await self._configuration.load()
        self._fetching.start()
        self._threads.start()
        self._reactor.addSystemEventTrigger("during", "shutdown", self._threads.stop)
        self._ports = listen(self._reactor, self._site, self._settings.bind, self._settings.port, self._inherited)
        for complaint in self._proxies.complaints:
            self._log.warn("{complaint}", complaint=complaint)
        self._watch.start()
        self._in_background(self._telling.start())
        if self._lan is not None:
            listening: Any = self._ports[0].getHost()
            try:
                self._lan.start(listening.port)
            except StartError:
                for port in self._ports:
                    await _settled(port.stopListening())
                raise
        self._in_background(self._prepare())
        where = ", ".join(_shown(port) for port in self._ports)
        self._log.info("pacserve {version} listens on {where}", version=__version__, where=where)
        self._notifier.ready(f"Listening on {where}")

    async def _prepare(self) -> None:
        """Reads what the first requests would wait for, and finds out what is wrong with the caches."""
        await self._databases.refresh_all()
        await self._caches.inventory()
        await self._fetching.verify()

    async def stop(self) -> None:
        """Takes no new connections, gives running transfers `GRACE` seconds, and lets go of everything."""
        self.stopping = True
        self._notifier.stopping()
        for port in self._ports:
            await _settled(port.stopListening())
        if self._lan is not None:
            self._lan.stop()
        self._watch.stop()
        self._telling.retire()
        self._configuration.stop()
        self._connections.retire()
        if await self._in_time(self._router.drained(), GRACE):
            await self._in_time(self._connections.gone(), FAREWELL)
        else:
            self._log.info("{count} transfers were cut", count=self._router.running)
        self._fetching.stop()
        # Connections are aborted in the next turn: without it, a client that knows no chunks would take a file that was cut off for the whole.
        await deferLater(self._reactor, 0)
        await self._in_time(self._telling.stop(), FAREWELL)
        # Nothing is aborted: the kernel may still have megabytes to send, and goes on to do so after this process has ended.
        self._access_log.flush()

    def reload(self) -> None:
        """Reads pacman.conf again now; a wrong one is logged, and the last good one stays."""
        self._notifier.reloading(self._reactor.seconds())
        self._in_background(self._reload())

    async def _reload(self) -> None:
        if await self._configuration.reload() and not self._configuration.current().missing:
            self._log.info("pacman.conf was read again")
        self._notifier.ready("Listening on " + ", ".join(_shown(port) for port in self._ports))

    def _left_out(self) -> Sequence[Endpoint]:
        return () if self._lan is None else self._lan.left_out()

    def _heard(self) -> float | None:
        return None if self._lan is None else self._lan.heard()

    def _architectures(self) -> Sequence[str]:
        return self._configuration.current().architectures

    def _knows(self, repo: str) -> bool:
        return repo in self._configuration.current().repositories

    def _pacman_cache_dirs(self) -> Sequence[str]:
        return self._settings.cache_dirs or self._configuration.current().cache_dirs

    def _cache_dirs(self) -> Sequence[str]:
        folders = self._pacman_cache_dirs()
        return tuple(dict.fromkeys((*folders, *self._fetching.folders)))

    def _in_thread(self, work: Callable[[], T]) -> Awaitable[T]:
        return deferToThreadPool(self._reactor, self._threads, work)

    async def _in_time(self, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """Returns whether something that is waited for happened in this time."""
        try:
            await Deferred.fromCoroutine(work).addTimeout(seconds, self._reactor)
        except (CancelledError, DeferredTimeoutError):
            return False
        return True

    def _in_background(self, work: Any) -> None:
        Deferred.fromCoroutine(work).addErrback(lambda failure: self._log.failure("in the background", failure))


def _pacing_of(limit: int | None, machine: Machine, pacing: Pacing) -> Callable[[IPAddress], Pacing | None]:
    """Returns a function that gives the limit of speed for a client; this host has none."""
    return lambda client: None if limit is None or machine.owns(client) else pacing


def _own_names() -> frozenset[str]:
    """Returns the names by which this host knows itself, without asking anyone."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local", f"{short}.localdomain"} - {""})


def _shown(port: IListeningPort) -> str:
    address: Any = port.getHost()
    return str(Endpoint(address.host, address.port))


async def _settled(result: Any) -> None:
    if isinstance(result, Deferred):
        await result
