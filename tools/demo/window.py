"""Makes the status page of a host of the demo visible on this machine, without connecting the two networks."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.e2e.lab import PORT, Namespace

_PIECE = 65536


class Window:
    """
    A port of this machine's loopback that leads to pacserve in a namespace.

    Connections are opened inside the namespace, so that for pacserve they come from its own host.

    Args:
        port: The preferred port; another is taken if it is in use.
    """

    def __init__(self, space: Namespace, port: int) -> None:
        self._space = space
        self._socket = _listening(port)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://localhost:{self._socket.getsockname()[1]}/"

    def close(self) -> None:
        """Accepts no further connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._space.connect(port=PORT) as host:
            host.settimeout(None)
            back = threading.Thread(target=_copy, args=(host, client), daemon=True)
            back.start()
            _copy(client, host)
            back.join()


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copies until one side ends, and passes the end on."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
