"""How many connections a server of the lab had at once, as its kernel knows them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.lab.namespace import Namespace

# include/net/tcp_states.h: those in which a client still counts on the connection.
_ESTABLISHED = "01"
# Seconds between two looks: less than the round-trip time after which a connection is of use.
_INTERVAL = 0.01


class Connections:
    """
    Counts the connections to a port while it is entered.

    Args:
        space: Where the server is.

    Attributes:
        most: The most that one address had at once, by address as the kernel writes it.
    """

    def __init__(self, space: Namespace, port: int = 80) -> None:
        self.most: Counter[str] = Counter()
        self._tables = [Path(f"/proc/{space.pid}/net/{name}") for name in ("tcp", "tcp6")]
        self._port = port
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ending.wait(_INTERVAL):
            for table in self._tables:
                self.most |= clients(table.read_text().splitlines()[1:], self._port)


def clients(rows: Iterable[str], port: int) -> Counter[str]:
    """Returns the number of established connections to a port by the client's address, from the rows of `/proc/net/tcp`, proc(5)."""
    found: Counter[str] = Counter()
    for row in rows:
        _, local, remote, state, *_ = row.split()
        if state == _ESTABLISHED and local.endswith(f":{port:04X}"):
            found[remote.partition(":")[0]] += 1
    return found
