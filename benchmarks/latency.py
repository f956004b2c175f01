"""What pacman waits for when a peer has the file: the question to the peer that confirms it, among ever more peers."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.lab import Lab
from benchmarks.load import latencies
from benchmarks.packages import NO_MIRROR, package_name, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import Server

NAME = "latency"
_COUNTS = (1, 8, 30)
_SIZE = 1000
# Daemons that start at the same time: they take all cores for a moment.
_AT_ONCE = 4


def measure(lab: Lab) -> Iterator[Result]:
    """
    Each request is for another file, which one of the peers holds.

    Every peer is a daemon of its own.  The value is the whole time from the request to the redirect, so that it is what a hit on a peer adds to
    fetching from that peer at once.
    """
    counts = _COUNTS[:2] if lab.quick else _COUNTS
    asked = 100 if lab.quick else 300
    held = [lab.path(f"held-{number}") for number in range(counts[-1])]
    for folder_number, folder in enumerate(held):
        for number in range(asked):
            write_package(folder, f"peer-{folder_number}-file-{number}", _SIZE)
    lab.settle()
    peers: list[Server] = []
    for begin in range(0, len(held), _AT_ONCE):
        batch = held[begin : begin + _AT_ONCE]
        started = [lab.pacserve(folder, lab.configuration(folder.name, folder, NO_MIRROR), ready=False) for folder in batch]
        for peer in started:
            peer.wait_for_log("listens on")
        peers += started
    cache = lab.path("cache")
    configuration = lab.configuration("asker", cache, NO_MIRROR, {})
    for count in counts:
        asker = lab.pacserve(cache, configuration, peers=tuple(peers[:count]))
        names = [package_name(f"peer-{number % count}-file-{number}") for number in range(asked)]
        latencies(asker.port, [request_path(name) for name in names[:count]], 307)
        taken = latencies(asker.port, [request_path(name) for name in names[count:]], 307)
        asker.stop()
        what = f"hit among {count} peer{'s' if count > 1 else ''}"
        yield Result(NAME, f"{what}, median", statistics.median(taken), "ms", aim=Aim(2.0, least=False))
        yield Result(NAME, f"{what}, 95 of 100", statistics.quantiles(taken, n=20)[-1], "ms")
