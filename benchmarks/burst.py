"""Many requests at once, and many in a row: the time that they take, and files that a peer has but that are not found there."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from benchmarks import unconnected
from benchmarks.lab import Lab
from benchmarks.load import Client, latencies
from benchmarks.packages import package_name, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch

BURST = "burst"
NOT_FOUND = "not-found"
_PEERS = 30
_SIZE = 20_000  # more than what is never redirected
# Requests of a burst, each on a connection of its own.
_BURST_SIZE = 30
# Peers that hold a file of a burst.
_HOLDERS = 3
# Bursts after each start; the first one waits for the sync database.
_BURSTS = 6
# Connections of pacman at the same time, as its documentation recommends.
_CONNECTIONS = 5


def measure_burst(lab: Lab) -> Iterator[Result]:
    """
    Measures the time until 30 simultaneous connections have their answers; each asks for another file, which three of 30 peers hold.

    It is measured with open connections to the peers, as after a question a moment ago; without, as after a quiet minute; and right after the start,
    when everything waits for the sync database to be read, which has nothing to do with peers.
    """
    starts = 1 if lab.quick else 3
    bursts = [[f"burst-{burst}-file-{number}" for number in range(_BURST_SIZE)] for burst in range(_BURSTS)]
    every = [package for burst in bursts for package in burst]
    random = Random(1)
    held, mirror, cache = _folders(lab), lab.path("mirror"), lab.path("cache")
    for package in every:
        for folder in (mirror, *random.sample(held, _HOLDERS)):
            write_package(folder, package, _SIZE)
    own = write_package(cache, "own", _SIZE)
    reference = lab.nginx(mirror)
    configuration = lab.configuration("asker", cache, f"http://127.0.0.1:{reference.port}", dict.fromkeys((*every, "own"), _SIZE))
    lab.settle()
    peers = tuple(lab.peers(held))
    starting: list[float] = []
    wrong = 0
    for module, what in (("pacserve", "connected"), ("benchmarks.unconnected", "no connection open")):
        later: list[float] = []
        for _ in range(starts):
            asker = lab.pacserve(cache, configuration, peers=peers, launch=Launch((), module))
            for number, packages in enumerate(bursts):
                if number == 1:
                    latencies(asker.port, [request_path(own)], 200)  # now the sync database is read, and no peer has been asked
                if module != "pacserve" and number > 0:
                    time.sleep(2 * unconnected.IDLE)
                taken, answers = _burst(asker.port, [request_path(package_name(package)) for package in packages])
                (later if number else starting).append(taken)
                wrong += sum(not _is_of_a_peer(answer, reference.port) for answer in answers)
            asker.stop()
        yield Result(BURST, f"{_BURST_SIZE} files of {_PEERS} peers, {what}, median", statistics.median(later), "ms", aim=Aim(60.0, least=False))
        yield Result(BURST, f"{_BURST_SIZE} files of {_PEERS} peers, {what}, worst", max(later), "ms")
    yield Result(BURST, f"{_BURST_SIZE} files of {_PEERS} peers, sync database not yet read", statistics.median(starting), "ms")
    yield Result(BURST, f"wrong 'not found' in {2 * starts * len(every)} of these", wrong, "answers", aim=Aim(0, least=False))


def measure_not_found(lab: Lab) -> Iterator[Result]:
    """
    Counts how often pacman is redirected to the mirror although a peer has the file.

    First 1,000 files, each held by one of 30 peers, on five connections.  Then files that appeared in a peer's cache after its inventory was read,
    one after the other: only a question to all peers can find them.
    """
    asked, late = (200, 60) if lab.quick else (1000, 200)
    held, mirror, cache = _folders(lab), lab.path("mirror"), lab.path("cache")
    reference = lab.nginx(mirror)
    known, unknown = [f"known-{number}" for number in range(asked)], [f"unknown-{number}" for number in range(late)]
    _spread(known, held, mirror)
    sizes = dict.fromkeys((*known, *unknown), _SIZE)
    configuration = lab.configuration("asker", cache, f"http://127.0.0.1:{reference.port}", sizes)
    lab.settle()
    asker = lab.pacserve(cache, configuration, peers=tuple(lab.peers(held)))

    def wrong(packages: Sequence[str]) -> int:
        with Client(asker.port) as client:
            answers = [client.ask(request_path(package_name(package))) for package in packages]
        return sum(not _is_of_a_peer(answer.text, reference.port) for answer in answers)

    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        found = sum(threads.map(wrong, (known[number::_CONNECTIONS] for number in range(_CONNECTIONS))))
    yield Result(NOT_FOUND, f"wrong in {asked:,}, each held by one of {_PEERS} peers", found, "answers", aim=Aim(0, least=False))
    _spread(unknown, held, mirror)
    lab.settle()
    yield Result(NOT_FOUND, f"wrong in {late}, newer than each inventory", wrong(unknown), "answers")


def _folders(lab: Lab) -> list[Path]:
    return [lab.path(f"held-{number}") for number in range(_PEERS)]


def _spread(packages: Sequence[str], folders: Sequence[Path], mirror: Path) -> None:
    """Writes each package into one of the folders, and into the mirror's."""
    for number, package in enumerate(packages):
        write_package(folders[number % len(folders)], package, _SIZE)
        write_package(mirror, package, _SIZE)


def _burst(port: int, paths: Sequence[str]) -> tuple[float, list[str]]:
    """Returns the milliseconds until all paths are answered, each on a connection of its own, and the heads of the answers."""
    request = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n"
    answers: list[str] = []
    connections: list[socket.socket] = []
    began = time.perf_counter()
    try:
        for path in paths:
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=20))
            connections[-1].sendall(request.format(path).encode())
        for connection in connections:
            received = b""
            while b"\r\n\r\n" not in received:
                data = connection.recv(65536)
                if not data:
                    raise BenchmarkError("a request of a burst was not answered")
                received += data
            answers.append(received.decode("latin-1"))
        return (time.perf_counter() - began) * 1000, answers
    finally:
        for connection in connections:
            connection.close()


def _is_of_a_peer(answer: str, mirror: int) -> bool:
    """Returns whether an answer redirects pacman to a peer, rather than to the mirror at this port or to no host."""
    location = next((line for line in answer.split("\r\n") if line.lower().startswith("location:")), "")
    return " 307 " in answer.partition("\r\n")[0] and bool(location) and f"://127.0.0.1:{mirror}/" not in location
