"""The time that this host's own pacman waits while other hosts attack its daemon."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.load import Client
from benchmarks.network import DEVICE
from benchmarks.packages import NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch
from tests.e2e.lab.attackers import ATTACKS, attack_command

NAME = "attacked"
_ROOT = Path(__file__).parents[1]
_SIZE = 20_000
_SOURCES = 17
# Attacks that a single address is too few for.
_BY_ALL = frozenset({"all connections are taken", "250 connections ask"})
# Milliseconds between two lookups: those of a transaction with small packages.
_PAUSE = 0.005
_MEDIAN, _WORST = Aim(5.0, least=False), Aim(100.0, least=False)


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures lookups of a file in the daemon's own cache, over loopback, each on a connection of its own.

    The daemon has a core, the attackers the other one.  The client comes before them there, so that the daemon's time is measured and not that of
    a client that waits for a core.
    """
    victim, attacker = lab.network(2).hosts
    cache = lab.path("cache")
    names = [write_package(cache, f"package-{number}", _SIZE) for number in range(20)]
    lab.settle()
    configuration = lab.configuration("victim", cache, NO_MIRROR)
    server = lab.pacserve(cache, configuration, host=victim, launch=Launch(core=lab.server_core))
    sources = [f"10.79.1.{number}" for number in range(1, _SOURCES + 1)]
    for source in sources:
        attacker.run(f"ip addr add {source}/16 dev {DEVICE}")
    seconds = 3.0 if lab.quick else 10.0
    paths = [request_path(name) for name in names]
    bound = () if lab.client_core is None else ("taskset", "--cpu-list", str(lab.client_core))
    yield from _figures("idle", _lookups(victim.entering(()), lab, server.port, seconds, paths))
    for attack in ATTACKS:
        by = sources if attack in _BY_ALL else sources[:1]
        process = attacker.spawn([*bound, *attack_command(attack, victim.address, server.port, seconds + 2, by)])
        time.sleep(1)
        before, began = server.cpu(), time.monotonic()
        taken = _lookups(victim.entering(()), lab, server.port, seconds, paths)
        busy = (server.cpu() - before) / (time.monotonic() - began)
        process.wait()
        what = attack if len(by) == 1 else f"{attack} by {len(by)} addresses"
        yield from _figures(what, taken)
        yield Result(NAME, f"{what}: CPU of the daemon", busy * 100, "% of a core")


def _figures(what: str, taken: Sequence[float]) -> Iterator[Result]:
    yield Result(NAME, f"{what}: median of {len(taken)} lookups", statistics.median(taken), "ms", aim=_MEDIAN)
    yield Result(NAME, f"{what}: worst", max(taken), "ms", aim=_WORST)


def _lookups(within: Sequence[str], lab: Lab, port: int, seconds: float, paths: Sequence[str]) -> list[float]:
    """Returns the milliseconds that lookups take, as a process in the victim's namespace that is bound to its core measures them."""
    bound = () if lab.client_core is None else ("taskset", "--cpu-list", str(lab.client_core))
    command = [
        *within,
        *bound,
        "chrt",
        "--fifo",
        "10",
        "env",
        f"PYTHONPATH={_ROOT}",
        sys.executable,
        "-m",
        "benchmarks.attacked",
        str(port),
        str(seconds),
        *paths,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"the lookups have failed: {done.stderr[-2000:]}")
    return [float(taken) for taken in done.stdout.split()]


def main(port: int, seconds: float, paths: Sequence[str]) -> None:
    """
    Prints the milliseconds of one lookup after the other.

    Raises:
        BenchmarkError: One was not answered with the file.
    """
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:
        path = paths[number % len(paths)]
        number += 1
        began = time.perf_counter()
        with Client(port) as client:
            answer = client.ask(path)
            taken = (time.perf_counter() - began) * 1000
            client.discard(answer.left)
        if answer.status != 200:
            raise BenchmarkError(f"{path}: {answer.text}")
        print(taken)
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
