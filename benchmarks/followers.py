"""Hosts that download one file at the same moment over a LAN that is no faster than the WAN, or has a slow host."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.stock import Stock
from benchmarks.wan import Far, Wan, wait_until_known
from tests.e2e.lab import Link

_KNOWN_TIMEOUT = 40.0
# The kinds of packages: their bytes, and how many there are.
LONG, _SHORT = "shared", "followed"
KINDS = {LONG: (25_000_000, 1), _SHORT: (10_000_000, 1)}
# Seconds between the beginnings of the first hosts, where a certain one is to be in the middle of the tree: the second follows the first, and the
# others come when both give.
_PAUSES = (0.3, 0.3)
# Seconds that the last host may take with a fast LAN, as before a host's uplink was measured.
_FAST_LAN = 5.0


@dataclass(frozen=True, slots=True)
class Network:
    """
    A LAN and its way out.

    Attributes:
        lan: The rate of each host's cable in Mbit/s; `slow` that of the second host where it is another one.
        wan: The rate of the way to the mirror.
        kind: The kind of package that is downloaded.
        most: The aim for the last host in seconds; None for none.
    """

    hosts: int
    lan: float
    wan: float
    kind: str = LONG
    slow: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        rates = f"LAN {self.lan:.0f} and WAN {self.wan:.0f} Mbit/s"
        return f"{self.hosts} hosts, {rates}, {KINDS[self.kind][0] / 1e6:.0f} MB" + (f", one host on {self.slow:.0f} Mbit/s" if self.slow else "")


_EQUAL = (Network(8, 50, 50, most=10.0), Network(16, 10, 10, _SHORT))
_FAST = Network(8, 1000, 50, most=_FAST_LAN)
_WITH_SLOW = Network(8, 1000, 50, slow=10)


def measure(lab: Lab, stock: Stock, benchmark: str) -> Iterator[Result]:
    """
    Measures the time until the last host has the file, and the bytes from the mirror.

    With a slow host in the middle of the tree the others are measured, beside the last host without it.

    Args:
        stock: Packages of these kinds.
        benchmark: The name under which the results are shown.
    """
    for network in _EQUAL[:1] if lab.quick else _EQUAL:
        times, ratio = _download(lab, stock, network)
        aim = None if network.most is None else Aim(network.most, least=False)
        yield Result(benchmark, f"{network}, last", max(times), "s", aim=aim)
        yield Result(benchmark, f"{network}, median", statistics.median(times), "s")
        yield Result(benchmark, f"{network}, WAN bytes for each of the payload", ratio, "", aim=Aim(1.03, least=False))
    if lab.quick:
        return
    times, ratio = _download(lab, stock, _FAST)
    without = max(times)
    yield Result(benchmark, f"{_FAST}, last", without, "s", aim=Aim(_FAST_LAN, least=False))
    yield Result(benchmark, f"{_FAST}, WAN bytes for each of the payload", ratio, "", aim=Aim(1.03, least=False))
    times, ratio = _download(lab, stock, _WITH_SLOW)
    others = max(taken for number, taken in enumerate(times) if number != 1)
    what = f"{_WITH_SLOW}, last of the others (beside: without it)"
    yield Result(benchmark, what, others, "s", without, others / without, Aim(1.5, least=False, of_ratio=True))
    yield Result(benchmark, f"{_WITH_SLOW}, WAN bytes for each of the payload", ratio, "", aim=Aim(1.03, least=False))


def _download(lab: Lab, stock: Stock, network: Network) -> tuple[list[float], float]:
    """Returns the seconds of each host, and the bytes that the mirror sent for each of the payload."""
    name = stock.names(network.kind)[0]
    with Wan(lab, stock, [Far(Link(network.wan))], hosts=network.hosts) as wan:
        wan.start_daemons("--multicast")
        wait_until_known(wan.lan.hosts, _KNOWN_TIMEOUT)
        for number, host in enumerate(wan.lan.hosts):
            wan.lan.limit_port(host, network.slow if network.slow and number == 1 else network.lan)
        times = wan.together(name, _PAUSES if network.lan > network.wan else ())
        return times, wan.sent() / stock.package(name).size
