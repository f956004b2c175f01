"""The downloads of this host, wired together: the spool, packages and databases."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.bounded import ExpiringMemory
from pacserve.complaints import Complaints
from pacserve.config.settings import Settings
from pacserve.delivery.streaming import Running, Streaming
from pacserve.delivery.table import Hits, Misses
from pacserve.errors import ConfigurationError
from pacserve.fetch.rate import Limits, TokenBucket
from pacserve.indexes.databases import DatabaseSource, Runtime
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.packages.catalogue import Catalogue
from pacserve.pacman.indexes import PACMAN_INDEXES
from pacserve.sources.candidates import PackageSource
from pacserve.sources.upstreams import Upstreams
from pacserve.transfer.downloads import Downloads
from pacserve.transfer.leader_search import Claiming
from pacserve.transfer.lines import Lines
from pacserve.transfer.source import DownloadSource
from pacserve.transfer.spool import Spool
from pacserve.transfer.stores import MemoryStore, TemporaryStore
from pacserve.transfer.terms import Terms
from pacserve.transfer.trimming import SpoolTrimming

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

# Seconds until it is tried again to take possession of a spool that can't be used.
SPOOL_RETRY = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    The parts of the daemon that downloads need.

    Attributes:
        limits: How fast bytes may flow.
        cache_dirs: Gives the folders of pacman.
        wall: Gives the seconds since the epoch.
        lateness: How late the timers of this process are.
    """

    upstreams: Upstreams
    catalogue: Catalogue
    claiming: Claiming
    limits: Limits
    cache_dirs: Callable[[], Sequence[str]]
    in_thread: InThread
    clock: IReactorTime
    wall: Callable[[], float]
    lateness: Lateness = PUNCTUAL


class Fetching:
    """
    Downloads files that no host of the LAN has, and passes on files of mirrors that no client may be sent to.

    Attributes:
        wanted: False where the options leave nothing to be downloaded.
        spool: Where downloads are kept.
        trimming: Keeps the spool small.
        downloads: Those that run.
        passing: Those that run of files that are sent through, and not kept.
        packages: Where the resolver finds packages that are downloaded.
        databases: Where it finds databases.
        streaming: What passes files on while they arrive.
    """

    _log = Logger()

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self.wanted = settings.apt or settings.misses is not Misses.REDIRECT or settings.hits is not Hits.REDIRECT
        self._demanded = settings.misses is Misses.FETCH or settings.hits is Hits.RELAY
        self._around = around
        self._opened = False
        self._failed = False
        self._tried: ExpiringMemory[str, bool] = ExpiringMemory(1, SPOOL_RETRY)
        clock, terms = around.clock, Terms(around.limits, around.lateness, Lines(settings.mirrors_at_once), around.in_thread)
        self.spool = Spool(settings.spool, settings.spool_size, self._fail)
        self.trimming = SpoolTrimming(self.spool, around.cache_dirs, around.catalogue.all_expected, around.in_thread, clock, around.wall)
        self.downloads = Downloads(self.spool, clock, terms, around.claiming, lambda _: self.trimming.trim_soon())
        self.packages = DownloadSource(self.downloads, around.upstreams, around.catalogue, clock)
        self.databases = DatabaseSource(
            f"{settings.spool}/databases", PACMAN_INDEXES, around.upstreams, Runtime(clock, around.wall, around.in_thread), around.limits
        )
        self.passing = Downloads(TemporaryStore(), clock, terms, around.claiming)
        self._small = Downloads(MemoryStore(), clock, terms, around.claiming)
        self.streaming = Streaming(Running(self.downloads, self.passing, self._small), around.upstreams, around.catalogue, clock)

    @property
    def sources(self) -> Sequence[PackageSource]:
        """Where files come from that are downloaded here."""
        return (self.packages, self.databases)

    @property
    def folders(self) -> Sequence[str]:
        """The folders that are package caches as well."""
        return (self.spool.packages,) if self._opened else ()

    def usable(self) -> bool:
        """Returns whether downloads can be kept.  A spool that could not be used is tried again from time to time."""
        if self._opened and not self._failed:
            return True
        if self.wanted and (self._opened or not self._demanded) and self._tried.get("spool", self._around.clock.seconds()) is None:
            if self._opened:
                self._probe()
            else:
                self._open()
        return self._opened and not self._failed

    def _fail(self, trouble: str) -> None:
        """Uses the spool no more for a while."""
        self._tried.remember("spool", True, self._around.clock.seconds())
        if not self._failed:
            self._failed = True
            self._log.warn(
                "{error}; until then nothing is downloaded here: pacman is redirected, and apt is handed on what the mirror has", error=trouble
            )

    def _complain(self, error: object) -> None:
        self._log.warn("{error}; until then nothing is downloaded here: pacman is redirected, and apt is handed on what the mirror has", error=error)

    def _probe(self) -> None:
        """Uses the spool again, if a file can be made there; one on a full disk is usable, and says so with each download."""
        with contextlib.suppress(OSError):
            self.spool.probe()
        if self._tried.get("spool", self._around.clock.seconds()) is None:
            self._recover()

    def _recover(self) -> None:
        self._failed = False
        self._log.info("the spool {folder} can be used now", folder=self.spool.directory)

    def start(self) -> None:
        """
        Takes possession of the spool.

        Raises:
            ConfigurationError: The options demand it and it can't be used, another daemon uses it, or it has packages and is no spool.
        """
        if not self.wanted:
            return
        if self._demanded:
            self.spool.open(next(iter(self._around.cache_dirs()), None))
            self._take_up()
        else:
            self._open(first=True)

    def _open(self, *, first: bool = False) -> None:
        self._tried.remember("spool", True, self._around.clock.seconds())
        try:
            self.spool.open(next(iter(self._around.cache_dirs()), None))
        except ConfigurationError as error:
            if first:
                self._log.warn(
                    "{error}; until then nothing is downloaded here: pacman is redirected, and apt is handed on what the mirror has", error=error
                )
            return
        self._take_up()
        if not first:
            self._recover()
            Complaints(self._log).hear(Deferred.fromCoroutine(self.verify()), "verifying the spool")

    def _take_up(self) -> None:
        self._opened = True
        self.databases.start()
        self.trimming.start()

    async def verify(self) -> None:
        """Brings the spool within its limit, and checks what a daemon left behind that did not end as it should, when all databases were read."""
        if not self._opened:
            return
        await self.trimming.trim()
        if self.spool.unverified.files():
            certain = await self._around.catalogue.read_all()
            await self._around.in_thread(lambda: self.spool.unverified.verify(self._around.catalogue.all_expected, certain=certain))
            await self.trimming.trim()

    def stop(self) -> None:
        """Ends what is being downloaded."""
        self.trimming.stop()
        self.downloads.stop()
        self.passing.stop()
        self._small.stop()
        self.databases.stop()
        self.spool.close()


def take(bucket: TokenBucket, clock: IReactorTime, count: int) -> float:
    """Returns the seconds until more than these bytes may flow."""
    return bucket.take(count, clock.seconds())
