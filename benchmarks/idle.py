"""What a LAN of daemons says when nothing happens."""

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
# Seconds.
_INTERVAL = 5.0
# Intervals in which is counted.
_INTERVALS = 4
# Seconds after which nobody has anything more to ask; those to the second announcement of a start are among them.
_SETTLED = 6.0
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
    The IP packets (with their headers) of eight daemons that know each other, by IPv4 and IPv6, counted by the kernel of each host.

    They announce themselves more often than usual, so that what is counted in half a minute is that of several intervals.  All that a daemon does
    when it is idle is done once an interval, and so the figures are scaled to the usual one.  Idle connections are closed a minute after they were
    used; that is not in the figures.
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
    time.sleep(_SETTLED)
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
    """Packets and bytes of all hosts, by what was counted."""
    totals: dict[str, tuple[int, int]] = {}
    for host in hosts:
        for entry in json.loads(host.run("nft -j list table inet count").stdout)["nftables"]:
            if "rule" in entry:
                counter = next(part["counter"] for part in entry["rule"]["expr"] if "counter" in part)
                packets, size = totals.get(entry["rule"]["comment"], (0, 0))
                totals[entry["rule"]["comment"]] = packets + counter["packets"], size + counter["bytes"]
    return totals
