"""
The time that pacman waits with ever more peers: if one has the file, until it confirms that; if none has, until all of them have said so.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.lab import Lab
from benchmarks.load import latencies
from benchmarks.packages import NO_MIRROR, package_name, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import Server

NAME = "latency"
MISS = "miss"
_COUNTS = (1, 8, 30)
_SIZE = 20_000  # more than what is never redirected


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures hits: each request is for another file, which one of the peers holds.

    Every peer is a daemon of its own.  The value is the whole time from the request to the redirect: the time that pacserve adds to a fetch from that
    peer.
    """
    counts = _COUNTS[:2] if lab.quick else _COUNTS
    asked = 100 if lab.quick else 300
    held = [lab.path(f"held-{number}") for number in range(counts[-1])]
    packages = [[f"peer-{folder}-file-{number}" for number in range(asked)] for folder in range(len(held))]
    for folder, names in zip(held, packages, strict=True):
        for name in names:
            write_package(folder, name, _SIZE)
    lab.settle()
    peers = lab.peers(held)
    cache = lab.path("cache")
    configuration = lab.configuration("asker", cache, NO_MIRROR, {name: _SIZE for names in packages for name in names})
    for count in counts:
        asker = lab.pacserve(cache, configuration, peers=tuple(peers[:count]))
        names = [package_name(f"peer-{number % count}-file-{number}") for number in range(asked)]
        latencies(asker.port, [request_path(name) for name in names[:count]], 307)
        taken = latencies(asker.port, [request_path(name) for name in names[count:]], 307)
        asker.stop()
        what = f"hit among {_peers(count)}"
        yield Result(NAME, f"{what}, median", statistics.median(taken), "ms", aim=Aim(2.0, least=False))
        yield Result(NAME, f"{what}, 95 of 100", statistics.quantiles(taken, n=20)[-1], "ms")


def measure_miss(lab: Lab) -> Iterator[Result]:
    """
    Measures misses: each request is for another file, which a mirror has and no peer, so that all peers are asked at once and all say no.

    A daemon with peers and one without are asked for the same file one after the other; the difference is the time that the peers add.
    """
    counts = _COUNTS[:2] if lab.quick else _COUNTS
    asked = 100 if lab.quick else 200
    mirror, cache = lab.path("mirror"), lab.path("cache")
    packages = [f"on-the-mirror-{number}" for number in range(asked)]
    for package in packages:
        write_package(mirror, package, _SIZE)
    paths = [request_path(package_name(package)) for package in packages]
    configuration = lab.configuration("asker", cache, f"http://127.0.0.1:{lab.nginx(mirror).port}", dict.fromkeys(packages, _SIZE))
    held = [lab.path(f"held-{number}") for number in range(counts[-1])]
    for number, folder in enumerate(held):
        write_package(folder, f"held-by-{number}", _SIZE)
    lab.settle()
    peers = lab.peers(held)
    alone = lab.pacserve(cache, configuration)
    for count in counts:
        asker = lab.pacserve(cache, configuration, peers=tuple(peers[:count]))
        taken, without = _in_turns(asker, alone, paths)
        asker.stop()
        added = [more - less for more, less in zip(taken, without, strict=True)]
        ratio = statistics.median(more / less for more, less in zip(taken, without, strict=True))
        what = f"miss among {_peers(count)}"
        yield Result(MISS, f"{what}, median (ratio: to no peers)", statistics.median(taken), "ms", ratio=ratio)
        yield Result(MISS, f"{what}, added to no peers, median", statistics.median(added), "ms")
        yield Result(MISS, f"{what}, added to no peers, 95 of 100", statistics.quantiles(added, n=20)[-1], "ms")


def _in_turns(asker: Server, alone: Server, paths: Sequence[str]) -> tuple[list[float], list[float]]:
    """Returns the milliseconds that each of the two took for each path, without the first few, which open connections."""
    taken: list[float] = []
    without: list[float] = []
    for turn, path in enumerate(paths):
        both = ((asker, taken), (alone, without))
        for server, times in both if turn % 2 else reversed(both):
            times.extend(latencies(server.port, [path], 307))
    return taken[10:], without[10:]


def _peers(count: int) -> str:
    return f"{count} peer{'s' if count > 1 else ''}"
