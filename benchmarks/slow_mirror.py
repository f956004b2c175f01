"""`--misses fetch` from a mirror of 50 Mbit/s, as most lines to mirrors are, against nginx as a caching proxy."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat

from benchmarks.comparison import compare
from benchmarks.fetching import copy_databases, write_mirror
from benchmarks.lab import Lab, free_port, wait_for_port
from benchmarks.load import Client, Load, latencies
from benchmarks.packages import request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch, Server, caching_nginx

NAME = "slow-mirror"
# Bytes per second of each connection: 50 Mbit/s.
_RATE = 50e6 / 8
_SIZE = 100_000_000
_QUICK_SIZE = 24_000_000
_AT_ONCE = 3


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures the CPU time for files that come slowly, in pieces of 4 KiB: one, and three at once.

    Each is done once: it takes 16 seconds, and CPU time varies little.  The SHA-256 alone takes some 0.75 CPU seconds for each GB.
    """
    place = _Place(lab, _QUICK_SIZE if lab.quick else _SIZE)
    for files in (1, _AT_ONCE):
        found = compare(1, partial(place.through_pacserve, files), partial(place.through_nginx, files))
        what = f"{files} x {place.size / 1e6:.0f} MB at 50 Mbit/s, with SHA-256"
        yield Result(NAME, what, found.cost * 1e9, "CPU s/GB", found.reference_cost * 1e9, found.cost_ratio, Aim(6.0, least=False))
    for server, first in place.first.items():
        yield Result(NAME, f"from the request to the answer, {server}", statistics.median(first) * 1e3, "ms")


class _Place:
    """
    A slow mirror, a daemon and a proxy that fetch from it, and files that neither of them has.

    Attributes:
        size: The bytes of each file.
        first: The seconds until each answer began.
    """

    def __init__(self, lab: Lab, size: int) -> None:
        self.size = size
        self.first: dict[str, list[float]] = {"pacserve": [], "nginx": []}
        self._names = write_mirror(lab.path("mirror"), size, 2 * (1 + _AT_ONCE))
        port = free_port()
        command = (sys.executable, "-m", "benchmarks.paced", str(lab.path("mirror")), str(port), str(_RATE))
        mirror = lab.run(Server(command, port, lab.folder / "mirror.log", core=lab.client_core))
        wait_for_port(mirror)
        upstream = f"http://127.0.0.1:{port}"
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

    def through_pacserve(self, files: int) -> Load:
        """
        Fetches the next files through the daemon.

        Raises:
            BenchmarkError: One of them is not in the spool afterwards.
        """
        names = [self._names.pop() for _ in range(files)]
        load = self._load("pacserve", self._daemon, [request_path(name) for name in names])
        for name in names:
            spooled = self._spool / "pkg" / name
            if not spooled.exists():
                raise BenchmarkError(f"{name} did not get into the spool: {self._daemon.log.read_text('utf-8')[-1000:]}")
            spooled.unlink()
        return load

    def through_nginx(self, files: int) -> Load:
        """Fetches the next files through the proxy."""
        load = self._load("nginx", self._proxy, [f"/{self._names.pop()}" for _ in range(files)])
        for folder in self._kept.iterdir():
            shutil.rmtree(folder)
        return load

    def _load(self, name: str, server: Server, paths: list[str]) -> Load:
        before, began = server.cpu(), time.perf_counter()
        with ThreadPoolExecutor(len(paths)) as threads:
            self.first[name] += threads.map(self._read, repeat(server.port), paths)
        taken = time.perf_counter() - began
        time.sleep(0.2)  # what is left to do once the last byte was sent counts
        return Load(self.size * len(paths), taken, server.cpu() - before)

    def _read(self, port: int, path: str) -> float:
        """Fetches a file, and returns the seconds until the answer began."""
        began = time.perf_counter()
        with Client(port) as client:
            answer = client.ask(path)
            first = time.perf_counter() - began
            if answer.status != 200 or answer.size != self.size:
                raise BenchmarkError(f"{path}: {answer.text}")
            client.discard(answer.left)
        return first
