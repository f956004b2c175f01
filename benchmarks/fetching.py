"""`--misses fetch` against nginx as a caching proxy: a large file that no host has yet, for one reader and for sixteen."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import repeat
from pathlib import Path

from benchmarks.comparison import compare
from benchmarks.lab import Lab, free_port, wait_for_port
from benchmarks.load import Client, Load, latencies
from benchmarks.packages import ARCH, REPO, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch, Server, caching_nginx, nginx
from tests.e2e.lab.depot import write_database
from tests.e2e.lab.packages import Package

NAME = "fetching"
_SIZE = 512 << 20
_QUICK_SIZE = 128 << 20
_READERS = 16
# Seconds within which a downloaded file must be in the spool, and its request in the mirror's log.
_SPOOL_TIMEOUT = 5.0


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures the download of a file of 512 MiB from a mirror on this machine, for one reader and for sixteen that ask at the same moment.

    Each repetition fetches a file under another name, which neither the proxy nor the spool has.  Meanwhile pacserve computes the SHA-256,
    compares it with that of the sync database, and keeps the file; a repetition in which it does not is an error, and so is one in which the
    mirror was asked more than once.  The measured server has a core of its own; the mirror and the readers share the other one.

    A reader that waits for another one's download gets nothing from nginx before that has ended, which nginx checks twice a second.
    """
    place = _Place(lab, _QUICK_SIZE if lab.quick else _SIZE)
    for readers in (1, _READERS):
        found = compare(lab.repetitions, partial(place.through_pacserve, readers), partial(place.through_nginx, readers))
        what = f"{place.size >> 20} MiB, {readers} reader{'s' if readers > 1 else ''}"
        if readers == 1:
            yield Result(NAME, f"{what}, with SHA-256", found.rate / 1e6, "MB/s", found.reference_rate / 1e6, found.ratio, Aim(250, least=True))
            yield Result(
                NAME, f"{what}, with SHA-256", found.cost * 1e9, "CPU s/GB", found.reference_cost * 1e9, found.cost_ratio, Aim(2.6, least=False)
            )
        else:
            amount = place.size * readers
            yield Result(NAME, f"{what}, until the last has it", amount / found.rate, "s", amount / found.reference_rate, 1 / found.ratio)
            yield Result(NAME, f"{what}, all together", found.cost * amount, "CPU s", found.reference_cost * amount, found.cost_ratio)
            yield Result(NAME, f"{what}, asked of the mirror", 1, "requests", place.asked_by_nginx, aim=Aim(1, least=False))


class _Place:
    """
    A mirror, a daemon and a proxy that fetch from it, and files that neither of them has.

    Attributes:
        size: The bytes of each file.
        asked_by_nginx: The number of the proxy's requests for the last file.
    """

    def __init__(self, lab: Lab, size: int) -> None:
        self.size = size
        self.asked_by_nginx = 0
        self._core = lab.client_core
        self._names = write_mirror(lab.path("mirror"), size, 2 * 2 * lab.repetitions)
        self._mirror = lab.run(nginx(lab.folder / "nginx", lab.path("mirror"), free_port(), lab.client_core))
        wait_for_port(self._mirror)
        self._requests = lab.folder / "nginx" / "access.log"
        upstream = f"http://127.0.0.1:{self._mirror.port}"
        self._kept = lab.folder / "proxy" / "cache"
        self._proxy = lab.run(caching_nginx(lab.folder / "proxy", upstream, free_port(), lab.server_core))
        wait_for_port(self._proxy)
        cache, self._spool = lab.path("cache"), lab.path("spool")
        own = write_package(cache, "own", 1000)
        configuration = lab.configuration("daemon", cache, upstream)
        copy_databases(lab.folder / "daemon.db", lab.path("mirror"))
        lab.settle()
        self._daemon = lab.pacserve(cache, configuration, launch=Launch(("--misses", "fetch", "--spool", str(self._spool)), core=lab.server_core))
        latencies(self._daemon.port, [request_path(own)], 200)  # now the sync database is read

    def through_pacserve(self, readers: int) -> Load:
        """
        Fetches the next file through the daemon.

        Raises:
            BenchmarkError: The file was not verified, or the mirror was asked for it more than once.
        """
        name = self._names.pop()
        load = self._load(self._daemon, request_path(name), readers)
        spooled = self._spool / "pkg" / name
        deadline = time.monotonic() + _SPOOL_TIMEOUT
        while not (spooled.exists() and self._asked(name)):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{name} did not get into the spool: {self._daemon.log.read_text('utf-8')[-1000:]}")
            time.sleep(0.01)
        if self._asked(name) != 1:
            raise BenchmarkError(f"{self._asked(name)} requests for {name} instead of one")
        spooled.unlink()
        return load

    def through_nginx(self, readers: int) -> Load:
        """Fetches the next file through the proxy."""
        name = self._names.pop()
        load = self._load(self._proxy, f"/{name}", readers)
        self.asked_by_nginx = self._asked(name)
        for folder in self._kept.iterdir():
            shutil.rmtree(folder)
        return load

    def _load(self, server: Server, path: str, readers: int) -> Load:
        before, began = server.cpu(), time.perf_counter()
        with ThreadPoolExecutor(readers) as threads:
            amounts = list(threads.map(_read, repeat(server.port, readers), repeat(path), repeat(self._core)))
        taken = time.perf_counter() - began
        if set(amounts) != {self.size}:
            raise BenchmarkError(f"{path}: {amounts} bytes instead of {self.size}")
        return Load(sum(amounts), taken, server.cpu() - before)

    def _asked(self, name: str) -> int:
        """Returns the number of requests for a file that the mirror has answered."""
        return self._requests.read_text("utf-8").count(f'"GET /{name} ')


def write_mirror(mirror: Path, size: int, count: int) -> list[str]:
    """Writes the mirror's sync database, and one file under many names, and returns the names."""
    first = mirror / write_package(mirror, "large", size)
    with first.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    packages = []
    for number in range(count):
        name = f"large{number}"
        package = Package(name, "1-1", ARCH, mirror / f"{name}-1-1-{ARCH}.pkg.tar.zst", size, size, digest)
        package.path.hardlink_to(first)
        packages.append(package)
    write_database(mirror, REPO, packages, signatures=False)
    return [package.filename for package in packages]


def copy_databases(database_dir: Path, mirror: Path) -> None:
    """Copies the mirror's sync database to the place where pacman keeps its copy."""
    (database_dir / "sync").mkdir(parents=True)
    shutil.copyfile(mirror / f"{REPO}.db", database_dir / "sync" / f"{REPO}.db")


def _read(port: int, path: str, core: int | None) -> int:
    """Fetches a file, and returns its size."""
    if core is not None:
        with suppress(OSError):
            os.sched_setaffinity(0, {core})  # of this thread
    with Client(port) as client:
        answer = client.ask(path)
        if answer.status != 200:
            raise BenchmarkError(f"{path}: {answer.text}")
        client.discard(answer.left)
        return answer.size
