"""The threads that the daemon reads files in, apart by what may not answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")

# Threads for reading folders and inventories.  The reactor's own may all hang in name lookups when the way out of the LAN is broken, which is just
# when peers matter most.
_SHARED_THREADS = 2


class Threads:
    """
    The threads of a daemon.

    A file system that does not answer any more keeps a thread for good.  So what the user's configuration may put on such a one has a thread of its
    own, and only the work of that kind waits for it.

    Args:
        reactor: Gets the results.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._shared = ThreadPool(minthreads=0, maxthreads=_SHARED_THREADS, name="folders and inventories")
        self._configuration, self._repositories = _lone_thread("pacman.conf"), _lone_thread("file:// repositories")
        self._checks = _lone_thread("checks of this host")

    def start(self) -> None:
        """Starts them; they end with the reactor, and those that hang are left behind."""
        for pool in (self._shared, self._configuration, self._repositories, self._checks):
            pool.start()
        self._reactor.addSystemEventTrigger("during", "shutdown", self._shared.stop)

    async def run(self, work: Callable[[], T]) -> T:
        """Reads package caches, inventories and the spool."""
        return await self._run(self._shared, work)

    async def read_configuration(self, work: Callable[[], T]) -> T:
        """Reads pacman.conf and what it includes."""
        return await self._run(self._configuration, work)

    async def read_repository(self, work: Callable[[], T]) -> T:
        """Reads the folder of a `file://` repository."""
        return await self._run(self._repositories, work)

    async def check(self, work: Callable[[], T]) -> T:
        """Finds out what is wrong with this host."""
        return await self._run(self._checks, work)

    def _run(self, pool: ThreadPool, work: Callable[[], T]) -> Awaitable[T]:
        return deferToThreadPool(self._reactor, pool, work)


def _lone_thread(name: str) -> ThreadPool:
    """Returns a pool of one thread that nothing waits for, not even the end of the daemon."""
    pool = ThreadPool(minthreads=0, maxthreads=1, name=name)
    pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
    return pool
