"""What a sync database costs by its size: when it has changed, when the daemon starts, and in memory."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from benchmarks.lab import Lab, free_port, wait_for_port
from benchmarks.load import latencies
from benchmarks.packages import NO_MIRROR, REPO, package_name, request_path, write_configuration, write_database, write_package
from benchmarks.servers import Launch, Server, pacserve
from pacserve.pacman import tables
from pacserve.pacman.tables import StatedPackage, Table

_SIZES = (1000, 15_000, 75_000)
# A database from this size on is a distribution's, whose former version answers while a new one is read.
_LARGE_SIZES = (15_000, 75_000)
_SIZE = 20_000
_OLD, _NEW = "old", "new"
_REPETITIONS = 5
# Seconds after which a database that has changed is read, and the daemon idle.
_READ = 2.0


def taken(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the CPU seconds of the reactor for taking what a child process has read."""
    costs = []
    for size in _SIZES:
        path = lab.folder / f"{size}.table"
        with path.open("wb") as file:
            names = (package_name(f"package-with-a-name-{number:05}") for number in range(size))
            tables.write(file, (1, 2, 3), (StatedPackage(name, 1, bytes(32), bytes(400)) for name in names))
        spent = []
        for _ in range(_REPETITIONS):
            began = time.thread_time()
            table = Table(FileIO(str(path)))
            spent.append(time.thread_time() - began)
            table.close()
        costs.append((size, statistics.median(spent)))
    return costs


def known_file(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the seconds that the first request after a change waits, if its file was in the former version."""
    return [(size, _Place(lab, size).wait(_OLD)) for size in _LARGE_SIZES]


def new_file(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the seconds that the first request after a change waits, if its file is in the new version alone."""
    return [(size, _Place(lab, size).wait(_NEW)) for size in _SIZES]


def start(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the seconds from the start of the daemon to its first answer, with a database that it has read before."""
    return [(size, _Place(lab, size).start()) for size in _SIZES]


def memory(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the resident memory in MB of a daemon whose database has changed a few times."""
    return [(size, _Place(lab, size).memory()) for size in _SIZES]


class _Place:
    """A daemon's configuration, whose database has two versions: only one has the package `_NEW`.  Both packages are in the cache."""

    def __init__(self, lab: Lab, size: int) -> None:
        self._lab = lab
        self._cache = lab.path("cache")
        self._names = {package: write_package(self._cache, package, _SIZE) for package in (_OLD, _NEW)}
        self._folder = lab.folder / f"database-{size}"
        self._versions = {_OLD: self._folder / _OLD / "sync" / f"{REPO}.db", _NEW: self._folder / _NEW / "sync" / f"{REPO}.db"}
        if not self._folder.exists():
            write_database(self._folder / _OLD, {_OLD: _SIZE}, packages=size)
            write_database(self._folder / _NEW, {_OLD: _SIZE, _NEW: _SIZE}, packages=size)
            (self._folder / "sync").mkdir()
        self._configuration = write_configuration(lab.folder / f"database-{size}.conf", self._folder, self._cache, NO_MIRROR)
        self._change(_OLD)
        lab.settle()

    def wait(self, package: str) -> float:
        """Returns the median seconds that a request for a package waits after the version with `_NEW` has come."""
        daemon = self._lab.pacserve(self._cache, self._configuration, launch=Launch())
        self._ask(daemon, _NEW)
        waits = []
        for _ in range(_REPETITIONS):
            self._change(_NEW)
            waits.append(self._ask(daemon, package))
            time.sleep(_READ)
            self._change(_OLD)
            self._ask(daemon, _NEW)  # it is in no version that is known, so the new one is waited for
            time.sleep(_READ)
        daemon.stop()
        return statistics.median(waits)

    def start(self) -> float:
        """Returns the median seconds of a start, of which none is the first."""
        taken = []
        log, bytecode = self._folder / "start.log", self._lab.path("bytecode")
        kept = Path(f"{log}.state") / "databases" / f"{REPO}.table"
        for _ in range(_REPETITIONS + 1):
            port = free_port()
            daemon = self._lab.run(pacserve(log, self._configuration, self._cache, port, launch=Launch(("--bind", "127.0.0.1"), bytecode=bytecode)))
            wait_for_port(daemon)
            self._ask(daemon, _OLD)
            taken.append(time.perf_counter() - daemon.started)
            while not kept.exists():
                daemon.check()
                time.sleep(0.1)
            daemon.stop()
        return statistics.median(taken[1:])

    def memory(self) -> float:
        """Returns the megabytes of a daemon that has read its database three times."""
        daemon = self._lab.pacserve(self._cache, self._configuration, launch=Launch())
        for version in (_OLD, _NEW, _OLD):
            self._change(version)
            self._ask(daemon, _NEW)
            time.sleep(_READ)
        resident = daemon.resident()
        daemon.stop()
        return resident

    def _ask(self, daemon: Server, package: str) -> float:
        """Returns the seconds until the daemon answers a request for a package."""
        return latencies(daemon.port, [request_path(self._names[package])], 200)[0] / 1e3

    def _change(self, version: str) -> None:
        """Puts a version of the database in the place of the one that is there, as pacman does."""
        new = self._folder / "arriving"
        shutil.copyfile(self._versions[version], new)
        new.replace(self._folder / "sync" / f"{REPO}.db")
