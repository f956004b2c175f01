"""The costs of knowing the files of a thousand peers: memory, and the time of a lookup, of a list and of a delta."""

from __future__ import annotations

import json
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice

from benchmarks.lab import Lab
from benchmarks.packages import package_name
from benchmarks.report import Aim, Result
from pacserve.peers.holdings import Holdings

NAME = "holdings"
_PEERS = 1000
# All packages in a LAN of Arch machines, and those that one of them has.
_NAMES = 20_000
_NAMES_OF_A_PEER = 3000
# Packages of an upgrade.
_DELTA = 30
_EVERYWHERE = package_name("held-by-everyone")
# Holders that a lookup takes.
_HOLDERS_TAKEN = 8


def measure(lab: Lab) -> Iterator[Result]:
    """Measures the holdings in this process, without a daemon; each peer's names are new strings, as they are when they come from JSON."""
    peers = 100 if lab.quick else _PEERS
    lists = _Lists()
    holdings = Holdings()
    tracemalloc.start()
    for slot in range(peers):
        holdings.replace(slot, lists.another())
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    yield Result(NAME, f"{peers:,} peers x {_NAMES_OF_A_PEER:,} names", memory / 1e6, "MB", aim=Aim(20.0, least=False))

    some = lists.names[0]
    yield Result(NAME, "lookup, all holders", _median(lambda _: _all(holdings, some)) * 1e6, "us", aim=Aim(100.0, least=False))
    for slot in range(peers):
        holdings.update(slot, {_EVERYWHERE: 1}, ())
    yield Result(NAME, "lookup, all peers hold it", _median(lambda _: _all(holdings, _EVERYWHERE)) * 1e6, "us", aim=Aim(100.0, least=False))
    spread = _median(lambda turn: _few(holdings, turn % peers))
    yield Result(NAME, f"lookup, {_HOLDERS_TAKEN} of them from some peer on", spread * 1e6, "us", aim=Aim(100.0, least=False))

    again = [lists.another() for _ in range(20)]
    yield Result(NAME, "a list in the place of another", _median(lambda turn: holdings.replace(turn, again[turn]), len(again)) * 1e3, "ms")
    deltas = [lists.delta() for _ in range(100)]
    yield Result(NAME, f"a delta of {_DELTA} and {_DELTA} names", _median(lambda turn: holdings.update(turn, *deltas[turn]), len(deltas)) * 1e6, "us")


class _Lists:
    """
    Inventories, the same ones in each run.

    Attributes:
        names: The file names of all packages.
    """

    def __init__(self) -> None:
        self._random = random.Random(1)
        self.names = [package_name(f"package-with-a-name-{number:05}") for number in range(_NAMES)]
        self._sizes = {name: self._random.randrange(1000, 1 << 28) for name in self.names}

    def another(self) -> dict[str, int]:
        """Returns the files of a peer, with their sizes."""
        return self._some(_NAMES_OF_A_PEER)

    def delta(self) -> tuple[dict[str, int], list[str]]:
        """Returns the files that a peer adds, with their sizes, and the names of those that it removes."""
        return self._some(_DELTA), list(self._some(_DELTA))

    def _some(self, count: int) -> dict[str, int]:
        read: dict[str, int] = json.loads(json.dumps({name: self._sizes[name] for name in self._random.sample(self.names, count)}))
        return read


def _all(holdings: Holdings, name: str) -> None:
    for _ in holdings.holders(name):
        pass


def _few(holdings: Holdings, start: int) -> None:
    for _ in islice(holdings.holders(_EVERYWHERE, start), _HOLDERS_TAKEN):
        pass


def _median(work: Callable[[int], None], repetitions: int = 1000) -> float:
    """Returns the median time of `work` in seconds; `work` is passed the number of the repetition."""
    taken = []
    for turn in range(repetitions):
        began = time.perf_counter()
        work(turn)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
