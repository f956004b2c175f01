"""The cost of a peer that leaves or replaces its list, for the reactor, by the names that all peers hold together."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from benchmarks.lab import Lab
from benchmarks.packages import package_name
from benchmarks.report import Aim, Result
from pacserve.peers.holdings import Holdings

NAME = "leaving"
SIZES = (20_000, 200_000)
_NAMES_OF_A_PEER = 3000
_CROWD = 1000
_LEAVING = 20


def measure(lab: Lab) -> Iterator[Result]:
    """Measures what a peer that leaves costs at once and in the longest step after it, and a thousand that leave together."""
    for size in SIZES:
        left, swept = leave(size)
        yield Result(NAME, f"a peer leaves, {size:,} names are known", left * 1e3, "ms", aim=Aim(1.0, least=False))
        yield Result(NAME, f"the longest step after that, {size:,} names", swept * 1e3, "ms", aim=Aim(1.0, least=False))
    peers = _CROWD // 10 if lab.quick else _CROWD
    yield Result(NAME, f"{peers:,} peers leave at once, all steps", crowd(peers), "s")


def costs() -> list[tuple[int, float]]:
    """Returns the CPU seconds that a peer that leaves costs at once, by the names that are known."""
    return [(size, leave(size)[0]) for size in SIZES]


def leave(size: int) -> tuple[float, float]:
    """Returns the median CPU seconds of a peer that leaves when so many names are known, and those of the longest steps of the sweeps after it."""
    holdings, names = Holdings(most=size, most_per_address=size, usual=size), _names(size)
    for slot in range(size // _NAMES_OF_A_PEER + 1):
        holdings.replace(slot, _list(names[slot * _NAMES_OF_A_PEER : (slot + 1) * _NAMES_OF_A_PEER]))
    left, steps = [], []
    for slot in range(_LEAVING):
        holdings.replace(1000 + slot, _list(Random(slot).sample(names, _NAMES_OF_A_PEER)))
        left.append(_taken(partial(holdings.clear, 1000 + slot)))
        longest, more = 0.0, True
        while more:
            began = time.thread_time()
            more = holdings.sweep()
            longest = max(longest, time.thread_time() - began)
        steps.append(longest)
    return statistics.median(left), statistics.median(steps)


def crowd(peers: int) -> float:
    """Returns the CPU seconds in which so many peers leave at once, the sweep after them included."""
    holdings, names = Holdings(), _names(SIZES[0])
    for slot in range(peers):
        holdings.replace(slot, _list(Random(slot).sample(names, _NAMES_OF_A_PEER)))
    began = time.thread_time()
    for slot in range(peers):
        holdings.clear(slot)
    while holdings.sweep():
        pass
    return time.thread_time() - began


def _names(size: int) -> list[str]:
    return [package_name(f"package-with-a-name-{number:06}") for number in range(size)]


def _list(names: list[str]) -> dict[str, int]:
    """Returns an inventory whose names are new strings, as they are when they come from JSON."""
    read: dict[str, int] = json.loads(json.dumps(dict.fromkeys(names, 1)))
    return read


def _taken(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
