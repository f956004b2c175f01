"""The HTTP of a file: what a client asks for conditionally, in parts, one after the other or slowly."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from email.utils import formatdate, parsedate_to_datetime

import pytest

from tests.e2e.lab import Daemon, Depot, Host, Lab, Response
from tests.e2e.lab.packages import EPOCH
from tests.e2e.lab.slowness import limit

NAME = "pkg10-1.3.0-1-x86_64.pkg.tar.zst"
EXACT = "exact-1-1-any.pkg.tar.zst"


@pytest.fixture(scope="module")
def host(shared_lab: Lab, depot: Depot) -> Iterator[Host]:
    """A host whose daemon holds everything, and a file whose size is a multiple of every buffer's."""
    host = shared_lab.hosts[0]
    (host.pkg / EXACT).write_bytes(bytes(range(256)) * 1024)
    time.sleep(2.3)
    daemon = Daemon(host, "--cache-dir", str(host.pkg), "--cache-dir", str(depot.folder()))
    yield host
    daemon.stop()


@pytest.fixture
def content(depot: Depot) -> bytes:
    """The bytes of the file."""
    return (depot.folder() / NAME).read_bytes()


def ask(host: Host, method: str = "GET", **headers: str) -> Response:
    """Asks for the file, by the name that pacman is redirected to; header names have underscores for hyphens."""
    return host.request(f"/package/{NAME}/data", method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_whole(host: Host, content: bytes) -> None:
    """The whole file comes with its length, its time and an entity tag, by both names and by pacman's own."""
    for target in (f"/package/{NAME}", f"/package/{NAME}/data", f"/request/core/x86_64/{NAME}"):
        answer = host.request(target)
        assert answer.status == 200
        assert answer.body == content
        assert answer.headers["content-length"] == str(len(content))
        assert parsedate_to_datetime(answer.headers["last-modified"]).timestamp() == EPOCH
        assert answer.headers["etag"].startswith('"')
        assert answer.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in answer.headers
        head = host.request(target, method="HEAD")
        assert head.status == 200
        assert head.body == b""
        assert {**head.headers, "date": ""} == {**answer.headers, "date": ""}


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("0-0", 0, 0), ("0-99", 0, 99), ("100-", 100, None), ("-10", -10, None), ("500-99999999", 500, None), ("-99999999", 0, None)],
)
def test_range(host: Host, content: bytes, wanted: str, first: int, last: int | None) -> None:
    """A range is answered 206 with exactly its bytes."""
    answer = ask(host, Range=f"bytes={wanted}")
    part = content[first : None if last is None else last + 1]
    assert answer.status == 206
    assert answer.body == part
    begin = first % len(content)
    assert answer.headers["content-range"] == f"bytes {begin}-{begin + len(part) - 1}/{len(content)}"
    assert answer.headers["content-length"] == str(len(part))


@pytest.mark.parametrize("start", [0, 1, 999_999])
def test_range_beyond_the_end(host: Host, content: bytes, start: int) -> None:
    """A range that begins behind the last byte is answered 416, which tells pacman that its part is too long."""
    answer = ask(host, Range=f"bytes={len(content) + start}-")
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"
    assert ask(host, Range="bytes=-0").status == 416


@pytest.mark.parametrize(
    "value", ["bytes=5-1", "bytes=", "bytes=a-b", "lines=0-5", "bytes=0-1,5-6", "bytes=0-" + "9" * 5000, "bytes=" + "0-0," * 1500 + "1-1", "\xff"]
)
def test_range_that_is_none(host: Host, content: bytes, value: str) -> None:
    """What is no single range is ignored: the whole file comes, or a part that is one."""
    answer = ask(host, Range=value)
    assert answer.status in (200, 206)
    assert answer.body == content


def test_if_range(host: Host, content: bytes) -> None:
    """With If-Range a part comes only of the very file that the client has the beginning of."""
    etag, modified = (ask(host, "HEAD").headers[name] for name in ("etag", "last-modified"))
    for value in (etag, modified):
        assert ask(host, Range="bytes=5-", If_Range=value).status == 206
    for value in ('"other"', f"W/{etag}", formatdate(EPOCH - 1, usegmt=True), "nonsense"):
        answer = ask(host, Range="bytes=5-", If_Range=value)
        assert answer.status == 200
        assert answer.body == content


def test_conditional(host: Host) -> None:
    """A client that has the file is answered 304 without a body; If-None-Match goes before If-Modified-Since."""
    etag = ask(host).headers["etag"]
    at, before = formatdate(EPOCH, usegmt=True), formatdate(EPOCH - 1, usegmt=True)
    for headers in ({"If_Modified_Since": at}, {"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_None_Match": "*"}):
        answer = ask(host, **headers)
        assert answer.status == 304
        assert answer.body == b""
    for headers in ({"If_Modified_Since": before}, {"If_None_Match": '"x"'}, {"If_None_Match": '"x"', "If_Modified_Since": at}):
        assert ask(host, **headers).status == 200


def read_responses(connection: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many responses that come one after the other on a connection."""
    received = b""
    bodies: list[bytes] = []
    while len(bodies) < count:
        head, blank, rest = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0]) if blank else 0
        if blank and len(rest) >= length:
            bodies.append(rest[:length])
            received = rest[length:]
            continue
        chunk = connection.recv(1 << 20)
        assert chunk, "closed too early"
        received += chunk
    assert received == b""
    return bodies


@pytest.mark.parametrize("together", [True, False])
def test_one_connection(host: Host, depot: Depot, content: bytes, together: bool) -> None:
    """Many requests on one connection, sent together or one by one, are answered in their order, whatever their sizes."""
    files = {
        name: (host.pkg / name if name == EXACT else depot.folder() / name).read_bytes() for name in (EXACT, depot.packages["big"].filename, NAME)
    }
    order = [EXACT, NAME, EXACT, EXACT, depot.packages["big"].filename, NAME, f"{NAME}.sig", EXACT]
    files[f"{NAME}.sig"] = (depot.folder() / f"{NAME}.sig").read_bytes()
    requests = [f"GET /package/{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for name in order]
    with host.connect() as connection:
        bodies: list[bytes] = []
        if together:
            connection.sendall(b"".join(requests))
            bodies = read_responses(connection, len(requests))
        else:
            for request in requests:
                connection.sendall(request)
                bodies += read_responses(connection, 1)
    assert [len(body) for body in bodies] == [len(files[name]) for name in order]
    assert bodies == [files[name] for name in order]


def test_old_client(host: Host, content: bytes) -> None:
    """An HTTP/1.0 client is answered, and its connection closed."""
    received = b""
    with host.connect() as connection:
        connection.sendall(f"GET /package/{NAME} HTTP/1.0\r\n\r\n".encode())
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert body == content


def test_slow_reader(shared_lab: Lab, host: Host, depot: Depot) -> None:
    """A client with little room that reads slowly gets every byte, and a stalled one beside it gets in nobody's way."""
    other = shared_lab.hosts[1]
    big = depot.packages["big"]
    expected = big.path.read_bytes()
    request = f"GET /package/{big.filename} HTTP/1.1\r\nHost: h\r\nRange: bytes={big.size - 6_000_000}-\r\n\r\n".encode()

    def narrow() -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.connect((host.ip, 15678))
        return connection

    with other.call(narrow) as stalled, other.call(narrow) as slow:
        stalled.sendall(request)
        slow.sendall(request)
        received = bytearray()
        slow.settimeout(10)
        while len(received) < 6_000_000:
            chunk = slow.recv(16_384)
            assert chunk
            received += chunk
            if len(received) % 5 == 0:
                time.sleep(0.002)
        started = time.monotonic()
        assert host.request(f"/package/{NAME}").status == 200
        assert time.monotonic() - started < limit(1)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert b" 206 " in head
    assert expected[-6_000_000:].startswith(body)


def test_info(host: Host) -> None:
    """/info lists what the caches hold with their sizes, gzipped where that is accepted, and is answered 304 to who knows it."""
    answer = host.request("/info")
    assert answer.status == 200
    assert f'"{EXACT}":262144'.encode() in answer.body.replace(b" ", b"")
    packed = host.request("/info", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(answer.body)
    assert host.request("/info", headers={"If-None-Match": answer.headers["etag"]}).status == 304
