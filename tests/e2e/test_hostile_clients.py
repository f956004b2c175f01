"""Clients that attack a running daemon: others are served as ever, and its memory stays where it is."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab import PORT, Daemon, Depot, Host, Lab, Namespace, wait_until
from tests.e2e.lab.attackers import ATTACKS, attack_command
from tests.e2e.lab.slowness import limit

SECRET = b"nobody on the LAN may read this"
# Bytes by which the daemon may grow under attack.
GROWTH = 20_000_000
# Seconds in which a request that never ends is cut off, at the latest.
PATIENCE = 32.0
# Seconds that a small answer may take meanwhile.
PROMPT = 1.0
# Seconds that an attack lasts.
ATTACK_SECONDS = 4.0
NAME = "pkg00-1.0.0-1-x86_64.pkg.tar.zst"


@pytest.fixture
def victim(lab: Lab, depot: Depot) -> Iterator[Daemon]:
    """A daemon with packages and with traps in its cache."""
    host = lab.hosts[0]
    (host.dir / "secret").write_bytes(SECRET)
    (host.pkg / ".hidden-1-1-any.pkg.tar.zst").write_bytes(SECRET)
    (host.pkg / "link-1-1-any.pkg.tar.zst").symlink_to(host.dir / "secret")
    (host.pkg / "part-1-1-any.pkg.tar.zst.part").write_bytes(SECRET)
    (host.pkg / "notes.txt").write_bytes(SECRET)
    (host.pkg / "core.db").write_bytes(SECRET)
    os.mkfifo(host.pkg / "pipe-1-1-any.pkg.tar.zst")
    for folder in ("folder-1-1-any.pkg.tar.zst", "download-a1B2c3", "more"):
        (host.pkg / folder).mkdir()
        (host.pkg / folder / "inner-1-1-any.pkg.tar.zst").write_bytes(SECRET)
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(host.pkg), "--cache-dir", str(depot.folder()))
    assert fetch_time(host) < 10  # what is loaded on first use is no growth
    yield daemon
    if daemon.process.poll() is None:
        daemon.stop()


def victim_host(daemon: Daemon) -> Host:
    """The host that the daemon runs on."""
    assert isinstance(daemon.space, Host)
    return daemon.space


def fetch_time(client: Namespace, address: str = "127.0.0.1") -> float:
    """The seconds that an honest client waits for a small package."""
    started = time.monotonic()
    answer = client.request(f"/package/{NAME}", address)
    assert answer.status == 200
    assert len(answer.body) == int(answer.headers["content-length"])
    return time.monotonic() - started


def exchange(host: Host, data: bytes, timeout: float = 15) -> bytes:
    """Sends bytes and returns all that comes back until the daemon closes, or says nothing for a second after an answer."""
    received = b""
    with host.connect(timeout=timeout) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        while chunk := connection.recv(65536):
            received += chunk
            connection.settimeout(0.3)
    return received


def exchange_until_quiet(host: Host, data: bytes) -> bytes:
    """As `exchange`, for connections that the daemon keeps open."""
    received = b""
    with host.connect() as connection, contextlib.suppress(ConnectionError, TimeoutError):
        connection.sendall(data)
        while chunk := connection.recv(65536):
            received += chunk
            connection.settimeout(0.15)
    return received


def tricks(secret: Path) -> list[str]:
    """Targets that lead to what must not be given away."""
    up = "/".join([".."] * 12)
    encoded = "%2e%2e%2f" * 12
    beside = str(secret).lstrip("/")
    names = [
        ".hidden-1-1-any.pkg.tar.zst",
        "link-1-1-any.pkg.tar.zst",
        "part-1-1-any.pkg.tar.zst.part",
        "part-1-1-any.pkg.tar.zst",
        "notes.txt",
        "core.db",
        "pipe-1-1-any.pkg.tar.zst",
        "folder-1-1-any.pkg.tar.zst",
        "folder-1-1-any.pkg.tar.zst/inner-1-1-any.pkg.tar.zst",
        "download-a1B2c3/inner-1-1-any.pkg.tar.zst",
        "download-a1B2c3%2Finner-1-1-any.pkg.tar.zst",
        "download-a1B2c3%252Finner-1-1-any.pkg.tar.zst",
        "more/inner-1-1-any.pkg.tar.zst",
        "more%2finner-1-1-any.pkg.tar.zst",
        "more%5cinner-1-1-any.pkg.tar.zst",
        f"{up}/{beside}",
        f"{encoded}{beside}",
        f"{encoded.replace('%', '%25')}{beside}",
        f"%2f{beside}",
        f"/{beside}",
        f"..%00/{beside}",
        f"{NAME}%00.txt",
        f"{NAME}%0d%0aX-Injected:%20yes",
        f"{NAME}/..",
        f"{NAME}/../notes.txt",
        f"{NAME}/data/..%2f..%2fnotes.txt",
        "%c0%ae%c0%ae%c0%afnotes.txt",
        "%ff%fe",
        "..",
        ".",
        "",
        "%",
        "%zz",
    ]
    targets = [f"/package/{name}" for name in names] + [f"/package/{name}/data" for name in names]
    targets += [f"/request/core/x86_64/{name}" for name in names if name != "core.db"]
    targets += [f"/request/{up}/{beside}", f"/request/core/{encoded}{beside}", f"/request/..%2f..%2f/x86_64/{NAME}"]
    targets += [
        f"http://example.org/package/../../{beside}",
        f"http://example.org/{beside}",
        f"/{up}/{beside}",
        "//etc/passwd",
        "*",
        "/..",
        "/package",
    ]
    return targets


def test_path_tricks(victim: Daemon) -> None:
    """No path leads to a file that is not a complete package in a cache folder itself."""
    host = victim_host(victim)
    for target in tricks(host.dir / "secret"):
        answer = exchange_until_quiet(host, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head = answer.partition(b"\r\n\r\n")[0]
        assert SECRET not in answer, target
        assert b"X-Injected: " not in head, target
        assert head.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), (target, head)
    assert fetch_time(host) < limit(PROMPT)
    assert host.request(f"/package/%70kg00{NAME[5:]}").status == 200


def test_endless_url(victim: Daemon) -> None:
    """A URL of 100,000 bytes is refused, on any path and in any form."""
    host = victim_host(victim)
    before = victim.memory()
    for start in (b"GET /", b"GET /package/", b"GET /request/core/x86_64/", b"GET /" + b"%2e" * 1000, b"GET /" + b"a/" * 10_000, b"GET ", b""):
        answer = exchange(host, start + b"x" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:100]
        assert fetch_time(host) < limit(PROMPT)
    assert victim.memory() < before + GROWTH


def flood(host: Host, start: bytes, piece: bytes, limit: int) -> int:
    """Sends `start`, and `piece` again and again until the daemon closes the connection or `limit` bytes are through; returns how many."""
    sent = 0
    with host.connect(timeout=5) as connection, contextlib.suppress(ConnectionError, TimeoutError):
        connection.sendall(start)
        while sent < limit:
            connection.sendall(piece)
            sent += len(piece)
    return sent


@pytest.mark.parametrize(
    "piece",
    [
        b"X-Flood: " + b"y" * 4000 + b"\r\n",
        b"a:b\r\n" * 1000,
        b"z" * 65536,
        b" folded\r\n" * 1000,
        b"Cookie: " + b"c=d; " * 800 + b"\r\n",
    ],
    ids=["headers", "small headers", "one line", "folded", "cookies"],
)
def test_header_flood(victim: Daemon, piece: bytes) -> None:
    """Headers without end are cut off after some kilobytes."""
    host = victim_host(victim)
    before = victim.memory()
    for _ in range(5):
        assert flood(host, f"GET /package/{NAME} HTTP/1.1\r\nHost: h\r\n".encode(), piece * (1 + 60_000 // len(piece)), 30_000_000) < 20_000_000
    assert fetch_time(host) < limit(PROMPT)
    assert victim.memory() < before + GROWTH


def test_empty_lines_and_garbage(victim: Daemon) -> None:
    """What is no HTTP at all is answered 400 or with a closed connection, or waits for its end."""
    host = victim_host(victim)
    for data in (
        b"\r\n" * 50_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100_000,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        answer = exchange_until_quiet(host, data + b"\r\n\r\n")
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505", b"HTTP/1.0 4")), (data[:20], answer[:100])
        assert fetch_time(host) < limit(PROMPT)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "get", "X" * 500])
def test_other_methods(victim: Daemon, method: str) -> None:
    """Only GET and HEAD do anything."""
    answer = exchange_until_quiet(victim_host(victim), f"{method} /package/{NAME} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 501 ", b"HTTP/1.1 400 ")), answer[:100]


@pytest.mark.parametrize(
    "head",
    [b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000", b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked"],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_endless_body(victim: Daemon, head: bytes, method: bytes) -> None:
    """A request body of 10 GB is refused, and not a byte of it is kept in memory or on disk."""
    host = victim_host(victim)
    before = victim.memory()
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in head else b"x" * 65536
    with host.connect(timeout=5) as connection, contextlib.suppress(ConnectionError, TimeoutError):
        connection.sendall(head.replace(b"POST /", method + b" /package/" + NAME.encode()) + b"\r\n\r\n")
        for _ in range(500):
            connection.sendall(piece)
        assert not spooled(victim)
    assert fetch_time(host) < limit(PROMPT)
    assert victim.memory() < before + GROWTH


def spooled(daemon: Daemon) -> int:
    """The bytes of the daemon's open files that have no name any more."""
    total = 0
    for descriptor in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "(deleted)" in str(descriptor.readlink()):
                total += descriptor.stat().st_size
    return total


def test_smuggled_requests(victim: Daemon) -> None:
    """A request whose end can be read in two ways is answered once at most."""
    host = victim_host(victim)
    inner = f"GET /package/{NAME} HTTP/1.1\r\nHost: h\r\n\r\n"
    for ambiguous in (
        f"Content-Length: 5\r\nContent-Length: {len(inner)}",
        f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        f"Content-Length: +{len(inner)}",
        "Content-Length: 9" + "9" * 5000,
    ):
        answer = exchange_until_quiet(host, f"GET /package/absent HTTP/1.1\r\nHost: h\r\n{ambiguous}\r\n\r\n{inner}".encode())
        assert b"HTTP/1.1 200" not in answer, ambiguous
        assert answer.count(b"HTTP/1.1 ") <= 1, ambiguous


def closed(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection; what it sent before is thrown away."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return True


def test_clients_that_say_nothing(lab: Lab, victim: Daemon) -> None:
    """500 connections that send nothing, and requests that never end, keep nobody from being served, and are cut off within half a minute."""
    host, other = lab.hosts
    before = victim.memory()
    with contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(connection) for connection in host.call(lambda: [socket.create_connection(("127.0.0.1", PORT)) for _ in range(500)])
        ]
        unended = []
        for start in (b"G", b"GET /info HTTP/1.1\r\n", b"GET /info HTTP/1.1\r\nHost: h\r\nX-Slow: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"):
            connection = stack.enter_context(host.connect())
            connection.sendall(start)
            unended.append(connection)
        started = time.monotonic()
        trickling = True
        while time.monotonic() - started < limit(PATIENCE) and not all(map(closed, (*silent, *unended))):
            if trickling:
                try:
                    unended[2].setblocking(True)
                    unended[2].sendall(b"y")
                except ConnectionError:
                    trickling = False
            assert fetch_time(host) < limit(PROMPT)
            assert fetch_time(other, host.ip) < limit(PROMPT)
            time.sleep(0.5)
        assert all(map(closed, silent))
        assert all(map(closed, unended))
    assert victim.memory() < before + GROWTH


def test_connections_of_another_host(lab: Lab, victim: Daemon) -> None:
    """One other host that opens a thousand connections keeps nobody else from being served."""
    host, other = lab.hosts
    before = victim.memory()
    with contextlib.ExitStack() as stack:
        for connection in other.call(lambda: [socket.create_connection((host.ip, PORT)) for _ in range(1000)]):
            stack.enter_context(connection)
        assert fetch_time(host) < limit(PROMPT)
        assert fetch_time(lab.lan, host.ip) < limit(PROMPT)
        assert victim.memory() < before + GROWTH
    wait_until(lambda: other.request(f"/package/{NAME}", host.ip).status == 200, "the host to be served again")


def test_clients_that_do_not_read(lab: Lab, victim: Daemon, depot: Depot) -> None:
    """Clients that ask for the big package and read nothing of it cost no memory, and others are served meanwhile."""
    host, other = lab.hosts
    before = victim.memory()
    big = depot.packages["big"].filename
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(other.connect(host.ip))
            connection.sendall(f"GET /package/{big} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 20)
        time.sleep(1)
        assert fetch_time(host) < limit(PROMPT)
        assert victim.memory() < before + GROWTH


@pytest.mark.parametrize("attack", ATTACKS)
def test_own_pacman_under_attack(lab: Lab, victim: Daemon, attack: str) -> None:
    """Whatever another host with many addresses does, each request of this host is answered, and at once; a third host is served as well."""
    host, other = lab.hosts
    sources = [f"{other.ip.rpartition('.')[0]}.{number}" for number in range(100, 117)]
    for source in sources:
        other.run(f"ip addr add {source}/24 dev eth0")
    before = victim.memory()
    attacker = other.spawn(attack_command(attack, host.ip, PORT, ATTACK_SECONDS, sources))
    taken = []
    while attacker.poll() is None:
        taken.append(fetch_time(host))
        fetch_time(host, host.ip)
        time.sleep(0.02)
    assert statistics.median(taken) < limit(PROMPT) / 10
    assert victim.memory() < before + 2 * GROWTH
    assert fetch_time(lab.lan, host.ip) < limit(PATIENCE)
    victim.stop()
