"""Gathers what people are told."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pacserve import __version__
from pacserve.app.apt_knowledge import AptKnowledge, apt_status
from pacserve.app.fetching import Fetching
from pacserve.cache.packages import CachedPackages
from pacserve.claims.claims import Claims
from pacserve.config.settings import Settings
from pacserve.mirrors.folders import RepositoryFolders
from pacserve.mirrors.health import MirrorHealth
from pacserve.mirrors.upstreams import MirrorUpstreams
from pacserve.network.addresses import Endpoint
from pacserve.pacman.configuration import ConfigurationSource
from pacserve.pacman.databases import Databases
from pacserve.pacman.servers import Servers
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer
from pacserve.peers.roster import Roster
from pacserve.peers.stated import StatedNames
from pacserve.report.ledger import Ledger
from pacserve.report.status import FolderStatus, HostStatus, MirrorStatus, PeerStatus, SpoolStatus, Status, TransferStatus, UnfinishedStatus
from pacserve.web.fairness import Ranking


@dataclass(frozen=True, slots=True)
class Parts:
    """
    The parts of the daemon that reports are made from.

    Attributes:
        name: Of this host.
        left_out: Gives where hosts announced themselves that the filters leave out.
        heard_at: Gives when another host was last heard by multicast.
        wall: Gives the seconds since the epoch.
        ranking: Returns how near a client is to this host.
        apt: None where apt is not answered.
    """

    settings: Settings
    name: str
    instance: str
    configuration: ConfigurationSource
    databases: Databases
    caches: CachedPackages
    peers: Roster
    holdings: Holdings
    stated: StatedNames
    servers: Servers
    folders: RepositoryFolders
    health: MirrorHealth
    upstreams: MirrorUpstreams
    claims: Claims
    ledger: Ledger
    fetching: Fetching
    heard_at: Callable[[], float | None]
    left_out: Callable[[], Sequence[Endpoint]]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    clock: IReactorTime
    wall: Callable[[], float]
    ranking: Ranking
    apt: AptKnowledge | None = None


class Reporting:
    """Tells what the daemon does, and what it did."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started = parts.wall()

    async def status(self) -> Status:
        """Returns the whole status.  The inventory is read again if it changed."""
        parts = self._parts
        inventory = await parts.caches.inventory()
        spool = await parts.in_thread(self._spooled) if parts.fetching.usable() else None
        folders = await self._folders()
        now, settings, heard = parts.clock.seconds(), parts.settings, parts.heard_at()
        asked = parts.ledger.info_asked
        return Status(
            host=HostStatus(
                version=__version__,
                instance=parts.instance,
                name=parts.name,
                port=settings.port,
                started=self._started,
                misses=settings.misses.value,
                hits=settings.hits.value,
                multicast=settings.multicast,
                generation=inventory.generation,
                files=len(inventory.files),
                size=sum(inventory.files.values()),
                multicast_heard=None if heard is None else now - heard,
                info_asked=None if asked is None else max(0.0, parts.wall() - asked),
                multicast_interval=float(settings.multicast_interval),
                pacman_conf=settings.pacman_conf,
                cache_dirs=tuple(settings.cache_dirs or parts.configuration.current().cache_dirs),
                no_pacman=parts.configuration.current().missing,
            ),
            peers=tuple(self._peer(peer, now) for peer in parts.peers),
            mirrors=self.mirrors(now),
            transfers=self._transfers(now),
            traffic=parts.ledger.traffic(),
            spool=spool,
            claims=len(parts.claims),
            recent=parts.ledger.recent(),
            folders=folders,
            apt=None if parts.apt is None else apt_status(parts.apt, lambda origin, folders: self._mirror(origin, folders, now)),
        )

    def _peer(self, peer: Peer, now: float) -> PeerStatus:
        address = str(peer.endpoint or peer.configured)
        reason = peer.trouble or _left_alone(peer, now)
        return PeerStatus(
            address=address,
            name="" if peer.discovered else str(peer.configured),
            instance="" if peer.identity is None else peer.identity.instance,
            discovered=peer.discovered,
            state=peer.state.value,
            reason=reason,
            files=self._parts.holdings.count(peer.slot),
            heard=now - peer.alive_at if peer.alive_at else None,
            delay=peer.reputation.standing.delay,
            failures=peer.reputation.failures,
            given=self._parts.ledger.given(address),
            skipped=0 if peer.identity is None else peer.identity.skipped,
            host_name=peer.name,
        )

    def mirrors(self, now: float) -> tuple[MirrorStatus, ...]:
        """Returns the mirrors of all repositories, in pacman's order."""
        parts = self._parts
        configuration = parts.configuration.current()
        architecture = configuration.architectures[0] if configuration.architectures else ""
        repositories: dict[str, list[str]] = {}
        for repo in configuration.repositories:
            for mirror in parts.servers.mirrors(repo, architecture):
                serves = repositories.setdefault(mirror.url.origin, [])
                if repo not in serves:
                    serves.append(repo)
        return tuple(self._mirror(origin, serves, now) for origin, serves in repositories.items())

    async def _folders(self) -> tuple[FolderStatus, ...]:
        """Returns the folders of all repositories, in pacman's order, and whether each can be read now."""
        parts = self._parts
        configuration = parts.configuration.current()
        architecture = configuration.architectures[0] if configuration.architectures else ""
        found = [(repo, parts.servers.folders(repo, architecture)) for repo in configuration.repositories]
        return tuple(
            [FolderStatus(repo, path, await parts.folders.trouble(path, f"{repo}.db")) for repo, each in found for path in (*each.first, *each.last)]
        )

    def _mirror(self, origin: str, repositories: Sequence[str], now: float) -> MirrorStatus:
        penalty = self._parts.health.penalty(origin, now)
        state, avoided = ("well", 0.0) if penalty is None else (penalty[0].word, penalty[1])
        return MirrorStatus(origin, tuple(repositories), state, avoided, self._parts.upstreams.rate(origin))

    def _transfers(self, now: float) -> tuple[TransferStatus, ...]:
        fetching = self._parts.fetching
        return tuple(
            TransferStatus(
                name=name,
                repository=repo,
                source=download.giver,
                done=download.file.written + download.file.ahead.size,
                size=download.file.size,
                seconds=now - download.began,
                verified=download.expected is not None and download.expected.sha256 is not None,
                shares=tuple(download.shares),
            )
            for (repo, _, name), download in (*fetching.downloads.running(), *fetching.passing.running())
        )

    def _spooled(self) -> SpoolStatus:
        fetching = self._parts.fetching
        sizes = [file.size for file in fetching.spool.files()]
        unfinished = tuple(
            UnfinishedStatus(file.journal.heading.name, file.journal.done, file.journal.heading.size, float(file.journal.heading.began))
            for file in sorted(fetching.spool.unfinished.files(), key=lambda file: file.journal.heading.began)
        )
        return SpoolStatus(fetching.spool.packages, len(sizes), sum(sizes), self._parts.settings.spool_size, unfinished)


def _left_alone(peer: Peer, now: float) -> str:
    """Returns why a peer is not asked for files now; empty where it is."""
    if peer.reputation.is_liar(now):
        minutes = math.ceil((peer.reputation.asked_again_at - now) / 60)
        return f"it gave a wrong file, and is not asked for another {minutes} min"
    if peer.reputation.may_be_asked(now):
        return ""
    return "did not say in time whether it has a file: it is left alone for a while"
