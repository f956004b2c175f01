"""
Peers that lie: C{fake_peer.py KIND FOLDER}.

Each listens on the port of pacserve and claims to hold the packages of FOLDER.  Every request is logged as METHOD PATH on standard output.  A
script of its own, since a hostile machine shares no code with pacserve.
"""

from __future__ import annotations

import gzip
import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Claims(BaseHTTPRequestHandler):
    """Claims files in C{/info}, and answers 404 to every question for one."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_GET(self) -> None:
        """Answers like the worst of its kind."""
        print(self.command, self.path, flush=True)
        if self.path.startswith("/info"):
            self.info()
        elif self.path.startswith("/package/"):
            self.package(self.path.split("/")[2])
        else:
            self.reply(404)

    do_HEAD = do_GET  # noqa: N815 the name that http.server calls

    def info(self) -> None:
        """Answers /info."""
        files = {path.name: path.stat().st_size for path in self.folder.iterdir() if ".pkg.tar" in path.name}
        document = {"protocol": 1, "instance": "0123456789abcdef" * 2, "generation": 1, "arch": ["x86_64"], "files": files}
        self.reply(200, json.dumps(document).encode(), ("Content-Type", "application/json"))

    def package(self, name: str) -> None:
        """Answers /package/NAME and /package/NAME/data."""
        self.reply(404)

    def reply(self, status: int, body: bytes = b"", *headers: tuple[str, str], length: int | None = None) -> None:
        """Sends an answer; C{length} is what it says of its size."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Says nothing: requests are logged before they are answered."""


class HugeInfo(Claims):
    """Sends an /info without end."""

    def info(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b'"pkg-1-1-any.pkg.tar.zst":1,' * 4096)
        except OSError:
            return


class InfoBomb(Claims):
    """Sends an /info of some 200 KB that is 200 MB unpacked."""

    def info(self) -> None:
        self.reply(200, gzip.compress(b'{"files":{' + b" " * 200_000_000), ("Content-Encoding", "gzip"), ("Content-Type", "application/json"))


class SlowInfo(Claims):
    """Sends an /info of one byte a second."""

    def info(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                time.sleep(1)
        except OSError:
            return


class ForeignNames(Claims):
    """Claims files that no package cache has, beside the true ones."""

    def info(self) -> None:
        files = {"../../etc/shadow": 1, "core.db": 100, "x" * 5000: -1, **{path.name: path.stat().st_size for path in self.folder.iterdir()}}
        document = {"protocol": 1, "instance": "0123456789abcdef" * 2, "generation": 1, "arch": ["x86_64"], "files": files}
        self.reply(200, json.dumps(document).encode(), ("Content-Type", "application/json"))


class Garbage(Claims):
    """Answers /info with what is no JSON, and packages with what is no HTTP."""

    def info(self) -> None:
        self.reply(200, b"\x00\xff" * 5000)

    def package(self, name: str) -> None:
        self.wfile.write(b"\x00\xffSSH-2.0-nonsense\r\n\r\n" * 50)
        self.close_connection = True


class Redirects(Claims):
    """Redirects every question for a package to this machine's own service on port 22, and says so with many headers."""

    def package(self, name: str) -> None:
        self.reply(302, b"", ("Location", f"http://127.0.0.1:22/{name}"))


class ShortHead(Claims):
    """States another length than the file has."""

    def package(self, name: str) -> None:
        self.reply(200, b"x" * 100)


class ChangesItsMind(Claims):
    """Says yes to HEAD with the right length, and 404 to the GET."""

    def package(self, name: str) -> None:
        if self.command == "HEAD":
            self.reply(200, length=(self.folder / name).stat().st_size)
        else:
            self.reply(404)


class CutsShort(ChangesItsMind):
    """Promises the whole file and closes the connection in the middle."""

    def package(self, name: str) -> None:
        content = (self.folder / name).read_bytes()
        self.close_connection = True
        self.reply(200, content[: len(content) // 2], length=len(content))


class Mute(Claims):
    """Answers /info, and never any question for a package."""

    def package(self, name: str) -> None:
        time.sleep(3600)


class ManyHeaders(Claims):
    """Answers a question for a package with headers without end."""

    def package(self, name: str) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"X-Flood: " + b"y" * 1000 + b"\r\n")
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 128


def main(kind: str, folder: str) -> None:
    """Serves until it is killed."""
    behaviour: type[Claims] = globals()[kind]
    behaviour.folder = Path(folder)
    _Server(("::", 15678), behaviour).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
