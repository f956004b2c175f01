"""Made-up peers that change all the time: the CPU and the memory that they cost every other pacserve of the LAN."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import Lab, free_port
from benchmarks.load import latencies
from benchmarks.network import Network
from benchmarks.packages import NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import Launch, Server

NAME = "hostile"
_SIZE = 20_000
_PROGRAM = Path(__file__).parents[1] / "tests" / "e2e" / "lab" / "changing_peers.py"
# Ports of one address, and the names that each of them lists: as many as a list may have, and as many as are short enough to be read.
_PEERS, _NAMES = 16, (99_999, 36_000)
# Seconds of the attack, and after it: the attackers are noticed to have gone within three silences, and the memory is to be back a minute later.
_ATTACK, _AFTER = 60.0, 60.0
# Seconds after which all work that a start causes has ended.
_IDLE_AFTER = 3.0


def measure(lab: Lab) -> Iterator[Result]:
    """Measures a daemon alone, while sixteen made-up peers at one address list other names with each poll, and a minute after they have gone."""
    network = lab.network(2)
    for names in _NAMES:
        yield from _attacked(lab, network, names)


def _attacked(lab: Lab, network: Network, names: int) -> Iterator[Result]:
    here, there = network.hosts
    cache = lab.path(f"cache{names}")
    name = write_package(cache, "small", _SIZE)
    daemon = lab.pacserve(cache, lab.configuration(f"daemon{names}", cache, NO_MIRROR), host=here, launch=Launch(("--multicast",)))
    lab.settle()
    here.call(lambda: latencies(daemon.port, [request_path(name)], 200))
    time.sleep(_IDLE_AFTER)
    idle = daemon.resident()
    program = (sys.executable, str(_PROGRAM), there.address, str(_PEERS), str(names))
    attacker = lab.run(Server(there.entering(program), free_port(), lab.folder / f"changing{names}.log"))
    attacker.wait_for_log("/info")
    began, before, most, taken = time.monotonic(), daemon.cpu(), 0.0, []
    while time.monotonic() - began < (20.0 if lab.quick else _ATTACK):
        most = max(most, daemon.resident())
        taken += here.call(lambda: latencies(daemon.port, [request_path(name)], 200))
        time.sleep(0.1)
    share = (daemon.cpu() - before) / (time.monotonic() - began)
    polls = attacker.log.read_text("utf-8").count("/info")
    attacker.stop()
    what = f"{names:,} names"
    time.sleep(_AFTER)
    yield Result(NAME, f"{what}, CPU, {polls} polls", share * 100, "% of a core", aim=Aim(10.0, least=False))
    yield Result(NAME, f"{what}, lookup, median", sorted(taken)[len(taken) // 2], "ms", aim=Aim(5.0, least=False))
    yield Result(NAME, f"{what}, lookup, worst", max(taken), "ms", aim=Aim(100.0, least=False))
    yield Result(NAME, f"{what}, memory over idle, most", most - idle, "MB", aim=Aim(40.0, least=False))
    yield Result(NAME, f"{what}, memory over idle, a minute after", daemon.resident() - idle, "MB", aim=Aim(10.0, least=False))
    daemon.stop()
