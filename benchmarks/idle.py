"""The traffic of a LAN of daemons when nothing happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

from benchmarks.lab import Lab
from benchmarks.network import DEVICE, Host
from benchmarks.packages import NO_MIRROR, write_package
from benchmarks.report import Result
from benchmarks.servers import Launch
from pacserve.config.settings import DEFAULT_MULTICAST_INTERVAL

NAME = "idle"
_HOSTS = 8
# Seconds between two announcements.
_INTERVAL = 5.0
# The number of intervals in which packets are counted.
_INTERVALS = 4
# Seconds after which no daemon has any more questions; the second announcement of a start comes within this time.
_SETTLING_TIME = 6.0
_KINDS = ("udp", "tcp")
_SENT, _RECEIVED = f'oifname "{DEVICE}"', f'iifname "{DEVICE}" fib saddr type != local'  # a host hears its own multicast
_RULES = "; ".join(
    [
        "add table inet count",
        "add chain inet count out { type filter hook output priority 0; }",
        "add chain inet count in { type filter hook input priority 0; }",
        *(f'add rule inet count out {_SENT} meta l4proto {kind} counter comment "{kind} sent"' for kind in _KINDS),
        *(f'add rule inet count in {_RECEIVED} meta l4proto {kind} counter comment "{kind} received"' for kind in _KINDS),
    ]
)


def measure(lab: Lab) -> Iterator[Result]:
    """
    Counts the IP packets, with their headers, of eight daemons that know each other by IPv4 and IPv6, in the kernel of each host.

    The daemons announce themselves more often than usual, so that half a minute covers several intervals.  An idle daemon does everything once an
    interval, so the figures are scaled to the usual interval.  Idle connections are closed a minute after their last use, which is not counted.
    """
    network = lab.network(_HOSTS)
    intervals = 2 if lab.quick else _INTERVALS
    servers = []
    for host in network.hosts:
        cache = lab.path(f"cache-{host.number}")
        write_package(cache, f"package-{host.number}", 1000)
        configuration = lab.configuration(cache.name, cache, NO_MIRROR)
        options = ("--multicast", "--multicast-interval", str(_INTERVAL))
        servers.append(lab.pacserve(cache, configuration, host=host, launch=Launch(options), ready=False))
    for server in servers:
        server.wait_for_log(" holds ", _HOSTS - 1)
    time.sleep(_SETTLING_TIME)
    for host in network.hosts:
        host.run(["nft", _RULES])
    before, began = _counted(network.hosts), time.monotonic()
    time.sleep(intervals * _INTERVAL)
    after, seconds = _counted(network.hosts), time.monotonic() - began
    scale = 3600 / seconds * _INTERVAL / DEFAULT_MULTICAST_INTERVAL / _HOSTS
    for what, (packets, size) in after.items():
        name = f"{what.replace('tcp', 'HTTP').replace('udp', 'UDP')} per host and hour, {_HOSTS} hosts ({seconds:.0f} s at {_INTERVAL:g} s, scaled)"
        yield Result(NAME, name, (packets - before[what][0]) * scale, "packets")
        yield Result(NAME, name, (size - before[what][1]) * scale / 1000, "KB")


def _counted(hosts: Sequence[Host]) -> dict[str, tuple[int, int]]:
    """Returns the packets and bytes of all hosts, by the comment of the counter."""
    totals: dict[str, tuple[int, int]] = {}
    for host in hosts:
        for entry in json.loads(host.run("nft -j list table inet count").stdout)["nftables"]:
            if "rule" in entry:
                counter = next(part["counter"] for part in entry["rule"]["expr"] if "counter" in part)
                packets, size = totals.get(entry["rule"]["comment"], (0, 0))
                totals[entry["rule"]["comment"]] = packets + counter["packets"], size + counter["bytes"]
    return totals
