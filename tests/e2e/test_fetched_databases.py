"""Databases with `--misses fetch`: asked for once, revalidated, and still there when the mirror is not."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PACSERVE, Daemon, Depot, Host, Lab, Site, sh, small_packages, wait_until
from tests.e2e.lab.depot import write_database
from tests.e2e.lab.slowness import limit

_DOWN = "table inet down {{\n chain in {{\n type filter hook input priority 0; policy accept;\n tcp dport {{ 80, 81 }} {verdict}\n }}\n}}\n"


def database_requests(lab: Lab) -> list[tuple[str, int]]:
    """The databases and signatures of these that the mirror was asked for, with the status that it gave."""
    return [(request.name, request.status) for request in lab.mirror.requests("GET") if ".db" in request.name]


def fetching(host: Host, *arguments: str) -> Daemon:
    """A daemon that fetches."""
    return Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"), *arguments)


def cut(lab: Lab, verdict: str = "reject with tcp reset") -> None:
    """Nobody can connect to the mirror any more: it refuses, or says nothing."""
    rules = lab.mirror.dir / "down.nft"
    rules.write_text(_DOWN.format(verdict=verdict))
    lab.mirror.run(["nft", "-f", str(rules)])


def mend(lab: Lab) -> None:
    """The mirror can be reached again."""
    lab.mirror.run("nft delete table inet down")


def copied(root: Path, destination: Path) -> Path:
    """A mirror of one's own, which may be changed."""
    shutil.copytree(root, destination, symlinks=True)
    destination.chmod(0o755)
    return destination


@pytest.fixture
def root(depot: Depot, tmp_path: Path) -> Path:
    """A mirror whose databases have signatures of their own."""
    root = copied(depot.signed, tmp_path / "mirror")
    tmp_path.chmod(0o755)
    sign(depot, root)
    return root


def sign(depot: Depot, root: Path) -> None:
    """Signs the database."""
    archive = folder_of(root) / "core.db.tar.gz"
    signature = archive.with_name("core.db.sig")
    signature.unlink(missing_ok=True)
    sh(
        [
            "gpg",
            "--homedir",
            str(depot.keyring),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--detach-sign",
            "--no-armor",
            "-o",
            str(signature),
            str(archive),
        ]
    )
    depot.key.close()


def update(depot: Depot, root: Path, *, seconds: int = 10) -> None:
    """Gives the mirror a database without the first package, which is so many seconds later, and signs it."""
    folder = folder_of(root)
    archive = folder / "core.db.tar.gz"
    signature = folder / "core.db.sig"
    modified = max(archive.stat().st_mtime, signature.stat().st_mtime) + seconds  # pacman asks for nothing older than what it has
    (folder / "core.db").unlink()
    write_database(folder, "core", [depot.packages[name] for name in (*small_packages()[1:], "big")], signatures=True)
    os.utime(archive, (modified, modified))
    sign(depot, root)
    os.utime(signature, (modified, modified))


def folder_of(root: Path) -> Path:
    """Where a mirror has the repository."""
    return root / "core" / "os" / "x86_64"


def test_once_and_revalidated(lab: Lab) -> None:
    """A database is fetched once; after that a client that has none costs the mirror a 304, and so does one that has it."""
    host, _ = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy")
    assert database_requests(lab) == [("core.db", 200), ("core.db.sig", 404)]
    host.pacman("-Sy")
    assert database_requests(lab)[2:3] == [("core.db", 304)]
    host.pacman("-Syy")
    assert [status for name, status in database_requests(lab) if name == "core.db"] == [200, 304, 304]
    assert host.pacman("-Sl").stdout.count("core pkg") == 50
    assert " 304 " in daemon.requests("core.db")[1]
    daemon.stop()


def test_together(make_lab: MakeLab) -> None:
    """Clients that ask for a database at the same moment share one request."""
    lab = make_lab(hosts=4, rtt_ms=200)
    host, *clients = lab.hosts
    daemon = fetching(host, "--clients", "10.77.0.0/24")
    for client in clients:
        client.configure(servers=[f"http://{host.ip}:15678/request/$repo/$arch"])
    host.configure(servers=[MIRROR])
    daemon.process.send_signal(1)
    wait_until(lambda: "was read again" in daemon.text(), "pacman.conf to be read")
    running = [client.spawn(["pacman", "--noconfirm", "--noprogressbar", "-Sy"], log=client.dir / "log" / "p.log") for client in clients]
    assert [pacman.wait(limit(60)) for pacman in running] == [0, 0, 0]
    assert [status for name, status in database_requests(lab) if name == "core.db"] == [200]
    daemon.stop()


@pytest.mark.parametrize("verdict", ["reject with tcp reset", "drop"])
def test_mirror_down(make_lab: MakeLab, depot: Depot, root: Path, verdict: str) -> None:
    """When no mirror answers pacman gets the last good copy with its signature, also after a restart, and the log has one warning."""
    lab = make_lab(sites=(Site(80, root),))
    host, _ = lab.hosts
    host.configure(options=["SigLevel = Required"])
    daemon = fetching(host)
    host.pacman("-Sy")
    daemon.stop()
    cut(lab, verdict)
    daemon = fetching(host)
    started = time.monotonic()
    for _ in range(2):
        shutil.rmtree(host.dir / "db" / "sync")
        host.pacman("-Syy")
    assert time.monotonic() - started < limit(25)
    assert host.pacman("-Sl").stdout.count("core pkg") == 50
    assert (host.dir / "db" / "sync" / "core.db.sig").exists()
    assert daemon.text().count("last good copy") == 1
    mend(lab)
    update(depot, root)
    host.pacman("-Sy")
    assert [status for name, status in database_requests(lab) if name == "core.db"] == [200, 200]
    daemon.stop()


def test_updated(make_lab: MakeLab, depot: Depot, root: Path) -> None:
    """When the mirror has a later database pacman gets that one, with its own signature."""
    lab = make_lab(sites=(Site(80, root),))
    host, _ = lab.hosts
    host.configure(options=["SigLevel = Required"])
    daemon = fetching(host)
    host.pacman("-Sy")
    update(depot, root)
    host.pacman("-Sy")
    assert host.pacman("-Sl").stdout.count("core pkg") == 49
    host.pacman("-S", "pkg01")
    assert host.installed() == {"pkg01"}
    daemon.stop()


def test_one_mirror_is_late(make_lab: MakeLab, depot: Depot, root: Path, tmp_path: Path) -> None:
    """A mirror that is late never takes back what pacman has got, and database and signature stay together."""
    late = copied(root, tmp_path / "late")
    lab = make_lab(sites=(Site(80, root), Site(81, late)))
    host, _ = lab.hosts
    servers = [PACSERVE, MIRROR.replace("10.78.0.2", "10.78.0.2:81"), MIRROR]
    host.configure(servers=[servers[0], MIRROR], options=["SigLevel = Required"])
    update(depot, root)
    daemon = fetching(host)
    host.pacman("-Sy")
    daemon.stop()
    host.configure(servers=servers, options=["SigLevel = Required"])
    daemon = fetching(host)
    for path in (host.dir / "db" / "sync").iterdir():
        path.unlink()
    host.pacman("-Sy")
    assert host.pacman("-Sl").stdout.count("core pkg") == 49
    assert "last good copy" not in daemon.text()
    daemon.stop()


def test_disk_full(make_lab: MakeLab, root: Path) -> None:
    """Where the spool's disk is full pacman gets the database and its signature all the same."""
    lab = make_lab(sites=(Site(80, root),))
    host, _ = lab.hosts
    host.configure(options=["SigLevel = Required"])
    spool = host.dir / "spool"
    spool.mkdir()
    host.run(f"mount -t tmpfs -o size=1m tmpfs {spool}")
    daemon = fetching(host)
    host.pacman("-Sy")
    assert host.pacman("-Sl").stdout.count("core pkg") == 50
    assert "sent through" in daemon.requests("core.db")[0]
    daemon.stop()
