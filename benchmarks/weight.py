"""Memory when nothing happens, and the time that a start takes."""

from __future__ import annotations

import statistics
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
# Seconds after which everything that a start sets off has ended.
_IDLE_AFTER = 3.0


def measure_memory(lab: Lab) -> Iterator[Result]:
    """The resident memory of a daemon that has answered a request, without a sync database and with a large one."""
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
    """The time from the start of the process to the first byte of the answer to a request for a file in the cache, with `.pyc` files."""
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
