"""
A mirror at the end of a line of a given rate, as a program: `python -m benchmarks.paced FOLDER PORT BYTES_PER_SECOND`.

Each connection has the rate for itself, and its bytes come in small pieces, as the packets of a real line do.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Bytes that are sent at once: two or three packets of Ethernet, which network cards hand to the kernel together.
PIECE = 4096
# Seconds by which a late piece is made up for: those that this machine is late itself.  A line has no way to do so.
_LATENESS = 0.01
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)\Z")


class _Paced(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    rate: float

    def do_HEAD(self) -> None:
        self._begin()

    def do_GET(self) -> None:
        data = self._begin()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.monotonic()
        for offset in range(0, len(data), PIECE):
            time.sleep(max(0.0, due - time.monotonic()))
            self.connection.sendall(data[offset : offset + PIECE])
            due = max(due + PIECE / self.rate, time.monotonic() - _LATENESS)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _begin(self) -> memoryview:
        """Sends the head of an answer, and returns the bytes that follow it."""
        path = self.folder / self.path.rpartition("/")[2]
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return memoryview(b"")
        first, size, asked = 0, path.stat().st_size, _RANGE.match(self.headers.get("Range", ""))
        last = size - 1
        if asked is None:
            self.send_response(HTTPStatus.OK)
        else:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        with path.open("rb") as file:
            file.seek(first)
            data = memoryview(file.read(last + 1 - first))
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        return data


if __name__ == "__main__":
    _Paced.folder, _Paced.rate = Path(sys.argv[1]), float(sys.argv[3])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Paced).serve_forever()
