"""A daemon in a LAN of a thousand hosts: the memory and the time that it needs to know them all."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import Lab, free_port
from benchmarks.load import latencies
from benchmarks.network import DEVICE
from benchmarks.packages import NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch, Server, SkippedError
from benchmarks.simulated import MOST_PEERS
from tests.e2e.lab.namespace import sh

NAME = "crowd"
_SIZE = 20_000
# The addresses of the peers, in the network of the hosts.
_PEERS_NETWORK = "10.79.4.0/22"
# Seconds after which all work that a start causes has ended.
_IDLE_AFTER = 3.0
# Seconds until all peers must be known, several times the usual.
_DISCOVERY_TIMEOUT = 90.0
_KNOWN = re.compile(r"peer (\S+) (?:holds|is asked)")
_LISTED = re.compile(r"peer (\S+) holds")


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures the memory and time that a daemon needs for a thousand peers, each with 3,000 of 20,000 packages.

    One process has the addresses of all peers, and announces them within some seconds.  The memory is that of the same daemon before and after,
    including the connections to the peers, which it closes after a while.  The time is from the first announcement to the line of the last peer in
    the log; most of it is waiting, so that a LAN is not flooded with questions.
    """
    peers = 100 if lab.quick else MOST_PEERS
    _need_neighbours(peers)
    here, there = lab.network(2).hosts
    sh(f"ip -n {there.netns} route add local {_PEERS_NETWORK} dev lo")
    cache = lab.path("cache")
    name = write_package(cache, "small", _SIZE)
    configuration = lab.configuration("daemon", cache, NO_MIRROR, {"small": _SIZE})
    daemon = lab.pacserve(cache, configuration, host=here, launch=Launch(("--multicast",)))
    lab.settle()
    here.call(lambda: latencies(daemon.port, [request_path(name)], 200))
    time.sleep(_IDLE_AFTER)
    idle, cpu = daemon.resident(), daemon.cpu()
    program = (sys.executable, "-m", "benchmarks.simulated", _PEERS_NETWORK, str(peers), DEVICE)
    # In another namespace a command does not start in this folder.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    crowd = lab.run(Server(there.entering(program), free_port(), lab.folder / "simulated.log", environment=environment))
    crowd.wait_for_log("announces")
    began = time.monotonic()
    found, taken = _known(daemon, crowd, peers, began)
    time.sleep(_IDLE_AFTER)
    learnt = daemon.cpu() - cpu
    listed = len(set(_LISTED.findall(daemon.log.read_text("utf-8"))))
    what = f"{found:,} peers, {listed} inventories"
    yield Result(NAME, f"{what}, memory over idle", daemon.resident() - idle, "MB", aim=Aim(20.0, least=False))
    yield Result(NAME, f"{what}, until the last is known", taken, "s")
    yield Result(NAME, f"{what}, CPU to learn them", learnt, "CPU s")


def _known(daemon: Server, crowd: Server, peers: int, began: float) -> tuple[int, float]:
    """Waits until the daemon knows all peers, and returns their number and the seconds that this took."""
    while True:
        daemon.check()
        crowd.check()
        known = len(set(_KNOWN.findall(daemon.log.read_text("utf-8"))))
        taken = time.monotonic() - began
        if known == peers:
            return known, taken
        if taken > _DISCOVERY_TIMEOUT:
            raise BenchmarkError(f"after {taken:.0f} s {known:,} of {peers:,} peers are known")
        time.sleep(0.1)


def _need_neighbours(peers: int) -> None:
    """
    Makes sure that the kernel has room for the link-layer addresses of all peers.

    Raises:
        SkippedError: It has no room.
    """
    most = int(sh("sysctl -n net.ipv4.neigh.default.gc_thresh3").stdout)
    if most < peers:
        raise SkippedError(f"the kernel remembers {most:,} neighbours: raise the sysctl net.ipv4.neigh.default.gc_thresh3")
