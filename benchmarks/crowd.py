"""A daemon in a LAN of a thousand: the memory and the time that it takes to know them."""

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
from benchmarks.simulated import PEERS_MOST
from tests.e2e.lab.namespace import sh

NAME = "crowd"
_SIZE = 20_000
# The addresses of the peers, in the network of the hosts.
_PEERS_NETWORK = "10.79.4.0/22"
# Seconds after which everything that a start sets off has ended.
_IDLE_AFTER = 3.0
# Seconds for the whole of it, several times what is needed.
_PATIENCE = 90.0
_KNOWN = re.compile(r"peer (\S+) (?:holds|is asked)")
_LISTED = re.compile(r"peer (\S+) holds")


def measure(lab: Lab) -> Iterator[Result]:
    """
    One process has the addresses of a thousand peers, each of which holds 3,000 of 20,000 packages, and announces all of them within some seconds.

    The memory is that of the same daemon before and after, with the connections to the peers, which it closes when they are idle for a while.  The
    time is from the first announcement to the line of the last peer in its log; most of it is waiting, so that a LAN is not flooded with questions.
    """
    peers = 100 if lab.quick else PEERS_MOST
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
    # A command does not start in the folder of this one, once it is in another namespace.
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
    """Waits for the daemon to know all peers, and gives how many it knows and the seconds that took."""
    while True:
        daemon.check()
        crowd.check()
        known = len(set(_KNOWN.findall(daemon.log.read_text("utf-8"))))
        taken = time.monotonic() - began
        if known == peers:
            return known, taken
        if taken > _PATIENCE:
            raise BenchmarkError(f"after {taken:.0f} s {known:,} of {peers:,} peers are known")
        time.sleep(0.1)


def _need_neighbours(peers: int) -> None:
    """
    Makes sure that the kernel has room for their link-layer addresses.

    Raises:
        SkippedError: It has not.
    """
    most = int(sh("sysctl -n net.ipv4.neigh.default.gc_thresh3").stdout)
    if most < peers:
        raise SkippedError(f"the kernel remembers {most:,} neighbours: raise the sysctl net.ipv4.neigh.default.gc_thresh3")
