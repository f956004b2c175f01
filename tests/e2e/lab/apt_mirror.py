"""
Mirrors with a fault: `apt_mirror.py KIND FOLDER PORT`.

Each serves the files of FOLDER as its kind does it.  Every request is logged as METHOD PATH RANGE on standard output when it comes, and as
`done PATH` when it was answered.  A script of its own, since a broken mirror shares no code with pacserve.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class Good(BaseHTTPRequestHandler):
    """Has no fault: it knows ranges, conditions and persistent connections."""

    protocol_version = "HTTP/1.1"
    folder = Path()
    seen: set[str] = set()  # noqa: RUF012 - of the whole process

    def do_GET(self) -> None:
        """Answers, and logs that it did."""
        path = unquote(self.path)
        self.log(f"{self.command} {path} {self.headers.get('Range', '-')}")
        place = self.folder / path.lstrip("/")
        if place.is_file():
            self.file(place, place.read_bytes(), formatdate(place.stat().st_mtime, usegmt=True))
        else:
            self.reply(404)
        self.log(f"done {path}")

    def log(self, line: str) -> None:
        """Logs a line in one piece: there are others who do so at the same moment."""
        os.write(sys.stdout.fileno(), f"{line}\n".encode())

    def file(self, place: Path, content: bytes, date: str) -> None:
        """Answers for a file."""
        since, condition, wanted = (self.headers.get(name) for name in ("If-Modified-Since", "If-Range", "Range"))
        if since and parsedate_to_datetime(since) == parsedate_to_datetime(date):
            self.reply(304)
            return
        dated = ("Last-Modified", date)
        if wanted and condition in (None, date):
            first = int(wanted.removeprefix("bytes=").partition("-")[0])
            self.reply(206, content[first:], dated, ("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"))
        else:
            self.reply(200, content, dated)

    def reply(self, status: int, body: bytes = b"", *headers: tuple[str, str], length: int | None = None) -> None:
        """Sends an answer; `length` is what it says of its size."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def first_time(self) -> bool:
        """Whether this path has not been asked for before."""
        known = self.path in self.seen
        self.seen.add(self.path)
        return not known

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        """Says nothing: requests are logged before they are answered."""


class CutsOnce(Good):
    """Closes the connection in the middle of each file that it is asked for the first time."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if self.first_time():
            self.close_connection = True
            self.reply(200, content[: len(content) // 2], ("Last-Modified", date), length=len(content))
        else:
            super().file(place, content, date)


class CutsPackages(CutsOnce):
    """Closes the connection in the middle of each package, whatever is asked for, and however often."""

    def first_time(self) -> bool:
        return self.path.endswith(".deb")


class StallsOnce(Good):
    """Sends half of each package that it is asked for the first time, and then nothing."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if place.suffix == ".deb" and self.first_time():
            self.reply(200, content[: len(content) // 2], ("Last-Modified", date), length=len(content))
            self.wfile.flush()
            time.sleep(3600)
        else:
            super().file(place, content, date)


class FailsOnce(Good):
    """Answers 503 to each file that it is asked for the first time."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if self.first_time():
            self.reply(503, b"", ("Retry-After", "1"))
        else:
            super().file(place, content, date)


class Fails(Good):
    """Answers 503 to everything."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.reply(503)


class Mute(Good):
    """Answers nothing."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        time.sleep(3600)


class Hints(Good):
    """Sends answers of 1xx before the answer."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        super().file(place, content, date)


class Unmeasured(Good):
    """States no length: a file ends with its connection."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Last-Modified", date)
        self.end_headers()
        self.wfile.write(content)


class Chunks(Good):
    """Sends files in chunks, and states no length."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.send_response(200)
        self.send_header("Last-Modified", date)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for first in range(0, len(content), 7000):
            piece = content[first : first + 7000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


class Closes(Good):
    """Closes the connection after each answer."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.close_connection = True
        super().file(place, content, date)


class Old(Closes):
    """Speaks HTTP/1.0, and knows neither ranges nor conditions."""

    protocol_version = "HTTP/1.0"

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.reply(200, content)


class Redirects(Good):
    """Sends everybody to the mirror on port 80."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.reply(302, b"", ("Location", f"http://third.lab{self.path}"))


class RedirectsHome(Good):
    """Sends everybody who wants a package to a service of his own host."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if place.suffix == ".deb":
            self.reply(302, b"", ("Location", "http://127.0.0.1:15678/status"))
        else:
            super().file(place, content, date)


class Absent(Good):
    """Has no packages any more."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if place.suffix == ".deb":
            self.reply(404)
        else:
            super().file(place, content, date)


class WrongPackages(Good):
    """Has packages of the right size with other bytes, from the first quarter on."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if place.suffix == ".deb":
            content = content[: len(content) // 4] + bytes(len(content) - len(content) // 4)
        super().file(place, content, date)


class WrongIndexes(Good):
    """Has indexes of the right size with other bytes."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if "Packages" in place.name or "by-hash" in place.parts:
            content = bytes(len(content))
        super().file(place, content, date)


class LongIndexes(Good):
    """Has indexes that are longer than the release says."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        if "Packages" in place.name or "by-hash" in place.parts:
            content += b"\n"
        super().file(place, content, date)


class Portal(Good):
    """Is no mirror at all: it wants everybody to log in."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        self.reply(200, b"<html><body>Please log in.</body></html>", ("Content-Type", "text/html"))


class SlowFirst(Good):
    """Takes two seconds for each file whose name begins with `lab00`."""

    def file(self, place: Path, content: bytes, date: str) -> None:
        time.sleep(2 if place.name.startswith("lab00") else 0)
        super().file(place, content, date)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that have had enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main(kind: str, folder: str, port: str) -> None:
    """Serves until it is killed."""
    behaviour: type[Good] = globals()[kind]
    behaviour.folder = Path(folder)
    threading.stack_size(1 << 18)
    _Server(("::", int(port)), behaviour).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
