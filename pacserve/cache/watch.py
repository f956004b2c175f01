"""Watches the caches all the time, so that peers learn of a change as soon as it happens."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.packages.inventory import Inventory, LocalPackages

# Seconds from the end of one look to the next: hosts that upgrade one after the other wait longer for pacman to start.
LOOK_INTERVAL = 0.25
# The next look waits at least so many times as long as the last one took, in which folders with tens of thousands of files may have been read; but no
# longer than so many seconds.
REST_RATIO = 20
LONGEST_LOOK_INTERVAL = 1.0


class CacheWatch:
    """
    Keeps the inventory up to date, even while no request needs it.

    A look costs a `stat` of each cache folder and of each sync database; the folders are read when one of them changed, or when a file that
    was being written is complete.

    Args:
        changed: Called with the first inventory, and after that with each new generation.
    """

    _log = Logger()

    def __init__(self, packages: LocalPackages, clock: IReactorTime, changed: Callable[[Inventory], None]) -> None:
        self._packages = packages
        self._clock = clock
        self._changed = changed
        self._generation: int | None = None
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._stopped = True
        self._complaints = Complaints(self._log)
        self._began = 0.0

    def start(self) -> None:
        """Looks now, and `LOOK_INTERVAL` after each look has ended, later where that took long."""
        self._stopped = False
        self._look()

    def stop(self) -> None:
        """Ends the watch; `changed` is not called again."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._timer = None
        self._began = self._clock.seconds()
        self._looking = looking = Deferred.fromCoroutine(self._read())
        self._complaints.hear(looking, "looking at the package caches").addCallback(lambda _: self._looked())

    def _looked(self) -> None:
        self._looking = None
        if not self._stopped:
            rest = min(LONGEST_LOOK_INTERVAL, REST_RATIO * (self._clock.seconds() - self._began))
            self._timer = self._clock.callLater(max(LOOK_INTERVAL, rest), self._look)

    async def _read(self) -> None:
        inventory = await self._packages.inventory()
        if inventory.generation != self._generation:
            self._generation = inventory.generation
            self._changed(inventory)
