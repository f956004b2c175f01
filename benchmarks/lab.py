"""The place of a benchmark: a folder, ports, cores, and servers that are ended afterwards."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.network import Host, Network
from benchmarks.packages import NO_MIRROR, write_configuration, write_database
from benchmarks.servers import PLAIN, Launch, Server, nginx, pacserve

# Ports below those that the kernel gives to clients (32768 and above).
_PORTS = range(21_000, 32_000)
_taken = iter(_PORTS)
# Daemons that are started at the same time: each takes a core for a moment.
_STARTED_AT_ONCE = 4


class Lab:
    """
    The place of one benchmark.

    Attributes:
        folder: Its temporary folder, which the caller removes.
        quick: True if rough figures are enough.
        server_core: The core of the measured servers; None where the machine has a single core.
        client_core: The core of the clients.
        repetitions: The number of times that each figure is taken.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.folder = folder
        self.quick = quick
        self.server_core = cores[0] if len(cores) > 1 else None
        self.client_core = cores[-1] if len(cores) > 1 else None
        self.repetitions = 1 if quick else 3
        self._servers = ExitStack()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def path(self, name: str) -> Path:
        """Returns a folder of this name in the benchmark's own."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def run(self, server: Server) -> Server:
        """Returns the server, which will be ended together with this place."""
        self._servers.callback(server.stop)
        return server

    def nginx(self, root: Path) -> Server:
        """Starts nginx on the core of the servers, and waits until it is ready."""
        server = self.run(nginx(self.folder / "nginx", root, free_port(), self.server_core))
        wait_for_port(server)
        return server

    def pacserve(
        self,
        cache: Path,
        configuration: Path,
        *,
        peers: tuple[Server, ...] = (),
        host: Host | None = None,
        launch: Launch = PLAIN,
        ready: bool = True,
    ) -> Server:
        """
        Starts a daemon, and waits until it knows its peers' inventories.

        Args:
            host: The host on which it runs, listening on all addresses; None for this machine's loopback.
            launch: How it is started; `within` is overridden.
            ready: False to leave the waiting to the caller.
        """
        port = free_port()
        log = self.folder / f"pacserve-{port}.log"
        ports = [peer.port for peer in peers]
        within = () if host is None else host.entering(())
        options = (*launch.options, *(("--bind", "127.0.0.1") if host is None else ()))
        server = self.run(pacserve(log, configuration, cache, port, peers=ports, launch=replace(launch, options=options, within=within)))
        if ready:
            server.wait_for_log("listens on")
            server.wait_for_log(" holds ", len(peers))
        return server

    def peers(self, folders: Sequence[Path]) -> list[Server]:
        """Starts daemons without a sync database or peers, one for each cache folder."""
        started: list[Server] = []
        for begin in range(0, len(folders), _STARTED_AT_ONCE):
            batch = folders[begin : begin + _STARTED_AT_ONCE]
            starting = [self.pacserve(folder, self.configuration(folder.name, folder, NO_MIRROR), ready=False) for folder in batch]
            for server in starting:
                server.wait_for_log("listens on")
            started += starting
        return started

    def network(self, hosts: int) -> Network:
        """
        Makes a LAN, which is removed together with this place.

        Raises:
            SkippedError: The user is not root.
        """
        network = Network(self.folder, hosts)
        self._servers.callback(network.remove)
        network.create()
        return network

    def settle(self) -> None:
        """Waits until daemons take package files for complete that no database names: those that have not changed for two seconds."""
        time.sleep(2.2)

    def configuration(self, name: str, cache: Path, server: str, sizes: dict[str, int] | None = None) -> Path:
        """
        Writes a pacman.conf, and returns its path.

        Args:
            server: The URL of the mirror.
            sizes: Packages of a sync database of the usual size; None for no sync database.
        """
        database_dir = self.folder / f"{name}.db"
        if sizes is not None:
            write_database(database_dir, sizes)
        return write_configuration(self.folder / f"{name}.conf", database_dir, cache, server)


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 that is free, and that was not returned before."""
    for port in _taken:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {_PORTS.start} to {_PORTS.stop - 1}")


def wait_for_port(server: Server) -> None:
    """Waits until the server takes connections, trying every millisecond."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        server.check()
        time.sleep(0.001)
