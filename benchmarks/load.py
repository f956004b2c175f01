"""Clients: wrk for many small answers, readers that discard large files, and a client that measures the time of each answer."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from benchmarks.servers import BenchmarkError, Server

CONNECTIONS = 32
_REQUESTS = re.compile(r"^\s*(\d+) requests in ([0-9.]+)(ms|s|m),", re.MULTILINE)
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_RECEIVE = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """
    The work of a server under load.

    Attributes:
        amount: The number of requests or bytes.
        cpu: The CPU seconds of the server.
    """

    amount: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Requests or bytes per second."""
        return self.amount / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds for each request or byte."""
        return self.cpu / self.amount


def requests(server: Server, path: str, seconds: float, core: int | None, *, keep_alive: bool = True) -> Load:
    """
    Sends the same request again and again, on `CONNECTIONS` connections at the same time.

    Args:
        keep_alive: False to open a connection for each request.

    Raises:
        BenchmarkError: Some requests were answered with errors.
    """
    bound = () if core is None else ("taskset", "--cpu-list", str(core))
    header = () if keep_alive else ("--header", "Connection: close")
    url = f"http://127.0.0.1:{server.port}{path}"
    # wrk takes whole seconds only.
    command = [*bound, "wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds:.0f}s", *header, url]
    before = server.cpu()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False, start_new_session=True)
    cpu = server.cpu() - before
    found = _REQUESTS.search(done.stdout)
    refused = _REFUSED.search(done.stdout)
    if done.returncode != 0 or found is None or int(found[1]) == 0:
        raise BenchmarkError(f"wrk has failed: {done.stdout}{done.stderr}")
    if refused is not None and int(refused[1]) > int(found[1]) / 1000:
        raise BenchmarkError(f"{refused[1]} of {found[1]} answers to {path} are errors")
    return Load(int(found[1]), float(found[2]) * _UNITS[found[3]], cpu)


def downloads(server: Server, path: str, clients: int, seconds: float, core: int | None) -> Load:
    """
    Fetches a file again and again with a number of clients at the same time.

    The clients let the kernel discard the bytes (MSG_TRUNC, see tcp(7)), so that the server is measured and not they.
    """
    before = server.cpu()
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        amounts = list(threads.map(_download_again, repeat(server.port, clients), repeat(path), repeat(began + seconds), repeat(core)))
    return Load(sum(amounts), time.perf_counter() - began, server.cpu() - before)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The beginning of an answer.

    Attributes:
        text: The head, and the part of the body that came with it.
        size: The bytes of the body.
        left: The bytes of the body that are still to be received.
    """

    status: int
    text: str
    size: int
    left: int


class Client:
    """One kept-alive connection, for one request after the other."""

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, path: str) -> Answer:
        """Sends a GET, and returns as soon as the head of the answer has arrived."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            data = self._socket.recv(65536)
            if not data:
                raise BenchmarkError(f"no answer to {path}")
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        size = int(length[1]) if length else 0
        return Answer(int(head.split(b" ", 2)[1]), received.decode("latin-1"), size, size - len(body))

    def discard(self, left: int) -> None:
        """Receives and discards a number of bytes."""
        buffer = bytearray(_RECEIVE)
        while left > 0:
            received = self._socket.recv_into(buffer, min(left, _RECEIVE), socket.MSG_TRUNC)
            if not received:
                raise BenchmarkError("a body was cut short")
            left -= received


def latencies(port: int, paths: Iterable[str], status: int) -> list[float]:
    """
    Returns the milliseconds from each request to the head of its answer, one request after the other on one connection.

    Raises:
        BenchmarkError: More than one answer in a hundred has another status; a few may, since peers can miss their deadline on a busy machine.
    """
    taken: list[float] = []
    wrong: list[str] = []
    with Client(port) as client:
        for path in paths:
            began = time.perf_counter()
            answer = client.ask(path)
            taken.append((time.perf_counter() - began) * 1000)
            if answer.status != status:
                wrong.append(f"{path}: {answer.text}")
            client.discard(answer.left)
    if len(wrong) > len(taken) / 100:
        raise BenchmarkError(f"{len(wrong)} of {len(taken)} answers are not {status}: {wrong[0]}")
    return taken


def _download_again(port: int, path: str, until: float, core: int | None) -> int:
    if core is not None:
        os.sched_setaffinity(0, {core})  # of this thread
    amount = 0
    with Client(port) as client:
        while time.perf_counter() < until:
            answer = client.ask(path)
            if answer.status != 200:
                raise BenchmarkError(f"{path}: {answer.text}")
            client.discard(answer.left)
            amount += answer.size
    return amount
