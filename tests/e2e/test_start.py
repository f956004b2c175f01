"""Starting where something is absent or wrong: the daemon starts, or says in one line why not."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.e2e.lab import MIRROR, PORT, Daemon, Depot, Host, Lab, Program, command, sh, wait_until
from tests.e2e.lab.slowness import limit

NAME = "pkg00-1.0.0-1-x86_64.pkg.tar.zst"
PACKAGE, REQUEST = f"/package/{NAME}", f"/request/core/x86_64/{NAME}"
EX_CONFIG = 78  # sysexits.h


def refused_start(host: Host, *arguments: str) -> tuple[int, str]:
    """Runs a daemon that does not start; returns its status and the one line that it says."""
    done = host.run(command(*arguments), check=False, timeout=limit(20))
    output = (done.stdout + done.stderr).strip()
    assert "Traceback" not in output
    assert output.count("\n") == 0, output
    assert output
    return done.returncode, output


def test_no_network(lab: Lab, depot: Depot) -> None:
    """With nothing but the loopback interface it starts, and serves what the caches hold; when the network comes, it is used."""
    host, _ = lab.hosts
    depot.settled()
    sh(f"ip -n {host.netns} link set eth0 down")
    daemon = Daemon(host, "--cache-dir", str(depot.shelf("one", ["pkg00"])), "--pacserver", "10.77.0.12", "--pacserver", "nowhere.invalid")
    depot.settled()
    assert host.request(PACKAGE).status == 200
    absent = host.request(REQUEST.replace(NAME, "pkg01-1.1.0-1-x86_64.pkg.tar.zst"))
    assert absent.status == 504
    sh(f"ip -n {host.netns} link set eth0 up")
    sh(f"ip -n {host.netns} route add default via 10.77.0.1")
    wait_until(lambda: host.request(REQUEST.replace(NAME, "pkg01-1.1.0-1-x86_64.pkg.tar.zst")).status == 307, "the mirror to be found", 20)
    host.pacman("-Sy", "pkg02")
    daemon.stop()


def test_no_ipv6(lab: Lab, depot: Depot) -> None:
    """Where there is no IPv6 it listens on IPv4."""
    host, other = lab.hosts
    host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    assert other.request("/info", host.ip).status == 200
    daemon.stop()


def test_no_pacman_conf(lab: Lab) -> None:
    """Without pacman.conf it does not start, and says what is missing."""
    status, line = refused_start(lab.hosts[0], "--pacman-conf", "/etc/absent.conf")
    assert status == EX_CONFIG
    assert "/etc/absent.conf" in line


def test_no_repositories(lab: Lab, depot: Depot) -> None:
    """A pacman.conf without repositories is one with which the local packages can be shared all the same."""
    host, other = lab.hosts
    depot.settled()
    host.configure(repos=())
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    assert other.request(PACKAGE, host.ip).status == 200
    assert host.request(REQUEST).status == 404
    daemon.stop()


def test_broken_pacman_conf(lab: Lab) -> None:
    """A pacman.conf that is broken when it starts stops it; one that breaks later does not."""
    host, _ = lab.hosts
    host.write_configuration("[options\nno equals sign\n[core]\nServer\n")
    status, _ = refused_start(host)
    assert status == EX_CONFIG
    host.configure()
    daemon = Daemon(host)
    host.write_configuration("[options\nno equals sign\n[core]\nServer\n")
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert host.request(REQUEST).status == 307
    daemon.stop()


UNPRIVILEGED = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--"]


@pytest.mark.parametrize("state", ["unreadable", "missing", "a file"])
def test_cache_folder_that_is_none(lab: Lab, depot: Depot, state: str) -> None:
    """A cache folder that can't be read is named in the log, and everything else is served."""
    host, _ = lab.hosts
    depot.settled()
    folder = host.dir / "odd"
    if state == "unreadable":
        folder.mkdir(mode=0o000)
    elif state == "a file":
        folder.touch()
    words = [*UNPRIVILEGED, *command("--cache-dir", str(folder), "--cache-dir", str(depot.folder()), mounted=True)]
    daemon = Program(host, words, host.dir / "log" / "pacserve.log", PORT)
    assert host.request(PACKAGE).status == 200
    daemon.wait_for(str(folder), 5)
    assert "Traceback" not in daemon.text()
    host.pacman("-Sy", "pkg00")


def test_port_in_use(lab: Lab) -> None:
    """A second daemon on the same port does not start, and says why."""
    host, _ = lab.hosts
    daemon = Daemon(host)
    status, line = refused_start(host)
    assert status not in (0, 2)
    assert str(PORT) in line
    status, line = refused_start(host, "--bind", host.ip)
    assert status not in (0, 2)
    assert host.request("/info").status == 200
    daemon.stop()


def test_multicast_port_in_use(lab: Lab) -> None:
    """Where another program has the UDP port for itself it does not start, says why, and leaves the TCP port free."""
    host, _ = lab.hosts
    greedy = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 15679)); print('bound', flush=True); time.sleep(60)"
    log = host.dir / "log" / "greedy.log"
    log.parent.mkdir(exist_ok=True)
    host.spawn([sys.executable, "-c", greedy], log=log)
    wait_until(lambda: "bound" in log.read_text(), "the port to be taken")
    status, line = refused_start(host, "--multicast")
    assert status == 1
    assert "UDP port 15679" in line
    daemon = Daemon(host)
    daemon.stop()


def test_address_of_another_host(lab: Lab) -> None:
    """An address that is not this host's can't be bound, which one line says."""
    status, line = refused_start(lab.hosts[0], "--bind", "10.77.0.12")
    assert status not in (0, 2)
    assert "10.77.0.12" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "http"],
        ["--bind", "eth0"],
        ["--bind", ""],
        ["--pacserver", "h2:0"],
        ["--pacserver", "h2:http"],
        ["--pacserver", "fd77::b:15678:1"],
        ["--pacserver", "[fd77::b"],
        ["--pacserver", "http://h2/"],
        ["--pacserver", ""],
        ["--pacserver", "a b"],
        ["--clients", "10.0.0.0/33"],
        ["--clients", "10.0.0.1/8"],
        ["--clients", "lan"],
        ["--peers", "fe80::/129"],
        ["--cache-dir", ""],
        ["--pacman-conf", ""],
        ["--log-level", "loud"],
        ["--colour"],
        ["--port"],
        ["extra"],
    ],
    ids=" ".join,
)
def test_wrong_value(shared_lab: Lab, arguments: list[str]) -> None:
    """A wrong option ends with status 2 and one line that names it."""
    status, line = refused_start(shared_lab.hosts[0], *arguments)
    assert status == 2
    assert arguments[0] in line


def test_cache_folder_before_its_first_package(lab: Lab, depot: Depot) -> None:
    """A cache folder that is made after the start is served from then on."""
    host, _ = lab.hosts
    late = host.dir / "late"
    daemon = Daemon(host, "--cache-dir", str(late))
    late.mkdir()
    (late / NAME).write_bytes((depot.folder() / NAME).read_bytes())
    wait_until(lambda: host.request(PACKAGE).status == 200, "the package to be served", 10)
    daemon.stop()


# A name server that never answers: the look-up of a host holds a thread for as long as the C library is patient.
SILENT_NAME_SERVER = """
import socket, sys, time
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda name, *rest: time.sleep(60) if name == "nowhere.invalid" else look_up(name, *rest)
from pacserve.cli.pacserve import main
sys.exit(main())
"""


def test_name_server_that_never_answers(lab: Lab) -> None:
    """A daemon that waits for a name server answers, and ends at once when it is told to."""
    host, _ = lab.hosts
    words = [sys.executable, "-c", SILENT_NAME_SERVER, "--pacserver", "nowhere.invalid"]
    daemon = Program(host, words, host.dir / "log" / "pacserve.log", PORT)
    assert host.request("/info").status == 200
    daemon.process.terminate()
    assert daemon.process.wait(limit(4)) == 0


def test_first_words(lab: Lab) -> None:
    """A daemon says where its page is, and in one warning each what is to be done; where all is well there is no warning."""
    host, other = lab.hosts
    host.configure(servers=[MIRROR])
    daemon = Daemon(host)
    daemon.wait_for(rf"listens on \S+; status page: http://localhost:{PORT}/\n")
    daemon.wait_for(rf'\[warn\] \S+ does not name pacserve: .* put "Server = http://localhost:{PORT}/request/\$repo/\$arch" at the top of ')
    daemon.wait_for(r"\[info\] this host shares with no other host; start pacserve with --multicast")
    assert daemon.text().count("[warn]") == 1, daemon.text()
    assert daemon.findings() == ["pacman.conf", "firewall"]
    daemon.stop()
    host.configure()
    daemon = Daemon(host, "--pacserver", other.ip)
    assert daemon.findings() == []
    assert daemon.text().count("[warn]") == 1, daemon.text()  # the one of the daemon before
    daemon.stop()
