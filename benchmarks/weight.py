"""Memory when nothing happens, and the time that the daemon and pacsrv take to start."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.lab import Lab, free_port, wait_for_port
from benchmarks.load import latencies
from benchmarks.packages import DATABASE_PACKAGES, NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import Launch, pacserve

MEMORY = "memory"
START = "start"
_SIZE = 20_000
# The modules that pacsrv has imported when it runs pacman, and those of Twisted that it would need to ask the daemon.
_PACSRV = "import pacserve.cli.pacsrv, pacserve.pacsrv.wrapper, pacserve.pacsrv.pacman"
_TWISTED = f"{_PACSRV}, twisted.internet.reactor, twisted.web.client"
# Seconds after which all work that a start causes has ended.
_IDLE_AFTER = 3.0


def measure_memory(lab: Lab) -> Iterator[Result]:
    """Measures the resident memory of a daemon that has answered a request, without a sync database and with a large one."""
    cache = lab.path("cache")
    name = write_package(cache, "small", _SIZE)
    for label, sizes in (("no sync database", None), (f"a sync database of {DATABASE_PACKAGES:,} packages", {"small": _SIZE})):
        daemon = lab.pacserve(cache, lab.configuration(label.split()[0], cache, NO_MIRROR, sizes))
        lab.settle()
        latencies(daemon.port, [request_path(name)], 200)
        time.sleep(_IDLE_AFTER)
        yield Result(MEMORY, f"idle, {label}", daemon.resident(), "MB", aim=Aim(60.0, least=False))
        daemon.stop()


def measure_start(lab: Lab) -> Iterator[Result]:
    """
    Measures the time from the start of the daemon to the first byte of its answer to a request for a file in the cache, with `.pyc` files.

    Then the time of pacsrv until it could run pacman, beside the same with the Twisted modules that it does without.
    """
    cache = lab.path("cache")
    name = write_package(cache, "small", _SIZE)
    configuration = lab.configuration("daemon", cache, NO_MIRROR, {"small": _SIZE})
    bytecode = lab.path("bytecode")
    log = lab.folder / "pacserve.log"
    lab.settle()

    def once() -> float:
        daemon = lab.run(pacserve(log, configuration, cache, free_port(), launch=Launch(("--bind", "127.0.0.1"), bytecode=bytecode)))
        wait_for_port(daemon)
        latencies(daemon.port, [request_path(name)], 200)
        taken = time.perf_counter() - daemon.started
        daemon.stop()
        return taken

    once()  # writes the .pyc files
    taken = statistics.median(once() for _ in range(3 if lab.quick else 9))
    yield Result(START, "until the first answer", taken, "s", aim=Aim(0.4, least=False))

    def imported(statement: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - began

    for statement in (_PACSRV, _TWISTED):
        imported(statement)  # writes the .pyc files
    pairs = [(imported(_PACSRV), imported(_TWISTED)) for _ in range(5 if lab.quick else 21)]
    ours, theirs = (statistics.median(times) * 1e3 for times in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    yield Result(START, "pacsrv until it runs pacman (beside: with Twisted)", ours, "ms", theirs, ratio, Aim(120, least=False))
