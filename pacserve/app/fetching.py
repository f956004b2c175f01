"""What `--misses fetch` and `--hits relay` add to the daemon, wired together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pacserve.config.settings import Hits, Misses, Settings
from pacserve.fetch.rate import Limits, TokenBucket
from pacserve.fetch.stream import StreamingClient
from pacserve.indexes.databases import DatabaseSource
from pacserve.packages.catalogue import Catalogue
from pacserve.peers.source import PeerSource
from pacserve.sources.candidates import PackageSource
from pacserve.sources.upstreams import Upstreams
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import Claiming
from pacserve.transfer.relay import RelaySource
from pacserve.transfer.source import DownloadSource
from pacserve.transfer.spool import Spool
from pacserve.transfer.trimming import SpoolTrimming

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Fetching:
    """
    Downloads what nobody on the LAN has.

    Args:
        cache_dirs: Gives the folders of pacman.
        wall: Gives the seconds since the epoch.

    Attributes:
        source: Where the resolver finds downloads of packages.
        databases: Where it finds databases.
        folder: What is a package cache as well.
        spool: Where downloads are kept.
        trimming: Keeps the spool small.
        downloads: Those that run.
    """

    def __init__(  # noqa: PLR0917
        self,
        settings: Settings,
        upstreams: Upstreams,
        databases: Catalogue,
        claiming: Claiming,
        limits: Limits,
        cache_dirs: Callable[[], Sequence[str]],
        in_thread: InThread,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        self._databases = databases
        self.spool = Spool(settings.spool, settings.spool_size)
        self.folder = self.spool.packages
        self.trimming = SpoolTrimming(self.spool, cache_dirs, in_thread, clock, wall)
        self.downloads = Downloads(self.spool, clock, limits, claiming, lambda _: self.trimming.trim_soon())
        self.source = DownloadSource(self.downloads, upstreams, databases, clock)
        self.databases = DatabaseSource(f"{settings.spool}/databases", upstreams, clock, wall, in_thread, limits)
        self._upstreams = upstreams
        self._cache_dirs = cache_dirs
        self._in_thread = in_thread
        self._clock = clock

    def relaying(self, peers: PackageSource, client: StreamingClient, distrust: Callable[[str], object]) -> PackageSource:
        """What takes the place of the peers when pacman is not to be sent to them."""
        return RelaySource(peers, self.downloads, self._upstreams, self._databases, client, self._clock, distrust)

    def start(self) -> None:
        """
        Takes possession of the spool.

        Raises:
            ConfigurationError: It can't be used, another daemon uses it, or it has packages and is no spool.
        """
        self.spool.open(next(iter(self._cache_dirs()), None))
        self.databases.start()
        self.trimming.start()

    async def verify(self) -> None:
        """Brings the spool within its limit, and checks what a daemon left behind that did not end as it should, when all databases were read."""
        await self.trimming.trim()
        if self.spool.unverified():
            certain = await self._databases.read_all()
            await self._in_thread(lambda: self.spool.verify(self._databases.all_expected, certain=certain))
            await self.trimming.trim()

    def stop(self) -> None:
        """Ends what is being downloaded."""
        self.trimming.stop()
        self.downloads.stop()
        self.databases.stop()
        self.spool.close()


def fetching_of(  # noqa: PLR0917
    settings: Settings,
    upstreams: Upstreams,
    databases: Catalogue,
    claiming: Claiming,
    lan_rate: TokenBucket,
    cache_dirs: Callable[[], Sequence[str]],
    in_thread: InThread,
    clock: IReactorTime,
    wall: Callable[[], float],
) -> Fetching | None:
    """What the options ask for; None where pacserve itself carries nothing."""
    if settings.misses is not Misses.FETCH and settings.hits is not Hits.RELAY:
        return None
    limits = Limits(partial(take, TokenBucket(settings.wan_limit), clock), partial(take, lan_rate, clock))
    return Fetching(settings, upstreams, databases, claiming, limits, cache_dirs, in_thread, clock, wall)


def sources_of(
    settings: Settings, fetching: Fetching | None, others: PeerSource, mirrors: PackageSource, client: StreamingClient
) -> Sequence[PackageSource]:
    """Returns where files come from besides the caches."""
    if fetching is None:
        return [others, mirrors]
    near = fetching.relaying(others, client, others.distrust) if settings.hits is Hits.RELAY else others
    return [near, mirrors, fetching.source, fetching.databases] if settings.misses is Misses.FETCH else [near, mirrors]


def take(bucket: TokenBucket, clock: IReactorTime, count: int) -> float:
    """Returns the seconds until more than these bytes may flow."""
    return bucket.take(count, clock.seconds())
