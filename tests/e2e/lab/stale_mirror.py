"""
A mirror that sends more than it has stated: `stale_mirror.py PORT FOLDER`.

After the body of each answer come the bytes of another one, on a connection that is kept open, as a broken cache in front of a mirror sends them.
"""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Stale(SimpleHTTPRequestHandler):
    """Sends files, and behind each the beginning of an answer that nobody asked for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the bytes come at once, and not when the next request has been sent

    def do_GET(self) -> None:
        """Answers."""
        super().do_GET()
        self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nstale")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Says what was asked."""
        print(format % args, flush=True)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), partial(Stale, directory=sys.argv[2])).serve_forever()
