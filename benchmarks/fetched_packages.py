"""The CPU time of the daemon for each small package that it fetches: with many in a row, and with a spool that is full of others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from benchmarks.fetching import copy_databases, write_mirror
from benchmarks.lab import Lab, free_port, wait_for_port
from benchmarks.load import latencies
from benchmarks.packages import request_path, write_package
from benchmarks.servers import Launch, nginx

_SIZE = 20_000
_ROWS = (300, 1500)
_OLD_FILES = (300, 20_000)
_INTO_FULL = 300
# Seconds after which the daemon has done what a request leads to.
_SETTLED = 1.0
_runs = count()


def in_a_row(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the CPU seconds of a package, by the number of packages that are fetched one after the other."""
    return [(packages, _fetched(lab, packages, 0)) for packages in _ROWS]


def into_a_full_spool(lab: Lab) -> Sequence[tuple[int, float]]:
    """Returns the CPU seconds of a package, by the number of files in a spool that has no room for another one."""
    return [(old, _fetched(lab, _INTO_FULL, old)) for old in _OLD_FILES]


def _fetched(lab: Lab, packages: int, old: int) -> float:
    """Returns the CPU seconds for each of some packages, of a new daemon whose spool has a number of old files and is full with them."""
    run = f"fetched-{next(_runs)}"
    mirror, cache, spool = lab.path(f"{run}-mirror"), lab.path(f"{run}-cache"), lab.path(f"{run}-spool")
    names = write_mirror(mirror, _SIZE, packages)
    server = lab.run(nginx(lab.folder / f"{run}-nginx", mirror, free_port(), lab.client_core))
    wait_for_port(server)
    own = write_package(cache, "own", 1000)
    configuration = lab.configuration(run, cache, f"http://127.0.0.1:{server.port}")
    copy_databases(lab.folder / f"{run}.db", mirror)
    options = ["--misses", "fetch", "--spool", str(spool)]
    if old:
        _fill(spool, old)
        options += ["--spool-size", str(old * _SIZE)]
    lab.settle()
    daemon = lab.pacserve(cache, configuration, launch=Launch(tuple(options), core=lab.server_core))
    latencies(daemon.port, [request_path(own)], 200)
    time.sleep(_SETTLED)
    before = daemon.cpu()
    latencies(daemon.port, [request_path(name) for name in names], 200)
    time.sleep(_SETTLED)
    cost = (daemon.cpu() - before) / packages
    daemon.stop()
    server.stop()
    return cost


def _fill(spool: Path, old: int) -> None:
    """Fills a spool with old files, as a daemon that ended as it should has left it."""
    (spool / "pkg").mkdir()
    for name in (".pacserve-spool", ".clean"):
        (spool / name).touch()
    for number in range(old):
        (spool / "pkg" / f"old-{number:05}-1-1-any.pkg.tar.zst").write_bytes(bytes(_SIZE))
