"""
A mirror at the end of a line of a given rate, as a program: `python -m benchmarks.paced FOLDER PORT BYTES_PER_SECOND`.

Each connection has the rate for itself, and its bytes come in small pieces, as the packets of a real line do.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

# Bytes that are sent at once: two or three packets of Ethernet, which network cards hand to the kernel together.
PIECE = 4096
# Seconds by which a late piece is made up for: those that this machine is late itself.  A line has no way to do so.
_LATENESS = 0.01
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)\Z")


@dataclass(frozen=True, slots=True)
class _Asked:
    path: Path
    first: int
    count: int


class _Paced(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    rate: float

    def do_HEAD(self) -> None:
        self._begin()

    def do_GET(self) -> None:
        asked = self._begin()
        if asked is None:
            return
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with asked.path.open("rb") as file:
            file.seek(asked.first)
            self._send(file, asked.count)

    def _send(self, file: BinaryIO, left: int) -> None:
        due = time.monotonic()
        while left > 0:
            time.sleep(max(0.0, due - time.monotonic()))
            piece = file.read(min(PIECE, left))
            self.connection.sendall(piece)
            left -= len(piece)
            due = max(due + PIECE / self.rate, time.monotonic() - _LATENESS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _begin(self) -> _Asked | None:
        """Sends the head of an answer, and returns what follows it."""
        path = self.folder / self.path.rpartition("/")[2]
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        first, size, asked = 0, path.stat().st_size, _RANGE.match(self.headers.get("Range", ""))
        last = size - 1
        if asked is None:
            self.send_response(HTTPStatus.OK)
        else:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        return _Asked(path, first, last + 1 - first)


if __name__ == "__main__":
    _Paced.folder, _Paced.rate = Path(sys.argv[1]), float(sys.argv[3])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Paced).serve_forever()
