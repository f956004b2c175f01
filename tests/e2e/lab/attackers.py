"""
Attacks on a daemon, each a process of its own: `python -m tests.e2e.lab.attackers ATTACK ADDRESS PORT SECONDS SOURCE...`.

Each connects from every SOURCE, an address of its own host, as fast as a core allows, and goes on whatever the daemon does.
"""

from __future__ import annotations

import errno
import select
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[3]
REQUEST = b"HEAD /info HTTP/1.1\r\nHost: h\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Attack:
    """
    What is done on every connection.

    Attributes:
        connections: From each source.
        burst: Requests that are sent at once, and once more after each piece of an answer; 0 to say nothing.
        leave: True to close each connection as soon as it is there.
    """

    connections: int
    burst: int
    leave: bool = False


ATTACKS = {
    "one connection pipelines": Attack(1, 2000),
    "250 connections pipeline": Attack(250, 500),
    "250 connections pipeline 10 at once": Attack(250, 10),
    "250 connections ask": Attack(250, 1),
    "all connections are taken": Attack(256, 0),
    "connections come and go": Attack(64, 0, leave=True),
}


class _Attacker:
    """Keeps up the connections of one attack."""

    def __init__(self, attack: Attack, target: tuple[str, int], sources: Sequence[str]) -> None:
        self._attack = attack
        self._target = target
        self._payload = REQUEST * attack.burst
        self._epoll = select.epoll()
        self._open: dict[int, tuple[socket.socket, str]] = {}
        self._missing = [source for source in sources for _ in range(attack.connections)]

    def run(self, seconds: float) -> None:
        """Attacks for so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            missing, self._missing = self._missing, []
            for source in missing:
                self._connect(source)
            for descriptor, event in self._epoll.poll(0.01):
                self._served(descriptor, event)

    def _connect(self, source: str) -> None:
        connection = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        connection.setblocking(False)
        try:
            connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the kernel picks a port for this target alone
            connection.bind((source, 0))
            if connection.connect_ex(self._target) not in (0, errno.EINPROGRESS):
                raise OSError("no way there")
        except OSError:  # for example, all ports of this address are in use
            connection.close()
            self._missing.append(source)
            return
        self._open[connection.fileno()] = connection, source
        self._epoll.register(connection.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _served(self, descriptor: int, event: int) -> None:
        connection, source = self._open[descriptor]
        try:
            if event & select.EPOLLOUT:
                self._epoll.modify(descriptor, select.EPOLLIN)
                if self._attack.leave:
                    raise ConnectionError("as was planned")
                self._send(connection)
            if event & select.EPOLLIN:
                if not connection.recv(1 << 16):
                    raise ConnectionError("the other side has closed")
                self._send(connection)
            if event & (select.EPOLLERR | select.EPOLLHUP):
                raise ConnectionError("lost")
        except OSError:
            self._epoll.unregister(descriptor)
            del self._open[descriptor]
            connection.close()
            self._missing.append(source)

    def _send(self, connection: socket.socket) -> None:
        if self._payload:
            with suppress(BlockingIOError):
                connection.send(self._payload)


def attack_command(attack: str, address: str, port: int, seconds: float, sources: Sequence[str]) -> list[str]:
    """Returns the command line of an attack."""
    return ["env", f"PYTHONPATH={_ROOT}", sys.executable, "-m", "tests.e2e.lab.attackers", attack, address, str(port), str(seconds), *sources]


def main(name: str, address: str, port: str, seconds: str, *sources: str) -> None:
    """Runs an attack."""
    _Attacker(ATTACKS[name], (address, int(port)), sources).run(float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
