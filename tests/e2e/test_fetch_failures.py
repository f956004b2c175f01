"""`--misses fetch` when something breaks while a file is on its way: the daemon, its spool's disk, its spool's folder, a mirror."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Host, Lab, Program, Site, small_packages, wait_until
from tests.e2e.lab.slowness import limit
from tests.e2e.test_peer_failures import start_big_download

NAMES = small_packages()[:5]
# Bytes per second at which a mirror gives the big package where it is to take some seconds, as nginx wants it written.
SLOWLY = "limit_rate 5m;"
OTHER_MIRROR = MIRROR.replace("10.78.0.2", "10.78.0.2:81")
# Megabytes of a disk that takes the big package and what is left to others, and hardly more.
TIGHT = 96
# Cuts off who is connected to the second site, and who comes.
_CUT = "table inet cut {{\n chain in {{\n type filter hook input priority 0; policy accept;\n tcp dport 81 {verdict}\n }}\n}}\n"
# A mirror on port 81 that does not say how long a file is, and gives it at 4 MB/s.  Arguments: the root.
_UNSTATED = """
import http.server, pathlib, sys, time
class Mirror(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        content = (pathlib.Path(sys.argv[1]) / self.path.lstrip("/")).read_bytes()
        for start in range(0, len(content), 200_000):
            self.wfile.write(content[start:start + 200_000])
            time.sleep(0.05)
http.server.ThreadingHTTPServer(("", 81), Mirror).serve_forever()
"""


def fetching(host: Host, *arguments: str) -> Daemon:
    """A daemon that fetches, and has no other files to offer than those of its spool."""
    empty = host.dir / "empty"
    empty.mkdir(exist_ok=True)
    return Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"), "--cache-dir", str(empty), *arguments)


def spooled(host: Host) -> set[str]:
    """The packages of the spool, and all that is beside them but for databases and what survives of downloads."""
    return _files(host.dir / "spool")


def _files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name not in (".pacserve-spool", ".clean")}
    return {path for path in found if not path.startswith(("databases/", ".unfinished-"))}


def unfinished(host: Host) -> set[Path]:
    """The files of the spool that are not complete and survive."""
    return {path.with_suffix("") for path in (host.dir / "spool").glob(".unfinished-*.spans")}


def offered(host: Host, asker: Host) -> set[str]:
    """The files that a daemon says to have."""
    files: dict[str, int] = json.loads(asker.request("/info", host.ip).body)["files"]
    return set(files)


def packages(depot: Depot, *names: str) -> set[str]:
    """The paths of packages in a spool."""
    return {f"pkg/{file}" for file in depot.filenames(names, signatures=False)}


def mount_spool(host: Host, megabytes: int) -> Path:
    """Gives the spool a disk of its own; its path, seen from outside."""
    spool = host.dir / "spool"
    spool.mkdir()
    host.run(f"mount -t tmpfs -o size={megabytes}m tmpfs {spool}")
    return host.path(str(spool))


def fill(disk: Path) -> None:
    """Leaves not one byte of a disk."""
    with (disk / "filling").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(1 << 16))


def restart(daemon: Daemon, how: signal.Signals, host: Host) -> Daemon:
    """Ends a daemon, and starts it again when it has ended."""
    daemon.process.send_signal(how)
    assert daemon.process.wait(limit(15)) == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    return fetching(host)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restarted_in_mid_download(make_lab: MakeLab, depot: Depot, how: signal.Signals) -> None:
    """pacman outlives a restart of the daemon in the middle of a file; after it only what is whole and right is kept and offered."""
    lab = make_lab(sites=(Site(80, depot.signed, "limit_rate 2m;"),))
    host, other = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy", *NAMES)
    pacman = start_big_download(host, depot)
    assert len(unfinished(host)) == 1
    again = restart(daemon, how, host)
    wait_until(lambda: spooled(host) == packages(depot, *NAMES), "the spool to be checked", 5)
    wait_until(lambda: offered(host, other) == set(depot.filenames(NAMES, signatures=False)), "the spool to be offered", 10)
    assert other.request(f"/package/{depot.packages['big'].filename}", host.ip).status == 404
    assert other.request(f"/fetch/core/x86_64/{depot.packages['big'].filename}", host.ip).status == 404
    assert pacman.wait(limit(60)) == 0
    assert host.installed() == {*NAMES, "big"}
    again.stop()


def test_restarted_at_once_after_a_kill(make_lab: MakeLab, depot: Depot) -> None:
    """pacman, which has the beginning of a file after a crash of which the spool has nothing, gets the rest at once, from the mirror."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, _ = lab.hosts
    host.configure(servers=[PACSERVE, MIRROR])
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = start_big_download(host, depot)
    pacman.kill()
    pacman.wait()
    daemon.kill()
    for path in unfinished(host):
        path.unlink()
    again = fetching(host)
    (host.dir / "db" / "db.lck").unlink(missing_ok=True)
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    *_, line = again.requests(depot.packages["big"].filename)
    assert " 307 " in line
    assert spooled(host) == packages(depot)
    again.stop()


def test_disk_fills_up(make_lab: MakeLab, depot: Depot) -> None:
    """When the disk fills up while a file arrives, that file is handed on whole, and for further ones pacman is sent to the mirror."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, _ = lab.hosts
    disk = mount_spool(host, TIGHT)
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = start_big_download(host, depot)
    fill(disk)
    assert pacman.wait(limit(60)) == 0
    done = host.pacman("-S", *NAMES)
    assert host.installed() == {*NAMES, "big"}
    assert "error" not in done.stderr
    (line,) = daemon.requests(depot.packages["big"].filename)
    assert " 200 " in line
    assert all(" 307 " in line for file in depot.filenames(NAMES, signatures=False) for line in daemon.requests(file))
    daemon.stop()


def test_disk_is_full_when_a_file_begins_again(make_lab: MakeLab, depot: Depot, other_time: Path) -> None:
    """When a download has to begin again and the disk has no room for that, pacman gets the file elsewhere."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, other_time, SLOWLY)))
    host, _ = lab.hosts
    host.configure(servers=[PACSERVE, OTHER_MIRROR, MIRROR])
    disk = mount_spool(host, TIGHT)
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = start_big_download(host, depot)
    fill(disk)
    cut(lab, "reject with tcp reset")
    assert pacman.wait(limit(60)) == 0
    assert host.installed() == {"big"}
    daemon.stop()
    assert _files(disk) == {"filling"}


def test_disk_fills_up_under_a_file_of_unknown_size(make_lab: MakeLab, depot: Depot, tmp_path: Path) -> None:
    """When the disk fills up under a file whose size nobody states, the client is not told that it has all of it."""
    folder = tmp_path / "core" / "os" / "x86_64"
    folder.mkdir(parents=True)
    shutil.copy2(depot.folder() / "core.db", folder / "core.db")
    name = "unknown-1-1-any.pkg.tar.zst"
    (folder / name).write_bytes(os.urandom(8_000_000))
    lab = make_lab()
    host, _ = lab.hosts
    Program(lab.mirror, [sys.executable, "-c", _UNSTATED, str(tmp_path)], lab.mirror.dir / "unstated.log", 81)
    host.configure(servers=[PACSERVE, OTHER_MIRROR])
    disk = mount_spool(host, TIGHT)
    daemon = fetching(host)
    assert host.request(f"/request/core/x86_64/{name}").body == (folder / name).read_bytes()
    timer = threading.Timer(1, fill, [disk])
    timer.start()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        host.request(f"/request/core/x86_64/{name}")
    timer.join()
    assert re.search(r"the disk of the spool \S+ is full", daemon.text())
    daemon.stop()


def test_disk_full_with_relay(lab: Lab, depot: Depot) -> None:
    """With --hits relay and a full disk pacman gets everything all the same."""
    host, other = lab.hosts
    mount_spool(host, 1)
    depot.settled()
    peer = Daemon(other, "--cache-dir", str(depot.folder()))
    daemon = Daemon(host, "--pacserver", other.ip, "--hits", "relay", "--spool", str(host.dir / "spool"))
    daemon.wait_for("holds")
    done = host.pacman("-Sy", *NAMES, "big")
    assert host.installed() == {*NAMES, "big"}
    assert "error" not in done.stderr
    daemon.stop()
    peer.stop()


def test_spool_removed_in_mid_download(make_lab: MakeLab, depot: Depot) -> None:
    """When somebody removes the spool in the middle of a file, pacman gets all of it, and what comes after that is kept and offered again."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, other = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy", NAMES[0])
    pacman = start_big_download(host, depot)
    shutil.rmtree(host.dir / "spool")
    assert pacman.wait(limit(60)) == 0
    assert len(lab.mirror.package_downloads()) == 2
    assert not spooled(host)
    host.pacman("-S", *NAMES[1:])
    assert host.installed() == {*NAMES, "big"}
    assert spooled(host) == packages(depot, *NAMES[1:])
    wait_until(lambda: offered(host, other) == set(depot.filenames(NAMES[1:], signatures=False)), "the new spool to be offered", 10)
    daemon.stop()
    again = fetching(host)
    assert spooled(host) == packages(depot, *NAMES[1:])
    again.stop()


@pytest.fixture
def other_time(depot: Depot, tmp_path: Path) -> Path:
    """The root of a mirror that has the same files with another time, so that nothing says that they are the same."""
    root = tmp_path / "other"
    shutil.copytree(depot.signed, root, symlinks=True)
    tmp_path.chmod(0o755)
    root.chmod(0o755)
    path = root / "core" / "os" / "x86_64" / depot.packages["big"].filename
    os.utime(path, (path.stat().st_mtime + 100,) * 2)
    return root


def cut(lab: Lab, verdict: str) -> None:
    """The mirror on port 81 is gone, whoever is connected to it."""
    rules = lab.mirror.dir / "cut.nft"
    rules.write_text(_CUT.format(verdict=verdict))
    lab.mirror.run(["nft", "-f", str(rules)])


@pytest.mark.parametrize("verdict", ["reject with tcp reset", "drop"])
@pytest.mark.parametrize("same", [True, False])
def test_mirror_fails_in_mid_file(make_lab: MakeLab, depot: Depot, other_time: Path, verdict: str, same: bool) -> None:
    """When a mirror dies or stalls in mid-file the next one goes on: pacman sees one answer, and it is right."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, depot.signed if same else other_time, SLOWLY)))
    host, _ = lab.hosts
    host.configure(servers=[PACSERVE, OTHER_MIRROR, MIRROR])
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = start_big_download(host, depot)
    cut(lab, verdict)
    assert pacman.wait(limit(60)) == 0
    assert host.installed() == {"big"}
    assert_one_answer(lab, daemon, depot)
    *_, rest = (request for request in lab.mirror.package_downloads() if request.port == 80)
    assert rest.status == (206 if same else 200)
    daemon.stop()


def test_mirror_slows_down(make_lab: MakeLab, depot: Depot) -> None:
    """Of mirrors that are asked one after the other, one that becomes far slower than another was is left for that; pacman sees one answer."""
    lab = make_lab(sites=(Site(80, depot.signed), Site(81, depot.signed, "limit_rate 10k; limit_rate_after 4m;")))
    host, _ = lab.hosts
    daemon = fetching(host, "--mirrors-at-once", "1")
    host.pacman("-Sy", "big")
    host.forget()
    (host.dir / "spool" / "pkg" / depot.packages["big"].filename).unlink()
    host.configure(servers=[PACSERVE, OTHER_MIRROR, MIRROR])
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("was read again")
    done = host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert "error" not in done.stderr
    _, line = daemon.requests(depot.packages["big"].filename)
    assert " 200 " in line
    assert [(request.port, request.status) for request in lab.mirror.package_downloads()][1:] == [(81, 200), (80, 206)]
    daemon.stop()


def assert_one_answer(lab: Lab, daemon: Daemon, depot: Depot) -> None:
    """pacman asked once for the big package, and never a mirror, and saw no error."""
    (line,) = daemon.requests(depot.packages["big"].filename)
    assert " 200 " in line
    log = lab.hosts[0].dir / "log" / "pacman.out.log"
    assert not log.exists() or "error" not in log.read_text()


def test_client_leaves_and_returns(make_lab: MakeLab, depot: Depot) -> None:
    """A download goes on when the only client has left, and who returns goes on where it was."""
    lab = make_lab(sites=(Site(80, depot.signed, SLOWLY),))
    host, _ = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy")
    pacman = start_big_download(host, depot)
    pacman.send_signal(signal.SIGINT)
    pacman.wait(limit(10))
    assert len(unfinished(host)) == 1
    host.pacman("-S", "big")
    assert host.installed() == {"big"}
    assert [request.status for request in lab.mirror.package_downloads()] == [200]
    daemon.stop()
