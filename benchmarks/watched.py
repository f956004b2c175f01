"""The costs of being watched: redirects while the status page is open and Prometheus asks for the metrics."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.lab import Lab
from benchmarks.load import Client, latencies
from benchmarks.packages import NO_MIRROR, request_path, write_package
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, Launch, Server

NAME = "watched"
_SIZE = 20_000
_PEERS = 8
# Seconds between two requests for the metrics and for the page; Prometheus asks every 15.
_INTERVAL = 1.0


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures redirects to a peer without watchers, and while a page listens to /events and /metrics and / are asked for each second.

    Then the memory of the daemon with the page open.
    """
    cache, held = lab.path("cache"), lab.path("held")
    name = write_package(held, "on-a-peer", _SIZE)
    configuration = lab.configuration("asker", cache, "http://127.0.0.1:9", {"on-a-peer": _SIZE})
    lab.settle()
    holders = tuple(lab.pacserve(held, lab.configuration(f"peer{number}", held, NO_MIRROR)) for number in range(_PEERS))
    asker = lab.pacserve(cache, configuration, peers=holders, launch=Launch((), "benchmarks.forgetful", lab.server_core))
    path, count = request_path(name), 2_000 if lab.quick else 10_000
    alone, watched = [], []
    before = asker.resident()
    for _ in range(lab.repetitions):
        alone.append(_p99(asker, path, count))
        with _watching(asker):
            watched.append(_p99(asker, path, count))
    ratio = statistics.median(there / here for there, here in zip(watched, alone, strict=True))
    yield Result(NAME, "a redirect, p99, while watched (beside: not)", statistics.median(watched), "ms", statistics.median(alone), ratio)
    with _watching(asker):
        time.sleep(3 * _INTERVAL)
        yield Result(NAME, "memory with the page open", asker.resident(), "MB", before, asker.resident() / before, Aim(70.0, least=False))


def _p99(server: Server, path: str, count: int) -> float:
    taken = sorted(latencies(server.port, [path] * count, 307))
    return taken[int(len(taken) * 0.99)]


@contextmanager
def _watching(server: Server) -> Iterator[None]:
    """Keeps a page open, and asks for the metrics and the page each second."""
    over = threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        try:
            with Client(server.port) as client:
                while not over.wait(_INTERVAL):
                    for path in ("/metrics", "/"):
                        answer = client.ask(path)
                        client.discard(answer.left)
                        if answer.status != 200:
                            raise BenchmarkError(f"{path} is not answered well")
        except Exception as error:
            failures.append(error)

    def listen() -> None:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=_INTERVAL) as page:
                page.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while not over.is_set():
                    with suppress(TimeoutError):
                        if not page.recv(1 << 16):
                            raise BenchmarkError("the page was left alone")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for work in (ask, listen)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
    if failures:
        raise BenchmarkError(str(failures[0]))
