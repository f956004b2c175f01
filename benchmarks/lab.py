"""Where benchmarks take place: a folder, ports, cores, and the servers that are ended afterwards."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.network import Host, Network
from benchmarks.packages import NO_MIRROR, write_configuration, write_database
from benchmarks.servers import Server, nginx, pacserve

# Below the ports that the kernel gives to clients (32768 and above), which would come and go.
_PORTS = range(21_000, 32_000)
_taken = iter(_PORTS)
# Daemons that start at the same time: they take all cores for a moment.
_AT_ONCE = 4


class Lab:
    """
    One benchmark's place.

    Attributes:
        folder: Its temporary folder, which the caller removes.
        quick: Whether a rough figure will do.
        server_core: Where servers run that are measured; None where the machine has a single core.
        client_core: Where load comes from.
        repetitions: How often each figure is taken.
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
        """A folder of this name in the benchmark's own."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def run(self, server: Server) -> Server:
        """Has a server ended together with this place."""
        self._servers.callback(server.stop)
        return server

    def nginx(self, root: Path) -> Server:
        """nginx on the core of the servers, ready to answer."""
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
        options: Sequence[str] = (),
        module: str = "pacserve",
        core: int | None = None,
        ready: bool = True,
    ) -> Server:
        """
        A daemon that knows its peers' inventories.

        Args:
            host: Where it runs and takes connections by all addresses; None for this machine's loopback.
            options: Further ones.
            ready: Waits until it is; without it the caller does.
        """
        port = free_port()
        log = self.folder / f"pacserve-{port}.log"
        ports = [peer.port for peer in peers]
        within = () if host is None else host.entering(())
        more = (*options, *(("--bind", "127.0.0.1") if host is None else ()))
        server = self.run(pacserve(log, configuration, cache, port, peers=ports, options=more, within=within, module=module, core=core))
        if ready:
            server.wait_for_log("listens on")
            server.wait_for_log(" holds ", len(peers))
        return server

    def peers(self, folders: Sequence[Path]) -> list[Server]:
        """Daemons without a sync database that serve a cache folder each, and know nobody."""
        started: list[Server] = []
        for begin in range(0, len(folders), _AT_ONCE):
            batch = folders[begin : begin + _AT_ONCE]
            starting = [self.pacserve(folder, self.configuration(folder.name, folder, NO_MIRROR), ready=False) for folder in batch]
            for server in starting:
                server.wait_for_log("listens on")
            started += starting
        return started

    def network(self, hosts: int) -> Network:
        """
        A LAN, which is removed together with this place.

        Raises:
            SkippedError: Only root may make one.
        """
        network = Network(self.folder, hosts)
        self._servers.callback(network.remove)
        network.create()
        return network

    def settle(self) -> None:
        """Lets the daemons believe that package files are complete which no database knows: they must not have changed for two seconds."""
        time.sleep(2.2)

    def configuration(self, name: str, cache: Path, server: str, sizes: dict[str, int] | None = None) -> Path:
        """
        A pacman.conf.

        Args:
            server: The mirror.
            sizes: Packages of a sync database of the usual size; None for no sync database.
        """
        database_dir = self.folder / f"{name}.db"
        if sizes is not None:
            write_database(database_dir, sizes)
        return write_configuration(self.folder / f"{name}.conf", database_dir, cache, server)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that was not given before."""
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
    """Returns as soon as the server takes connections; it looks every millisecond."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        server.check()
        time.sleep(0.001)
