"""Files from a package cache, against nginx with sendfile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.comparison import compare
from benchmarks.lab import Lab
from benchmarks.load import Load, downloads, requests
from benchmarks.packages import NO_MIRROR, data_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import Launch, Server

LARGE = "large-files"
SMALL = "small-files"
_LARGE_SIZE = 100_000_000
_SMALL_SIZE = 20_000


def measure_large(lab: Lab) -> Iterator[Result]:
    """Measures how fast a file of 100 MB, which is in the page cache, is sent to one client and to four."""
    cache = lab.path("cache")
    name = write_package(cache, "large", _LARGE_SIZE)
    reference = lab.nginx(cache)
    daemon = lab.pacserve(cache, lab.configuration("daemon", cache, NO_MIRROR, {"large": _LARGE_SIZE}), launch=Launch(core=lab.server_core))
    lab.settle()
    seconds = 1.0 if lab.quick else 2.5
    for clients in (1, 4):

        def load(server: Server, path: str, clients: int = clients) -> Load:
            return downloads(server, path, clients, seconds, lab.client_core)

        found = compare(lab.repetitions, partial(load, daemon, data_path(name)), partial(load, reference, f"/{name}"))
        what = f"100 MB, {clients} client{'s' if clients > 1 else ''}"
        yield Result(LARGE, what, found.rate / 1e6, "MB/s", found.reference_rate / 1e6, found.ratio, Aim(0.6, least=True, of_ratio=True))
        yield Result(LARGE, what, found.cost * 1e9, "CPU s/GB", found.reference_cost * 1e9, found.cost_ratio, Aim(0.30, least=False))


def measure_small(lab: Lab) -> Iterator[Result]:
    """Measures how fast a file of 20 KB is sent on kept-alive connections."""
    cache = lab.path("cache")
    name = write_package(cache, "small", _SMALL_SIZE)
    reference = lab.nginx(cache)
    daemon = lab.pacserve(cache, lab.configuration("daemon", cache, NO_MIRROR, {"small": _SMALL_SIZE}), launch=Launch(core=lab.server_core))
    lab.settle()
    seconds = 1 if lab.quick else 3

    def load(server: Server, path: str) -> Load:
        return requests(server, path, seconds, lab.client_core)

    found = compare(lab.repetitions, partial(load, daemon, data_path(name)), partial(load, reference, f"/{name}"))
    yield Result(SMALL, "20 KB, keep-alive", found.rate, "requests/s", found.reference_rate, found.ratio)
    yield Result(SMALL, "20 KB, keep-alive", found.cost * 1e6, "CPU us/request", found.reference_cost * 1e6, found.cost_ratio)
