"""The daemon as a service: signals, the service manager, the log."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, PORT, Daemon, Depot, Host, Lab, Program, Service, command, small_packages, wait_until
from tests.e2e.lab.restarts import restarted
from tests.e2e.lab.slowness import limit

NAME = "pkg00-1.0.0-1-x86_64.pkg.tar.zst"
# Upgrades during which the daemon is restarted; `python -m benchmarks restarts` does a hundred.
RESTARTS = 4
PACKAGE, REQUEST = f"/package/{NAME}", f"/request/core/x86_64/{NAME}"


def download(host: Host, other: Host, name: str) -> tuple[socket.socket, int]:
    """Begins to download a package from another host; returns the connection and the number of bytes that are still to come, with the head."""
    connection = other.connect(host.ip)
    connection.sendall(f"GET /package/{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    head = connection.recv(1000).partition(b"\r\n\r\n")
    length = int(head[0].lower().partition(b"content-length:")[2].split()[0])
    return connection, length - len(head[2])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_end_during_a_transfer(lab: Lab, depot: Depot, number: signal.Signals) -> None:
    """A transfer that runs when the daemon is told to stop is finished, requests are answered meanwhile, and the status is 0."""
    host, other = lab.hosts
    depot.settled()
    lab.limit_sending(host, 120)
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    connection, missing = download(host, other, depot.packages["big"].filename)
    with connection:
        daemon.process.send_signal(number)
        time.sleep(0.3)
        for answer in (host.request(PACKAGE), host.request(f"{REQUEST}.sig")):
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
        while chunk := connection.recv(1 << 20):
            missing -= len(chunk)
    assert missing == 0
    assert daemon.process.wait(limit(10)) == 0
    with pytest.raises(ConnectionError):
        host.request(PACKAGE)


def test_nothing_is_downloaded_at_the_end(lab: Lab, depot: Depot) -> None:
    """While the daemon waits for its last transfer, what it would download otherwise is left to pacman and the mirror."""
    host, other = lab.hosts
    depot.settled()
    lab.limit_sending(host, 120)
    folder = depot.shelf("big", ["big"])
    daemon = Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"), "--cache-dir", str(folder))
    assert host.request(REQUEST).status == 200
    connection, _ = download(host, other, depot.packages["big"].filename)
    with connection:
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        name = depot.packages["pkg01"].filename
        answer = host.request(f"/request/core/x86_64/{name}")
        assert answer.status == 307
        assert answer.headers["location"] == f"http://10.78.0.2/core/os/x86_64/{name}"
        assert host.request(f"/request/core/x86_64/{name}.sig").status == 200
        while connection.recv(1 << 20):
            pass
    assert daemon.process.wait(limit(10)) == 0
    assert [request.name for request in lab.mirror.package_downloads()] == [NAME]


def test_end_in_spite_of_a_stalled_transfer(lab: Lab, depot: Depot) -> None:
    """A client that takes nothing does not keep the daemon from ending within some seconds."""
    host, other = lab.hosts
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    connection, _ = download(host, other, depot.packages["big"].filename)
    idle = other.connect(host.ip)
    with connection, idle:
        started = time.monotonic()
        daemon.stop()
        assert time.monotonic() - started < limit(12)


def test_end_is_prompt(lab: Lab) -> None:
    """Without a transfer it ends at once, in spite of idle connections."""
    host, _ = lab.hosts
    daemon = Daemon(host, "--pacserver", "10.77.0.99")
    with host.connect(), host.connect() as kept:
        kept.sendall(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n")
        kept.recv(1000)
        started = time.monotonic()
        daemon.stop()
        assert time.monotonic() - started < limit(3)


def test_hangup(lab: Lab) -> None:
    """SIGHUP makes it read pacman.conf again."""
    host, _ = lab.hosts
    host.configure([MIRROR], ["core"])
    daemon = Daemon(host)
    extra = "/request/extra/x86_64/extra.db"
    assert host.request(extra).status == 404
    host.configure([MIRROR], ["core", "extra"])
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: host.request(extra).status == 200, "the new repository", 5)
    daemon.stop()


def test_included_file(lab: Lab) -> None:
    """A change of a file that pacman.conf includes, and a new file that its pattern matches, are noticed without a signal."""
    host, _ = lab.hosts
    host.path("/etc/repos.d").mkdir()
    host.path("/etc/repos.d/none.conf").touch()  # pacman 6.0 takes a pattern that matches nothing for an error
    host.path("/etc/mirrorlist").write_text("Server = http://10.78.0.2:9/$repo/os/$arch\n")
    host.write_configuration(host.configuration([], ["core"]) + "Include = /etc/mirrorlist\nInclude = /etc/repos.d/*.conf\n")
    daemon = Daemon(host)
    assert host.request(REQUEST).status == 504
    host.path("/etc/mirrorlist").write_text(f"Server = {MIRROR}\n")
    wait_until(lambda: host.request(REQUEST).status == 307, "the new mirror", 15)
    host.path("/etc/repos.d/extra.conf").write_text(f"[extra]\nServer = {MIRROR}\n")
    wait_until(lambda: host.request("/request/extra/x86_64/extra.db").status == 200, "the new repository", 15)
    daemon.stop()


ACTIVATION = """
import os, socket, sys
listener = socket.create_server(("", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="pacserve.socket", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(lab: Lab, depot: Depot) -> None:
    """A socket that the service manager has opened is served, IPv6 and IPv4, whatever --port says."""
    host, other = lab.hosts
    depot.settled()
    words = [sys.executable, "-c", ACTIVATION, str(PORT), *command("--port", "15999", "--cache-dir", str(depot.folder()))]
    daemon = Program(host, words, host.dir / "log" / "pacserve.log", PORT)
    for client, address in ((host, "127.0.0.1"), (host, "::1"), (other, host.ip), (other, host.ip6)):
        assert client.request(PACKAGE, address).status == 200
    assert not host.listens(15999)
    assert "--port 15999 has no effect" in daemon.text()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(limit(10)) == 0
    assert "Traceback" not in daemon.text()


@pytest.mark.parametrize("activated", [True, False])
def test_restarts(make_lab: MakeLab, depot: Depot, activated: bool) -> None:
    """
    Under socket activation upgrades end well whenever the daemon is restarted.

    Without it only a request fails that falls between the end of the old daemon and the beginning of the new one.
    """
    lab = make_lab(wan_mbit=200)
    host, other = lab.hosts
    names = [*small_packages()[:10], "big"]
    depot.settled()
    Daemon(other, "--cache-dir", str(depot.shelf("half", names[:5])))
    options = ("--pacserver", other.ip, "--misses", "auto", "--hits", "auto", "--spool", str(host.dir / "spool"))
    service = Service(host, *options, activated=activated)
    service.wait_for(r"peer \S+ .*holds")
    for upgrade in restarted(service, host, names, RESTARTS):
        if activated:
            assert upgrade.status == 0, upgrade.output
            assert upgrade.closed == 0
        elif upgrade.status:
            assert "Couldn't connect to server" in upgrade.output
    service.stop()


def test_notification(lab: Lab, tmp_path: Path) -> None:
    """The service manager is told when requests are answered, and when the daemon stops."""
    host, _ = lab.hosts
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        daemon = Daemon(host, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        ready = manager.recv(4096).decode().splitlines()
        assert "READY=1" in ready
        assert any(line.startswith("STATUS=") for line in ready)
        assert host.request("/info").status == 200
        daemon.stop()
        rest = b""
        while b"STOPPING=1" not in rest:
            rest += manager.recv(4096)


def test_log_is_quiet(lab: Lab) -> None:
    """When all is well there is one line for each answered request, and hardly any other."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    daemon.wait_for("listens on")  # it listens before it says so
    daemon.findings()  # what is told of this host comes after the start
    before = len(daemon.text().splitlines())
    assert before <= 5
    host.pacman("-Sy", *small_packages()[:5])
    asked = len(daemon.requests(""))
    assert asked >= 1 + 5
    assert len(daemon.text().splitlines()) <= before + asked
    for line in daemon.requests(".pkg.tar.zst"):
        assert "mirror http://10.78.0.2/core/os/x86_64" in line
        assert "bytes" in line
        assert " ms" in line
    daemon.stop()


def test_proxy(lab: Lab) -> None:
    """A proxy of the environment is used for mirrors, which may be out of reach without it, and never for peers."""
    host, other = lab.hosts
    proxy = Program(other, [sys.executable, "-c", PROXY], other.dir / "log" / "proxy.log", 3128)
    host.configure([PACSERVE, "http://mirror.invalid/$repo/os/$arch"])
    daemon = Daemon(host, "--pacserver", other.ip, env={"http_proxy": f"http://{other.ip}:3128/", "no_proxy": ""})
    answer = host.request(REQUEST)
    assert answer.status == 307
    assert answer.headers["location"].startswith("http://mirror.invalid/core/os/x86_64/")
    assert "HEAD http://mirror.invalid/core" in proxy.text()
    assert other.ip not in proxy.text().replace("http://mirror.invalid", "")
    daemon.stop()


PROXY = """
import http.server
class Proxy(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        print(self.requestline, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "120000")
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("", 3128), Proxy).serve_forever()
"""


def test_help() -> None:
    """`--help`, `--more-help` and `--version` print to standard output and end with status 0, wherever they are asked."""
    for option, expected in (("--help", "--pacserver"), ("--more-help", "PACMAN.CONF"), ("--version", "pacserve ")):
        done = subprocess.run(command(option), capture_output=True, text=True, check=True)
        assert expected in done.stdout
        assert done.stderr == ""
