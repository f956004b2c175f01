"""What it costs this process to keep count of files and hosts, without a daemon: CPU seconds of one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from benchmarks.lab import Lab
from benchmarks.packages import package_name
from pacserve.bounded import ExpiringMemory
from pacserve.cache.listing import Listing, Reading
from pacserve.transfer.spool import Spool
from pacserve.transfer.trimming import SpoolTrimming
from tests.fakes.interfaces import Databases

_SPOOLS = (300, 1500, 20_000)
_CACHES = (1000, 5000, 20_000)
_MEMORIES = (100, 10_000)
_PUBLISHED = 300
_REPETITIONS = 7
_OPERATIONS = 20_000


def published(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns what it costs to publish a package in a spool of so many files and keep that within its limit."""
    return [(files, _published(files)) for files in _SPOOLS]


def reactor_of_a_change(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns what a new file in a cache of so many costs the reactor."""
    return [(files, _change(files)[0]) for files in _CACHES]


def thread_of_a_change(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns what a new file in a cache of so many costs the thread that reads folders."""
    return [(files, _change(files)[1]) for files in _CACHES]


def remembered(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns what it costs to remember something where so many entries are remembered already, and no more may be."""
    costs = []
    for limit in _MEMORIES:
        memory: ExpiringMemory[int, int] = ExpiringMemory(limit, 1e9)
        for key in range(limit):
            memory.remember(key, key, 0.0)
        began = time.thread_time()
        for key in range(limit, limit + _OPERATIONS):
            memory.remember(key, key, 0.0)
        costs.append((limit, (time.thread_time() - began) / _OPERATIONS))
    return costs


def _published(files: int) -> float:
    with _folder(files) as folder:
        (folder / ".pacserve-spool").touch()
        (folder / ".clean").touch()
        spool = Spool(str(folder), 1 << 40)
        spool.open()

        async def in_thread(work: Callable[[], object]) -> object:
            return work()

        trimming = SpoolTrimming(spool, lambda: (), lambda _: (), in_thread, Clock(), time.time)
        trimming.trim_soon()
        began = time.thread_time()
        for number in range(_PUBLISHED):
            with spool.create() as file:
                spool.publish(file, package_name(f"new-{number}"), None)
            trimming.trim_soon()
        taken = time.thread_time() - began
        spool.close()
        return taken / _PUBLISHED


def _change(files: int) -> tuple[float, float]:
    """Returns the median CPU seconds of the reactor and of the thread."""
    reactor, thread = [], []
    with _folder(files) as folder:
        worked = [0.0]

        async def in_thread(work: Callable[[], Reading]) -> Reading:
            began = time.thread_time()
            reading = work()
            worked[0] = time.thread_time() - began
            return reading

        # A minute after the files were written: those of the last seconds are looked at again.
        listing = Listing(lambda: [str(folder / "pkg")], Databases(), in_thread, Clock(), lambda: time.time() + 60)
        _done(listing.inventory())
        for number in range(_REPETITIONS):
            (folder / "pkg" / package_name(f"new-{number}")).touch()
            began = time.thread_time()
            _done(listing.inventory())
            reactor.append(time.thread_time() - began - worked[0])
            thread.append(worked[0])
    return statistics.median(reactor), statistics.median(thread)


def _done(work: Awaitable[object]) -> None:
    """Runs a coroutine that waits for nothing."""
    Deferred.fromCoroutine(work)  # type: ignore[arg-type]  # every awaitable here is a coroutine


@contextmanager
def _folder(files: int) -> Iterator[Path]:
    """Makes a folder with so many packages in its folder `pkg`."""
    with TemporaryDirectory(prefix="pacserve-bench-") as name:
        folder = Path(name)
        (folder / "pkg").mkdir()
        for number in range(files):
            (folder / "pkg" / package_name(f"package-with-a-name-{number:05}")).write_bytes(b"x")
        yield folder
