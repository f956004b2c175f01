"""
Peers that lie: `fake_peer.py KIND FOLDER`.

Each listens on the port of pacserve and claims to hold the packages of FOLDER.  Every request is logged as METHOD PATH on standard output.  A
script of its own, since a hostile machine shares no code with pacserve.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Claims(BaseHTTPRequestHandler):
    """Claims files in `/info`, and answers 404 to every question for one."""

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
        document = {"protocol": 1, "instance": "0123456789abcdef" * 2, "generation": 1, "arch": ["x86_64"], "files": files, "content": self.content()}
        self.reply(200, json.dumps(document).encode(), ("Content-Type", "application/json"))

    def content(self) -> dict[str, int]:
        """Returns the files that are shared by content, with their sizes."""
        return {path.name: path.stat().st_size for path in self.folder.glob("*.blob")}

    def package(self, name: str) -> None:
        """Answers /package/NAME and /package/NAME/data."""
        self.reply(404)

    def reply(self, status: int, body: bytes = b"", *headers: tuple[str, str], length: int | None = None) -> None:
        """Sends an answer; `length` is what it says of its size."""
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
        foreign = {"../../etc/shadow@" + "0" * 64 + ".blob": 1, "x@00.blob": 100, "y@" + "0" * 64 + ".blob": -1}
        self.reply(200, json.dumps({**document, "content": {**foreign, **self.content()}}).encode(), ("Content-Type", "application/json"))


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


class Stalls(ChangesItsMind):
    """Sends half of a file, and then nothing."""

    def package(self, name: str) -> None:
        content = (self.folder / name).read_bytes()
        self.reply(200, content[: len(content) // 2], length=len(content))
        self.wfile.flush()
        time.sleep(3600 if self.command == "GET" else 0)


class Lengthens(ChangesItsMind):
    """Sends more than it promised to HEAD."""

    def package(self, name: str) -> None:
        content = (self.folder / name).read_bytes() + bytes(1000)
        self.reply(200, content, length=len(content) if self.command == "GET" else len(content) - 1000)


class OtherBytes(ChangesItsMind):
    """Sends as many bytes as the file has, of which the last are others."""

    def package(self, name: str) -> None:
        content = (self.folder / name).read_bytes()
        self.reply(200, content[:-5] + b"wrong")


class HeadOnly(ChangesItsMind):
    """Says that the file comes, and sends none of it."""

    def package(self, name: str) -> None:
        self.reply(200, length=(self.folder / name).stat().st_size)
        self.wfile.flush()
        time.sleep(3600 if self.command == "GET" else 0)


class Drips(ChangesItsMind):
    """Sends a byte now and then, so that the file comes in hours."""

    def package(self, name: str) -> None:
        content = (self.folder / name).read_bytes()
        self.reply(200, length=len(content))
        try:
            for number in range(len(content) if self.command == "GET" else 0):
                self.wfile.write(content[number : number + 1])
                time.sleep(0.5)
        except OSError:
            self.close_connection = True


class Endless(ChangesItsMind):
    """Says the right length to HEAD, and sends a body that states none and has no end."""

    def package(self, name: str) -> None:
        if self.command == "HEAD":
            super().package(name)
            return
        content = (self.folder / name).read_bytes()
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(content)
        except OSError:
            return


class OtherPart(ChangesItsMind):
    """Answers every GET with a part of the file, whatever was asked for."""

    def package(self, name: str) -> None:
        if self.command == "HEAD":
            super().package(name)
            return
        content = (self.folder / name).read_bytes()
        self.reply(206, content[100:], ("Content-Range", f"bytes 100-{len(content) - 1}/{len(content)}"))


class TakesClaims(Claims):
    """Claims the download of every file with everybody, says that it downloads them itself to who asks it, and downloads nothing."""

    instance = "0123456789abcdef" * 2
    claimed: set[str] = set()  # noqa: RUF012 - of the whole process

    def info(self) -> None:
        document = {"protocol": 1, "instance": self.instance, "generation": 1, "arch": ["x86_64"], "files": {}, "content": {}}
        self.reply(200, json.dumps(document).encode(), ("Content-Type", "application/json"))
        host = self.client_address[0]
        if host not in self.claimed:
            self.claimed.add(host)
            threading.Thread(target=self.claim_all, args=(host,), daemon=True).start()

    def claim_all(self, host: str) -> None:
        """Claims everything that a host keeps the claims for, and keeps on doing so."""
        files = (path for path in self.folder.iterdir() if path.suffix in (".zst", ".blob"))
        keys = [f"{path.name}/{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
        verb = "ask"
        while True:
            connection = HTTPConnection(host, 15678, timeout=2)
            try:
                for key in keys:
                    connection.request("POST", f"/claim/{verb}/{self.instance}/{key}")
                    connection.getresponse().read()
            except (OSError, HTTPException):  # that host has ended, or hears no more of this one
                return
            finally:
                connection.close()
            print("claimed", len(keys), flush=True)
            verb = "renew"
            time.sleep(0.5)

    def do_POST(self) -> None:
        """Answers /claim."""
        print(self.command, self.path, flush=True)
        self.reply(200, json.dumps({"follow": self.instance, "granted": False}).encode())

    def do_GET(self) -> None:
        """Answers /fetch never."""
        if self.path.startswith("/fetch/"):
            print(self.command, self.path, flush=True)
            time.sleep(3600)
        super().do_GET()


class FeedsNonsense(TakesClaims):
    """Claims the download of every file, and gives those who follow it other bytes than the file has, as many and with its entity tag."""

    def do_GET(self) -> None:
        if not self.path.startswith("/fetch/"):
            super().do_GET()
            return
        print(self.command, self.path, flush=True)
        content = (self.folder / self.path.rpartition("/")[2]).read_bytes()
        self.reply(200, content[:-1] + b"?", ("ETag", f'"{hashlib.sha256(content).hexdigest()}"'))


class Honest(Claims):
    """Gives every package and every signature as it is."""

    def package(self, name: str) -> None:
        if name.endswith(".sig"):
            self.signature((self.folder / name).read_bytes())
        else:
            self.reply(200, (self.folder / name).read_bytes())

    def signature(self, content: bytes) -> None:
        """Answers for a signature; HEAD is answered rightly by all."""
        self.reply(200, content)


class _BadSignatures(Honest):
    """Is honest, but for the bytes of signatures."""

    def signature(self, content: bytes) -> None:
        if self.command == "HEAD":
            self.reply(200, content)
        else:
            self.spoil(content)

    def spoil(self, content: bytes) -> None:
        """Answers the GET of a signature."""
        raise NotImplementedError


class SignatureFails(_BadSignatures):
    """Has a defect that signatures bring out."""

    def spoil(self, content: bytes) -> None:
        self.reply(500, b"out of order")


class SignatureGone(_BadSignatures):
    """Does not have the signature after all."""

    def spoil(self, content: bytes) -> None:
        self.reply(404)


class SignatureRedirected(_BadSignatures):
    """Sends everybody who asks for a signature elsewhere."""

    def spoil(self, content: bytes) -> None:
        self.reply(302, b"", ("Location", "http://127.0.0.1:22/"))


class SignatureCut(_BadSignatures):
    """Closes the connection in the middle of a signature."""

    def spoil(self, content: bytes) -> None:
        self.close_connection = True
        self.reply(200, content[:50], length=len(content))


class SignatureStalls(_BadSignatures):
    """Sends half of a signature, and then nothing."""

    def spoil(self, content: bytes) -> None:
        self.reply(200, content[:50], length=len(content))
        self.wfile.flush()
        time.sleep(3600)


class SignatureMute(_BadSignatures):
    """Never answers for a signature."""

    def spoil(self, content: bytes) -> None:
        time.sleep(3600)


class SignatureForged(_BadSignatures):
    """Sends a signature of something else."""

    def spoil(self, content: bytes) -> None:
        self.reply(200, content[:-20] + bytes(20))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that have had enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main(kind: str, folder: str) -> None:
    """Serves until it is killed."""
    behaviour: type[Claims] = globals()[kind]
    behaviour.folder = Path(folder)
    _Server(("::", 15678), behaviour).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
